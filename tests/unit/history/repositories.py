"""Small git repositories with labels, for the tests of history."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tacit.examples.records import Record, input_id
from tacit.examples.store import write_labels

IDS = sorted(input_id(str(number)) for number in range(40))
ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_AUTHOR_DATE": "2026-01-02T03:04:05+0100",
    "GIT_COMMITTER_DATE": "2026-01-02T03:04:05+0100",
}


@dataclass(frozen=True)
class Made:
    """A repository with a program directory in it."""

    root: Path
    directory: Path

    def git(self, *arguments: str, codes: tuple[int, ...] = (0,)) -> str:
        environment = {**os.environ, **ENVIRONMENT}
        done = subprocess.run(["git", "-C", str(self.root), *arguments], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode in codes, (arguments, done.stdout, done.stderr)
        return done.stdout.strip()

    def write(self, labels: dict[str, str], source: str = "one") -> None:
        """Write one import anew."""
        write_labels(self.directory, source, [Record(name, label) for name, label in labels.items()])

    def relabel(self, name: str, label: str, file: str = "labels/one/all.jsonl") -> None:
        path = self.directory / file
        lines = path.read_text().split("\n")
        path.write_text("\n".join(Record(name, label).line() if name in line else line for line in lines))

    def commit(self, message: str, author: str = "Ann") -> str:
        self.git("add", "-A")
        self.git("-c", f"user.name={author}", "-c", f"user.email={author.lower()}@example.org", "commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD")

    def labels(self, file: str = "labels/one/all.jsonl") -> dict[str, str]:
        """Give the labels of a file of the working tree."""
        lines = [line for line in (self.directory / file).read_text().split("\n") if line]
        return {line[8:32]: line.split('"label": "')[1].split('"')[0] for line in lines}

    def state(self) -> dict[str, bytes | str]:
        """Give everything that a command which refuses has to leave as it was."""
        files: dict[str, bytes | str] = {
            str(path): path.read_bytes() for path in self.root.rglob("*") if path.is_file() and ".git" not in path.parts
        }
        return {**files, "head": self.git("rev-parse", "HEAD"), "index": self.git("ls-files", "-s"), "refs": self.git("for-each-ref")}


def make(root: Path, within: str = "") -> Made:
    """Make a repository; its program directory is the root, or a folder within it."""
    root.mkdir(parents=True, exist_ok=True)
    made = Made(root, root / within if within else root)
    made.directory.mkdir(parents=True, exist_ok=True)
    made.git("init", "-q", "-b", "main")
    made.git("config", "user.name", "Me")
    made.git("config", "user.email", "me@example.org")
    return made


def with_labels(root: Path, within: str = "") -> Made:
    """Make a repository with one commit: forty examples labelled 4."""
    made = make(root, within)
    made.write(dict.fromkeys(IDS, "4"))
    made.commit("Add labels")
    return made
