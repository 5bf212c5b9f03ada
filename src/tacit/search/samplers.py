"""Who suggests candidates and who ends them early, by name. The rows reach Optuna only when a search begins."""

from __future__ import annotations

from tacit.ground.tables import Table

#: Name -> a function (seed, startup) -> an Optuna sampler.
SAMPLERS = Table(
    "sampler",
    {name: f"tacit.search.studies:{name}" for name in ("tpe", "random", "gp", "nsga2")},
    group="tacit.samplers",
)
#: Name -> a function (rungs, factor) -> an Optuna pruner, or None where the search decides by whole batches (`halving`, `none`).
PRUNERS = Table(
    "pruner",
    {
        "none": "tacit.search.studies:no_pruner",
        "halving": "tacit.search.studies:no_pruner",
        "median": "tacit.search.studies:median",
        "successive_halving": "tacit.search.studies:successive_halving",
        "hyperband": "tacit.search.studies:hyperband",
    },
    group="tacit.pruners",
)
