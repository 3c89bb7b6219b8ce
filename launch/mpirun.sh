#!/usr/bin/env bash
# One run by several processes that Open MPI starts, here or on the hosts of a file.
#
#   launch/mpirun.sh -np 2 -- --experiment=jena_lstm                          two processes on this machine
#   launch/mpirun.sh --hostfile hosts -npernode 4 -- --experiment=jena_lstm   four on each host: one for each of its GPUs
#   launch/mpirun.sh --dry-run -np 2 -- --experiment=jena_lstm                what it would do
#
# What stands before -- goes to mpirun, the rest to python -m seqjax.main. SIGTERM (or Ctrl-C) reaches the processes, which
# save and leave; mpirun would kill them a second later, and is told to wait. The same command goes on. All hosts need the
# checkout, the environment and the run's folder (--workdir) under the same paths.
#
#   SEQJAX_VENV         the environment that holds seqjax (default: .venv in the checkout)
#   SEQJAX_LOGS         folder of the logs (default: logs), a file for each process: rank.N.log
#   SEQJAX_PATIENCE     seconds between SIGTERM and SIGKILL (default: 300)
#   SEQJAX_COORDINATOR  HOST:PORT of process 0, for Open MPI 5, which does not tell it (default: this host, port 8476)
#   SEQJAX_PROXY=keep   leave http_proxy and the like set (see launch/steps.sh)

set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=launch/steps.sh
source "$root/launch/steps.sh"

dry=false options=() flags=() rest=false
for argument in "$@"; do
  case $rest$argument in
    *--dry-run) dry=true ;;
    false--) rest=true ;;
    false*) options+=("$argument") ;;
    true*) flags+=("$argument") ;;
  esac
done
[[ $rest == true ]] || refuse "no -- between the options of mpirun and the flags of seqjax: $0 -np 2 -- --experiment=NAME"
[[ $dry == true ]] || command -v mpirun >/dev/null || refuse "there is no mpirun here"
[[ ${SEQJAX_PROXY:-} == keep ]] || direct
logs=$(realpath -m "${SEQJAX_LOGS:-logs}")
program=$(python_of "$root")
export PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH}
export SEQJAX_COORDINATOR=${SEQJAX_COORDINATOR:-$(hostname):8476}
patience=${SEQJAX_PATIENCE:-300}

handed=() # mpirun hands to other hosts what is named
for name in $(compgen -e); do
  case $name in
    PYTHONPATH | SEQJAX_COORDINATOR | SEQJAX_DATA_DIR | XLA_* | JAX_* | NCCL_* | OMP_NUM_THREADS) handed+=(-x "$name") ;;
  esac
done

# shellcheck disable=SC2016  # for the shell of each process: its log, and under Open MPI 5 who it is
rank='exec >>"$0/rank.$OMPI_COMM_WORLD_RANK.log" 2>&1
[[ -n ${OMPI_MCA_orte_hnp_uri:-} || $OMPI_COMM_WORLD_SIZE == 1 ]] || set -- "$@" --coordinator="$SEQJAX_COORDINATOR" \
  --process_count="$OMPI_COMM_WORLD_SIZE" --process_id="$OMPI_COMM_WORLD_RANK"
exec "$@"'

step mkdir -p "$logs"
[[ $dry == true ]] || echo "seqjax: logs in $logs" >&2
export OMPI_MCA_odls_base_sigkill_timeout=$patience PRTE_MCA_odls_base_sigkill_timeout=$patience
step exec mpirun --bind-to none ${handed[@]+"${handed[@]}"} ${options[@]+"${options[@]}"} \
  bash -c "$rank" "$logs" "$program" -m seqjax.main ${flags[@]+"${flags[@]}"}
