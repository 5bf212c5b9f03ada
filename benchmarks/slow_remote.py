"""A remote behind fsspec that is slow and writes files bit by bit under whatever name it is given, as an FTP server does.

Run as a script it is the `tacit` command line with the protocol `slow://` known: `python slow_remote.py media push DIR --remote slow:///folder`.
`SLOW_CHUNK` (bytes) and `SLOW_WAIT` (seconds after each) set the pace. With `SLOW_TRUSTED` uploads go to the final name at once, as they
may on an object store and must not here: a planted fault that whoever looks for torn files has to find.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

CHUNK = int(os.environ.get("SLOW_CHUNK", 1 << 16))
WAIT = float(os.environ.get("SLOW_WAIT", 0.01))


class SlowFileSystem(LocalFileSystem):
    """A folder that answers slowly; an upload that is cut off stays there, torn."""

    protocol = "slow"

    @classmethod
    def _strip_protocol(cls, path: Any) -> str:
        return LocalFileSystem._strip_protocol(str(path).replace("slow://", "file://", 1))

    def put_file(self, lpath: str, rpath: str, callback: Any = fsspec.callbacks.DEFAULT_CALLBACK, **options: Any) -> None:
        path = self._strip_protocol(rpath)
        if os.environ.get("SLOW_TRUSTED"):  # an object store knows no folders
            os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(lpath, "rb") as source, open(path, "wb", buffering=0) as target:
            while piece := source.read(CHUNK):
                target.write(piece)
                callback.relative_update(len(piece))
                time.sleep(WAIT)

    def get_file(self, rpath: str, lpath: str, callback: Any = fsspec.callbacks.DEFAULT_CALLBACK, **options: Any) -> None:
        with open(self._strip_protocol(rpath), "rb") as source, open(lpath, "wb", buffering=0) as target:
            while piece := source.read(CHUNK):
                target.write(piece)
                callback.relative_update(len(piece))
                time.sleep(WAIT)


if __name__ == "__main__":
    fsspec.register_implementation("slow", SlowFileSystem)
    from tacit.cli.main import main
    from tacit.history import remote_fsspec

    if os.environ.get("SLOW_TRUSTED"):
        remote_fsspec.WHOLE = remote_fsspec.WHOLE | {"slow"}
    sys.exit(main())
