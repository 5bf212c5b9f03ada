"""What `tacit.toml` may hold: sections, keys, and what each key takes."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from tacit.ground.budget import latency_seconds
from tacit.ground.errors import ConfigError
from tacit.ground.tables import did_you_mean

TOML = "tacit.toml"
FORMAT = 1

#: Keys of `[goal]` that are no metrics.
NOT_METRICS = ("score", "threshold", "better", "classes", "against")

Rule = Callable[[Any], str | None]


def _text(value: Any) -> str | None:
    return None if isinstance(value, str) and value else "a text in quotes"


def is_number(value: Any) -> bool:
    """Say whether a value is a finite number (true and false are none)."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _fraction(value: Any) -> str | None:
    return None if is_number(value) and 0 <= value < 1 else "a fraction from 0 up to, not including, 1"


def _positive(value: Any) -> str | None:
    return None if is_number(value) and value > 0 else "a number above 0"


def _count(value: Any) -> str | None:
    return None if is_number(value) and value == int(value) and value > 0 else "a whole number above 0"


def _function(value: Any) -> str | None:
    return None if isinstance(value, str) and ":" in value else '"file.py:function"'


def _sense(value: Any) -> str | None:
    return None if value in ("higher", "lower") else '"higher" or "lower"'


def _number(value: Any) -> str | None:
    return None if is_number(value) else "a number"


def _splits(value: Any) -> str | None:
    good = isinstance(value, list) and set(map(str, value)) <= {"validation", "test"}
    return None if good else 'a list of "validation" and "test"'


def _by(value: Any) -> str | None:
    return None if value in ("id", "group") else '"id" or "group"'


def _setting(value: Any) -> str | None:
    members = value if isinstance(value, list) else [value]
    good = bool(members) and all(isinstance(member, str | bool) or is_number(member) for member in members)
    return None if good else "a number, a text, true or false, or a list of them"


def _open(value: Any) -> str | None:
    """Take what `_setting` takes, and open choices written as sections: ``{choice = [16, 32]}``, ``{between = [8, 96], step = 8}``."""
    if not isinstance(value, dict):
        return _setting(value)
    if set(value) == {"choice"}:
        return None if isinstance(value["choice"], list) and _setting(value["choice"]) is None else "{choice = [...]} with its values"
    ends, step = value.get("between"), value.get("step", 1)
    good = set(value) <= {"between", "step", "log"} and isinstance(ends, list) and len(ends) == 2 and all(map(is_number, ends))
    if not isinstance(ends, list) or not good or not is_number(step) or not isinstance(value.get("log", False), bool):
        return "{choice = [...]} or {between = [low, high]}, the latter with `step` or `log = true`,"
    if ends[0] > ends[1] or step <= 0 or (value.get("log") and ("step" in value or ends[0] <= 0)):
        return "a range from low to high, a step above 0, and without a step and above 0 where `log = true`,"
    return None


def _time(value: Any) -> str | None:
    try:
        return None if isinstance(value, str) and latency_seconds(value)[0] else 'a time such as "0.5ms" or "2ms@168MHz"'
    except ConfigError:
        return 'a time such as "0.5ms" or "2ms@168MHz"'


def _names(value: Any) -> str | None:
    return None if isinstance(value, list) and all(isinstance(item, str) for item in value) else "a list of names"


def _whole(value: Any) -> str | None:
    return None if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else "a whole number"


def _truth(value: Any) -> str | None:
    return None if isinstance(value, bool) else "true or false"


def _override(value: Any) -> str | None:
    return None if value == [] else _setting(value)  # `augment = []` turns augmentation off


def _options(value: Any) -> str | None:
    return None if isinstance(value, dict) else "a section `[media.options]`"


def _environment_options(value: Any) -> str | None:
    return None if isinstance(value, dict) else "a section `[environment.options]`"


def _against(value: Any) -> str | None:
    good = isinstance(value, dict) and all(isinstance(part, dict) and all(map(is_number, part.values())) for part in value.values())
    return None if good else "sections such as `[goal.against.uct]` with numbers"


def _format(value: Any) -> str | None:
    return None if value == FORMAT else f"{FORMAT} (the format of this release; a newer tacit wrote another)"


