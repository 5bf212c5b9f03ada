"""Node, asked one JSON line at a time."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


class Reader:
    """The page's own reading of inputs, outside of a page."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, kind: str, **request: Any) -> Any:
        """Give what one of the readers of `reading.mjs` says. Raises: ValueError with the message of an InputError."""
        assert self._process.stdin is not None and self._process.stdout is not None
        ready = {key: base64.b64encode(value).decode() if isinstance(value, bytes) else value for key, value in request.items()}
        self._process.stdin.write(json.dumps({"kind": kind, **ready}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if "error" in answer:
            raise ValueError(answer["error"])
        return answer["value"]


def node() -> str:
    """Give the path of node."""
    found = shutil.which("node")
    if found is None:
        raise AssertionError("expected node on the path; try: apt-get install nodejs")
    return found


@contextmanager
def reader() -> Iterator[Reader]:
    """Start a reader and stop it at the end."""
    web = Path(str(files("tacit.targets.wasm") / "web")).as_uri() + "/"
    command = [node(), str(HERE / "reading.mjs"), web]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8") as process:
        yield Reader(process)
        process.terminate()
