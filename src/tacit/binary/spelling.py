"""Drivers for outputs of the type `Symbols`: the best path, and the most probable sequence among the best prefixes.

Many paths of steps spell one sequence. `greedy` takes the single best path; `beam` adds up the paths of each sequence, which tells the
two apart where no path stands out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from tacit.binary.driven import Driven
from tacit.ground.errors import ConfigError
from tacit.signature.symbols import Symbols

#: Prefixes that are kept after each step.
BEAM = 16
#: Names less probable than this at a step begin no new prefix there; the sum that is left out is below the rounding of an answer.
LEAST = 1e-4


def greedy(binary: Driven, arrays: Sequence[np.ndarray]) -> list[str]:
    """Run ``main`` once and give the names of the best path. Raises: ConfigError for another output."""
    output, scores = _scores(binary, arrays)
    return [output.decode(row) for row in scores]


def beam(binary: Driven, arrays: Sequence[np.ndarray]) -> list[str]:
    """Run ``main`` once and search the most probable sequence. Raises: ConfigError for another output."""
    output, scores = _scores(binary, arrays)
    return [output.spell(prefix_beam(output.by_step(row))) for row in scores]


def prefix_beam(scores: np.ndarray, *, width: int = BEAM) -> tuple[int, ...]:
    """Give the most probable sequence of names of float32[step, name + 1] (the last is nothing), `width` prefixes at a time.

    A prefix has two sums of probability: of the paths that end in nothing, and of those that end in its last name. Only from the first
    does the same name again make a longer prefix. Source: Hannun et al. 2014, "First-pass large vocabulary continuous speech recognition
    using bi-directional recurrent DNNs", algorithm 1; without a language model. Costs about ``step * width * name``.

    >>> prefix_beam(np.log(np.array([[0.4, 0.6], [0.4, 0.6]])))
    (0,)
    """
    shifted = np.asarray(scores, np.float64) - np.max(scores, axis=1, keepdims=True)
    shares = np.exp(shifted)
    shares /= shares.sum(axis=1, keepdims=True)
    nothing = shares.shape[1] - 1
    beams: dict[tuple[int, ...], tuple[float, float]] = {(): (1.0, 0.0)}
    for step in shares:
        likely = [int(name) for name in np.flatnonzero(step[:nothing] >= LEAST)]
        found: defaultdict[tuple[int, ...], list[float]] = defaultdict(lambda: [0.0, 0.0])
        for prefix, (blank, named) in beams.items():
            own = found[prefix]
            own[0] += (blank + named) * step[nothing]
            if prefix:
                own[1] += named * step[prefix[-1]]
            for name in likely:
                found[(*prefix, name)][1] += step[name] * (blank if prefix and name == prefix[-1] else blank + named)
        # By their sums, the shorter and then the lower first of equals, so that every machine keeps the same ones.
        best = sorted(found.items(), key=lambda item: (-(item[1][0] + item[1][1]), len(item[0]), item[0]))[:width]
        whole = sum(blank + named for _, (blank, named) in best)
        beams = {prefix: (blank / whole, named / whole) for prefix, (blank, named) in best}
    return next(iter(beams))


def _scores(binary: Driven, arrays: Sequence[np.ndarray]) -> tuple[Symbols, np.ndarray]:
    output = binary.signature.output
    if not isinstance(output, Symbols):
        raise ConfigError(f"expected an output of symbols for this driver, got {output!r}", fix="the driver `decode`")
    (scores, *_) = binary.run(arrays)
    return output, np.asarray(scores).reshape(len(scores), output.width)
