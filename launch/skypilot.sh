#!/usr/bin/env bash
# Start launch/skypilot.yaml as a managed job.
#
#   launch/skypilot.sh --experiment=imdb_bilstm --workdir=/runs/imdb
#   launch/skypilot.sh --dry-run --experiment=imdb_bilstm --workdir=/runs/imdb     print the command
#
#   SKYPILOT_OPTIONS   more for `sky jobs launch`, as in "--num-nodes 4 --gpus H100:8"

set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=launch/steps.sh
source "$root/launch/steps.sh"

dry=false flags=
for argument in "$@"; do
  if [[ $argument == --dry-run ]]; then dry=true; else flags+="${flags:+ }$argument"; fi
  [[ $argument != *[[:space:]]* ]] || refuse "'$argument' holds a space, which FLAGS of skypilot.yaml cannot"
done
[[ $flags == *--workdir=/runs/* ]] || refuse "a run of several nodes needs a folder that all see: --workdir=/runs/FOLDER, the bucket"
[[ $dry == true ]] || command -v sky >/dev/null || refuse "there is no sky here: pip install 'skypilot[gcp]'"
read -ra options <<<"${SKYPILOT_OPTIONS:-}"
step sky jobs launch ${options[@]+"${options[@]}"} "$root/launch/skypilot.yaml" --env "FLAGS=$flags"
