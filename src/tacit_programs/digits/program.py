"""The digits as a domain program: begun by `tacit new --like digits`, put beside its predecessor by `tacit scoreboard digits`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import tacit
from tacit_programs.digits.predecessor import predecessor
from tacit_programs.digits.unpacking import unpack


class DigitsProgram:
    """Which digit a small picture shows."""

    name = "digits"
    title = "handwritten digits of 8 by 8, embedded"
    sets: Mapping[str, tacit.DataSource | None] = {"uci-digits": None}

    def write(self, directory: Path, data: str, *, reporter: tacit.Reporter) -> Path:
        """Make the program directory. Raises: InputError when it is there already."""
        return unpack(directory, reporter=reporter)

    def standings(
        self, data: str, *, minutes: float | None, steps: int | None, seed: int, folder: Path, reporter: tacit.Reporter
    ) -> Iterator[tacit.Standing]:
        """Fit the support vector machine, compile the program, and give a row each, both from the same test split."""
        directory = folder / "digits"
        program = tacit.read(directory if directory.exists() else self.write(directory, data, reporter=reporter))
        reporter.phase("support vector machine")
        yield predecessor(program.examples, reporter=reporter)
        if minutes is not None or steps is not None:
            program = replace(program, budget=tacit.Budget(minutes=minutes, steps=steps))
        begun = time.process_time()
        binary = tacit.compile(program, seed=seed, reporter=reporter)
        yield tacit.standing_of(binary, contestant="digits", metric="accuracy", made_in=time.process_time() - begun)


PROGRAM = DigitsProgram()
