"""A command with flags of its own, called within the tests' own process: a process of its own starts for a second."""

import contextlib
import io
import sys
from types import ModuleType, SimpleNamespace

import pytest
from absl import logging
from absl.testing import flagsaver


def called(command: ModuleType, *arguments) -> SimpleNamespace:
    """What `python -m` of the command would end with: returncode, stdout, stderr. Its flags are as before afterwards.

    What the libraries log goes to the tests' own stderr; a test that says "one line and nothing else" also starts one
    process.
    """
    flags, verbosity = flagsaver.save_flag_values(command.FLAGS), logging.get_verbosity()
    out, error, code = io.StringIO(), io.StringIO(), 0
    try:
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
            patch.setattr(sys, "argv", [command.__name__, *map(str, arguments)])
            command.run()
    except SystemExit as stop:
        code = stop.code or 0
    finally:
        flagsaver.restore_flag_values(flags, command.FLAGS)
        logging.set_verbosity(verbosity)
    return SimpleNamespace(returncode=code, stdout=out.getvalue(), stderr=error.getvalue())
