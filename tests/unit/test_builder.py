"""The verb `build`: what it writes, what it is held against, what it refuses."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

import tacit
from tacit import builder
from tacit.binary.binary import Binary
from tacit.binary.probes import record_probes
from tacit.builder import build
from tacit.building import integers
from tacit.compiler import compile as compile_program
from tacit.directory.making import new_program
from tacit.directory.reading import read_program
from tacit.examples.examples import Examples
from tacit.goals.goal import Goal
from tacit.ground.budget import Budget
from tacit.ground.errors import ConfigError, FormatError, InputError, MissingPackage, TacitError, UnknownName
from tacit.ground.progress import Reporter
from tacit.ir.graph import Graph
from tacit.ir.integer_interpreter import evaluate_integers
from tacit.ir.interpreter import evaluate
from tacit.program import Program
from tacit.signature.image import Image
from tacit.signature.outputs import Class
from tacit.targets.target import TARGETS, Options, Source
from tests.unit.binary.small_programs import bright_binary, series_binary, words_binary
from tests.unit.search.small_task import examples


class Echo:
    """A target that keeps nothing: it answers with the interpreter's scores, a little off."""

    off: ClassVar[float] = 0.0

    def check(self, options: Options) -> None:
        if options.isa != "native":
            raise UnknownName("no")

    def write(self, source: Source, folder: Path, options: Options) -> None:
        assert list(folder.iterdir()) == []
        (folder / "source.txt").write_text(f"{source.name} {source.digest} {options.triple}")

    def run(self, source: Source, folder: Path, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        graph = source.graphs["main"]
        outputs = evaluate(graph, arrays) if isinstance(graph, Graph) else evaluate_integers(graph, arrays)
        return [np.asarray(output, np.float32) * np.float32(1 + self.off) for output in outputs]


@pytest.fixture(autouse=True)
def echo(monkeypatch):
    monkeypatch.setitem(TARGETS._rows, "echo", "tests.unit.test_builder:Echo")
    monkeypatch.setattr(Echo, "off", 0.0)


@pytest.fixture(scope="module")
def learnt() -> tuple[Binary, Program]:
    """A small picture program and the binary that was compiled from it."""
    whole = examples()
    program = Program("small", whole.signature, whole, (Goal("accuracy", 0.9),), settings={"width": 8}, budget=Budget(steps=40))
    return compile_program(dataclasses.replace(program, recipe={"batch": 16})), program


def with_probes(binary: Binary, array: np.ndarray) -> Binary:
    return dataclasses.replace(binary, evidence={**binary.evidence, "probes": record_probes(binary, [array])})


def test_a_build_holds_its_files_and_how_it_was_held_to_the_interpreter(tmp_path):
    binary = with_probes(series_binary(), np.ones((3, 2, 3), np.float32))
    built = build(binary, "echo", folder=tmp_path / "out")
    assert built.met and built.folder == tmp_path / "out"
    assert list(built.files) == ["build.json", "parity.json", "source.txt"]
    assert (tmp_path / "out" / "source.txt").read_text() == f"small {binary.digest} None"
    document = json.loads((tmp_path / "out" / "build.json").read_text())
    assert document["digest"] == binary.digest and document["parity"] is True and document["int8"] is None
    parity = json.loads((tmp_path / "out" / "parity.json").read_text())
    assert parity == built.parity.to_json() and parity["count"] == 3 and parity["on"] == "probes in the binary"
    assert json.dumps(built.to_json(), allow_nan=False)


def test_a_build_that_differs_is_written_and_not_met(tmp_path, monkeypatch):
    monkeypatch.setattr(Echo, "off", 0.01)
    built = build(series_binary(), "echo", folder=tmp_path / "out")
    assert not built.met and json.loads((tmp_path / "out" / "parity.json").read_text())["met"] is False
    assert built.parity.on.startswith("random inputs") and built.parity.greatest == pytest.approx(0.01, rel=0.01)


@pytest.mark.parametrize("binary", [bright_binary(), words_binary()])
def test_random_inputs_are_in_range(tmp_path, binary):
    assert build(binary, "echo", folder=tmp_path / "out").met


def test_examples_of_the_program_come_first(tmp_path, learnt):
    binary, program = learnt
    built = build(binary, "echo", folder=tmp_path / "out", program=program)
    assert (built.parity.count, built.parity.on) == (40, "test examples of `small`")


def test_at_most_a_thousand_examples(tmp_path, learnt, monkeypatch):
    monkeypatch.setattr("tacit.building.sample.MOST", 7)
    assert build(learnt[0], "echo", folder=tmp_path / "out", program=learnt[1]).parity.count == 7


def test_a_file_in_its_program_directory_is_held_to_that(tmp_path):
    """The directory is found where the file lies, beside it by name, and given by hand; another one is left aside."""
    (tmp_path / "data").mkdir()
    (tmp_path / "shapes.csv").write_text(
        "width,height,kind\n" + "".join(f"{n},{60 - n},{'wide' if n > 30 else 'tall'}\n" for n in range(60))
    )
    directory = new_program(tmp_path / "shapes", source=tmp_path / "shapes.csv", label="kind")
    program = read_program(directory)
    graph_of = compile_program(dataclasses.replace(program, budget=Budget(steps=3)))
    inside, beside, far = directory / "any.tacit", tmp_path / "shapes.tacit", tmp_path / "data" / "shapes.tacit"
    for place in (inside, beside, far):
        graph_of.save(place)
    for file in (inside, beside):
        built = build(file, "echo", folder=tmp_path / "out")
        assert built.parity.on == "test examples of `shapes`" and built.notes == (f"examples of the program directory `{directory}`",)
    assert build(far, "echo", folder=tmp_path / "out").parity.on == "probes in the binary"
    assert build(far, "echo", folder=tmp_path / "out", program=directory).parity.on == "test examples of `shapes`"
    assert build(directory, "echo", folder=tmp_path / "out").parity.on == "test examples of `shapes`"
    bright_binary({"name": "shapes"}).save(beside)
    left = build(beside, "echo", folder=tmp_path / "out")
    assert "was left aside: its types are not those of the binary" in left.notes[0]
    with pytest.raises(InputError, match="expected a program of Image"):
        build(beside, "echo", folder=tmp_path / "out", program=directory)
    (directory / "tacit.toml").write_text("broken")
    assert "was left aside: expected TOML" in build(beside, "echo", folder=tmp_path / "out").notes[0]


def test_int8_is_measured_and_has_the_interpreter_s_bits(tmp_path, learnt):
    binary, program = learnt
    built = build(binary, "echo", folder=tmp_path / "out", int8=True, program=program, allow_drop=100)
    assert built.integers is not None and built.parity.rule == "all bits equal"
    (drop,) = built.integers.drops
    assert drop.metric == "accuracy" and drop.points == pytest.approx(100 * (drop.float32 - drop.int8))
    assert json.loads((tmp_path / "out" / "build.json").read_text())["int8"]["measured_on"] == "40 test examples"


def test_int8_that_differs_in_a_bit_is_not_met(tmp_path, learnt, monkeypatch):
    monkeypatch.setattr(Echo, "off", 1e-7)
    assert not build(learnt[0], "echo", folder=tmp_path / "out", int8=True, program=learnt[1], allow_drop=100).met


def test_int8_that_loses_too_much_is_refused(tmp_path, learnt, monkeypatch):
    binary, program = learnt
    wrong = dataclasses.replace(program.examples, targets=1 - program.examples.targets)
    monkeypatch.setattr(integers, "evaluate", lambda graph, inputs: [np.eye(2, dtype=np.float32)[wrong.split("test").targets]])
    with pytest.raises(TacitError, match=r"expected int8 to lose at most 0.3 points, got \d+\.\d\d of accuracy \(1.0000 -> "):
        build(binary, "echo", folder=tmp_path / "out", int8=True, program=dataclasses.replace(program, examples=wrong))
    assert list(tmp_path.iterdir()) == []
    built = build(binary, "echo", folder=tmp_path / "out", int8=True, program=dataclasses.replace(program, examples=wrong), allow_drop=100)
    assert built.integers.worst.points > 0.3


def test_int8_needs_examples(tmp_path, learnt):
    binary, program = learnt
    with pytest.raises(InputError, match="expected a program directory to make int8 of a binary, got none"):
        build(binary, "echo", folder=tmp_path / "out", int8=True)
    none = dataclasses.replace(program.examples, splits=np.full(len(program.examples), "test"))
    with pytest.raises(InputError, match="expected training examples to calibrate int8 on"):
        build(binary, "echo", folder=tmp_path / "out", int8=True, program=dataclasses.replace(program, examples=none))
    two = dataclasses.replace(binary, graphs={**binary.graphs, "other": binary.graphs["main"]})
    with pytest.raises(InputError, match="expected one entry point to make int8 of, got main, other"):
        build(two, "echo", folder=tmp_path / "out", int8=True, program=program)


@pytest.mark.parametrize(
    ("target", "options", "error", "message"),
    [
        ("onx", {}, UnknownName, "expected a known target, got `onx`\ntry: did you mean `onnx`?"),
        ("echo", {"isa": "avx3"}, UnknownName, None),
        ("echo", {"allow_drop": -1}, ConfigError, None),
        ("echo", {"allow_drop": float("nan")}, ConfigError, None),
        ("c", {"triple": "aarch46-linux-musl"}, UnknownName, None),
        ("c", {"isa": "avx3"}, UnknownName, "expected a known instruction set, got `avx3`\ntry: did you mean `avx2`?"),
    ],
)
def test_what_is_not_understood_is_refused_before_any_work(tmp_path, target, options, error, message):
    with pytest.raises(error) as caught:
        build(tmp_path / "nothing.tacit", target, folder=tmp_path / "out", **options)
    assert message is None or str(caught.value) == message
    assert list(tmp_path.iterdir()) == []


def test_options_of_c_are_for_c(tmp_path, monkeypatch):
    monkeypatch.delattr(Echo, "check")
    with pytest.raises(ConfigError, match="expected no triple and tune for the target `echo`\ntry: --target c, or without --triple"):
        build(series_binary(), "echo", folder=tmp_path / "out", triple="cortex-m7", tune=True)


def test_no_compiler_is_told_before_any_work(tmp_path, monkeypatch):
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("tacit.targets.c.toolchain.find_spec", lambda name: None)
    with pytest.raises(MissingPackage, match=r'try: pip install "tacit\[native\]"'):
        build(series_binary(), "c", folder=tmp_path / "out")


def test_wrong_files(tmp_path):
    (tmp_path / "a.tacit").write_text("x")
    with pytest.raises(FormatError):
        build(tmp_path / "a.tacit", "echo", folder=tmp_path / "out")
    with pytest.raises(InputError, match="got nothing"):
        build(tmp_path / "b.tacit", "echo", folder=tmp_path / "out")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("x")
    with pytest.raises(TacitError, match="got a folder of other things"):
        build(series_binary(), "echo", folder=tmp_path / "full")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tacit", "full"]


def test_an_error_in_the_middle_leaves_the_former_build(tmp_path, monkeypatch):
    build(series_binary(), "echo", folder=tmp_path / "out")
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}

    def fail(*arguments: object) -> None:
        raise MissingPackage("gone")

    monkeypatch.setattr(Echo, "run", fail)
    with pytest.raises(MissingPackage):
        build(series_binary(), "echo", folder=tmp_path / "out")
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_two_builds_of_one_binary_are_the_same(tmp_path):
    for name in ("first", "second"):
        build(series_binary(), "c", folder=tmp_path / name)
    contents = [{path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("first", "second")]
    assert contents[0] == contents[1]


def test_it_tells_what_it_does(tmp_path, learnt):
    phases: list[str] = []

    class Listening(Reporter):
        def phase(self, name: str) -> None:
            phases.append(name)

    build(learnt[0], "echo", folder=tmp_path / "out", int8=True, program=learnt[1], allow_drop=100, reporter=Listening())
    wanted = ["measuring float32", "calibrating int8", "measuring int8", "writing echo", "checking parity on 40 examples"]
    assert [phase for phase in phases if phase in wanted] == wanted


def test_the_drop_of_every_goal_counts():
    signature = Image(2, 2, 1) >> Class("a", "b")
    targets = np.array([0, 0, 1, 1])
    test = Examples(signature, np.arange(4).astype(str), (np.zeros((4, 2, 2, 1)),), targets, np.full(4, "test"))
    right = np.eye(2, dtype=np.float32)[targets]
    wrong = np.eye(2, dtype=np.float32)[[0, 0, 1, 0]]
    drop = integers._drop(Goal("accuracy"), right, wrong, test)
    assert (drop.metric, drop.float32, drop.int8, drop.points) == ("accuracy", 1.0, 0.75, 25.0)
    assert integers._drop(Goal("recall", label="b"), right, wrong, test).points == 50.0
    assert integers._drop(Goal("log_loss"), right, wrong, test).points > 0, "less is better"


def test_builder_names_are_those_of_the_root():
    assert tacit.build is builder.build
