"""Lower a PyTorch module to a graph of the two operations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from tacit.ground.errors import LoweringError, raise_all
from tacit.ir.graph import Graph
from tacit.ir.interpreter import evaluate
from tacit.ir.verifier import verify
from tacit.lowering.arithmetic import on_tables
from tacit.lowering.borders import Borders, operation
from tacit.lowering.context import Approximation, Context, Refused
from tacit.lowering.emitter import Emitter
from tacit.lowering.export import Traced, as_tuple, sample_arrays, source_of, trace
from tacit.lowering.lookup import Lookup
from tacit.lowering.ranges import find_ranges
from tacit.lowering.rules import FALLBACK, INSTEAD, RULES
from tacit.lowering.strided import insert_axis, row_major
from tacit.signature.base import ArraySpec

SAMPLES = 4  # examples on which the lowered graph is compared with PyTorch


@dataclass(frozen=True, eq=False)
class Lowered:
    """A lowered module.

    approximations: the functions that became sums of ReLUs. max_relative_error: the greatest ``max|a - b| / max|b|`` of the
    interpreter's outputs a against PyTorch's b on sampled inputs.
    """

    graph: Graph
    approximations: tuple[Approximation, ...]
    max_relative_error: float


def lower_module(
    module: torch.nn.Module,
    inputs: Sequence[ArraySpec],
    *,
    approximate: float | None = None,
    samples: Sequence[np.ndarray] | None = None,
) -> Lowered:
    """Lower `module`, in evaluation mode, to a graph for one example.

    inputs: what the module's forward takes, batch first: float32[batch, *shape], or int32 where `limit` is given.
    approximate: the greatest error allowed to a pointwise function that is replaced by ReLUs (None: such functions are
    refused). samples: arrays [example, *shape], one per input, to compare on (random ones when not given).

    Raises: LoweringError that names every operation which is not within the two operations, its line, and what to write
    instead; or when the module mixes the examples of a batch.

    >>> from tacit.signature.base import ArraySpec
    >>> lowered = lower_module(torch.nn.Linear(3, 2), [ArraySpec("x", (3,), "float32", ("column",))])
    >>> len(lowered.graph.instructions), lowered.max_relative_error < 1e-4
    (1, True)
    """
    was_training = module.training
    module.eval()
    try:
        arrays = (
            sample_arrays(inputs, batch=SAMPLES)
            if samples is None
            else tuple(_as_input(a, s) for a, s in zip(samples, inputs, strict=True))
        )
        _run_once(module, inputs, arrays)
        traced = trace(module, inputs)
        with torch.no_grad():
            graph, approximations = _lower(traced, inputs, approximate)
            expected = _checked_batch(module, arrays)
    finally:
        module.train(was_training)
    verify(graph)
    found = evaluate(graph, [array.numpy() for array in arrays])
    return Lowered(graph, approximations, _relative_error(found, expected))


def _as_input(array: np.ndarray, spec: ArraySpec) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array).astype(np.float32 if spec.limit is None else np.int32))


def _run_once(module: torch.nn.Module, inputs: Sequence[ArraySpec], arrays: tuple[torch.Tensor, ...]) -> None:
    """Run the module on one example. Raises: LoweringError when it does not take these inputs."""
    try:
        with torch.no_grad():
            outputs = as_tuple(module(*(array[:1] for array in arrays)))
    except Exception as error:
        given = ", ".join(f"{spec.name}: {'float32' if spec.limit is None else 'int32'}{[1, *spec.shape]}" for spec in inputs)
        raise LoweringError(
            f"expected a module that takes {given}, but {type(module).__name__} fails on it",
            cause=f"torch says: {str(error).splitlines()[0] if str(error) else type(error).__name__}",
            fix="call the module on such arrays by hand; the batch is axis 0, images are [batch, y, x, channel]",
        ) from error
    others = [type(output).__name__ for output in outputs if not isinstance(output, torch.Tensor)]
    if others or not outputs:
        raise LoweringError(
            f"expected a tensor or a tuple of tensors, {type(module).__name__} gives {others[0] if others else 'nothing'}",
            fix="return the scores, float32[batch, width]",
        )


def _checked_batch(module: torch.nn.Module, arrays: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    """Run the module on all samples; refuse it when one example's result depends on another's or the batch axis is lost."""
    single = [as_tuple(module(*(array[row : row + 1] for array in arrays))) for row in range(len(arrays[0]))]
    batch = len(arrays[0])
    problem = None
    try:
        together = as_tuple(module(*arrays))
    except RuntimeError as error:
        problem = f"torch says for a batch of {batch}: {str(error).splitlines()[0]}"
        together = ()
    for place, output in enumerate(together):
        alone = single[0][place]
        if alone.dim() == 0 or alone.shape[0] != 1 or output.shape != (batch, *alone.shape[1:]):
            problem = f"output {place} has shape {list(output.shape)} for a batch of {batch} and {list(alone.shape)} for one example"
            break
        apart = torch.cat([row[place] for row in single])
        scale = float(apart[apart.isfinite()].abs().max()) if bool(apart.isfinite().any()) else 0.0
        if not torch.allclose(output, apart, rtol=1e-3, atol=1e-3 * scale, equal_nan=True):
            problem = f"output {place} of an example changes with the other examples of its batch"
            break
    if problem is not None:
        raise LoweringError(
            "expected outputs with the batch as their first axis, one row per example",
            cause=problem,
            fix="keep axis 0 apart: `x.flatten(1)`, `x.mean((2, 3))`, `x.reshape(x.shape[0], ...)`",
        )
    return tuple(torch.cat([row[place] for row in single]) for place in range(len(single[0])))


def _relative_error(found: Sequence[np.ndarray], expected: Sequence[torch.Tensor]) -> float:
    worst = 0.0
    for one, other in zip(found, expected, strict=True):
        reference = other.double().numpy().reshape(one.shape)
        scale = float(np.abs(reference).max(initial=0.0))
        difference = float(np.abs(one - reference).max(initial=0.0))
        worst = max(worst, difference / scale if scale > 0 else difference)
    return worst if math.isfinite(worst) else math.inf


def _symbolic(traced: Traced) -> set[torch.fx.Node]:
    found = set(traced.inputs)
    for node in traced.nodes:
        if any(operand in found for operand in node.all_input_nodes):
            found.add(node)
    return found


NONNEGATIVE_AFTER = {"max_pool1d", "max_pool2d", "avg_pool1d", "avg_pool2d", "dropout", "permute", "reshape", "view", "contiguous", "clone"}


def _nonnegative(traced: Traced) -> set[torch.fx.Node]:
    found: set[torch.fx.Node] = set()
    for node in traced.nodes:
        name = operation(node)
        if name in ("relu", "relu_") or (name in NONNEGATIVE_AFTER and node.all_input_nodes and node.all_input_nodes[0] in found):
            found.add(node)
    return found


def _lower(traced: Traced, inputs: Sequence[ArraySpec], approximate: float | None) -> tuple[Graph, tuple[Approximation, ...]]:
    symbolic = _symbolic(traced)
    borders = Borders(traced.nodes, symbolic, _nonnegative(traced))
    context = Context(traced, borders, approximate, find_ranges(traced.nodes), emitter=Emitter())
    _declare_inputs(context, inputs)
    context.values.update(traced.constants)
    problems: list[str] = []
    for node in traced.nodes:
        context.node = node
        try:
            context.values[node] = _value(context, node, symbolic)
        except Refused as refused:
            problems.append(f"{operation(node)} - {source_of(node)}: {refused.reason}; {refused.instead}")
            context.values[node] = _stand_in(context, node)
        except ValueError as error:  # axes that no copy brings together
            problems.append(f"{operation(node)} - {source_of(node)}: {error}; {FALLBACK}")
            context.values[node] = _stand_in(context, node)
    raise_all(problems, heading="expected only operations that are matmuls and ReLUs", error=LoweringError)
    _declare_outputs(context)
    return context.emitter.builder.finish(), tuple(context.approximations)


def _stand_in(context: Context, node: torch.fx.Node) -> Any:
    """Give memory in place of a refused result, so that what comes after is looked at too."""
    made = []
    for value in as_tuple(node.meta["val"]):
        shape = tuple(int(size) for size in value.shape)
        made.append(context.emitter.allocate(node.name, shape, range(len(shape)), ((0, 0),) * len(shape)))
    return made if isinstance(node.meta["val"], tuple | list) else made[0]


def _declare_inputs(context: Context, inputs: Sequence[ArraySpec]) -> None:
    for node, spec in zip(context.traced.inputs, inputs, strict=True):
        integer = spec.limit is not None
        buffer = context.emitter.builder.add_input(spec.name, spec.shape, dtype="int32" if integer else "float32")
        view = insert_axis(row_major(buffer.name, spec.shape), 0)
        if spec.limit is None:
            context.values[node] = view
            continue
        rows = torch.arange(spec.limit).reshape(spec.limit, *([1] * (len(spec.shape) + 1)))
        context.values[node] = Lookup(view, rows.expand(spec.limit, 1, *spec.shape))


def _value(context: Context, node: torch.fx.Node, symbolic: set[torch.fx.Node]) -> Any:
    name = operation(node)
    if node not in symbolic:
        target: Any = node.target
        arguments, options = torch.fx.node.map_arg((node.args, node.kwargs), lambda item: context.values[item])
        return target(*arguments, **options)
    if isinstance(node.args[0] if node.args else None, torch.fx.Node) or name in ("cat", "stack", "einsum", "rsub", "index"):
        found = on_tables(context, node) if name not in _NOT_ELEMENTWISE else None
        if found is not None:
            return found
    rule = RULES.get(name)
    if rule is None:
        raise Refused("is not within the two operations", INSTEAD.get(name, FALLBACK))
    return rule(context, node)


#: Operations that would run on a table of integers but mean something else there.
_NOT_ELEMENTWISE = frozenset(name for name, rule in RULES.items() if rule.__module__.endswith((".shapes", ".pooling", ".products"))) | {
    "softmax",
    "batch_norm",
}


def _declare_outputs(context: Context) -> None:
    for place, output in enumerate(context.traced.outputs):
        context.node = output if isinstance(output, torch.fx.Node) else None
        value = context.get(output)
        shape = tuple(int(size) for size in value.shape)
        if not shape or shape[0] != 1:
            raise LoweringError(
                f"expected outputs of shape [batch, ...], got {list(shape)} for a batch of 1 - at {context.source or 'the output'}",
                fix="keep axis 0: `x.flatten(1)`",
            )
        buffer = context.emitter.builder.add_output("scores" if place == 0 else f"scores_{place + 1}", shape[1:])
        dest = insert_axis(row_major(buffer.name, shape[1:]), 0)
        if not context.sole_reader(output) and not isinstance(value, torch.Tensor):
            value = context.strided(output)
        context.write(value, dest)
