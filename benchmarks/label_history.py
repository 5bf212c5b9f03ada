"""What the history of labels costs: a million labels with a thousand relabels, and how often stock git conflicts.

    python benchmarks/label_history.py [--labels N] [--turns N] [--seeds N] [--only large|conflicts]

Large: 1,000,000 slim labels in 256 shards, two branches with 1,000 scattered relabels each. Every command runs as a person types
it, in a process of its own, from a repository as git leaves it; times are of the whole command, its git included, wall clock and
CPU of it and its children. Before each turn the repository is put back.

Conflicts: 10,000 labels, two branches with 1,000 relabels each, stock `git merge`. Conflict hunks and the ids in them are counted;
a hunk is false when it holds no id that both sides changed to different labels. Also with no and with two empty lines between
records, the layouts that were weighed against the one in use.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import harness

from tacit.examples.records import Record
from tacit.examples.writing import shards

IMPORT = "photos-1a2b3c4d"
RELABELS = 1_000
SECONDS = 5.0
FALSE = "merge: conflicts where one side alone changed, or both agree"
FALSE_HUNKS = "hunks without an id that both changed differently"
TOML = """\
[program]
name = "large"
format = 1
[input]
type = "image"
height = 8
width = 8
channels = 1
[output]
type = "class"
names = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]
"""


def git(root: Path, *arguments: str, codes: Sequence[int] = (0,)) -> str:
    """Run git with a fixed author and without the person's settings."""
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    done = subprocess.run(["git", "-C", str(root), *arguments], env=environment, capture_output=True, text=True, check=False)
    if done.returncode not in codes:
        raise SystemExit(f"git {' '.join(arguments)}: {done.stderr}")
    return done.stdout.strip()


def make(root: Path) -> None:
    """Make an empty repository."""
    root.mkdir(parents=True)
    git(root, "init", "-q", "-b", "main")
    git(root, "config", "user.name", "Ann")
    git(root, "config", "user.email", "ann@example.org")
    git(root, "config", "gc.auto", "0")  # a `git gc` in the background would be timed along


def ids_of(count: int, seed: int) -> list[str]:
    """Give ids that are as scattered as real ones."""
    return [hashlib.sha256(f"{seed} {number}".encode()).hexdigest()[:24] for number in range(count)]


def relabelled(labels: Mapping[str, str], seed: int) -> dict[str, str]:
    """Give the labels of `RELABELS` random examples, each another one of ten."""
    chance = random.Random(seed)
    return {name: str((int(labels[name]) + chance.randrange(1, 10)) % 10) for name in chance.sample(sorted(labels), RELABELS)}


def write(root: Path, labels: Mapping[str, str], *, empty: int = 1) -> None:
    """Write every shard, with so many empty lines between records."""
    folder = root / "labels" / IMPORT
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in shards(Record(name, label) for name, label in labels.items()).items():
        (folder / f"{name}.jsonl").write_text(text.replace("\n\n", "\n" * (1 + empty)))


# --- a million labels ----------------------------------------------------------------------------------------------------


#: Words before each command that is timed: with --first-in-line, a priority that no other job has.
FIRST: list[str] = []

#: What the targets hold for.
HELD = (
    "status, with 1,000 relabels not committed",
    "diff of the working tree",
    "diff of two branches",
    "merge",
    "commit (git add, git commit)",
)


@dataclass(frozen=True)
class Taken:
    """Seconds of one command: on the clock, and computed by it and its children."""

    wall: float
    cpu: float


