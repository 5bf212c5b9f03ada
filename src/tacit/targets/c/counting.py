"""Count the instructions of a run with callgrind, one run per input: the same number for each says that time does not tell the input.

Valgrind runs the program on a processor of its own, which knows AVX2 but not AVX-512, so what is counted is code for AVX2 at most.
"""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tacit.ground.errors import MissingPackage, TacitError
from tacit.targets.c.boundary import entry_of, row_limits
from tacit.targets.c.emit import MAIN, emit_c
from tacit.targets.c.foreign import RUNNER, runner
from tacit.targets.c.isa import Isa, isa_named
from tacit.targets.c.machine import base_isa, runs_here
from tacit.targets.c.toolchain import Compiler, Machine
from tacit.targets.target import Source

_SECONDS = 600.0
_TOTAL = re.compile(r"^(?:summary|totals): (\d+)", re.MULTILINE)
_FUNCTION = "tacit_one_run"
#: The five inputs, by name.
INPUTS = ("zero", "random", "extreme", "negative", "denormal")


def counted_isa() -> Isa:
    """Give the best instruction set of this machine that valgrind runs."""
    widest = isa_named("avx2")
    return widest if runs_here(widest) else base_isa(platform.machine().lower())


def five_inputs(source: Source, *, seed: int = 0) -> list[list[np.ndarray]]:
    """Give five inputs [*shape] per array of ``main``: zeros, random ones, 1e30, negative ones, 1e-40; rows are picked in five ways."""
    chance = np.random.default_rng(seed)
    graph = source.graphs[MAIN]
    limits, found = row_limits(graph), []
    for name in INPUTS:
        arrays = []
        for buffer in graph.of_kind("input"):
            if buffer.dtype == "int32":
                tops = np.broadcast_to(limits.get(buffer.name, 1), buffer.size).reshape(buffer.shape) - 1
                drawn = (chance.random(buffer.shape) * (tops + 1)).astype(np.int32)
                arrays.append({"zero": np.zeros(buffer.shape, np.int32), "extreme": tops.astype(np.int32)}.get(name, drawn))
                continue
            drawn = chance.normal(size=buffer.shape)
            made = {
                "zero": 0 * drawn,
                "random": drawn,
                "extreme": np.sign(drawn) * 1e30,
                "negative": -np.abs(drawn),
                "denormal": drawn * 1e-40,
            }
            arrays.append(made[name].astype(np.float32))
        found.append(arrays)
    return found


def valgrind() -> str:
    """Give the path of valgrind. Raises: MissingPackage."""
    path = shutil.which("valgrind")
    if path is None:
        raise MissingPackage("expected valgrind on the path, got none", fix="apt-get install valgrind")
    return path


def count_instructions(source: Source, compiler: Compiler, inputs: Sequence[Sequence[np.ndarray]], *, isa: Isa | None = None) -> list[int]:
    """Give for each input, arrays [*shape] of ``main``, how many instructions ``NAME_run`` takes, all that it calls included.

    Raises: MissingPackage without valgrind; TacitError when the program does not compile or run.
    """
    program, isa = valgrind(), isa or counted_isa()
    types = [np.int32 if dtype == "int32" else np.float32 for dtype in entry_of(MAIN, source.graphs[MAIN]).dtypes]
    data = b"".join(np.ascontiguousarray(array, kind).tobytes() for arrays in inputs for array, kind in zip(arrays, types, strict=True))
    with tempfile.TemporaryDirectory(prefix="tacit-count-") as name:
        folder = Path(name)
        for file, content in emit_c(source, isa).files.items():
            (folder / file).write_bytes(content if isinstance(content, bytes) else content.encode())
        (folder / RUNNER).write_text(_through(_FUNCTION, source), encoding="utf-8")
        flags = compiler.flags(isa, integer=source.integer)
        compiler.compile([*flags, "-o", "counted", f"{source.name}.c", RUNNER], folder=folder)
        words = [program, "--tool=callgrind", f"--toggle-collect={_FUNCTION}", f"--dump-after={_FUNCTION}"]
        try:
            # Names of functions are looked up when they are first called; bound at once, the first run is like the others.
            done = subprocess.run(
                [*words, "--callgrind-out-file=counts", "./counted"],
                input=data,
                cwd=folder,
                env={"LD_BIND_NOW": "1"},
                capture_output=True,
                timeout=_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise TacitError("could not run valgrind", cause=str(error)) from error
        dumps = [folder / f"counts.{number}" for number in range(1, len(inputs) + 1)]
        totals = [_TOTAL.search(dump.read_text(encoding="utf-8")) for dump in dumps if dump.exists() and not done.returncode]
    if len(totals) != len(inputs) or not all(totals):
        cause = done.stderr.decode(errors="replace").strip()[-500:] or None
        raise TacitError(f"expected valgrind to count {len(inputs)} runs, got the exit status {done.returncode}", cause=cause)
    return [int(found[1]) for found in totals if found is not None]


def _through(function: str, source: Source) -> str:
    """Give the program that feeds a run, with each run inside a function that no compiler writes into another or leaves by a jump."""
    text, call = runner(source, Machine("here")), f"\n        {source.name}_run("
    given = text[text.index(call) + len(call) :].partition(");")[0]
    body = f'{{\n    {source.name}_run({given});\n    __asm__ volatile("");\n}}\n\n'
    wrapped = f"__attribute__((noinline)) void {function}(void);\nvoid {function}(void)\n{body}"
    mark = "static void run(void)"
    return text.replace(f"{call}{given});", f"\n        {function}();").replace(mark, wrapped + mark)
