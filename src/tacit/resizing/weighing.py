"""How much each group is worth: a few widths of every group are tried alone, and the scores held against those of the whole network.

The estimates of `tacit.resizing.ranking` say which channels of a group go first; between groups they are off by up to ten times, for they
see the next layer alone. What is measured here replaces them where widths are decided.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from tacit.ground.progress import Reporter
from tacit.resizing.channels import Group, Kept
from tacit.resizing.least_squares import rebuild
from tacit.resizing.ranking import Ranking
from tacit.resizing.retraining import apart
from tacit.signature.base import OutputType

#: Parts of a group that are tried, and examples to fit on and to compare on.
PARTS = (0.75, 0.5, 0.25, 0.125)
EXAMPLES = 512


def weigh(
    network: nn.Module,
    groups: Sequence[Group],
    rankings: Sequence[Ranking],
    arrays: Sequence[Tensor],
    output: OutputType,
    reporter: Reporter | None = None,
) -> tuple[Ranking, ...]:
    """Give rankings whose errors are how far the scores move when a group alone is cut and the rest fitted, for every width."""
    reporter = reporter or Reporter()
    fitting, comparing = _halves(arrays)
    with torch.no_grad():
        wanted = network.eval()(*comparing)
        least = float(apart(wanted, wanted, output))
    found = []
    for number, (group, ranking) in enumerate(zip(groups, rankings, strict=True)):
        sizes = sorted({max(1, round(group.size * part)) for part in PARTS} - {group.size})
        errors = []
        for size in sizes:
            kept: Kept = {number: ranking.kept(size)}
            made = rebuild(network, groups, kept, fitting)
            with torch.no_grad():
                errors.append(max(float(apart(made(*comparing), wanted, output)) - least, 1e-9))
        found.append(Ranking(ranking.order, between(group.size, sizes, errors)))
        reporter.progress((number + 1) / len(groups), None)
    return tuple(found)


def between(size: int, sizes: Sequence[int], errors: Sequence[float]) -> np.ndarray:
    """Give float64[kept] for 0 to `size` channels kept, from the errors at some sizes, rising.

    Near the whole an error grows as the square of what is gone; further on its logarithm is joined by lines. It never falls.
    """
    rising = np.maximum.accumulate(np.asarray(errors, np.float64)[::-1])[::-1]
    known, logs = np.asarray(sizes, np.float64), np.log(rising)
    slope = (logs[0] - logs[1]) / (known[1] - known[0]) if len(known) > 1 else 1.0
    kept = np.arange(size + 1, dtype=np.float64)
    found: np.ndarray = np.exp(np.interp(kept, known, logs) + np.maximum(known[0] - kept, 0.0) * slope)
    near = kept > known[-1]
    found[near] = rising[-1] * ((size - kept[near]) / (size - known[-1])) ** 2
    return found


def _halves(arrays: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """Give examples to fit on and others to compare on, both spread over what there is."""
    count = len(arrays[0])
    rows = torch.linspace(0, count - 1, min(2 * EXAMPLES, count)).long()
    return [array[rows[::2]] for array in arrays], [array[rows[1::2]] for array in arrays]
