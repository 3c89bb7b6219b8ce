#!/usr/bin/env bash
# Train rows of the results table on the real data, one after the other; run it again to resume after any stop.
#
#   launch/reproduce.sh [jena|imdb|NAME ...]     all rows by default; the data as for local.sh (SEQJAX_DATA_DIR)
#
# Runs land in $SEQJAX_RUNS (default: runs/real), a folder a row. With the hourly Jena file, set JENA_EPOCHS=6: six times
# the lecture's epochs are the same number of updates as with the 10-minute file.

source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
set_up
runs=${SEQJAX_RUNS:-runs/real}
seqjax() { "$venv/bin/python" -m seqjax.main "$@"; }

names=()
for name in "${@:-}"; do
  case $name in
    "") mapfile -t all < <(seqjax --list | awk '{print $1}'); names+=("${all[@]}") ;;
    jena | imdb) mapfile -t half < <(seqjax --list | awk -v half="^$name" '$1 ~ half {print $1}'); names+=("${half[@]}") ;;
    *) names+=("$name") ;;
  esac
done

for name in "${names[@]}"; do
  epochs=()
  if [[ $name == jena_* && $name != jena_naive && -n ${JENA_EPOCHS:-} ]]; then
    epochs=(--set="epochs=$((10 * JENA_EPOCHS))")
  fi
  seqjax --experiment="$name" --workdir="$runs/$name" "${epochs[@]}"
done
