"""What a compiled program does: floating-point operations, bytes of memory, kernels and exchanges, loops counted out.

XLA's own `cost_analysis` counts the body of a loop once, whatever its length, and a recurrent layer is a loop over its
steps. So the text of the compiled program is read here, each loop by the trip count that XLA writes beside it. Outside
loops the two agree (a test). As there, a fusion reads its operands and writes its result; of what is only sliced, the
slice.
"""

import dataclasses
import functools
import math
import re
from collections.abc import Callable, Iterator, Sequence

SIZES = {"pred": 1, "bf16": 2, "f16": 2, "token": 0, "opaque": 0, "c64": 8, "c128": 16}
FREE = frozenset(
    [
        "parameter",
        "constant",
        "get-tuple-element",
        "tuple",
        "bitcast",
        "after-all",
        "opt-barrier",
        "partition-id",
        "replica-id",
        "iota",
    ]
)
"""Take no time of their own."""
MOVES = frozenset(
    [
        "copy",
        "broadcast",
        "reshape",
        "transpose",
        "slice",
        "dynamic-slice",
        "dynamic-update-slice",
        "gather",
        "concatenate",
        "pad",
        "reverse",
        "convert",
        "bitcast-convert",
        "copy-start",
        "copy-done",
        "rng-bit-generator",
        "custom-call",
        "scatter",
        "sort",
    ]
)
"""Compute nothing that is counted."""
CURVES = frozenset(
    ["tanh", "exponential", "exponential-minus-one", "logistic", "log", "log-plus-one", "sqrt", "rsqrt", "power", "erf"]
)
"""Take many operations for a value, which XLA counts as one."""
EXCHANGES = frozenset(["all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute"])
INSTRUCTION = re.compile(r"^\s*(ROOT )?%?([\w.\-]+) = (.*)$")
TYPE = re.compile(r"([a-z]\w*)\[([\d,]*)\]")


@dataclasses.dataclass(frozen=True)
class Cost:
    """Of one kernel, as often as it runs in a step."""

    operation: str
    flops: float
    """Multiplications and additions of products in one run."""
    elements: float
    """Other operations in one run, one for each value."""
    bytes: float
    """Read and written in one run."""
    times: int
    curves: float = 0.0
    """Values of tanh, exp and the like in one run."""
    exchanged: float = 0.0
    """Bytes that each chip gives to the others in one run, if it is an exchange."""


@dataclasses.dataclass(frozen=True)
class _Instruction:
    name: str
    kind: str
    shape: str
    operands: Sequence[str]
    rest: str
    root: bool