def timed(words: Sequence[str], cwd: Path, codes: Sequence[int] = (0,)) -> Taken:
    """Run a command and time it."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*FIRST, *words], cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in codes:
        raise SystemExit(f"{' '.join(words)}: {done.stdout}{done.stderr}")
    return Taken(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def tacit(*words: str) -> list[str]:
    """Give the words of a command of Tacit."""
    return [sys.executable, "-m", "tacit.cli.main", *words]


def size_mb(folder: Path) -> float:
    """Give the bytes of all files below a folder, in MB."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def large(root: Path, count: int, turns: int) -> list[dict[str, Any]]:
    """Time the commands on a large set; give a row per turn, and one for each other figure."""
    chance = random.Random(0)
    labels = {name: str(chance.randrange(10)) for name in ids_of(count, 0)}
    make(root)
    (root / "tacit.toml").write_text(TOML)
    (root / ".gitignore").write_text("media/\n.tacit/\n")
    write(root, labels)
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "Add labels")
    sides = {}
    for seed, branch in enumerate(("ours", "theirs"), 1):
        git(root, "checkout", "-q", "-b", branch, "main")
        sides[branch] = relabelled(labels, seed)
        write(root, {**labels, **sides[branch]})
        git(root, "add", ".")
        git(root, "commit", "-q", "-m", f"Relabel on {branch}")
    git(root, "gc", "-q")
    rows: list[dict[str, Any]] = [{"part": "large", "figure": "repository after gc, MB", "value": size_mb(root / ".git")}]
    edits = relabelled({name: label for name, label in labels.items() if name not in sides["ours"]}, 3)
    git(root, "checkout", "-q", "ours")
    write(root, {**labels, **sides["ours"], **edits})
    edited = {path.name: path.read_text() for path in sorted((root / "labels" / IMPORT).iterdir())}
    rows.append({"part": "large", "figure": "shards", "value": len(edited)})

    def clean() -> None:
        git(root, "checkout", "-q", "-f", "ours")
        git(root, "branch", "-f", "work", "ours")
        git(root, "checkout", "-q", "-f", "work")
        git(root, "reflog", "expire", "--expire=now", "--all")
        git(root, "prune", "--expire=now")  # else git finds the objects of the turn before, and need not write them
        git(root, "status")  # as after any other command: the index knows the times of the files

    def edit() -> None:
        clean()
        for name, text in edited.items():
            path = root / "labels" / IMPORT / name
            if path.read_text() != text:
                path.write_text(text)

    commands: dict[str, tuple[Callable[[], None], list[list[str]], tuple[int, ...]]] = {
        "status, with 1,000 relabels not committed": (edit, [tacit("labels", "status")], (0,)),
        "diff of the working tree": (edit, [tacit("labels", "diff")], (0,)),
        "diff of two branches": (clean, [tacit("labels", "diff", "ours", "theirs")], (0,)),
        "merge": (clean, [tacit("labels", "merge", "theirs")], (0, 1)),
        "commit (git add, git commit)": (edit, [["git", "add", "."], ["git", "commit", "-q", "-m", "Relabel"]], (0,)),
        "log of one example": (clean, [tacit("labels", "log", next(iter(sides["ours"])))], (0,)),
        "stock git merge": (clean, [["git", "merge", "-q", "--no-edit", "theirs"]], (0, 1)),
    }
    for turn in range(turns):
        for name, (prepare, lines, codes) in commands.items():
            prepare()
            taken = [timed(words, root, codes) for words in lines]
            wall, cpu = sum(each.wall for each in taken), sum(each.cpu for each in taken)
            rows.append({"part": "large", "command": name, "turn": turn, "wall": wall, "cpu": cpu, "load": harness.load_average()})
            print(f"{name}: {wall:.2f} s, {cpu:.2f} s CPU", flush=True)
            if name == "merge" and turn == 0:
                false = false_conflicts(root, labels, sides)
                rows.append({"part": "large", "figure": FALSE, "value": false})
    clean()
    timed(tacit("labels", "merge", "theirs", "--keep-both"), root)
    git(root, "gc", "-q")
    rows.append({"part": "large", "figure": "repository after a merge and gc, MB", "value": size_mb(root / ".git")})
    return rows


def false_conflicts(root: Path, labels: Mapping[str, str], sides: Mapping[str, Mapping[str, str]]) -> int:
    """Count conflicts that should be none; without any conflict, check that the merge has everybody's labels."""
    ours, theirs = sides["ours"], sides["theirs"]
    real = {name for name in ours.keys() & theirs.keys() if ours[name] != theirs[name]}
    done = subprocess.run(tacit("labels", "merge", "theirs", "--json"), cwd=root, capture_output=True, text=True, check=False)
    told = {clash["id"] for clash in json.loads(done.stdout)["conflicts"]}
    if not real:
        wanted = {**labels, **ours, **theirs}
        got = {line[8:32]: line[45:-2] for path in (root / "labels" / IMPORT).iterdir() for line in path.read_text().split("\n") if line}
        if got != wanted:
            raise SystemExit("the merge has other labels than the two branches")
    return len(told - real)


# --- conflicts of stock git ----------------------------------------------------------------------------------------------


