#!/usr/bin/env bash
# Train rows of the results table on the real data, several seeds of each, then write the report; run it again to resume
# after any stop, or with more seeds.
#
#   launch/reproduce.sh [jena|imdb|few_labels|text|tasks|forecasts|keras|NAME ...]    by default jena and imdb (with few_labels);
#                                                                     the data as for local.sh (SEQJAX_DATA_DIR)
#
# text          tags, classes, spelled digits, language models, translation; with what they are to be compared with
# tasks         series, sounds, hotwords in a stream, pictures in time, and visitors made by seed
# forecasts     all steps of a horizon, with intervals; anomalies; and random walks
# few_labels    the masked rows with random and with pretrained vectors, on 1, 5 and 20 % of the training labels, and
#               once more with many more epochs on 1 and 5 %
# keras         three seeds of Keras beside the rows that it can train, which the report then compares
#
# SEQJAX_RUNS   where the runs land, a folder a row (default: runs/real); the report in its report/
# SEQJAX_KEEP   a folder to keep every finished row in besides, one small file each: experiments/results keeps them in the
#               checkout (and Keras's in its keras/). A row that is there gets the seeds that it has not; one that came out
#               otherwise is refused (python -m seqjax.report --keep --replace)
# SEEDS         of each row (default: 5); rows without parameters are run once
# JENA_EPOCHS   multiplies the epochs of the jena rows: 6 with the hourly file, a sixth of the 10-minute one, gives the
#               lecture's number of updates

source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
extras=()
[[ " $* " != *" keras "* ]] || extras=(interop)
set_up "${extras[@]}"
runs=${SEQJAX_RUNS:-runs/real}
seqjax() { "$venv/bin/python" -m seqjax.main "$@"; }
epochs_of() { "$venv/bin/python" -c 'import sys, inspect; from seqjax import experiment as e
print(inspect.signature(e.load(e.find(sys.argv[1]))).parameters["epochs"].default)' "$1"; }

# longer NAME: the option for JENA_EPOCHS, if it says anything of this row
longer() {
  case $1 in
    *_naive | *_drift) ;;
    jena_*) [[ -z ${JENA_EPOCHS:-} ]] || echo "--set=epochs=$(($(epochs_of "$1") * JENA_EPOCHS))" ;;
  esac
}

# train NAME FOLDER OPTION...: one row, or what the options make of it
train() {
  local name=$1 folder=$2 options=("${@:3}")
  # shellcheck disable=SC2207  # words, none of which holds a space
  options+=($(longer "$name"))
  if [[ $name != *_naive && $name != *_drift ]]; then
    options=(--seeds="${SEEDS:-5}" "${options[@]}")
  fi
  if [[ $name == imdb_word2vec ]]; then
    [[ -n ${vectors:-} ]] || train word2vec word2vec
    vectors=$runs/word2vec/seed_0
    options+=(--set="vectors=$vectors")
  fi
  seqjax --experiment="$name" --workdir="$runs/$folder" "${options[@]}"
}

# jena_recurrent is there for its knobs; as it stands it is jena_lstm. jena_quantiles stands among the forecasts.
half() {
  for name in $(seqjax --list | awk -v half="^$1_" '$1 ~ half && $1 !~ /_(recurrent|quantiles)$/ {print $1}'); do
    train "$name" "$name"
  done
}

few_labels() {
  for name in imdb_bilstm_masked imdb_glove imdb_word2vec; do
    train "$name" "${name}_few_labels" --sweep=train_fraction=0.01,0.05,0.2
    train "$name" "${name}_1_percent" --set=train_fraction=0.01 --set=epochs=200
    train "$name" "${name}_5_percent" --set=train_fraction=0.05 --set=epochs=60
  done
}

