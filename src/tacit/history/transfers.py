"""Carry many packs at once: several threads, another try after a passing error, progress with bytes, rate and time left."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from tacit.examples.media_lists import Pack
from tacit.ground.progress import Reporter
from tacit.history.remotes import Tell, is_lasting, said

Answer = TypeVar("Answer")

#: Seconds before the second, third ... try; each is lengthened by chance, so that many machines don't come back at once.
WAITS = (0.5, 2.0, 8.0)
_BETWEEN_REPORTS = 0.2


class Stopped(Exception):
    """Another transfer has failed for good, or the person has interrupted: this one ends, too."""


@dataclass
class Outcome:
    """What came of it: the packs that went through, those that didn't with the reason, and the error that ended everything."""

    done: list[Pack] = field(default_factory=list)
    failed: dict[Pack, Exception] = field(default_factory=dict)
    fatal: Exception | None = None


def megabytes(size: float) -> str:
    """Write an amount of bytes as people who pay for disks do.

    >>> megabytes(63_999_123), megabytes(1234), megabytes(2.5e9)
    ('64.0 MB', '1 kB', '2.50 GB')
    """
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.0f} kB"


def carry(
    packs: Sequence[Pack],
    work: Callable[[Pack, Tell], None],
    *,
    jobs: int,
    alone: tuple[type[Exception], ...],
    reporter: Reporter,
    waits: Sequence[float] | None = None,
) -> Outcome:
    """Do `work` for every pack, `jobs` at a time.

    alone: errors that concern one pack: they are noted and the others go on. Any other, once it has come back after several
    tries (or at once, where trying again is no use), would be the same for all, and ends everything.
    Raises: KeyboardInterrupt, once the threads have stopped.
    """
    outcome = Outcome()
    if not packs:
        return outcome
    progress = _Progress(packs, reporter)

    def one(pack: Pack) -> None:
        try:
            _with_retries(pack, work, progress, WAITS if waits is None else waits)
        except Stopped:
            return
        except alone as error:
            outcome.failed[pack] = error
        except Exception as error:  # libraries behind fsspec raise what they like
            outcome.fatal = outcome.fatal or error
            progress.stop.set()
        else:
            outcome.done.append(pack)

    pool = ThreadPoolExecutor(min(jobs, len(packs)), thread_name_prefix="media")
    try:
        for future in [pool.submit(one, pack) for pack in packs]:
            future.result()
    except BaseException:
        progress.stop.set()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return outcome


def _with_retries(pack: Pack, work: Callable[[Pack, Tell], None], progress: _Progress, waits: Sequence[float]) -> None:
    for wait in (*waits, None):
        counter = _Counter(progress)
        try:
            counter.add(0)  # stops here when the others have stopped
            work(pack, counter.add)
        except Exception as error:
            progress.count(-counter.bytes)
            if wait is None or progress.stop.is_set() or is_lasting(error) or isinstance(error, Stopped):
                raise
            progress.reporter.note(f"{pack.name}: {said(error)[:120]}; trying again")
            if progress.stop.wait(wait * (1 + random.random())):
                raise Stopped from error
        else:
            progress.count(pack.bytes - counter.bytes, packs=1)  # whatever the library behind has told of it
            return


def patiently(ask: Callable[[], Answer], *, reporter: Reporter, waits: Sequence[float] = (0.5, 2.0)) -> Answer:
    """Ask a remote something, again after a passing error. Raises: what it raised last."""
    for wait in waits:
        try:
            return ask()
        except Exception as error:
            if is_lasting(error):
                raise
            reporter.note(f"{said(error)[:120]}; trying again")
            time.sleep(wait * (1 + random.random()))
    return ask()


class _Progress:
    """Bytes of all transfers together, told to a reporter now and then."""

    def __init__(self, packs: Sequence[Pack], reporter: Reporter) -> None:
        self.stop = threading.Event()
        self.reporter = reporter
        self._lock = threading.Lock()
        self._total, self._count = sum(pack.bytes for pack in packs), len(packs)
        self._bytes = self._packs = 0
        self._start = self._last = time.monotonic()

    def count(self, size: int, *, packs: int = 0) -> None:
        """Count bytes and packs."""
        with self._lock:
            self._bytes += size
            self._packs += packs
            now = time.monotonic()
            if now - self._last < _BETWEEN_REPORTS and not packs:
                return
            self._last = now
            rate = self._bytes / max(now - self._start, 1e-3)
            left = (self._total - self._bytes) / rate if rate > 0 else None
            message = f"{megabytes(self._bytes)} of {megabytes(self._total)}, {megabytes(rate)}/s, {self._packs} of {self._count} packs"
            self.reporter.progress(self._bytes / max(self._total, 1), left, message)


class _Counter:
    """What one try has counted, so that a try that failed can be taken back."""

    def __init__(self, progress: _Progress) -> None:
        self._progress, self.bytes = progress, 0

    def add(self, size: int) -> None:
        """Count bytes. Raises: Stopped when the others have stopped."""
        if self._progress.stop.is_set():
            raise Stopped
        self.bytes += size
        self._progress.count(size)
