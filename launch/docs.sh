#!/usr/bin/env bash
# Build the pages, with the book of the lecture and the report of what is kept, into a folder. A warning is an error.
#
#   launch/docs.sh                  into build/docs/html: open index.html
#   launch/docs.sh FOLDER           into FOLDER/html
#
# Notebooks are executed (nbmake, two minutes each at most). Links between pages are checked always, those to elsewhere
# where there is a network.

source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
set_up docs
built=$(realpath -m "${1:-$root/build/docs}")
sources=$built/sources
python=$venv/bin/python
export PYTHONPATH=$root PATH=$venv/bin:$PATH  # notebooks start the `python3` that is first

rm -rf "$sources"
mkdir -p "$sources"
cp -r "$root"/experiments/{pages,pictures,results} "$sources"
cd "$sources/pages"

for script in notebooks/*.py; do
  "$python" -m jupytext --quiet --to notebook "$script"
  rm "$script"
done
"$python" -m pytest --quiet -p no:cacheprovider --rootdir="$sources" --nbmake --nbmake-timeout=120 --overwrite notebooks
rm -rf notebooks/runs notebooks/experiments

"$python" -m sphinx --quiet --fail-on-warning --keep-going --builder html . "$built/html"
"$python" -m seqjax.lecture --output="$built/html/book" --results="$root/experiments/results"
"$python" -m seqjax.report --runs="$root/experiments/results" --output="$built/html/report" --nopictures

if "$python" -c 'import urllib.request as web; web.urlopen("https://github.com", timeout=5)' 2>/dev/null; then
  "$python" -m sphinx --quiet --builder linkcheck . "$built/links"
else
  echo "seqjax: no network: links to elsewhere were not checked" >&2
fi
echo "seqjax: open $built/html/index.html" >&2
