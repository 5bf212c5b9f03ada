"""Post-training quantisation: a float graph and examples of its inputs in, an integer graph out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tacit.ir.graph import Graph
from tacit.ir.integer import IntegerGraph
from tacit.ir.integer_interpreter import IntegerInterpreter
from tacit.quantisation.emitting import Emitter, TooFine
from tacit.quantisation.formats import Format, choose_formats, groups
from tacit.quantisation.inputs import input_formats
from tacit.quantisation.normalising import constant_biases
from tacit.quantisation.observing import FloatRun, observe, outputs
from tacit.quantisation.segments import clipped_pieces
from tacit.quantisation.sensitivity import output_errors, relative_error, too_narrow
from tacit.quantisation.useful import useful_values

CALIBRATION = 512  # examples whose values are looked at, evenly spaced among those given
_FEW = 128  # of them, on which the outputs are compared
TOLERANCE = 0.02  # of the outputs' spread: what rounding buffers to 8 bits may cost before some get 16


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


def quantised(graph: Graph, examples: Sequence[np.ndarray]) -> Quantised:
    """Do as `quantise` and tell how it went."""
    given = [np.asarray(array) for array in examples]
    chosen = np.unique(np.linspace(0, len(given[0]) - 1, CALIBRATION).round().astype(int))
    some = [array[chosen] for array in given]
    few = [array[:: max(1, len(array) // _FEW)][:_FEW] for array in some]
    graph = constant_biases(graph)
    limits = useful_values(graph)
    seen = observe(graph, some, limits)
    pieces = clipped_pieces(graph, seen)
    if pieces is not graph:
        graph, limits = pieces, useful_values(pieces)
        seen = observe(graph, some, limits)
    formats = choose_formats(graph, seen, input_formats(graph, given, limits))
    sensitivity = output_errors(graph, formats, few)
    wide = too_narrow(sensitivity, TOLERANCE)
    formats = choose_formats(graph, seen, input_formats(graph, given, limits, wide=wide), wide=wide)
    made = _emitted(graph, formats)
    found = np.concatenate([values.reshape(len(few[0]), -1) for values in IntegerInterpreter(made)(few)], 1)
    error = relative_error(found, outputs(FloatRun(graph), few))
    return Quantised(made, {name: form.error for name, form in formats.items()}, sensitivity, error)


def _emitted(graph: Graph, formats: dict[str, Format]) -> IntegerGraph:
    """Write all instructions; make the steps of a buffer coarser where sums in them can't be had in 32 bits."""
    while True:
        emitter = Emitter(graph, formats)
        try:
            for step in graph.instructions:
                emitter.add(step)
        except TooFine as found:
            group = next(group for group in groups(graph) if found.buffer in group)
            formats = formats | {name: replace(formats[name], scale=formats[name].scale * max(2.0, found.by)) for name in group}
        else:
            return emitter.finish()
