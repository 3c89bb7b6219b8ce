"""The compiled kernels look at every operand themselves, and read and write nothing that is not theirs."""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.layers.backends import native, native_library

REFUSAL = native_library.refusal()
pytestmark = pytest.mark.skipif(REFUSAL is not None, reason=f"native: {REFUSAL}")
B, T, D, U, N, LSTM = 3, 4, 2, 5, 6, 1
P = 16  # padded units
ones, none = lambda *shape: jnp.ones(shape), jnp.zeros(0)
integers = lambda *shape: jnp.ones(shape, jnp.int32)
DENSE = native.Operands(
    x=ones(B, T, D),
    ids=jnp.zeros(0, jnp.int32),
    kernel=ones(1, D, 4 * U),
    bias=ones(1, 4 * U),
    recurrent=ones(1, U, 4 * U),
    inner=none,
    h=ones(1, B, U),
    c=ones(1, B, U),
    drop=none,
    mask=jnp.zeros(0, bool),
    numbers=jnp.array([0, 0], jnp.int32),
)
TOKENS = DENSE._replace(
    x=ones(N, 4 * U), ids=integers(B, T), kernel=none, bias=none, numbers=jnp.array([0, N], jnp.int32)
)
STATE = (1, B, U)
FORWARD = [(B, T, 1, U), STATE, STATE, (1, T, B, 6, P)]
AFTER = [ones(1, T, B, 6, P), ones(B, T, 1, U), ones(*STATE), ones(*STATE)]
BACKWARD = [(1, B, T, D), (1, D, 4 * U), (1, 4 * U), (1, U, 4 * U), (0,), STATE, STATE]


def call(target, operands, shapes, **attributes):
    results = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]
    return jax.block_until_ready(
        native_library.call(target, results if len(shapes) > 1 else results[0], *operands, **attributes)
    )


def refused(message, *arguments, **attributes):
    with pytest.raises((jax.errors.JaxRuntimeError, ValueError), match=f"seqjax: {message}"):
        call(*arguments, **attributes)


WRONG = [
    ({"h": ones(1, 8, U)}, r"operand x is \[3, 4, 2\], but \[8, 4, 2\] is wanted"),
    ({"h": ones(2, B, U)}, r"operand kernel is \[1, 2, 20\], but \[2, 2, 20\] is wanted"),
    ({"h": ones(U)}, r"operand h is \[5\] has not rank 3"),
    ({"c": ones(1, 1, U)}, r"operand c is \[1, 1, 5\], but \[1, 3, 5\]"),
    ({"c": none}, r"operand c is \[0\], but \[1, 3, 5\]"),
    ({"c": ones(1, B, U).astype(jnp.int32)}, "operand c is .* of another type"),
    ({"x": ones(B, T)}, r"operand x is \[3, 4\] has not rank 3"),
    ({"x": ones(B, T, 0), "kernel": ones(1, 0, 4 * U)}, "operand x has no features"),
    ({"kernel": ones(1, D, 3 * U)}, r"operand kernel is \[1, 2, 15\], but \[1, 2, 20\]"),
    ({"kernel": none}, "of operand ids and operand kernel there must be one"),
    ({"bias": ones(1, U)}, "operand bias"),
    ({"recurrent": ones(1, U, U)}, "operand recurrent"),
    ({"inner": ones(1, U)}, r"operand inner is \[1, 5\], but \[0\]"),
    ({"drop": ones(1, 2, B, U)}, "operand drop has neither one mask"),
    ({"drop": ones(1, 4, 2, U)}, "operand drop"),
    ({"drop": ones(4, B, U)}, "operand drop"),
    ({"mask": jnp.ones((T, B), bool)}, r"operand mask is \[4, 3\], but \[3, 4\]"),
    ({"mask": integers(B, T)}, "operand mask is .* of another type"),
    ({"numbers": integers(1)}, "operand numbers"),
    ({"numbers": integers(3)}, "operand numbers"),
    ({"ids": integers(B, T)}, r"operand x is \[3, 4, 2\] has not rank 2"),
]
WRONG_TOKENS = [
    ({"ids": jnp.full((B, T), N, jnp.int32)}, "an id in operand ids lies outside operand x"),
    ({"ids": jnp.full((B, T), -100_000_000, jnp.int32)}, "an id in operand ids lies outside operand x"),
    ({"ids": integers(2, T)}, r"operand ids is \[2, 4\], but \[3, 4\]"),
    ({"numbers": jnp.array([0, N + 1], jnp.int32)}, "operand numbers counts more rows"),
    ({"numbers": jnp.array([0, -1], jnp.int32)}, "operand numbers counts more rows"),
    ({"kernel": ones(1, D, 4 * U)}, "of operand ids and operand kernel there must be one"),
    ({"x": ones(N, U)}, r"operand x is \[6, 5\], but \[6, 20\]"),
]