# TREC with GloVe too; one layer of 512 units and two, and 128 in nanoGPT's budget for a CPU (1.5 million characters);
# translation with and without attention, and the book's setting. `SEEDS=3` is a night on two cores.
text() {
  for name in addition_seq2seq digit_words atis_bilstm sms_spam trec_bilstm shakespeare_lstm multi30k_gru spa_eng_gru; do
    train "$name" "$name"
  done
  train trec_bilstm trec_bilstm_glove --set=vectors=glove --set=vocabulary_size=20000 --set=word_dropout=0.1 --set=epochs=40
  train shakespeare_lstm shakespeare_lstm_budget --set=units=128 --set=dropout=0 --set=epochs=1 --set=batch_size=8 \
    --set=sequence_length=32 --set=learning_rate=1e-2 --set=half_life=800
  train shakespeare_lstm shakespeare_lstm_2 --set=layers=2
  train multi30k_gru multi30k_gru_none --set=attention=none
  for run in "$runs"/multi30k_gru/seed_*; do
    seqjax --mode=evaluate --workdir="$run" --beam=5
  done
  train spa_eng_gru spa_eng_gru_book --set=split=book --set=tokens=book --set=words=15000 --set=length=20
}

# A GRU's last state stays at chance on FordA, its maximum does not; digits of speakers that training has not heard, and
# the official split; pictures with and without memory.
tasks() {
  train forda_gru forda_gru
  train forda_gru forda_gru_last --set=convolution=none --set=pooling=last
  train forda_gru forda_gru_max --set=convolution=none --set=pooling=max
  train digits_gru digits_gru --sweep=speaker=george,jackson,lucas,nicolas,theo,yweweler,none
  train keyword_gru keyword_gru
  train moving_digits moving_digits
  train moving_digits moving_digits_frames --set=memory=false
  train bots_gru bots_gru --data=sample
}

# All five horizons of the papers, and the 96 of the later ones; both detectors, each with NAB's score; walks and an AR(1).
forecasts() {
  train m4_hourly_gru m4_hourly_gru
  train etth1_gru etth1_gru --sweep=horizon=24,48,96,168,336,720
  train jena_quantiles jena_quantiles
  train nab_gru nab_gru
  train nab_autoencoder nab_autoencoder
  train random_walk random_walk --data=sample --seeds=20
  train random_walk random_walk_heavy --data=sample --seeds=20 --set=steps=heavy
  train random_walk random_walk_clusters --data=sample --seeds=20 --set=steps=clusters
  for phi in 0.5 0.9; do
    train random_walk "random_walk_phi_$phi" --data=sample --seeds=10 --set=phi="$phi" --set=rows=40000 \
      --set=sequence_length=400 --set=epochs=30 --set=batch_size=256
  done
}

keras() {
  local names=(jena_{dense,conv1d,simple_rnn,lstm,lstm_dropout,stacked_gru,lstm_reversed,bilstm})
  for name in "${names[@]}" imdb_{unigram,bigram,bigram_tfidf,bilstm_masked}; do
    # shellcheck disable=SC2046
    "$venv/bin/python" -m seqjax.compare --free --experiment="$name" --seeds=0,1,2 --output="$runs/keras/$name.json" \
      $(longer "$name")
  done
  if [[ -n ${SEQJAX_KEEP:-} ]]; then
    mkdir -p "$SEQJAX_KEEP/keras"
    cp -n "$runs"/keras/*.json "$SEQJAX_KEEP/keras/"
  fi
}

[[ $# -gt 0 ]] || set -- jena imdb
for asked in "$@"; do
  case $asked in
    jena) half jena ;;
    imdb) half imdb; train glove glove; few_labels ;;
    few_labels) few_labels ;;
    text) text ;;
    tasks) tasks ;;
    forecasts) forecasts ;;
    keras) keras ;;
    *) train "$asked" "$asked" ;;
  esac
done
"$venv/bin/python" -m seqjax.report --runs="$runs" --output="$runs/report" ${SEQJAX_DATA_DIR:+--data_dir="$SEQJAX_DATA_DIR"} \
  ${SEQJAX_KEEP:+--keep="$SEQJAX_KEEP"}
