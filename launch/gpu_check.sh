#!/usr/bin/env bash
# One command for a host with an NVIDIA GPU, without TensorFlow: are the backends right there, and how fast are they?
#
#   launch/gpu_check.sh [--workloads=W1,W3 ...]     more flags go to python -m seqjax.benchmark
#
# Whether the backend pallas is worth keeping, within minutes: its tests are in tests/layers/backends, its times in
# the column seqjax-pallas beside seqjax, which has what `auto` takes:
#
#   launch/gpu_check.sh --workloads=W1,W2,W3,W3m --peers=jax-rnn,seqjax-pallas --blocks=5
#
# Makes its own environment in .venv-gpu (or SEQJAX_VENV), or uses the Python in SEQJAX_PYTHON_READY as it is. Writes
# gpu_check.json (the benchmark's rows) into $OUT or the current folder; measures also where tests have failed, and fails
# at the end. Products are computed in full float32 (no TF32).

set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
venv=${SEQJAX_VENV:-$root/.venv-gpu}
ready=${SEQJAX_PYTHON_READY:-}
if [[ -z $ready ]]; then
  ready=$venv/bin/python
  if [[ ! -e $venv/.seqjax-gpu-check ]]; then
    "$(find_python)" -m venv "$venv"
    "$ready" -m pip install --quiet "jax[cuda12]>=0.10" "flax>=0.12" "optax>=0.2.5" "absl-py>=2.1" "orbax-checkpoint>=0.12" \
      "matplotlib>=3.9" "tqdm>=4.66" "filelock>=3.13" "scipy>=1.11" "pytest>=8.2" "hypothesis>=6.100" "torch>=2.6"
    touch "$venv/.seqjax-gpu-check"
  fi
fi
export PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH} JAX_PLATFORMS=${JAX_PLATFORMS:-cuda,cpu} JAX_DEFAULT_MATMUL_PRECISION=highest
out=${OUT:-$PWD}
cd "$root"
"$ready" -c 'import jax; print(jax.devices())'
failed=0
"$ready" -m pytest -q tests/layers/backends/test_accelerator.py tests/layers/test_cells.py tests/layers/test_recurrent.py tests/layers/test_composite.py tests/layers/backends/test_fused.py tests/layers/backends/test_choice.py || failed=$?
"$ready" -m seqjax.benchmark --peers=torch,flax,jax-rnn,seqjax-pallas --output="$out/gpu_check.json" "$@" || failed=$?
exit "$failed"
