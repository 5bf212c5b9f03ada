"""Measure kernels instead of estimating them: several schedules of each instruction, compiled together, timed on this machine.

One program runs every alternative in turns, a few rounds, each long enough for the clock; the least time of each is taken, for what
disturbs a measurement only ever adds to it.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tacit.ground.errors import TacitError
from tacit.ground.progress import Reporter
from tacit.targets.c.floats import FloatKernel
from tacit.targets.c.integers import IntegerKernel
from tacit.targets.c.isa import Isa
from tacit.targets.c.preamble import weights_declaration
from tacit.targets.c.schedule import Schedule
from tacit.targets.c.toolchain import Compiler
from tacit.targets.c.weights import Blob

_ROUNDS = 5
_ENOUGH = 100_000  # nanoseconds of one measurement
_SLOWER = 1.6  # times the least estimate that is still worth a measurement
_MOST = 6  # alternatives of one instruction
_TIMEOUT = 120.0  # seconds

Kernel = FloatKernel | IntegerKernel


@dataclass(frozen=True)
class Tuner:
    """What measures: a compiler for this machine, and whom to tell."""

    compiler: Compiler
    isa: Isa
    integer: bool
    reporter: Reporter

    def choose(
        self, alternatives: Sequence[Sequence[Kernel]], pointers: Mapping[str, str], arena_bytes: int, preamble: str
    ) -> list[Kernel]:
        """Give the fastest of the alternatives of each instruction. Raises: TacitError when they don't compile or run."""
        self.reporter.note(f"measuring {sum(map(len, alternatives))} kernels of {len(alternatives)} instructions")
        times = self._times(alternatives, pointers, arena_bytes, preamble)
        chosen = []
        for number, kernels in enumerate(alternatives):
            found = [times[number, which] for which in range(len(kernels))]
            chosen.append(kernels[found.index(min(found))])
        return chosen

    def _times(
        self, alternatives: Sequence[Sequence[Kernel]], pointers: Mapping[str, str], arena_bytes: int, preamble: str
    ) -> dict[tuple[int, int], float]:
        blob = Blob()
        kernels = []
        for number, which, kernel in _numbered(alternatives):
            body = "\n".join(f"  {line}" for line in kernel.lines(blob, pointers))
            kernels.append(f"KERNEL void kernel_{number}_{which}(unsigned char *restrict arena) {{\n{body}\n}}\n")
        with tempfile.TemporaryDirectory(prefix="tacit-tune-") as name:
            folder = Path(name)
            (folder / "tune_weights.bin").write_bytes(blob.to_bytes() or bytes(64))
            text = [preamble, weights_declaration("tune", blob.size), *kernels, _main(alternatives, arena_bytes, tiles=self.isa.tiles)]
            (folder / "tune.c").write_text("".join(text), encoding="utf-8")
            self.compiler.compile([*self.compiler.flags(self.isa, integer=self.integer), "-o", "tune", "tune.c"], folder=folder)
            done = subprocess.run([str(folder / "tune")], capture_output=True, text=True, timeout=_TIMEOUT, check=False)
        if done.returncode:
            raise TacitError(
                f"expected the kernels to run, got the exit status {done.returncode}", fix="build without --tune, and report this"
            )
        rows = [line.split() for line in done.stdout.splitlines()]
        return {(int(number), int(which)): float(time) for number, which, time in rows}


def alternatives_of(kernel: Kernel, schedules: Sequence[Schedule]) -> list[Kernel]:
    """Give a kernel with each of several schedules, the estimated one first."""
    least = kernel.schedule
    near = sorted((other for other in schedules if other.cycles <= least.cycles * _SLOWER), key=lambda other: other.cycles)
    found, seen = [kernel], {_shape(least)}
    for other in near:
        if _shape(other) not in seen and len(found) < _MOST:
            seen.add(_shape(other))
            found.append(kernel.with_schedule(other))
    return found


def _shape(schedule: Schedule) -> tuple[object, ...]:
    first = schedule.columns[0]
    return schedule.vector, first.vectors, first.lanes, tuple((place, parts[0].width) for place, parts in schedule.tiles.items())


def _numbered(alternatives: Sequence[Sequence[Kernel]]) -> Iterator[tuple[int, int, Kernel]]:
    for number, kernels in enumerate(alternatives):
        for which, kernel in enumerate(kernels):
            yield number, which, kernel


def _main(alternatives: Sequence[Sequence[Kernel]], arena_bytes: int, *, tiles: bool) -> str:
    names = [(number, which) for number, which, _ in _numbered(alternatives)]
    rows = "\n".join(f"  {{kernel_{number}_{which}, {number}, {which}, 1e300}}," for number, which in names)
    allow = "  syscall(SYS_arch_prctl, 0x1023, 18);\n" if tiles else ""
    head = "#include <sys/syscall.h>\n#include <unistd.h>\n" if tiles else ""
    return f"""
#include <stdio.h>
#include <time.h>
{head}
static struct {{ void (*run)(unsigned char *restrict); int number, which; double best; }} rows[] = {{
{rows}
}};
static unsigned char arena[{arena_bytes}] __attribute__((aligned(64)));
static double now(void) {{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
}}
int main(void) {{
{allow}  for (int round = 0; round < {_ROUNDS}; round++)
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {{
      rows[i].run(arena);
      int count = 0;
      double start = now(), spent;
      do {{ rows[i].run(arena); count++; spent = now() - start; }} while (spent < {_ENOUGH});
      if (spent / count < rows[i].best) rows[i].best = spent / count;
    }}
  for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) printf("%d %d %.1f\\n", rows[i].number, rows[i].which, rows[i].best);
  return 0;
}}
"""
