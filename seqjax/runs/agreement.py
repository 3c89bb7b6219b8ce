"""What the processes of a run have to agree on, and what a run is told that goes on elsewhere."""

import dataclasses
import hashlib
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqjax import experiment as experiments
from seqjax import peers
from seqjax.experiment import FILE_KNOBS
from seqjax.files import write_atomically
from seqjax.runs.machine import source_hash
from seqjax.training.workdir import Workdir

if TYPE_CHECKING:
    from seqjax.training.settings import Settings


def facts(config: Mapping[str, Any], source_file: Path, settings: "Settings") -> dict[str, str]:
    """What has to be the same in all processes of a run, under names for people."""
    told = {f"knob {name}": value for name, value in config["options"].items() if name not in FILE_KNOBS}
    told |= {f"version of {name}": value for name, value in config["versions"].items()}
    told |= {f"setting {name}": value for name, value in dataclasses.asdict(settings).items()}
    told |= {name: config[name] for name in ("experiment", "data", "backends")}
    told |= {"data's fingerprint": config["fingerprint"], "source of seqjax": source_hash()}
    text = experiments.source(source_file).replace("\r\n", "\n")
    told |= {"experiment.py": hashlib.sha256(text.encode()).hexdigest()[:16]}
    return {name: f"{value}" for name, value in told.items()}


def reach(workdir: Workdir, config: Mapping[str, Any], source_file: Path, settings: "Settings") -> str | None:
    """Compare all processes; returns what to print where the run goes on elsewhere than it began.

    Raises:
      UserError: a process differs; as `seqjax.peers.agree`.
      RunStoppedError: one does not come.
    """
    began = (workdir.config() or {}).get("layout", config["layout"])
    if peers.count() > 1:  # the hash of all sources is theirs alone to wait for
        peers.agree("the data", facts(config, source_file, settings))
    if began == config["layout"]:
        return None
    return f"begun on {began}, now on {config['layout']}: {other_layout(settings.deterministic)}"


def share(workdir: Workdir) -> None:
    """Compare what the processes see in the run's folder: it has to be one, or each would write its part of the
    checkpoints into its own, and wait for the others' for ever.

    A folder of NFS may show a new file up to a minute late.

    Raises:
      UserError: a process sees another folder.
      RunStoppedError: one does not come.
    """
    if peers.count() == 1:
        return
    file = workdir.path / "meeting"
    if peers.is_first():
        write_atomically(file, secrets.token_hex(4))
    peers.meet("the run's folder")
    until = time.monotonic() + min(60.0, peers.here().seconds / 2)
    while not file.exists() and time.monotonic() < until:
        time.sleep(0.2)
    try:
        seen = file.read_text(encoding="utf-8") if file.exists() else "nothing"
        peers.agree("the folder", {"what lies in --workdir, which has to be one folder for all": seen})
    finally:
        if peers.is_first():
            file.unlink(missing_ok=True)


def other_layout(deterministic: bool) -> str:
    """What to say of a run that goes on with another number of devices or processes."""
    if deterministic:
        return "every bit stays what it would have been (--deterministic)"
    return "sums are made in another order, which changes last digits (of --deterministic runs it changes no bit)"
