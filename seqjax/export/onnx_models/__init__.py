"""Our models as ONNX graphs: a file a kind of model, each function the mirror of a `__call__`."""
