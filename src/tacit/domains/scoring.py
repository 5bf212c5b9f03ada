"""Run domain programs beside their predecessors, one after the other; what is done is on disk, and is not done again."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

from tacit.directory.reading import read_program
from tacit.domains.board import Scoreboard, Section, read_scoreboard, these_versions, this_machine
from tacit.domains.measuring import standing_of
from tacit.domains.program import Compares, DomainProgram, HasPredecessor, data_set, domain_program, installed_programs
from tacit.domains.standing import Standing
from tacit.ground.budget import Budget
from tacit.ground.errors import ConfigError, InputError, TacitError, UnknownName, raise_all
from tacit.ground.files import write_atomic
from tacit.ground.progress import Reporter
from tacit.ground.tables import resolve

#: Beside the scoreboard's file: where programs work, and keep what is long to make.
WORK = ".tacit/scoreboard"
#: Reached on use: what is kept is shown without PyTorch.
COMPILE = "tacit.compiler:compile"


@dataclass(frozen=True)
class _Entry:
    """A program to run, or why it can't be, and its section so far."""

    program: DomainProgram | None
    section: Section


def scoreboard(
    names: Sequence[str] = (),
    *,
    data: str | None = None,
    minutes: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    output: str | PathLike[str] | None = None,
    reporter: Reporter | None = None,
) -> Scoreboard:
    """Run the predecessor and the program of each domain on the same test data; give the rows.

    names: the programs, ``NAME`` or ``NAME:SET``; none: all that are installed. data: the set of those that name none (by default each
    program's embedded one). minutes, steps: the budget of each program; by default its own. output: the file in which every row is kept as
    it comes; rows that it has from the same settings, machine and versions are not made again, and other programs' rows stay.
    A program that fails leaves a section that says why, and the others go on.
    Raises: UnknownName, ConfigError for what can't be run at all; FormatError for an `output` that holds something else.
    """
    if minutes is not None and steps is not None:
        raise ConfigError(
            "expected minutes or steps, got both", fix="--steps for a run that can be repeated, --minutes for one by the clock"
        )
    reporter, file = reporter or Reporter(), None if output is None else Path(output)
    entries = _entries(names or installed_programs(), data, {"minutes": minutes, "steps": steps, "seed": seed})
    kept = list(read_scoreboard(file).sections) if file is not None else []
    done: list[Section] = []
    for place, entry in enumerate(entries):
        named = entry.section.named
        before = next((old for old in kept if old.same_run(entry.section) and not old.error), None)
        if before is not None:
            reporter.note(f"{place + 1} of {len(entries)}: {named} stands in {file} with these settings")
            done.append(before)
            continue
        reporter.note(f"{place + 1} of {len(entries)}: {named}")
        folder = (file.parent if file is not None else Path()) / WORK / _work_of(entry.section)
        section = entry.section
        for section in _growing(entry, folder, reporter):
            kept = [old for old in kept if (old.program, old.data) != (section.program, section.data)]
            kept.append(section)
            if file is not None:
                write_atomic(file, json.dumps(Scoreboard(tuple(kept)).to_json(), indent=1, ensure_ascii=False) + "\n")
        done.append(section)
    return Scoreboard(tuple(done))


def _entries(names: Sequence[str], data: str | None, settings: dict[str, Any]) -> list[_Entry]:
    """Find the programs and their data sets. Raises: one error that names every unknown one."""
    machine, versions = this_machine(), these_versions()
    problems, entries = [], []
    for given in names:
        name, colon, own = given.partition(":")
        section = Section(name.replace("_", "-"), own if colon else data or "", settings, machine, versions)
        try:
            program = domain_program(name)
            chosen = data_set(program, own if colon else data)
        except UnknownName as error:
            problems.append(f"{error.message}; {error.fix}" if error.fix else error.message)
            continue
        except Exception as error:  # it is installed and can't be imported: the others are still to run
            entries.append(_Entry(None, replace(section, error=_said(error))))
            continue
        entries.append(_Entry(program, replace(section, program=program.name, data=chosen)))
    raise_all(problems, heading="expected domain programs and data sets that are known", fix="tacit scoreboard NAME:SET", error=ConfigError)
    return entries


def _growing(entry: _Entry, folder: Path, reporter: Reporter) -> Iterator[Section]:
    """Give the section as it grows by a row, and at the end; a failure ends it with the reason.

    Until all rows are there it says that it was interrupted, so that one that was killed is made again.
    """
    section, settings = replace(entry.section, error="interrupted"), entry.section.settings
    if entry.program is None:
        reporter.note(f"{section.program} failed: {entry.section.error}")
        yield entry.section
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        standings = entry.program.standings if isinstance(entry.program, Compares) else partial(usual_standings, entry.program)
        asked = {name: settings[name] for name in ("minutes", "steps", "seed")}
        for row in standings(entry.section.data, **asked, folder=folder, reporter=reporter):
            reporter.note(f"{row.contestant}: {row.metric} {row.score:.4f}")
            section = replace(section, standings=(*section.standings, row))
            yield section
        yield replace(section, error="" if section.standings else "it gave no rows")
    except Exception as error:  # a program of somebody else's may raise anything, and the others are still to run
        reporter.note(f"{section.program} failed: {_said(error)}")
        yield replace(section, error=_said(error))


def usual_standings(
    program: DomainProgram, data: str, *, minutes: float | None, steps: int | None, seed: int, folder: Path, reporter: Reporter
) -> Iterator[Standing]:
    """Give the row of a program's predecessor and of the program, both made from the same examples; the arguments of `Compares.standings`.

    Raises: InputError for a program without a predecessor, or without examples.
    """
    if not isinstance(program, HasPredecessor):
        raise InputError(f"expected `predecessor` or `standings`, got neither - in the domain program `{program.name}`")
    directory = folder / data
    given = read_program(directory if directory.exists() else program.write(directory, data, reporter=reporter))
    if given.examples is None:
        raise InputError(f"expected examples that both learn from, got none - in the data set `{data}` of `{program.name}`")
    reporter.phase(f"the predecessor of {program.name}")
    yield program.predecessor(given.examples, reporter=reporter)
    if minutes is not None or steps is not None:
        given = replace(given, budget=Budget(minutes=minutes, steps=steps))
    begun = time.process_time()
    binary = resolve(COMPILE)(given, seed=seed, reporter=reporter)
    made_in = time.process_time() - begun
    yield standing_of(binary, contestant=program.name, metric=given.examples.signature.output.metric, made_in=made_in)


def _work_of(section: Section) -> str:
    """Name a folder to work in, another one for other settings: what is kept there was made by them."""
    given = [f"{name}-{value}" for name, value in section.settings.items() if value is not None]
    return "-".join([section.program, section.data, *given])


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, TacitError) else f"{type(error).__name__}: {error}"
