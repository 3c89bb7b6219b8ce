"""The campaign: faults at random, many of them, and what a run makes of each. Long and resumable; no test of pytest's.

    python tests/campaign.py --kind=kills --cases=1000 --output=runs/campaign
    python tests/campaign.py --kind=damage --cases=500
    python tests/campaign.py --kind=disks --cases=100          needs the right to mount a tmpfs
    python tests/campaign.py --kind=fuzz --cases=10000

Case n is a function of n. OUTPUT/KIND.jsonl has a line for each: what was done, what came of it, and `wrong`, which is
empty if all is well. What stands there is not done again. The last line printed counts them.

A child is forked after the imports and before JAX starts, so that a case takes about a second; the reference, to which
every case is held, is the same command undisturbed.
"""

import json
import os
import random
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from absl import flags

from campaign_runs import RUNS, child, facts, reference, unfriendly

KIND = flags.DEFINE_enum("kind", "kills", ["kills", "damage", "disks", "fuzz"], "Which faults.")
CASES = flags.DEFINE_integer("cases", 100, "Cases 0 to CASES - 1.")
OUTPUT = flags.DEFINE_string("output", "runs/campaign", "The folder of references and findings.")


def kills(case: int, rng: random.Random, place: Path) -> dict[str, object]:
    """Killed up to three times at random moments, then left alone."""
    name = rng.choice(sorted(RUNS))
    wanted, line, seconds = reference(name, place)
    folder = place / f"kills_{case}"
    moments = [rng.uniform(0, 1.1 * seconds) for _ in range(rng.choice([1, 1, 2, 3]))]
    for moment in moments:
        child(RUNS[name], folder, seconds=moment)
    code, out, error = child(RUNS[name], folder)
    wrong = unfriendly(code, error) if code else "" if facts(folder) == wanted else "other rows or results"
    if not wrong and out.splitlines()[-1] != line:
        wrong = f"another line: {out.splitlines()[-1][:200]}"
    return {"run": name, "moments": [round(moment, 3) for moment in moments], "code": code, "wrong": wrong}


WAYS = ("delete", "empty", "truncate", "flip", "garbage", "folder")


def spoil(path: Path, way: str, rng: random.Random) -> None:
    """Damage one file."""
    data = bytearray(path.read_bytes())
    if way == "delete":
        path.unlink()
    elif way == "folder":
        path.unlink()
        path.mkdir()
    elif way == "empty":
        path.write_bytes(b"")
    elif way == "truncate":
        path.write_bytes(data[: rng.randrange(max(1, len(data)))])
    elif way == "garbage":
        path.write_bytes(data + rng.randbytes(50))
    elif data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        path.write_bytes(bytes(data))


def damage(case: int, rng: random.Random, place: Path) -> dict[str, object]:
    """One file of a finished or half-done run is damaged; then it is resumed, evaluated or asked."""
    name, mode = rng.choice(["jena", "imdb"]), rng.choice(["train", "evaluate"])
    _, line, seconds = reference(name, place)
    folder = place / f"damage_{case}"
    half = mode == "train" and rng.random() < 0.6
    if half:
        child(RUNS[name], folder, seconds=rng.uniform(0.5, 0.95) * seconds)
    else:
        shutil.copytree(place / "references" / name, folder)
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "lock")
    if not files:
        return {"run": name, "half": half, "wrong": ""}
    path, way = rng.choice(files), rng.choice(WAYS)
    spoil(path, way, rng)
    command = RUNS[name] if mode == "train" else ["--mode=evaluate", "--workdir=run"]
    code, out, error = child(command, folder)
    said = (out + error).lower()
    wrong = unfriendly(code, error) if code else ""
    told = any(word in said for word in ("damaged", "instead", "left out"))
    if not code and out.splitlines()[-1] != line and not told:
        wrong = f"another number, in silence: {out.splitlines()[-1][:200]}"
    what = {"run": name, "mode": mode, "half": half, "file": path.relative_to(folder).as_posix(), "way": way}
    return {**what, "code": code, "said": error.strip()[-200:], "wrong": wrong}


def disks(case: int, rng: random.Random, place: Path) -> dict[str, object]:
    """The disk is full at some moment; with room made the same command goes on."""
    name = rng.choice(["jena", "imdb"])
    wanted, _, _ = reference(name, place)
    folder = place / f"disks_{case}"
    folder.mkdir()
    kilobytes = rng.randrange(4, 400) * 4
    assert os.system(f"mount -t tmpfs -o size={kilobytes}k tmpfs {folder}") == 0, "no right to mount"
    try:
        code, _, error = child(RUNS[name], folder)
        wrong = unfriendly(code, error) if code else ""
        os.system(f"mount -o remount,size=64m {folder}")
        again, _, error = child(RUNS[name], folder)
        last = unfriendly(again, error) if again else "" if facts(folder) == wanted else "other rows or results"
        wrong = wrong or last
        return {"run": name, "kilobytes": kilobytes, "code": code, "again": again, "wrong": wrong}
    finally:
        os.system(f"umount {folder}")