def conflicts(root: Path, seed: int, empty: int, count: int = 10_000) -> dict[str, int]:
    """Merge two branches by stock git and count what conflicts."""
    chance = random.Random(seed)
    labels = {name: str(chance.randrange(10)) for name in ids_of(count, seed)}
    make(root)
    write(root, labels, empty=empty)
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "Add labels")
    sides = []
    for number, branch in enumerate(("ours", "theirs")):
        git(root, "checkout", "-q", "-b", branch, "main")
        sides.append(relabelled(labels, 1_000 * seed + number))
        write(root, {**labels, **sides[-1]}, empty=empty)
        git(root, "commit", "-q", "-a", "-m", branch)
    git(root, "checkout", "-q", "ours")
    git(root, "merge", "-q", "theirs", codes=(0, 1))
    both = sides[0].keys() & sides[1].keys()
    real = {name for name in both if sides[0][name] != sides[1][name]}
    found = {"conflict hunks": 0, FALSE_HUNKS: 0, "other ids in hunks": 0}
    seen: set[str] = set()
    for path in sorted((root / "labels" / IMPORT).iterdir()):
        hunk: set[str] | None = None
        for line in path.read_text().split("\n"):
            if line.startswith("<<<<<<<"):
                hunk = set()
            elif line.startswith(">>>>>>>") and hunk is not None:
                found["conflict hunks"] += 1
                found[FALSE_HUNKS] += not hunk & real
                found["other ids in hunks"] += len(hunk - real)
                seen |= hunk
                hunk = None
            elif hunk is not None and line.startswith("{"):
                hunk.add(line[8:32])
    if real - seen:
        raise SystemExit("git merged an id that both sides changed differently")
    return {**found, "ids that both changed": len(both), "ids that both changed differently": len(real)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", type=int, default=1_000_000)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--only", choices=("large", "conflicts"))
    parser.add_argument(
        "--first-in-line", action="store_true", help="time commands at real-time priority, on a machine that is busy (Linux, root)"
    )
    options = parser.parse_args()
    FIRST[:] = ["chrt", "--fifo", "1"] if options.first_in_line else []
    earlier = harness.read_record("label-history") or {}
    rows: list[dict[str, Any]] = [row for row in earlier.get("runs", ()) if options.only and row["part"] != options.only]
    folder = Path(tempfile.mkdtemp(prefix="label-history-"))
    try:
        if options.only != "conflicts":
            rows += large(folder / "large", options.labels, options.turns)
        if options.only != "large":
            for seed in range(options.seeds):
                for empty in (1, 0, 2):
                    found = conflicts(folder / f"{empty}-{seed}", seed, empty)
                    rows.append({"part": "conflicts", "seed": seed, "empty lines": empty, **found})
                    print(rows[-1], flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    figures = figures_of(rows)
    wanted = {f"{name}, {kind} seconds, median": f"<= {SECONDS:g}" for name in HELD for kind in ("wall", "cpu")}
    wanted |= {"repository after gc, MB": "<= 40", "repository after a merge and gc, MB": "<= 40", FALSE: "<= 0"}
    wanted[f"stock git merge of 10,000: {FALSE_HUNKS}"] = "max <= 0"
    notes = [
        f"git {git(Path.cwd(), '--version').split()[-1]}, with its own settings, nothing configured",
        "other ids in hunks: one side alone changed them; they stand next to a real conflict, so that git shows both in one hunk",
    ]
    if options.first_in_line:
        notes.append("other jobs kept both cores busy; the timed commands ran at real-time priority, before them")
    target = {name: text for name, text in wanted.items() if name in figures}
    print(harness.record("label-history", figures, command=harness.command_line(), target=target, notes=notes, runs=rows))


def figures_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Give the figures of all rows: medians of times, one value per seed of counts."""
    figures: dict[str, Any] = {row["figure"]: row["value"] for row in rows if "figure" in row}
    for name in dict.fromkeys(row["command"] for row in rows if "command" in row):
        for kind in ("wall", "cpu"):
            values = [row[kind] for row in rows if row.get("command") == name]
            figures[f"{name}, {kind} seconds, median"] = round(statistics.median(values), 3)
    layouts = {1: "", 0: ", without empty lines between records", 2: ", with two empty lines between records"}
    for empty, layout in layouts.items():
        counted = [row for row in rows if row["part"] == "conflicts" and row["empty lines"] == empty]
        for name in [key for key in (counted[0] if counted else {}) if key not in ("part", "seed", "empty lines")]:
            figures[f"stock git merge of 10,000: {name}{layout}"] = [row[name] for row in counted]
    return figures


if __name__ == "__main__":
    main()
