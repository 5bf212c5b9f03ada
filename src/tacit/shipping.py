"""From a trained network to a binary: lowered, held against PyTorch, and measured as it is shipped."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import nn

from tacit.binary.binary import MAIN, Binary
from tacit.binary.probes import record_probes
from tacit.evidence import costs_of, goals_of, labels_of, scores_of, versions
from tacit.examples.examples import Examples
from tacit.goals.own import own_scores
from tacit.ground.budget import latency_seconds
from tacit.ground.errors import ConfigError, InputError
from tacit.ir.graph import Graph
from tacit.ir.interpreter import evaluate
from tacit.ir.linking import sharing_names
from tacit.ir.verifier import verify
from tacit.lowering.lower import Lowered, lower_module
from tacit.passes.pipeline import optimise
from tacit.program import Program
from tacit.search.evolution_judging import try_scores
from tacit.search.scoring import scores_by
from tacit.search.search import Examined
from tacit.search.workers import Here, Workers
from tacit.signature.base import ArraySpec, Signature
from tacit.targets.c.predicting import nominal_clock, predicted_cycles

#: The scores of the lowered program may differ from PyTorch's by so much, relative to the greatest score.
TOLERANCE = 1e-4


def examine(network: nn.Module, program: Program, train: Examples, evaluated: int) -> Examined:
    """Lower an untrained network: it is refused before time is spent on it, and its exact costs are known.

    train: some of its inputs are run, to tell the pace. evaluated: how many examples are to be scored in the end.
    Scores of one's own are tried on it, too. Raises: LoweringError; InputError for a score that does not work.
    """
    try_scores(program, network)
    _lower_anything()
    begun = time.monotonic()
    graph = lower_network(_as_trained(network), program).graph
    lowering = time.monotonic() - begun
    some = [array[:512] for array in train.inputs]
    evaluate(graph, some)  # the first run decides how to compute each instruction; only the second tells the pace
    begun = time.monotonic()
    evaluate(graph, some)
    per_example = (time.monotonic() - begun) / max(1, len(some[0]))
    return Examined(_costs(graph, program), reserve=1.0 + 1.5 * lowering + 1.25 * per_example * evaluated)


def costs(network: nn.Module, program: Program) -> dict[str, float]:
    """Lower an untrained network and give its exact costs, with the latency that is predicted where the budget limits it."""
    _lower_anything()
    return _costs(lower_network(_as_trained(network), program).graph, program)


def _as_trained(network: nn.Module) -> nn.Module:
    """Copy an untrained network with a little noise on all that is learnt.

    Before training whole tensors are equal (a branch begins as zeros, so do biases), and lowering keeps equal weights once: without noise
    the bytes of weights would be those of a network that was never trained.
    """
    noisy, generator = copy.deepcopy(network), torch.Generator().manual_seed(0)
    norms = [part for part in noisy.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]
    learnt = [*noisy.parameters(), *(norm.running_mean for norm in norms), *(norm.running_var for norm in norms)]
    with torch.no_grad():
        for tensor in learnt:
            if tensor is not None and tensor.is_floating_point():
                tensor += 0.01 * torch.rand(tensor.shape, generator=generator).to(tensor)
    return noisy


def _costs(graph: Graph, program: Program) -> dict[str, float]:
    found: dict[str, float] = dict(costs_of(graph))
    if program.budget.latency is not None:
        clock = latency_seconds(program.budget.latency)[1]
        found["latency"] = predicted_cycles(graph, program.signature) / (clock or nominal_clock())
    return found


@cache
def _lower_anything() -> None:
    """Lower the smallest network once: the exporter's first use takes seconds that later ones don't."""
    lower_module(nn.Linear(1, 1), (ArraySpec("x", (1,), "float32", ("number",)),))


def lower_network(network: nn.Module, program: Program) -> Lowered:
    """Lower a network to the two operations, as its program allows (`train.approximate`), and optimise the graph. Raises: LoweringError."""
    specs = program.signature.input.arrays
    approximate = program.recipe.get("approximate")
    lowered = lower_module(copy.deepcopy(network).cpu().eval(), specs, approximate=approximate)
    graph: Graph = optimise(lowered.graph)
    return Lowered(graph, lowered.approximations, lowered.max_relative_error)


@dataclass(frozen=True, eq=False)
class Entries:
    """Graphs that stand beside ``main``, and the signatures of those that a person calls."""

    graphs: Mapping[str, Graph] = field(default_factory=dict)
    signatures: Mapping[str, Signature] = field(default_factory=dict)


def entries_of(network: nn.Module, main: Graph, program: Program) -> tuple[Graph, Entries]:
    """Lower the entry points that a network declares; give ``main`` and them with one name for each weight that they share.

    A network that has some gives ``entry_points()``: name -> (module, its inputs as ArraySpecs), or (module, inputs, signature) where a
    person can call it. The modules are parts of the network: what they compute with is what ``main`` computes with.
    Raises: LoweringError; ConfigError for a name that is taken or can't be one.
    """
    declared = getattr(network, "entry_points", None)
    if declared is None:
        return main, Entries()
    graphs, signatures = {MAIN: main}, {}
    for name, (module, specs, *signature) in declared().items():
        if name == MAIN or not name.isidentifier():
            raise ConfigError(f"expected an entry point called by a word other than `{MAIN}`, got `{name}`", fix="rename it: `encode`")
        lowered = lower_module(copy.deepcopy(module).cpu().eval(), specs, approximate=program.recipe.get("approximate"))
        graphs[name] = optimise(lowered.graph)
        verify(graphs[name])
        if signature:
            signatures[name] = signature[0]
    shared = sharing_names(graphs, MAIN)
    return shared.pop(MAIN), Entries(shared, signatures)


def ship(
    network: nn.Module,
    program: Program,
    *,
    learnt: Examples,
    measured: Sequence[str] = ("validation", "test"),
    last: Callable[[], Mapping[str, Any]] = dict,
    lowered: Lowered | None = None,
    entries: Entries | None = None,
    workers: Workers | None = None,
) -> Binary:
    """Lower a network, hold it against PyTorch, and measure it: the scores are those of the shipped binary.

    learnt: the examples that its weights have seen. measured: the splits to score. last: gives what else stands in the evidence; asked
    when all else is done, so that it can tell the time. lowered, entries: where the caller has lowered it already; else the entry points
    that the network declares are shipped with it. workers: who scores large splits.
    Raises: LoweringError; InputError when the lowered program differs.
    """
    lowered = lower_network(network, program) if lowered is None else lowered
    if entries is None:
        main, entries = entries_of(network, lowered.graph, program)
        lowered = replace(lowered, graph=main)
    verify(lowered.graph)
    validation = program.examples.split("validation")
    probe = validation if len(validation) else learnt
    difference = _difference(network, lowered.graph, probe)
    if difference > TOLERANCE and not lowered.approximations:
        raise InputError(
            f"expected the lowered program to compute what PyTorch does within {TOLERANCE}, got a relative difference of {difference:.2e}",
            fix="report this with the skeleton; nothing was written",
        )
    bare = Binary({MAIN: lowered.graph}, program.signature)
    scores = {}
    for name in measured:
        examples = program.examples.split(name)
        block = scores_of(scores_by(workers or Here(), lowered.graph, examples.inputs), examples) if len(examples) else {}
        block |= own_scores(program.goals, bare, examples, name)
        if block:
            scores[name] = block
    evidence: dict[str, Any] = {
        "name": program.name,
        "scores": scores,
        "goals": goals_of(program, scores),
        "costs": costs_of(lowered.graph),
        "lowering": {
            "max_relative_error": difference,
            "approximations": [asdict(approximation) for approximation in lowered.approximations],
        },
        "labels": labels_of(program),
        "versions": versions(),
    }
    evidence |= last()
    evidence["probes"] = record_probes(bare, [array[:4] for array in probe.inputs])
    graphs = {MAIN: lowered.graph, **entries.graphs}
    return Binary(graphs, program.signature, evidence=json.loads(json.dumps(evidence)), signatures=entries.signatures)


def _difference(network: nn.Module, graph: Graph, examples: Examples, *, count: int = 64) -> float:
    """Give the greatest difference between the interpreter and PyTorch in float32, relative to the greatest score."""
    arrays = [array[:count] for array in examples.inputs]
    specs = examples.signature.input.arrays
    tensors = [torch.from_numpy(np.ascontiguousarray(array)) for array in arrays]
    tensors = [tensor if spec.limit is not None else tensor.float() for tensor, spec in zip(tensors, specs, strict=True)]
    with torch.inference_mode():
        wanted = copy.deepcopy(network).cpu().eval()(*tensors).numpy()
    got = evaluate(graph, arrays)[0].reshape(wanted.shape)
    # The scores of a `Number` are in standard deviations: near 0 they are compared as they are.
    least = 1.0 if examples.signature.output.kind == "number" else 1e-12
    return float(np.abs(got - wanted).max() / max(float(np.abs(wanted).max()), least))
