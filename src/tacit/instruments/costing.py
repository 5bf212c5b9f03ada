"""What a run costs on this machine, as machine code: per kernel, in memory, in time, and in instructions for five unlike inputs.

Everything but the times is the same for every input and is known before a run. Predicted: the estimate by which the generator of C
chooses its loops, at the clock of this core. Measured: CPU time of one thread, the least of several rounds. Without a C compiler or
without valgrind the report says so and gives the rest.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tacit.binary.binary import MAIN, Binary
from tacit.binary.probes import probe_inputs
from tacit.ground.errors import MissingPackage, TacitError
from tacit.ground.progress import Reporter
from tacit.instruments.inspection import describe
from tacit.instruments.layout import Grid, Part, count, size
from tacit.ir.graph import Graph
from tacit.ir.integer import IntegerGraph
from tacit.ir.integer_interpreter import IntegerInterpreter
from tacit.ir.interpreter import Interpreter
from tacit.quantisation.quantise import quantise
from tacit.targets.c.counting import INPUTS, count_instructions, counted_isa, five_inputs
from tacit.targets.c.emit import emit_c
from tacit.targets.c.isa import Isa
from tacit.targets.c.machine import native_isa
from tacit.targets.c.profiling import Profile, profile
from tacit.targets.c.toolchain import Compiler, need_compiler
from tacit.targets.target import Source, identifier

_TIMES = 5  # of the interpreter


@dataclass(frozen=True)
class KernelCost:
    """One kernel, after the generator's rewriting: an instruction can be several kernels. Times in seconds; None: not known here."""

    operation: str
    out: str
    macs: int
    cycles: float
    predicted: float | None
    measured: float | None
    source: str


@dataclass(frozen=True)
class RunCost:
    """A run of ``main`` in one arithmetic. Bytes, seconds; instructions: name of an input -> how many it takes.

    isa, counted_isa: what was measured, and what was counted, for valgrind does not know every instruction set. interpreter: seconds of
    one example in NumPy.
    """

    arithmetic: str
    isa: str
    macs: int
    weight_bytes: int
    arena_bytes: int
    stack_bytes: int | None
    cycles: float
    predicted: float | None
    measured: float | None
    interpreter: float
    counted_isa: str
    instructions: dict[str, int] | None
    kernels: tuple[KernelCost, ...]

    @property
    def constant(self) -> bool | None:
        """Tell whether every input takes the same instructions; None when they were not counted."""
        return None if self.instructions is None else len(set(self.instructions.values())) == 1


