"""How the package's commands end and begin: errors that the user can mend are one line and an exit code."""

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import NoReturn

from absl import flags, logging

from seqjax.errors import RunStoppedError, UserError
from seqjax.files import shown


def complain(message: str) -> None:
    """Print one line on stderr."""
    print(f"seqjax: {' '.join(message.split())}", file=sys.stderr)


def fail(message: str, code: int = 2) -> NoReturn:
    """Print one line on stderr and exit."""
    complain(message)
    sys.exit(code)


def run_tool(
    main: Callable[[Sequence[str]], int | None], tool_flags: flags.FlagValues, description: str | None
) -> None:
    """Entry point of a command with flags of its own (`seqjax.main` has absl's): parse, quiet the libraries, call.

    Args:
      main: called with the arguments that are no flags; returns the exit code, None for 0.
      tool_flags: the command's.
      description: what --help says before them.
    """
    if {"-h", "-help", "--help"} & set(sys.argv[1:]):
        print(f"{description}\n{tool_flags.get_help()}")
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.set_verbosity(logging.WARNING)
    code = None
    with failing():
        code = main(list(tool_flags(sys.argv))[1:])
        sys.stdout.flush()
    if code:
        sys.exit(code)


@contextlib.contextmanager
def failing() -> Iterator[None]:
    """Turn what the user can mend into one line and an exit code: also a path that no part of a command has looked at.

    Where nobody reads on (`... | head`), there is nothing to say.
    """
    hook = sys.excepthook
    sys.excepthook = lambda kind, error, trace: None if _is_echo(error) else hook(kind, error, trace)
    try:
        yield
    except BrokenPipeError:
        _forget_output()
    except (flags.Error, UserError, RunStoppedError) as error:
        fail(str(error), getattr(error, "exit_code", 2))
    except OSError as error:
        if error.filename:
            fail(f"{shown(error.filename)}: {error.strerror}")
        _forget_output()  # it may be what cannot be written
        fail(str(error.strerror or error))
    finally:
        sys.excepthook = hook


def _forget_output() -> None:
    """So that Python's own last flush of it does not fail too."""
    with contextlib.suppress(OSError, ValueError):  # a stdout that is no file has no number
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _is_echo(error: BaseException) -> bool:
    """Whether it is what tensorstore's own threads print for each write that follows one that failed."""
    return threading.current_thread() is not threading.main_thread() and str(error) == "Event loop is closed"
