"""Where words go: one JSON document on stdout with ``--json``, the answer on stdout without, everything else on stderr."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from tacit.ground.errors import TacitError
from tacit.ground.tables import resolve


def say(text: str) -> None:
    """Write a line for the person who watches."""
    print(text.encode("utf-8", "backslashreplace").decode(), file=sys.stderr, flush=True)


def emit(value: Any) -> None:
    """Write the one JSON document of ``--json``; a number that JSON lacks (NaN, infinity) becomes null."""
    print(json.dumps(_plain(value), ensure_ascii=False, allow_nan=False, indent=2))


def _plain(value: Any) -> Any:
    """Turn mappings, sequences and what NumPy has into JSON values; a character that UTF-8 lacks becomes a question mark."""
    if isinstance(value, Mapping):
        return {_plain(str(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def fail(error: TacitError, *, as_json: bool, otherwise: str) -> int:
    """Show an error of a person plainly and give the exit code; `otherwise` is what to try when the error names nothing."""
    if as_json:
        lines = {"message": error.message, "cause": error.cause, "try": error.fix or otherwise}
        emit({"error": {"type": type(error).__name__, **{key: text for key, text in lines.items() if text}}})
    say(f"error: {error}" if error.fix else f"error: {error}\ntry: {otherwise}")
    return error.exit_code


def show_made(report: Any, *, path: Path, card: Path, as_json: bool) -> None:
    """Show the report of a binary that was written, and where it and its model card lie; the path alone is on stdout's last line."""
    if as_json:
        emit({**report.to_json(), "path": str(path), "card": str(card)})
    else:
        show(report.parts())
        say(f"model card: {card}")
        print(path)


def coloured(stream: TextIO) -> bool:
    """Tell whether `stream` is a terminal that may show colours and move its cursor (https://no-color.org)."""
    return stream.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def show(parts: Sequence[Any]) -> None:
    """Write the parts of a report on stdout: with colours on a terminal, as aligned text elsewhere."""
    if coloured(sys.stdout):
        resolve("tacit.cli.screen:draw")(parts)
    else:
        print(resolve("tacit.instruments.layout:plain")(parts).encode("utf-8", "replace").decode())
