"""Post-training quantisation: a float graph and examples of its inputs in, an integer graph out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tacit.ir.graph import Graph
from tacit.ir.integer import IntegerGraph
from tacit.ir.integer_verifier import verify_integers
from tacit.quantisation.emitting import Emitter
from tacit.quantisation.formats import choose_formats
from tacit.quantisation.normalising import constant_biases
from tacit.quantisation.observing import observe

CALIBRATION = 512  # examples that are looked at, evenly spaced among those given


@dataclass(frozen=True, eq=False)
class Quantised:
    """An integer graph and how it came about. errors: buffer -> root mean square error of rounding it, relative to its values."""

    graph: IntegerGraph
    errors: Mapping[str, float]

    @property
    def wide(self) -> tuple[str, ...]:
        """Name the buffers between instructions that needed 16 bits."""
        return tuple(buffer.name for buffer in self.graph.of_kind("scratch") if buffer.dtype == "int16")


def quantise(graph: Graph, examples: Sequence[np.ndarray]) -> IntegerGraph:
    """Give the integer graph of a float graph. examples: arrays [example, *shape], one per input, of training examples alone."""
    return quantised(graph, examples).graph


def quantised(graph: Graph, examples: Sequence[np.ndarray]) -> Quantised:
    """Do as `quantise` and tell how it went."""
    graph = constant_biases(graph)
    chosen = np.unique(np.linspace(0, len(examples[0]) - 1, CALIBRATION).round().astype(int))
    seen = observe(graph, [np.asarray(array)[chosen] for array in examples])
    formats = choose_formats(graph, seen)
    emitter = Emitter(graph, formats)
    for step in graph.instructions:
        emitter.add(step)
    made = emitter.finish()
    verify_integers(made)
    return Quantised(made, {name: form.error for name, form in formats.items()})
