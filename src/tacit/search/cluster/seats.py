"""Workers on Ray: one process per seat, one piece at a time in each; a piece whose worker dies is given to another one.

Ray's own retries are off: which piece is tried again, how often and where is decided here, so that a piece that takes its worker
down with it is recorded as failed and the rest goes on.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import ray

from tacit.ground.progress import Reporter
from tacit.ground.tables import resolve
from tacit.search.cluster.seat import Seat
from tacit.search.running import Outcome, Runner, Stop
from tacit.search.workers import Failure

#: How often a piece is tried when its worker or node dies; when memory ran out a further try elsewhere is the last.
TRIES, MEMORY_TRIES = 3, 2
#: Seconds between looks at a request to stop, and after which a person is told that no worker has begun.
_LOOK, _PATIENCE = 0.2, 20.0


@dataclass(eq=False)
class _Held:
    """A seat as this process sees it. node: None until it has begun. piece: what it is at."""

    actor: Any
    begun: Any
    node: str | None = None
    piece: _Piece | None = None


@dataclass(eq=False)
class _Piece:
    place: int
    item: Any
    tries: int = 0
    avoid: set[str] = field(default_factory=set)


class RayWorkers:
    """Run pieces on Ray. count: how many at once. cpus: of each worker, and its threads."""

    def __init__(self, count: int, *, cpus: int, reporter: Reporter) -> None:
        self.count, self.cpus, self.reporter = count, cpus, reporter
        self._seats: list[_Held] = []
        self._shared: tuple[Callable[[Any], Any], Any, int] | None = None

    def run(self, work: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        """Give (place, result or `Failure`) as each piece ends.

        After a request to stop, of work that has a `stop`, the rest is left out, and what runs is ended.
        """
        if not items:
            return
        key, boxed = self._share(work)
        waiting = deque(_Piece(place, item) for place, item in enumerate(items))
        flying: dict[Any, _Held] = {}
        ended, since, stop = 0, time.monotonic(), getattr(work, "stop", None) or Stop()
        try:
            while (waiting or flying) and not stop.asked:
                self._fill(min(self.count, len(waiting) + len(flying)))
                self._hand_out(waiting, flying, key, boxed)
                since = self._tell(since)
                for place, result in self._gather(waiting, flying):
                    ended += 1
                    self.reporter.progress(ended / len(items), None, f"{ended} of {len(items)} done by {len(self._seats)} workers")
                    yield place, result
        finally:
            for seat in flying.values():  # stopped, or whoever asked wants no more
                self._dismiss(seat)

    def finish(self, runner: Runner, *, together: int) -> Outcome:
        """Drive a run to its end on so many workers."""
        self.close()  # they need the CPUs
        # Ray Train takes seconds to import, and most runs don't need it.
        outcome: Outcome = resolve("tacit.search.cluster.together:finish_together")(
            runner, workers=min(together, self.count), cpus=self.cpus
        )
        return outcome

    def close(self) -> None:
        """Send the workers away."""
        for seat in list(self._seats):
            self._dismiss(seat)
        self._shared = None

    def _share(self, work: Callable[[Any], Any]) -> tuple[int, list[Any]]:
        """Put the work into the object store, once for all the batches that ask for the same."""
        if self._shared is None or self._shared[0] is not work:
            key = 0 if self._shared is None else self._shared[2] + 1
            self._shared = (work, ray.put(work), key)
        return self._shared[2], [self._shared[1]]

    def _fill(self, wanted: int) -> None:
        """Begin workers in place of those that died; where a node has gone they wait until there is room."""
        while len(self._seats) < wanted:
            options = {"num_cpus": self.cpus, "max_restarts": 0, "max_task_retries": 0, "scheduling_strategy": "SPREAD"}
            actor = ray.remote(Seat).options(**options).remote(self.cpus)
            self._seats.append(_Held(actor, actor.node.remote()))

    def _hand_out(self, waiting: deque[_Piece], flying: dict[Any, _Held], key: int, boxed: list[Any]) -> None:
        nodes = {seat.node for seat in self._seats if seat.node is not None}
        for seat in self._seats:
            if seat.node is None or seat.piece is not None or not waiting:
                continue
            piece = next((piece for piece in waiting if seat.node not in piece.avoid or nodes <= piece.avoid), None)
            if piece is not None:
                waiting.remove(piece)
                piece.tries += 1
                seat.piece = piece
                flying[seat.actor.do.remote(key, boxed, piece.item)] = seat

    def _gather(self, waiting: deque[_Piece], flying: dict[Any, _Held]) -> Iterator[tuple[int, Any]]:
        """Wait for what comes next: a result, a worker that has begun, or a death."""
        starting = {seat.begun: seat for seat in self._seats if seat.node is None}
        ready, _ = ray.wait([*flying, *starting], num_returns=1, timeout=_LOOK)
        if ready:  # others may be ready, too
            ready, _ = ray.wait([*flying, *starting], num_returns=len(flying) + len(starting), timeout=0)
        for ref in ready:
            if ref in starting:
                self._begun(starting[ref], ref)
                continue
            seat = flying.pop(ref)
            piece, seat.piece = seat.piece, None
            if piece is None:
                continue
            try:
                yield piece.place, ray.get(ref)
            except ray.exceptions.RayTaskError as error:
                raise (error.cause or error) from error
            except ray.exceptions.RayError as error:
                self._dismiss(seat)
                failure = self._lost(piece, seat, error)
                if failure is None:
                    waiting.append(piece)  # behind the others: it may well take the next worker down, too
                else:
                    yield piece.place, failure

    def _begun(self, seat: _Held, ref: Any) -> None:
        try:
            seat.node = ray.get(ref)
        except ray.exceptions.RayActorError as error:
            self._dismiss(seat)
            if "creation task" in str(error):  # it will fail everywhere
                raise

    def _lost(self, piece: _Piece, seat: _Held, error: Exception) -> Failure | None:
        """Say whether a piece whose worker died has to be given up."""
        text = " ".join(str(error).split())
        memory = isinstance(error, ray.exceptions.OutOfMemoryError) or "running low on memory" in text or "memory pressure" in text
        if seat.node is not None:
            piece.avoid.add(seat.node)
        what = "ran out of memory" if memory else "ended"
        if piece.tries < (MEMORY_TRIES if memory else TRIES):
            self.reporter.note(f"a worker {what}; what it was at is tried again")
            return None
        hint = "" if memory else " (the system ends processes that take too much memory)"
        return Failure(f"WorkerDied: {piece.tries} workers in turn {what} at this piece{hint}")

    def _tell(self, since: float) -> float:
        """Tell a person who waits for workers, once."""
        if any(seat.node is not None for seat in self._seats):
            return float("inf")
        if time.monotonic() - since > _PATIENCE:
            free = ray.available_resources().get("CPU", 0)
            self.reporter.note(f"no worker has begun yet: each needs {self.cpus} CPU, and {free:g} are free on the cluster")
            return float("inf")
        return since

    def _dismiss(self, seat: _Held) -> None:
        if seat in self._seats:
            self._seats.remove(seat)
        with contextlib.suppress(Exception):
            ray.kill(seat.actor)