TEXTS = [
    "",
    "a",
    "\x00",
    "\ufeff",
    "é",
    "🎬" * 50,
    "<br />" * 9,
    "a " * 5000,
    '"',
    "\u2028",
    "1e999",
    "nan",
    "-1",
    "true",
]


FLAGS = ("experiment", "set", "mode", "workdir", "data", "seeds", "sweep", "devices", "input", "members", "threads")
FLAGS += ("steps_per_dispatch", "checkpoint_seconds", "prompt", "beam", "backtest", "processes", "nonsense", "state")
VALUES = (
    "jena_naive",
    "0",
    "2",
    "units=3",
    "epochs=0",
    "epochs=x",
    "=",
    "units=",
    "train",
    "evaluate",
    "predict",
    "vmap",
)


def fuzz(case: int, rng: random.Random, place: Path) -> dict[str, object]:
    """A random command line, or a random table or text for a run that is there."""
    kind = rng.choice(["flags", "flags", "table", "text"])
    stdin, folder = b"", place / f"fuzz_{case}"
    if kind == "flags":
        command = [
            f"--{rng.choice(FLAGS)}={rng.choice([*TEXTS, *VALUES])}".replace("\0", "")
            for _ in range(rng.randrange(1, 5))
        ]
        command += ["--data=sample", "--set=epochs=0"] * (rng.random() < 0.5)
    else:
        name = "jena" if kind == "table" else "imdb"
        reference(name, place)
        shutil.copytree(place / "references" / name, folder)
        command = ["--mode=predict", "--workdir=run", "--input=-"]
        stdin = _table(rng) if kind == "table" else "\n".join(rng.choices(TEXTS, k=rng.randrange(4))).encode()
        for _ in range(rng.randrange(3)):
            place_in = rng.randrange(len(stdin) + 1)
            stdin = stdin[:place_in] + rng.randbytes(rng.randrange(4)) + stdin[place_in + rng.randrange(4) :]
    code, _, error = child(command, folder, stdin)
    wrong = unfriendly(code, error) if code else ""
    return {"command": command, "stdin": repr(stdin[:300]), "code": code, "said": error.strip()[-200:], "wrong": wrong}


def _table(rng: random.Random) -> bytes:
    from seqjax.data.series.sample_climate import climate

    columns = ["Date Time", *climate().columns]
    rows = [",".join(f'"{name}"' for name in columns)]
    for k in range(rng.choice([0, 1, 30, 200])):
        cells = [f"{1 + k // 144 % 28:02d}.01.2009 {k // 6 % 24:02d}:{k % 6}0:00"]
        rows.append(",".join([*cells, *(rng.choice([f"{rng.gauss(0, 9):.2f}"] * 30 + TEXTS) for _ in columns[1:])]))
    return "\n".join(rows).encode()


def unfinished(file: Path, cases: int) -> Iterator[int]:
    """The cases that have no line yet."""
    done = {json.loads(line)["case"] for line in file.read_text().splitlines()} if file.exists() else set()
    yield from (case for case in range(cases) if case not in done)


def main() -> None:
    """Do what is asked for and not done."""
    place = Path(OUTPUT.value).resolve()
    place.mkdir(parents=True, exist_ok=True)
    judge: Callable = {"kills": kills, "damage": damage, "disks": disks, "fuzz": fuzz}[KIND.value]
    file = place / f"{KIND.value}.jsonl"
    for case in unfinished(file, CASES.value):
        found = judge(case, random.Random(f"{KIND.value} {case}"), place)
        with file.open("a") as lines:
            lines.write(json.dumps({"case": case, **found}) + "\n")
        for path in place.glob(f"{KIND.value}_{case}*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        if found["wrong"]:
            print(case, found, flush=True)
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    print(f"{KIND.value}: {len(rows)} cases, {sum(bool(row['wrong']) for row in rows)} wrong")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))
    from seqjax.runs.programs import settle

    settle()
    import seqjax.main
    import seqjax.runs.curves
    import seqjax.runs.together
    import seqjax.training.fit  # noqa: F401

    own, sys.argv[:] = list(sys.argv), sys.argv[:1]
    flags.FLAGS(own)
    main()
