"""The one error that the user can mend."""

__all__ = ["UserError"]


class UserError(ValueError):
    """Input that the user can mend: the message says in one or two lines what was wrong and what to do.

    The commands print `error: <message>` and leave with exit code 2, without a traceback and with nothing half-written.
    """
