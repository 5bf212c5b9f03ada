"""Run a command in a process of its own that begins with the imports done: they take a compile three of its five seconds.

One process imports and does nothing else; every command is a fork of it, with its own folder, variables and streams. That the imports
themselves work is shown by the documents, whose commands are fresh processes, and by test_installation.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

#: What most commands import, torch's tracing of networks among it.
IMPORTED = ("tacit.cli.main", "tacit.compiler", "torch.export._trace", "sklearn.linear_model", "pyarrow", "PIL.Image")

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(list(IMPORTED))


def run(arguments: Sequence[str], folder: Path, variables: Mapping[str, str], seconds: float) -> tuple[int, str, str]:
    """Give exit code (minus a signal that ended it) and both streams. Raises: TimeoutError."""
    with tempfile.TemporaryDirectory() as place:
        out, err = Path(place, "out"), Path(place, "err")
        process = _FORKS.Process(target=_command, args=(list(arguments), str(folder), dict(variables), str(out), str(err)))
        process.start()
        process.join(seconds)
        if process.is_alive():
            process.kill()
            process.join()
            raise TimeoutError(f"expected an end within {seconds:g} s: tacit {' '.join(arguments)}\n{err.read_text()}")
        return process.exitcode or 0, out.read_text(), err.read_text()


def _command(arguments: list[str], folder: str, variables: dict[str, str], out: str, err: str) -> None:
    """Become `tacit ARGUMENTS`."""
    gc.freeze()  # a collection would touch, and so copy, all that was imported
    for descriptor, path in enumerate((os.devnull, out, err)):
        opened = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.dup2(opened, descriptor)
        os.close(opened)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.argv = ["tacit", *arguments]
    from tacit.cli.main import main

    code = main()
    sys.stdout.flush()
    sys.exit(code)