@pytest.mark.parametrize(
    ("good", "wrong", "message"),
    [(DENSE, *rest) for rest in WRONG] + [(TOKENS, *rest) for rest in WRONG_TOKENS],
)
def test_operands_of_a_recurrent_layer(good, wrong, message):
    operands = good._replace(**wrong)
    refused(message, "forward", operands, FORWARD, kind=LSTM)
    refused(message, "backward", [*operands, *AFTER], BACKWARD, kind=LSTM)


def test_results_and_what_comes_back_of_a_recurrent_layer():
    for operands in (DENSE, TOKENS):
        call("forward", operands, FORWARD, kind=LSTM)
    call("backward", [*DENSE, *AFTER], BACKWARD, kind=LSTM)
    for k, name in enumerate(("hs", "h after it", "c after it", "saved")):
        shapes = [(7, *shape[1:]) if k == n else shape for n, shape in enumerate(FORWARD)]
        refused(f"operand {name} is", "forward", DENSE, shapes, kind=LSTM)
    for k in range(4):
        after = [jnp.tile(array, (2, *[1] * (array.ndim - 1))) if k == n else array for n, array in enumerate(AFTER)]
        refused("operand (saved|gradient of .*) is", "backward", [*DENSE, *after], BACKWARD, kind=LSTM)
    for k in range(7):
        shapes = [(7, *shape[1:]) if k == n else shape for n, shape in enumerate(BACKWARD)]
        refused("operand gradient of .* is", "backward", [*DENSE, *AFTER], shapes, kind=LSTM)
    refused("kind is none", "forward", DENSE, FORWARD, kind=7)


def test_operands_of_products():
    tokens, used = jnp.array([0, 2, 9, -4], jnp.int32), jnp.array(4, jnp.int32)
    table, kernel, bias = jnp.arange(6.0).reshape(3, 2), ones(2, 5), jnp.zeros(5)
    rows = call("project", (table, tokens, used, kernel, bias), [(4, 5)])
    np.testing.assert_array_equal(rows[:, 0], [1, 9, 0, 0])  # 9 and -4 are no tokens
    refused("operand used", "project", (table, tokens, used + 1, kernel, bias), [(4, 5)])
    refused("operand used", "project", (table, tokens, used * -1, kernel, bias), [(4, 5)])
    refused("operand kernel", "project", (table, tokens, used, ones(3, 5), bias), [(4, 5)])
    refused("operand rows", "project", (table, tokens, used, kernel, bias), [(3, 5)])
    ascending, shapes = jnp.array([0, 2, 9, -4], jnp.int32), [(3, 2), (2, 5), (5,)]
    back = lambda tokens, used: (table, tokens, jnp.array(used, jnp.int32), kernel, ones(4, 5))
    dtable, dkernel, dbias = call("project_backward", back(ascending, 2), shapes)
    np.testing.assert_array_equal(dtable, [[5, 5], [0, 0], [5, 5]])
    np.testing.assert_array_equal(dkernel[:, 0], [4, 6])
    np.testing.assert_array_equal(dbias, [2] * 5)
    for wrong in (ascending, ascending[::-1], jnp.array([1, 1, 2, 2], jnp.int32)):
        refused("operand tokens does not ascend", "project_backward", back(wrong, 3), shapes)
    refused("operand used", "project_backward", back(ascending, 5), shapes)
    for k, name in enumerate(("table", "kernel", "bias")):
        less = [(1, *shape[1:]) if k == n else shape for n, shape in enumerate(shapes)]
        refused(f"operand gradient of {name}", "project_backward", back(ascending, 2), less)
    bags = jnp.array([[0, 2, -100_000_000], [1, 1, 2**31 - 1]], jnp.int32)
    np.testing.assert_array_equal(call("bags", (bags, none, table), [(2, 2)]), [[4, 6], [4, 6]])
    refused("operand weights", "bags", (bags, ones(2, 2), table), [(2, 2)])
    refused("operand sums", "bags", (bags, none, table), [(3, 2)])
    refused("operand tokens", "bags", (bags.astype(jnp.float32), none, table), [(2, 2)])
    refused("operand sums", "bags_backward", (bags, none, ones(1, 2)), [(3, 2)])
    refused("not float32", "bags", (bags, none, integers(3, 2)), [(2, 2)])
    refused("operand kernel has no rows", "bags", (bags, none, ones(0, 2)), [(2, 2)])


