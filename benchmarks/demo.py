"""How long the README's first command takes: `make demo` in a fresh clone, and the compile in it by itself.

    python benchmarks/demo.py

The clone holds what is committed. Packages are downloaded or come from pip's cache; which, is up to the machine.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import harness

ROOT = Path(__file__).resolve().parent.parent


def timed(*command: str, folder: Path) -> float:
    """Run a command that must succeed; give its wall-clock seconds."""
    begun = time.perf_counter()
    plain = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH", "OMP_NUM_THREADS")}
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, env=plain)
    return time.perf_counter() - begun


def main() -> None:
    place = Path(tempfile.mkdtemp(prefix="demo-"))
    try:
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(place / "clone")], check=True)
        clone = place / "clone"
        whole = timed("make", "demo", folder=clone)
        alone = timed(".venv/bin/tacit", "compile", "build/demo/digits", "-o", "build/demo/again.tacit", folder=clone)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    figures = {"make demo from a fresh clone, seconds": whole, "compile of the digits, seconds": alone}
    print(figures)
    target = {"make demo from a fresh clone, seconds": "<= 180", "compile of the digits, seconds": "<= 60"}
    harness.record("demo", figures, command=harness.command_line(), target=target)


if __name__ == "__main__":
    main()
