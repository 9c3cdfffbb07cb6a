"""The one error that the user can mend, and a warning at the line of the user that led to it."""

import os
import sys
import warnings
from pathlib import Path

__all__ = ["UserError", "warn_caller"]

PACKAGE = f"{Path(__file__).parent}{os.sep}"


class UserError(ValueError):
    """Input that the user can mend: the message says in one or two lines what was wrong and what to do.

    The commands print `error: <message>` and leave with exit code 2, without a traceback and with nothing half-written.
    """


def warn_caller(message: str) -> None:
    """Warn at the first line outside this package on the way back, which is the caller's own."""
    frame, level = sys._getframe(), 1
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGE):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, stacklevel=level)
