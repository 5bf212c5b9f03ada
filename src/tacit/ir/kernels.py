"""How a contraction is computed with NumPy: everything is prepared once, and a run only calls what was prepared.

There are three ways, and the cheapest by a rough model of time (nanoseconds) is taken:

- BLAS: each factor becomes a stack of matrices, in place where its strides allow that, else gathered into contiguous
  scratch (the "im2col" of a convolution); one call multiplies them. Some row or column axes may be made stack axes when
  many small products are cheaper than gathering.
- Taps: one element-wise pass for each index of the inner axes; copies, sums, scales and depthwise convolutions.
- Reduction: a sum over the inner axes, where one factor is a single number; large pooling.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from itertools import pairwise, product

import numpy as np

from tacit.ir.contraction import Array, Axis, Contraction, Operand, pieces
from tacit.ir.workspace import Way, Workspace

SCRATCH = 1 << 19  # elements of scratch for one piece of an instruction: 2 MB stays in a second-level cache

CALL = 900.0  # ns: one NumPy call
RUN = 7.0  # ns: starting one contiguous run of an element-wise loop
NEAR, FAR = 0.12, 0.5  # ns per element and operand: neighbouring, strided
MULTIPLY = 450.0  # ns: one matrix product within a call


def prepare(problem: Contraction, work: Workspace) -> None:
    """Add the steps that compute a contraction in normal form."""
    for piece in pieces(problem, SCRATCH):
        ways: list[Way] = [(partial(_blas_time, variant), partial(_blas, variant, work)) for variant in _variants(piece)]
        ways += _elementwise_ways(piece, work)
        work.choose(piece, ways)()


# --- element-wise passes ------------------------------------------------------------------------------------------------


def _pass_time(extents: list[int], operands: list[list[int]]) -> float:
    """Estimate one element-wise pass over operands given by their strides."""
    count = math.prod(extents)
    order = sorted(range(len(extents)), key=lambda axis: abs(operands[0][axis]))
    run, near = 1, True
    expected: list[int] | None = None
    for axis in order:
        strides = [operand[axis] for operand in operands]
        if expected is not None and strides != expected:
            break
        if expected is None:
            near = all(stride in (0, 1) for stride in strides)
        run *= extents[axis]
        expected = [stride * extents[axis] for stride in strides]
    return CALL + count * len(operands) * (NEAR if near else FAR) + count / run * RUN


def _elementwise_ways(problem: Contraction, work: Workspace) -> list[Way]:
    count, size = problem.count("inner"), problem.count("stack", "row", "column")
    if count > 4096 or count * size > 64 * SCRATCH:
        return []  # never the cheapest, and a step for each index of the inner axes
    for side, other in (("a", "b"), ("b", "a")):
        factor = work.uniform(problem, other)
        if factor is not None:
            ways: list[Way] = [(partial(_taps_time, problem, side), partial(_sum_taps, problem, work, side, factor))]
            if count > 8:
                ways.append((partial(_reduction_time, problem, side), partial(_reduction, problem, work, side, factor)))
            return ways
    return [(partial(_taps_time, problem, None), partial(_taps, problem, work))]


def _taps_time(problem: Contraction, side: str | None) -> float:
    """Estimate one pass for each index of the inner axes: a sum of one factor, or (None) of products of both."""
    outer = _as_written(problem)
    out = [axis.out for axis in outer]
    passes = [out]
    for name, operand in (("a", problem.a), ("b", problem.b)):
        if side in (name, None):
            passes.append(out if operand.constant else [getattr(axis, name) for axis in outer])
    time = _pass_time([axis.extent for axis in outer], passes)
    return problem.count("inner") * (time if side else 2 * time)


def _reduction_time(problem: Contraction, side: str) -> float:
    axes = _as_written(problem) + problem.role("inner")
    return 2 * CALL + _pass_time([axis.extent for axis in axes], [[getattr(axis, side) for axis in axes], [axis.out for axis in axes]])


def _as_written(problem: Contraction) -> list[Axis]:
    """Give the axes of the output, those with the longest strides first: the order in which memory is walked best."""
    return sorted(problem.role("stack", "row", "column"), key=lambda axis: -abs(axis.out))


def _outer_views(problem: Contraction, work: Workspace, side: str, outer: list[Axis]) -> list[Array]:
    """View one factor over the outer axes, once for each index of the inner axes."""
    operand: Operand = getattr(problem, side)
    inner = problem.role("inner")
    steps = [getattr(axis, side) for axis in inner]
    shifts = [
        sum(index * step for index, step in zip(indices, steps, strict=True))
        for indices in product(*(range(axis.extent) for axis in inner))
    ]
    return [_spread(work, replace(operand, offset=operand.offset + shift), side, outer) for shift in shifts]


def _spread(work: Workspace, operand: Operand, side: str, axes: list[Axis]) -> Array:
    """View an operand; a constant is copied along the innermost axes of the output, for long contiguous runs."""
    extents, strides = [axis.extent for axis in axes], [getattr(axis, side) for axis in axes]
    if not operand.constant or not any(strides):
        return operand.view(extents, strides)
    order = sorted(range(len(axes)), key=lambda axis: -abs(axes[axis].out))
    kept, count = len(order), 1
    while kept > 0 and count < 256:
        kept -= 1
        count *= extents[order[kept]]
    if any(strides[axis] for axis in order[:kept]):
        return operand.view(extents, strides)
    inner = [extents[axis] if place >= kept else 1 for place, axis in enumerate(order)]
    packed = work.packed(operand, inner, [strides[axis] for axis in order])
    return np.broadcast_to(packed.transpose([order.index(axis) for axis in range(len(axes))]), extents)


def _out_view(problem: Contraction, outer: list[Axis]) -> Array:
    return problem.out.view([axis.extent for axis in outer], [axis.out for axis in outer])


def _sum_taps(problem: Contraction, work: Workspace, side: str, factor: float) -> None:
    """Add up views of one operand, scaled by one number."""
    outer = _as_written(problem)
    out, taps = _out_view(problem, outer), _outer_views(problem, work, side, outer)
    scale = np.full((), factor, np.float32)
    if problem.accumulate:
        if factor == 1.0 or factor == -1.0:
            combine = np.add if factor == 1.0 else np.subtract
            for tap in taps:
                work.add(combine, out, tap, out)
        else:
            total = work.scratch("product", list(out.shape))
            _add_up(work, taps, total)
            work.add(np.multiply, total, scale, total)
            work.add(np.add, out, total, out)
        _finish(problem, work, out, outer)
        return
    if factor == 1.0 and len(taps) == 1:
        _epilogue(problem, work, taps[0], out, outer)
        return
    if len(taps) == 1:
        work.add(np.multiply, taps[0], scale, out)
    else:
        _add_up(work, taps, out)
        if factor != 1.0:
            work.add(np.multiply, out, scale, out)
    _finish(problem, work, out, outer)


def _add_up(work: Workspace, taps: list[Array], total: Array) -> None:
    if len(taps) == 1:
        work.add(np.copyto, total, taps[0])
        return
    work.add(np.add, taps[0], taps[1], total)
    for tap in taps[2:]:
        work.add(np.add, total, tap, total)


def _taps(problem: Contraction, work: Workspace) -> None:
    """Multiply and add element-wise, one pass for each index of the inner axes."""
    outer = _as_written(problem)
    out = _out_view(problem, outer)
    term = work.scratch("product", list(out.shape))
    started = problem.accumulate
    for a, b in zip(_outer_views(problem, work, "a", outer), _outer_views(problem, work, "b", outer), strict=True):
        if started:
            work.add(np.multiply, a, b, term)
            work.add(np.add, out, term, out)
        else:
            work.add(np.multiply, a, b, out)
        started = True
    _finish(problem, work, out, outer)


def _reduction(problem: Contraction, work: Workspace, side: str, factor: float) -> None:
    """Sum one operand over the inner axes."""
    outer, inner = _as_written(problem), problem.role("inner")
    out = _out_view(problem, outer)
    operand: Operand = getattr(problem, side)
    axes = outer + inner
    taps = operand.view([axis.extent for axis in axes], [getattr(axis, side) for axis in axes])
    total = work.scratch("product", list(out.shape))
    work.add(np.add.reduce, taps, tuple(range(len(outer), len(axes))), None, total)
    if factor != 1.0:
        work.add(np.multiply, total, np.full((), factor, np.float32), total)
    _epilogue(problem, work, total, out, outer)


# --- what follows the product -------------------------------------------------------------------------------------------


def _bias_view(problem: Contraction, axes: list[Axis], work: Workspace) -> Array | None:
    """View the bias along some axes of the output."""
    if problem.bias is None:
        return None
    return _spread(work, problem.bias, "bias", axes)


def _finish(problem: Contraction, work: Workspace, out: Array, axes: list[Axis]) -> None:
    """Add the bias and apply the ReLU in place."""
    bias = _bias_view(problem, axes, work)
    if bias is not None:
        work.add(np.add, out, bias, out)
    if problem.relu:
        work.relu(out, out)


def _epilogue(problem: Contraction, work: Workspace, product_: Array, out: Array, axes: list[Axis]) -> None:
    """Write a product (not in place) with bias, accumulation and ReLU."""
    bias = _bias_view(problem, axes, work)
    if problem.accumulate:
        work.add(np.add, out, product_, out)
        _finish(problem, work, out, axes)
    elif bias is not None:
        work.add(np.add, product_, bias, out)
        if problem.relu:
            work.relu(out, out)
    elif problem.relu:
        work.relu(product_, out)
    else:
        work.add(np.copyto, out, product_)


# --- BLAS ---------------------------------------------------------------------------------------------------------------


def _variants(problem: Contraction) -> list[Contraction]:
    """Give the problem with none, one or more of its outermost rows and columns made stack axes."""
    rows, columns = problem.role("row"), problem.role("column")
    found = []
    for i in range(len(rows) + 1):
        for j in range(len(columns) + 1):
            promoted = [replace(axis, role="stack") for axis in rows[:i] + columns[:j]]
            axes = (*problem.role("stack"), *promoted, *rows[i:], *columns[j:], *problem.role("inner"))
            found.append(replace(problem, axes=axes))
    return found


def _folded(axes: list[Axis], side: str) -> int | None:
    """Give the stride of several axes taken as one, if it has one (0 for no axes)."""
    for outer, inner in pairwise(axes):
        if getattr(outer, side) != getattr(inner, side) * inner.extent:
            return None
    return int(getattr(axes[-1], side)) if axes else 0


def _matrix_strides(lines: list[Axis], inner: list[Axis], side: str) -> tuple[int, int] | None:
    """Give the strides of a factor as a matrix that BLAS can read in place, or None."""
    line, step = _folded(lines, side), _folded(inner, side)
    if line is None or step is None:
        return None
    n, k = math.prod(axis.extent for axis in lines), math.prod(axis.extent for axis in inner)
    if k == 1:
        return (line, 1) if n == 1 or line >= 1 else None
    if n == 1:
        return (k, 1) if step == 1 else (1, step) if step > 1 else None
    if (step == 1 and line >= k) or (line == 1 and step >= n):
        return line, step
    return None


def _gather_orders(problem: Contraction, side: str, lines: list[Axis], inner: list[Axis]) -> tuple[float, bool]:
    """Estimate gathering a factor; say whether the inner axes should be the outer ones of the scratch."""
    stack = [axis for axis in problem.role("stack") if getattr(axis, side) != 0]

    def time(axes: list[Axis]) -> float:
        extents = [axis.extent for axis in axes]
        dense = [math.prod(extents[place + 1 :]) for place in range(len(extents))]
        return _pass_time(extents, [dense, [getattr(axis, side) for axis in axes]])

    plain, turned = time(stack + lines + inner), time(stack + inner + lines)
    return (turned, True) if turned < plain else (plain, False)


def _blas_time(problem: Contraction) -> float:
    rows, columns, inner = problem.role("row"), problem.role("column"), problem.role("inner")
    total = CALL
    for side, lines, operand in (("a", rows, problem.a), ("b", columns, problem.b)):
        if not operand.constant and _matrix_strides(lines, inner, side) is None:
            total += _gather_orders(problem, side, lines, inner)[0]
    products = problem.count("stack")
    m, n, k = problem.count("row"), problem.count("column"), problem.count("inner")
    total += products * (MULTIPLY + m * n * k * 0.02 * (1 + 6 / min(m, n)) + (m + n) * k * 0.05)
    direct = not problem.accumulate and _matrix_strides(rows, columns, "out") is not None
    outer = problem.role("stack", "row", "column")
    extents = [axis.extent for axis in outer]
    if not direct:
        dense = [math.prod(extents[place + 1 :]) for place in range(len(extents))]
        total += _pass_time(extents, [[axis.out for axis in outer], dense])
    return total


def _matrix(problem: Contraction, work: Workspace, side: str, lines: list[Axis], inner: list[Axis]) -> Array:
    """Give a factor as matrices [stack..., lines, inner], gathering it in a step if it must be."""
    operand: Operand = getattr(problem, side)
    stack = problem.role("stack")
    strides = [getattr(axis, side) for axis in stack]
    n, k = math.prod(axis.extent for axis in lines), math.prod(axis.extent for axis in inner)
    matrix = _matrix_strides(lines, inner, side)
    if matrix is not None:
        return operand.view([axis.extent for axis in stack] + [n, k], [*strides, *matrix])
    counts = [axis.extent if stride else 1 for axis, stride in zip(stack, strides, strict=True)]
    turned = _gather_orders(problem, side, lines, inner)[1]
    order = inner + lines if turned else lines + inner
    extents = counts + [axis.extent for axis in order]
    source = strides + [getattr(axis, side) for axis in order]
    if operand.constant:
        gathered = work.packed(operand, extents, source)
    else:
        gathered = work.scratch(side, extents)
        work.add(np.copyto, gathered, operand.view(extents, source))
    matrices = gathered.reshape([*counts, k, n] if turned else [*counts, n, k])
    matrices = matrices.swapaxes(-1, -2) if turned else matrices
    return np.broadcast_to(matrices, [axis.extent for axis in stack] + [n, k])


def _blas(problem: Contraction, work: Workspace) -> None:
    """Multiply stacks of matrices."""
    stack, rows, columns, inner = problem.role("stack"), problem.role("row"), problem.role("column"), problem.role("inner")
    a = _matrix(problem, work, "a", rows, inner)
    b = _matrix(problem, work, "b", columns, inner).swapaxes(-1, -2)
    m, n = a.shape[-2], b.shape[-1]
    outer = [*stack, *rows, *columns]
    out = _out_view(problem, outer)
    place = None if problem.accumulate else _matrix_strides(rows, columns, "out")
    counts = [axis.extent for axis in stack]
    if place is not None:
        target = problem.out.view([*counts, m, n], [*[axis.out for axis in stack], *place])
        work.add(np.matmul, a, b, target)
        _finish(problem, work, out, outer)
        return
    across = min((abs(axis.out) for axis in rows), default=1 << 62) < min((abs(axis.out) for axis in columns), default=1 << 62)
    if across:
        result = work.scratch("product", [*counts, n, m])
        work.add(np.matmul, b.swapaxes(-1, -2), a.swapaxes(-1, -2), result)
        order = [*stack, *columns, *rows]
        finished = result.reshape([axis.extent for axis in order])
        _epilogue(problem, work, finished, _out_view(problem, order), order)
    else:
        result = work.scratch("product", [*counts, m, n])
        work.add(np.matmul, a, b, result)
        _epilogue(problem, work, result.reshape([axis.extent for axis in outer]), out, outer)
