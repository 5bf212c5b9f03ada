"""Evolution over the open settings of a skeleton: the young are bred from good ones, the oldest die, whatever they were worth.

Source: Real et al. 2019, "Regularized Evolution for Image Classifier Architecture Search", algorithm 1 and section 3 (ageing keeps a
candidate that was good by luck from staying for ever); uniform crossover of two parents: Bäck 1996,
"Evolutionary Algorithms in Theory and Practice", section 2.3. Needs no Optuna.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tacit.search.columns import seed_of
from tacit.skeletons.choices import Between, Choice, Open

#: The least number of candidates that are alive, and the part of them that compete to be a parent.
LEAST_ALIVE, TOURNAMENT = 8, 0.3
#: How often a child has two parents, and how far a number moves in one mutation: a part of its range.
CROSSED, REACH = 0.5, 0.25


@dataclass(frozen=True)
class Adult:
    """A candidate that has been measured: the first value is to be high, the others are to be low."""

    settings: dict[str, Any]
    values: tuple[float, ...]


class Ageing:
    """Suggest candidates and learn from how they ended; the same five verbs as `tacit.search.studies.Study`.

    What is suggested is a function of the seed, the number of the suggestion and what has been told so far. startup: how many are drawn
    evenly at first, and about how many are alive.
    """

    def __init__(
        self, space: Mapping[str, Open], *, sampler: str, pruner: str, seed: int, objectives: int, startup: int, rungs: int, factor: int
    ) -> None:
        self._space, self._seed, self._startup = dict(space), seed, startup
        self._most = max(LEAST_ALIVE, startup)
        self._first: list[dict[str, Any]] = []
        self._open: dict[int, dict[str, Any]] = {}
        self._adults: list[Adult] = []
        self._asked = 0

    def begin_with(self, settings: Mapping[str, Any]) -> None:
        """Suggest these before anything else. What the space does not hold is drawn."""
        self._first.append({name: value for name, value in settings.items() if name in self._space and _holds(self._space[name], value)})

    def ask(self) -> tuple[int, dict[str, Any]]:
        """Suggest a candidate: its number, and a value for each open setting."""
        number, self._asked = self._asked, self._asked + 1
        chance = random.Random(seed_of(self._seed, "ageing", number))
        if number < len(self._first):
            settings = {**self._drawn(chance), **self._first[number]}
        elif number < self._startup or not self._adults:
            settings = self._drawn(chance)
        else:
            settings = self._child(chance)
        self._open[number] = settings
        return number, dict(settings)

    def report(self, number: int, resource: int, value: float) -> None:
        """Take no notice: what counts is how a candidate ends."""

    def ends(self, number: int) -> bool:
        """Let every candidate go on; the search itself ends them by whole batches."""
        return False

    def tell(self, number: int, values: Sequence[float] | None, *, pruned: bool = False) -> None:
        """Say how a candidate ended: with a value for each objective, or (None) without any. The oldest makes room for it."""
        settings = self._open.pop(number)
        if values is not None and all(math.isfinite(value) for value in values):
            self._adults = [*self._adults, Adult(settings, tuple(values))][-self._most :]

    def _drawn(self, chance: random.Random) -> dict[str, Any]:
        return {name: _draw(self._space[name], chance) for name in self._space}

    def _child(self, chance: random.Random) -> dict[str, Any]:
        """Breed: one parent or two, and one setting that is changed."""
        child = dict(self._parent(chance).settings)
        if len(self._adults) > 1 and chance.random() < CROSSED:
            other = self._parent(chance).settings
            child = {name: chance.choice((child[name], other[name])) for name in child}
        name = chance.choice(sorted(self._space))
        return {**child, name: _mutated(self._space[name], child[name], chance)}

    def _parent(self, chance: random.Random) -> Adult:
        """Give the winner of a tournament: the fewest others beat it in everything, and of equals the best by the first value."""
        count = max(2, round(TOURNAMENT * len(self._adults)))
        rivals = chance.sample(self._adults, min(count, len(self._adults)))
        return min(rivals, key=lambda one: (sum(_beats(other, one) for other in rivals), -one.values[0]))


def _holds(open_: Open, value: Any) -> bool:
    """Tell whether a value is one of those that a setting may take."""
    if isinstance(open_, Choice):
        return value in open_.values
    return isinstance(value, int | float) and open_.low <= value <= open_.high


def _beats(one: Adult, other: Adult) -> bool:
    pairs = list(zip((-one.values[0], *one.values[1:]), (-other.values[0], *other.values[1:]), strict=True))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


def _draw(open_: Open, chance: random.Random) -> Any:
    if isinstance(open_, Choice):
        return chance.choice(open_.values)
    return _at(open_, chance.random())


def _mutated(open_: Open, value: Any, chance: random.Random) -> Any:
    """Give another value: a neighbour where the values have an order, any other where they have none."""
    if isinstance(open_, Between):
        place = _place(open_, value)
        for _ in range(16):
            moved = _at(open_, min(1.0, max(0.0, chance.gauss(place, REACH))))
            if moved != value:
                return moved
        return value
    others = [one for one in open_.values if one != value]
    if not others:
        return value
    numbers = all(isinstance(one, int | float) and not isinstance(one, bool) for one in open_.values)
    if numbers and list(open_.values) == sorted(open_.values):
        place = open_.values.index(value)
        others = [open_.values[at] for at in (place - 1, place + 1) if 0 <= at < len(open_.values)]
    return chance.choice(others)


def _place(open_: Between, value: float) -> float:
    """Give where a value lies in its range, from 0 to 1."""
    low, high, at = (math.log(one) if open_.log else float(one) for one in (open_.low, open_.high, value))
    return (at - low) / (high - low) if high > low else 0.0


def _at(open_: Between, place: float) -> Any:
    """Give the value at a place of a range, on its steps; a whole number where the range is one of whole numbers."""
    low, high = (math.log(one) if open_.log else float(one) for one in (open_.low, open_.high))
    value = low + place * (high - low)
    value = math.exp(value) if open_.log else value
    step = open_.step if open_.step is not None else 1 if open_.whole else None
    if step is not None:
        value = open_.low + step * round((value - open_.low) / step)
        while value > open_.high:
            value -= step
    value = min(max(value, open_.low), open_.high)
    return round(value) if open_.whole else value
