"""`[environment]` and `[game]` of a `tacit.toml`: a program that learns by acting has no labels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tacit.directory.functions import find_function
from tacit.directory.schema import Lines
from tacit.environments.opening import FromFile
from tacit.goals.acting import acting_faults
from tacit.goals.goal import Goal
from tacit.ground.errors import ConfigError, TacitError

#: The section -> the keys of which exactly one says what it is.
PLACES = {"environment": ("id", "make"), "game": ("rules",)}


def acts(document: Mapping[str, Any]) -> bool:
    """Tell whether a document is about a program that learns by acting."""
    return any(section in document for section in PLACES)


def refuse_acting(document: Mapping[str, Any], directory: Path) -> None:
    """Refuse a program that learns by acting, where labels are asked for. Raises: ConfigError."""
    if acts(document):
        raise ConfigError(
            f"expected a program that learns from labels, this one learns by acting - at `{directory}`", fix=f"tacit compile {directory}"
        )


def acting_problems(document: Mapping[str, Any], directory: Path, lines: Lines) -> list[str]:
    """List what is wrong with the sections of a program that acts, and with its goals; nothing of it is run."""
    problems = []
    if all(section in document for section in PLACES):
        problems.append(f"{lines.where('game')}: expected `[environment]` or `[game]`, got both")
    for section, keys in PLACES.items():
        content = document.get(section)
        if not isinstance(content, dict):
            continue
        named = [key for key in keys if key in content]
        if len(named) != 1:
            problems.append(f"{lines.where(section)}: expected {' or '.join(f'`{key}`' for key in keys)} in `[{section}]`")
        reference = content.get("make", "")
        if isinstance(reference, str) and reference:
            try:
                find_function(directory, reference)
            except TacitError as error:
                problems.append(f"{lines.where(section, 'make')}: {error.message}" + (f"; {error.fix}" if error.fix else ""))
        if isinstance(content.get("rules"), str) and ":" not in content["rules"]:
            problems.append(f"{lines.where(section, 'rules')}: expected `file.py:name` or `module:name`, got `{content['rules']}`")
    for goal in _named_goals(document.get("goal", {})):
        where = lines.where("goal" if goal.label is None else f"goal.against.{goal.label}", goal.metric)
        problems += [f"{where}: {problem}" for problem in acting_faults([goal], game="game" in document)]
    return problems


def acting_goals(section: Mapping[str, Any], directory: Path) -> tuple[Goal, ...]:
    """Give the goals: a score of one's own first, then ``return = 475``, and ``[goal.against.uct] win_rate = 0.6``."""
    own: tuple[Goal, ...] = ()
    if "score" in section:
        threshold = float(section["threshold"]) if "threshold" in section else None
        score = find_function(directory, section["score"])
        own = (Goal(threshold=threshold, score=score, lower_is_better=section.get("better") == "lower"),)
    return own + _named_goals(section)


def _named_goals(section: Any) -> tuple[Goal, ...]:
    if not isinstance(section, Mapping):
        return ()
    plain = {name: value for name, value in section.items() if isinstance(value, int | float) and not isinstance(value, bool)}
    goals = [Goal(metric, float(value)) for metric, value in plain.items() if metric not in ("threshold", "better")]
    against = section.get("against")
    for opponent, content in against.items() if isinstance(against, Mapping) else ():
        goals += [Goal(metric, float(value), label=opponent) for metric, value in content.items()] if isinstance(content, Mapping) else []
    return tuple(goals)


def acting_fields(document: Mapping[str, Any], directory: Path) -> dict[str, Any]:
    """Give the fields of a `Program` that say where it acts."""
    environment, game = document.get("environment"), document.get("game")
    if environment is not None:
        given = environment["id"] if "id" in environment else find_function(directory, environment["make"])
        episodes = environment.get("episodes")
        return {"environment": given, "options": environment.get("options", {}), "episodes": None if episodes is None else int(episodes)}
    rules, games = str(game["rules"]) if game is not None else "", (game or {}).get("games")
    file, _, name = rules.partition(":")
    given = FromFile(directory / file, name) if file.endswith(".py") else rules
    return {"game": given, "episodes": None if games is None else int(games)}
