"""The C++ of the folder `kernels`, compiled once for a machine and given to XLA.

There is a library for each type of numbers, made when it is first needed: few need float64. It lies in the cache
folder, named after all that it depends on: the source, XLA's headers, the compiler and the processor. Where it cannot
be made (no C++ compiler, a system that is not Unix) the reason is kept in words, and `auto` takes another backend.
"""

import ctypes
import functools
import hashlib
import importlib.metadata
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from absl import logging

from seqjax import folders, runtime
from seqjax.errors import UserError

SOURCES = Path(__file__).with_name("kernels")
FLAGS = ("-std=c++17", "-O3", "-march=native", "-fPIC", "-pthread")
TYPES = {"float32": "float", "float64": "double"}
"""Of C++."""
LAYERS = ("forward", "backward")
"""Which answer for all members of a `jax.vmap` at once; the others are called once for each."""
TARGETS = (
    *LAYERS,
    *("project", "project_backward", "bags", "bags_backward"),
    *("convolve", "convolve_inputs", "convolve_kernel"),
    *("judge", "judge_gradients", "largest", "recur"),
)
SECONDS = 300
"""After which a compiler that has not ended is given up."""


def call(target: str, results: Any, *operands: jax.Array, **attributes: Any) -> Any:
    """Within a program: results are `jax.ShapeDtypeStruct`s, whose numbers are of the type of the first."""
    dtype = jnp.dtype(jax.tree.leaves(results)[0].dtype).name
    if dtype in TYPES and (fault := _registered(dtype)):
        raise UserError(f"native: {fault}")
    method = "expand_dims" if target in LAYERS else "sequential"
    return jax.ffi.ffi_call(f"seqjax_{target}_{dtype}", results, vmap_method=method)(*operands, **attributes)


def computes(dtype: Any) -> bool:
    """Whether it can be called for numbers of a type where JAX runs."""
    return jnp.dtype(dtype).name in TYPES and jax.default_backend() == "cpu" and refusal() is None


def refusal() -> str | None:
    """Why the library cannot be used here, or None: then float32 is ready. Compiles it the first time."""
    if os.environ.get("SEQJAX_NATIVE") == "0":
        return "SEQJAX_NATIVE=0 is set"
    return _registered("float32")


@functools.cache
def _registered(dtype: str) -> str | None:
    """Why it cannot be used for a type; once a process."""
    try:
        library = _load(dtype)
    except UserError as error:
        return str(error)
    for target in TARGETS:
        handler = jax.ffi.pycapsule(getattr(library, f"seqjax_{target}"))
        jax.ffi.register_ffi_target(f"seqjax_{target}_{dtype}", handler, platform="cpu")
    return None


def _load(dtype: str) -> ctypes.CDLL:
    """The library from the cache folder, compiled if it is not there or cannot be loaded.

    Raises:
      UserError: it cannot be made; the message says why in a line.
    """
    compiler = [*_compiler(), f"-DSEQJAX_REAL={TYPES[dtype]}"]
    path = folders.cache_dir() / "native" / f"{dtype}-{_fingerprint(compiler)}.so"
    if path.exists():
        try:
            return ctypes.CDLL(str(path))
        except OSError as error:
            logging.warning("%s is damaged (%s): compiled again", path, error)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            made = Path(folder) / path.name
            _compile(compiler, made)
            library = ctypes.CDLL(str(made))  # is it whole?
            os.replace(made, path)
    except OSError as error:
        raise UserError(f"the native library cannot be made: {error}") from None
    return library


def _compile(compiler: list[str], path: Path) -> None:
    """The sources side by side, then together."""
    sources = sorted(SOURCES.glob("*.cc"))
    objects = [path.with_name(f"{source.stem}.o") for source in sources]
    include = f"-I{jax.ffi.include_dir()}"
    print("compiling the CPU's kernels, once on this machine: some seconds", file=sys.stderr, flush=True)
    logging.info("by %s", shlex.join(compiler))
    made = [[*compiler, include, "-c", str(s), "-o", str(o)] for s, o in zip(sources, objects, strict=True)]
    for commands in (made, [[*compiler, "-shared", *map(str, objects), "-o", str(path)]]):
        with ThreadPoolExecutor() as threads:
            list(threads.map(_run, commands))


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise UserError(f"{command[0]} had not compiled it after {SECONDS} s") from None
    if done.returncode:
        said = next((line for line in done.stderr.splitlines() if "error" in line), "it did not say why")
        raise UserError(f"{command[0]} could not compile it: {said.strip()}")


def _compiler() -> list[str]:
    """$CXX, else the first of c++, g++, clang++ that is installed; with our flags, then those of $CXXFLAGS.

    Raises:
      UserError: none is.
    """
    named = os.environ.get("CXX")
    choices = [shlex.split(named)] if named else [["c++"], ["g++"], ["clang++"]]
    for command in choices:
        if command and shutil.which(command[0]):
            return [*command, *FLAGS, *shlex.split(os.environ.get("CXXFLAGS", ""))]
    raise UserError(f"no C++ compiler is installed (CXX={named})" if named else "no C++ compiler is installed")


def _fingerprint(compiler: list[str]) -> str:
    """Of all that the library depends on: a home folder may be shared by machines with different processors."""
    version = subprocess.run([*compiler, "--version"], capture_output=True, timeout=SECONDS, check=False).stdout
    texts = [*compiler, importlib.metadata.version("jaxlib"), runtime.processor()]
    sources = [path.read_bytes() for path in sorted(SOURCES.iterdir())] if SOURCES.is_dir() else []
    parts = [*sources, version, *(text.encode() for text in texts)]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:32]
