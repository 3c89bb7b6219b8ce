"""Data sources: files or generated data in, arrays and example ids out."""
