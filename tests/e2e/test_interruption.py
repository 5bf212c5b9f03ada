"""A full disk and Ctrl-C: nothing is lost, nothing is torn."""

from __future__ import annotations

import resource
import shutil
import signal
import subprocess
import sys
import time

import pytest

from tests.e2e.conftest import command_environment, tacit, tree


@pytest.fixture
def place(made, tmp_path):
    shutil.copytree(made / "program", tmp_path / "program")
    return tmp_path


def no_more_than(size: int):
    """Make every write past `size` bytes of a file fail, as a full disk does (the system then says EFBIG, not ENOSPC)."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


def test_a_full_disk_is_one_clear_error_without_a_torn_file_and_the_same_command_succeeds_after_it(place):
    before = tree(place)
    done = tacit("compile", "program", "--steps", 60, "-o", "out.tacit", cwd=place, preexec_fn=no_more_than(2000))
    assert done.code == 2, (done.code, done.out, done.err)
    assert done.err.count("error:") == 1 and "Traceback" not in done.err
    assert "could not write" in done.err and "try:" in done.err
    left = tree(place)
    # A run that is begun anew takes the place of the checkpoint of the same run before; all else is untouched.
    kept = {name: digest for name, digest in before.items() if "/.tacit/runs/" not in name}
    assert {name: digest for name, digest in left.items() if name in kept} == kept
    assert [name for name in left if name.endswith(".tmp") or name == "out.tacit"] == []
    again = tacit("compile", "program", "--steps", 60, "-o", "out.tacit", "--resume", cwd=place)
    assert again.code in (0, 1), again.err
    assert (place / "out.tacit").exists()


def start(place, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tacit.cli.main", *map(str, arguments)]
    return subprocess.Popen(command, cwd=place, env=command_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_until_training(process: subprocess.Popen[str]) -> list[str]:
    """Read what it says until it trains."""
    said: list[str] = []
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        line = process.stderr.readline()
        said.append(line)
        if "train" in line or not line:
            return said
    pytest.fail(f"never trained: {said}")


def test_the_first_interrupt_saves_the_best_so_far(place):
    process = start(place, "compile", "program", "--minutes", 5, "--set", "train.epochs=1000000", "-o", "out.tacit")
    wait_until_training(process)
    time.sleep(2.0)
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert time.monotonic() - begun < 60
    assert process.returncode in (0, 1), err
    assert "Traceback" not in err
    assert tacit("inspect", "out.tacit", "--json", cwd=place).document
    assert not list(place.rglob("*.tmp"))


def test_an_interrupt_before_there_is_anything_ends_with_130(place):
    process = start(place, "compile", "program", "--minutes", 5, "-o", "out.tacit")
    wait_until_training(process)
    process.send_signal(signal.SIGINT)
    time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode in (0, 1, 130), err
    assert "Traceback" not in err
    assert (place / "out.tacit").exists() == (process.returncode != 130)
    assert not list(place.rglob("*.tmp"))
