"""A program before compilation: signature, examples, skeleton, goals and budget in one noun."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tacit.environments.environment import Environment
from tacit.environments.game import signature_of_game
from tacit.environments.opening import environment_of, game_of
from tacit.examples.examples import Examples
from tacit.goals.goal import Goal
from tacit.ground.budget import Budget
from tacit.ground.errors import ConfigError
from tacit.signature.signature import Signature


@dataclass(frozen=True, eq=False)
class Program:
    """What `compile` takes: examples to learn from, an environment to act in, a game to play against itself, or only a score to raise.

    signature: may be left out for an environment and a game, which have one of their own. environment: the id of one that Gymnasium
    knows, a function that makes one, or an object with Gymnasium's interface or Tacit's. game: an object with the rules, a class of it,
    or ``"module:name"``. options: of the environment's id. episodes: fresh ones by which the binary is measured, or games against each
    opponent.
    evolution: how evolution is run, by name (`tacit.search.evolution.Settings`); given, even empty, the weights are searched by it.
    skeleton: a name in `tacit.skeletons.SKELETONS`, or a function ``(signature, **settings) -> torch.nn.Module``.
    settings: values for the skeleton's open choices (width, depth ...): a value fixes a choice, a `choice(...)` opens it.
    recipe: overrides of the training recipe by name (learning_rate, batch, augment ...). directory: where it was read from.
    search: how the open choices are decided, by name (trials, sampler, pruner, objectives ...).

    Raises: ConfigError without anything to learn from or with several; UnknownName, MissingPackage for an environment.
    """

    name: str
    signature: Signature = None  # type: ignore[assignment]  # set when it is made, see below; so are the next ones
    examples: Examples = None  # type: ignore[assignment]
    goals: tuple[Goal, ...] = ()
    skeleton: Any = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)
    budget: Budget = Budget()
    directory: Path | None = None
    environment: Any = None
    game: Any = None
    options: Mapping[str, Any] = field(default_factory=dict)
    search: Mapping[str, Any] = field(default_factory=dict)
    evolution: Mapping[str, Any] | None = None
    episodes: int | None = None

    def __post_init__(self) -> None:
        given = [name for name in ("environment", "game") if getattr(self, name) is not None]
        given += ["examples"] if self.examples is not None and len(self.examples) else []
        scored = self.signature is not None and any(goal.score is not None for goal in self.goals)  # then a score is enough
        if self.examples is None and len(given) != (0 if scored and not given else 1):
            raise ConfigError(
                f"expected examples, an environment or a game, got {' and '.join(given) or 'none of them'} - at the program `{self.name}`",
                fix='Program(name, signature, examples), or Program(name, environment="CartPole-v1")',
            )
        if self.environment is not None and not isinstance(self.environment, Environment):
            opened = environment_of(self.environment, signature=self.signature, options=self.options)
            object.__setattr__(self, "environment", opened)
        if self.game is not None:
            object.__setattr__(self, "game", game_of(self.game))
        if self.signature is None:
            own = self.environment.signature if self.environment is not None else signature_of_game(self.game)
            object.__setattr__(self, "signature", own)
        if self.examples is None:
            object.__setattr__(self, "examples", Examples.none(self.signature))

    @property
    def aims(self) -> tuple[Goal, ...]:
        """Give its goals, or the usual metric of its output where it names none; the first decides what is chosen."""
        return self.goals or (Goal(self.signature.output.metric),)

    @property
    def only_scored(self) -> bool:
        """Tell whether a score of its own is all that it has."""
        return not self.acts and not len(self.examples) and any(goal.score is not None for goal in self.goals)

    def need_examples(self, what: str) -> None:
        """Refuse a program that learns by acting where examples are needed; what: that for which. Raises: ConfigError."""
        if self.acts:
            raise ConfigError(
                f"expected a program that learns from examples, `{self.name}` learns by acting - at {what}",
                fix="tacit test, tacit run: measured by acting",
            )

    @property
    def acts(self) -> bool:
        """Tell whether it learns by acting, not from examples."""
        return self.environment is not None or self.game is not None
