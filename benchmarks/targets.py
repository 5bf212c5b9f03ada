"""How fast what `tacit build` makes is, beside the runtimes that people use: one thread, one example, all in turns in one process.

    python benchmarks/targets.py [--programs FOLDER] [--onnx2c EXECUTABLE] [--isa NAME] [--only NAME ...] [--rounds N]

Subjects: five networks with random weights, and the compiled programs (`*.tacit`) of a folder. Contestants: our C of floats and of
int8, both given floats; ONNX Runtime of floats and the fastest of its int8 configurations, both chosen by measurement first; onnx2c,
where its executable is given; a loop of multiply-adds in registers, the peak of this core at that moment. ONNX Runtime's own floor,
a model of one operation, is recorded beside; C has none, for its loop is compiled. With `--only` nothing is recorded.

The folder and the executable may be given as `TACIT_PROGRAMS` and `TACIT_ONNX2C`; what is not given stands as not measured.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import contestants
import harness
import numpy as np
import target_subjects
import torch
from contestants import Contestant, Times
from peer_runtimes import REFUSALS, floor_model, onnx2c, ort, quantised
from target_python import MOST, python_call, title_of
from target_subjects import Subject
from target_wasm import wasm

from tacit.ir.integer import IntegerGraph
from tacit.ir.integer_interpreter import evaluate_integers
from tacit.ir.interpreter import evaluate
from tacit.quantisation.quantise import quantised as brought_to_integers
from tacit.targets.c.emit import emit_c
from tacit.targets.c.isa import Isa
from tacit.targets.c.toolchain import isa_of, need_compiler
from tacit.targets.target import Source

FLOATS, INT8, ORT, ORT_INT8, ONNX2C, PEAK, FLOOR = "C", "C int8", "ORT", "ORT int8", "onnx2c", "peak", "ORT floor"
CALIBRATION = 64
ROUGH = 0.1  # error of an int8 net with drawn weights that is as good as its peer's; a stricter one gets some buffers of 16 bits
TOLERANCE = 1e-4
SUBNORMAL = 1e-40


@dataclass(frozen=True, eq=False)
class Bench:
    """How to measure. work: an empty folder for what is made."""

    work: Path
    isa: Isa
    rounds: int
    onnx2c: Path | None = None
    integers: bool = True
    built: bool = True
    choose_rounds: int = 7

    def folder(self, *names: str) -> Path:
        """Make a folder."""
        path = self.work.joinpath(*names)
        path.mkdir(parents=True)
        return path

    @property
    def native(self) -> list[str]:
        """Give the compiler's command for C that is not ours."""
        return [*need_compiler().command, "-O3", "-march=native"]


# --- our side --------------------------------------------------------------------------------------------------------


