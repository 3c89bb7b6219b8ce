#!/usr/bin/env bash
# Build wheel and sdist, install one into a fresh environment in a new folder, and train, evaluate and predict there.
#
#   launch/release.sh                                   wheel and sdist, with every Python 3.11 to 3.14 that is at hand
#   launch/release.sh --python=python3.12 --kind=sdist  one of them

set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
pythons=() kinds=(wheel sdist)
for argument in "$@"; do
  case $argument in
    --python=*) pythons=("${argument#*=}") ;;
    --kind=wheel | --kind=sdist) kinds=("${argument#*=}") ;;
    *)
      echo "seqjax: $argument: choose --python=PYTHON or --kind=wheel|sdist" >&2
      exit 2
      ;;
  esac
done
if [[ ${#pythons[@]} -eq 0 ]]; then
  for candidate in python3.11 python3.12 python3.13 python3.14; do
    if "$candidate" -c '' 2>/dev/null; then pythons+=("$candidate"); fi
  done
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"${pythons[0]}" -m venv "$scratch/build"
"$scratch/build/bin/pip" install --quiet --disable-pip-version-check build
"$scratch/build/bin/python" -m build --outdir "$scratch/dist" "$root" >"$scratch/log" 2>&1 || { cat "$scratch/log" >&2; exit 1; }
ls -l "$scratch/dist"

for python in "${pythons[@]}"; do
  for kind in "${kinds[@]}"; do
    environment=$scratch/$(basename "$python")-$kind
    file=("$scratch"/dist/*.$([[ $kind == wheel ]] && echo whl || echo tar.gz))
    "$python" -m venv "$environment"
    "$environment/bin/pip" install --quiet --disable-pip-version-check "${file[0]}"
    mkdir "$environment/elsewhere"
    cd "$environment/elsewhere"
    "$environment/bin/seqjax" --experiment=jena_lstm --data=sample --set=epochs=1
    "$environment/bin/seqjax" --experiment=imdb_unigram --data=sample --set=epochs=1
    echo "A wonderful film." | "$environment/bin/seqjax" --mode=predict --workdir=runs/imdb_unigram --input=-
    cd "$root"
    echo "seqjax: $("$environment/bin/python" -V), $kind: runs; $(du -sm "$environment" | cut -f1) MB" >&2
    rm -rf "$environment"
  done
done
