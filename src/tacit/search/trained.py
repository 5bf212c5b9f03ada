"""What a finished run leaves beside the binary: the weights in the form in which they are trained, and what was learnt about each example.

A binary holds the lowered program (batch norms folded, shapes fixed), from which training can't go on. So ``compile`` keeps
``.tacit/trained/<digest of the binary>.safetensors`` in the program directory: a cache for a warm start, for lint and for blame. It can
be deleted at any time; a recompile writes it again.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from tacit.ground.errors import FormatError
from tacit.search.checkpoint import load_checkpoint, load_values, save_checkpoint, tensors_under

TRAINED = ".tacit/trained"
KEPT = 5  # runs that are kept: enough to compare and to go back


@dataclass(frozen=True, eq=False)
class Trained:
    """One finished run.

    digest: of the binary that came out of it. network: the state of the module, by name. examples: columns over the examples that were
    learnt from, tensor[example, ...] each, such as their averaged scores, and their ``targets``. values: JSON values; ``ids`` (of those
    examples, in order), ``held`` (ids of the validation examples that it was measured on), ``skeleton``, ``settings``, ``recipe``,
    ``seed``, ``labels`` (their digest), ``commit``, ``signature``, ``augmented``, ``steps`` (of the run from scratch), ``also_seen``
    (ids that only the runs before a warm start had learnt from).
    """

    digest: str
    network: Mapping[str, Tensor]
    examples: Mapping[str, Tensor] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)


def trained_path(directory: Path, digest: str) -> Path:
    """Give where the run that made the binary with this digest is kept."""
    return directory / TRAINED / f"{digest[:24]}.safetensors"


def save_trained(directory: Path, trained: Trained, *, origin: str | None = None) -> Path:
    """Write a run below a program directory, forget all but the newest, and give the path. Raises: TacitError when the disk is full.

    origin: digest of a kept run that this one came from. It counts as the newest but this one, or growing it again and again would push
    it out; clocks of file systems are too coarse to tell the two by touching it.
    """
    path = trained_path(directory, trained.digest)
    tensors = {f"network.{name}": tensor for name, tensor in trained.network.items()}
    tensors |= {f"examples.{name}": tensor for name, tensor in trained.examples.items()}
    save_checkpoint(path, tensors, {"digest": trained.digest, **trained.values})
    if origin is not None:
        before = path.stat().st_mtime_ns - 1
        with contextlib.suppress(FileNotFoundError):
            os.utime(trained_path(directory, origin), ns=(before, before))
    for other in _newest_first(directory)[KEPT:]:
        with contextlib.suppress(OSError):
            other.unlink()
    return path


def load_trained(directory: Path, digest: str) -> Trained | None:
    """Give the run that made the binary with this digest, or None when it is not kept. Raises: FormatError when it is damaged."""
    path = trained_path(directory, digest)
    return _read(path) if path.is_file() else None


def latest_trained(directory: Path) -> Trained | None:
    """Give the newest run that is kept, or None. Raises: FormatError when it is damaged."""
    paths = _newest_first(directory)
    return _read(paths[0]) if paths else None


def kept_digests(directory: Path) -> list[str]:
    """Give the digests of the runs that are kept, their first 24 digits each, the newest first."""
    return [path.stem for path in _newest_first(directory)]


def latest_values(directory: Path) -> Mapping[str, Any] | None:
    """Give the JSON values of the newest run that is kept, without its tensors; None when there is none that can be read."""
    for path in _newest_first(directory)[:1]:
        with contextlib.suppress(FormatError):
            return load_values(path)
    return None


def _read(path: Path) -> Trained:
    tensors, values = load_checkpoint(path)
    digest = values.pop("digest")
    return Trained(digest, tensors_under("network.", tensors), tensors_under("examples.", tensors), values)


def _newest_first(directory: Path) -> list[Path]:
    return sorted((directory / TRAINED).glob("*.safetensors"), key=lambda path: (path.stat().st_mtime_ns, path.name), reverse=True)
