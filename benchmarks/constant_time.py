"""Count the instructions of a run for unlike inputs, and time it on subnormal numbers.

    python benchmarks/constant_time.py [CASE ...] [--programs FOLDER] [--cache DIR]

CASE is one of the five networks a to e, or a program of `int8.py` (default: all). Inputs: zeros, random numbers, 1e30, negative numbers,
1e-40, and what is not a number; a program that picks rows of a table gets unlike rows. callgrind counts C for AVX2 (it knows no AVX-512);
a plugin of qemu counts C for other machines. Times: C for this machine, one thread, CPU time, in turns; a ratio is the median over turns.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import datasets
import harness
import int8
import numpy as np
import target_nets
from emulated_counts import emulated_count
from machines import PLACES, build, words_before

from tacit.ir.graph import Graph
from tacit.quantisation.quantise import quantise
from tacit.signature.base import Signature
from tacit.signature.outputs import Number
from tacit.signature.series import Series
from tacit.targets.c.counting import INPUTS, count_instructions, counted_isa, five_inputs
from tacit.targets.c.emit import emit_c
from tacit.targets.c.library import Lane, Library, build_library
from tacit.targets.c.machine import native_isa
from tacit.targets.c.toolchain import need_compiler
from tacit.targets.target import Source, identifier

ELSEWHERE = ("aarch64 NEON, zig, qemu", "riscv64, zig, qemu", "Cortex-M7, zig, qemu")
TURNS = 31
SECONDS = 0.004  # of one measurement
Arrays = Sequence[np.ndarray]


def unlike_inputs(source: Source) -> dict[str, list[np.ndarray]]:
    """Give the inputs by name."""
    found = dict(zip(INPUTS, five_inputs(source), strict=True))
    if all(array.dtype == np.float32 for array in found["zero"]):
        found["not a number"] = [np.full_like(array, np.nan) for array in found["zero"]]
    return found


def counts(source: Source, inputs: dict[str, list[np.ndarray]], *, heavy: bool) -> Iterator[tuple[str, list[int]]]:
    """Give the counts on each machine; emulators take too long for the heaviest."""
    yield f"x86-64 {counted_isa().name}", count_instructions(source, need_compiler(), list(inputs.values()))
    for place in PLACES:
        if place.name not in ELSEWHERE or heavy:
            continue
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            program = build(source, place, folder)
            data = [b"".join(np.ascontiguousarray(array).tobytes() for array in arrays) for arrays in inputs.values()]
            yield place.name.removesuffix(", zig, qemu"), [emulated_count(words_before(place), program, one, folder) for one in data]


def timings(source: Source, inputs: dict[str, list[np.ndarray]]) -> dict[str, list[float]]:
    """Give microseconds of one run per input, TURNS each, taken in turns."""
    with tempfile.TemporaryDirectory() as name:
        folder, isa = Path(name), native_isa()
        for file, content in emit_c(source, isa).files.items():
            (folder / file).write_bytes(content if isinstance(content, bytes) else content.encode())
        build_library(folder / "built.so", name=source.name, graphs=source.graphs, sources=folder, compiler=need_compiler(), isa=isa)
        function = Library(folder / "built.so", source.graphs).functions["main"]
        runs = {kind: _runner(function, arrays) for kind, arrays in inputs.items()}
        once = min(_spent(run, 1) for run in runs.values())
        count = max(1, int(SECONDS * 1e6 / max(once, 0.1)))
        runs = {kind: _runner(function, arrays, count) for kind, arrays in inputs.items()}
        taken: dict[str, list[float]] = {kind: [] for kind in runs}
        for turn in range(TURNS):
            for kind in list(runs) if turn % 2 else list(runs)[::-1]:
                taken[kind].append(_spent(runs[kind], count))
    return taken


def _runner(function: Any, arrays: Arrays, count: int = 1) -> Callable[[], object]:
    """Give a call that runs one example `count` times."""
    lane = Lane(function)
    many = [np.ascontiguousarray(np.broadcast_to(array, (count, *array.shape))) for array in arrays]
    outputs = [np.empty((count, *shape), np.float32) for shape in function.entry.outputs]
    return lambda: lane.run(function._several, many, outputs)


def _spent(run: Callable[[], object], count: int) -> float:
    start = time.thread_time_ns()
    run()
    return (time.thread_time_ns() - start) / count / 1e3


def subjects(names: Sequence[str], folder: Path, cache: Path) -> Iterator[tuple[str, Graph, Signature, Arrays]]:
    """Give graphs with examples to calibrate on."""
    for name in names or [*target_nets.NETS, *int8.PROGRAMS]:
        if name in target_nets.NETS:
            yield name, target_nets.our_graph(name), Series(1, 1) >> Number(), [target_nets.examples(name, 64, seed=0)]
        else:
            binary, program = int8.program(name, folder, cache)
            yield name, binary.graphs["main"], binary.signature, program.examples.split("train").inputs


def measured(name: str, graph: Graph, signature: Signature, examples: Arrays) -> Iterator[dict[str, Any]]:
    """Give a row per arithmetic."""
    for arithmetic, each in (("float32", graph), ("int8", quantise(graph, examples))):
        source = Source(identifier(f"net_{name}"), {"main": each}, signature, "0" * 64)
        inputs = unlike_inputs(source)
        row: dict[str, Any] = {"key": f"{name} {arithmetic}", "inputs": list(inputs), "instructions": {}}
        for machine, found in counts(source, inputs, heavy=name in ("c", "d", "e")):
            row["instructions"][machine] = found
        # the boundary for Python refuses what is not finite
        taken = timings(source, {kind: arrays for kind, arrays in inputs.items() if kind != "not a number"})
        row["microseconds"] = {kind: round(statistics.median(times), 3) for kind, times in taken.items()}
        row["time of subnormal / of random"] = _ratio(taken["denormal"], taken["random"])
        row["time of negative / of random"] = _ratio(taken["negative"], taken["random"])
        spread = max(max(found) - min(found) for found in row["instructions"].values())
        print(f"{row['key']:24} counts differ by {spread}, subnormal numbers take {row['time of subnormal / of random']:.3f}x", flush=True)
        yield row


def _ratio(one: Sequence[float], other: Sequence[float]) -> float:
    return round(statistics.median(a / b for a, b in zip(one, other, strict=True)), 4)


def main() -> None:
    parser = argparse.ArgumentParser(description="Count the instructions of a run for unlike inputs.")
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join([*target_nets.NETS, *int8.PROGRAMS])} (default: all)")
    parser.add_argument("--programs", type=Path, help="folder of compiled programs: NAME.tacit beside its program directory NAME")
    parser.add_argument("--cache", type=Path, default=datasets.default_cache())
    options = parser.parse_args()
    folder = (options.programs or options.cache / "int8").resolve()
    rows = [row for one in subjects(options.cases, folder, options.cache.resolve()) for row in measured(*one)]
    spreads = {f"{row['key']} {machine}": max(found) - min(found) for row in rows for machine, found in row["instructions"].items()}
    harness.record(
        "constant-time",
        {
            "instructions, greatest less least": spreads,
            "time of subnormal / of random": {row["key"]: row["time of subnormal / of random"] for row in rows},
            "time of negative / of random": {row["key"]: row["time of negative / of random"] for row in rows},
        },
        command=harness.command_line(),
        target={"instructions, greatest less least": "max <= 0", "time of subnormal / of random": "max <= 1.05"},
        notes=[
            f"six inputs: {', '.join([*INPUTS, 'not a number'])}; a program that picks rows gets five sets of rows",
            "x86-64: instructions of NAME_run by callgrind; other machines: of the whole program that feeds it one input, by qemu",
            f"times: {native_isa().name}, CPU time of one thread, medians of the ratios of {TURNS} turns",
        ],
        runs=rows,
    )


if __name__ == "__main__":
    main()
