"""Forecast from a weather CSV: python predict.py FILE (or from standard input). Needs numpy and onnxruntime only."""

import csv
import datetime
import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime

HERE = Path(__file__).resolve().parent
FACTS = json.loads((HERE / "predict.json").read_text(encoding="utf-8"))
MODEL = onnxruntime.InferenceSession(str(HERE / "model.onnx"), providers=["CPUExecutionProvider"])
REACH = (FACTS["sequence_length"] - 1) * FACTS["sampling_rate"]


def read(data):
    """Dates, and the columns that the model wants, in its order."""
    header, *rows = csv.reader(data.decode("utf-8-sig").splitlines())
    places = [[name.strip() for name in header].index(column) for column in FACTS["columns"]]
    times = [row[0].strip() for row in rows if row]
    form = "%d.%m.%Y %H:%M:%S" if times and times[0][2:3] == "." else "%Y-%m-%d %H:%M:%S"
    dates = [datetime.datetime.strptime(time.replace("T", " "), form) for time in times]
    return dates, np.array([[float(row[place]) for place in places] for row in rows if row])


def scaled(values):
    """As in training: where -9999 says missing the last valid value, then less the mean, by the deviation."""
    values = values.copy()
    for column in values.T if FACTS["repair"] else ():
        valid = column != -9999
        if not valid.all():
            column[:] = column[np.maximum.accumulate(np.where(valid, np.arange(len(valid)), valid.argmax()))]
    return ((values - FACTS["mean"]) / FACTS["std"]).astype(np.float32)


def predict(values):
    """Rows [N, columns], as they were measured -> a forecast for every window, in the order of their ends."""
    series, starts = scaled(values), np.arange(len(values) - REACH)
    offsets = np.arange(FACTS["sequence_length"]) * FACTS["sampling_rate"]
    batches = [starts[k : k + 256] for k in range(0, len(starts), 256)]
    return np.concatenate([MODEL.run(None, {"window": series[batch[:, None] + offsets]})[0] for batch in batches])


if __name__ == "__main__":
    content = Path(sys.argv[1]).read_bytes() if len(sys.argv) > 1 else sys.stdin.buffer.read()
    dates, values = read(content)
    if len(values) <= REACH:
        sys.exit(f"too few rows: {len(values)}; a window takes {REACH + 1}")
    ahead = datetime.timedelta(seconds=(FACTS["delay"] - REACH) * FACTS["step"])
    print(f"window_end,forecast_for,{FACTS['target']}")
    for end, forecast in zip(dates[REACH:], predict(values), strict=True):
        print(f"{end},{end + ahead},{forecast:.2f}")
