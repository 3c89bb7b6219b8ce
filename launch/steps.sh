# shellcheck shell=bash
# Sourced by the scripts that start many processes: what they would do can be seen before it is done.
#
#   SEQJAX_VENV   the environment that holds seqjax (default: .venv in the checkout); of a container: its own

# step COMMAND...: do it; under --dry-run (dry=true) print it, so that a shell would take it.
step() {
  if [[ ${dry:-false} == true ]]; then
    local word line=
    for word in "$@"; do line+=" $(quoted "$word")"; done
    echo "${line# }"
  else
    "$@"
  fi
}

# quoted WORD: as a person would write it for a shell.
quoted() {
  if [[ $1 =~ ^[A-Za-z0-9_@%+=:,./-]+$ ]]; then echo "$1"; else echo "'${1//\'/\'\\\'\'}'"; fi
}

refuse() {
  echo "seqjax: $1" >&2
  exit 2
}

# python_of ROOT: print the Python that runs seqjax; refuse where it is not set up.
python_of() {
  local python=${SEQJAX_VENV:-$1/.venv}/bin/python
  if [[ ! -x $python && ${dry:-false} == false ]]; then
    refuse "no $python: run $1/launch/local.sh --list once where there is a network, or name an environment in SEQJAX_VENV"
  fi
  echo "$python"
}

# direct: no proxy stands between the processes of a run; gRPC would go through one, and wait for ever.
direct() {
  unset http_proxy https_proxy all_proxy grpc_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY GRPC_PROXY
}
