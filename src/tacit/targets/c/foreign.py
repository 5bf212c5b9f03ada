"""Running C for another machine here: a small program around it, and qemu's emulator of one process."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tacit.ground.errors import TacitError
from tacit.targets.c.boundary import entry_of
from tacit.targets.c.isa import Isa
from tacit.targets.c.machine import runs_here
from tacit.targets.c.toolchain import SECONDS, Compiler, Machine
from tacit.targets.target import Source

RUNNER = "runner.c"
_HEAD = """/* Read examples from stdin, write the outputs to stdout. Generated. */
#include "@NAME@.h"
@SYSTEM@
@DECLARED@

static void run(void)
{
    while (@READ@) {
        @NAME@_run(@GIVEN@);
        @WRITTEN@
    }
}
"""
_HOSTED = """#include <stdio.h>
#define GET(to) (fread((to), sizeof (to), 1, stdin) == 1)
#define PUT(from) fwrite((from), sizeof (from), 1, stdout)
"""
_MAIN = """
int main(void)
{
    setvbuf(stdout, 0, _IOFBF, 1 << 16); /* else a libc may look for line ends in what is written, and so take a time of its own */
    run();
    return 0;
}
"""
#: Without an operating system there is no libc; the emulator of one process still answers what Linux does (3 read, 4 write, 1 exit).
_THUMB = """static long call(long number, long a, long b, long c)
{
    register long r0 __asm__("r0") = a;
    register long r1 __asm__("r1") = b;
    register long r2 __asm__("r2") = c;
    __asm__ volatile("push {r7}\\n mov r7, %1\\n svc 0\\n pop {r7}" : "+r"(r0) : "r"(number), "r"(r1), "r"(r2) : "memory");
    return r0;
}

static int get(void *to, long size)
{
    for (long done = 0; done < size;) {
        long got = call(3, 0, (long)to + done, size - done);
        if (got <= 0)
            return 0;
        done += got;
    }
    return 1;
}

static void put(const void *from, long size)
{
    for (long done = 0; done < size;) {
        long given = call(4, 1, (long)from + done, size - done);
        if (given <= 0)
            call(1, 1, 0, 0);
        done += given;
    }
}
#define GET(to) get((to), sizeof (to))
#define PUT(from) put((from), sizeof (from))
"""
_START = """
void __aeabi_unwind_cpp_pr0(void);
void __aeabi_unwind_cpp_pr0(void) {}
void __aeabi_unwind_cpp_pr1(void);
void __aeabi_unwind_cpp_pr1(void) {}
void _start(void);
void _start(void)
{
    run();
    call(1, 0, 0, 0);
}
"""


def emulator_of(machine: Machine, isa: Isa) -> list[str] | None:
    """Give the words before a program for `machine` that run it here, or None: none on the same system, else qemu-user."""
    if sys.platform == "linux" and machine.architecture == platform.machine() and "-linux" in machine.triple and runs_here(isa):
        return []
    for name in machine.emulator:
        for program in (name, f"{name}-static"):
            path = shutil.which(program)
            if path is not None:
                return [path]
    return None


def under(emulator: Sequence[str]) -> str:
    """Say in what a program runs.

    >>> under(["/usr/bin/qemu-arm"]), under([])
    ('under qemu-arm', 'on this machine')
    """
    return f"under {Path(emulator[0]).name}" if emulator else "on this machine"


def runner(source: Source, machine: Machine) -> str:
    """Give the C text of the program that reads and writes examples."""
    entry = entry_of("main", source.graphs["main"])
    kinds = ["int32_t" if dtype == "int32" else "float" for dtype in entry.dtypes]
    upper = source.name.upper()
    inputs, outputs = range(len(kinds)), range(len(entry.outputs))
    declared = [f"static {kind} input_{n}[{upper}_INPUT_{n}_SIZE];" for n, kind in enumerate(kinds)]
    declared += [f"static float output_{n}[{upper}_OUTPUT_{n}_SIZE];" for n in outputs]
    parts = {
        "@SYSTEM@": _THUMB if machine.freestanding else _HOSTED,
        "@DECLARED@": "\n".join(declared),
        "@READ@": " && ".join(f"GET(input_{n})" for n in inputs),
        "@GIVEN@": ", ".join([*(f"input_{n}" for n in inputs), *(f"output_{n}" for n in outputs)]),
        "@WRITTEN@": "\n        ".join(f"PUT(output_{n});" for n in outputs),
        "@NAME@": source.name,
    }
    text = _HEAD + (_START if machine.freestanding else _MAIN)
    for mark, part in parts.items():
        text = text.replace(mark, part)
    return text


def run_foreign(
    source: Source, folder: Path, arrays: Sequence[np.ndarray], *, compiler: Compiler, isa: Isa, machine: Machine, emulator: Sequence[str]
) -> list[np.ndarray]:
    """Run the C in `folder` on arrays [example, *shape] under an emulator. Raises: TacitError when it fails."""
    entry = entry_of("main", source.graphs["main"])
    columns = [
        np.ascontiguousarray(array, np.dtype(dtype).newbyteorder("<")).reshape(len(array), -1).view(np.uint8)
        for array, dtype in zip(arrays, entry.dtypes, strict=True)
    ]
    with tempfile.TemporaryDirectory() as name:
        program, text = Path(name) / "runner", Path(name) / RUNNER
        text.write_text(runner(source, machine), encoding="utf-8")
        flags = compiler.flags(isa, integer=source.integer, machine=machine)
        compiler.compile([*flags, "-static", f"-I{folder.resolve()}", "-o", program, f"{source.name}.c", text], folder=folder)
        try:
            stdin = np.concatenate(columns, axis=1).tobytes()
            done = subprocess.run([*emulator, str(program)], input=stdin, capture_output=True, timeout=SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise TacitError(f"could not run the program for {machine.title}", cause=str(error)) from error
    sizes = [int(np.prod(shape)) for shape in entry.outputs]
    if done.returncode or len(done.stdout) != 4 * sum(sizes) * len(arrays[0]):
        cause = done.stderr.decode(errors="replace").strip()[:500] or f"exit code {done.returncode}, {len(done.stdout)} bytes"
        raise TacitError(f"expected the program for {machine.title} to run {under(emulator)}", cause=cause)
    table = np.frombuffer(done.stdout, "<f4").reshape(len(arrays[0]), sum(sizes))
    cuts = np.split(table, np.cumsum(sizes)[:-1], axis=1)
    return [cut.reshape(len(cut), *shape).astype(np.float32) for cut, shape in zip(cuts, entry.outputs, strict=True)]
