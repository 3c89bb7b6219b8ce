"""Writing by the models of `seqjax.benchmark.sequences` (D1, D2): see `seqjax.benchmark`."""