@dataclass(frozen=True)
class CostReport:
    """What `cost_of` found. clock: cycles per second of this core, None without a compiler. notes: what is missing, and why."""

    name: str
    signature: str
    digest: str
    clock: float | None
    runs: tuple[RunCost, ...]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Give JSON values."""
        document = dataclasses.asdict(self)
        for row, run in zip(document["runs"], self.runs, strict=True):
            row["constant"] = run.constant
        return document

    def parts(self) -> list[Part]:
        """Lay out for a person."""
        shown: list[Part] = [f"{self.name}: {self.signature}", f"digest {self.digest[:24]}"]
        for run in self.runs:
            rows = tuple(
                (str(at), row.operation, row.out, f"{row.macs:,}", f"{row.cycles:,.0f}", _us(row.predicted), _us(row.measured), row.source)
                for at, row in enumerate(run.kernels)
            )
            title = f"{run.arithmetic}, C for {run.isa}"
            shown.append(Grid(title, ("#", "operation", "out", "MACs", "cycles", "predicted µs", "measured µs", "source"), rows))
            shown += ["", *(f"  {line}" for line in _totals(run))]
        return [*shown, *(["", *self.notes] if self.notes else [])]


def cost_of(binary: Binary, *, int8: bool = False, reporter: Reporter | None = None) -> CostReport:
    """Say what a run of entry point ``main`` costs here, with `int8` also in 8-bit integers.

    The integers are calibrated on the inputs that the file carries, or else on drawn ones: enough for costs, not for answers.
    """
    reporter, notes = reporter or Reporter(), []
    graph = binary.graphs[MAIN]
    inputs = [np.asarray(array) for array in probe_inputs(binary)] or _drawn(binary)
    graphs: list[tuple[str, Graph | IntegerGraph]] = [("float32", graph)]
    if int8:
        reporter.phase("making int8")
        try:
            graphs.append(("int8", quantise(graph, inputs)))
        except TacitError as error:
            notes.append(f"no int8: {error}")
    compiler = _compiler(notes)
    clocks, runs = [], []
    for arithmetic, each in graphs:
        source = Source(identifier(str(binary.evidence.get("name") or "")), {MAIN: each}, binary.signature, binary.digest)
        reporter.phase(f"measuring {arithmetic}")
        measured = _measured(source, compiler, inputs, notes)
        reporter.phase(f"counting instructions of {arithmetic}")
        counted = _counted(source, compiler, notes)
        runs.append(_run(arithmetic, source, native_isa(), measured, counted, _interpreted(each, inputs)))
        clocks += [measured.clock] if measured is not None else []
    name = str(binary.evidence.get("name") or "binary")
    return CostReport(name, str(binary.signature), binary.digest, max(clocks, default=None), tuple(runs), tuple(dict.fromkeys(notes)))


def _drawn(binary: Binary) -> list[np.ndarray]:
    """Draw a few inputs: rows of tables at random, numbers around 0."""
    source = Source("drawn", {MAIN: binary.graphs[MAIN]}, binary.signature, binary.digest)
    examples = [five_inputs(source, seed=seed)[INPUTS.index("random")] for seed in range(8)]
    return [np.stack(column) for column in zip(*examples, strict=True)]


def _compiler(notes: list[str]) -> Compiler | None:
    try:
        return need_compiler()
    except MissingPackage as error:
        notes.append(f"not measured, not counted: {error.message}; try: {error.fix}")
        return None


def _measured(source: Source, compiler: Compiler | None, inputs: Sequence[np.ndarray], notes: list[str]) -> Profile | None:
    if compiler is None:
        return None
    try:
        return profile(source, native_isa(), compiler, [array[0] for array in inputs])
    except TacitError as error:
        notes.append(f"not measured: {error}")
        return None


def _counted(source: Source, compiler: Compiler | None, notes: list[str]) -> dict[str, int] | None:
    if compiler is None:
        return None
    try:
        return dict(zip(INPUTS, count_instructions(source, compiler, five_inputs(source)), strict=True))
    except MissingPackage as error:
        notes.append(f"instructions not counted: {error.message}; try: {error.fix}")
    except TacitError as error:
        notes.append(f"instructions not counted: {error}")
    return None


def _interpreted(graph: Graph | IntegerGraph, inputs: Sequence[np.ndarray]) -> float:
    """Time the interpreter on one example, in seconds."""
    run = Interpreter(graph) if isinstance(graph, Graph) else IntegerInterpreter(graph)
    one, times = [array[:1] for array in inputs], []
    for _ in range(_TIMES):
        start = time.perf_counter()
        run(one)
        times.append(time.perf_counter() - start)
    return min(times)


def _run(
    arithmetic: str, source: Source, isa: Isa, measured: Profile | None, counted: dict[str, int] | None, interpreter: float
) -> RunCost:
    generated = emit_c(source, isa)
    steps, kernels = generated.steps[MAIN], []
    for number, step in enumerate(steps):
        operation, out, *_ = describe(step.instruction)
        predicted = None if measured is None else step.cycles / measured.clock
        taken = None if measured is None else measured.kernels[number]
        kernels.append(KernelCost(operation, out, step.macs, step.cycles, predicted, taken, step.instruction.source))
    cycles = sum(step.cycles for step in steps)
    return RunCost(
        arithmetic=arithmetic,
        isa=isa.name,
        macs=sum(step.macs for step in steps),
        weight_bytes=generated.weight_bytes,
        arena_bytes=generated.arena_bytes[MAIN],
        stack_bytes=None if measured is None or measured.stack is None else measured.stack.call,
        cycles=cycles,
        predicted=None if measured is None else cycles / measured.clock,
        measured=None if measured is None else measured.run,
        interpreter=interpreter,
        counted_isa=counted_isa().name,
        instructions=counted,
        kernels=tuple(kernels),
    )


def _totals(run: RunCost) -> list[str]:
    stack = "" if run.stack_bytes is None else f", {size(run.stack_bytes)} of stack"
    lines = [
        f"{len(run.kernels)} kernels, {count(run.macs, 'MACs')}, {size(run.weight_bytes)} of weights, "
        f"{size(run.arena_bytes)} of arena{stack}; the same for every input",
    ]
    if run.measured is not None:
        lines.append(f"predicted {_us(run.predicted)} µs, measured {_us(run.measured)} µs; interpreter {_us(run.interpreter)} µs")
    else:
        lines.append(f"estimated {run.cycles:,.0f} cycles; interpreter {_us(run.interpreter)} µs")
    if run.instructions is not None:
        told = next(iter(run.instructions.values()))
        if run.constant:
            lines.append(f"{told:,} instructions ({run.counted_isa}) for each of five inputs: {', '.join(run.instructions)}")
        else:
            each = ", ".join(f"{name} {number:,}" for name, number in run.instructions.items())
            lines.append(f"instructions ({run.counted_isa}) DIFFER between inputs: {each}")
    return lines


def _us(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1e6:.2f}"
