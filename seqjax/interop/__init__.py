"""Weights to and from Keras 3 models, PyTorch modules and safetensors files.

    params, difference = from_keras(keras_model, LSTM(16), example_inputs)    # and from_torch
    difference = to_torch(params, LSTM(16), torch_module, example_inputs)     # and to_keras
    save_safetensors(params, "lstm.safetensors")
    params = load_safetensors("lstm.safetensors", like=params)
    params, difference = from_keras_file("jena_lstm.keras", experiment)

    python -m seqjax.interop jena_lstm.keras --experiment=jena_lstm --output=jena_lstm.safetensors --data=real

Layers with parameters are matched one to one, ours in the order in which they first run, Keras's in the order of
`model.layers`, PyTorch's in the order of definition. Recurrent (SimpleRNN, LSTM, GRU; bidirectional, stacked), dense,
convolution and embedding layers are known. Every conversion runs both models on the example and on random inputs,
and returns the largest difference of their outputs: it refuses what does not compute the same.
"""

from seqjax.interop.convert import Adapter as Adapter
from seqjax.interop.convert import Converted as Converted
from seqjax.interop.experiments import from_keras_file as from_keras_file
from seqjax.interop.files import load_safetensors as load_safetensors
from seqjax.interop.files import save_safetensors as save_safetensors
from seqjax.interop.keras_models import from_keras as from_keras
from seqjax.interop.keras_models import to_keras as to_keras
from seqjax.interop.torch_modules import from_torch as from_torch
from seqjax.interop.torch_modules import to_torch as to_torch
