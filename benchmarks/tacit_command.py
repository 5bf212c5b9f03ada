"""Run the `tacit` command line as a person would, from the installation beside this Python, and time the whole command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


def command() -> list[str]:
    """Give the words that start `tacit`: the script of this environment, or its entry point where none is installed."""
    script = Path(sys.executable).parent / "tacit"
    return [str(script)] if script.exists() else [sys.executable, "-c", "import sys; from tacit.cli.main import main; sys.exit(main())"]


@dataclass(frozen=True)
class Done:
    """What one command gave: exit code, the JSON document on stdout (None when there is none), stderr, wall-clock seconds."""

    code: int
    document: dict[str, Any] | None
    errors: str
    seconds: float


def tacit(arguments: Sequence[str], *, folder: Path | None = None, environment: dict[str, str] | None = None) -> Done:
    """Run `tacit ARGUMENTS` in `folder`. Exit code 1 (a goal is not met) is a result; anything else but 0 stops the benchmark.

    Raises: RuntimeError with what the command said.
    """
    started = time.perf_counter()
    done = subprocess.run(
        [*command(), *arguments],
        cwd=folder,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - started
    if done.returncode not in (0, 1):
        raise RuntimeError(f"tacit {' '.join(arguments)}: exit code {done.returncode}\n{done.stderr[-3000:]}")
    document = json.loads(done.stdout) if done.stdout.lstrip().startswith("{") else None
    return Done(done.returncode, document, done.stderr, seconds)
