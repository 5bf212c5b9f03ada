"""Time programs in C against one another: in one process, in turns, so that what disturbs one disturbs all.

CPU time of one thread for one example (batch 1). A round runs every program for about half a millisecond; the times are medians over
the rounds, and a ratio is the median of the rounds' ratios.
"""

from __future__ import annotations

import statistics
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np

from tacit.ground.errors import TacitError
from tacit.targets.c.boundary import entry_of
from tacit.targets.c.emit import MAIN, emit_c
from tacit.targets.c.machine import native_isa
from tacit.targets.c.toolchain import Compiler, need_compiler
from tacit.targets.target import Source

ROUNDS = 41
_SECONDS = 300.0
_ROUND = 500_000  # nanoseconds of one program in a round
_PROGRAM = """#define _GNU_SOURCE
@INCLUDES@
#include <stdio.h>
#include <time.h>
@HEAD@
@DECLARED@
@RUNS@
static void (*const runs[])(void) = {@NAMES@};
enum { COUNT = sizeof runs / sizeof *runs };
static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
}
int main(void) {
@ALLOW@  if (!(@READ@)) return 1;
  long times[COUNT];
  for (int i = 0; i < COUNT; i++) {
    times[i] = 1;
    for (double spent = 0; spent < @ROUND@; times[i] *= 2) {
      double start = now();
      for (long k = 0; k < times[i]; k++) runs[i]();
      spent = now() - start;
    }
    times[i] /= 2;
  }
  for (int round = 0; round < @ROUNDS@; round++)
    for (int place = 0; place < COUNT; place++) {
      int i = round % 2 ? COUNT - 1 - place : place;
      double start = now();
      for (long k = 0; k < times[i]; k++) runs[i]();
      printf("%d %.17g\\n", i, (now() - start) / (double)times[i]);
    }
  return 0;
}
"""


@dataclass(frozen=True, eq=False)
class Timed:
    """Seconds per round of several programs, float64[program, round]."""

    rounds: np.ndarray

    @property
    def medians(self) -> tuple[float, ...]:
        """Seconds of one run of each program."""
        return tuple(float(statistics.median(row)) for row in self.rounds.tolist())

    def ratio(self, first: int, second: int) -> float:
        """Tell how many times as long the first program takes."""
        return float(np.median(self.rounds[first] / self.rounds[second]))


class Track:
    """Where programs are compiled and timed; a program is compiled once. Raises: MissingPackage without a C compiler."""

    def __init__(self) -> None:
        self.isa = native_isa()
        self.compiler: Compiler = need_compiler()
        self._folder = tempfile.TemporaryDirectory(prefix="tacit-race-", ignore_cleanup_errors=True)
        self._names: dict[int, tuple[Source, str]] = {}

    def __enter__(self) -> Track:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._folder.cleanup()

    def race(self, sources: Sequence[Source], arrays: Sequence[np.ndarray], *, rounds: int = ROUNDS) -> Timed:
        """Time entry point ``main`` of programs with the same inputs on one example, [*shape] per input. Raises: TacitError."""
        folder = Path(self._folder.name)
        names = [self._compiled(source, folder) for source in sources]
        entry = entry_of(MAIN, sources[0].graphs[MAIN])
        types = [np.int32 if dtype == "int32" else np.float32 for dtype in entry.dtypes]
        data = b"".join(np.ascontiguousarray(array, kind).tobytes() for array, kind in zip(arrays, types, strict=True))
        program = f"race{len(list(folder.glob('race*.c')))}"
        (folder / f"{program}.c").write_text(_filled(self._parts(names, sources[0], rounds)), encoding="utf-8")
        unique = [f"{name}.o" for name in dict.fromkeys(names)]
        flags = self.compiler.flags(self.isa, integer=any(source.integer for source in sources))
        self.compiler.compile([*flags, "-o", program, f"{program}.c", *unique], folder=folder)
        try:
            done = subprocess.run([str(folder / program)], input=data, capture_output=True, timeout=_SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise TacitError("could not time the programs", cause=str(error)) from error
        if done.returncode:
            raise TacitError(f"expected the programs to run, got the exit status {done.returncode}", fix="report this")
        found: list[list[float]] = [[] for _ in sources]
        for line in done.stdout.decode().splitlines():
            place, nanoseconds = line.split()
            found[int(place)].append(1e-9 * float(nanoseconds))
        return Timed(np.array(found))

    def _compiled(self, source: Source, folder: Path) -> str:
        """Compile a program under a name of its own, and give that."""
        known = self._names.get(id(source))
        if known is not None:
            return known[1]
        name = f"p{len(self._names)}"
        named = Source(name, source.graphs, source.signature, source.digest)
        for file, content in emit_c(named, self.isa).files.items():
            (folder / file).write_bytes(content if isinstance(content, bytes) else content.encode())
        self.compiler.compile([*self.compiler.flags(self.isa, integer=source.integer), "-c", "-o", f"{name}.o", f"{name}.c"], folder=folder)
        self._names[id(source)] = (source, name)
        return name

    def _parts(self, names: Sequence[str], source: Source, rounds: int) -> Mapping[str, str]:
        entry = entry_of(MAIN, source.graphs[MAIN])
        kinds = ["int32_t" if dtype == "int32" else "float" for dtype in entry.dtypes]
        first, inputs, outputs = names[0].upper(), range(len(kinds)), range(len(entry.outputs))
        declared = [f"static {kind} input_{n}[{first}_INPUT_{n}_SIZE];" for n, kind in enumerate(kinds)]
        declared += [f"static float output_{n}[{first}_OUTPUT_{n}_SIZE];" for n in outputs]
        given = ", ".join([*(f"input_{n}" for n in inputs), *(f"output_{n}" for n in outputs)])
        return {
            "INCLUDES": "\n".join(f'#include "{name}.h"' for name in dict.fromkeys(names)),
            "HEAD": "#include <sys/syscall.h>\n#include <unistd.h>" if self.isa.tiles else "",
            "ALLOW": "  syscall(SYS_arch_prctl, 0x1023, 18);\n" if self.isa.tiles else "",
            "DECLARED": "\n".join(declared),
            "RUNS": "\n".join(f"static void run_{n}(void) {{ {name}_run({given}); }}" for n, name in enumerate(names)),
            "NAMES": ", ".join(f"run_{n}" for n in range(len(names))),
            "READ": " && ".join(f"fread(input_{n}, sizeof input_{n}, 1, stdin) == 1" for n in inputs),
            "ROUND": str(_ROUND),
            "ROUNDS": str(rounds),
        }


def _filled(parts: Mapping[str, str]) -> str:
    program = _PROGRAM
    for mark, part in parts.items():
        program = program.replace(f"@{mark}@", part)
    return program
