#!/usr/bin/env bash
# Which knobs matter more than the seed? Moves each knob of the lecture's list by itself around jena_lstm; run it again
# to resume after any stop, or with more seeds. Flags as for python -m seqjax.knobs; the data as for local.sh.
#
#   launch/knobs.sh --data=sample --seeds=2 --set=epochs=2
#   launch/knobs.sh --data_dir=DIR --seeds=3 --set=epochs=10

source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
set_up
exec "$venv/bin/python" -m seqjax.knobs "$@"
