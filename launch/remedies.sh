#!/usr/bin/env bash
# Which remedy against vanishing gradients solves what, how soon? Run it again to resume after any stop, or with more
# seeds, rows or tasks. Flags as for python -m seqjax.lecture.remedies; nothing is downloaded, the tasks are generated.
#
#   launch/remedies.sh --tasks=adding_100 --rows=tanh,gru --seeds=2
#   launch/remedies.sh --tasks=adding_100,adding_200,copying_100 --seeds=3

source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
set_up
exec "$venv/bin/python" -m seqjax.lecture.remedies "$@"
