"""Read a program directory back as a `Program`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tacit.directory.acting import acting_fields, acting_goals, acting_problems, acts, refuse_acting
from tacit.directory.functions import find_function
from tacit.directory.overrides import apply_overrides
from tacit.directory.schema import NOT_METRICS, TOML, Lines, faults, toml_value
from tacit.examples.load import load_examples
from tacit.examples.splits import SplitRule
from tacit.examples.tree import printable, there
from tacit.goals.goal import Goal
from tacit.goals.own import asks_for
from tacit.goals.table import METRICS
from tacit.ground.budget import Budget
from tacit.ground.errors import ConfigError, InputError, TacitError, raise_all
from tacit.ground.progress import Reporter
from tacit.program import Program
from tacit.signature.base import InputType, OutputType, Signature
from tacit.signature.types import TYPES, from_json
from tacit.skeletons.choices import between, choice


def read_program(directory: Path, *, overrides: Mapping[str, str] | None = None, reporter: Reporter | None = None) -> Program:
    """Read a program directory: `tacit.toml` with overrides (``{"skeleton.width": "32"}``), labels and inputs.

    Raises: ConfigError naming every problem of `tacit.toml` and of the overrides with its line; InputError for labels and inputs.
    """
    directory = Path(directory)
    document, lines = _read_toml(directory)
    document, problems = apply_overrides(document, overrides or {})
    problems += faults(document, lines.where)
    signature = _signature(document, lines, problems)
    if acts(document):
        problems += acting_problems(document, directory, lines)
    elif signature is not None:
        problems += _goal_faults(document.get("goal", {}), signature, lines)
    problems += _score_faults(document.get("goal", {}), directory, lines)
    raise_all(problems, heading=f"expected settings that are understood - at `{directory / TOML}`", error=ConfigError, most=100)
    if acts(document):
        return _acting_program(document, signature, directory)
    if signature is None:
        raise ConfigError(f"expected an input and an output type - at `{directory / TOML}`")
    return Program(
        name=document.get("program", {}).get("name", program_name(directory)),
        signature=signature,
        examples=load_examples(directory, signature, rule=_rule(document.get("split", {})), reporter=reporter),
        goals=_goals(document.get("goal", {}), signature, directory),
        skeleton=document.get("skeleton", {}).get("name", signature.input.skeleton),
        settings={key: _setting(value) for key, value in document.get("skeleton", {}).items() if key != "name"},
        recipe=dict(document.get("train", {})),
        search=dict(document.get("search", {})),
        evolution=document.get("evolution"),
        budget=Budget(**_whole(document.get("budget", {}))),
        directory=directory,
    )


def _acting_program(document: Mapping[str, Any], signature: Signature | None, directory: Path) -> Program:
    """Give a program that learns by acting: it has no examples, and a signature of its own unless the file names one."""
    given: dict[str, Any] = {} if signature is None else {"signature": signature}
    return Program(
        name=document.get("program", {}).get("name", program_name(directory)),
        **given,
        **acting_fields(document, directory),
        goals=acting_goals(document.get("goal", {}), directory),
        skeleton=document.get("skeleton", {}).get("name"),
        settings={key: _setting(value) for key, value in document.get("skeleton", {}).items() if key != "name"},
        recipe=dict(document.get("train", {})),
        search=dict(document.get("search", {})),
        evolution=document.get("evolution"),
        budget=Budget(**_whole(document.get("budget", {}))),
        directory=directory,
    )


@dataclass(frozen=True)
class Outline:
    """What `tacit.toml` says without a look at the examples."""

    name: str
    signature: Signature
    rule: SplitRule


def read_outline(directory: Path) -> Outline:
    """Read name, signature and rule of the splits of a program directory, no labels and no inputs. Raises: ConfigError."""
    directory = Path(directory)
    document, lines = _read_toml(directory)
    refuse_acting(document, directory)
    problems = faults(document, lines.where)
    signature = _signature(document, lines, problems)
    raise_all(problems, heading=f"expected settings that are understood - at `{directory / TOML}`", error=ConfigError, most=100)
    if signature is None:
        raise ConfigError(f"expected an input and an output type - at `{directory / TOML}`")
    name = document.get("program", {}).get("name", program_name(directory))
    return Outline(name, signature, _rule(document.get("split", {})))


def read_section(directory: Path, section: str) -> dict[str, Any]:
    """Read one section of `tacit.toml`, empty where there is none; what is wrong elsewhere in the file is let be. Raises: ConfigError."""
    document, lines = _read_toml(Path(directory))
    mine = {section: document[section]} if section in document else {}
    problems = [problem for problem in faults(mine, lines.where) if "with a `type`" not in problem]
    raise_all(problems, heading=f"expected settings that are understood - at `{Path(directory) / TOML}`", error=ConfigError, most=100)
    return dict(mine.get(section, {}))


def program_name(directory: Path) -> str:
    """Name a program by its folder."""
    return printable(re.sub(r"\.program$", "", directory.resolve().name))


def is_program(path: Path) -> bool:
    """Say whether a path is a program directory."""
    return there(Path(path) / TOML)


def compiled_in(directory: Path, name: str) -> Path:
    """Find the binary that `tacit compile` left in a program directory. Raises: InputError."""
    path = directory / f"{name}.tacit"
    if path.is_file():
        return path
    others = sorted(other for other in directory.glob("*.tacit") if other.is_file())  # `.tacit` is a folder of caches
    if len(others) == 1:
        return others[0]
    raise InputError(
        f"expected a compiled program, got {'none' if not others else f'{len(others)} of other names'} - at `{path}`",
        fix=f"give one of them: {others[0]}" if others else f"tacit compile {directory}",
    )


def _read_toml(directory: Path) -> tuple[dict[str, Any], Lines]:
    path = directory / TOML
    if not path.is_file():
        fix = f"tacit new DIR --from {directory}" if directory.is_dir() else "give the path of a program directory"
        raise ConfigError(f"expected a program directory with a `{TOML}`, there is none - at `{directory}`", fix=fix)
    try:
        text = path.read_bytes().decode()
        return tomllib.loads(text), Lines(text, TOML)
    except UnicodeDecodeError as error:
        raise ConfigError(f"expected UTF-8 text, got the byte 0x{error.object[error.start]:02x} - at `{path}`") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"expected TOML - at `{path}`", cause=str(error), fix='texts stand in quotes: name = "convnet2d"') from error


def _signature(document: Mapping[str, Any], lines: Lines, problems: list[str]) -> Signature | None:
    """Build the signature; what is wrong with it joins `problems`."""
    parts: dict[str, Any] = {}
    for section, wanted in (("input", InputType), ("output", OutputType)):
        fields = document.get(section)
        if not isinstance(fields, dict):
            continue
        if not isinstance(fields.get("type"), str):
            problems.append(f'{lines.where(section)}: expected a `type` in `[{section}]`, such as type = "image"')
            continue
        try:
            fields = {**fields, "type": _kind(fields["type"])}
            type_ = from_json(fields)
        except TacitError as error:
            text = error.message + (f", {error.fix}" if error.fix else "")
            problems.append(f"{lines.where(section, 'type')}: " + text.replace("\n", "\n    "))
            continue
        if not isinstance(type_, wanted):
            problems.append(f"{lines.where(section, 'type')}: expected an {section} type, got {toml_value(fields['type'])}")
            continue
        parts[section] = type_
    return parts["input"] >> parts["output"] if len(parts) == 2 else None


def _kind(text: str) -> str:
    """Give the row of the table of types; `Image` and `image` are the same."""
    return next((kind for kind in TYPES.rows() if kind.lower() == text.lower()), text)


def _goal_faults(section: Any, signature: Signature, lines: Lines) -> list[str]:
    """List metrics that are not known or not for this output, and classes that it does not have."""
    problems: list[str] = []
    if not isinstance(section, dict):
        return problems
    wanted = [("goal", metric, None) for metric in section if metric not in NOT_METRICS]
    classes = section.get("classes")
    for name, content in classes.items() if isinstance(classes, dict) else ():
        wanted += [(f"goal.classes.{name}", metric, name) for metric in content] if isinstance(content, dict) else []
    for place, metric, label in wanted:
        try:
            METRICS.get(metric).check(signature.output, label=label)
        except TacitError as error:
            problems.append(f"{lines.where(place, metric)}: {error.message}" + (f"; {error.fix}" if error.fix else ""))
    return problems


def _score_faults(section: Any, directory: Path, lines: Lines) -> list[str]:
    """List what is wrong with a score of one's own: nothing of its file runs for it."""
    if not isinstance(section, dict):
        return []
    if "score" not in section:
        alone = [key for key in ("threshold", "better") if key in section]
        return [f'{lines.where("goal", key)}: expected a `score` beside `{key}`, such as score = "goal.py:profit"' for key in alone]
    try:
        asks_for(Goal(score=find_function(directory, section["score"])))
    except TacitError as error:
        return [f"{lines.where('goal', 'score')}: {error.message}" + (f"; {error.fix}" if error.fix else "")]
    return []


