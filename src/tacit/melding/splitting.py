"""Take a meld apart again: every part as a binary that works alone."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

from tacit.binary.binary import Binary
from tacit.binary.loading import load
from tacit.evidence import costs_of
from tacit.ground.errors import InputError, UnknownName


def split(binary: Binary | str | PathLike[str]) -> dict[str, Binary]:
    """Give the parts of a melded binary by name, each with its own scores as they were measured after the meld.

    Raises: InputError for a binary that was not melded.
    """
    whole = binary if isinstance(binary, Binary) else load(binary)
    melded = whole.evidence.get("meld")
    if not isinstance(melded, dict) or not whole.signatures:
        where = f" - at `{Path(binary)}`" if not isinstance(binary, Binary) else ""
        raise InputError(
            f"expected a melded program, got one that was not{where}", fix="tacit meld A.tacit B.tacit --in DIR -o FILE makes one"
        )
    try:
        return {part["name"]: _part(whole, part) for part in melded["parts"]}
    except (KeyError, TypeError, UnknownName) as error:
        raise InputError("expected the evidence of a meld to name its entry points", cause=str(error)[:200]) from error


def _part(whole: Binary, part: dict[str, Any]) -> Binary:
    """Give one part. Its evidence says which meld it comes out of, and what it was before."""
    alone = whole.alone(part["name"])
    evidence = {
        "name": part["name"],
        "scores": part.get("scores") or {},
        "goals": [],
        "costs": costs_of(alone.graphs["main"]),
        "split": {"from": whole.digest, "before": part["digest"], "own": part.get("own")},
        "versions": whole.evidence.get("versions") or {},
    }
    return Binary(alone.graphs, alone.signature, evidence=evidence)
