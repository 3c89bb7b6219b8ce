"""Imports go one way, room by room; without cycles; and TensorFlow is the data's alone.

Read from the sources, imports within functions included, so that nothing has to be importable here.
"""

import ast
import functools
import subprocess
import sys
from collections.abc import Iterator, Mapping

import pytest

from places import ROOT

ORDER = (
    {"main"},
    {"generate", "predict", "stream", "archive", "backtest", "knobs", "nab", "verdict", "microscope", "many", "cost"},
    {"cluster"},
    {"lecture"},
    {"export"},
    {"report", "compare", "benchmark", "interop", "serve"},
    {"analogies", "interface", "estimators"},
    {"notebook"},
    {"runs"},
    {"training"},
    {"probes"},
    {"models"},
    {"decoding"},
    {"layers"},
    {"data"},
    {"scoring"},
    {"experiment"},
    {"trust"},
    {"errors", "files", "folders", "runtime", "command_line", "peers", "old_names", ""},
)
"""From above to below: a room may use itself and what is below it; the last line everything may use, itself included.

"" is seqjax/__init__.py.
"""

STRANGERS = {("layers", "data")}
"""Downwards, and forbidden all the same."""

ALLOWED = {
    # Keras's models are fed the weights that ours begin with, which the conversion of interop writes.
    ("compare", "interop"),
    # What `seqjax.load` is, looked up when it is asked for.
    ("", "interface"),
}
TENSORFLOW = {"tensorflow", "tensorflow_datasets"}
OWN_TENSORFLOW = {"seqjax.benchmark.peer_keras"}
"""Beside seqjax.data: it measures Keras on TensorFlow, in a process of its own."""


@functools.cache
def sources() -> dict[str, str]:
    """The text of every module of seqjax."""
    found = {}
    for path in sorted((ROOT / "seqjax").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path.read_text()
    return found


def imports(name: str, source: str, known: Mapping[str, str], at_import: bool = False) -> Iterator[str]:
    """The modules that a module imports; at_import: when it is imported itself, so not within functions."""
    for node in importing(source, at_import):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = name if any(other.startswith(f"{name}.") for other in known) else name.rpartition(".")[0]
            for _ in range(node.level - 1):
                package = package.rpartition(".")[0]
            start = ".".join(filter(None, [package if node.level else "", node.module]))
            yield from (f"{start}.{a.name}" if f"{start}.{a.name}" in known else start for a in node.names)
        elif isinstance(node, ast.Call):
            yield from (argument.value for argument in node.args if isinstance(argument, ast.Constant))


@functools.cache
def parsed(source: str) -> ast.Module:
    return ast.parse(source)


@functools.cache
def importing(source: str, at_import: bool) -> list[ast.AST]:
    """The nodes that import something."""
    calls = lambda node: isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__"))
    return [
        node for node in walk(parsed(source), at_import) if isinstance(node, ast.Import | ast.ImportFrom) or calls(node)
    ]


def walk(node: ast.AST, at_import: bool) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        typing_only = isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING")
        if at_import and (isinstance(child, ast.FunctionDef | ast.Lambda) or typing_only):
            continue
        yield child
        yield from walk(child, at_import)


def room(name: str) -> str:
    return [*name.split("."), ""][1]


def level(name: str) -> int:
    found = [number for number, rooms in enumerate(ORDER) if room(name) in rooms]
    assert found, f"{name}: its room has no place in ORDER"
    return found[0]


def faults(modules: Mapping[str, str]) -> list[str]:
    """What goes against the order, a line each."""
    found = []
    for name, source in modules.items():
        for used in imports(name, source, modules):
            top = used.partition(".")[0]
            if top == "experiments" or used.startswith("seqjax.experiments"):
                found.append(f"{name} imports the folder {used}")
            if top in TENSORFLOW and room(name) != "data" and name not in OWN_TENSORFLOW:
                found.append(f"{name} imports {used}, which is for seqjax.data alone")
            if top != "seqjax" or room(name) == room(used) or (room(name), room(used)) in ALLOWED:
                continue
            last = len(ORDER) - 1
            if level(used) < level(name) or level(used) == level(name) < last:
                found.append(f"{name} imports {used}, which is not below it")
            if (room(name), room(used)) in STRANGERS:
                found.append(f"{name} imports {used}: neither may know the other")
    return found


def cycle(modules: Mapping[str, str]) -> list[str]:
    """Modules that import one another when they are imported, the first one again at the end; [] if none do."""
    arrows = {name: set(imports(name, text, modules, at_import=True)) & set(modules) for name, text in modules.items()}
    arrows = {name: {used for used in uses if used != name} for name, uses in arrows.items()}
    done: set[str] = set()

    def follow(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        for used in sorted(arrows[name]):
            if found := follow(used, [*path, name]):
                return found
        done.add(name)
        return []

    return next(filter(None, (follow(name, []) for name in modules)), [])


def test_imports_go_one_way():
    assert faults(sources()) == []


def test_there_is_no_cycle():
    assert cycle(sources()) == []


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("seqjax.data.series.extra", "from seqjax.training import metrics", "seqjax.training.metrics, which is not be"),
        (
            "seqjax.data.series.extra",
            "from seqjax.layers.cells import LSTMCell",
            "seqjax.layers.cells, which is not",
        ),
        ("seqjax.data.series.extra", "from ...layers import cells", "seqjax.layers.cells, which is not below"),
        ("seqjax.layers.extra", "def f():\n    from seqjax.data.text import tokens", "neither may know the other"),
        ("seqjax.layers.extra", "import tensorflow as tf", "imports tensorflow, which is for seqjax.data alone"),
        ("seqjax.models.extra", "import seqjax.training.fit", "seqjax.training.fit, which is not below"),
        ("seqjax.report.extra", "from seqjax.benchmark import table", "seqjax.benchmark.table, which is not below"),
        ("seqjax.interop.extra", "from seqjax.compare import mirror", "seqjax.compare.mirror, which is not below"),
        (
            "seqjax.runs.extra",
            "import importlib\nimportlib.import_module('seqjax.main')",
            "seqjax.main, which is",
        ),
        ("seqjax.errors", "import seqjax.experiment", "seqjax.experiment, which is not below"),
        ("seqjax.report.extra", "from experiments import jena_lstm", "imports the folder experiments"),
    ],
)
def test_an_arrow_that_goes_up_is_named(name, text, fault):
    (found,) = faults({**sources(), name: text})
    assert found.startswith(f"{name} imports ")
    assert fault in found


def test_a_cycle_is_named():
    made = {"seqjax.a": "from seqjax import b", "seqjax.b": "import seqjax.c", "seqjax.c": "from seqjax.a import x"}
    assert cycle(made) == ["seqjax.a", "seqjax.b", "seqjax.c", "seqjax.a"]
    assert cycle({**made, "seqjax.b": "def f():\n    import seqjax.c"}) == []


def test_the_layers_need_neither_tensorflow_nor_the_rest_of_a_run():
    code = """
import sys
sys.modules.update(tensorflow=None, tensorflow_datasets=None, keras=None)
import seqjax.layers
others = {name for name in sys.modules if name.startswith("seqjax.")}
print(sorted({name.split(".")[1] for name in others}))
print(sorted(set(sys.modules) & {"optax", "orbax.checkpoint", "matplotlib", "scipy", "torch"}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    rooms, heavy = done.stdout.splitlines()
    assert set(ast.literal_eval(rooms)) <= {"layers", *ORDER[-1]}
    assert heavy == "[]"
