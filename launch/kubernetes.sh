#!/usr/bin/env bash
# Fill in launch/kubernetes.yaml and send it by kubectl.
#
#   launch/kubernetes.sh --kind=gpu --count=4 --image=registry/seqjax:cuda -- --experiment=imdb_bilstm --workdir=/runs/imdb
#   launch/kubernetes.sh --kind=tpu --count=2 --topology=2x4 --image=registry/seqjax:tpu -- --experiment=imdb_bilstm
#   launch/kubernetes.sh --kind=workers --count=8 --image=registry/seqjax:cuda -- --experiment=jena_lstm --seeds=20
#   launch/kubernetes.sh --dry-run ...        print the YAML and the command
#
#   --kind=gpu|tpu|workers  kubernetes.yaml (default), kubernetes_tpu.yaml, kubernetes_workers.yaml
#   --name=NAME             of the job and its volume (default: seqjax)
#   --count=N               pods (default: as in the file)
#   --image=IMAGE           of launch/container.sh --push
#   --gpus=N                of each pod; 0: none asked for
#   --chips=N --accelerator=NAME --topology=AxB    of TPUs: chips of a host, GKE's names of kind and shape
# What follows -- are flags of python -m seqjax.main; relative folders are below /runs, which is the volume.

set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=launch/steps.sh
source "$root/launch/steps.sh"

dry=false kind=gpu name=seqjax count='' image='' gpus='' chips='' accelerator='' topology='' flags=() rest=false
for argument in "$@"; do
  case $rest$argument in
    *--dry-run) dry=true ;;
    true*) flags+=("$argument") ;;
    false--) rest=true ;;
    false--kind=gpu | false--kind=tpu | false--kind=workers) kind=${argument#*=} ;;
    false--name=*) name=${argument#*=} ;;
    false--count=*) count=${argument#*=} ;;
    false--image=*) image=${argument#*=} ;;
    false--gpus=*) gpus=${argument#*=} ;;
    false--chips=*) chips=${argument#*=} ;;
    false--accelerator=*) accelerator=${argument#*=} ;;
    false--topology=*) topology=${argument#*=} ;;
    *) refuse "$argument: choose --kind=gpu|tpu|workers, --name, --count, --image, --gpus, --chips, --accelerator, --topology, --dry-run; flags of seqjax follow --" ;;
  esac
done
for number in "$count" "$chips" "$gpus"; do
  [[ $number =~ ^[0-9]*$ ]] || refuse "$number is no number"
done
[[ ${count:-1} != 0 ]] || refuse "--count=0: at least one pod"
[[ $name =~ ^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$ ]] || refuse "--name=$name: small letters, digits and -, at most 32"
file=$root/launch/kubernetes.yaml
[[ $kind == gpu ]] || file=$root/launch/kubernetes_$kind.yaml

# filled FILE: with what is given in the lines that a comment marks.
filled() {
  local line flag
  while IFS= read -r line; do
    case $line in
      *'# NAME') line=${line/seqjax/$name} line=${line/jobset.sigs.k8s.io\/jobset-name: seqjax/jobset.sigs.k8s.io\/jobset-name: $name} ;;
      *'# NAME-runs') line=${line/seqjax-runs #/$name-runs #} ;;
      *'# COUNT') [[ -z $count ]] || line="${line%%:*}: $count" ;;
      *'# IMAGE') [[ -z $image ]] || line="${line%%:*}: '${image//\'/\'\'}'" ;;
      *'# GPUS') [[ -z $gpus ]] || line="${line%%:*}: $gpus" ;;
      *'# CHIPS') [[ -z $chips ]] || line="${line%%:*}: $chips" ;;
      *'# ACCELERATOR') [[ -z $accelerator ]] || line="${line%%:*}: $accelerator" ;;
      *'# TOPOLOGY') [[ -z $topology ]] || line="${line%%:*}: $topology" ;;
      *'# COORDINATOR') line=${line/seqjax-workers-0-0.seqjax/$name-workers-0-0.$name} ;;
      *'# PROCESS_COUNT') [[ -z $count ]] || line="${line%%=*}=$count" ;;
      *'# FLAGS')
        if [[ ${#flags[@]} -gt 0 ]]; then
          for flag in "${flags[@]}"; do echo "${line%%-*}- '${flag//\'/\'\'}'"; done
          continue
        fi
        ;;
    esac
    echo "$line"
  done <"$1"
}

if [[ $dry == true ]]; then
  echo "# kubectl apply --filename=- <<'YAML'"
  filled "$file"
  echo "# YAML"
else
  command -v kubectl >/dev/null || refuse "there is no kubectl here"
  filled "$file" | kubectl apply --filename=-
fi
