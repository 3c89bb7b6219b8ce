"""The encoder-decoders of `seqjax.models.translation` once more, in PyTorch, with the weights of ours."""

import numpy as np


def swap_z_and_r(array):
    """PyTorch's GRU has the order r, z, n; ours is z, r, h. On the last axis, there or back."""
    first, second, third = np.split(np.asarray(array), 3, axis=-1)
    return np.concatenate([second, first, third], axis=-1)


def translator(torch, model, params):
    """A torch module in double precision that computes logits [B, T, V] from (source, tokens before)."""

    scale = model.embedding_size**0.5

    def tensor(value):
        return torch.nn.Parameter(torch.tensor(np.array(value, np.float64)))

    def recurrent(layer, own, bidirectional=False):
        order = np.asarray if model.cell == "lstm" else swap_z_and_r
        for suffix, p in zip(("", "_reverse"), own, strict=False):
            bias = np.atleast_2d(p["bias"])
            second = bias[1] if len(bias) == 2 else np.zeros_like(bias[0])
            values = {"weight_ih": order(p["kernel"]).T, "weight_hh": order(p["recurrent_kernel"]).T}
            values |= {"bias_ih": order(bias[0]), "bias_hh": order(second)}
            for name, value in values.items():
                getattr(layer, f"{name}_l0{suffix}").data = torch.tensor(np.ascontiguousarray(value, np.float64))
        if model.cell == "lstm":  # ours has one bias
            for name, parameter in layer.named_parameters():
                parameter.requires_grad_("bias_hh" not in name)
        return layer

    class Module(torch.nn.Module):
        def __init__(self):
            super().__init__()
            kind = {"gru": torch.nn.GRU, "lstm": torch.nn.LSTM}[model.cell]
            units, features = model.units, len(params["decoder"]["cell"]["kernel"])
            make = lambda size, **more: kind(size, units, batch_first=True, **more).double()
            directions = [params["encoder"][name]["cell"] for name in ("forward", "backward")]
            self.encoder = recurrent(make(model.embedding_size, bidirectional=True), directions)
            self.decoder = recurrent(make(features), [params["decoder"]["cell"]])
            self.source, self.target = (tensor(params[f"{s}_embedding"]["embedding"]) for s in ("source", "target"))
            self.dense = torch.nn.ParameterDict()
            for name in ("bridge", "readout"):
                self.dense[f"{name}_kernel"] = tensor(params[name]["kernel"])
                self.dense[f"{name}_bias"] = tensor(params[name]["bias"])
            for name in ("output_bias", *(() if model.tied else ("output_kernel",))):
                self.dense[name] = tensor(params[name])
            for name, value in params.get("attend", {}).items():
                self.dense[f"attend_{name}"] = tensor(value if name == "v" else value["kernel"])

        def apply_dense(self, name, x):
            kernel = self.target.T if name == "output" and model.tied else self.dense[f"{name}_kernel"]
            return x @ kernel + self.dense[f"{name}_bias"]

        def encode(self, source):
            lengths = (source != 0).sum(1)
            packed = torch.nn.utils.rnn.pack_padded_sequence(
                self.source[source] * scale, lengths, batch_first=True, enforce_sorted=False
            )
            memory, final = self.encoder(packed)
            memory, _ = torch.nn.utils.rnn.pad_packed_sequence(memory, batch_first=True, total_length=source.shape[1])
            if model.cell == "lstm":
                h, c = final
                joined = torch.cat([h[0], c[0], h[1], c[1]], -1)
                state = tuple(torch.tanh(self.apply_dense("bridge", joined)).chunk(2, -1))
            else:
                state = torch.tanh(self.apply_dense("bridge", torch.cat([final[0], final[1]], -1)))
            if model.attention == "dot":
                forward, backward = memory.chunk(2, -1)
                memory = forward + backward
            return memory, state

        def look(self, query, memory, mask, last):
            if model.attention == "none":
                return last
            keys = memory
            if model.attention != "dot":
                keys = memory @ self.dense["attend_key"]
            if model.attention == "additive":
                hidden = torch.tanh((query @ self.dense["attend_query"])[:, None] + keys)
                scores = hidden @ self.dense["attend_v"]
            else:
                scores = (keys @ query[:, :, None])[:, :, 0]
            weights = torch.softmax(scores.masked_fill(~mask, -torch.inf), -1)
            return (weights[:, :, None] * memory).sum(1)

        def forward(self, source, before):
            memory, state = self.encode(source)
            own = lambda state: state[0] if isinstance(state, tuple) else state
            last, logits = own(state), []
            for t in range(before.shape[1]):
                e = self.target[before[:, t]] * scale
                x = e
                if model.feeding:
                    context = self.look(own(state), memory, source != 0, last)
                    x = torch.cat([e, context], -1)
                given = tuple(s[None].contiguous() for s in state) if isinstance(state, tuple) else state[None]
                h, state = self.decoder(x[:, None], given)
                state = tuple(s[0] for s in state) if isinstance(state, tuple) else state[0]
                if not model.feeding:
                    context = self.look(h[:, 0], memory, source != 0, last)
                x = torch.tanh(self.apply_dense("readout", torch.cat([h[:, 0], context, e], -1)))
                logits.append(self.apply_dense("output", x))
            return torch.stack(logits, 1)

    return Module()
