"""Linen modules: recurrent layers, embeddings, forecasters and classifiers."""
