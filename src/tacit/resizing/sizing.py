"""From what is asked for to widths: by the model first, then held against real costs and a real clock, until they fit.

The narrowest network there is comes first: where even that is too large, a person is told before any time is spent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tacit.evidence import costs_of
from tacit.ground.errors import BudgetError
from tacit.ground.progress import Reporter
from tacit.ir.graph import Graph
from tacit.program import Program
from tacit.quantisation.quantise import quantise
from tacit.resizing.channels import Group, Kept, cut
from tacit.resizing.planning import BYTES, MACS, TIME, Widths, model_of, narrowing, sizes_of
from tacit.resizing.racing import Timed, Track
from tacit.resizing.ranking import Ranking
from tacit.resizing.wishes import C_INT8, FASTER, LATENCY, SMALLER, Wish
from tacit.resizing.wishes import MACS as WISHED_MACS
from tacit.shipping import lower_network
from tacit.targets.target import Source

#: So many sizes are built at most until one fits; a size that uses this part of what is allowed is good enough.
TRIES, CLOSE = 8, 0.94
#: A time has to be below what is allowed by so much, for it will be measured again in the end.
SURE = 0.98
#: So many times single groups are widened afterwards, and so many groups are tried each time.
FILLS = 3
_CALIBRATION = 64  # enough for formats as they will be; what integers answer is nobody's concern here


@dataclass(frozen=True)
class Timing:
    """Seconds of one example before and after, medians of alternating rounds, and how many times as fast it became."""

    target: str
    isa: str
    before: float
    after: float
    ratio: float

    def to_json(self) -> dict[str, Any]:
        """Give JSON values."""
        return vars(self)


@dataclass(frozen=True, eq=False)
class Sized:
    """Widths that were built. costs: exact, of the lowered network. timing: None where no clock is asked. cost: what the wish is about."""

    widths: Widths
    costs: Mapping[str, int]
    timing: Timing | None
    cost: float


@dataclass(eq=False)
class Sizer:
    """Finds widths for a network. arrays: inputs of training examples. track: None without a C compiler."""

    network: nn.Module
    program: Program
    groups: Sequence[Group]
    rankings: Sequence[Ranking]
    arrays: Sequence[Tensor]
    track: Track | None
    reporter: Reporter
    _sources: dict[tuple[tuple[int, ...], str], Source] = field(default_factory=dict)
    _costs: dict[tuple[int, ...], dict[str, int]] = field(default_factory=dict)
    _paths: dict[tuple[str, int], tuple[list[Widths], list[float]]] = field(default_factory=dict)

    @property
    def whole(self) -> Widths:
        """The widths of the network as it is."""
        return {number: group.size for number, group in enumerate(self.groups)}

    def kept(self, widths: Mapping[int, int]) -> Kept:
        """Give the channels that stay at given widths."""
        return {number: self.rankings[number].kept(size) for number, size in widths.items() if size < self.groups[number].size}

    def reach(self, wish: Wish) -> Sized:
        """Find the widest network that is small enough. Raises: BudgetError with the nearest possible; LoweringError; TacitError."""
        start = self._sized(self.whole, wish)
        wanted = {FASTER: 1.0 / wish.value, SMALLER: start.cost / wish.value}.get(wish.kind, wish.value)
        if start.cost <= wanted:
            return start
        path, models = self._path(wish)
        best = self._sized(path[-1], wish)
        if best.cost > wanted:
            raise self._impossible(wish, start, best)
        wanted *= SURE if wish.timed else 1.0
        low, high = 0, len(path) - 1  # too large, small enough
        likely = start.cost / models[0]  # of the wish's unit for a unit of the model
        for number in range(TRIES):
            if high - low <= 1:
                break
            place = next(at for at in range(low + 1, high + 1) if models[at] * likely <= wanted or at == high)
            place = min(max(place, low + 1), high - 1)
            found = self._sized(path[place], wish)
            self.reporter.progress((number + 1) / TRIES, None, f"widths {' '.join(map(str, path[place].values()))}")
            if found.cost <= wanted:
                best, high = found, place
                if found.cost >= CLOSE * wanted:
                    break
            else:
                low = place
            likely = found.cost / models[place]
        return self._filled(best, wish, wanted)

    def _filled(self, best: Sized, wish: Wish, wanted: float) -> Sized:
        """Widen single groups by a step where there is room left, first where most error goes; a step of the way is often a long one."""
        lanes = self._lanes(wish)
        for _ in range(FILLS):
            if best.cost >= CLOSE * wanted:
                break
            steps = []
            for number, size in best.widths.items():
                wider = [one for one in sizes_of(self.groups[number].size, lanes) if one > size]
                if wider:
                    errors = self.rankings[number].errors
                    steps.append((errors[size] - errors[wider[-1]], best.widths | {number: wider[-1]}))
            for _, widths in sorted(steps, key=lambda step: -step[0])[:FILLS]:
                found = self._sized(widths, wish)
                if best.cost < found.cost <= wanted:
                    best = found
                    break
            else:
                break
        return best

    def cost_of_whole(self, wish: Wish) -> float:
        """Give what the network as it is costs, in the unit of the wish."""
        return self._sized(self.whole, wish).cost

    def most(self, wish: Wish) -> float:
        """Give how many times as fast, or as small, the narrowest network is."""
        return self.cost_of_whole(wish) / self._sized(self._path(wish)[0][-1], wish).cost

    def _path(self, wish: Wish) -> tuple[list[Widths], list[float]]:
        """Give widths from the whole network to the narrowest, and what the model says of each."""
        kind = {SMALLER: BYTES, WISHED_MACS: MACS}.get(wish.kind, TIME)
        lanes = self._lanes(wish)
        if (kind, lanes) not in self._paths:
            model = model_of(self.network, self.groups, self.arrays, kind=kind, lanes=lanes)
            path = narrowing(model, self.rankings)
            self._paths[kind, lanes] = path, [model(widths) for widths in path]
        return self._paths[kind, lanes]

    def _lanes(self, wish: Wish) -> int:
        return self.track.isa.lanes if self.track is not None and wish.timed else 1

    def timing(self, sources: Sequence[Source], wish: Wish, *, rounds: int = 41) -> Timing | None:
        """Time two programs against each other; None without a C compiler."""
        if self.track is None:
            return None
        timed = self.track.race(sources, self._one(), rounds=rounds)
        return _timing(timed, self.track, wish)

    def source(self, graph: Graph, target: str) -> Source:
        """Give what is built of a graph."""
        made: Any = graph
        if target == C_INT8:
            train = self.program.examples.split("train")
            made = quantise(graph, [array[:_CALIBRATION] for array in train.inputs])
        return Source("resized", {"main": made}, self.program.signature, "0" * 64)

    def _one(self) -> list[np.ndarray]:
        return [np.asarray(array[0]) for array in self.program.examples.split("train").inputs]

    def _sized(self, widths: Widths, wish: Wish) -> Sized:
        """Build a network of given widths, whatever its weights, and measure what the wish is about."""
        key = tuple(widths.values())
        wanted = (key, wish.target)
        if key not in self._costs or (wish.timed and wanted not in self._sources):
            graph = lower_network(_stirred(cut(self.network, self.groups, self.kept(widths))), self.program).graph
            self._costs[key] = costs_of(graph)
            if wish.timed:
                self._sources[wanted] = self.source(graph, wish.target)
        costs = self._costs[key]
        if not wish.timed:
            return Sized(widths, costs, None, costs["weight_bytes"] if wish.kind == SMALLER else costs["macs"])
        whole = self._sources.get((tuple(self.whole.values()), wish.target))
        timing = self.timing([whole or self._sources[wanted], self._sources[wanted]], wish, rounds=21)
        if timing is None:
            raise BudgetError("expected a C compiler to time programs, got none")
        return Sized(widths, costs, timing, timing.after if wish.kind == LATENCY else 1.0 / timing.ratio)

    def _impossible(self, wish: Wish, start: Sized, smallest: Sized) -> BudgetError:
        """Make the error that says what is possible."""
        nearest = {
            FASTER: f"--faster {0.97 / smallest.cost:.3g}",
            SMALLER: f"--smaller {0.99 * start.cost / smallest.cost:.3g}",
            LATENCY: f"--latency {1.04e6 * smallest.cost:.4g}us@{wish.target}",
        }.get(wish.kind, f"--macs {smallest.cost:.0f}")
        said = f"the narrowest network has {smallest.costs['macs']:,} MACs and {smallest.costs['weight_bytes']:,} bytes of weights"
        if smallest.timing is not None:
            said += f", and takes {1e6 * smallest.timing.after:.4g} µs, {smallest.timing.ratio:.3g} times as fast"
        return BudgetError(f"expected a size that can be had, got {wish}", cause=said, fix=nearest)


def _timing(timed: Timed, track: Track, wish: Wish) -> Timing:
    before, after = timed.medians
    return Timing(wish.target, track.isa.name, before, after, timed.ratio(0, 1))


def _stirred(network: nn.Module) -> nn.Module:
    """Change weights that are 0 or alike a little, as training will: they would be folded away and cost nothing."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(1e-6 * torch.randn(parameter.shape, generator=generator))
    return network
