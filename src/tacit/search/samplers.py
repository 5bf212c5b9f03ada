"""Who suggests candidates and who ends them early, by name. The rows reach Optuna only when a search begins."""

from __future__ import annotations

from typing import Any

from tacit.ground.tables import Table, resolve

#: Name -> a function (seed, startup) -> an Optuna sampler.
SAMPLERS = Table(
    "sampler",
    {name: f"tacit.search.studies:{name}" for name in ("tpe", "random", "gp", "nsga2")},
    group="tacit.samplers",
)
#: Samplers that suggest by themselves, without Optuna: name -> a class with the verbs of `tacit.search.studies.Study`.
STUDIES = Table("study", {"evolution": "tacit.search.evolution_skeletons:Ageing"}, group="tacit.studies")
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


def study_for(sampler: str) -> Any:
    """Give the class of the study that suggests by a sampler: its own, or Optuna's."""
    return STUDIES.get(sampler) if sampler in STUDIES.rows() else resolve("tacit.search.studies:Study")