def our_c(source: Source, bench: Bench, folder: Path, *, name: str) -> Contestant:
    """Compile the generated C with the flags of its Makefile."""
    for file, content in emit_c(source, bench.isa).files.items():
        (folder / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    compiler = need_compiler()
    graph = source.graphs["main"]
    inputs, outputs = graph.of_kind("input"), graph.of_kind("output")
    arguments = [f"i{place}" for place in range(len(inputs))] + [f"o{place}" for place in range(len(outputs))]
    return contestants.compiled(
        name,
        folder=folder,
        command=[*compiler.command, *compiler.flags(bench.isa, integer=source.integer)],
        sources=[f"{source.name}.c"],
        include=f'#include "{source.name}.h"',
        call=f"{source.name}_run({', '.join(arguments)})",
        inputs=[(buffer.size, "const int32_t" if buffer.dtype == "int32" else "const float") for buffer in inputs],
        outputs=[buffer.size for buffer in outputs],
    )


def integer_source(subject: Subject) -> Source:
    """Give the int8 program, calibrated on drawn examples: speed is measured here, not accuracy."""
    source = subject.source
    graph = brought_to_integers(subject.graph, subject.draw(CALIBRATION, 3), tolerance=ROUGH).graph
    return Source(source.name, {"main": graph}, source.signature, source.digest, source.evidence)


def ours(subject: Subject, bench: Bench) -> list[Contestant]:
    """Give our contestants. Raises: ValueError when one does not compute what the interpreter does."""
    arrays = subject.draw(1, 0)
    floats = our_c(subject.source, bench, bench.folder(subject.name, "c"), name=FLOATS)
    check(subject, FLOATS, floats.answer(arrays), evaluate(subject.graph, arrays), TOLERANCE)
    if not bench.integers:
        return [floats]
    source = integer_source(subject)
    integers = our_c(source, bench, bench.folder(subject.name, "c8"), name=INT8)
    graph = source.graphs["main"]
    if isinstance(graph, IntegerGraph):
        check(subject, INT8, integers.answer(arrays), evaluate_integers(graph, arrays), 0.0)
    return [floats, integers]


def check(subject: Subject, name: str, found: Sequence[np.ndarray], wanted: Sequence[np.ndarray], tolerance: float) -> None:
    """Hold what a contestant computes against what it should. Raises: ValueError."""
    error = contestants.relative_error(found, wanted)
    if not error <= tolerance:
        raise ValueError(f"expected {name} to compute what its reference does, relative error {error:.3g} - in {subject.name}")


# --- the peers -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Chosen:
    """The fastest variant of a peer, and the microseconds of all; None of one that the peer can't run."""

    contestant: Contestant
    variant: str
    microseconds: Mapping[str, float | None]


def fastest(variants: Mapping[str, Path], subject: Subject, bench: Bench, *, name: str) -> Chosen:
    """Open ONNX files in ONNX Runtime, time them in turns, keep the fastest."""
    arrays = subject.for_peer(subject.draw(1, 0))
    opened = [found for variant, path in variants.items() if (found := runs(path, arrays, name=variant)) is not None]
    times = contestants.take_turns(opened, rounds=bench.choose_rounds)
    found = {variant: contestants.microseconds(times, variant) for variant in times}
    best = min(found, key=lambda variant: found[variant])
    contestant = ort(variants[best], name=name)
    contestant.answer(arrays)
    return Chosen(contestant, best, {variant: _short(found[variant]) if variant in found else None for variant in variants})


def runs(path: Path, arrays: Sequence[np.ndarray], *, name: str) -> Contestant | None:
    """Open an ONNX file and run it; None when ONNX Runtime has no kernel for what its own quantiser wrote."""
    try:
        contestant = ort(path, name=name)
        contestant.answer(arrays)
    except REFUSALS as error:
        print(f"{name}: {str(error)[:200]}", file=sys.stderr)
        return None
    return contestant


def peers(subject: Subject, bench: Bench) -> tuple[list[Contestant], dict[str, Any]]:
    """Give the peers' contestants, and which of their variants were tried and chosen."""
    folder = bench.folder(subject.name, "peers")
    exported = subject.export(folder, built=bench.built)
    plain = next(iter(exported.values()))
    one, wanted = subject.for_peer(subject.draw(1, 0)), target_subjects.reference(subject, subject.draw(1, 0))
    check(subject, ORT, ort(plain).answer(one), wanted, 1e-3)
    floats = fastest(exported, subject, bench, name=ORT)
    examples = subject.for_peer(subject.draw(CALIBRATION, 3))
    variants = {
        scheme if path == plain else f"{scheme}, {title}": written
        for title, path in exported.items()
        for scheme, written in quantised(path, examples, folder, dynamic=subject.products).items()
    }
    integers = fastest(variants, subject, bench, name=ORT_INT8)
    said: dict[str, Any] = {
        "ORT variant": floats.variant,
        "ORT variants, us": floats.microseconds,
        "ORT int8 variant": integers.variant,
        "ORT int8 variants, us": integers.microseconds,
    }
    found = [floats.contestant, integers.contestant]
    if bench.onnx2c is not None:
        try:
            found.append(onnx2c(bench.onnx2c, plain, bench.folder(subject.name, "onnx2c"), command=bench.native))
            check(subject, ONNX2C, found[-1].answer(one), wanted, 1e-3)
        except (RuntimeError, ValueError) as error:
            said["onnx2c refuses"] = str(error).replace(str(bench.work), "")
            found = found[:2]
    return found, said


# --- measuring -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Measured:
    """What was measured of one subject; `times` are seconds of a call, one per round. subnormal: time over that of usual input."""

    subject: Subject
    times: Times
    said: Mapping[str, Any]
    subnormal: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)

    def ratio(self, slower: str, faster: str) -> float | None:
        """Give the median of the paired ratios, None where one of the two did not run."""
        return contestants.ratio(self.times, slower, faster)[1] if {slower, faster} <= set(self.times) else None

    def row(self) -> dict[str, Any]:
        """Give everything as one JSON object."""
        names = [name for name in self.times if name != PEAK]
        pairs = [(ORT, FLOATS), (ORT_INT8, INT8), (ORT, INT8), (FLOATS, INT8), (ONNX2C, FLOATS), (ORT, ORT_INT8)]
        flops = contestants.PROBE_FLOP / contestants.microseconds(self.times, PEAK) / 1e3
        return {
            "name": self.subject.name,
            "title": self.subject.title,
            "program": self.subject.program,
            "mflop": round(2 * self.subject.macs / 1e6, 3),
            "us": {name: _short(contestants.microseconds(self.times, name)) for name in names},
            "ratios, quartiles": {
                f"{slower} / {faster}": [_short(value) for value in contestants.ratio(self.times, slower, faster)]
                for slower, faster in pairs
                if {slower, faster} <= set(self.times)
            },
            "subnormal input, times the usual time, quartiles": {
                name: [_short(value) for value in values] for name, values in self.subnormal.items()
            },
            "peak GFLOP/s": _short(flops),
            "share of peak": {
                name: _short(2 * self.subject.macs / contestants.microseconds(self.times, name) / 1e3 / flops) for name in (FLOATS, ORT)
            },
            **self.said,
        }


