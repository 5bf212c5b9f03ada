"""What runs in a worker on Ray."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ray
import torch

from tacit.search.workers import attempt


class Seat:
    """What runs in a worker: keeps what all pieces of a batch share from one piece to the next."""

    def __init__(self, threads: int) -> None:
        torch.set_num_threads(threads)
        self._key: int | None = None
        self._work: Callable[[Any], Any] | None = None

    def node(self) -> str:
        """Give the node that this worker runs on."""
        return str(ray.get_runtime_context().get_node_id())

    def do(self, key: int, boxed: list[Any], item: Any) -> Any:
        """Give the result of one piece or its `Failure`. boxed: holds the reference of the work, fetched once per key."""
        if key != self._key:
            self._work, self._key = ray.get(boxed[0]), key
        if self._work is None:
            raise TypeError("expected work to do, got None")
        return attempt(self._work, item)
