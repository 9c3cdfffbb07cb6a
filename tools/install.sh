#!/bin/sh
# Make a virtual environment and install this package in it, with the versions that are known to work together:
# install.sh DIRECTORY PYTHON REQUIREMENT...
set -eu
directory=$1
python=$2
shift 2
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "$python is no Python >= 3.11 that runs; say PYTHON=/path/to/python" >&2
    exit 2
fi
# An environment that was interrupted in the making has a Python and no pip.
"$directory/bin/python" -c 'import pip, sys; sys.exit(sys.prefix == sys.base_prefix)' 2>/dev/null ||
    "$python" -m venv --clear "$directory"
constraints=$("$directory/bin/python" -c '
import sys
print("constraints-3.11.txt" if sys.version_info < (3, 12) else "constraints-3.12.txt")')
echo "installing into $directory with $("$directory/bin/python" --version) and $constraints"
"$directory/bin/python" -m pip install --quiet --disable-pip-version-check -c "$constraints" "$@"
