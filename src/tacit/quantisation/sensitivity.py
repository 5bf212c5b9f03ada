"""Find the buffers for which 8 bits are too few: by how far the outputs move when that buffer alone is rounded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tacit.ir.graph import Graph
from tacit.quantisation.formats import Format, groups
from tacit.quantisation.observing import FloatRun, outputs
from tacit.quantisation.seen import Floats


def output_errors(graph: Graph, formats: Mapping[str, Format], examples: Sequence[np.ndarray]) -> dict[tuple[str, ...], float]:
    """Give for each input and group of buffers of 8 bits the root mean square error of the outputs, relative to their spread."""
    wanted = outputs(FloatRun(graph), examples)
    found = {}
    inputs = [[buffer.name] for buffer in graph.of_kind("input")]
    for group in map(tuple, [*inputs, *groups(graph)]):
        if formats[group[0]].dtype == "uint8":
            run = FloatRun(graph, formats={name: formats[name] for name in group})
            found[group] = relative_error(outputs(run, examples), wanted)
    return found


def too_narrow(errors: Mapping[tuple[str, ...], float], tolerance: float) -> list[str]:
    """Give the buffers of the worst groups, as few as leave a sum of squares below that of `tolerance`.

    >>> too_narrow({("a",): 0.03, ("b",): 0.2, ("c",): 0.01}, 0.04)
    ['b']
    """
    chosen: list[str] = []
    left = dict(errors)
    while left and sum(error**2 for error in left.values()) > tolerance**2:
        worst = max(left, key=lambda group: left[group])
        chosen += worst
        del left[worst]
    return chosen


def relative_error(found: Floats, wanted: Floats) -> float:
    """Give the root mean square difference over the standard deviation of what was wanted."""
    spread = float(wanted.std()) or 1.0
    return float(np.sqrt(np.mean((found.astype(np.float64) - wanted) ** 2))) / spread
