"""The first signal is noted; the second acts."""

import signal

import pytest

from seqjax.training.interrupt import Interrupt


@pytest.fixture(autouse=True)
def _as_in_the_foreground():
    """A shell's background jobs are born deaf to SIGINT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_the_first_signal_is_noted_and_the_second_acts():
    before = signal.getsignal(signal.SIGTERM)
    with Interrupt() as interrupt:
        assert interrupt.signal is None
        signal.raise_signal(signal.SIGINT)
        assert interrupt.signal == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_error_says_what_was_saved():
    with Interrupt() as interrupt:
        signal.raise_signal(signal.SIGTERM)
    error = interrupt.error(40)
    assert error.exit_code == 128 + signal.SIGTERM
    assert str(error) == "stopped by SIGTERM and saved at step 40; the same command resumes"
