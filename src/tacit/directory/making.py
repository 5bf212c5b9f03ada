"""Make a program directory from what a person has."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from tacit.directory.reading import program_name
from tacit.directory.schema import TOML
from tacit.directory.template import GITIGNORE, TESTS_TOML, program_toml
from tacit.directory.workflow import WORKFLOW, workflow_note, workflow_text
from tacit.examples.intake import Intake, take_in
from tacit.examples.sources import find_examples
from tacit.examples.writing import write_attributes
from tacit.ground.errors import InputError, TacitError
from tacit.ground.files import write_atomic
from tacit.ground.progress import Reporter


def new_program(
    directory: Path,
    *,
    source: Path,
    label: str | None = None,
    group: str | None = None,
    name: str | None = None,
    workflow: bool = True,
    finish: Callable[[Path], None] | None = None,
    reporter: Reporter | None = None,
) -> Path:
    """Make a program directory from a folder, zip, table or arrays; give its path. Everything inferred stands in `tacit.toml`.

    Everything is written into a folder beside it first and renamed at the end, so after an error there is nothing.
    workflow: write what comments on pull requests that change labels, too.
    finish: called with that folder before the renaming, to write more into it.
    Raises: InputError naming everything in the source that can't be used, or when the directory is there already; TacitError
    when it can't be written, or somebody else has put something there in the meantime.
    """
    directory, reporter = Path(directory), reporter or Reporter()
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise InputError(f"expected a new or empty folder for the program - at `{directory}`", fix="give another name, or remove it first")
    found = find_examples(Path(source), label=label, group=group)
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(dir=directory.parent, prefix=f".{directory.name}.", suffix=".new"))
    except OSError as error:
        raise TacitError(f"could not make the folder - at `{directory}`", cause=f"the system says: {error.strerror}") from error
    try:
        intake = take_in(found, building, reporter=reporter)
        write_atomic(building / TOML, program_toml(name or program_name(directory), intake))
        write_atomic(building / "tests.toml", TESTS_TOML)
        write_atomic(building / ".gitignore", GITIGNORE)
        if workflow:
            write_atomic(building / WORKFLOW, workflow_text(directory))
        write_attributes(building)
        if finish is not None:
            finish(building)
        building.chmod(0o755)
        _put(building, directory)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    _tell(intake, reporter)
    if workflow:
        reporter.note(workflow_note(directory))
    return directory


def _put(building: Path, directory: Path) -> None:
    """Rename what is complete to where it belongs. Raises: TacitError when something stands there by now."""
    try:
        if directory.exists():
            directory.rmdir()
        building.rename(directory)
    except OSError as error:
        raise TacitError(
            f"expected a new or empty folder for the program, something was put there meanwhile - at `{directory}`",
            cause=f"the system says: {error.strerror}",
            fix="look at what is there; give another name, or the same command again",
        ) from error


def _tell(intake: Intake, reporter: Reporter) -> None:
    counts = ", ".join(f"{count:,} {split}" for split, count in intake.counts.items())
    reporter.note(f"{intake.signature}; {intake.examples:,} examples: {counts}")
    for note in intake.notes:
        reporter.note(note)
