"""An ONNX graph, built node by node: values with the usual operators, weights kept once.

    graph = Graph()
    x = graph.input("x", np.float32, ("batch", None), (1, 3))
    graph.output("y", graph.dense(x, params).tanh(), ("batch", None), (1, 5))
    model = graph.model("two layers")

Opset 17 of 2022: any onnxruntime of today reads it, onnxruntime-web too.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx  # pyright: ignore[reportMissingImports]

OPSET, FORMAT = 17, 8
OPTIONAL = ("LSTM", "GRU", "RNN")
"""Operators that need not say all that they could."""


@dataclasses.dataclass(frozen=True, eq=False)
class Value:
    """What a node gives: its name in a graph, and its type."""

    graph: "Graph"
    name: str
    dtype: Any

    def _with(self, kind: str, other: Any, dtype: Any = None, turned: bool = False) -> "Value":
        other = other if isinstance(other, Value) else self.graph.constant(np.array(other, self.dtype))
        pair = (other, self) if turned else (self, other)
        return self.graph.op(kind, *pair, dtype=dtype or self.dtype)

    def __add__(self, other: Any) -> "Value":
        return self._with("Add", other)

    def __sub__(self, other: Any) -> "Value":
        return self._with("Sub", other)

    def __rsub__(self, other: Any) -> "Value":
        return self._with("Sub", other, turned=True)

    def __mul__(self, other: Any) -> "Value":
        return self._with("Mul", other)

    def __truediv__(self, other: Any) -> "Value":
        return self._with("Div", other)

    def __matmul__(self, other: Any) -> "Value":
        return self._with("MatMul", other)

    def __and__(self, other: Any) -> "Value":
        return self._with("And", other)

    def __lt__(self, other: Any) -> "Value":
        return self._with("Less", other, bool)

    def __le__(self, other: Any) -> "Value":
        return self._with("LessOrEqual", other, bool)

    def __ge__(self, other: Any) -> "Value":
        return self._with("GreaterOrEqual", other, bool)

    def __invert__(self) -> "Value":
        return self.graph.op("Not", self)

    def equals(self, other: Any) -> "Value":
        """Elementwise."""
        return self._with("Equal", other, bool)

    def maximum(self, other: Any) -> "Value":
        """Elementwise."""
        return self._with("Max", other)

    def minimum(self, other: Any) -> "Value":
        """Elementwise."""
        return self._with("Min", other)

    def cast(self, dtype: Any) -> "Value":
        """As another type."""
        return self.graph.op("Cast", self, dtype=dtype, to=kind(dtype))

    def apply(self, name: str, **attributes: Any) -> "Value":
        """An operator of one input: Tanh, Relu, Sigmoid, Exp, Sqrt, ..."""
        return self.graph.op(name, self, **attributes)

    def reshape(self, *shape: int) -> "Value":
        """0 keeps an axis, -1 is what is left."""
        return self.graph.op("Reshape", self, self.graph.integers(*shape))

    def transpose(self, *axes: int) -> "Value":
        """The axes in another order."""
        return self.graph.op("Transpose", self, perm=list(axes))

    def unsqueeze(self, *axes: int) -> "Value":
        """With new axes of length 1."""
        return self.graph.op("Unsqueeze", self, self.graph.integers(*axes))

    def squeeze(self, *axes: int) -> "Value":
        """Without axes of length 1."""
        return self.graph.op("Squeeze", self, self.graph.integers(*axes))

    def slice(self, axis: int, start: int, stop: int | None = None, step: int = 1) -> "Value":
        """As `[..., start:stop:step, ...]`."""
        ends = self.graph.integers(np.iinfo(np.int64).max if stop is None else stop)
        integers = self.graph.integers
        return self.graph.op("Slice", self, integers(start), ends, integers(axis), integers(step))

    def at(self, axis: int, place: int) -> "Value":
        """One place on an axis, which is left out."""
        return self.graph.op("Gather", self, self.graph.constant(np.int64(place)), axis=axis)

    def sum(self, *axes: int, keep: bool = False) -> "Value":
        """Over axes."""
        return self.graph.op("ReduceSum", self, self.graph.integers(*axes), keepdims=int(keep))

    def max(self, *axes: int, keep: bool = False) -> "Value":
        """Over axes."""
        return self.graph.op("ReduceMax", self, axes=list(axes), keepdims=int(keep))

    def mean(self, *axes: int, keep: bool = False) -> "Value":
        """Over axes."""
        return self.graph.op("ReduceMean", self, axes=list(axes), keepdims=int(keep))

    def any(self, axis: int, keep: bool = False) -> "Value":
        """Over an axis of bools."""
        return self.cast(np.int32).max(axis, keep=keep).cast(bool)

    def pad(self, axis: int, before: int, after: int, axes: int) -> "Value":
        """Zeros (False) before and after, on one of so many axes."""
        widths = [0] * (2 * axes)
        widths[axis], widths[axes + axis] = before, after
        return self.graph.op("Pad", self, self.graph.integers(*widths)) if before or after else self

    def size(self, axis: int) -> "Value":
        """[1] int64: how long an axis is."""
        return self.graph.op("Shape", self, dtype=np.int64, start=axis, end=axis + 1)


def kind(dtype: Any) -> int:
    """ONNX's number of a type."""
    return onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))


