"""The lecture, executed: its formulas as functions."""
