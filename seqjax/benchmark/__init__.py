"""Time training and inference against other libraries: python -m seqjax.benchmark [flags].

    python -m seqjax.benchmark                                             W1 to W6: about an hour on two cores
    python -m seqjax.benchmark --workloads=W1,W3m --peers=torch,flax --output=benchmark.json
    python -m seqjax.benchmark --workloads=W7,W8,W9,D1,D2 --blocks=3       sequences in, sequences out
    python -m seqjax.benchmark --workloads=library,S1 --blocks=5           layers alone, and a step at a time
    python -m seqjax.benchmark --growth --output=growth.json               and the picture growth.svg
    python -m seqjax.benchmark --growth=units,threads --peers=torch
    python -m seqjax.benchmark --pipeline=jena_lstm,imdb_bilstm,jena_recurrent:cell=gru --data=sample
    python -m seqjax.benchmark --text=int,multi_hot,tf_idf,bigrams,word2vec --blocks=3
    python -m seqjax.benchmark --tables=million,jena
    python -m seqjax.benchmark --cold --peers=keras-jax,keras-tf,torch --blocks=5

How to read the table. A number is the time of one step of one batch in milliseconds: `train` is forward, backward
and RMSprop update, `infer` is the forward pass. It is the median over blocks of steps; every implementation has a
process of its own, all are given the same threads, and their blocks are run in turn, so that a slow minute of the
machine hits all alike. A peer has two numbers, as it comes and, behind it with a *, with the C library told to keep
freed memory and XLA its vector width (`seqjax.runtime.tune`, which seqjax's runs always use). The last column is the
time of the best peer, tuned or not, over ours: above 1 we are faster. The second table is the peak memory of the same
processes, in MB (10^6 bytes): the whole process from its start, libraries, data and compiling included, up to the end
of the mode; `infer` is run before `train`, whose number has both in it. Above 1 ours is the smaller.

What is timed. Batches are made in advance and lie in memory. Ours goes through `seqjax.training.program.Program` as
`main` does: several steps in one dispatch, the gathering of the batch from the data included; its `infer` also computes
the loss and the metrics. Peers are called by the quickest public interface: Keras by `train_on_batch` and
`predict_on_batch` (no `fit`: no callbacks, no data adapter), torch by modules and an optimizer, Flax by one jitted
and donated function with Optax, cuDNN's LSTM (`jax-rnn`: W1, W3, W6, on NVIDIA GPUs) likewise. There too
`seqjax-pallas`, W1-W3b, is ours with its recurrent layers on the backend pallas: a column of its own, and no peer.
Peers have no dropout where they know none: Flax's GRU has no recurrent dropout in W2 (less to do, to its
advantage), and torch takes a loop over the steps for it in training. Bags of words and one-hot vectors are given to
peers as the vectors that they ask for (the one-hot ones, 1.5 GB a batch, are made from ids within the step).

W7 to W9 answer with sequences, and none has dropout: all compute the same numbers, as a test says. W7 is a language
model of 65 characters (and a padding) that hands its state on from batch to batch, on one-hot input: ours takes rows
of the kernel, peers multiply. W8 is an encoder-decoder without input feeding, so that the decoder's layer and the
attention run over the whole known target at once, in every library. Nothing is padded there, and only ours looks at a
mask. W9's batches hold requests of like length, 17 words with their padding, and peers are given the same ones: torch
packs them, Flax and Keras mask. In the three a step's `infer` of a peer ends at the logits. D1 writes by W7's model a
character at a time, temperature 0.8: ours as --mode=generate, torch by `nn.LSTMCell` and `torch.multinomial` on one
thread. D2 translates by W8's model, untrained, beam 5 over 20 tokens, 64 sentences a step: ours as
--mode=predict --beam=5, torch by a loop over the tokens in which all sentences and beams go side by side.

L32 to L512 are a recurrent layer as a library, in a program of one's own: `jax.jit` and nothing set, so ours too has
two numbers there, and the last column is of ours as it comes. `train` is value and gradient by the parameters of the
mean square of all outputs, with -masked of those of real steps; no update. `infer` is all outputs [B, T, U]. Flax is
`nn.RNN` of OptimizedLSTMCell (of its LSTM cells the faster) or GRUCell, with `seq_lengths` where masked; torch is
`nn.LSTM` or `nn.GRU`, where masked on packed sequences, sorted in advance. S1 is W1's LSTM at batch 1,
S2 an LSTM 128, a step at a time, the state handed on, every output waited for: ours by the layer's call on one step
with the state before (the state donated, parameters as arguments of the jitted function), Flax and Keras by their
cells' calls, compiled; torch by `nn.LSTMCell` on one thread, a third of `nn.LSTM`'s time; onnxruntime by its LSTM
operator bound to memory of its own. 0.01 in the table is 10 microseconds.

The data are generated. Token frequencies fall as rank ** -1.17, which gives as many different tokens in a batch as
the real reviews have (3,900 in 32 reviews of 600 tokens). Lengths in W3m are log-normal with mean 235, cut at 600;
W3 and W3b have 600 tokens in every review; W4 has the distinct tokens of the reviews of W3m. In W3b a peer's step
takes seconds and up to 7 GB, so peers are started one after the other there, each run in turn with ours alone;
--blocks=3 is enough for it.

The table of --growth is in milliseconds for a gradient of L64, of which one size grows at a time: the units, the
steps (`length`), the batch, the number of layers with weights and batches of their own (`seeds`: one `jax.vmap`; torch
takes them one after the other), and the threads (NPROC, torch.set_num_threads) up to as many as there are cores. All
as they come. `slope` is that of ours on logarithmic scales from the point before: 1 is in proportion.

The table of --pipeline is in examples per second: of tf.data's batches of ids alone, of gathering the batches from
them on the device, of the train step on batches that are there, of training as it is, and (`infer`) of evaluating the
batches that are there. The input is no bottleneck where the first two are far above the step, and training as it is
has the step's number. The blocks of all the experiments are run in turn, so that their rows compare; all their data
are in memory together. Where batches hold reviews of like length, every number is of passes over 30 whole batches,
evenly spaced in the order of length. `not zero` is the share of such numbers in what a review is given as.

The table of --text is in seconds, by the clock and of all threads on the CPU, medians over --blocks repetitions in
turn, all in one process with our memory setting. A vectorizer is fitted to the training reviews and transforms them:
ours in one call, which splits a review once, and `seqjax-apart` by `fit` and then `encode`; Keras by `adapt` and
`map` in batches of 1,000; scikit-learn by `fit_transform`, whose words have two letters or more. Ours and
scikit-learn's bags are sparse, Keras's are vectors. `word2vec` is an epoch on the same words as gensim's, which has a
worker for each core.

The table of --tables is of reading one CSV into arrays, dates and all checks included. Every block is a process that
imports its reader and reads once, in turn; `peak MB` is what its memory has grown at most since it began, the import
included. `pyarrow` is `pyarrow.csv.read_csv` alone, with which ours reads: it leaves the dates of the Jena file as
text, checks neither quotes nor the order of rows, and makes no [N, F] array. pandas and polars are told the form of
the dates.

The table of --cold is in seconds from the start of a process, medians over --blocks processes of each kind in turn.
`first step` of a peer: its libraries are imported, W1's model and its batches made and one training step done. Ours is
the real command, `python -m seqjax.main --experiment=jena_lstm --data=sample`, which makes its data, claims its folder
and saves the initial state too, up to the moment when the checkpoint after its first dispatch, 32 steps, is on disk;
once with the compiled programs of an earlier start, which a run keeps, and once (`nothing kept`) without. `predict` is
the whole of --mode=predict, from a finished run and a CSV of 500 rows.
"""
