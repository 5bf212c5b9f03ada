"""Run an integer graph with plain loops over Python's whole numbers: slow, and so short that it can be checked by eye."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tacit.ir.integer import IntegerGraph, IntegerMatmul
from tacit.ir.integer_interpreter import quantised
from tacit.ir.reference import address

LEAST, MOST = -(1 << 31), (1 << 31) - 1


def fit(value: int) -> int:
    """Give a number that has to be a 32-bit one."""
    if not LEAST <= value <= MOST:
        raise OverflowError(value)
    return value


def round_shift(x: int, s: int) -> int:
    return fit(x + ((1 << s) >> 1)) >> s


def run_integer_reference(graph: IntegerGraph, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Run on one example (arrays without a batch axis); every intermediate is held against 32 bits."""
    memory: dict[str, list[int]] = {}
    for buffer in graph.buffers:
        memory[buffer.name] = [buffer.zero if buffer.zeroed else 10**9] * buffer.size
    for name, values in graph.weights.items():
        memory[name] = values.reshape(-1).tolist()
    for buffer, value in zip(graph.of_kind("input"), inputs, strict=True):
        memory[buffer.name] = quantised(buffer, np.asarray(value)).reshape(-1).tolist()
    arrays = {name: np.array(values, object) for name, values in memory.items()}
    for step in graph.instructions:
        rule, out = step.requantise, graph.buffer(step.out.buffer)
        for place in np.ndindex(*step.out.shape):
            if isinstance(step, IntegerMatmul):
                total = matmul_sum(step, place, graph, arrays)
            else:
                total = arrays[step.x.buffer][address(step.x, place, arrays)] - graph.buffer(step.x.buffer).zero
            where = address(step.out, place, arrays)
            multiplier = arrays[rule.multiplier.buffer][address(rule.multiplier, place, arrays)]
            made = fit(round_shift(fit(total), rule.before) * multiplier)
            if isinstance(step, IntegerMatmul) and step.accumulate:
                made = fit(made + fit((arrays[step.out.buffer][where] - rule.old_zero) * rule.addend))
            arrays[step.out.buffer][where] = min(max(fit(out.zero + round_shift(made, rule.after)), rule.low), rule.high)
    return [np.array(arrays[buffer.name].tolist()).reshape(buffer.shape) for buffer in graph.of_kind("output")]


def matmul_sum(step: IntegerMatmul, place: tuple[int, ...], graph: IntegerGraph, arrays: dict[str, np.ndarray]) -> int:
    axes = step.axes
    batch, row, column = place[: axes.batch], place[axes.batch : axes.batch + axes.rows], place[axes.batch + axes.rows :]
    total = 0
    if step.bias is not None:
        total += arrays[step.bias.buffer][address(step.bias, batch + column, arrays)]
    for k in np.ndindex(*step.a.shape[axes.batch + axes.rows :]):
        left = arrays[step.a.buffer][address(step.a, batch + row + k, arrays)] - graph.buffer(step.a.buffer).zero
        right = arrays[step.b.buffer][address(step.b, batch + k + column, arrays)] - graph.buffer(step.b.buffer).zero
        total = fit(total + left * right)
    return total
