"""Programs that act, as a person at the command line meets them."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from tests.e2e.conftest import command_environment, tacit

POLE = """
[environment]
id = "CartPole-v1"
episodes = 5
[goal]
return = 5
[train]
lanes = 4
horizon = 64
looks = 2
"""


@pytest.fixture
def place(tmp_path):
    (tmp_path / "pole").mkdir()
    (tmp_path / "pole" / "tacit.toml").write_text(POLE)
    return tmp_path


def test_from_an_id_to_returns_measured_again_from_the_file_alone(place):
    done = tacit("compile", "pole", "--steps", 1024, cwd=place)
    assert done.code == 0, done.err
    assert "5 fresh episodes" in done.out and "took 1024 steps" in done.out
    assert "found by acting in the environment `CartPole-v1`" in (place / "pole" / "pole.md").read_text()
    (place / "pole" / "pole.tacit").rename(place / "alone.tacit")
    again = tacit("test", "alone.tacit", "--json", cwd=place)
    assert again.code == 0 and again.document["checks"][0]["name"] == "return"
    acted = tacit("run", "alone.tacit", "--episodes", 3, "--json", cwd=place)
    assert acted.code == 0 and acted.document["count"] == 3 and acted.document["return"] > 5
    one = tacit("run", "alone.tacit", "[0, 0, 0.1, 0]", cwd=place)
    assert one.code == 0 and one.out.strip() in ("0", "1")


def test_a_goal_that_is_not_met_ends_with_1(place):
    done = tacit("compile", "pole", "--steps", 256, "--set", "goal.return=501", "--json", cwd=place)
    assert done.code == 1 and done.document["evidence"]["goals"][0]["met"] is False
    assert tacit("run", "pole/pole.tacit", "--json", cwd=place).code == 0


def test_mistakes_are_told_plainly_and_nothing_is_written(place):
    (place / "pole" / "tacit.toml").write_text(POLE.replace("CartPole-v1", "CartPol-v1"))
    done = tacit("compile", "pole", "--steps", 256, cwd=place)
    assert done.code == 2 and "Traceback" not in done.err
    assert "expected the id of an environment, got `CartPol-v1`\ntry: did you mean `CartPole-v1`?" in done.err
    (place / "pole" / "tacit.toml").write_text(POLE.replace("lanes", "lane"))
    done = tacit("compile", "pole", "--steps", 256, cwd=place)
    assert done.code == 2 and "`train.lane` is not known: did you mean `lanes`?" in done.err
    assert sorted(path.name for path in (place / "pole").iterdir()) == ["tacit.toml"]


def test_what_is_about_labels_says_that_there_are_none(place):
    done = tacit("labels", "status", "--in", "pole", cwd=place)
    assert done.code == 2 and "expected a program that learns from labels, this one learns by acting" in done.err


def test_an_environment_that_fails_says_where(place):
    (place / "pole" / "env.py").write_text(
        "import gymnasium\n\n\nclass Broken(gymnasium.Wrapper):\n"
        "    def step(self, action):\n        raise RuntimeError('the motor is off')\n\n\n"
        "def make():\n    return Broken(gymnasium.make('CartPole-v1'))\n"
    )
    (place / "pole" / "tacit.toml").write_text(POLE.replace('id = "CartPole-v1"', 'make = "env.py:make"'))
    done = tacit("compile", "pole", "--steps", 256, cwd=place)
    assert done.code == 2 and "failed - at `make`\nRuntimeError: the motor is off" in done.err and "Traceback" not in done.err


@pytest.mark.system
def test_a_run_that_was_killed_goes_on_to_the_same_bytes(place):
    """Killed as soon as there is a checkpoint; the binary is that of a run which nobody disturbed."""
    steps = 30_720
    whole = tacit("compile", "pole", "--steps", steps, "-o", "whole.tacit", cwd=place)
    assert whole.code == 0, whole.err
    for checkpoint in (place / "pole" / ".tacit" / "runs").glob("*/state.safetensors"):
        checkpoint.unlink()
    command = [sys.executable, "-m", "tacit.cli.main", "compile", "pole", "--steps", str(steps), "-o", "killed.tacit"]
    process = subprocess.Popen(command, cwd=place, env=command_environment(), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list((place / "pole" / ".tacit" / "runs").glob("*/state.safetensors")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (place / "killed.tacit").exists()
    again = tacit("compile", "pole", "--steps", steps, "--resume", "-o", "killed.tacit", cwd=place)
    assert again.code == 0 and "going on after" in again.err
    assert (place / "killed.tacit").read_bytes() == (place / "whole.tacit").read_bytes()
