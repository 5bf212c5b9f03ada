"""`tacit compile --on ray`: the winner of one process, whatever happens to the workers, and nothing left behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tacit.binary.loading import load
from tacit.directory.reading import read_program
from tests.e2e.conftest import Done, command_environment, tacit

SEARCH = ("--set", "skeleton.width=[4, 8, 12]", "--set", "skeleton.depth=[1, 2]", "--steps", 240, "--seed", 3)
SECONDS = 400


STARTED: list[subprocess.Popen[str]] = []


@pytest.fixture
def place(made, tmp_path) -> Iterator[Path]:
    shutil.copytree(made / "program", tmp_path / "program")
    yield tmp_path
    while STARTED:  # of a test that failed; what it has begun ends with it
        STARTED.pop().kill()


@pytest.fixture(scope="module")
def alone(made, tmp_path_factory) -> tuple[bytes, list[dict], int]:
    """What one process finds: the bytes of the binary, the trials in order, the exit code."""
    place = tmp_path_factory.mktemp("alone")
    shutil.copytree(made / "program", place / "program")
    done = tacit("compile", "program", *SEARCH, "-o", "alone.tacit", cwd=place)
    assert done.code in (0, 1), done.err
    return (place / "alone.tacit").read_bytes(), in_order(place), done.code


def start(place: Path, *arguments: object, **environment: str) -> subprocess.Popen[str]:
    """Begin a command in a fresh process: Ray starts processes of its own, and a fork is not what they expect above them."""
    command = [sys.executable, "-m", "tacit.cli.main", *map(str, arguments)]
    options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    STARTED.append(subprocess.Popen(command, cwd=place, env=command_environment(**environment), start_new_session=True, **options))
    return STARTED[-1]


def end(process: subprocess.Popen[str]) -> Done:
    out, err = process.communicate(timeout=SECONDS)
    return Done(process.returncode, out, err)


def trials(place: Path) -> list[dict]:
    return [json.loads(line) for path in place.glob("program/.tacit/runs/*/trials.jsonl") for line in path.read_text().splitlines()]


def in_order(place: Path) -> list[dict]:
    """Give the trials by rung and number, without what they took."""
    return sorted(({**trial, "seconds": 0} for trial in trials(place)), key=lambda trial: (trial["rung"], trial["number"]))


def wait_for(condition, *, seconds: float = SECONDS, process: subprocess.Popen[str] | None = None):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        assert process is None or process.poll() is None, process.communicate()
        time.sleep(0.05)
    pytest.fail("it never came to that")


def processes_below(folder_mark: str) -> list[int]:
    """Give the processes whose command line names a folder of this kind, or that are workers of Ray."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = path.read_bytes().decode(errors="replace")
        except OSError:
            continue
        if folder_mark in text:
            found.append(int(path.parent.name))
    return found


