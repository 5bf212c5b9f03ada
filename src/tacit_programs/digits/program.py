"""The digits as a domain program: begun by `tacit new --like digits`, put beside its predecessor by `tacit scoreboard digits`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import tacit
from tacit_programs.digits.predecessor import predecessor
from tacit_programs.digits.unpacking import unpack


class DigitsProgram:
    """Which digit a small picture shows."""

    name = "digits"
    title = "handwritten digits of 8 by 8, embedded"
    sets: Mapping[str, tacit.DataSource | None] = {"uci-digits": None}

    predecessor = staticmethod(predecessor)

    def write(self, directory: Path, data: str, *, reporter: tacit.Reporter) -> Path:
        """Make the program directory. Raises: InputError when it is there already."""
        return unpack(directory, reporter=reporter)


PROGRAM = DigitsProgram()
