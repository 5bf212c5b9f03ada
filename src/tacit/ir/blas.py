"""Keep BLAS on one thread while an interpreter runs.

The products of a small net take microseconds. OpenBLAS splits each over all cores and waits for the last part by
spinning; as soon as another program uses a core, a product takes milliseconds: ten to a hundred times longer. So a run
uses one thread, and `evaluate` runs whole chunks side by side instead. Only the OpenBLAS that comes with NumPy's wheels
is reached; any other BLAS is left as it is.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np

_lock = threading.Lock()
_inside = 0  # runs in progress, over all threads
_before = 1  # the count of threads to return to


@cache
def _controls() -> tuple[Callable[[], int], Callable[[int], None]] | None:
    """Find the functions that get and set OpenBLAS's count of threads."""
    package = Path(np.__file__).parent
    for folder in (package.parent / "numpy.libs", package / ".dylibs", package / ".libs"):
        for path in sorted(folder.glob("*openblas*")):
            try:
                library = ctypes.CDLL(str(path))
            except OSError:
                continue
            for prefix in ("scipy_openblas", "openblas"):
                for suffix in ("64_", ""):
                    read = getattr(library, f"{prefix}_get_num_threads{suffix}", None)
                    write = getattr(library, f"{prefix}_set_num_threads{suffix}", None)
                    if read is not None and write is not None:
                        return read, write
    return None


def blas_threads() -> int:
    """Give the count of threads that BLAS uses outside of runs (1 when that is not known)."""
    controls = _controls()
    if controls is None:
        return 1
    with _lock:
        return _before if _inside else max(1, controls[0]())


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold BLAS to one thread until the last of all runs that are in progress has ended."""
    global _inside, _before
    controls = _controls()
    if controls is None:
        yield
        return
    read, write = controls
    with _lock:
        if _inside == 0:
            _before = max(1, read())
            if _before != 1:
                write(1)
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0 and _before != 1:
                write(_before)
