"""Implementations of a recurrent layer, the choice among them, and the C++ of one (`kernels/`)."""