#: Section -> key -> what the key takes. A section that is not here is unknown; `*` stands for any other key.
SECTIONS: Mapping[str, Mapping[str, Rule]] = {
    "program": {"name": _text, "format": _format},
    "input": {"type": _text, "*": lambda value: None},
    "output": {"type": _text, "*": lambda value: None},
    "split": {"validation": _fraction, "test": _fraction, "from_train": _splits, "by": _by, "salt": lambda value: None},
    "skeleton": {"name": _text, "*": _open},
    "goal": {"score": _function, "threshold": _number, "better": _sense, "classes": lambda value: None, "against": _against, "*": _number},
    "budget": {
        "minutes": _positive,
        "steps": _count,
        "generations": _count,
        "macs": _count,
        "weight_bytes": _count,
        "arena_bytes": _count,
        "latency": _time,
    },
    "train": {"*": _override},
    "search": {
        **{name: _whole for name in ("trials", "batch", "rungs", "factor")},
        **{"sampler": _text, "pruner": _text, "objectives": _names, "share": _fraction, "fit": _truth},
    },
    "evolution": {"*": _setting},
    "environment": {"id": _text, "make": _function, "options": _environment_options, "episodes": _count},
    "game": {"rules": _text, "games": _count},
    "media": {"remote": _text, "options": _options},
}


def faults(document: Mapping[str, Any], where: Callable[[str, str | None], str]) -> list[str]:
    """List everything in a document that the schema does not allow; `where(section, key)` says where it stands."""
    problems: list[str] = []
    for section, content in document.items():
        rules = SECTIONS.get(section)
        if rules is None:
            problems.append(f"{where(section, None)}: unknown section `[{section}]`; {did_you_mean(section, list(SECTIONS))}")
            continue
        if not isinstance(content, dict):
            problems.append(f"{where(section, None)}: expected a section `[{section}]`, got a {type(content).__name__}")
            continue
        for key, value in content.items():
            rule = rules.get(key) or rules.get("*")
            if rule is None:
                problems.append(f"{where(section, key)}: unknown key `{key}` in `[{section}]`; {did_you_mean(key, list(rules))}")
            elif (wanted := rule(value)) is not None:
                problems.append(f"{where(section, key)}: expected {wanted} for `{key}` in `[{section}]`, got {shown(value)}")
    if not ({"environment", "game"} & set(document)):  # these have types of their own
        missing = [section for section in ("input", "output") if section not in document]
        problems += [f"{TOML}: expected a section `[{section}]` with a `type`" for section in missing]
    classes = document.get("goal", {}).get("classes") if isinstance(document.get("goal"), dict) else None
    if classes is not None:
        problems += _class_goal_faults(classes, where)
    return problems


def _class_goal_faults(classes: Any, where: Callable[[str, str | None], str]) -> list[str]:
    if not isinstance(classes, dict) or not all(isinstance(content, dict) for content in classes.values()):
        return [f"{where('goal', 'classes')}: expected sections such as `[goal.classes.cat]`, got {shown(classes)}"]
    return [
        f"{where(f'goal.classes.{name}', key)}: expected a number for `{key}` in `[goal.classes.{name}]`, got {shown(value)}"
        for name, content in classes.items()
        for key, value in content.items()
        if not is_number(value)
    ]


def shown(value: Any) -> str:
    """Show a value as it would stand in the file, shortened."""
    text = toml_value(value)
    return text if len(text) <= 60 else text[:57] + "..."


def toml_value(value: Any) -> str:
    """Write a value as TOML.

    >>> toml_value(["a", 1, True])
    '["a", 1, true]'
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return '"' + re.sub(r'[\x00-\x1f\x7f"\\]', lambda match: _escaped(match[0]), value) + '"'
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml_key(key)} = {toml_value(item)}" for key, item in value.items()) + "}"
    return str(value)


def toml_key(key: str) -> str:
    """Write a key as TOML, in quotes where it needs them."""
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else toml_value(key)


def _escaped(character: str) -> str:
    known = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
    return known.get(character, f"\\u{ord(character):04x}")


class Lines:
    """Where sections and keys stand in the text of a file; `tomllib` does not say."""

    def __init__(self, text: str, name: str) -> None:
        self.name = name
        self._found: dict[tuple[str, str | None], int] = {}
        section = ""
        for number, line in enumerate(text.split("\n"), 1):
            if match := re.match(r"\s*\[+\s*([^\]]+?)\s*\]+", line):
                section = re.sub(r"""\s*\.\s*""", ".", match[1]).replace('"', "").replace("'", "")
                self._found.setdefault((section, None), number)
            elif match := re.match(r"""\s*("[^"]*"|'[^']*'|[\w.-]+)\s*=""", line):
                self._found.setdefault((section, match[1].strip("\"'")), number)

    def where(self, section: str, key: str | None = None) -> str:
        """Give ``tacit.toml:12`` for a key, or for its section where the key is not found."""
        number = self._found.get((section, key)) or self._found.get((section, None)) or self._found.get(("", section))
        return f"{self.name}:{number}" if number else self.name
