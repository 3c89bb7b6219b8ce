"""PyTorch modules with its RMSprop, and layers alone; on a GPU where torch finds one, so that cuDNN is used there.

Legend: B batch, T time, D features, U units.
"""

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from seqjax.benchmark.workloads import Workload
from seqjax.data.dataset import Dataset


class Classifier(nn.Module):
    """Tokens to vectors, both directions of an LSTM, dropout, Linear 1."""

    def __init__(self, workload: Workload):
        """Packed sequences where the workload is masked."""
        super().__init__()
        self.workload = workload
        self.embedding = nn.Embedding(workload.features, workload.embedding) if workload.embedding else None
        self.lstm = nn.LSTM(
            workload.embedding or workload.features, workload.units, batch_first=True, bidirectional=True
        )
        self.head = nn.Linear(2 * workload.units, 1)

    def forward(self, ids: Any, lengths: Any = None) -> Any:
        """Token ids [B, T], lengths [B] in descending order -> [B]."""
        if self.embedding is not None:
            x = self.embedding(ids)
        else:
            x = functional.one_hot(ids, self.workload.features).float()
        if lengths is not None:
            x = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True)
        _, (h, _) = self.lstm(x)
        last = torch.cat((h[0], h[1]), dim=1)
        return self.head(functional.dropout(last, 0.5, self.training))[:, 0]


class Forecaster(nn.Module):
    """LSTM, last output, Linear 1."""

    def __init__(self, workload: Workload):
        """As torch starts it."""
        super().__init__()
        self.lstm = nn.LSTM(workload.features, workload.units, batch_first=True)
        self.head = nn.Linear(workload.units, 1)

    def forward(self, x: Any) -> Any:
        """[B, T, D] -> [B]."""
        return self.head(self.lstm(x)[1][0][-1])[:, 0]


class StackedGRU(nn.Module):
    """Two GRU layers with recurrent dropout, which `nn.GRU` does not know: a loop in training, `nn.GRU` otherwise."""

    def __init__(self, workload: Workload):
        """The parameters are those of `nn.GRU`."""
        super().__init__()
        self.gru = nn.GRU(workload.features, workload.units, num_layers=2, batch_first=True)
        self.head = nn.Linear(workload.units, 1)

    def forward(self, x: Any) -> Any:
        """[B, T, D] -> [B]."""
        if not self.training:
            return self.head(self.gru(x)[1][-1])[:, 0]
        steps = x.transpose(0, 1)
        for layer in range(2):
            steps = torch.stack(self._loop(steps, layer))
        return self.head(functional.dropout(steps[-1], 0.5))[:, 0]

    def _loop(self, x: Any, layer: int) -> list[Any]:
        """[T, B, D] -> T outputs [B, U]; one mask per gate, constant over time, as in Keras."""
        units = self.gru.hidden_size
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        kernel, recurrent, bias, recurrent_bias = (getattr(self.gru, f"{name}_l{layer}") for name in names)
        projected = x @ kernel.T + bias  # [T, B, 3U]
        recurrent = recurrent.view(3, units, units).transpose(1, 2)
        recurrent_bias = recurrent_bias.view(3, 1, units)
        h = x.new_zeros(x.shape[1], units)
        mask = functional.dropout(x.new_ones(3, *h.shape), 0.5)
        outputs = []
        for z in projected:
            inner = torch.baddbmm(recurrent_bias, h * mask, recurrent)  # [3, B, U]: reset, update, new
            gates = torch.sigmoid(z[:, : 2 * units] + torch.cat((inner[0], inner[1]), dim=1))
            reset, update = gates.chunk(2, dim=1)
            new = torch.tanh(z[:, 2 * units :] + reset * inner[2])
            h = torch.lerp(new, h, update)
            outputs.append(h)
        return outputs


def make_model(workload: Workload) -> nn.Module:
    """The workload's model out of torch's modules."""
    units = workload.units
    if workload.kind == "bilstm":
        return Classifier(workload)
    if workload.kind == "lstm":
        return Forecaster(workload)
    if workload.kind == "stacked_gru":
        return StackedGRU(workload)
    if workload.kind == "bag":
        return nn.Sequential(
            nn.Linear(workload.features, units), nn.ReLU(), nn.Dropout(0.5), nn.Linear(units, 1), nn.Flatten(0)
        )
    stack: list[nn.Module] = []
    for channels, width in ((workload.features, 24), (units, 12), (units, 6)):
        stack += [nn.Conv1d(channels, units, width), nn.ReLU(), nn.MaxPool1d(2)]
    return nn.Sequential(*stack[:-1], nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(units, 1), nn.Flatten(0))


