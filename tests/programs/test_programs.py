"""Every domain program of the table keeps the layout, needs no network for what is embedded, and says what it lacks for what is not."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

import tacit
from tacit.domains.program import Compares, HasPredecessor
from tests.house.floors import SRC

ROOT = Path(__file__).resolve().parents[2]
POINTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["tacit.programs"]
#: What a README says, as its paragraphs begin.
SAYS = ("What it shows.", "Predecessor.", "Data.", "Sources.", "What it does not do.")


def folder_of(name: str) -> Path:
    return SRC / "tacit_programs" / name.replace("-", "_")


@pytest.fixture
def offline(tmp_path, monkeypatch) -> Path:
    """No data beside the package, nothing in the cache, no network; give a folder to work in."""

    def refuse(*arguments: object) -> None:
        raise OSError("there is no network here")

    monkeypatch.delenv("TACIT_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    (tmp_path / "here").mkdir()
    return tmp_path / "here"


def layout_problems(folder: Path) -> list[str]:
    """Name what a program's folder lacks."""
    wanted = ("__init__.py", "program.py", "predecessor.py", "tacit.toml", "README.md")
    problems = [f"{folder.name} lacks {name}" for name in wanted if not (folder / name).is_file()]
    text = (folder / "README.md").read_text(encoding="utf-8") if (folder / "README.md").is_file() else ""
    bold = re.findall(r"\*\*(.+?)\*\*", text)
    return problems + [f"the README of {folder.name} does not say: {words}" for words in SAYS if words not in bold]


@pytest.mark.parametrize("name", sorted(POINTS))
def test_a_program_has_the_layout(name):
    assert layout_problems(folder_of(name)) == []
    with (folder_of(name) / "tacit.toml").open("rb") as file:
        assert tomllib.load(file)


def test_a_folder_that_lacks_something_is_found(tmp_path):
    (tmp_path / "mine").mkdir()
    for name in ("__init__.py", "program.py", "tacit.toml"):
        (tmp_path / "mine" / name).touch()
    (tmp_path / "mine/README.md").write_text("**What it shows.** x **Predecessor.** **Data.** **Sources.**")
    assert layout_problems(tmp_path / "mine") == ["mine lacks predecessor.py", "the README of mine does not say: What it does not do."]


def test_every_folder_of_a_program_is_an_entry_point_that_is_installed():
    folders = {path.parent.name.replace("_", "-") for path in (SRC / "tacit_programs").glob("*/__init__.py")}
    assert folders == set(POINTS)
    installed = {point.name: point.value for point in metadata.entry_points(group="tacit.programs")}
    assert installed == POINTS, "run `make setup` again, or `pip install --no-deps --editable .`"
    assert all(value == f"tacit_programs.{name.replace('-', '_')}.program:PROGRAM" for name, value in POINTS.items())


@pytest.mark.parametrize("name", sorted(POINTS))
def test_a_program_is_what_its_entry_point_says(name):
    program = tacit.domain_program(name)
    assert program.name == name and program.title and "\n" not in program.title
    first, *others = program.sets
    assert program.sets[first] is None, "the first data set is embedded"
    for data in others:
        source = program.sets[data]
        if source is not None:
            assert source.title and source.licence and source.page, data
            assert source.packs or source.files, data
    assert callable(program.write) and isinstance(program, HasPredecessor) != isinstance(program, Compares)
    if hasattr(program, "play"):
        assert program.play_options and all(" " not in option and text for option, text in program.play_options.items())


@pytest.mark.parametrize("name", sorted(POINTS))
def test_the_embedded_default_needs_no_network(offline, name):
    program = tacit.domain_program(name)
    directory = program.write(offline / name, next(iter(program.sets)), reporter=tacit.Reporter())
    assert directory == offline / name and (directory / "README.md").is_file() and (directory / "tacit.toml").is_file()
    if not hasattr(program, "compile"):
        read = tacit.read(directory)
        assert read.name and (read.examples is None or len(read.examples.split("test")) or read.game is not None)


@pytest.mark.parametrize("name", sorted(POINTS))
def test_a_set_that_is_not_there_says_how_it_is_had(offline, name):
    program = tacit.domain_program(name)
    for data in [data for data, source in program.sets.items() if source is not None]:
        with pytest.raises(tacit.TacitError) as refused:
            program.write(offline / name, data, reporter=tacit.Reporter())
        lines = str(refused.value).splitlines()
        assert lines[0].startswith("expected the data set `") and "TACIT_DATA" in lines[1] and lines[-1].startswith("try: "), data
        assert refused.value.exit_code == 2 and list(offline.iterdir()) == [], f"{data} left something"


@pytest.mark.system
def test_every_program_runs_on_an_example_without_a_network(tmp_path):
    """What `make programs` does; no proxy that answers, so that what asks the network fails."""
    nowhere = {name: "http://127.0.0.1:9" for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")}
    environment = {**os.environ, **nowhere, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    command = [sys.executable, "-m", "tacit_programs", str(tmp_path / "programs")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == f"{len(POINTS)} of {len(POINTS)} programs ran"


def test_a_program_that_can_t_be_tried_is_named(tmp_path):
    done = subprocess.run([sys.executable, "-m", "tacit_programs", str(tmp_path), "digitz"], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stdout.splitlines()[-1] == "0 of 1 programs ran; failed: digitz"
    assert "did you mean `digits`?" in done.stderr


def test_no_program_is_heavy_to_find():
    """What `tacit new --like` and `tacit scoreboard` import at first is not what training or a predecessor needs."""
    script = (
        f"import sys, tacit\nfor name in {sorted(POINTS)!r}: tacit.domain_program(name)\n"
        "print(*sorted({'torch', 'sklearn', 'pyarrow', 'pandas', 'onnx'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == ""
