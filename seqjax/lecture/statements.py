"""Every line of the lecture, by a key, in its order: the beginning of its words, by which a line of its text is known.

A statement may stand for several lines: those that begin, or say, the same again, and a listing or a table, which
counts as one. The chapters say which keys they answer; `index` puts both together, and a test walks the lecture's text.
"""

import re
from collections.abc import Iterator, Mapping

from seqjax.lecture import statements_text

SERIES: Mapping[str, tuple[str, ...]] = {
    "title": ("Module 6 – Part I", "Deep Sequence Modeling for Timeseries"),
    "road-map": ("Road map!", "Module ", "✓ Module", "Module 6- Deep Sequence Modeling"),
    "sequence": ("Sequence data refers to any data", "Different kinds of sequence data"),
    "time-series": ("Time series data:",),
    "text": ("Text data:",),
    "audio": ("Audio data:",),
    "video": ("Video data:",),
    "tasks": ("Different kinds of timeseries tasks",),
    "forecasting": ("Forecasting: Predicting what happens next", "Electricity consumption, temperature forecast"),
    "classification": ("Classification: Assign one or more labels", "Classify website visitors as human or bot"),
    "event-detection": ("Event detection: Identify the occurrence", "Hotword detection"),
    "anomaly-detection": ("Anomaly Detection: Detect anything unusual", "Unusual activity on a network"),
    "temperature": ("A temperature forecasting example", "A simple timeseries example"),
    "temperature-task": ("Predicting the temperature 24 hours in the future", "Target: temperature"),
    "temperature-data": ("Features: 14 different variables", "Data recorded every 10 minutes from 2009-2016"),
    "overview": ("Temperature between 2009-2016",),
    "ten-days": ("Temperature in the first 10 days",),
    "windows": ("Given the previous 5 days (120 hours)", "Preparing the data"),
    "batches": ("Data batches", "Sequence length = 120", "[1, 2, 3", "[2, 3, 4", "[3, 4, 5"),
    "shapes": ("Batch size: 256 of these samples", "Sample shape: (256, 120, 14)", "Target shape: (256,)"),
    "naive": ("Temperature 24 hours from now = Temperature right now", "Naïve forecaster: common-sense baseline"),
    "random-walk": ("This is our random walk with no drift forecaster",),
    "naive-score": ("Performance:", "Validation MAE = 2.44", "Test MAE = 2.62",
        "The baseline model is off by about 2.5"),
    "dense": ("Let's try DNN", "x = layers.Flatten()", "flatten (Flatten)"),
    "dense-score": ("No improvement!!", "Flattening a timeseries data is not a good idea"),
    "convolution": ("Let's try CNN", "Motivation: Maybe a temporal convnet", "x = layers.Conv1D(8, 24",
        "conv1d (Conv1D)"),
    "convolution-score": ("Test MAE = 3.10", "CNN performance", "Even worse than the densely connected model"),
    "convolution-order": ("CNN treats every segment of the data the same", "Pooling layers are destroying order"),
    "criteria": ("To model sequence data efficiently", "Sequence Modeling", "RNN can handle the following"),
    "order": ("Preserve the order",),
    "long-term": ("Account for long-term dependencies", "Does not account for long-term dependencies"),
    "input-length": ("Handle input-length",),
    "share": ("Share parameters across the sequence",),
    "rnn": ("The architecture of RNNs is inspired", "What is RNN"),
    "remember": ("This ability to remember previous inputs",),
    "state": ("RNN maintains a state",),
    "loop": ("RNNs can be thought of as neural networks with an internal loop",),
    "perceptron": ("Perceptron vs Recurrent Cell",),
    "unrolled": ("Unrolling the Recurrent Cell",),
    "dense-recurrent": ("Dense Layer vs Recurrent Layer",),
    "inside-cell": ("Inside the Recurrent Cell", "output_t = f(input_t, State_t)", "s_{t+1} = activation(WX_t"),
    "architectures": ("RNN architectures",),
    "bptt": ("How does RNN learn representations?", "Backpropagation Through Time (BPTT)", "P are the parameters"),
    "bptt-sum": (r"\frac{\partial J}{\partial W} = \frac{\partial J_0}{\partial W}", "..."),
    "bptt-first": (r"\frac{\partial J_0}{\partial W} = \frac{\partial J_0}{\partial y_0}",),
    "bptt-second": (r"\frac{\partial J_1}{\partial W} = \frac{\partial J_1}{\partial y_1}",),
    "bptt-general": (r"\frac{\partial J_t}{\partial W} = \sum_{k=0}^t",),
    "vanishing": ("Vanishing Gradient Problem", "As the time horizon gets bigger, this product"),
    "small-numbers": ("We are multiplying a lot of small numbers",),
    "product": (r"\frac{\partial S_{10}}{\partial S_0}",),
    "recurrence": ("S_t = \\text{activation}",),
    "beyond-rnn": ("Beyond RNN", "RNN limitations"),
    "remedies": ("How to solve vanishing gradient problem",),
    "remedy-activation": ("1. Use Activation Function",),
    "remedy-initialization": ("2. Use weight initialization",),
    "remedy-clipping": ("3. Use gradient clipping",),
    "remedy-batch-norm": ("4. Use batch normalization",),
    "remedy-optimizer": ("5. Use a different optimization algorithm",),
    "remedy-gates": ("6. Gated cells",),
    "gates": ("Instead of using a simple RNN cell", "Gated cells"),
    "conveyor": ("Think of a conveyor belt",),
    "jump": ("Information can jump on",),
    "residual": ("This is what a gated cell does!",),
    "lstm-gru": ("Long Short-Term Memory (LSTM) and Gated Recurrent Unit",),
    "inside-lstm": ("Inside the LSTM cell", "LSTM details", "LSTM takeaway"),
    "regulate": ("LSTM uses gates to regulate",),
    "carry": ("This new cell state (carry)",),
    "fights": ("LSTM fights the vanishing gradient problem",),
    "lstm": ("Let's try LSTM on the temperature example", "x = layers.LSTM(16)(inputs)", "lstm (LSTM)"),
    "lstm-equations": ("output_t = activation(dot(state_t, Uo)",),
    "lstm-score": ("Simple LSTM Test MAE = 2.53", "LSTM performance", "Baseline Test MAE = 2.62",
        "Finally beat the naïve"),
    "overfitting": ("Overfitting?", "Can we do better?"),
    "improving": ("We can improve the performance of the simple LSTM", "Improving the simple LSTM model"),
    "dropout": ("1. Recurrent Dropout", "Recurrent Drop out", "LSTM(32, recurrent_dropout=0.25)"),
    "same-pattern": ("The same dropout pattern should be applied at every timestep",),
    "dropout-score": ("LSTM with dropout, Test MAE = 2.45", "Simple LSTM, Test MAE = 2.53"),
    "stacking": ("2. Stacking recurrent layers", "Stacking Recurrent Layers", "Let's train a dropout-regulated"),
    "gru-faster": ("GRU is a slightly simpler version",),
    "stacking-score": ("Stacking GRU, Test MAE = 2.39", "x = layers.GRU(32, recurrent_dropout=0.5, return_sequences"),
    "bidirectional": ("3. Using bidirectional RNN", "Bidirectional RNN", "x = layers.Bidirectional(layers.LSTM(16))"),
    "overlooked": ("Idea: capturing patterns",),
    "bidirectional-score": ("For the temperature example, the bidirectional LSTM strongly",),
    "art": ("Final message", "Deep learning is more an art than science"),
    "knobs": (
        "Number of units in each recurrent layer", "Number of stacked layers", "Amount of dropout",
        "Number of dense layers", "Sequence horizon!", "Optimizers, learning rates and etc",
    ),
    "stock-market": ("Apply RNN to datasets that past is a good predictor",),
}  # fmt: skip
STATEMENTS: Mapping[str, tuple[str, ...]] = {**SERIES, **statements_text.TEXT}
NO_LINE = re.compile(r"[-\s]*")


def normal(text: str) -> str:
    """A line without its marks: what its words are compared by."""
    text = re.sub(r"\\textcolor\{\w+\}|\\rightarrow|[#➔→•$]|^\s*-\s", " ", re.sub("[*`]", "", text))
    return " ".join(text.split()).lower()


def lines_of(text: str) -> Iterator[str]:
    """The lecture's text line by line; a listing or a table is one."""
    block: list[str] = []
    listing = False
    for line in [*text.splitlines(), "end"]:
        table = "\t" in line or line.startswith("====") or re.match(r".*params: [\d,]+$", line)
        mark = line.startswith("```")
        if not mark and (listing or table):
            block.append(line)
            continue
        if block and line.strip():
            yield " ".join(block)
            block = []
        listing ^= mark
        if not (mark or NO_LINE.fullmatch(line) or line == "end"):
            yield line


def key_of(line: str) -> str | None:
    """The statement that stands for a line of the lecture; None: none does."""
    said = normal(line)
    marks = [(normal(mark), key) for key, own in STATEMENTS.items() for mark in own]
    return max(((len(mark), key) for mark, key in marks if mark in said), default=(0, None))[1]


def words(key: str) -> str:
    """What the index shows of a statement: its first words."""
    return STATEMENTS[key][0]