class Graph:
    """Nodes in the order in which they run."""

    def __init__(self) -> None:
        """Empty."""
        self.nodes: list[Any] = []
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []
        self.weights: dict[Any, Any] = {}

    def op(self, name: str, *inputs: Value | None, dtype: Any = None, **attributes: Any) -> Value:
        """A node of one output; its type is that of the first input unless told. None: an input that is left out."""
        (value,) = self.ops(name, *inputs, outputs=1, dtype=dtype, **attributes)
        return value

    def ops(
        self, name: str, *inputs: Value | None, outputs: int, dtype: Any = None, **attributes: Any
    ) -> tuple[Value, ...]:
        """A node of several outputs."""
        names = [f"{name.lower()}_{len(self.nodes)}" + (f"_{k}" if k else "") for k in range(outputs)]
        given = ["" if value is None else value.name for value in inputs]
        self.nodes.append(onnx.helper.make_node(name, given, names, name=names[0], **attributes))
        first = next(value for value in inputs if value is not None)
        return tuple(Value(self, own, dtype or first.dtype) for own in names)

    def constant(self, array: Any) -> Value:
        """A weight; equal ones are kept once."""
        array = np.ascontiguousarray(array) if np.ndim(array) else np.asarray(array)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self.weights:
            self.weights[key] = onnx.numpy_helper.from_array(array, f"weight_{len(self.weights)}")
        return Value(self, self.weights[key].name, array.dtype)

    def integers(self, *values: int) -> Value:
        """[N] int64."""
        return self.constant(np.array(values, np.int64))

    def concat(self, values: Sequence[Value], axis: int) -> Value:
        """Side by side."""
        return values[0] if len(values) == 1 else self.op("Concat", *values, axis=axis)

    def where(self, condition: Value, yes: Any, no: Any) -> Value:
        """Elementwise, one of them a value."""
        like = yes if isinstance(yes, Value) else no
        pair = [one if isinstance(one, Value) else self.constant(np.array(one, like.dtype)) for one in (yes, no)]
        return self.op("Where", condition, *pair, dtype=like.dtype)

    def steps(self, x: Value, axis: int = 1) -> Value:
        """[T] int64: 0, 1, ..."""
        zero, one = self.constant(np.int64(0)), self.constant(np.int64(1))
        return self.op("Range", zero, x.size(axis).squeeze(0), one)

    def dense(self, x: Value, params: Any) -> Value:
        """x @ kernel + bias, over the last axis."""
        x = x @ self.constant(np.asarray(params["kernel"], np.float32))
        return x + np.asarray(params["bias"], np.float32) if "bias" in params else x

    def rows(self, table: Any, ids: Value) -> Value:
        """Rows of a weight [V, E] by ids, the nearest one where they lie outside."""
        ids = ids.maximum(0).minimum(len(table) - 1)
        return self.op("Gather", self.constant(np.asarray(table, np.float32)), ids, dtype=np.float32)

    def input(self, name: str, dtype: Any, axes: Sequence[str | None], shape: Sequence[int]) -> Value:
        """An input; an axis that has a name may be of any length."""
        self.inputs.append(_info(name, dtype, axes, shape))
        return Value(self, name, np.dtype(dtype))

    def output(self, name: str, value: Value, axes: Sequence[str | None], shape: Sequence[int]) -> None:
        """An output."""
        self.nodes.append(onnx.helper.make_node("Identity", [value.name], [name], name=name))
        self.outputs.append(_info(name, value.dtype, axes, shape))

    def model(self, name: str, metadata: dict[str, str] | None = None) -> Any:
        """The ModelProto, checked in full, its shapes inferred strictly; without what no output needs."""
        nodes, used = _needed(self.nodes, {one.name for one in self.outputs})
        weights = [weight for weight in self.weights.values() if weight.name in used]
        inputs = [one for one in self.inputs if one.name in used]
        made = onnx.helper.make_graph(nodes, name, inputs, self.outputs, weights)
        opsets = [onnx.helper.make_opsetid("", OPSET)]
        model = onnx.helper.make_model(made, opset_imports=opsets, ir_version=FORMAT, producer_name="seqjax")
        onnx.helper.set_model_props(model, metadata or {})
        onnx.checker.check_model(model, full_check=True)
        return onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)


def _needed(nodes: Sequence[Any], used: set[str]) -> tuple[list[Any], set[str]]:
    """The nodes that the names in `used` come from, and all names that they use; their other outputs are left out."""
    kept, used = [], set(used)
    for node in reversed(nodes):
        if not used & set(node.output):
            continue
        outputs = [name if name in used or node.op_type not in OPTIONAL else "" for name in node.output]
        while not outputs[-1]:
            outputs.pop()
        del node.output[:]
        node.output.extend(outputs)
        used.update(filter(None, node.input))
        kept.append(node)
    return kept[::-1], used


def _info(name: str, dtype: Any, axes: Sequence[str | None], shape: Sequence[int]) -> Any:
    if len(axes) != len(shape):
        raise ValueError(f"{name}: axes {axes} of an array of shape {tuple(shape)}")
    sizes = [int(size) if axis is None else axis for axis, size in zip(axes, shape, strict=True)]
    return onnx.helper.make_tensor_value_info(name, kind(dtype), sizes)
