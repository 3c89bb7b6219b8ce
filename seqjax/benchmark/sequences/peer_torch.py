"""PyTorch's models that answer with sequences.

Legend: B batch, T time, S tokens of a source, V vocabulary, E embedding, U units, K tags.
"""

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from seqjax.benchmark import peer_torch
from seqjax.benchmark.sequences.data import host_batches
from seqjax.benchmark.workloads import Workload
from seqjax.data.dataset import Dataset


class LanguageModel(nn.Module):
    """One-hot symbols, LSTM, Linear V."""

    def __init__(self, workload: Workload):
        """The state of the batch before is kept: one of training, and one of inference, which has no gradient."""
        super().__init__()
        self.size = workload.features
        self.lstm = nn.LSTM(workload.features, workload.units, batch_first=True)
        self.head = nn.Linear(workload.units, workload.features)
        self.states: dict[bool, Any] = {}

    def forward(self, tokens: Any) -> Any:
        """[B, T] -> logits [B, T, V]."""
        inferring = torch.is_inference_mode_enabled()
        outputs, (h, c) = self.lstm(functional.one_hot(tokens, self.size).float(), self.states.get(inferring))
        self.states[inferring] = h.detach(), c.detach()
        return self.head(outputs)


class Translator(nn.Module):
    """As `seqjax.models.translation` without input feeding.

    No state of the decoder depends on a context, so that `nn.GRU` runs over the whole target and the attention looks
    from all its steps at once, which is quicker than the tutorials' loop over the steps. There is no padding here, and
    nothing is masked.
    """

    def __init__(self, workload: Workload):
        """All sizes are as in ours."""
        super().__init__()
        size, width, units = workload.features, workload.embedding, workload.units
        self.source, self.target = nn.Embedding(size, width), nn.Embedding(size, width)
        self.encoder = nn.GRU(width, units, batch_first=True, bidirectional=True)
        self.bridge = nn.Linear(2 * units, units)
        self.decoder = nn.GRU(width, units, batch_first=True)
        self.query, self.key = nn.Linear(units, units, bias=False), nn.Linear(2 * units, units, bias=False)
        self.v = nn.Linear(units, 1, bias=False)
        self.readout = nn.Linear(units + 2 * units + width, width)
        self.output = nn.Linear(width, size)

    def forward(self, source: Any, before: Any) -> Any:
        """[B, S], [B, T] -> logits [B, T, V]."""
        memory, keys, h = self.encode(source)
        return self.decode(self.target(before), h, memory, keys)[0]

    def encode(self, source: Any) -> tuple[Any, Any, Any]:
        """[B, S] -> memory [B, S, 2U], keys [B, S, U], the decoder's first state [1, B, U]."""
        memory, final = self.encoder(self.source(source))
        return memory, self.key(memory), torch.tanh(self.bridge(torch.cat((final[0], final[1]), dim=1)))[None]

    def decode(self, embedded: Any, h: Any, memory: Any, keys: Any) -> tuple[Any, Any]:
        """[B, T, E], ... -> logits [B, T, V], the state after them [1, B, U]."""
        outputs, h = self.decoder(embedded, h)
        scores = self.v(torch.tanh(self.query(outputs)[:, :, None] + keys[:, None]))[..., 0]  # [B, T, S]
        context = torch.softmax(scores, dim=-1) @ memory
        return self.output(torch.tanh(self.readout(torch.cat((outputs, context, embedded), dim=-1)))), h


class Tagger(nn.Module):
    """Embedding, BiLSTM on packed sequences, Linear K."""

    def __init__(self, workload: Workload):
        """All sizes are as in ours."""
        super().__init__()
        self.embedding = nn.Embedding(workload.features, workload.embedding)
        self.lstm = nn.LSTM(workload.embedding, workload.units, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * workload.units, workload.classes)

    def forward(self, words: Any, lengths: Any) -> Any:
        """[B, T], [B] in descending order -> logits [B, T, K]."""
        packed = nn.utils.rnn.pack_padded_sequence(self.embedding(words), lengths, batch_first=True)
        outputs = nn.utils.rnn.pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=words.shape[1])
        return self.head(outputs[0])


MODELS = {
    "language": LanguageModel,
    "sampling": LanguageModel,
    "translation": Translator,
    "beams": Translator,
    "tagger": Tagger,
}


class Torch(peer_torch.Torch):
    """See `worker.Implementation`."""

    def __init__(self, workload: Workload, dataset: Dataset, threads: int):
        """Sequences to be packed are sorted by length. A block holds batches of all lengths."""
        torch.set_num_threads(threads)
        self.device_of = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
        self.batches = [_tensors(workload, self.device_of, *batch) for batch in host_batches(workload, dataset)]
        self.steps_at_once = len(self.batches) if workload.masked else 1
        self.model = MODELS[workload.kind](workload).to(self.device_of)
        self.optimizer = torch.optim.RMSprop(self.model.parameters(), lr=1e-3, alpha=0.9, eps=1e-7)

    def objective(self, inputs: Any, targets: Any) -> Any:
        """Nats a token; 0 is padding."""
        logits = self.model(*inputs)
        return functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=0)


def _tensors(workload: Workload, device: Any, inputs: Any, targets: Any) -> tuple[tuple[Any, ...], Any]:
    """-> (the model's arguments, targets)."""
    tensor = lambda array: torch.from_numpy(array).long().to(device)
    if workload.kind in ("language", "sampling"):
        return (tensor(inputs[0]),), tensor(targets)
    if not workload.masked:
        return tuple(map(tensor, inputs)), tensor(targets)
    order = (-(inputs != 0).sum(axis=1)).argsort(kind="stable")
    lengths = torch.from_numpy((inputs != 0).sum(axis=1)[order])  # stays on the CPU: packing wants it there
    return (tensor(inputs[order]), lengths), tensor(targets[order])