class Torch:
    """See `worker.Implementation`."""

    steps_at_once = 1

    def __init__(self, workload: Workload, dataset: Dataset, threads: int):
        """Batches in the layout that torch likes best: convolutions [B, D, T], packed sequences sorted by length."""
        torch.set_num_threads(threads)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.device = torch.cuda.get_device_name() if device.type == "cuda" else "cpu"
        self.batches = [_tensors(workload, device, x, y) for x, y in workload.host_batches(dataset)]
        self.model = make_model(workload).to(device)
        self.loss = functional.binary_cross_entropy_with_logits if workload.text else functional.mse_loss
        self.optimizer = torch.optim.RMSprop(self.model.parameters(), lr=1e-3, alpha=0.9, eps=1e-7)

    def objective(self, inputs: Any, targets: Any) -> Any:
        """What is minimised."""
        return self.loss(self.model(*inputs), targets)

    def train(self, steps: int) -> None:
        """Waits for the last step only (a CPU has no queue)."""
        self.model.train()
        for k in range(steps):
            self.optimizer.zero_grad(set_to_none=True)
            self.objective(*self.batches[k % len(self.batches)]).backward()
            self.optimizer.step()
        _wait()

    def infer(self, steps: int) -> None:
        """Waits for the last step only (a CPU has no queue)."""
        self.model.eval()
        with torch.inference_mode():
            for k in range(steps):
                self.model(*self.batches[k % len(self.batches)][0])
        _wait()


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _tensors(workload: Workload, device: Any, x: np.ndarray, y: np.ndarray) -> tuple[tuple[Any, ...], Any]:
    """-> (the model's arguments, targets)."""
    lengths = None
    if workload.masked:
        order = np.argsort(-(x != 0).sum(axis=1), kind="stable")
        x, y = x[order], y[order]
        lengths = torch.from_numpy((x != 0).sum(axis=1))  # stays on the CPU: packing wants it there
    inputs = torch.from_numpy(x.swapaxes(1, 2).copy() if workload.kind == "conv" else x)
    if workload.kind == "bilstm":
        inputs = inputs.long()
    arguments = (inputs.to(device),) if lengths is None else (inputs.to(device), lengths)
    return arguments, torch.from_numpy(y).to(device)


class TorchLayer:
    """A layer alone: see `worker.Implementation` and `jitted.JittedLayer`. Members are run one after the other."""

    steps_at_once = 1

    def __init__(self, workload: Workload, dataset: Dataset, threads: int):
        """Rows of a masked batch are sorted by length: packing is quicker then."""
        torch.set_num_threads(threads)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.device, self.steps = torch.cuda.get_device_name() if device.type == "cuda" else "cpu", workload.steps
        make = {"lstm": nn.LSTM, "gru": nn.GRU}[workload.cell]
        self.layers = [
            make(workload.features, workload.units, batch_first=True, bidirectional=workload.both).to(device)
            for _ in range(workload.members)
        ]
        self.batches = []
        for x, lengths in workload.host_batches(dataset):
            members = zip(x, lengths, strict=True) if workload.members > 1 else [(x, lengths)]
            self.batches.append([_packed(workload, device, *member) for member in members])

    def train(self, steps: int) -> None:
        """The gradient by the parameters."""
        for k in range(steps):
            for layer, (x, lengths) in zip(self.layers, self.batches[k % len(self.batches)], strict=True):
                layer.zero_grad(set_to_none=True)
                outputs = _run(layer, x, lengths)
                (outputs if lengths is None else outputs.data).square().mean().backward()
        _wait()

    def infer(self, steps: int) -> None:
        """All outputs [B, T, U or 2U], zeros where a row has ended."""
        with torch.inference_mode():
            for k in range(steps):
                for layer, (x, lengths) in zip(self.layers, self.batches[k % len(self.batches)], strict=True):
                    self.outputs(layer, x, lengths)
        _wait()

    def outputs(self, layer: Any, x: Any, lengths: Any) -> Any:
        """[B, T, F], None or real steps [B] in descending order -> [B, T, U or 2U]."""
        outputs = _run(layer, x, lengths)
        if lengths is None:
            return outputs
        return nn.utils.rnn.pad_packed_sequence(outputs, batch_first=True, total_length=self.steps)[0]


def _packed(workload: Workload, device: Any, x: np.ndarray, lengths: np.ndarray) -> tuple[Any, Any]:
    if not workload.masked:
        return torch.from_numpy(x).to(device), None
    order = np.argsort(-lengths, kind="stable")
    return torch.from_numpy(x[order]).to(device), torch.from_numpy(lengths[order]).long()


def _run(layer: Any, x: Any, lengths: Any) -> Any:
    return layer(x if lengths is None else nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True))[0]


class TorchStream:
    """See `worker.Implementation`: `nn.LSTMCell`, which takes a third of the time of `nn.LSTM` on one step."""

    def __init__(self, workload: Workload, dataset: Dataset, threads: int):
        """On one thread: products of one row leave nothing to a second."""
        del threads
        torch.set_num_threads(1)
        self.device = "cpu"
        self.inputs = [torch.from_numpy(x[0]) for x, _ in workload.host_batches(dataset)]
        self.steps_at_once = len(self.inputs)
        self.cell = nn.LSTMCell(workload.features, workload.units).eval()
        self.state = (torch.zeros(1, workload.units), torch.zeros(1, workload.units))

    def infer(self, steps: int) -> None:
        """The state is handed on from block to block."""
        cell, state = self.cell, self.state
        with torch.inference_mode():
            for _ in range(steps // self.steps_at_once):
                for x in self.inputs:
                    state = cell(x, state)
        self.state = state
