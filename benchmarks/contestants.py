"""What takes turns in a benchmark of speed: contestants, and how they are timed.

A contestant runs its network `count` times without anything of ours in between that costs: a loop in C for compiled code, the
shortest loop of Python over one bound call for a runtime with a Python interface. Times are CPU seconds of the thread, so that
what else runs on the machine disturbs little; contestants take turns within one process, forwards and backwards (A B C C B A), and
what counts is the median over the rounds of the ratio *within* a round, for the machine's speed itself drifts.
"""

from __future__ import annotations

import ctypes
import gc
import math
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

ROUNDS = 21
BATCH_SECONDS = 0.012
WARM = 0.1  # of a batch, unmeasured, before each: the others have emptied the caches


@dataclass(frozen=True, eq=False)
class Contestant:
    """Something that runs a network. inputs: arrays that it reads in place. outputs: arrays that a run writes.

    run: takes how many times. keep: what has to stay alive as long as it.
    """

    name: str
    run: Callable[[int], None]
    inputs: tuple[np.ndarray, ...]
    outputs: tuple[np.ndarray, ...]
    keep: Any = field(default=None, repr=False)

    def answer(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Run once on these inputs (flat order is what counts) and give the outputs."""
        for place, array in zip(self.inputs, inputs, strict=True):
            place[...] = array.reshape(place.shape)
        self.run(1)
        return [output.copy() for output in self.outputs]


def thread_seconds(contestant: Contestant, count: int) -> float:
    """Give the CPU seconds of one call, over `count` calls."""
    begun = time.thread_time_ns()
    contestant.run(count)
    return (time.thread_time_ns() - begun) / 1e9 / count


def batch_of(contestant: Contestant, seconds: float = BATCH_SECONDS) -> int:
    """Give how many calls take about so long."""
    count = 1
    while True:
        begun = time.thread_time_ns()
        contestant.run(count)
        spent = (time.thread_time_ns() - begun) / 1e9
        if spent > seconds / 4 or count > 1 << 24:
            return max(3, math.ceil(count * seconds / max(spent, 1e-9)))
        count *= 4


Times = dict[str, list[float]]


def take_turns(contestants: Sequence[Contestant], *, rounds: int = ROUNDS, seconds: float = BATCH_SECONDS) -> Times:
    """Time contestants in turns; give the seconds of a call, per name, one value per round."""
    counts = {contestant.name: batch_of(contestant, seconds) for contestant in contestants}
    times: Times = {contestant.name: [] for contestant in contestants}
    enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        for turn in range(rounds):
            for contestant in contestants if turn % 2 == 0 else reversed(contestants):
                contestant.run(max(1, round(counts[contestant.name] * WARM)))
                times[contestant.name].append(thread_seconds(contestant, counts[contestant.name]))
    finally:
        if enabled:
            gc.enable()
    return times


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """Give lower quartile, median, upper quartile.

    >>> quartiles([1.0, 2.0, 3.0, 4.0, 5.0])
    (2.0, 3.0, 4.0)
    """
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def ratio(times: Times, slower: str, faster: str) -> tuple[float, float, float]:
    """Give the quartiles of the paired ratios time(slower) / time(faster).

    >>> ratio({"a": [2.0, 4.0], "b": [1.0, 2.0]}, "a", "b")
    (2.0, 2.0, 2.0)
    """
    return quartiles([a / b for a, b in zip(times[slower], times[faster], strict=True)])


def geometric_mean(values: Sequence[float]) -> float | None:
    """Give the geometric mean, None of nothing.

    >>> geometric_mean([1.0, 4.0])
    2.0
    """
    return math.exp(statistics.fmean(math.log(value) for value in values)) if values else None


# --- compiled code ---------------------------------------------------------------------------------------------------


def compiled(
    name: str,
    *,
    folder: Path,
    command: Sequence[str],
    sources: Sequence[str],
    include: str,
    call: str,
    inputs: Sequence[tuple[int, str]],
    outputs: Sequence[int],
) -> Contestant:
    """Compile C sources with a loop in a file of its own (so that no run is merged with the next) and open it.

    command: compiler and flags. include: the head of the loop's file. call: how one run is written, over ``i0``, ``i1`` ... and
    ``o0`` ... inputs: size and C type of each; outputs: sizes, float.
    """
    parameters = [f"{kind} *i{place}" for place, (_, kind) in enumerate(inputs)] + [f"float *o{place}" for place in range(len(outputs))]
    loop = f"{include}\nvoid contestant_loop(long count, {', '.join(parameters)}) {{ while (count-- > 0) {{ {call}; }} }}\n"
    (folder / "contestant_loop.c").write_text(loop)
    library = folder / "contestant.so"
    done = subprocess.run(
        [*command, "-fPIC", "-shared", "-o", library.name, *sources, "contestant_loop.c"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"expected {name} to compile\n{done.stderr[:3000]}")
    opened = ctypes.CDLL(str(library.resolve()))
    given = tuple(aligned(size, np.dtype(np.int32 if "int32" in kind else np.float32)) for size, kind in inputs)
    made = tuple(aligned(size, np.dtype(np.float32)) for size in outputs)
    pointers = [ctypes.c_void_p(array.ctypes.data) for array in (*given, *made)]
    function = opened.contestant_loop
    function.argtypes, function.restype = [ctypes.c_long, *([ctypes.c_void_p] * len(pointers))], None
    return Contestant(name, lambda count: function(count, *pointers), given, made, keep=opened)


def aligned(size: int, dtype: np.dtype[Any], boundary: int = 64) -> np.ndarray:
    """Give zeros at an address that is a multiple of `boundary`, for whoever gets the luckier address is faster."""
    raw = np.zeros(size * dtype.itemsize + boundary, np.uint8)
    begin = -raw.ctypes.data % boundary
    return raw[begin : begin + size * dtype.itemsize].view(dtype)


_PROBE = """
typedef float lanes __attribute__((vector_size(64)));
#define EACH(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11) DO(12) DO(13) DO(14) DO(15)
#define BEGIN(N) lanes sum##N = one * (float)N;
#define STEP(N) sum##N = sum##N * one + other;
#define ADD(N) all += sum##N;
void probe_run(const float *given, float *result) {
  lanes all = {0}, one = all + given[0], other = all + given[1];
  EACH(BEGIN)
  for (int turn = 0; turn < 4096; turn++) { EACH(STEP) }
  EACH(ADD)
  for (int i = 0; i < 16; i++) result[i] = all[i];
}
"""
PROBE_FLOP = 4096 * 16 * 16 * 2


def peak_probe(folder: Path, command: Sequence[str]) -> Contestant:
    """Give a contestant that only multiplies and adds in registers: `PROBE_FLOP` a run, the peak of this core at this moment."""
    (folder / "probe.c").write_text(_PROBE)
    contestant = compiled(
        "peak", folder=folder, command=command, sources=["probe.c"], include="void probe_run(const float *, float *);",
        call="probe_run(i0, o0)", inputs=[(2, "const float")], outputs=[16],
    )  # fmt: skip
    contestant.inputs[0][:] = (0.999, 0.001)
    return contestant


def relative_error(found: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> float:
    """Give the greatest ``max|a - b| / max|b|`` of the outputs."""
    pairs = zip(found, expected, strict=True)
    return max(float(np.abs(a.ravel() - b.ravel()).max() / max(float(np.abs(b).max()), 1e-30)) for a, b in pairs)


def microseconds(times: Mapping[str, Sequence[float]], name: str) -> float:
    """Give the median time of a call."""
    return 1e6 * statistics.median(times[name])
