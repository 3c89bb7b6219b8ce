"""The workloads whose answers are sequences (W7 to W9): see `seqjax.benchmark`."""