def test_operands_of_convolutions():
    x, kernel, shapes = ones(7, 2, 16), ones(3, 2, 4), [(5, 4, 16)]
    call("convolve", (x, kernel), shapes)
    for operands, message in (
        ((ones(2, 2, 16), kernel), "operand kernel is wider"),
        ((ones(7, 2, 3), kernel), "operand inputs is no whole number of vectors"),
        ((x, ones(3, 1, 4)), "operand kernel"),
        ((ones(7, 2), kernel), "operand inputs"),
    ):
        refused(message, "convolve", operands, shapes)
    refused("operand outputs", "convolve", (x, kernel), [(6, 4, 16)])
    refused("operand outputs", "convolve_inputs", (ones(4, 4, 16), kernel), [(7, 2, 16)])
    refused("operand outputs", "convolve_kernel", (x, ones(4, 4, 16)), [(3, 2, 4)])


def test_operands_of_a_vocabulary():
    x, kernel, bias, targets, weights = ones(4, 2), ones(2, 5), jnp.zeros(5), integers(4), ones(4, 3)
    said = call("judge", (x, kernel, bias, jnp.array([0, 4, 5, -1], jnp.int32)), [(4, 4)])
    np.testing.assert_allclose(said[:, 0], [2] * 4)
    np.testing.assert_allclose(said[:, 2], [2, 2, np.nan, np.nan])  # 5 and -1 are none of the five
    shapes = [(4, 4), (4, 2), (2, 5), (5,)]
    call("judge_gradients", (x, kernel, bias, targets, weights), shapes)
    for operands, message in (
        ((x, ones(3, 5), bias, targets), "operand kernel is"),
        ((x, kernel, jnp.zeros(4), targets), "operand bias is"),
        ((x, kernel, bias, integers(3)), "operand targets is"),
        ((x, kernel, bias, jnp.ones(4)), "operand targets is"),
        ((ones(4), kernel, bias, targets), "operand x is"),
        ((ones(4, 0), ones(0, 5), bias, targets), "operand kernel is empty"),
    ):
        refused(message, "judge", operands, [(4, 4)])
        refused(message, "judge_gradients", (*operands, weights), shapes)
    refused("operand what is said is", "judge", (x, kernel, bias, targets), [(4, 3)])
    refused("operand weights is", "judge_gradients", (x, kernel, bias, targets, ones(4, 2)), shapes)
    for k in range(1, 4):
        less = [(7, *shape[1:]) if k == n else shape for n, shape in enumerate(shapes)]
        refused("operand gradient of .* is", "judge_gradients", (x, kernel, bias, targets, weights), less)


def test_operands_of_the_largest():
    def largest(logits, never, values, columns, total):
        kinds = (values, jnp.float32), (columns, jnp.int32), (total, jnp.float32)
        shapes = [jax.ShapeDtypeStruct(*kind) for kind in kinds]
        return jax.block_until_ready(native_library.call("largest", shapes, logits, never))

    logits, never = jnp.array([[1.0, 3, 2]]), jnp.array([1, 7, -2], jnp.int32)
    values, columns, _ = largest(logits, never, (1, 3), (1, 3), (1,))
    np.testing.assert_array_equal(columns, [[2, 0, 1]])
    np.testing.assert_array_equal(values, [[2, 1, -np.inf]])
    for wrong in (((1, 4), (1, 4), (1,)), ((1, 0), (1, 0), (1,)), ((2, 2), (1, 2), (1,)), ((1, 2), (1, 2), (2,))):
        with pytest.raises(jax.errors.JaxRuntimeError, match="seqjax: operand"):
            largest(logits, never, *wrong)
    with pytest.raises(jax.errors.JaxRuntimeError, match="seqjax: operand never"):
        largest(logits, jnp.ones(2), (1, 2), (1, 2), (1,))


def sanitizer(name):
    """The path of GCC's library of a sanitizer, or None."""
    compiler = shutil.which("g++")
    if compiler is None or platform.system() != "Linux":
        return None
    command = [compiler, f"-print-file-name=lib{name}.so"]
    path = Path(subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip())
    return path if path.is_absolute() else None


@pytest.mark.slow
def test_no_sanitizer_finds_a_fault(tmp_path):
    """Compiled with -fsanitize=address,undefined, in a process that its library is loaded into first."""
    libraries = [sanitizer("asan"), sanitizer("stdc++")]
    if None in libraries:
        pytest.skip("GCC's sanitizers are not installed")
    environment = {
        **os.environ,
        "CXX": "g++",
        "CXXFLAGS": "-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -g1 -O1",
        "XDG_CACHE_HOME": str(tmp_path),
        "LD_PRELOAD": " ".join(map(str, libraries)),
        "ASAN_OPTIONS": "detect_leaks=0:quarantine_size_mb=16",
    }
    script = Path(__file__).with_name("odd_shapes.py")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, env=environment, check=False)
    said = [line for line in done.stderr.splitlines() if "runtime error" in line or "ERROR: AddressSanitizer" in line]
    assert done.returncode == 0, said or done.stderr[-2000:]
    assert done.stdout == "every shape equals scan\n"
    assert len(list(tmp_path.rglob("*.so"))) == 1
