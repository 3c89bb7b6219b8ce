# shellcheck shell=bash
# Sourced by the other scripts: a virtual environment in .venv, set up on first use and when pyproject.toml changes.
#
#   SEQJAX_VENV    the environment's folder (default: .venv in the checkout)
#   SEQJAX_PYTHON  the Python that makes it (default: the newest of python3.13, 3.12, 3.11, python3 that is 3.11+)

set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=${SEQJAX_VENV:-$root/.venv}

find_python() {
  local candidate
  for candidate in ${SEQJAX_PYTHON:-python3.13 python3.12 python3.11 python3}; do
    if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  echo "seqjax: no Python 3.11, 3.12 or 3.13 found; install one, or name it in SEQJAX_PYTHON" >&2
  exit 2
}

# set_up EXTRA...: install the checkout (editable) with these extras, unless that has been done already.
set_up() {
  local stamp extras python
  extras=$(IFS=,; echo "$*")
  stamp=$venv/.seqjax-$(echo "$extras" | tr ',' '-')
  if [[ -e $stamp && $stamp -nt $root/pyproject.toml ]]; then
    return
  fi
  python=$(find_python)
  if [[ ! -x $venv/bin/python ]]; then
    echo "seqjax: installing into $venv (once; a few minutes, 2.6 GB)" >&2
    "$python" -m venv "$venv"
  else
    echo "seqjax: adding to $venv what pyproject.toml asks for${extras:+ with the extras $extras} (once)" >&2
  fi
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --editable "$root${extras:+[$extras]}" >&2
  touch "$stamp"
  echo "seqjax: installed; starting" >&2
}
