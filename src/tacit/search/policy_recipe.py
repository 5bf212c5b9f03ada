"""Settings of policy gradient and self-play, which `[train]` may override."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from tacit.ground.errors import ConfigError, raise_all
from tacit.ground.tables import did_you_mean

Settings = TypeVar("Settings", "PolicyGradientRecipe", "SelfPlayRecipe")


@dataclass(frozen=True)
class PolicyGradientRecipe:
    """How proximal policy optimisation is run.

    lanes: episodes side by side. horizon: steps of each per round. passes, batch: over what a round gathered. learning_rate: falls in a
    line to 0. discount: what a reward one step later is worth. trace: the lambda of generalised advantage estimation. clip: how far a
    probability may move in a round. entropy: reward for drawing widely. most_change: passes end when the policy has moved by more than
    this (mean of the log ratio); worth_width: width of the network that judges observations, which isn't shipped. looks: episodes by
    which the best weights are chosen, eight times in a run.
    """

    lanes: int = 16
    horizon: int = 128
    passes: int = 10
    batch: int = 256
    learning_rate: float = 1e-3
    discount: float = 0.99
    trace: float = 0.95
    clip: float = 0.2
    entropy: float = 0.005
    most_change: float = 0.03
    norm: float = 0.5
    looks: int = 16


@dataclass(frozen=True)
class SelfPlayRecipe:
    """How a game is learnt by playing against oneself.

    evaluations: positions judged per move. games: played in a round, in `shares` shares that workers can play at once; so many games of
    a share run side by side. explore: so many first moves are drawn by the visits, later ones are the best. noise, noise_total: Dirichlet
    noise at the roots. full: share of the moves that are searched with as many evaluations, and learnt from; the others are searched with
    `fast` and no noise, only to bring games to their ends (Wu 2019, "Accelerating Self-Play Learning in Go", 3.1). opening: up to so many
    random moves begin a game, and aren't learnt from. keep: newest positions that are learnt from. reuse: how often each is learnt from on
    average. batch, learning_rate (falls in a line to a tenth), weight_decay: of gradient descent. searched: share of the search's own
    estimate in what the worth is taught, beside the outcome.
    """

    evaluations: int = 64
    games: int = 128
    shares: int = 1
    explore: int = 12
    noise: float = 0.25
    noise_total: float = 10.0
    full: float = 1.0
    fast: int = 8
    opening: int = 0
    keep: int = 40_000
    reuse: float = 4.0
    batch: int = 256
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    searched: float = 0.25


def settings_for(kind: type[Settings], overrides: Mapping[str, Any]) -> Settings:
    """Give the settings with a person's overrides, checked whole. Raises: ConfigError."""
    known = {field.name: field for field in dataclasses.fields(kind)}
    values: dict[str, Any] = {}
    problems: list[str] = []
    for key, value in overrides.items():
        if key not in known:
            problems.append(f"`train.{key}` is not known: {did_you_mean(key, list(known))}")
            continue
        whole = str(known[key].type) == "int"
        least = 1 if whole and known[key].default else 0
        good = not isinstance(value, bool) and isinstance(value, int if whole else int | float) and value >= least
        if good:
            values[key] = int(value) if whole else float(value)
        else:
            problems.append(f"`train.{key}` expected {'a whole number' if whole else 'a number'} of at least {least}, got {value!r}")
    raise_all(problems, heading="expected settings under [train] that are understood", fix=f"known: {', '.join(known)}", error=ConfigError)
    return kind(**values)
