"""A blame over 60,000 training examples: seconds and memory of one answer, in a process that is open and as a whole command.

    python benchmarks/blame_query.py [--steps N] [--queries N] [--work DIR]

The program is the usual one for Fashion-MNIST (a convnet2d in git), compiled with `--features`. In process: from the arrays of an input
to the examples for and against, without and with git's authorship of the named labels. Peak memory is that of a fresh process that
opens the features and answers all queries.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import datasets
import harness
import numpy as np
from PIL import Image as Pillow


def make(work: Path, steps: int) -> tuple[Path, float]:
    """Make the program directory with its binary and features; give it and the CPU seconds of the features. What is there stays."""
    program = work / "program"
    binary = program / "program.tacit"
    if not program.exists():
        source = datasets.make("fashion-mnist", datasets.default_cache())
        _tacit("new", str(program), "--from", str(source))
        for command in (
            ["init", "-q"],
            ["add", "."],
            ["-c", "user.name=Ann", "-c", "user.email=ann@example.org", "commit", "-qm", "Add labels"],
        ):
            subprocess.run(["git", "-C", str(program), *command], check=True)
    if not binary.exists():
        _tacit("compile", str(program), "--steps", str(steps), "--set", "skeleton.width=8", "--set", "skeleton.depth=0")
    folder = program / ".tacit" / "features"
    stamp = work / "features-seconds"
    if not any(folder.glob("*/manifest.json")):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        code = "import sys, tacit; from tacit.attribution.making import write_features as write; "
        code += "write(tacit.read(sys.argv[1]), tacit.load(sys.argv[2]))"
        subprocess.run([sys.executable, "-c", code, str(program), str(binary)], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        stamp.write_text(str(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime))
    return program, float(stamp.read_text())


def ask(program: Path, queries: int) -> None:
    """Answer queries in this process and print the times and the peak memory as JSON."""
    from tacit.instruments.blaming.answer import open_blame  # measured from here on

    begun = time.perf_counter()
    opened = open_blame(program / "program.tacit", against=program)
    opening = time.perf_counter() - begun
    kind = opened.binary.signature.input
    chance = np.random.default_rng(0)
    times: dict[str, list[float]] = {"bare": [], "history": [], "bare_cpu": []}
    for _ in range(queries):
        arrays = kind.read(chance.integers(0, 256, (28, 28), dtype=np.uint8))
        for name in ("bare", "history"):
            begun, computing = time.perf_counter(), time.process_time()
            found = opened.ask(arrays, history=name == "history")
            times[name].append(time.perf_counter() - begun)
            if name == "bare":
                times["bare_cpu"].append(time.process_time() - computing)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({**times, "opening": opening, "peak_mib": peak, "examples": found.examples, "models": found.models}))


def _tacit(*arguments: str) -> float:
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-m", "tacit.cli.main", *arguments], check=False, capture_output=True)
    return time.perf_counter() - begun


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--queries", type=int, default=25)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--ask", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.ask is not None:
        ask(given.ask, given.queries)
        return
    work = given.work or Path(tempfile.mkdtemp(prefix="tacit-blame-"))
    work.mkdir(parents=True, exist_ok=True)
    program, features = make(work, given.steps)
    told: Any = json.loads(
        subprocess.run(
            [sys.executable, __file__, "--ask", str(program), "--queries", str(given.queries)], check=True, capture_output=True, text=True
        ).stdout
    )
    picture = work / "query.png"
    Pillow.fromarray(np.random.default_rng(1).integers(0, 256, (28, 28), dtype=np.uint8)).save(picture)
    whole = [_tacit("blame", str(program / "program.tacit"), str(picture)) for _ in range(3)]
    size = sum(path.stat().st_size for path in (program / ".tacit" / "features").rglob("*") if path.is_file()) / 2**20
    figures = {
        "examples": told["examples"],
        "models": told["models"],
        "query, seconds, median": float(np.median(told["bare"])),
        "query, CPU seconds, median": float(np.median(told["bare_cpu"])),
        "query with authorship, seconds, median": float(np.median(told["history"])),
        "query, seconds, each": told["bare"],
        "peak memory, MiB": told["peak_mib"],
        "opening, seconds": told["opening"],
        "whole command, seconds": whole,
        "features on disk, MiB": size,
        "making the features, CPU seconds": features,
    }
    harness.record(
        "blame-query",
        figures,
        command=harness.command_line(),
        target={"query, seconds, median": "<= 1", "peak memory, MiB": "<= 1024"},
        notes="In process: from arrays to named examples. The whole command also starts Python and torch, opens features, asks git.",
    )


if __name__ == "__main__":
    main()
