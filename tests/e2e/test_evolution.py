"""A score of one's own from `tacit.toml`: searched, shipped, tested; killed and gone on with; refused when it is not one."""

from __future__ import annotations

import os
import shutil
import signal
import time

import pytest

from tests.e2e.conftest import tacit
from tests.e2e.test_interruption import start

SCORES = '''\
"""Scores of this program."""
import os
import time

import numpy as np


def margin(candidates, targets):
    """The mean margin of the right class, cut off at 4."""
    time.sleep(float(os.environ.get("TACIT_TEST_PAUSE", "0")))
    rows = np.arange(len(targets))
    return np.clip(candidates[:, rows, targets] - candidates[:, rows, 1 - targets], -4, 4).mean(axis=1)


def constant(scores):
    return 0.5


def broken(scores, targets):
    return 1 / (len(scores) - len(targets))

'''
SMALL = ("--set", "skeleton.width=8", "--set", "evolution.population=8")


def with_score(folder, name, *more):
    (folder / "goal.py").write_text(SCORES)
    path = folder / "tacit.toml"
    lines = [f'score = "goal.py:{name}"', *more]
    path.write_text(path.read_text().replace("[goal]\n", "\n".join(["[goal]", *lines, ""])))


@pytest.fixture
def place(made, tmp_path):
    shutil.copytree(made / "program", tmp_path / "program", ignore=shutil.ignore_patterns(".tacit"))
    return tmp_path


def test_a_score_is_searched_by_evolution_shipped_and_tested(place):
    with_score(place / "program", "margin", "threshold = 0.01")
    done = tacit("compile", "program", "--steps", 10, "--generations", 12, *SMALL, "--json", cwd=place)
    assert done.code == 0, done.err
    evidence = done.document["evidence"]
    evolution, goal = evidence["evolution"], evidence["goals"][0]
    assert goal["metric"] == "margin" and goal["value"] >= 0.01 and goal["met"]
    assert (evolution["generations"], evolution["plan"], evolution["population"]) == (12, "12", 8)
    assert evolution["deciding"]["best"] >= evolution["deciding"]["start"]
    assert "validation decides" in evolution["protection"]
    assert "--generations 12" in evidence["run"]["repeat"]
    tested = tacit("test", "program", "--json", cwd=place)
    assert tested.code == 0, tested.err
    (check,) = [check for check in tested.document["checks"] if check["kind"] == "goal"]
    assert check["name"] == "margin on test" and check["met"]
    assert tested.document["scores"]["test"]["margin"] == pytest.approx(goal["value"], abs=1e-5)


def test_killed_while_it_evolves_and_gone_on_with_it_makes_the_same_bytes(place, monkeypatch):
    with_score(place / "program", "margin")
    words = ("compile", "program", "--steps", 10, "--generations", 40, *SMALL)
    whole = tacit(*words, "-o", "whole.tacit", cwd=place)
    assert whole.code == 0, whole.err
    shutil.rmtree(place / "program" / ".tacit")
    monkeypatch.setenv("TACIT_TEST_PAUSE", "0.1")
    process = start(place, *words, "-o", "killed.tacit")
    deadline = time.monotonic() + 120
    while not list(place.glob("program/.tacit/runs/*/evolution.safetensors")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert not (place / "killed.tacit").exists()
    monkeypatch.setenv("TACIT_TEST_PAUSE", "0")
    again = tacit(*words, "--resume", "-o", "killed.tacit", cwd=place)
    assert again.code == 0, again.err
    assert "going on from generation" in again.err
    assert (place / "killed.tacit").read_bytes() == (place / "whole.tacit").read_bytes()


def test_an_interrupt_while_it_evolves_keeps_the_best_so_far(place, monkeypatch):
    with_score(place / "program", "margin")
    monkeypatch.setenv("TACIT_TEST_PAUSE", "0.1")
    process = start(place, "compile", "program", "--steps", 10, "--generations", 10000, *SMALL, "-o", "out.tacit")
    while "evolution:" not in (line := process.stderr.readline()):
        assert line, "it ended before it evolved"
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0 and "Traceback" not in err, err
    assert "interrupted: this is the best so far" in out
    evidence = tacit("inspect", "out.tacit", "--json", cwd=place).document["evidence"]
    assert 0 < evidence["evolution"]["generations"] < 10000


def test_a_constant_score_is_said_and_a_threshold_that_is_not_reached_ends_with_1(place):
    with_score(place / "program", "constant", "threshold = 99.0")
    done = tacit("compile", "program", "--steps", 5, "--generations", 500, *SMALL, "--json", cwd=place)
    assert done.code == 1, done.err
    assert "there was nothing to follow" in done.err
    assert done.document["evidence"]["evolution"]["flat"] is True


@pytest.mark.parametrize(
    ("lines", "names"),
    [
        (['score = "gaol.py:margin"'], ("tacit.toml:", "gaol.py", "did you mean `goal.py`")),
        (['score = "goal.py:margins"'], ("margins", "did you mean `margin`")),
        (['score = "goal.py"'], ("file.py:function",)),
        (["threshold = 3"], ("expected a `score` beside `threshold`",)),
        (['score = "goal.py:margin"', 'better = "higest"', "nonsense = 3"], ("higher", "nonsense", "2 problems")),
    ],
)
def test_a_score_that_is_not_there_is_refused_and_nothing_is_written(refused, place, lines, names):
    (place / "program" / "goal.py").write_text(SCORES)
    path = place / "program" / "tacit.toml"
    path.write_text(path.read_text().replace("[goal]\n", "\n".join(["[goal]", *lines, ""])))
    refused("compile", "program", "--steps", 5, cwd=place, names=names)


def test_a_score_that_raises_is_said_before_training(place):
    with_score(place / "program", "broken")
    done = tacit("compile", "program", "--minutes", 5, *SMALL, cwd=place)
    assert done.code == 2 and "Traceback" not in done.err, done.err
    for part in ("ZeroDivisionError in line 20 of `goal.py`", "the score `goal.py:broken`", "try:"):
        assert part in done.err, done.err
    assert "training" not in done.err and not (place / "program" / "program.tacit").exists()


def test_settings_of_evolution_that_are_not_known_are_refused(place):
    with_score(place / "program", "margin")
    done = tacit("compile", "program", "--steps", 5, "--set", "evolution.populaton=8", cwd=place)
    assert done.code == 2 and "did you mean `population`" in done.err, done.err
