"""Overrides from the command line: ``--set skeleton.width=32`` over what stands in `tacit.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any


def parse_value(text: str) -> Any:
    """Read a value as TOML would; what is no TOML is a text.

    >>> parse_value("[16, 32]"), parse_value("0.1"), parse_value("convnet2d")
    ([16, 32], 0.1, 'convnet2d')
    """
    try:
        document = tomllib.loads(f"x = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return document["x"] if set(document) == {"x"} else text


def apply_overrides(document: Mapping[str, Any], overrides: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """Give a copy of the document with the overrides in it, and what is wrong with them. Keys are dotted, the section first."""
    changed = {section: dict(content) if isinstance(content, dict) else content for section, content in document.items()}
    problems: list[str] = []
    for key, text in overrides.items():
        section, dot, rest = key.partition(".")
        if not dot or not rest:
            problems.append(f"--set {key}={text}: expected section.key=value, such as budget.minutes=2")
            continue
        place = changed.setdefault(section, {})
        # A class may be called anything, so `goal.classes.<name>.<metric>` is taken apart from both ends.
        inner = (
            ["classes", *rest.removeprefix("classes.").rpartition(".")[::2]]
            if section == "goal" and rest.startswith("classes.")
            else [rest]
        )
        for name in inner[:-1]:
            place[name] = dict(place.get(name, {}))
            place = place[name]
        if isinstance(place, dict):
            place[inner[-1]] = parse_value(text)
    if "budget.minutes" in overrides and "budget.steps" not in overrides and isinstance(changed.get("budget"), dict):
        changed["budget"].pop("steps", None)  # a budget by the clock takes the place of one in steps
    return changed, problems
