r"""Try finished runs on one local web page, or ask them through JSON.

python -m seqjax.serve --workdir=runs/imdb_bilstm --workdir=runs/shakespeare_lstm
curl -s http://127.0.0.1:8000/api/runs/imdb_bilstm/predict -H 'Content-Type: application/json' \
  -d '{"texts": ["A wonderful film."]}'

The page is whole in itself and asks nobody else for anything. `/api` says what there is to ask, with examples. It
listens to this machine alone unless --host tells otherwise. It ends at SIGTERM or Ctrl-C, once what was asked is
answered.
Needs `pip install "seqjax[serve]"`.
"""
