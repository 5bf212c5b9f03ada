"""One small program compiled once per session, and the command line as a person uses it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.e2e import commands

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 240


@dataclass(frozen=True)
class Done:
    """What a command left: exit code, both streams."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)


def command_environment(**more: str) -> dict[str, str]:
    paths = os.pathsep.join([str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": paths, "NO_COLOR": "1", "COLUMNS": "160", **more}


def tacit(*arguments: object, cwd: Path, **options: Any) -> Done:
    """Run one command in a process of its own: a fork, or a fresh one to whose start `options` go, as to `subprocess.run`."""
    if not options:
        return Done(*commands.run([*map(str, arguments)], cwd, command_environment(), SECONDS))
    command = [sys.executable, "-m", "tacit.cli.main", *map(str, arguments)]
    done = subprocess.run(
        command,
        cwd=cwd,
        env=command_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        **options,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def tree(folder: Path) -> dict[str, str]:
    """Give every file below a folder with the digest of its content, and every folder."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        for path in sorted(folder.rglob("*"))
    }


def draw(folder: Path, *, count: int = 12, size: int = 10, classes: tuple[str, ...] = ("bar", "dot")) -> Path:
    """Write a folder per class of small pictures: bright bars, bright dots, each with its own noise."""
    chance = np.random.default_rng(7)
    for name in classes:
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            values = chance.integers(0, 60, (size, size))
            place = int(chance.integers(1, size - 3))
            if name == "bar":
                values[place, :] = 250
            else:
                values[place : place + 3, place : place + 3] = 250
            Image.fromarray(values.astype(np.uint8)).save(folder / name / f"{number}.png")
    return folder


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Path:
    """A folder with the program directory `program/`, the pictures `pictures/` and the binary `shapes.tacit`."""
    place = tmp_path_factory.mktemp("made")
    draw(place / "pictures", count=40)
    new = tacit("new", "program", "--from", "pictures", cwd=place)
    assert new.code == 0, new.err
    compiled = tacit("compile", "program", "--steps", 60, "-o", "shapes.tacit", cwd=place)
    assert compiled.code in (0, 1), compiled.err
    return place


@pytest.fixture
def refused(tmp_path) -> Callable[..., Done]:
    """Run a command that has to be refused: exit code 2, one error without a traceback, nothing written."""

    def run(*arguments: object, names: tuple[str, ...] = (), cwd: Path = tmp_path, **options: Any) -> Done:
        before = tree(cwd)
        done = tacit(*arguments, cwd=cwd, **options)
        assert done.code == 2, (done.code, done.out, done.err)
        assert "Traceback" not in done.err
        assert done.err.count("error:") == 1, done.err
        assert "try:" in done.err, done.err
        missing = [name for name in names if name not in done.err]
        assert not missing, f"the error names not {missing}:\n{done.err}"
        assert tree(cwd) == before, "something was written"
        return done

    return run
