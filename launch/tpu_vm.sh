#!/usr/bin/env bash
# One run by all workers of a Cloud TPU VM or slice, its folder in Cloud Storage.
#
#   TPU=mine ZONE=europe-west4-b launch/tpu_vm.sh create                         a slice of TYPE
#   TPU=mine ZONE=europe-west4-b launch/tpu_vm.sh setup                          this checkout and JAX for TPUs on every worker
#   TPU=mine ZONE=europe-west4-b launch/tpu_vm.sh run --experiment=imdb_bilstm --workdir=gs://bucket/runs/imdb
#   TPU=mine ZONE=europe-west4-b launch/tpu_vm.sh stop                           SIGTERM: save and leave
#   TPU=mine ZONE=europe-west4-b launch/tpu_vm.sh delete
#   launch/tpu_vm.sh --dry-run run ...                                           prints what any of them would do
#
# Every worker runs the same command; JAX finds the others by what the VM says. `run` leaves where the terminal is closed:
# the run goes on, and the same command resumes it after a preemption (create and setup again first). A run folder on gs://
# is mounted by gcsfuse at /mnt/seqjax/BUCKET on each worker. Checkpoints are folders that are renamed when they are whole:
# use a bucket with a hierarchical namespace, where that is one step:
#   gcloud storage buckets create gs://BUCKET --uniform-bucket-level-access --enable-hierarchical-namespace
#
#   TPU      the VM's name; ZONE its zone; PROJECT the project (default: gcloud's own)
#   TYPE     of create (default: v5litepod-8); VERSION its software (default: v2-alpha-tpuv5-lite); SPOT=true a cheap one
#   SEQJAX_LOGS   on each worker (default: seqjax-logs in its home): HOSTNAME.log

set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=launch/steps.sh
source "$root/launch/steps.sh"

dry=false words=()
for argument in "$@"; do
  if [[ $argument == --dry-run ]]; then dry=true; else words+=("$argument"); fi
done
what=${words[0]:-}
flags=("${words[@]:1}")
TPU=${TPU:-} ZONE=${ZONE:-}
[[ -n $TPU && -n $ZONE ]] || refuse "name the TPU VM and its zone: TPU=NAME ZONE=ZONE $0 create|setup|run|stop|delete"
[[ $dry == true ]] || command -v gcloud >/dev/null || refuse "there is no gcloud here: https://cloud.google.com/sdk"
place=(--zone="$ZONE")
[[ -z ${PROJECT:-} ]] || place+=(--project="$PROJECT")
tpu() { step gcloud compute tpus tpu-vm "$1" "$TPU" "${place[@]}" "${@:2}"; }
everywhere() { tpu ssh --worker=all --command="$1"; }

case $what in
  create)
    spot=()
    [[ ${SPOT:-} != true ]] || spot=(--spot)
    tpu create --accelerator-type="${TYPE:-v5litepod-8}" --version="${VERSION:-v2-alpha-tpuv5-lite}" ${spot[@]+"${spot[@]}"}
    ;;
  setup)
    archive=$(mktemp -u --suffix=.tar.gz)
    step git -C "$root" archive --format=tar.gz --output="$archive" HEAD
    tpu scp --worker=all "$archive" :seqjax.tar.gz
    step rm -f "$archive"
    # shellcheck disable=SC2016  # for the shells of the workers
    everywhere 'set -e; rm -rf seqjax; mkdir seqjax; tar xzf seqjax.tar.gz -C seqjax
      new=$(command -v python3.13 || command -v python3.12 || command -v python3.11 || true)
      test -n "$new" || { sudo apt-get update -q; sudo apt-get install -yq python3.11 python3.11-venv; new=python3.11; }
      $new -m venv seqjax/.venv; seqjax/.venv/bin/pip install -q "./seqjax[tpu]"'
    ;;
  run)
    mounts='' passed=''
    for flag in ${flags[@]+"${flags[@]}"}; do
      if [[ $flag =~ ^--(workdir|data_dir)=gs://([^/]+)(.*)$ ]]; then
        bucket=${BASH_REMATCH[2]}
        mounts+="sudo mkdir -p /mnt/seqjax/$bucket; sudo chown \$(id -u) /mnt/seqjax/$bucket; mountpoint -q /mnt/seqjax/$bucket || gcsfuse --implicit-dirs --rename-dir-limit=10000 $bucket /mnt/seqjax/$bucket; "
        flag="--${BASH_REMATCH[1]}=/mnt/seqjax/$bucket${BASH_REMATCH[3]}"
      fi
      passed+=" $(quoted "$flag")"
    done
    [[ $passed == *--workdir=* ]] || refuse "a run of several workers needs a folder that all see: --workdir=gs://BUCKET/FOLDER"
    everywhere "set -e; logs=${SEQJAX_LOGS:-seqjax-logs}; mkdir -p \$logs; ${mounts}setsid nohup seqjax/.venv/bin/python -m seqjax.main$passed >>\$logs/\$(hostname).log 2>&1 </dev/null & echo \$! >seqjax.pid; tail --pid=\$! -n 0 -F ${SEQJAX_LOGS:-seqjax-logs}/\$(hostname).log"
    ;;
  stop)
    # shellcheck disable=SC2016
    everywhere 'test ! -f seqjax.pid || kill -TERM $(cat seqjax.pid)'
    ;;
  delete) tpu delete --quiet ;;
  *) refuse "${what:-nothing}: choose create, setup, run, stop or delete" ;;
esac
