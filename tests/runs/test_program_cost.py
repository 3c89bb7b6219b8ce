"""What a program does is counted as by hand, and as XLA does where there is no loop; what it costs, by arithmetic."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.layers.recurrent import LSTM
from seqjax.runs.chips import CHIPS, Chip, Rates, exchange, predict, seconds
from seqjax.runs.program_cost import Compiled, Cost


def compiled(function, *shapes):
    program = jax.jit(function).lower(*(jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes)).compile()
    return Compiled(program.as_text()), program.cost_analysis()


def total(costs, name):
    return sum(getattr(cost, name) * cost.times for cost in costs)


def test_products_are_counted_as_by_hand_and_as_xla_does():
    read, analysis = compiled(lambda x, w, v: jnp.tanh(x @ w) @ v, (32, 50), (50, 70), (70, 8))
    costs = read.costs()
    assert total(costs, "flops") == 2 * 32 * 50 * 70 + 2 * 32 * 70 * 8
    assert total(costs, "curves") == 32 * 70
    assert total(costs, "flops") + total(costs, "elements") == pytest.approx(
        analysis["flops"] + analysis.get("transcendentals", 0), rel=0.02
    )
    assert total(costs, "bytes") == pytest.approx(analysis["bytes accessed"], rel=0.1)


def test_a_loop_counts_as_often_as_it_runs():
    def run(x, w):
        return jax.lax.scan(lambda h, _: (jnp.tanh(h @ w), None), x, None, 37)[0]

    read, analysis = compiled(run, (16, 24), (24, 24))
    assert total(read.costs(), "flops") == 37 * 2 * 16 * 24 * 24
    assert read.unknown == 0
    assert analysis["flops"] < total(read.costs(), "flops") / 10  # XLA's own count of it, once


def test_a_loop_of_a_length_that_nobody_knows_is_told():
    read, _ = compiled(lambda x: jax.lax.while_loop(lambda y: y.sum() < 9, lambda y: y * 2, x), (4,))
    read.costs()
    assert read.unknown == 1


def test_a_slice_of_a_large_array_reads_a_slice():
    def run(x):
        return jax.lax.scan(lambda h, row: (h + row, None), jnp.zeros(8), x)[0]

    read, _ = compiled(run, (1000, 8))
    assert total(read.costs(), "bytes") < 1000 * 8 * 4 * 12  # not a thousand times the array


def test_a_convolution_is_counted_as_by_hand():
    def run(x, w):
        return jax.lax.conv_general_dilated(x, w, (1,), "VALID", dimension_numbers=("NWC", "WIO", "NWC"))

    read, _ = compiled(run, (4, 30, 6), (5, 6, 9))
    assert total(read.costs(), "flops") == 2 * 4 * 26 * 9 * 5 * 6


def test_an_lstms_products_are_those_of_its_equations():
    layer, inputs = LSTM(16, backend="fused"), jnp.ones((8, 20, 3))
    params = layer.init(jax.random.key(0), inputs)
    program = jax.jit(lambda p, x: layer.apply(p, x)).lower(params, inputs).compile()
    assert total(Compiled(program.as_text()).costs(), "flops") == 8 * 20 * 2 * (3 + 1 + 16) * 64  # the bias is a row


TOY = Chip("toy", 100.0, 50.0, 10.0, 2.0, 4, 1.0, 0.5, 0.25, 3600.0)


def test_a_kernel_waits_for_what_is_slowest_and_for_its_start():
    rates = Rates(lambda _: 100.0, 50.0, 5.0, lambda _: 10.0, 0.5)
    assert seconds([Cost("dot", 200.0, 0.0, 10.0, 3)], rates) == 3 * (0.5 + 2.0)
    assert seconds([Cost("copy", 0.0, 0.0, 100.0, 2)], rates) == 2 * (0.5 + 10.0)
    assert seconds([Cost("fusion", 100.0, 50.0, 1.0, 1, 5.0)], rates) == 0.5 + 1 + 1 + 1
    assert seconds([Cost("all-reduce", 0.0, 0.0, 1e9, 1, 0.0, 7.0)], rates) == 0


def test_an_exchange_goes_round_the_ring():
    costs = [Cost("all-reduce", 0.0, 0.0, 8.0, 2, 0.0, 8.0)]
    assert exchange(costs, TOY, 1) == 0
    assert exchange(costs, TOY, 2) == 2 * (2 * 1 / 2 * 8 / 2 + 2 * 1 * 0.25)
    assert exchange(costs, TOY, 4) == 2 * (2 * 3 / 4 * 8 / 2 + 2 * 2 * 0.25)
    assert exchange(costs, TOY, 8) == pytest.approx(exchange(costs, TOY, 4) + 2 * (2 * 1 / 2 * 2 / 1 + 2 * 2 * 0.25))


def test_what_goes_with_the_rows_is_shared_and_idle_chips_are_paid_for():
    one, eight = [Cost("dot", 1700.0, 0.0, 0.0, 1)], [Cost("dot", 300.0, 0.0, 0.0, 1)]  # 100 + 1600 / chips
    times = [predict(one, eight, TOY, count, rows=4).roofline for count in (1, 2, 4, 64)]
    np.testing.assert_allclose(times, [17.0, 9.0, 5.0, 5.0])
    found = predict(one, eight, TOY, 64, rows=4)
    assert found.used == 4
    assert found.dollars(10) == pytest.approx(10 * found.likely * 64)


def test_the_table_of_chips_is_whole():
    assert [chip.name for chip in CHIPS] == ["H100", "H200", "TPU v5e", "TPU v6e"]
    assert all(math.isfinite(value) and value > 0 for chip in CHIPS for value in list(vars(chip).values())[1:])
