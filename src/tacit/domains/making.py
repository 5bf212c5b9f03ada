"""Begin a program directory like a domain program, and compile it in the way of that program."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tacit.domains.program import Compiles, DomainProgram, data_set, domain_program
from tacit.ground.errors import ConfigError, InputError, UnknownName
from tacit.ground.files import write_atomic
from tacit.ground.progress import Reporter
from tacit.ground.tables import resolve

_NOTE = ".tacit/like.json"


@dataclass(frozen=True)
class Begun:
    """A program directory, whose program it is like, on which data, and whether it was there before."""

    directory: Path
    program: DomainProgram
    data: str
    found: bool = False


def begin_like(directory: Path, name: str, *, data: str | None = None, reporter: Reporter | None = None) -> Begun:
    """Make a program directory like a domain program.

    data: one of the sets that it knows; by default the embedded one. Raises: UnknownName for a program or set that is not known; InputError
    when the directory is there already, or the data can't be had. After an error there is nothing.
    """
    directory, reporter = Path(directory), reporter or Reporter()
    program = domain_program(name)
    chosen = data_set(program, data)
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise InputError(f"expected a new or empty folder for the program - at `{directory}`", fix="give another name, or remove it first")
    reporter.phase(f"making a program like {program.name}")
    try:
        program.write(directory, chosen, reporter=reporter)
        write_atomic(directory / _NOTE, json.dumps({"like": program.name, "data": chosen}) + "\n")
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise
    return Begun(directory, program, chosen)


def go_on_like(directory: Path, name: str, *, data: str | None = None, reporter: Reporter | None = None) -> Begun:
    """Give a directory that was made like a domain program before, with what a person changed in it; else make it.

    Raises: ConfigError when something else is there; as `begin_like`.
    """
    directory = Path(directory)
    if not directory.exists() or (directory.is_dir() and not any(directory.iterdir())):
        return begin_like(directory, name, data=data, reporter=reporter)
    program = domain_program(name)
    note = _note_of(directory)
    if note.get("like") == program.name and note.get("data") in program.sets and data in (None, note["data"]):
        return Begun(directory, program, note["data"], found=True)
    chosen = data_set(program, data)
    there = f"a program like {note['like']} with {note['data']}" if note else "something that `tacit new --like` did not make"
    raise ConfigError(
        f"expected a new folder, or a program like {program.name} with {chosen}, got {there} - at `{directory}`",
        fix=f"tacit compile {directory}, to compile it as it is; or another folder: tacit compile DIR --like {program.name}",
    )


def found_like(directory: Path) -> Begun | None:
    """Give what a directory was begun like, or None where nothing says so, or that program is no longer installed."""
    note = _note_of(directory)
    try:
        program = domain_program(note["like"])
    except (KeyError, UnknownName):
        return None
    return Begun(directory, program, note["data"], found=True) if note["data"] in program.sets else None


def compile_like(
    begun: Begun,
    *,
    minutes: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    resume: bool = False,
    output: Path | None = None,
    reporter: Reporter | None = None,
) -> Path:
    """Compile a directory in the way of its program; give the path of what was written. Raises: as the program does."""
    reporter = reporter or Reporter()
    if isinstance(begun.program, Compiles):
        return begun.program.compile(
            begun.directory, minutes=minutes, steps=steps, seed=seed, resume=resume, output=output, reporter=reporter
        )
    overrides = {} if minutes is None else {"budget.minutes": str(minutes)}
    program = resolve("tacit.directory.reading:read_program")(begun.directory, overrides=overrides, reporter=reporter)
    plan = None if steps is None else [(0, steps)]
    binary = resolve("tacit.compiler:compile")(program, seed=seed, resume=resume, plan=plan, reporter=reporter)
    path: Path = binary.save(output or begun.directory / f"{program.name}.tacit")
    return path


def _note_of(directory: Path) -> dict[str, Any]:
    try:
        note = json.loads((directory / _NOTE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) and {"like", "data"} <= set(note) else {}
