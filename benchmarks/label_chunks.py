"""Three million labels: the base in chunks outside git, people's edits as text beside their manifest.

    python benchmarks/label_chunks.py [--labels N] [--relabels N] [--turns N] [--text]

Writes an import of slim labels above the threshold, which makes chunks of it, commits it, relabels, and measures: reading all labels,
setting one and many, git's status, diff and commit, the size of the repository and of the diff, a merge of two branches by stock git.
With --text as many labels as text stand beside it.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import harness

from tacit.directory.labelling import set_labels
from tacit.examples.packing import write_import
from tacit.examples.records import Record
from tacit.examples.turns import writing
from tacit.examples.writing import write_attributes, write_labels
from tacit.ground.digests import example_id

TOML = """\
[input]
type = "image"
height = 8
width = 8
channels = 1

[output]
type = "class"
names = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]
"""
_READ = """
import json, resource, sys, time
from pathlib import Path
from tacit.examples.store import read_store
begun, computing = time.perf_counter(), time.process_time()
store = read_store(Path(sys.argv[1]))
print(json.dumps({
    "seconds": time.perf_counter() - begun, "cpu": time.process_time() - computing, "records": len(store.records),
    "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10, "changed": sum(record.label == "9" for record in store.records),
}))
"""


def git(directory: Path, *words: str) -> str:
    """Run git and give what it says."""
    settings = ["-c", "user.name=a", "-c", "user.email=a@b.example", "-c", "commit.gpgsign=false", "-c", "gc.auto=0"]
    return subprocess.run(["git", "-C", str(directory), *settings, *words], check=True, capture_output=True, text=True).stdout


def timed(work: Callable[[], object]) -> float:
    """Give the seconds of one call."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def read(directory: Path) -> dict[str, Any]:
    """Read all labels in a process of its own; give seconds, MiB, records and how many have the new label."""
    done = subprocess.run([sys.executable, "-c", _READ, str(directory)], check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def repository_bytes(directory: Path) -> int:
    """Give the bytes of the repository's objects after gc."""
    git(directory, "gc", "--quiet", "--prune=now")
    return sum(path.stat().st_size for path in (directory / ".git/objects").rglob("*") if path.is_file())


def make(directory: Path, records: list[Record], *, chunked: bool) -> float:
    """Write a program directory with one import and commit it; give the seconds of writing the import."""
    directory.mkdir()
    (directory / "tacit.toml").write_text(TOML)
    (directory / ".gitignore").write_text("media/\n.tacit/\n")
    with writing(directory, "benchmark"):
        write_attributes(directory)
        seconds = timed(lambda: (write_import if chunked else write_labels)(directory, "base", records))
    git(directory, "init", "--quiet", "--initial-branch=main")
    git(directory, "add", ".")
    git(directory, "commit", "--quiet", "-m", "start")
    return seconds


def relabelled(directory: Path, ids: list[str], turns: int) -> dict[str, Any]:
    """Relabel, and measure what a person does around it."""
    figures: dict[str, Any] = {}
    computing = time.process_time()
    figures["seconds: relabel one"] = [timed(lambda name=name: set_labels(directory, [name], "9")) for name in ids[:turns]]
    one = (time.process_time() - computing) / turns
    computing = time.process_time()
    figures[f"seconds: relabel {len(ids):,}"] = timed(lambda: set_labels(directory, ids, "9"))
    many = time.process_time() - computing
    figures["seconds: git status"] = [timed(lambda: git(directory, "status", "--porcelain")) for _ in range(turns)]
    figures["seconds: git add"] = timed(lambda: git(directory, "add", "."))
    figures["seconds: git diff"] = [timed(lambda: git(directory, "diff", "--cached")) for _ in range(turns)]
    diff = git(directory, "diff", "--cached")
    figures["bytes: git diff"] = len(diff.encode())
    figures["CPU seconds: relabel one"], figures[f"CPU seconds: relabel {len(ids):,}"] = one, many
    figures["lines added by git diff"] = sum(line.startswith("+{") for line in diff.split("\n"))
    figures["files in git diff"] = len(git(directory, "diff", "--cached", "--name-only").split())
    figures["seconds: git commit"] = timed(lambda: git(directory, "commit", "--quiet", "-m", "relabel"))
    return figures


def merged(directory: Path, ours: list[str], theirs: list[str]) -> dict[str, Any]:
    """Relabel other examples on two branches and merge them with stock git."""
    for branch, ids in (("ours", ours), ("theirs", theirs)):
        git(directory, "checkout", "--quiet", "-b", branch, "main")
        set_labels(directory, ids, "9")
        git(directory, "add", ".")
        git(directory, "commit", "--quiet", "-m", branch)
    seconds = timed(lambda: git(directory, "merge", "--quiet", "--no-edit", "ours"))
    return {"seconds: stock git merge": seconds, "relabels after the merge": read(directory)["changed"]}


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure labels in chunks.")
    parser.add_argument("--labels", type=int, default=3_000_000)
    parser.add_argument("--relabels", type=int, default=1_000)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--text", action="store_true", help="measure as many labels as text, too")
    options = parser.parse_args()
    records = [Record(example_id(str(number).encode()), str(number % 9)) for number in range(options.labels)]
    ids = [record.id for record in random.Random(0).sample(records, 3 * options.relabels)]
    parts = [ids[start::3] for start in range(3)]
    with tempfile.TemporaryDirectory() as folder:
        chunked, text = Path(folder) / "chunked", Path(folder) / "text"
        figures: dict[str, Any] = {"labels": options.labels, "seconds: write the import": make(chunked, records, chunked=True)}
        figures["chunks"] = len(list((chunked / "media").glob("*.parquet")))
        figures["bytes: chunks"] = sum(path.stat().st_size for path in (chunked / "media").iterdir())
        reads = [read(chunked) for _ in range(options.turns)]
        figures["seconds: read all labels"] = [found["seconds"] for found in reads]
        figures["CPU seconds: read all labels"] = [found["cpu"] for found in reads]
        figures["MiB: read all labels"] = statistics.median(found["memory"] for found in reads)
        figures |= relabelled(chunked, parts[0], options.turns)
        figures["relabels read back"] = read(chunked)["changed"]
        figures |= merged(chunked, parts[1], parts[2])
        figures["bytes: repository after gc"] = repository_bytes(chunked)
        shutil.rmtree(chunked)
        if options.text:
            make(text, records, chunked=False)
            figures["as text, seconds: read all labels"] = read(text)["seconds"]
            figures["as text, seconds: relabel one"] = timed(lambda: set_labels(text, [ids[0]], "9"))
            figures["as text, bytes: repository after gc"] = repository_bytes(text)
    figures["MiB: this process"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    target = {
        "relabels read back": f">= {options.relabels}",
        "relabels after the merge": f">= {3 * options.relabels}",
        "lines added by git diff": f"<= {options.relabels}",
        "seconds: git status": "<= 5",
        "seconds: git diff": "<= 5",
        "seconds: git commit": "<= 5",
        "seconds: stock git merge": "<= 5",
        "bytes: repository after gc": "<= 40000000",
    }
    print(json.dumps(figures, indent=1))
    harness.record("label-chunks", figures, command=harness.command_line(), target=target)


if __name__ == "__main__":
    main()