def _short(value: float) -> float:
    return float(f"{value:.4g}")


def measure(subject: Subject, bench: Bench) -> Measured:
    """Measure one subject."""
    mine = ours(subject, bench)
    theirs, said = peers(subject, bench)
    probe = contestants.peak_probe(bench.folder(subject.name, "peak"), bench.native)
    floor = ort(floor_model(bench.folder(subject.name, "floor") / "floor.onnx"), name=FLOOR)
    times = contestants.take_turns([*mine, *theirs, probe, floor], rounds=bench.rounds)
    return Measured(subject, times, said, subnormal(subject, [*mine, theirs[0]], bench))


def subnormal(subject: Subject, runners: Sequence[Contestant], bench: Bench) -> dict[str, tuple[float, float, float]]:
    """Give how much longer a run takes on subnormal numbers than on usual ones, as quartiles over the rounds."""
    counts = [contestants.batch_of(runner) for runner in runners]
    usual = subject.draw(1, 0)
    tiny = [array if array.dtype == np.int32 else np.full_like(array, SUBNORMAL) for array in usual]
    found: dict[str, list[float]] = {runner.name: [] for runner in runners}
    for turn in range(bench.rounds):
        for runner, count in zip(runners, counts, strict=True):
            spent = {}
            for which in (0, 1) if turn % 2 else (1, 0):
                given = (usual, tiny)[which]
                runner.answer(subject.for_peer(given) if runner.name == ORT else given)
                spent[which] = contestants.thread_seconds(runner, count)
            found[runner.name].append(spent[1] / spent[0])
    return {name: contestants.quartiles(values) for name, values in found.items()}


# --- the record ------------------------------------------------------------------------------------------------------

#: figure -> (slower, faster, targets of the least and of the geometric mean)
RATIOS: dict[str, tuple[str, str, str | None, str | None]] = {
    "C against ONNX Runtime": (ORT, FLOATS, "min >= 1.25", ">= 1.7"),
    "int8 C against ONNX Runtime's best int8": (ORT_INT8, INT8, "min >= 1.4", ">= 4"),
    "int8 C against ONNX Runtime's floats": (ORT, INT8, None, ">= 5"),
    "C against onnx2c, pictures": (ONNX2C, FLOATS, "min >= 50", None),
}


