"""The exceptions that the command line turns into one line and an exit code, without a traceback."""


class UserError(ValueError):
    """Bad input: a wrong name, option, file or folder.

    The message is one line that names the culprit and the choices; a program can catch it like any ValueError.
    """

    exit_code = 2


class RunStoppedError(Exception):
    """A run that ended before its time; the message says at which step, and what is kept."""

    def __init__(self, message: str, exit_code: int = 1):
        """Args: message: one line. exit_code: of the command line."""
        super().__init__(message)
        self.exit_code = exit_code


def check_least(name: str, value: float, least: float) -> None:
    """Raise UserError if the option `name` is below `least`.

    >>> check_least("units", 16, 1)
    """
    if value < least:
        raise UserError(f"{name} must be at least {least}, not {value}")