class Compiled:
    """The text of a compiled program, read."""

    def __init__(self, text: str):
        """Args: text: `jax.stages.Compiled.as_text()`."""
        self._computations: dict[str, list[_Instruction]] = {}
        self._entry = ""
        self.unknown = 0
        """Loops whose length XLA does not tell; counted once."""
        current: list[_Instruction] = []
        for line in text.splitlines():
            head = re.match(r"^(ENTRY )?%?([\w.\-]+) .*\{$", line)
            if head and not line.startswith(" "):
                current = self._computations.setdefault(head[2], [])
                self._entry = head[2] if head[1] else self._entry
            elif found := INSTRUCTION.match(line):
                current.append(_read(found))

    def costs(self) -> list[Cost]:
        """Every kernel of the program."""
        self.unknown = 0
        return list(self._walk(self._entry, 1))

    def _walk(self, name: str, times: int) -> Iterator[Cost]:
        for one in self._computations[name]:
            if one.kind == "while":
                count = re.search(r'"known_trip_count":\{"n":"(\d+)"', one.rest)
                self.unknown += count is None
                for part in _called(one.rest):
                    yield from self._walk(part, times * (int(count[1]) if count else 1))
            elif one.kind in ("call", "async-start") or (one.kind == "conditional"):
                for part in _called(one.rest)[-1:]:
                    yield from self._walk(part, times)
            elif one.kind not in FREE and not one.kind.endswith("-done"):
                kind = one.kind.removesuffix("-start")
                exchanged = sum(map(_bytes, _shapes(one.shape))) if kind in EXCHANGES else 0.0
                flops, elements = self._sum(self._products, name, one), self._sum(self._elements, name, one)
                curves = self._sum(self._curves, name, one)
                yield Cost(kind, flops, elements, self._moved(name, one), times, curves, exchanged)

    @functools.cached_property
    def _named(self) -> dict[str, dict[str, _Instruction]]:
        return {name: {one.name: one for one in found} for name, found in self._computations.items()}

    def _sum(self, count: Callable[[str, _Instruction], float], computation: str, one: _Instruction) -> float:
        """`count` of an instruction, or of all within a fusion."""
        if one.kind == "fusion":
            (inner,) = _called(one.rest)[:1]
            return sum(self._sum(count, inner, part) for part in self._computations[inner])
        return count(computation, one)

    def _dims_of(self, computation: str, name: str) -> list[int]:
        return _dims(self._named[computation][name].shape)

    def _products(self, computation: str, one: _Instruction) -> float:
        count = _elements(one.shape)
        if one.kind == "dot":
            axes = re.search(r"lhs_contracting_dims=\{([\d,]*)\}", one.rest)
            dims = self._dims_of(computation, one.operands[0])
            return 2.0 * count * math.prod(dims[int(axis)] for axis in axes[1].split(",") if axis) if axes else 0.0
        if one.kind == "convolution":
            kernel = re.search(r"dim_labels=\w+_(\w+)->", one.rest)
            dims = self._dims_of(computation, one.operands[1])
            return 2.0 * count * math.prod(dims) / dims[kernel[1].index("o")] if kernel else 0.0
        if one.kind == "custom-call" and "matmul" in one.rest:
            return 2.0 * count * self._dims_of(computation, one.operands[0])[-1]
        return 0.0

    def _elements(self, computation: str, one: _Instruction) -> float:
        if one.kind in ("reduce", "reduce-window", "all-reduce", "reduce-scatter"):
            return float(math.prod(self._dims_of(computation, one.operands[0])))
        counted = one.kind not in FREE | MOVES | EXCHANGES | {"dot", "convolution"}
        return float(_elements(one.shape)) if counted else 0.0

    def _curves(self, computation: str, one: _Instruction) -> float:
        return float(_elements(one.shape)) if one.kind in CURVES else 0.0

    def _moved(self, computation: str, one: _Instruction) -> float:
        """Bytes that are read and written."""
        named = self._named[computation]
        sizes = [sum(map(_bytes, _shapes(named[name].shape))) for name in one.operands if name in named]
        result = float(sum(map(_bytes, _shapes(one.shape))))
        if one.kind in ("dynamic-slice", "slice", "gather"):
            return 2 * result
        if one.kind == "dynamic-update-slice":
            return 2.0 * sizes[1]
        if one.kind == "scatter":
            return 3.0 * sizes[-1]
        if one.kind == "fusion":
            (inner,) = _called(one.rest)[:1]
            return self._fused(inner, result)
        return sum(sizes) + result

    def _fused(self, inner: str, result: float) -> float:
        """Of a fusion: its operands, or the slices that are taken of them, and its result, or what is laid into it."""
        moved = 0.0
        for one in self._computations[inner]:
            if one.kind == "parameter":
                users = [user for user in self._computations[inner] if one.name in user.operands]
                size = float(sum(map(_bytes, _shapes(one.shape))))
                sliced = [self._part(inner, user, one.name) for user in users]
                moved += size if None in sliced else min(size, sum(part or 0.0 for part in sliced))
            if one.root:
                roots = [self._named[inner][name] for name in one.operands] if one.kind == "tuple" else [one]
                for root in roots:
                    updated = root.kind == "dynamic-update-slice"
                    moved += self._size(inner, root.operands[1]) if updated else self._size(inner, root.name)
        return moved if moved else result

    def _part(self, inner: str, user: _Instruction, name: str) -> float | None:
        """Bytes of an operand that a user reads, if these are a slice of it; else None."""
        if user.kind in ("dynamic-slice", "slice", "gather") and user.operands[0] == name:
            return self._size(inner, user.name)
        return 0.0 if user.kind == "dynamic-update-slice" and user.operands[0] == name else None

    def _size(self, computation: str, name: str) -> float:
        return float(sum(map(_bytes, _shapes(self._named[computation][name].shape))))


def _read(found: re.Match[str]) -> _Instruction:
    """An instruction from `TYPE KIND(OPERANDS), REST`."""
    text = found[3]
    end = _closed(text, 0) if text.startswith("(") else text.index(" ")
    shape, text = text[:end], text[end:].strip()
    kind, _, _ = text.partition("(")
    end = _closed(text, len(kind))
    operands = re.findall(r"%([\w.\-]+)", text[len(kind) : end])
    return _Instruction(found[2], kind, shape, operands, text[end:], bool(found[1]))


def _closed(text: str, start: int) -> int:
    """Behind the parenthesis that closes the one at `start`."""
    depth = 0
    for place in range(start, len(text)):
        depth += (text[place] == "(") - (text[place] == ")")
        if depth == 0:
            return place + 1
    return len(text)


def _called(rest: str) -> list[str]:
    """Computations that an instruction names, but not the function of a reduction."""
    found = re.findall(r"(?:body|condition|calls|to_apply|true_computation|false_computation)=%?([\w.\-]+)", rest)
    branches = re.search(r"branch_computations=\{([^}]*)\}", rest)
    return found + (re.findall(r"%?([\w.\-]+)", branches[1]) if branches else [])


def _shapes(text: str) -> list[tuple[str, str]]:
    return TYPE.findall(re.sub(r"\{[^{}]*\}|/\*.*?\*/", "", text))


def _dims(text: str) -> list[int]:
    return [int(size) for size in _shapes(text)[0][1].split(",") if size]


def _elements(text: str) -> int:
    return sum(math.prod(int(size) for size in dims.split(",") if size) for _, dims in _shapes(text))


def _bytes(shape: tuple[str, str]) -> int:
    kind, dims = shape
    width = SIZES.get(kind) or int(re.sub(r"\D.*", "", kind.lstrip("abcdefghijklmnopqrstuvwxyz")) or 0) // 8
    return width * math.prod(int(size) for size in dims.split(",") if size)
