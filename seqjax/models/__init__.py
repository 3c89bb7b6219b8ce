"""Whole models: forecasters, classifiers, word vectors."""
