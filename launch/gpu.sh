#!/usr/bin/env bash
# local.sh for a host with NVIDIA GPUs: the same set-up with JAX's CUDA 12 wheels.
#
#   launch/gpu.sh --experiment=imdb_bilstm --data=sample

source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
set_up cuda
exec "$venv/bin/python" -m seqjax.main "$@"
