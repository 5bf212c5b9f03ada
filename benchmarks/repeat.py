"""Same seed, same bytes; killed at any moment and resumed: the same bytes as the run that nobody disturbed.

    python benchmarks/repeat.py [--kills N] [--steps N] [--cache DIR]

The digits are compiled with a budget in steps, once with one network and once with open choices, each twice. Then `kills` runs
are ended by SIGKILL at a moment drawn evenly from the length of the undisturbed run (start, reading and writing included), and
continued with `--resume`; every other one is killed a second time on the way. All files must be equal byte for byte.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import datasets
import harness
import tacit_command

CHOICES = ("--set", "skeleton.width=[8, 16]", "--set", "skeleton.depth=[0, 1]")
SEED = 3


@dataclass(frozen=True)
class Way:
    """One way of compiling: its title, its arguments, and its undisturbed result: digest of the file, seconds."""

    title: str
    arguments: tuple[str, ...]
    digest: str
    seconds: float


def arguments_of(steps: int, more: Sequence[str]) -> tuple[str, ...]:
    """Give the arguments of `tacit compile` after the directory; the file is written into the working folder."""
    return ("--steps", str(steps), "--seed", str(SEED), "--json", "-o", "out.tacit", *more)


def fresh(program: Path, work: Path) -> Path:
    """Give a working folder with a copy of the program in it, without anything of an earlier run."""
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(program, work / "digits")
    return work


def digest(folder: Path) -> str:
    """Give the sha256 of the binary in a working folder."""
    return hashlib.sha256((folder / "out.tacit").read_bytes()).hexdigest()


def undisturbed(program: Path, work: Path, arguments: Sequence[str]) -> tuple[str, float]:
    """Compile from scratch; give the digest and the seconds."""
    folder = fresh(program, work)
    done = tacit_command.tacit(["compile", "digits", *arguments], folder=folder)
    return digest(folder), done.seconds


def killed(folder: Path, arguments: Sequence[str], after: float) -> bool:
    """Start a compilation, kill it after so many seconds; say whether it was still running then."""
    words = [*tacit_command.command(), "compile", "digits", *arguments]
    process = subprocess.Popen(words, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        process.wait(timeout=after)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
        return True
    return False


def kill_and_resume(program: Path, work: Path, way: Way, moments: Sequence[float]) -> tuple[bool, int, str]:
    """Kill at each of the moments, then resume to the end; give whether the bytes are equal, the kills, and the step gone on from."""
    folder = fresh(program, work)
    hits = 0
    for number, moment in enumerate(moments):
        hits += killed(folder, [*way.arguments, *(["--resume"] if number else [])], moment)
    if (folder / "out.tacit").exists():
        (folder / "out.tacit").unlink()  # killed after it was written: the resumed run must write it again, equal
    done = tacit_command.tacit(["compile", "digits", *way.arguments, "--resume"], folder=folder)
    said = next((line.strip() for line in done.errors.splitlines() if "going on from" in line), "from the start")
    return digest(folder) == way.digest, hits, said


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare bytes of repeated, killed and resumed runs.")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--cache", type=Path, default=datasets.default_cache())
    options = parser.parse_args()
    work = options.cache / "work" / "repeat"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    program = work / "program" / "digits"
    program.parent.mkdir()
    tacit_command.tacit(["new", str(program), "--from", str(datasets.make("digits", options.cache))])

    ways, repeats = [], {}
    for title, more in (("one network", ("--set", "skeleton.width=16")), ("with choices", CHOICES)):
        arguments = arguments_of(options.steps, more)
        first, seconds = undisturbed(program, work / "undisturbed", arguments)
        second, _ = undisturbed(program, work / "undisturbed", arguments)
        ways.append(Way(title, arguments, first, seconds))
        repeats[title] = int(first == second)
        print(f"{title}: {seconds:.1f} s, repeated: {'same bytes' if first == second else 'OTHER BYTES'}", flush=True)

    chance = random.Random(time.time_ns())  # other moments at each call: over many calls they reach every place
    equal, rows = {}, []
    for number in range(options.kills):
        way = ways[number % len(ways)]
        moments = [chance.uniform(0, way.seconds) for _ in range(1 + number // len(ways) % 2)]
        same, hits, said = kill_and_resume(program, work / "killed", way, moments)
        equal[f"kill {number}"] = int(same)
        rows.append({"key": f"kill {number}", "way": way.title, "seconds": [round(m, 2) for m in moments], "hits": hits, "went on": said})
        print(rows[-1], "same bytes" if same else "OTHER BYTES", flush=True)
    harness.record(
        "repeat",
        {"same seed, same bytes": repeats, "killed and resumed, same bytes": equal, "undisturbed seconds": [way.seconds for way in ways]},
        command=harness.command_line(),
        target={"same seed, same bytes": "min >= 1", "killed and resumed, same bytes": "min >= 1"},
        notes=f"digits, {options.steps} steps, seed {SEED}; 1 is equal, 0 is not; two moments: killed twice before it could end",
        runs=rows,
    )
    shutil.rmtree(work)
    if not all(equal.values()) or not all(repeats.values()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
