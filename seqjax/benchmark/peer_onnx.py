"""onnxruntime: a model of one LSTM operator, a step at a time.

Legend: F features, U units. The operator's gates come in the order i, o, f, c.
"""

from typing import Any

import numpy as np
import onnx  # pyright: ignore[reportMissingImports]
import onnxruntime  # pyright: ignore[reportMissingImports]

from seqjax.benchmark.workloads import Workload
from seqjax.data.dataset import Dataset

OPSET, FORMAT = 14, 8
"""Of 2021: any onnxruntime of today reads them."""


def weights(workload: Workload) -> dict[str, np.ndarray]:
    """W [1, 4U, F], R [1, 4U, U], B [1, 8U]: of the input, of the state, and the biases of both."""
    rng, units = np.random.default_rng(0), workload.units
    shapes = {"W": (1, 4 * units, workload.features), "R": (1, 4 * units, units), "B": (1, 8 * units)}
    return {name: rng.normal(scale=0.2, size=shape).astype(np.float32) for name, shape in shapes.items()}


def model(workload: Workload) -> bytes:
    """x [1, 1, F], h, c [1, 1, U] -> next_h, next_c [1, 1, U]."""
    make, state = onnx.helper, (1, 1, workload.units)
    node = make.make_node(
        "LSTM", ["x", "W", "R", "B", "", "h", "c"], ["", "next_h", "next_c"], hidden_size=workload.units
    )
    value = lambda name, shape: make.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
    graph = make.make_graph(
        [node],
        workload.name,
        [value("x", (1, 1, workload.features)), value("h", state), value("c", state)],
        [value("next_h", state), value("next_c", state)],
        [onnx.numpy_helper.from_array(array, name) for name, array in weights(workload).items()],
    )
    made = make.make_model(graph, opset_imports=[make.make_opsetid("", OPSET)], ir_version=FORMAT)
    return made.SerializeToString()


class OnnxStream:
    """See `worker.Implementation`: bound to memory of its own, the fastest way of several (`run` takes 1.5 times)."""

    def __init__(self, workload: Workload, dataset: Dataset, threads: int):
        """Two bindings: the state goes from the first's memory into the second's, and back."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        session = onnxruntime.InferenceSession(model(workload), options, providers=["CPUExecutionProvider"])
        self.device, self.run = "cpu", session.run_with_iobinding
        self.inputs = [x for x, _ in workload.host_batches(dataset)]
        self.steps_at_once = len(self.inputs)
        value = lambda *shape: onnxruntime.OrtValue.ortvalue_from_numpy(np.zeros(shape, np.float32))
        self.x = value(1, 1, workload.features)
        here, there = ({name: value(1, 1, workload.units) for name in ("h", "c")} for _ in range(2))
        self.bindings: list[Any] = []
        for before, after in ((here, there), (there, here)):
            binding = session.io_binding()
            binding.bind_ortvalue_input("x", self.x)
            for name in before:
                binding.bind_ortvalue_input(name, before[name])
                binding.bind_ortvalue_output(f"next_{name}", after[name])
            self.bindings.append(binding)
        self.state = here
        """After an even number of steps."""

    def infer(self, steps: int) -> None:
        """The state is handed on from block to block."""
        run, write, pair = self.run, self.x.update_inplace, self.bindings
        for _ in range(steps // self.steps_at_once):
            for k, x in enumerate(self.inputs):
                write(x)
                run(pair[k % 2])
