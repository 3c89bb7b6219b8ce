"""seqjax: deep sequence modelling in JAX and Flax."""

from seqjax import old_names

__version__ = "0.2.0"

old_names.install()