def _goals(section: Mapping[str, Any], signature: Signature, directory: Path) -> tuple[Goal, ...]:
    """Give the goals that are set, a score of one's own first; without any, the output's own metric is optimised and nothing required."""
    goals = []
    if "score" in section:
        threshold = float(section["threshold"]) if "threshold" in section else None
        score = find_function(directory, section["score"])
        goals.append(Goal(threshold=threshold, score=score, lower_is_better=section.get("better") == "lower"))
    goals += [Goal(metric, float(value)) for metric, value in section.items() if metric not in NOT_METRICS]
    for name, content in section.get("classes", {}).items():
        goals += [Goal(metric, float(value), label=name) for metric, value in content.items()]
    return tuple(goals) or (Goal(signature.output.metric),)


def _rule(section: Mapping[str, Any]) -> SplitRule:
    usual = SplitRule()
    return SplitRule(
        section.get("validation", usual.validation),
        section.get("test", usual.test),
        tuple(section.get("from_train", ())),
        section.get("by", usual.by),
        str(section.get("salt", usual.salt)),
    )


def _setting(value: Any) -> Any:
    if isinstance(value, dict):
        if "choice" in value:
            return choice(*value["choice"])
        return between(*value["between"], step=value.get("step"), log=value.get("log", False))
    return choice(*value) if isinstance(value, list) else value


def _whole(section: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value if key in ("minutes", "latency") else int(value) for key, value in section.items()}
