"""One writer at a time, across processes; a dead one holds nobody up."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tacit.ground.errors import TacitError
from tacit.ground.locks import locked

_HOLDER = """
import sys, time
from pathlib import Path
from tacit.ground.locks import locked
with locked(Path(sys.argv[1]), "tacit labels import photos"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path):
    process = subprocess.Popen([sys.executable, "-c", _HOLDER, str(tmp_path / "lock")], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_another_process_is_named(holder, tmp_path: Path):
    with pytest.raises(TacitError) as caught, locked(tmp_path / "lock", "b", wait=0.1):
        pass
    text = str(caught.value)
    assert "expected to be the only one that writes here" in text
    assert f"process {holder.pid} is at `tacit labels import photos` since 2" in text and "try: " in text


def test_the_lock_of_a_killed_process_is_free(holder, tmp_path: Path):
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with locked(tmp_path / "lock", "b", wait=0.1):
        assert str(os.getpid()) in (tmp_path / "lock").read_text()


def test_threads_wait_for_one_another(tmp_path: Path):
    inside, most = [], []

    def work() -> None:
        with locked(tmp_path / "lock", "work"):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.01)
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 5


def test_a_folder_that_can_not_be_made(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(TacitError, match="could not make the lock file"), locked(tmp_path / "file" / "lock", "b"):
        pass


def test_the_file_is_gone_afterwards_and_nobody_is_kept_out_by_one_that_is_gone(tmp_path: Path):
    with locked(tmp_path / "lock", "a"):
        (tmp_path / "lock").unlink()  # as who held it before does at the end
        with locked(tmp_path / "lock", "b", wait=0.1):
            assert '"doing": "b"' in (tmp_path / "lock").read_text()
    assert not (tmp_path / "lock").exists()
