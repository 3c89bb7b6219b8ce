"""Scores of forecasts and detectors: NumPy functions of arrays, that know nothing of training, models or data."""
