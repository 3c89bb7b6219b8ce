"""The model in PyTorch: from model import load; load()(inputs). Needs torch and safetensors only."""

import json
from pathlib import Path

import torch
from torch import nn

HERE = Path(__file__).resolve().parent
KINDS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


class Model(nn.Module):
    """Of the facts in model.json: windows [B, T, D], ids [B, T] or distinct columns [B, K] -> forecasts or logits."""

    def __init__(self, facts):
        super().__init__()
        self.facts = facts
        width = facts.get("features") or facts.get("embedding") or facts["vocabulary"]
        if facts["reads"] == "ids":
            self.embedding = nn.Embedding(facts["vocabulary"], width)
        self.layers = nn.ModuleList()
        for own in facts["layers"]:
            kind = {"nonlinearity": own["activation"]} if own["cell"] == "rnn" else {}
            self.layers.append(
                KINDS[own["cell"]](width, own["units"], batch_first=True, bidirectional=own["both"], **kind)
            )
            width = own["units"] * (2 if own["both"] and own["merge"] == "concat" else 1)
        width *= facts["steps"] or 1
        self.dense = nn.ModuleList()
        for units in [*facts["dense"], facts["outputs"]]:
            self.dense.append(nn.Linear(width, units))
            width = units

    def forward(self, inputs):
        """See the class."""
        facts, x, mask = self.facts, inputs, None
        if facts["reads"] == "ids":
            mask = inputs != 0 if facts["masked"] else None
            x = self.embedding(inputs.long().clamp(0, facts["vocabulary"] - 1))
        elif facts["reads"] == "bags":
            present = nn.functional.one_hot(inputs.long().clamp(0, facts["vocabulary"]), facts["vocabulary"] + 1)
            x = present.sum(1)[:, :-1].to(self.dense[0].weight.dtype)
        for own, layer in zip(facts["layers"], self.layers, strict=True):
            x, last = run(layer, own, x, mask)
        if facts["layers"] and not facts["every"]:
            x = last
        x = x.flatten(1) if facts["steps"] else x
        for dense in self.dense[:-1]:
            x = torch.relu(dense(x))
        x = self.dense[-1](x)
        return x[..., 0] if facts["squeezed"] else x


def run(layer, own, x, mask):
    """All outputs [B, T, U] and the last [B, U]. A masked step, wherever it is, holds the state still."""
    steps = x.shape[1]
    valid = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device) if mask is None else mask
    order = torch.sort((~valid).int(), dim=1, stable=True).indices  # the real steps of each row in front
    lengths, counts = valid.sum(1), valid.long().cumsum(1)
    x = x.gather(1, order[:, :, None].expand_as(x))
    if own["reverse"]:  # within each row's length
        place = torch.arange(steps, device=x.device)[None]
        turned = torch.where(place < lengths[:, None], lengths[:, None] - 1 - place, place)
        x = x.gather(1, turned[:, :, None].expand_as(x))
    packed = nn.utils.rnn.pack_padded_sequence(x, lengths.clamp(min=1).cpu(), True, enforce_sorted=False)
    outputs, last = layer(packed)
    outputs = nn.utils.rnn.pad_packed_sequence(outputs, True, total_length=steps)[0]
    last = (last[0] if isinstance(last, tuple) else last) * (lengths > 0)[None, :, None]
    held = [(counts - 1, counts > 0), (counts - valid.long(), counts - valid.long() < lengths[:, None])]
    if own["reverse"]:
        held[0] = (lengths[:, None] - 1 - held[1][0], held[1][1])
    halves = []
    for half, (place, there) in zip(outputs.chunk(2 if own["both"] else 1, 2), held, strict=False):
        found = half.gather(1, place.clamp(0, steps - 1)[:, :, None].expand_as(half))
        halves.append(torch.where(there[:, :, None], found, torch.zeros_like(found)))
    return merged(own["merge"], halves), merged(own["merge"], list(last))


def merged(how, parts):
    """Both directions as one."""
    if len(parts) == 1 or how == "concat":
        return torch.cat(parts, -1)
    return parts[0] * parts[1] if how == "mul" else (parts[0] + parts[1]) / (2 if how == "ave" else 1)


def load():
    """With its weights."""
    from safetensors.torch import load_file

    model = Model(json.loads((HERE / "model.json").read_text()))
    model.load_state_dict(load_file(HERE / "model.safetensors"))
    return model.eval()
