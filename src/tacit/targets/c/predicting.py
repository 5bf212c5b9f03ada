"""How long a program will take as C, before there is one: the estimate of cycles by which the generator chooses its loops, and a clock."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from tacit.ir.graph import Graph
from tacit.signature.signature import Signature
from tacit.targets.c.emit import MAIN, emit_c
from tacit.targets.c.machine import native_isa
from tacit.targets.target import Source

#: Cycles per second where the machine doesn't tell them.
USUAL_CLOCK = 2.5e9


def predicted_cycles(graph: Graph, signature: Signature) -> float:
    """Give the cycles that one run is estimated to take on this machine's instruction set. Raises: TacitError when C can't be written."""
    generated = emit_c(Source("predicted", {MAIN: graph}, signature, ""), native_isa())
    return float(sum(step.cycles for step in generated.steps[MAIN]))


@cache
def nominal_clock() -> float:
    """Give the cycles per second that this machine states for its processor: the name's, else the kernel's highest, else the usual one.

    What it runs at in this moment would differ from one run to the next.
    """
    text = _read("/proc/cpuinfo")
    named = re.search(r"^model name\s*:.*@\s*([0-9.]+)\s*GHz", text, re.MULTILINE)
    if named:
        return float(named[1]) * 1e9
    most = _read("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq").strip()
    return float(most) * 1e3 if most.isdigit() else USUAL_CLOCK


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