def figures_of(rows: Sequence[Measured]) -> tuple[dict[str, Any], dict[str, str]]:
    """Give the figures over all subjects, and their targets."""
    figures: dict[str, Any] = {}
    target: dict[str, str] = {}
    for title, (slower, faster, least, mean) in RATIOS.items():
        counted = [row for row in rows if row.subject.cnn or slower != ONNX2C]
        each = {row.subject.name: row.ratio(slower, faster) for row in counted}
        known = {name: value for name, value in each.items() if value is not None}
        figures[title] = known or None
        if least is not None:
            target[title] = least
        groups = {
            "": counted,
            ", networks": [r for r in counted if not r.subject.program],
            ", programs": [r for r in counted if r.subject.program],
        }
        for group, members in groups.items():
            key = f"{title}, geometric mean{group}"
            figures[key] = contestants.geometric_mean([known[row.subject.name] for row in members if row.subject.name in known])
            if mean is not None and not group:
                target[key] = mean
    for name in (FLOATS, INT8, ORT):
        key = f"time on subnormal input over the usual, {name}"
        figures[key] = {row.subject.name: row.subnormal[name][1] for row in rows if name in row.subnormal}
        if name != ORT:
            target[key] = "max <= 1.05"
    figures = {name: value for name, value in figures.items() if value != {}}
    figures["peak GFLOP/s"] = {row.subject.name: contestants.PROBE_FLOP / contestants.microseconds(row.times, PEAK) / 1e3 for row in rows}
    figures["ONNX Runtime, a call that computes nothing, us"] = statistics.median(
        [contestants.microseconds(row.times, FLOOR) for row in rows]
    )
    return figures, target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=Path, default=_path("TACIT_PROGRAMS"), help="a folder of compiled programs, *.tacit")
    parser.add_argument("--onnx2c", type=Path, default=_path("TACIT_ONNX2C"), help="an executable of onnx2c")
    parser.add_argument("--isa", default="native")
    parser.add_argument("--only", nargs="+", default=[], help="subjects by name; prints and records nothing")
    parser.add_argument("--floats", action="store_true", help="leave int8 of ours out; prints and records nothing")
    parser.add_argument("--plain", action="store_true", help="leave our ONNX build out as ONNX Runtime's choice; records nothing")
    parser.add_argument("--rounds", type=int, default=contestants.ROUNDS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    subjects = [*target_subjects.nets(), *(target_subjects.programs(options.programs) if options.programs else [])]
    wanted = [subject for subject in subjects if subject.name in options.only or not options.only]
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), isa_of(options.isa, None), options.rounds, options.onnx2c, not options.floats, not options.plain)
        rows = []
        for subject in wanted:
            rows.append(measure(subject, bench))
            print(rows[-1].row(), flush=True)
        figures, target = figures_of(rows)
        more = [wasm(subject, our_c, integer_source, bench) for subject in wanted if subject.name == "b" and bench.integers]
        more += [python_call(subject, our_c, bench) for subject in wanted if subject.name == "digits"]
    for found, wants in more:
        figures |= found
        target |= wants
    figures |= {"instruction set": bench.isa.name, "compiler": compiler_version()}
    target.setdefault(title_of("digits"), MOST)  # not measured without the program
    if options.only or options.floats or options.plain:
        print(figures)
        return
    path = harness.record("targets", figures, command=harness.command_line(), target=target, notes=NOTES, runs=[row.row() for row in rows])
    print(path.read_text())


def _path(variable: str) -> Path | None:
    return Path(os.environ[variable]) if os.environ.get(variable) else None


def compiler_version() -> str:
    """Give the first line of what the compiler says of itself."""
    done = subprocess.run([*need_compiler().command, "--version"], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[0]


NOTES = [
    "CPU time of the thread per call, medians over rounds in which contestants take turns; ratios are medians of those within rounds",
    "ONNX Runtime: one thread, all optimisations, bound inputs and outputs; its best int8 configuration is chosen by measurement",
    "int8 on both sides is given floats and gives floats; our C is called by a loop in C, ONNX Runtime by a loop in Python",
    "programs: ONNX Runtime runs the same network exported from PyTorch, or our ONNX build where that is faster",
]

if __name__ == "__main__":
    main()
