"""What answers are worth, in NumPy arrays alone: knows nothing of training, models or data."""
