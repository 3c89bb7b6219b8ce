"""The flags of a backtest, and the printing of its folds."""

from collections.abc import Sequence
from pathlib import Path

from absl import flags

from seqjax.errors import UserError
from seqjax.training.workdir import Workdir

BACKTEST = flags.DEFINE_integer(
    "backtest", None, "Forecasts of a horizon: roll the origin K times by it, at the end of the data, and score each."
)
REFIT = flags.DEFINE_bool("refit", False, "Of --backtest: train anew for each fold, on what had come by then.")


def check(mode: str, many: bool) -> None:
    """Raises UserError: flags that do not go together."""
    if BACKTEST.value is None:
        if REFIT.value:
            raise UserError("--refit is for --backtest=K")
    elif mode != "train":
        raise UserError(f"--backtest is for --mode=train, not --mode={mode}")
    elif many:
        raise UserError("--backtest is for a single run, not for --seeds or --sweep")


def write(
    name: str,
    workdir: str | None,
    options: Sequence[str],
    data: str,
    data_dir: Path,
    settings: tuple[int | None, float, int | None, bool, int | None],
    tuned: dict[str, str],
) -> None:
    """Train and score all folds, and print a line for each and one for all of them."""
    from seqjax.runs import backtest
    from seqjax.training.program import Settings

    wanted = backtest.Backtest(BACKTEST.value or 0, REFIT.value)
    results = backtest.backtest(
        name,
        Workdir(Path(workdir or f"runs/{name}_backtest")),
        wanted,
        options=options,
        data=data,
        data_dir=data_dir,
        settings=Settings(*settings),
        tuned=tuned,
    )
    print("\n".join(backtest.lines(results)))
