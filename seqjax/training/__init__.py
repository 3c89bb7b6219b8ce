"""One run: the compiled program, the loop over epochs, the run's folder."""
