"""Our experiments beside the same models in Keras 3 (an optional extra: pip install 'seqjax[interop]').

python -m seqjax.compare --experiment=jena_lstm --steps=200
    the same initial weights, the same batches, no dropout: the two losses of every step, and how far they part. As a
    yardstick our own losses from five sets of initial weights a rounding error away: in float32 a recurrent model may
    part from itself by more than 1e-4 within 200 steps. --float64 takes the rounding away

python -m seqjax.compare --experiment=jena_lstm --set=epochs=60 --free --seeds=0,1,2,3,4
    Keras alone, each seed with its own initial values, order and dropout: best epoch by validation loss, tested. A
    seed that is finished is not trained again. `seqjax.report` finds the file and shows it beside ours.

The Keras model is made from the experiment's own model, layer by layer (`mirror`).
"""
