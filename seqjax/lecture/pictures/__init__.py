"""The book's drawings, a file for each chapter that has some."""
