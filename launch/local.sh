#!/usr/bin/env bash
# Run seqjax on this machine: sets up .venv on first use, then python -m seqjax.main with the flags given.
#
#   launch/local.sh --experiment=imdb_bilstm --data=sample

source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
set_up
exec "$venv/bin/python" -m seqjax.main "$@"
