"""Measure generated C kernel by kernel on this machine, in a program of its own that includes the generated text.

Thread CPU time, so that other work on the machine does not count; each kernel runs in turns with the others, long enough for the
clock, and its least time is taken, for what disturbs a measurement only ever adds to it. The clock of the core is measured in the
same way, by a chain of additions of one cycle each.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tacit.ground.errors import TacitError
from tacit.targets.c.boundary import entry_of
from tacit.targets.c.emit import MAIN, emit_c
from tacit.targets.c.isa import Isa
from tacit.targets.c.stack import Stack, compile_object
from tacit.targets.c.toolchain import Compiler
from tacit.targets.target import Source

_SECONDS = 120.0
_ROUNDS = 7
_ENOUGH = 300_000  # nanoseconds of one measurement
_PROGRAM = """#define _GNU_SOURCE
#include "@NAME@.c"
#include <stdio.h>
#include <time.h>
@HEAD@
@DECLARED@
static void whole(unsigned char *restrict arena) { (void)arena; @NAME@_run(@GIVEN@); }
/* Run up to a kernel, so that it finds what it reads: buffers that are not live together share memory. */
static void before(int kernel, unsigned char *arena) {
@BEFORE@
}
static void chain(unsigned char *restrict arena) {
  (void)arena;
  unsigned long x = 0, y = 1;
  __asm__ volatile("" : "+r"(y)); /* a constant would be added while renaming registers, several in a cycle */
  for (int i = 0; i < 1000; i++) {
@ADDITIONS@
  }
}
static struct { void (*run)(unsigned char *restrict); int kernel; double best; } rows[] = {
  {chain, 0, 1e300},
  {whole, 0, 1e300},
@ROWS@
};
static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
}
int main(void) {
@ALLOW@  if (!(@READ@)) return 1;
  for (int round = 0; round < @ROUNDS@; round++)
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
      FLUSH_BEGIN
      before(rows[i].kernel, @NAME@_arena);
      rows[i].run(@NAME@_arena);
      int count = 0, step = 1;
      double start = now(), spent;
      do {
        for (int k = 0; k < step; k++) rows[i].run(@NAME@_arena);
        count += step;
        spent = now() - start;
        step = spent * 8 < @ENOUGH@ ? step * 2 : step;
      } while (spent < @ENOUGH@);
      FLUSH_END
      if (spent / count < rows[i].best) rows[i].best = spent / count;
    }
  for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) printf("%.17g\\n", rows[i].best);
  return 0;
}
"""


@dataclass(frozen=True)
class Profile:
    """Seconds of a run and of each kernel of ``main``, and the cycles of a second. stack: None where the compiler does not tell it."""

    clock: float
    run: float
    kernels: tuple[float, ...]
    stack: Stack | None


def profile(source: Source, isa: Isa, compiler: Compiler, arrays: Sequence[np.ndarray]) -> Profile:
    """Compile and measure entry point ``main`` on one example, [*shape] per input. Raises: TacitError when it does not compile or run."""
    generated = emit_c(source, isa)
    kernels = [step.function for step in generated.steps[MAIN]]
    types = [np.int32 if dtype == "int32" else np.float32 for dtype in entry_of(MAIN, source.graphs[MAIN]).dtypes]
    data = b"".join(np.ascontiguousarray(array, kind).tobytes() for array, kind in zip(arrays, types, strict=True))
    with tempfile.TemporaryDirectory(prefix="tacit-profile-") as name:
        folder = Path(name)
        for file, content in generated.files.items():
            (folder / file).write_bytes(content if isinstance(content, bytes) else content.encode())
        text = str(generated.files[f"{source.name}.c"])
        (folder / "profile.c").write_text(_program(source, isa, kernels, text), encoding="utf-8")
        flags = compiler.flags(isa, integer=source.integer)
        stack = compile_object(compiler, flags, name=source.name, folder=folder, output=folder / "object.o", entries=[source.name])
        compiler.compile([*flags, "-o", "profile", "profile.c"], folder=folder)
        try:
            words = [str(folder / "profile")]
            done = subprocess.run(words, input=data, capture_output=True, timeout=_SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise TacitError("could not measure the program", cause=str(error)) from error
    if done.returncode:
        raise TacitError(f"expected the program to run, got the exit status {done.returncode}", fix="report this")
    chain, run, *each = (1e-9 * float(line) for line in done.stdout.split())
    return Profile(1000 * 64 / chain, run, tuple(each), stack)


def _before(name: str, kernels: Sequence[str], text: str) -> str:
    """Give the body of the run as generated, with a way out before each kernel."""
    body = text[text.index(f"\nvoid {name}_run_in(") :]
    lines = body[body.index("FLUSH_BEGIN") : body.index("FLUSH_END")].splitlines()[1:]
    for number, kernel in enumerate(kernels):
        place = next(at for at, line in enumerate(lines) if line.strip().startswith(f"{kernel}("))
        lines.insert(place, f"  if (kernel == {number}) return;")
    return "\n".join(lines)


def _program(source: Source, isa: Isa, kernels: Sequence[str], text: str) -> str:
    entry = entry_of(MAIN, source.graphs[MAIN])
    kinds = ["int32_t" if dtype == "int32" else "float" for dtype in entry.dtypes]
    upper, inputs, outputs = source.name.upper(), range(len(kinds)), range(len(entry.outputs))
    declared = [f"static {kind} input_{n}[{upper}_INPUT_{n}_SIZE];" for n, kind in enumerate(kinds)]
    declared += [f"static float output_{n}[{upper}_OUTPUT_{n}_SIZE];" for n in outputs]
    parts = {
        "HEAD": "#include <sys/syscall.h>\n#include <unistd.h>" if isa.tiles else "",
        "ALLOW": "  syscall(SYS_arch_prctl, 0x1023, 18);\n" if isa.tiles else "",
        "DECLARED": "\n".join(declared),
        "GIVEN": ", ".join([*(f"input_{n}" for n in inputs), *(f"output_{n}" for n in outputs)]),
        "ADDITIONS": "\n".join('    x += y; __asm__ volatile("" : "+r"(x));' for _ in range(64)),
        "BEFORE": _before(source.name, kernels, text),
        "ROWS": "\n".join(f"  {{{kernel}, {number}, 1e300}}," for number, kernel in enumerate(kernels)),
        "READ": " && ".join(f"fread(input_{n}, sizeof input_{n}, 1, stdin) == 1" for n in inputs),
        "ROUNDS": str(_ROUNDS),
        "ENOUGH": str(_ENOUGH),
        "NAME": source.name,
    }
    program = _PROGRAM
    for mark, part in parts.items():
        program = program.replace(f"@{mark}@", part)
    return program
