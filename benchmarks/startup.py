"""Measure what a person waits for before anything happens: `tacit --help`, and `tacit run` on one picture of a digit.

Each command is a fresh process in which torch can't be imported, as after `pip install tacit`. A bare `python -c pass` takes
turns with them, so that a busy machine shows: its median should be some 0.02 s.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from harness import command_line, record
from tacit_command import tacit

from tacit_programs.digits.unpacking import unpack

TURNS = 15
_START = "import sys; sys.modules['torch'] = None; from tacit.cli.main import main; sys.exit(main())"


def digits_binary(folder: Path) -> tuple[Path, Path]:
    """Compile the embedded digits; give the binary and a picture."""
    unpack(folder / "digits")
    tacit(["compile", str(folder / "digits"), "--steps", "300", "-o", str(folder / "digits.tacit"), "--json"])
    return folder / "digits.tacit", folder / "digits" / "picture.png"


def timed(words: list[str]) -> tuple[float, float]:
    """Run a command; give the seconds on the wall and those that it computed."""
    before, started = os.times(), time.perf_counter()
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - started, os.times()
    return wall, after.children_user + after.children_system - before.children_user - before.children_system


def main() -> None:
    """Measure and record."""
    with tempfile.TemporaryDirectory() as name:
        binary, picture = digits_binary(Path(name))
        commands = {
            "python": [sys.executable, "-c", "pass"],
            "help": [sys.executable, "-c", _START, "--help"],
            "run": [sys.executable, "-c", _START, "run", str(binary), str(picture)],
            "inspect": [sys.executable, "-c", _START, "inspect", str(binary)],
        }
        for words in commands.values():
            timed(words)  # writes the bytecode, fills the cache of files
        times: dict[str, list[tuple[float, float]]] = {key: [] for key in commands}
        for _ in range(TURNS):
            for key, words in commands.items():
                times[key].append(timed(words))
    figures: dict[str, object] = {}
    for key, pairs in times.items():
        figures[f"{key} median seconds"] = statistics.median(wall for wall, _ in pairs)
        figures[f"{key} median computing seconds"] = statistics.median(computing for _, computing in pairs)
        figures[f"{key} seconds"] = [wall for wall, _ in pairs]
    path = record(
        "startup",
        figures,
        command=command_line(),
        target={"help median seconds": "<= 0.3", "run median seconds": "<= 0.7"},
        notes="Fresh processes in which torch can't be imported. `computing` is user and system time, steady on a busy machine.",
    )
    print(path.read_text())


if __name__ == "__main__":
    main()
