"""Find the program directory that belongs to a file: the one that it lies in, or one of the right name beside it."""

from __future__ import annotations

from pathlib import Path

from tacit.directory.reading import is_program, program_name


def program_beside(file: Path, name: str | None = None) -> Path | None:
    """Give the program directory of a binary's file, or None. name: of the program, as the binary knows it."""
    above = file.absolute().parent
    named = name or file.stem
    candidates = [above, above / file.stem, *(above / f"{one}{end}" for one in (named, file.stem) for end in ("", ".program"))]
    matching = [path for path in candidates if is_program(path)]
    return next((path for path in matching if path == above or program_name(path) in (named, file.stem)), None)
