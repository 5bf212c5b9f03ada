"""Optuna behind the search: its samplers suggest, its pruners end early. The only file that imports it.

A study lives in memory and holds nothing that `trials.jsonl` does not: a search that is continued asks again in the same order, is
told what is on record, and so is given the same suggestions. Source: Akiba et al. 2019, "Optuna: A Next-generation Hyperparameter
Optimization Framework"; the default sampler is Watanabe 2023, "Tree-Structured Parzen Estimator: Understanding Its Algorithm Components".
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from tacit.search.samplers import PRUNERS, SAMPLERS
from tacit.skeletons.choices import Between, Choice, Open

optuna.logging.set_verbosity(optuna.logging.WARNING)
warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)


def _over(trial: optuna.trial.FrozenTrial) -> tuple[float]:
    """Tell a sampler that a suggestion broke a limit (above 0) or kept all of them."""
    return (float(trial.user_attrs.get(_OVER, -1.0)),)


def tpe(seed: int, startup: int) -> optuna.samplers.BaseSampler:
    """Make the tree-structured Parzen estimator over all choices together; what is being tried counts as bad, so a batch spreads."""
    return optuna.samplers.TPESampler(seed=seed, n_startup_trials=startup, multivariate=True, constraints_func=_over)


def random(seed: int, startup: int) -> optuna.samplers.BaseSampler:
    """Make the sampler that draws evenly."""
    return optuna.samplers.RandomSampler(seed=seed)


def gp(seed: int, startup: int) -> optuna.samplers.BaseSampler:
    """Make Bayesian optimisation with a Gaussian process."""
    return optuna.samplers.GPSampler(seed=seed, n_startup_trials=startup, constraints_func=_over)


def nsga2(seed: int, startup: int) -> optuna.samplers.BaseSampler:
    """Make the genetic algorithm for several objectives, with generations as large as the first batch."""
    return optuna.samplers.NSGAIISampler(seed=seed, population_size=max(2, startup), constraints_func=_over)


def no_pruner(rungs: int, factor: int) -> None:
    """Leave it to the search."""
    return


def median(rungs: int, factor: int) -> optuna.pruners.BasePruner:
    """Make the pruner that ends what is worse than the median of the trials before it at the same rung."""
    return optuna.pruners.MedianPruner(n_startup_trials=2)


def successive_halving(rungs: int, factor: int) -> optuna.pruners.BasePruner:
    """Make asynchronous successive halving (Li et al. 2018, "Massively Parallel Hyperparameter Tuning")."""
    return optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=factor)


def hyperband(rungs: int, factor: int) -> optuna.pruners.BasePruner:
    """Make Hyperband (Li et al. 2016): several halvings that begin at different rungs."""
    return optuna.pruners.HyperbandPruner(min_resource=1, max_resource=factor ** (rungs - 1), reduction_factor=factor)


#: The attribute of a trial that was over a limit.
_OVER = "over"
_HIGH, _LOW = optuna.study.StudyDirection.MAXIMIZE, optuna.study.StudyDirection.MINIMIZE


class Study:
    """Candidates by the numbers that `ask` gave them.

    space: the open settings. objectives: how many numbers `tell` is given: the first is to be high, the others are to be low.
    startup: how many candidates are drawn before the sampler learns from results.
    """

    def __init__(
        self, space: Mapping[str, Open], *, sampler: str, pruner: str, seed: int, objectives: int, startup: int, rungs: int, factor: int
    ) -> None:
        self._space = dict(space)
        self._distributions = {name: _distribution(value) for name, value in space.items()}
        self._pruner = PRUNERS.get(pruner)(rungs, factor)
        with warnings.catch_warnings():  # the argument that says what is over a limit has another name in Optuna 5 than in 4
            warnings.filterwarnings("ignore", "`constraints_func` has been deprecated", FutureWarning)
            suggests = SAMPLERS.get(sampler)(seed % 2**32, startup)
        self._study = optuna.create_study(
            study_name="tacit",  # Hyperband draws brackets by it
            sampler=suggests,
            pruner=self._pruner or optuna.pruners.NopPruner(),
            directions=[_HIGH, *[_LOW] * (objectives - 1)],
        )
        self._trials: dict[int, optuna.Trial] = {}

    def begin_with(self, settings: Mapping[str, Any]) -> None:
        """Suggest these before anything else. What the space does not hold is left to the sampler."""
        inside = {name: place for name, value in settings.items() if (place := _place(self._space.get(name), value)) is not None}
        self._study.enqueue_trial(inside, skip_if_exists=True)

    def ask(self) -> tuple[int, dict[str, Any]]:
        """Suggest a candidate: its number in this study, and a value for each open setting."""
        trial = self._study.ask(self._distributions)
        self._trials[trial.number] = trial
        return trial.number, {name: _value(self._space[name], trial.params[name]) for name in self._space}

    def report(self, number: int, resource: int, value: float) -> None:
        """Tell the score of a candidate after so many units of training."""
        if len(self._study.directions) == 1:
            self._trials[number].report(value, resource)

    def ends(self, number: int) -> bool:
        """Ask the pruner whether a candidate is to be trained no further."""
        return self._pruner is not None and self._trials[number].should_prune()

    def tell(self, number: int, values: Sequence[float] | None, *, pruned: bool = False) -> None:
        """Say how a candidate ended: with a value for each objective; `pruned`: ended early. None: without any, for it failed; `pruned`
        with None: it was over a limit, which the sampler learns to avoid.
        """
        if values is None and pruned and len(self._study.directions) == 1:
            self._trials[number].set_user_attr(_OVER, 1.0)
            self._study.tell(number, state=optuna.trial.TrialState.PRUNED)
        elif values is None:
            self._study.tell(number, state=optuna.trial.TrialState.FAIL)
        elif pruned and len(self._study.directions) == 1:
            self._study.tell(number, state=optuna.trial.TrialState.PRUNED)
        else:
            self._study.tell(number, list(values))


def _distribution(value: Open) -> BaseDistribution:
    """Give how a setting is drawn. Numbers among which to choose keep their order: the sampler is given their places."""
    if isinstance(value, Between):
        if value.whole:
            return IntDistribution(int(value.low), int(value.high), log=value.log, step=int(value.step or 1))
        return FloatDistribution(value.low, value.high, log=value.log, step=value.step)
    return IntDistribution(0, len(value.values) - 1) if _ordered(value) else CategoricalDistribution(range(len(value.values)))


def _ordered(value: Choice) -> bool:
    numbers = all(isinstance(item, int | float) and not isinstance(item, bool) for item in value.values)
    return numbers and list(value.values) == sorted(value.values)


def _value(open_: Open, drawn: Any) -> Any:
    return drawn if isinstance(open_, Between) else open_.values[drawn]


def _place(open_: Open | None, value: Any) -> Any:
    """Give what stands for a value in the study, or None when the space does not hold it."""
    if isinstance(open_, Choice):
        return open_.values.index(value) if value in open_.values else None
    if isinstance(open_, Between) and isinstance(value, int | float) and open_.low <= value <= open_.high:
        return value
    return None
