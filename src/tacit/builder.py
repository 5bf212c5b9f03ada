"""Build: the same binary as C, ONNX, WebAssembly or NumPy, in float32 or int8, held against the interpreter before it is handed out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from tacit.acting.meeting import program_of_examples
from tacit.binary.binary import MAIN, Binary
from tacit.binary.loading import load
from tacit.building.folder import MARK, check_folder, replacing
from tacit.building.integers import ALLOWED_DROP, Integers, in_pieces, integers_of
from tacit.building.parity import Parity, compare_answers, compare_bits, compare_floats
from tacit.building.sample import Sample, sample_of
from tacit.directory.beside import program_beside
from tacit.directory.reading import compiled_in, is_program, program_name, read_program
from tacit.ground.errors import ConfigError, TacitError
from tacit.ground.progress import Reporter
from tacit.ground.tables import resolve
from tacit.ir.graph import Graph
from tacit.ir.integer import IntegerGraph
from tacit.ir.integer_interpreter import evaluate_integers
from tacit.ir.interpreter import evaluate
from tacit.program import Program
from tacit.targets.target import TARGETS, Options, Source, identifier

PARITY = "parity.json"


@dataclass(frozen=True)
class Built:
    """What `build` left in `folder`. integers: what int8 lost; None for float32. notes: what a person should know."""

    folder: Path
    target: str
    name: str
    digest: str
    parity: Parity
    integers: Integers | None = None
    notes: tuple[str, ...] = ()

    @property
    def met(self) -> bool:
        """Tell whether what was built computes what the interpreter does."""
        return self.parity.met

    @property
    def files(self) -> dict[str, int]:
        """Give every file of the folder with its bytes."""
        return {path.relative_to(self.folder).as_posix(): path.stat().st_size for path in sorted(self.folder.rglob("*")) if path.is_file()}

    def to_json(self) -> dict[str, Any]:
        """Give JSON values."""
        return {
            "met": self.met,
            "folder": str(self.folder),
            "target": self.target,
            "name": self.name,
            "digest": self.digest,
            "parity": self.parity.to_json(),
            "int8": None if self.integers is None else self.integers.to_json(),
            "files": self.files,
            "notes": list(self.notes),
        }


def build(
    binary: Binary | str | PathLike[str],
    target: str,
    *,
    folder: str | PathLike[str],
    int8: bool = False,
    program: Program | str | PathLike[str] | None = None,
    allow_drop: float = ALLOWED_DROP,
    isa: str = "native",
    triple: str | None = None,
    tune: bool = False,
    reporter: Reporter | None = None,
) -> Built:
    """Build a binary for a target: a row of `tacit.targets.target.TARGETS`, such as ``c`` or ``onnx``.

    binary: one in memory, its file, or the program directory that it was compiled in. folder: new, or a former build, which is
    replaced when everything is done. program: whose test examples the build is held against (default: the program directory that
    the file lies in or beside; without one the probes in the binary), and for int8 whose training examples it is calibrated on.
    allow_drop: points of the goals' metrics that int8 may lose. isa, triple, tune: for C, see `tacit.targets.target.Options`.
    A build that differs from the interpreter is written all the same; its `met` is False.
    Raises: UnknownName, MissingPackage, InputError, ConfigError, TacitError; the folder is then as it was before.
    """
    reporter = reporter or Reporter()
    options, place = Options(isa, triple, tune), Path(folder)
    maker = TARGETS.get(target)()
    _check_options(maker, target, options)
    if not 0 <= allow_drop <= 100:
        raise ConfigError(f"expected points from 0 to 100 that int8 may lose, got {allow_drop}", fix="--allow-drop 0.5")
    check_folder(place)
    file = None if isinstance(binary, Binary) else _file(Path(binary))
    loaded = binary if isinstance(binary, Binary) else load(_file(Path(binary)))
    found, notes = _program(loaded, file, program, reporter)
    if found is not None and (found.environment is not None or found.game is not None):
        reporter.phase("acting, for examples of what it meets")
        where = "32 episodes" if found.game is None else "128 games against itself"
        found, notes = program_of_examples(loaded, found), (*notes, f"examples are what it met in {where}, labelled by what it did")
    integers = integers_of(loaded, found, allow_drop=allow_drop, reporter=reporter) if int8 else None
    name = identifier(str(loaded.evidence.get("name") or (file.stem if file else "")))
    graphs = loaded.graphs if integers is None else integers.graphs
    source = Source(name, graphs, loaded.signature, loaded.digest, loaded.evidence)
    sample = sample_of(loaded, found)
    with replacing(place) as made:
        reporter.phase(f"writing {target}")
        maker.write(source, made, options)
        parity = _parity(maker, source, made, sample, reporter)
        built = Built(made, target, name, loaded.digest, parity, integers, notes)
        _note_down(built, options)
    return Built(place, target, name, loaded.digest, parity, integers, notes)


def _file(path: Path) -> Path:
    """Give the file of a binary; for a program directory the one that was compiled into it. Raises: InputError."""
    return compiled_in(path, program_name(path)) if is_program(path) else path


def _check_options(maker: Any, target: str, options: Options) -> None:
    """Refuse options before any work is done. Raises: ConfigError, UnknownName, MissingPackage."""
    check = getattr(maker, "check", None)
    if check is not None:
        check(options)
    elif options != Options():
        given = [name for name, value in asdict(options).items() if value != getattr(Options(), name)]
        raise ConfigError(f"expected no {' and '.join(given)} for the target `{target}`", fix=f"--target c, or without --{given[0]}")


def _program(
    binary: Binary, file: Path | None, program: Program | str | PathLike[str] | None, reporter: Reporter
) -> tuple[Program | None, tuple[str, ...]]:
    """Give the program whose examples count, read from a directory where need be, and what to say about it."""
    if isinstance(program, Program):
        return program, ()
    if program is not None:
        reporter.phase("reading examples")
        return read_program(Path(program), reporter=reporter), ()
    directory = None if file is None else program_beside(file, str(binary.evidence.get("name") or "") or None)
    if directory is None:
        return None, ()
    reporter.phase("reading examples")
    try:
        read = read_program(directory, reporter=reporter)
    except TacitError as error:
        return None, (f"the program directory `{directory}` was left aside: {error.message.splitlines()[0]}",)
    if read.signature != binary.signature:
        return None, (f"the program directory `{directory}` was left aside: its types are not those of the binary",)
    notes = [f"examples of the program directory `{directory}`"]
    if (binary.evidence.get("labels") or {}).get("digest") not in (None, read.examples.labels_digest):
        notes.append("its examples have changed since the binary was compiled")
    return read, tuple(notes)


def _parity(maker: Any, source: Source, folder: Path, sample: Sample, reporter: Reporter) -> Parity:
    """Run what was built and the interpreter on the same examples."""
    reporter.phase(f"checking parity on {len(sample)} examples")
    graph = source.graphs[MAIN]
    wanted = in_pieces(lambda arrays: _interpreted(graph, arrays), sample.inputs, reporter)
    got = maker.run(source, folder, list(sample.inputs))
    runs_on = maker.runs_on(source, folder) if hasattr(maker, "runs_on") else "this machine"
    compare = compare_floats
    if source.integer:
        compare = compare_bits if getattr(maker, "same_bits", True) else compare_answers
    return compare(wanted, got, sample, output=source.signature.output, runs_on=runs_on)


def _interpreted(graph: Graph | IntegerGraph, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    outputs = evaluate(graph, arrays) if isinstance(graph, Graph) else evaluate_integers(graph, arrays)
    return [np.asarray(output, np.float32) for output in outputs]


def _note_down(built: Built, options: Options) -> None:
    """Write `parity.json` and `build.json`, which holds nothing that differs between two builds of one binary."""
    (built.folder / PARITY).write_text(json.dumps(built.parity.to_json(), indent=1) + "\n", encoding="utf-8")
    document = {
        "tacit": resolve("tacit:__version__"),
        "target": built.target,
        "name": built.name,
        "digest": built.digest,
        "options": asdict(options),
        "int8": None if built.integers is None else built.integers.to_json(),
        "parity": built.parity.met,
    }
    (built.folder / MARK).write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")
