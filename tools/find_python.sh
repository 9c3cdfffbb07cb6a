#!/bin/sh
# Print a Python that really runs and can make virtual environments: find_python.sh LOWEST [BELOW], as in 3.11 3.12.
# Every candidate is executed, because a shim can stand on the PATH for a version that is not there.
lowest=${1:-3.11}
below=${2:-4.0}

runs() {
    "$1" - "$lowest" "$below" <<'EOF' >/dev/null 2>&1
import ensurepip, sys, venv
lowest, below = (tuple(map(int, text.split("."))) for text in sys.argv[1:])
sys.exit(not lowest <= sys.version_info[:2] < below)
EOF
}

for candidate in python3.12 python3.13 python3.11 python3 python python3.14 \
    "${PYENV_ROOT:-$HOME/.pyenv}"/versions/*/bin/python; do
    if runs "$candidate"; then
        command -v "$candidate"
        exit 0
    fi
done
exit 1
