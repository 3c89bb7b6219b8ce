#!/usr/bin/env bash
# Build launch/Containerfile by podman or docker, and push it where a name with a registry is given.
#
#   launch/container.sh                                     seqjax:cuda
#   launch/container.sh --extra=tpu --name=registry/seqjax:tpu --push
#   launch/container.sh --dry-run
#   apptainer build seqjax.sif docker-daemon://seqjax:cuda       for SEQJAX_IMAGE of launch/slurm.sbatch
#
#   --extra=cuda|tpu|none   what JAX is for; --name=IMAGE (default: seqjax:EXTRA); --push after it is built

set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=launch/steps.sh
source "$root/launch/steps.sh"

dry=false extra=cuda image='' push=false
for argument in "$@"; do
  case $argument in
    --dry-run) dry=true ;;
    --extra=cuda | --extra=tpu | --extra=none) extra=${argument#*=} ;;
    --name=?*) image=${argument#*=} ;;
    --push) push=true ;;
    *) refuse "$argument: choose --extra=cuda|tpu|none, --name=IMAGE, --push, --dry-run" ;;
  esac
done
image=${image:-seqjax:$extra}
engine=$(command -v podman || command -v docker || true)
engine=${engine##*/}
[[ -n $engine || $dry == true ]] || refuse "there is neither podman nor docker here"
step "${engine:-podman}" build --file "$root/launch/Containerfile" --build-arg "EXTRA=${extra/none/}" --tag "$image" "$root"
[[ $push == false ]] || step "${engine:-podman}" push "$image"
