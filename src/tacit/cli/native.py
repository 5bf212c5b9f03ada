"""Machine code or the interpreter: what a command runs a binary by."""

from __future__ import annotations

from typing import Any

from tacit.cli.output import say
from tacit.ground.tables import resolve

#: Below so many multiply-accumulates (some 0.1 s) the interpreter is done before the generator of C is imported.
WORTH_A_LOOK = 1_000_000_000


def serve(binary: Any, *, native: bool | None, examples: int) -> None:
    """Let machine code serve a binary if that was asked for (True), or if it takes less time in all (None); say when it can't."""
    if native is False or (native is None and examples * binary.entry("main").macs < WORTH_A_LOOK):
        return
    made = resolve("tacit.binary.native:accelerate")(binary, examples=None if native else examples)
    if made.path is None and made.wanted:
        say("the interpreter serves, not machine code: " + made.reason.replace("\n", "\n  "))