def workers_of(process: subprocess.Popen[str]) -> list[int]:
    """Give the workers that have begun on behalf of a command: children of its raylet that run `Seat`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes().startswith(b"ray::Seat") and process.pid in _ancestors(int(path.parent.name)):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def _ancestors(pid: int) -> set[int]:
    found: set[int] = set()
    while pid > 1:
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        found.add(pid)
    return found


def test_an_address_where_nobody_answers_is_said_at_once(made, refused, tmp_path):
    shutil.copytree(made / "program", tmp_path / "program")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    begun = time.monotonic()
    names = ("expected a Ray cluster that answers", f"ray://127.0.0.1:{port}", "ray start")
    refused("compile", "program", "--steps", 5, "--on", f"ray://127.0.0.1:{port}", names=names)
    assert time.monotonic() - begun < 60  # Ray itself would take two minutes


def test_a_place_that_is_not_understood_is_refused_before_anything_is_written(made, refused, tmp_path):
    shutil.copytree(made / "program", tmp_path / "program")
    refused("compile", "program", "--steps", 5, "--on", "rai", names=("did you mean `ray`?",))
    refused("compile", "program", "--steps", 5, "--on", "ray:many?cpus=0", names=("2 problems", "got `0`", "got `:many`"))


def test_without_ray_the_line_that_installs_it_is_said(place):
    (place / "hidden" / "ray").mkdir(parents=True)
    (place / "hidden" / "ray" / "__init__.py").write_text("raise ModuleNotFoundError(\"No module named 'ray'\", name='ray')\n")
    paths = os.pathsep.join([str(place / "hidden"), os.environ.get("PYTHONPATH", "")])
    done = end(start(place, "compile", "program", "--steps", 5, "--on", "ray", PYTHONPATH=paths + os.pathsep + str(ROOT / "src")))
    assert done.code == 2 and 'pip install "tacit[ray]"' in done.err and "Traceback" not in done.err
    done = end(start(place, "compile", "program", "--steps", 5, PYTHONPATH=paths + os.pathsep + str(ROOT / "src")))
    assert done.code in (0, 1), done.err  # a run without it never looks for it


ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.system
def test_the_winner_and_every_byte_are_those_of_one_process(place, alone):
    done = end(start(place, "compile", "program", *SEARCH, "-o", "ray.tacit", "--on", "ray:2", "--json"))
    assert done.code == alone[2], done.err
    assert done.document["path"] == "ray.tacit"  # and nothing else on stdout
    assert "2 workers" in done.err
    assert in_order(place) == alone[1]
    assert (place / "ray.tacit").read_bytes() == alone[0]


@pytest.mark.system
def test_a_worker_that_is_killed_costs_nothing(place, alone):
    process = start(place, "compile", "program", *SEARCH, "-o", "ray.tacit", "--on", "ray:2")
    os.kill(wait_for(lambda: workers_of(process), process=process)[0], signal.SIGKILL)
    done = end(process)
    assert done.code == alone[2], done.err
    assert "Traceback" not in done.err and done.out.strip().endswith("ray.tacit")
    assert in_order(place) == alone[1]
    assert (place / "ray.tacit").read_bytes() == alone[0]


@pytest.mark.system
def test_a_command_killed_mid_search_leaves_no_process_and_is_resumed(place, alone):
    process = start(place, "compile", "program", *SEARCH, "-o", "ray.tacit", "--on", "ray:2")
    wait_for(lambda: len(trials(place)) >= 2, process=process)
    mark = f"tacit-ray-{process.pid}-"
    assert processes_below(mark)
    process.kill()
    process.wait()
    kept = trials(place)
    wait_for(lambda: not processes_below(mark), seconds=60)
    again = tacit("compile", "program", *SEARCH, "-o", "ray.tacit", "--resume", cwd=place)  # with Ray or without
    assert again.code == alone[2], again.err
    assert trials(place)[: len(kept)] == kept  # none of them was run again
    assert in_order(place) == alone[1]
    assert (place / "ray.tacit").read_bytes() == alone[0]


@pytest.mark.system
def test_the_first_interrupt_ends_the_search_with_the_best_so_far(place):
    process = start(place, "compile", "program", *SEARCH, "-o", "ray.tacit", "--on", "ray:2")
    wait_for(lambda: trials(place), process=process)
    mark = f"tacit-ray-{process.pid}-"
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: every process of the command gets it
    done = end(process)
    assert done.code in (0, 1), done.err
    assert "Traceback" not in done.err and (place / "ray.tacit").exists()
    wait_for(lambda: not processes_below(mark), seconds=30)


@pytest.mark.system
def test_workers_that_share_each_batch_give_the_network_of_one_process(place):
    fixed = ("--set", "skeleton.width=8", "--set", "skeleton.depth=1", "--steps", 20)
    one = tacit("compile", "program", *fixed, "-o", "one.tacit", "--json", cwd=place)
    assert one.code in (0, 1), one.err
    shared = ("--on", "ray:2", "--set", "train.workers=2")
    done = end(start(place, "compile", "program", *fixed, "-o", "ray.tacit", "--json", *shared))
    assert done.code in (0, 1), done.err
    assert "2 workers share each batch" in done.err
    run = load(place / "ray.tacit").evidence["run"]
    assert run["shared_by"] == 2 and run["steps"] == 20
    examples = read_program(place / "program").examples
    answers = [load(place / name).evaluate(examples) for name in ("one.tacit", "ray.tacit")]
    np.testing.assert_allclose(*answers, rtol=1e-2, atol=1e-3)
