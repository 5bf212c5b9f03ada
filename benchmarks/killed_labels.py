"""Kill `tacit labels import|set|merge|pack` with SIGKILL at random moments and look at what is left.

`kill` is one part of durability.py; as a script it writes nothing and prints what it found.

    python benchmarks/killed_labels.py [--kills N] [--seed S] [--operations import set ...]
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

HERE = Path(__file__).resolve().parent
TOML = """\
[program]
name = "kept"
format = 1

[input]
type = "image"
height = 8
width = 8
channels = 3

[output]
type = "class"
names = ["a", "b", "c"]
"""
LOCK = ".tacit/labels.lock"
SIDE = 200  # of the pictures of an import, noise: 120 kB each, so that an import writes several packs


@dataclass
class Kills:
    """What the kills did. under_way: those that left the work half done (neither as before nor as after the whole command)."""

    kills: int = 0
    under_way: int = 0
    leftovers: int = 0
    torn: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    unsound: list[str] = field(default_factory=list)
    not_completed: list[str] = field(default_factory=list)

    def figures(self) -> Mapping[str, int]:
        """Give the counts."""
        return {
            "kills": self.kills,
            "kills with the work half done": self.under_way,
            "files left unfinished by kills": self.leftovers,
            "torn files under a final name": len(self.torn),
            "labels lost": len(self.lost),
            "kills after which the labels could not be read": len(self.unsound),
            "commands that could not be repeated to completion": len(self.not_completed),
        }

    def problems(self) -> list[str]:
        """Give everything that went wrong, in words."""
        return [*self.torn, *self.lost, *self.unsound, *self.not_completed]


@dataclass(frozen=True)
class Operation:
    """make: write a program directory to start from, and whatever the command needs beside it. words: what is typed after `tacit`.

    ends: exit codes of success.
    """

    make: Callable[[Path], Path]
    words: Callable[[Path], list[str]]
    ends: tuple[int, ...] = (0,)


# --- programs to start from --------------------------------------------------------------------------------------------


def make_program(directory: Path, *, examples: int = 20_000, annotators: Sequence[str] = ("ann", "bob")) -> Path:
    """Write a program directory with slim labels in shards, some of them in dispute. Nobody reads its media, which are not there."""
    from tacit.examples.records import Record
    from tacit.examples.writing import write_labels
    from tacit.ground.digests import example_id

    directory.mkdir(parents=True)
    (directory / "tacit.toml").write_text(TOML)
    ids = [example_id(str(number).encode()) for number in range(examples)]
    write_labels(directory, "first", [Record(identity, "ab"[number % 2]) for number, identity in enumerate(ids)])
    for annotator in annotators:
        write_labels(directory, f"by/{annotator}", [Record(identity, "c") for identity in ids[:400]])
    return directory


def picture(number: int) -> bytes:
    """Give a picture of noise."""
    values = np.random.default_rng(number).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(values).save(stream, "PNG", compress_level=0)
    return stream.getvalue()


def _make_import(work: Path) -> Path:
    """Beside a program with 100 pictures: a folder of 700, of which 60 are known, 20 of these with another label."""
    from tacit.directory.labelling import import_labels

    program = make_program(work / "program", examples=5_000, annotators=())
    for name, numbers in (("few", range(100)), ("more", range(40, 740))):
        for number in numbers:
            label = "abc"[(number + (name == "more" and number < 60)) % 3]
            path = work / name / label / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(picture(number))
    import_labels(program, work / "few")
    return program


def _make_pairs(work: Path) -> Path:
    program = make_program(work / "program")
    names = sorted(_labels(program))
    rows = "".join(f"{name},c\n" for name in names[::7])
    (work / "pairs.csv").write_text(f"id,label\n{rows}")
    return program


def _make_set(work: Path) -> Path:
    return make_program(work / "program")


def _ids_to_set(program: Path) -> list[str]:
    from tacit.ground.digests import example_id

    return [example_id(str(number).encode()) for number in range(0, 20_000, 50)]


def _make_merge(work: Path) -> Path:
    """Write a repository with two branches of 1,000 relabels and an import each."""
    from tacit.directory.labelling import set_labels
    from tacit.examples.records import Record
    from tacit.examples.writing import write_labels
    from tacit.ground.digests import example_id

    program = make_program(work / "program", annotators=())
    (program / ".gitignore").write_text("media/\n.tacit/\n")
    ids = [example_id(str(number).encode()) for number in range(20_000)]
    git(program, "init", "--quiet", "--initial-branch=main")
    _commit(program, "start")
    for branch, start in (("theirs", 1), ("ours", 2)):
        git(program, "checkout", "--quiet", "-b", branch, "main")
        set_labels(program, ids[start::20], "c")
        set_labels(program, ids[start + 5 :: 200], "b", by=branch)
        write_labels(program, f"import-{branch}", [Record(example_id(f"{branch} {number}".encode()), "a") for number in range(2_000)])
        _commit(program, branch)
    return program


def git(directory: Path, *words: str) -> None:
    """Run git in a repository."""
    settings = ["-c", "user.name=a", "-c", "user.email=a@b.example", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(directory), *settings, *words], check=True, capture_output=True)


def _commit(program: Path, message: str) -> None:
    git(program, "add", ".")
    git(program, "commit", "--quiet", "-m", message)


OPERATIONS: dict[str, Operation] = {
    "import": Operation(_make_import, lambda program: ["labels", "import", str(program.parent / "more"), "--in", str(program)]),
    "import of labels by id": Operation(
        _make_pairs, lambda program: ["labels", "import", str(program.parent / "pairs.csv"), "--in", str(program)]
    ),
    "set": Operation(_make_set, lambda program: ["labels", "set", *_ids_to_set(program), "b", "--in", str(program)]),
    "set by an annotator": Operation(
        _make_set, lambda program: ["labels", "set", *_ids_to_set(program), "b", "--by", "ann", "--in", str(program)]
    ),
    "merge": Operation(_make_merge, lambda program: ["labels", "merge", "theirs", "--in", str(program)]),
    "pack": Operation(_make_set, lambda program: ["labels", "pack", "first", "--in", str(program)]),
}


# --- killing ---------------------------------------------------------------------------------------------------------------


def start(words: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start `tacit WORDS`."""
    command = [sys.executable, "-m", "tacit.cli.main", *words]
    paths = os.pathsep.join([str(HERE.parent / "src"), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": paths}
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)


def kill(operation: Operation, kills: int, *, seed: int, work: Path, name: str = "") -> Kills:
    """Kill a command `kills` times, each on a fresh copy of the program, and repeat it to the end.

    One moment in five is uniform over the whole run, its start included, two over the time in which it holds the lock, one over that
    from the first file it writes to the end, one soon after that file. After each kill: every final name holds a whole file, all
    labels can be read, each is the old or the new one, and the same command once more ends as one that nobody disturbed.
    """
    chance = random.Random(seed)
    found = Kills()
    program = operation.make(work / "start")
    before = _state(program)
    old = _labels(program)
    reference = _copy(program, work / "reference")
    whole_run, held, written = _timed(operation, reference)
    after, new = _state(reference), _labels(reference)
    for number in range(kills):
        copy = _copy(program, work / f"copy-{number}")
        words = operation.words(copy)
        stamps = _stamps(copy)
        process = start(words)
        if number % 5 == 0:
            time.sleep(chance.uniform(0, whole_run))
        elif number % 5 <= 2:
            _wait_for_the_lock(process, copy)
            time.sleep(chance.uniform(0, held))
        else:
            _wait_for_a_file(process, copy, stamps)
            time.sleep(written * chance.random() ** (1 if number % 5 == 3 else 4))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        found.kills += 1
        state = _state(copy)
        found.under_way += state not in (before, after)
        found.leftovers += sum(_is_hidden(path) for path in _files(copy))
        found.torn += [f"{name} {number}: {path}" for path in _torn(copy)]
        try:
            labels = _labels(copy)
        except Exception as error:
            found.unsound.append(f"{name} {number}: {error}")
            labels = {}
        found.lost += [f"{name} {number}: {key}" for key, label in old.items() if labels and labels.get(key) not in (label, new.get(key))]
        process = start(words)
        _, errors = process.communicate()
        done = _state(copy)
        if process.returncode not in operation.ends or done != after or any(_is_hidden(path) for path in _files(copy)):
            differing = sorted({*done, *after} - {key for key in done if done.get(key) == after.get(key)})[:5]
            text = errors.decode(errors="replace")[-300:]
            found.not_completed.append(f"{name} {number}: exit code {process.returncode}, differing {differing}: {text}")
        shutil.rmtree(copy.parent)
    return found


def _copy(program: Path, place: Path) -> Path:
    """Copy a program and what lies beside it; big inputs are linked, for nobody writes to them."""
    shutil.copytree(program.parent, place, copy_function=_link_or_copy)
    return place / program.name


def _link_or_copy(source: str, target: str) -> str:
    if source.endswith((".png", ".zip")):  # a pack is never changed in place
        os.link(source, target)
        return target
    return str(shutil.copy2(source, target))


def _files(program: Path) -> list[Path]:
    """Give the files of labels and media."""
    return sorted(path for folder in ("labels", "media") for path in (program / folder).rglob("*") if path.is_file())


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") and part != ".gitattributes" for part in path.parts[path.parts.index("program") :])


def _state(program: Path) -> dict[str, str]:
    """Give every file of labels with its hash, and the media by id: their packs may be cut in another way after a crash."""
    from tacit.examples.media import MediaReader

    labels = {path: path for path in _files(program) if "labels" in path.parts and path.suffix != ".txt" and not _is_hidden(path)}
    state = {path.relative_to(program).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in labels}
    if (program / ".git").is_dir():
        for words in (["rev-parse", "HEAD^{tree}"], ["rev-list", "--count", "HEAD"], ["status", "--porcelain"]):
            state[" ".join(words)] = subprocess.run(["git", "-C", str(program), *words], capture_output=True, text=True, check=True).stdout
    return state | {f"medium {name}": "" for name in MediaReader(program).ids()}


def _labels(program: Path) -> dict[str, Any]:
    """Give what the sources say about every example: JSON of {source: label}, the label in force where there is one source."""
    from tacit.examples.store import read_store

    store = read_store(program)
    said = {record.id: record.label for record in store.records}
    return said | {name: None for name in store.undecided}


def _torn(program: Path) -> list[str]:
    """Name the files under a final name that are not whole: packs and chunks by their hash, label files by their last line."""
    bad = []
    for path in _files(program):
        if _is_hidden(path):
            continue
        content = path.read_bytes()
        if path.suffix in (".zip", ".parquet"):
            whole = hashlib.sha256(content).hexdigest().startswith(path.stem)
        else:
            whole = content.endswith(b"\n") and (path.suffix != ".jsonl" or all(map(_is_record, content.split(b"\n"))))
        bad += [] if whole else [path.relative_to(program).as_posix()]
    return bad


def _is_record(line: bytes) -> bool:
    try:
        return not line or isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _timed(operation: Operation, program: Path) -> tuple[float, float, float]:
    """Give the seconds of a whole run, those in which it held the lock, and those from the first file it wrote to the end."""
    words, stamps = operation.words(program), _stamps(program)
    started = time.monotonic()
    process = start(words)
    _wait_for_the_lock(process, program)
    began = time.monotonic()
    _wait_for_a_file(process, program, stamps)
    wrote = time.monotonic()
    _, errors = process.communicate()
    if process.returncode not in operation.ends:
        raise RuntimeError(f"tacit {' '.join(words[:3])} failed before anything was killed\n{errors.decode(errors='replace')}")
    ended = time.monotonic()
    return ended - started, ended - began, ended - wrote


def _wait_for_a_file(process: subprocess.Popen[bytes], program: Path, before: list[int]) -> None:
    """Wait until the process makes or replaces a file of labels or media, be it under a temporary name."""
    while process.poll() is None and _stamps(program) == before:
        time.sleep(0.0005)


def _stamps(program: Path) -> list[int]:
    """Give when a name was last made or taken away in each folder of labels and media."""
    try:
        return [os.stat(here).st_mtime_ns for folder in ("labels", "media") for here, _, _ in os.walk(program / folder)]
    except FileNotFoundError:  # taken away while we look
        return []


def _wait_for_the_lock(process: subprocess.Popen[bytes], program: Path) -> None:
    mine = f'"process": {process.pid},'
    while process.poll() is None:
        try:
            if mine in (program / LOCK).read_text():
                return
        except OSError:
            pass
        time.sleep(0.0005)


def main() -> None:
    parser = argparse.ArgumentParser(description="Kill commands that write labels at random moments.")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--operations", nargs="+", choices=list(OPERATIONS), default=list(OPERATIONS))
    options = parser.parse_args()
    for name in options.operations:
        with tempfile.TemporaryDirectory() as work:
            found = kill(OPERATIONS[name], options.kills, seed=options.seed, work=Path(work), name=name)
        print(name, dict(found.figures()), *found.problems(), flush=True)


if __name__ == "__main__":
    main()
