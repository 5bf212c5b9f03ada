"""What a program may cost, held against what an untrained network costs once it is lowered: exact, and known before it is trained.

Lowering takes a third of a second, so costs are kept by settings, and a count of the multiplications of convolutions and linear layers,
which is never above the exact one, tells beforehand where lowering is worth it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from tacit.ground.budget import Budget, latency_seconds
from tacit.ground.errors import BudgetError, TacitError
from tacit.signature.signature import Signature
from tacit.skeletons.choices import Between, Open

Costs = Mapping[str, float]


def limits_of(budget: Budget) -> dict[str, float]:
    """Give the limits of a program's own cost by the names of `tacit.evidence.costs_of`; ``latency`` in seconds."""
    given: dict[str, float | None] = {"macs": budget.macs, "weight_bytes": budget.weight_bytes, "arena_bytes": budget.arena_bytes}
    given["latency"] = None if budget.latency is None else latency_seconds(budget.latency)[0]
    return {name: limit for name, limit in given.items() if limit is not None}


@dataclass(eq=False)
class Limits:
    """The costs of settings, kept, and whether they are within the budget.

    network: builds an untrained one. cost: lowers it and says what it costs. sketch: builds one of the same shape that is fitted to next to
    nothing, which is quick and enough to count multiplications.
    """

    budget: Budget
    signature: Signature
    network: Callable[[Mapping[str, Any]], nn.Module]
    cost: Callable[[nn.Module], Costs]
    sketch: Callable[[Mapping[str, Any]], nn.Module] | None = None
    _known: dict[str, Costs] = field(default_factory=dict, init=False)

    @property
    def most(self) -> dict[str, float]:
        """Give the limits, empty without any."""
        return limits_of(self.budget)

    def costs(self, settings: Mapping[str, Any]) -> Costs:
        """Give the exact costs. Raises: ConfigError when it can't be built, LoweringError when it can't be lowered."""
        key = json.dumps(settings, sort_keys=True, default=str)
        if key not in self._known:
            self._known[key] = self.cost(self.network(settings))
        return self._known[key]

    def _sketched(self, settings: Mapping[str, Any]) -> nn.Module:
        return (self.sketch or self.network)(settings)

    def learn(self, settings: Mapping[str, Any], costs: Costs) -> None:
        """Take costs that are on record."""
        if costs:
            self._known.setdefault(json.dumps(settings, sort_keys=True, default=str), costs)

    def within(self, settings: Mapping[str, Any]) -> bool:
        """Tell whether settings keep every limit; those that can't be built or lowered don't."""
        most = self.most
        try:
            if "macs" in most and self._counted(settings) > most["macs"]:
                return False
            costs = self.costs(settings) if most else {}
        except TacitError:
            return False
        return all(costs[name] <= limit for name, limit in most.items())

    def keep(self, options: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Keep the options whose exact costs are within the budget. Raises: BudgetError with the nearest one."""
        most = self.most
        if not most:
            return list(options)
        costs = [self.costs(option) for option in options]
        kept = [option for option, cost in zip(options, costs, strict=True) if all(cost[name] <= limit for name, limit in most.items())]
        if not kept:
            raise self.impossible(options)
        return kept

    def impossible(self, options: Sequence[Mapping[str, Any]]) -> BudgetError:
        """Make the error that says what the nearest of some options has."""
        most = self.most
        costs = [self.costs(option) for option in options]
        nearest = min(range(len(options)), key=lambda place: max(costs[place][name] / limit for name, limit in most.items()))
        name = max(most, key=lambda one: costs[nearest][one] / most[one])
        wanted = ", ".join(shown(name, limit) for name, limit in most.items())
        has = ", ".join(shown(key, costs[nearest][key]) for key in most)
        least = f"{self.budget.latency}" if name == "latency" else f"{int(most[name]):,}"
        return BudgetError(
            f"expected a network of at most {wanted}, got none among {len(options)}",
            cause=f"the nearest, {dict(options[nearest])}, has {has}",
            fix=f"raise `budget.{name}` above {least}, or set smaller values under [skeleton]",
        )

    def widest(self, settings: Mapping[str, Any], name: str, values: Open) -> dict[str, Any] | None:
        """Give settings with the greatest of the ordered `values` for `name` that keeps every limit, or None when none does.

        Costs grow with it. The count of multiplications finds the place; exact costs decide.
        """
        order = sorted(_listed(values))
        most = self.most

        def near(place: int) -> bool:
            option = {**settings, name: order[place]}
            try:
                network = self._sketched(option)
                counted = "macs" not in most or count_macs(network, self.signature) <= most["macs"]
                held = 4 * sum(weight.numel() for weight in network.parameters() if weight.ndim > 1)  # norms vanish into these
                return counted and ("weight_bytes" not in most or held <= most["weight_bytes"])
            except (TacitError, RuntimeError):
                return False

        counted = _last(near, 0, len(order) - 1)
        if counted is None:
            return None
        exact = _last(lambda place: self.within({**settings, name: order[place]}), 0, counted, first=counted)
        return None if exact is None else {**settings, name: order[exact]}

    def _counted(self, settings: Mapping[str, Any]) -> float:
        key = json.dumps(settings, sort_keys=True, default=str)
        return self._known[key]["macs"] if key in self._known else count_macs(self._sketched(settings), self.signature)


def count_macs(network: nn.Module, signature: Signature) -> int:
    """Count the multiplications of the convolutions and linear layers of a network for one example; a few milliseconds."""
    total = 0

    def count(module: nn.Module, _: Any, out: Tensor) -> None:
        nonlocal total
        weight = module.weight
        total += out[0].numel() * (weight[0].numel() if isinstance(weight, Tensor) else 0)

    handles = [part.register_forward_hook(count) for part in network.modules() if isinstance(part, nn.Conv1d | nn.Conv2d | nn.Linear)]
    kinds = [torch.int32 if spec.limit is not None else torch.float32 for spec in signature.input.arrays]
    arrays = [torch.zeros((1, *spec.shape), dtype=kind) for spec, kind in zip(signature.input.arrays, kinds, strict=True)]
    training = network.training
    try:
        with torch.inference_mode():
            network.eval()(*arrays)
    finally:
        network.train(training)
        for handle in handles:
            handle.remove()
    return total


def shown(name: str, value: float) -> str:
    """Write a cost with its name; the latency is predicted, and says so.

    >>> shown("macs", 1000), shown("latency", 0.0005)
    ('1,000 macs', '0.5 ms (predicted) of latency')
    """
    if name == "latency":
        return f"{value * 1e3:.3g} ms (predicted) of latency"
    return f"{int(value):,} {name}"


def _listed(values: Open) -> Sequence[Any]:
    """Give the values of an open setting; of a range without a last digit, 65 that are evenly apart."""
    if values.values is not None:
        return values.values
    return [values.low + (values.high - values.low) * place / 64 for place in range(65)] if isinstance(values, Between) else ()


def _last(good: Callable[[int], bool], low: int, high: int, *, first: int | None = None) -> int | None:
    """Give the last place from `low` to `high` that is good, where all after a bad one are bad; `first` is asked before any other."""
    if first is not None:
        if good(first):
            return first
        if first > low and good(first - 1):
            return first - 1
        high = first - 2
    best = None
    while low <= high:
        middle = (low + high) // 2
        if good(middle):
            best, low = middle, middle + 1
        else:
            high = middle - 1
    return best
