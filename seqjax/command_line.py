"""How the package's commands end and begin: errors that the user can mend are one line and an exit code."""

import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from absl import flags, logging

from seqjax.errors import UserError


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
    try:
        code = main(list(tool_flags(sys.argv))[1:])
    except (flags.Error, UserError) as error:
        fail(str(error))
    if code:
        sys.exit(code)
