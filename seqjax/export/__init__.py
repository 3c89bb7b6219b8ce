"""Finished runs as files that run anywhere: ONNX, StableHLO, safetensors, Keras, PyTorch.

python -m seqjax.export --workdir=runs/imdb_bilstm --to=onnx --output=imdb
"""
