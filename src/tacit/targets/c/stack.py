"""How much stack a program takes, as the compiler states it for every function: nothing in generated C recurses or grows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tacit.targets.c.toolchain import Compiler


@dataclass(frozen=True)
class Stack:
    """function: the one that takes most, with `greatest` bytes. call: bytes of a whole call from outside. bounded: none can take more."""

    function: str
    greatest: int
    call: int
    bounded: bool

    def to_json(self) -> dict[str, int | str | bool]:
        """Give JSON values."""
        return {"function": self.function, "greatest": self.greatest, "call": self.call, "bounded": self.bounded}


def compile_object(
    compiler: Compiler, flags: Sequence[str], *, name: str, folder: Path, output: Path, entries: Sequence[str]
) -> Stack | None:
    """Compile ``NAME.c`` of `folder` without a library and give its stack; None from a compiler that does not tell it.

    entries: C names of the entry points, without ``_run``. Raises: TacitError with what the compiler said.
    """
    usage = output.with_suffix(".su").resolve()
    # zig moves what it compiles out of its cache and leaves the report there, unless the report has a path of its own.
    asked = ["-Xclang", "-stack-usage-file", "-Xclang", str(usage)] if compiler.zig else ["-fstack-usage"]
    compiler.compile([*flags, *asked, "-ffreestanding", "-c", "-o", output.resolve(), f"{name}.c"], folder=folder)
    return stack_of(usage.read_text(encoding="utf-8"), entries) if usage.is_file() else None


def stack_of(report: str, entries: Sequence[str]) -> Stack | None:
    """Read the report of a compiler: ``file:line[:column]:function``, bytes and whether they are bounded, between tabs.

    A call from outside goes through ``X_run`` and ``X_run_in`` to one of the other functions, which call none that stands in the text.

    >>> stack_of("a.c:9:6:a_run_in\\t48\\tstatic\\na.c:2:13:a_0\\t104\\tstatic\\na.c:12:6:a_run\\t8\\tstatic\\n", ["a"])
    Stack(function='a_0', greatest=104, call=160, bounded=True)
    """
    taken: dict[str, int] = {}
    bounded = True
    for line in report.splitlines():
        place, _, rest = line.partition("\t")
        count, _, kind = rest.partition("\t")
        taken[place.rpartition(":")[2]] = int(count)
        bounded = bounded and kind.strip() in ("static", "dynamic,bounded")
    if not taken:
        return None
    outside = {f"{entry}{end}" for entry in entries for end in ("_run", "_run_in")}
    inner = max((count for function, count in taken.items() if function not in outside), default=0)
    call = inner + max(taken.get(f"{entry}_run", 0) + taken.get(f"{entry}_run_in", 0) for entry in entries)
    function = max(taken, key=lambda name: taken[name])
    return Stack(function, taken[function], call, bounded)
