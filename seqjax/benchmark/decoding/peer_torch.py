"""PyTorch's loops that write a token at a time: there is none in the library itself.

Legend: B batch, S tokens of a source, V vocabulary, U units, k beams, N = B * k, L most tokens.
"""

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from seqjax.benchmark.sequences.data import ALPHA, BEAMS, END, START, TEMPERATURE, host_batches
from seqjax.benchmark.sequences.peer_torch import LanguageModel, Translator
from seqjax.benchmark.workloads import Workload
from seqjax.data.dataset import Dataset


class Torch:
    """See `worker.Implementation`; on the CPU."""

    def __init__(self, workload: Workload, dataset: Dataset, threads: int):
        """A character at a time is written by one thread: others only wait for it."""
        beams = workload.kind == "beams"
        torch.set_num_threads(threads if beams else 1)
        self.device, self.workload = "cpu", workload
        batches = host_batches(workload, dataset)
        self.steps_at_once = 1 if beams else len(batches)
        self.infer = self._translate if beams else self._write
        self.model: Any = (Translator if beams else LanguageModel)(workload).eval()
        self.sources = [torch.from_numpy(inputs[0]).long() for inputs, _ in batches]

    def _write(self, steps: int) -> Any:
        """Text after text of `steps_at_once` characters; each comes to the host."""
        with torch.inference_mode():
            return [write(self.model, self.steps_at_once) for _ in range(steps // self.steps_at_once)]

    def _translate(self, steps: int) -> Any:
        """Batch after batch; the best translation of each sentence."""
        with torch.inference_mode():
            return [
                beam_search(self.model, self.sources[k % len(self.sources)], self.workload.steps)[0]
                for k in range(steps)
            ]


def write(model: LanguageModel, length: int) -> list[int]:
    """Characters, the padding never among them: `nn.LSTMCell` with the weights of `nn.LSTM`, which takes longer."""
    cell = nn.LSTMCell(model.size, model.lstm.hidden_size)
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in model.lstm.state_dict().items()})
    vectors, token, written = torch.eye(model.size), 1, []
    state = (torch.zeros(1, cell.hidden_size), torch.zeros(1, cell.hidden_size))
    for _ in range(length):
        state = cell(vectors[token : token + 1], state)
        logits = model.head(state[0])[0] / TEMPERATURE
        logits[0] = -torch.inf
        token = int(torch.multinomial(torch.softmax(logits, dim=0), 1))
        written.append(token)
    return written


def beam_search(model: Translator, source: Any, length: int) -> tuple[Any, Any]:
    """All sentences and beams at once; a beam that has ended keeps its place and is extended by padding.

    Args:
      model: a translator.
      source: [B, S].
      length: L, the end included.

    Returns:
      tokens [B, L] of the best sequence by score over length penalty, 0 behind the end, and its score [B].
    """
    memory, keys, h = model.encode(source)
    rows, size = len(source), model.output.out_features
    memory, keys = (part.repeat_interleave(BEAMS, dim=0) for part in (memory, keys))
    h = h.repeat_interleave(BEAMS, dim=1)
    scores = torch.full((rows, BEAMS), -torch.inf)
    scores[:, 0] = 0
    tokens = torch.zeros(rows, BEAMS, length, dtype=torch.long)
    lengths = torch.zeros(rows, BEAMS, dtype=torch.long)
    done = torch.zeros(rows, BEAMS, dtype=torch.bool)
    last = torch.full((rows * BEAMS, 1), START)
    offset = torch.arange(rows)[:, None] * BEAMS
    never = torch.tensor([0, 1, START])
    for t in range(length):
        logits, h = model.decode(model.target(last), h, memory, keys)
        nats = functional.log_softmax(logits[:, 0], dim=1)
        nats[:, never] = -torch.inf
        nats = nats.view(rows, BEAMS, size)
        nats[done] = -torch.inf
        nats[..., 0].masked_fill_(done, 0)  # padding costs nothing
        scores, places = (scores[:, :, None] + nats).flatten(1).topk(BEAMS, dim=1)
        parent, token = places // size, places % size
        h = h[:, (offset + parent).flatten()]
        tokens = tokens.gather(1, parent[:, :, None].expand(-1, -1, length))
        tokens[:, :, t] = token
        done = done.gather(1, parent)
        lengths = lengths.gather(1, parent) + ~done
        done = done | (token == END)
        last = token.flatten()[:, None]
        if done.all():
            break
    best = (scores / ((5 + lengths) / 6) ** ALPHA).argmax(dim=1)
    take = lambda array: array[torch.arange(rows), best]
    return take(tokens), take(scores)
