"""Post-training quantisation: a float graph and examples of its inputs in, an integer graph out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tacit.ground.errors import MissingPackage
from tacit.ground.progress import Reporter
from tacit.ground.tables import resolve
from tacit.ir.graph import Graph
from tacit.ir.integer import IntegerGraph
from tacit.ir.integer_interpreter import IntegerInterpreter
from tacit.quantisation.emitting import Emitter, TooFine
from tacit.quantisation.formats import Format, choose_formats, groups
from tacit.quantisation.inputs import input_formats
from tacit.quantisation.normalising import constant_biases
from tacit.quantisation.observing import FloatRun, observe, outputs
from tacit.quantisation.seen import Floats
from tacit.quantisation.segments import clipped_pieces
from tacit.quantisation.sensitivity import output_errors, relative_error, too_narrow
from tacit.quantisation.useful import Limits, useful_values

CALIBRATION = 512  # examples whose values are looked at, evenly spaced among those given
_FEW = 128  # of them, on which the outputs are compared
TOLERANCE = 0.02  # of the outputs' spread: what rounding buffers to 8 bits may cost before some get 16
FINE_TUNED = "fine-tuned"  # the last of the `attempts`


@dataclass(frozen=True, eq=False)
class Quantised:
    """An integer graph and how it came about.

    rounding: buffer -> root mean square error of rounding its values, relative to them. sensitivity: group of buffers -> error of the
    outputs, relative to their spread, when that group alone has 8 bits. error: that of the whole integer graph. All on calibration
    examples.
    """

    graph: IntegerGraph
    rounding: Mapping[str, float]
    sensitivity: Mapping[tuple[str, ...], float]
    error: float

    @property
    def wide(self) -> tuple[str, ...]:
        """Name the inputs and the buffers between instructions that needed 16 bits."""
        return tuple(buffer.name for buffer in self.graph.buffers if buffer.kind in ("input", "scratch") and buffer.dtype == "int16")


def quantise(graph: Graph, examples: Sequence[np.ndarray]) -> IntegerGraph:
    """Give the integer graph of a float graph.

    examples: arrays [example, *shape], one per input, of training examples alone; the same examples give the same bits.
    """
    return quantised(graph, examples).graph


def quantised(graph: Graph, examples: Sequence[np.ndarray], *, tolerance: float = TOLERANCE) -> Quantised:
    """Do as `quantise` and tell how it went. tolerance: see `TOLERANCE`; a smaller one gives more buffers 16 bits."""
    return emitted(prepared(graph, examples, tolerance=tolerance))


@dataclass(frozen=True, eq=False)
class Prepared:
    """A graph brought into the form that is quantised, and the formats of its buffers.

    limits: see `useful.py`. few: some of the examples for calibration. wanted: what the float graph gives for these.
    """

    graph: Graph
    formats: Mapping[str, Format]
    limits: Limits
    sensitivity: Mapping[tuple[str, ...], float]
    tolerance: float
    few: Sequence[np.ndarray]
    wanted: Floats


def prepared(graph: Graph, examples: Sequence[np.ndarray], *, tolerance: float = TOLERANCE) -> Prepared:
    """Choose the formats of all buffers; rewrite what integers can't do well."""
    given = [np.asarray(array) for array in examples]
    chosen = np.unique(np.linspace(0, len(given[0]) - 1, CALIBRATION).round().astype(int))
    some = [without_nan(array[chosen]) for array in given]
    few = [array[:: max(1, len(array) // _FEW)][:_FEW] for array in some]
    wanted = outputs(FloatRun(graph), few)
    graph = constant_biases(graph)
    limits = useful_values(graph)
    seen = observe(graph, some, limits)
    pieces = clipped_pieces(graph, seen)
    if pieces is not graph:
        graph, limits = pieces, useful_values(pieces)
        seen = observe(graph, some, limits)
    formats = choose_formats(graph, seen, input_formats(graph, given, limits))
    sensitivity = output_errors(graph, formats, few)
    wide = too_narrow(sensitivity, tolerance)
    formats = choose_formats(graph, seen, input_formats(graph, given, limits, wide=wide), wide=wide)
    return Prepared(graph, formats, limits, sensitivity, tolerance, few, wanted)


def without_nan(array: np.ndarray) -> np.ndarray:
    """Read NaN as 0, as the boundary of an integer graph does."""
    return np.nan_to_num(array) if array.dtype.kind == "f" else array


def emitted(made: Prepared) -> Quantised:
    """Write the integer graph; make the steps of a buffer coarser where sums in them can't be had in 32 bits."""
    formats = dict(made.formats)
    while True:
        emitter = Emitter(made.graph, formats)
        try:
            for step in made.graph.instructions:
                emitter.add(step)
        except TooFine as fine:
            group = next(group for group in groups(made.graph) if fine.buffer in group)
            formats |= {name: replace(formats[name], scale=formats[name].scale * max(2.0, fine.by)) for name in group}
        else:
            break
    graph = emitter.finish()
    found = np.concatenate([values.reshape(len(made.few[0]), -1) for values in IntegerInterpreter(graph)(made.few)], 1)
    rounding = {name: form.error for name, form in formats.items()}
    return Quantised(graph, rounding, made.sensitivity, relative_error(found, made.wanted))


def attempts(
    graph: Graph, examples: Sequence[np.ndarray], *, seconds: float = 120.0, reporter: Reporter | None = None
) -> Iterator[tuple[str, Quantised]]:
    """Give one integer graph after the other, each made with more effort: to be left when one is good enough.

    Without torch there is no fine-tuning; a note says so.
    """
    yield "calibrated", quantised(graph, examples)
    stricter = prepared(graph, examples, tolerance=TOLERANCE / 8)
    yield "more buffers of 16 bits", emitted(stricter)
    try:
        fine_tuned = resolve("tacit.quantisation.tuning:fine_tuned")
    except MissingPackage as error:
        (reporter or Reporter()).note(f"no fine-tuning: {error}")
        return
    yield FINE_TUNED, fine_tuned(graph, examples, start=stricter, seconds=seconds, reporter=reporter)
