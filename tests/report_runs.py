"""Run folders in the real format, without training."""

import json

EXPERIMENT = """
def experiment(*, units: int = 16, epochs: int = 10, batch_size: int = 256, vectors: str = "here", seed: int = 0):
    raise AssertionError("the report reads this file, and does not run it")
"""


def write(folder, name, seed, test, validation=None, metric="mae", *, data="real", losses=None, **knobs):
    """A finished run whose test and validation metric are as given; `losses` are those of validation, by epoch."""
    naive = name == "jena_naive"
    epochs = 0 if naive else 10
    options = {"units": 16, "epochs": epochs, "batch_size": 256, "seed": seed} | knobs
    losses = [] if naive else losses or [5.0, 4.0, 3.0]
    rows = [
        {"epoch": k + 1, "step": k + 1, "train": _scores(loss - 0.5, metric), "validation": _scores(loss, metric)}
        | {"seconds": 2.0, "examples_per_second": 1.0}
        for k, loss in enumerate(losses)
    ]
    folder.mkdir(parents=True)
    config = {"experiment": name, "options": options, "data": data, "fingerprint": "f00d", "device": "cpu, 2 cores"}
    results = {
        "experiment": name,
        "options": options,
        "parameters": 0 if naive else 2001,
        "best_epoch": len(losses),
        "validation": {"loss": 1.0, metric: test if validation is None else validation},
        "test": {"loss": 1.0, metric: test},
        "seconds": 2.0 * len(losses),
        "lecture": {"test": {metric: 2.53}},
        "data": data,
        "optimum": {},
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "results.json").write_text(json.dumps(results))
    (folder / "experiment.py").write_text(EXPERIMENT)
    return folder


def _scores(loss, metric):
    return {"loss": loss, metric: loss / 2}


def keras(file, name, tests, **knobs):
    """A result of `seqjax.compare --free`."""
    seeds = [
        {"seed": k, "validation": {"loss": 1, "mae": test}, "test": {"loss": 1, "mae": test}, "best_epoch": 1}
        | {"seconds": 1}
        for k, test in enumerate(tests)
    ]
    options = {"units": 16, "epochs": 10, "batch_size": 256, "seed": 0} | knobs
    found = {"kind": "keras", "experiment": name, "options": options, "data": "real", "seeds": seeds}
    file.write_text(json.dumps(found))
