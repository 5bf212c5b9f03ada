"""Kill `tacit media push` (and pull) with SIGKILL at random moments and look at what is left.

`kill_pushes` is one part of durability.py; as a script it writes nothing and prints what it found.

    python benchmarks/killed_pushes.py [--kills N] [--seed S] [--verbs push pull] [--kinds folder slow]
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
TOML = """\
[program]
name = "kept"
format = 1

[input]
type = "image"
height = 8
width = 8

[output]
type = "class"
names = ["a", "b"]
"""
IMPORTS, ENTRIES, ENTRY_BYTES = 10, 6, 150_000
ENVIRONMENT = {"SLOW_CHUNK": "50000", "SLOW_WAIT": "0.012"}


@dataclass
class Kills:
    """What the kills did. under_way: those that left a push half done (neither nothing nor everything was on the remote)."""

    kills: int = 0
    under_way: int = 0
    unfinished_files: int = 0
    torn: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    not_completed: list[str] = field(default_factory=list)

    def figures(self) -> Mapping[str, int]:
        """Give the counts."""
        return {
            "kills": self.kills,
            "kills with the push half done": self.under_way,
            "torn files under a final name": len(self.torn),
            "packs or labels lost": len(self.lost),
            "pushes that could not be repeated to completion": len(self.not_completed),
        }


def make_program(directory: Path, *, seed: int = 0) -> Path:
    """Write a program directory with `IMPORTS` packs of about a megabyte. The entries are random bytes: nobody compiles them."""
    from tacit.examples.media import MediaWriter
    from tacit.examples.media_lists import write_media_list
    from tacit.examples.records import Record
    from tacit.examples.writing import write_labels

    chance = random.Random(seed)
    directory.mkdir(parents=True)
    (directory / "tacit.toml").write_text(TOML)
    for number in range(IMPORTS):
        with MediaWriter(directory) as media:
            ids = [media.add(chance.randbytes(ENTRY_BYTES), "bin") for _ in range(ENTRIES)]
        write_labels(directory, f"import-{number}", [Record(identity, "ab"[number % 2]) for identity in ids])
        write_media_list(directory, f"import-{number}", ids)
    return directory


def files(folder: Path) -> dict[str, str]:
    """Give every file below a folder with the sha256 of its bytes."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def start(words: list[str]) -> subprocess.Popen[bytes]:
    """Start `tacit WORDS`, with the slow protocol known."""
    command = [sys.executable, str(HERE / "slow_remote.py"), *words]
    paths = os.pathsep.join([str(HERE.parent / "src"), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, **ENVIRONMENT, "PYTHONPATH": paths}
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)


def kill_pushes(kind: str, kills: int, *, seed: int, work: Path, verb: str = "push") -> Kills:
    """Kill `tacit media VERB` `kills` times, each against a fresh target, and repeat it to the end.

    kind: `folder` or `slow` (see slow_remote.py). One moment in five is uniform over the whole run, its start included, the others
    over the time from the first file on the target to the last. After each kill: the source is what it was, a final name holds the
    bytes that it says, the same command once more ends well and everything is there, as `tacit media verify --deep` says, too.
    """
    chance = random.Random(seed)
    found = Kills()
    program = make_program(work / f"{kind}-{verb}-program")
    whole = files(program)
    full = work / f"{kind}-{verb}-full"
    whole_run, carrying = _timed([*_words("push", kind, program, full), "--create"], full)
    if verb == "pull":
        bare = work / f"{kind}-bare"
        shutil.copytree(program, bare, ignore=shutil.ignore_patterns("media"))
        shutil.copytree(bare, work / "timed")
        whole_run, carrying = _timed(_words("pull", kind, work / "timed", full), work / "timed/media")
    for number in range(kills):
        place = work / f"{kind}-{verb}-{number}"
        if verb == "push":
            words, target, source, right = [*_words("push", kind, program, place), "--create"], place, program, files(full)
        else:
            shutil.copytree(bare, place)
            words, target, source, right = _words("pull", kind, place, full), place / "media", full, files(full)
        before = files(source)
        process = start(words)
        if number % 5:
            _wait_for_a_file(process, target)
            time.sleep(chance.uniform(0, carrying))
        else:
            time.sleep(chance.uniform(0, whole_run))
        process.send_signal(signal.SIGKILL)
        process.wait()
        if process.stderr:
            process.stderr.close()
        left = files(target) if target.exists() else {}
        final = {name: digest for name, digest in left.items() if not name.startswith(".")}
        found.kills += 1
        found.under_way += bool(left) and final != right
        found.unfinished_files += len(left) - len(final)
        found.torn += [f"{number}: {name}" for name, digest in final.items() if not name.startswith(digest[:24])]
        found.lost += [f"{number}: {name}" for name, digest in before.items() if files(source).get(name) != digest]
        code = _finish(words)
        after = {name: digest for name, digest in files(target).items() if not name.startswith(".")}
        verified = _finish(
            ["media", "verify", str(program if verb == "push" else place), *_remote(kind, place if verb == "push" else full), "--deep"]
        )
        if code != 0 or after != right or verified != 0:
            found.not_completed.append(f"{number}: exit codes {code} and {verified}, {len(after)} of {len(right)} packs")
        shutil.rmtree(place)
    if files(program) != whole:
        found.lost.append("the program directory has changed")
    return found


def _words(verb: str, kind: str, program: Path, place: Path) -> list[str]:
    return ["media", verb, str(program), *_remote(kind, place)]


def _remote(kind: str, place: Path) -> list[str]:
    return ["--remote", str(place) if kind == "folder" else f"slow://{place}"]


def _finish(words: list[str]) -> int:
    process = start(words)
    _, errors = process.communicate()
    if process.returncode not in (0, 1):
        print(errors.decode(errors="replace"), file=sys.stderr)
    return process.returncode


def _timed(words: list[str], target: Path) -> tuple[float, float]:
    """Give the seconds of a whole run, and those from the first file on the target until the last one has its name."""
    started = time.time()
    process = start(words)
    _wait_for_a_file(process, target)
    began = time.time()
    _, errors = process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"tacit {' '.join(words)} failed before anything was killed\n{errors.decode(errors='replace')}")
    return time.time() - started, max(path.stat().st_ctime for path in target.iterdir()) - began


def _wait_for_a_file(process: subprocess.Popen[bytes], target: Path) -> None:
    while process.poll() is None and not (target.is_dir() and os.listdir(target)):
        time.sleep(0.0005)


def main() -> None:
    parser = argparse.ArgumentParser(description="Kill pushes and pulls at random moments.")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--verbs", nargs="+", choices=["push", "pull"], default=["push", "pull"])
    parser.add_argument("--kinds", nargs="+", choices=["folder", "slow"], default=["folder", "slow"])
    options = parser.parse_args()
    for verb in options.verbs:
        for kind in options.kinds:
            with tempfile.TemporaryDirectory() as work:
                found: Any = kill_pushes(kind, options.kills, seed=options.seed, work=Path(work), verb=verb)
            print(verb, kind, dict(found.figures()), *found.torn, *found.lost, *found.not_completed, flush=True)


if __name__ == "__main__":
    main()
