#!/usr/bin/env bash
# Run the tests: the set-up of local.sh with the test extra, then pytest with the arguments given.
#
#   launch/test.sh                  the default suite
#   launch/test.sh -m slow          the long ones
#   SEQJAX_EXTRAS=test,torch launch/test.sh    with PyTorch, for its half of the equivalence tests

source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
IFS=, read -ra extras <<<"${SEQJAX_EXTRAS:-test}"
set_up "${extras[@]}"
cd "$root"
exec "$venv/bin/python" -m pytest --numprocesses=auto --maxprocesses=4 --dist=worksteal "$@"
