#!/usr/bin/env bash
# Train rows of the results table on the real data, several seeds of each, then write the report; run it again to resume
# after any stop, or with more seeds.
#
#   launch/reproduce.sh [jena|imdb|NAME ...]     all rows by default; the data as for local.sh (SEQJAX_DATA_DIR)
#
# SEQJAX_RUNS   where the runs land, a folder a row (default: runs/real); the report in its report/
# SEEDS         of each row (default: 5); rows without parameters are run once
# JENA_EPOCHS   multiplies the epochs of the jena rows: 6 with the hourly file, a sixth of the 10-minute one, gives the
#               lecture's number of updates

source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
set_up
runs=${SEQJAX_RUNS:-runs/real}
seqjax() { "$venv/bin/python" -m seqjax.main "$@"; }
epochs_of() { "$venv/bin/python" -c 'import sys, inspect; from seqjax import experiment as e
print(inspect.signature(e.load(e.find(sys.argv[1]))).parameters["epochs"].default)' "$1"; }

names=()
for name in "${@:-}"; do
  case $name in
    "") mapfile -t half < <(seqjax --list | awk '$1 ~ /^(jena|imdb)_/ {print $1}'); names+=("${half[@]}") ;;
    jena | imdb) mapfile -t half < <(seqjax --list | awk -v half="^${name}_" '$1 ~ half {print $1}'); names+=("${half[@]}") ;;
    *) names+=("$name") ;;
  esac
done

for name in "${names[@]}"; do
  options=()
  case $name in
    *_naive | *_drift) ;;
    jena_*) options=(--seeds="${SEEDS:-5}")
      [[ -z ${JENA_EPOCHS:-} ]] || options+=(--set="epochs=$(($(epochs_of "$name") * JENA_EPOCHS))") ;;
    *) options=(--seeds="${SEEDS:-5}") ;;
  esac
  seqjax --experiment="$name" --workdir="$runs/$name" "${options[@]}"
done
"$venv/bin/python" -m seqjax.report --runs="$runs" --output="$runs/report" ${SEQJAX_DATA_DIR:+--data_dir="$SEQJAX_DATA_DIR"}
