from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from tacit.binary.binary import Binary
from tacit.binary.probes import record_probes
from tacit.directory.making import new_program
from tacit.directory.reading import read_program
from tacit.ground.errors import ConfigError, FormatError, InputError
from tacit.instruments import expectations, testing
from tacit.instruments.layout import plain
from tacit.ir.builder import GraphBuilder
from tacit.ir.graph import Axes, Index, View, contiguous
from tacit.signature.base import Signature
from tests.unit.binary.small_programs import series_binary


@pytest.fixture(scope="module")
def shapes(tmp_path_factory) -> Path:
    """A program directory of rectangles with a compiled binary that is always right."""
    folder = tmp_path_factory.mktemp("shapes")
    random = np.random.default_rng(0)
    sides = random.uniform(1, 9, (200, 2)).round(3)
    lines = ["width,height,kind", *(f"{width},{height},{'tall' if height > width else 'wide'}" for width, height in sides)]
    (folder / "shapes.csv").write_text("\n".join(lines) + "\n")
    directory = new_program(folder / "shapes", source=folder / "shapes.csv", label="kind")
    program = read_program(directory)
    binary = shape_binary(program.signature)
    probes = record_probes(binary, [array[:2] for array in program.examples.inputs])
    labels = {"digest": program.examples.labels_digest}
    dataclasses.replace(binary, evidence={"name": "shapes", "probes": probes, "labels": labels}).save(directory / "shapes.tacit")
    return directory


def shape_binary(signature: Signature, *, right: bool = True) -> Binary:
    """Score `tall` by the height and `wide` by the width, or the other way round."""
    builder = GraphBuilder()
    numbers = builder.add_input("numbers", (2,))
    builder.add_input("present", (2,))
    scores = builder.add_output("scores", (2,))
    by_name = {"tall": signature.input.numbers.index("height"), "wide": signature.input.numbers.index("width")}
    weights = np.zeros((2, 2), np.float32)
    for column, name in enumerate(signature.output.names):
        weights[by_name[name] if right else 1 - by_name[name], column] = 1
    w = builder.add_weight("w", weights)
    builder.matmul(contiguous(scores), contiguous(numbers), contiguous(w), axes=Axes(0, 0, 1, 1))
    return Binary({"main": builder.finish()}, signature, evidence={"name": "shapes"})


def with_tests(directory: Path, text: str) -> None:
    (directory / "tests.toml").write_text(text)


def checks(verdict: testing.Verdict) -> list[tuple[str, str, bool]]:
    return [(check.kind, check.got, check.met) for check in verdict.checks]


def test_a_directory_is_held_to_its_goals_pins_and_invariances(shapes):
    (shapes / "tacit.toml").write_text((shapes / "tacit.toml").read_text() + "\n[goal.classes.tall]\nrecall = 0.9\n")
    example = str(read_program(shapes).examples.ids[0])
    answer = read_program(shapes).signature.output.label(read_program(shapes).examples.targets[0])
    with_tests(
        shapes,
        f"""
[[pinned]]
input = {{width = 1, height = 5}}
expect = "tall"
[[pinned]]
id = "{example}"
expect = "{answer}"
[[invariance]]
transform = "noise"
amount = 0.0001
agree = 0.9
split = "train"
examples = 50
""",
    )
    verdict = testing.test(shapes)
    assert verdict.met, plain(verdict.parts())
    assert [kind for kind, _, _ in checks(verdict)] == ["goal", "pinned", "pinned", "invariance", "probe"]
    assert verdict.scores["test"]["accuracy"] == 1.0 and "of 50" in checks(verdict)[3][1]
    assert json.loads(json.dumps(verdict.to_json()))["met"] is True
    assert "all 5 checks met" in plain(verdict.parts()) and "per class, on test" in plain(verdict.parts())


def test_every_kind_of_check_can_fail(shapes):
    with_tests(
        shapes,
        """
[[pinned]]
input = {width = 1, height = 5}
expect = "wide"
[[invariance]]
transform = "noise"
amount = 50.0
agree = 1.0
""",
    )
    program = read_program(shapes, overrides={"goal.accuracy": "0.9"})
    wrong = shape_binary(program.signature, right=False)
    probes = record_probes(shape_binary(program.signature), [array[:2] for array in program.examples.inputs])
    verdict = testing.test(dataclasses.replace(wrong, evidence={"name": "wrong", "probes": probes}), against=program)
    assert not verdict.met
    found = {check.kind: check for check in verdict.checks}
    assert not found["goal"].met and found["goal"].got == "0.0000"
    assert found["pinned"].met, "the wrong binary says wide"
    assert not found["invariance"].met and not found["probe"].met
    right = testing.test(shape_binary(program.signature), against=program)
    assert [check.met for check in right.checks if check.kind == "pinned"] == [False]
    assert "NOT MET" in plain(verdict.parts())


def test_a_file_in_its_program_directory_is_held_to_it(shapes):
    with_tests(shapes, "")
    verdict = testing.test(shapes / "shapes.tacit")
    assert "in which it lies" in verdict.notes[0] and "test" in verdict.scores


def test_a_file_alone_is_held_to_its_evidence(shapes, tmp_path):
    (tmp_path / "alone.tacit").write_bytes((shapes / "shapes.tacit").read_bytes())
    verdict = testing.test(tmp_path / "alone.tacit")
    assert [kind for kind, _, _ in checks(verdict)] == ["probe"] and verdict.met and "--in DIR" in verdict.notes[0]
    assert len(testing.test(tmp_path / "alone.tacit", against=shapes).checks) >= 1


def test_changed_labels_are_said(shapes):
    program = read_program(shapes)
    binary = dataclasses.replace(shape_binary(program.signature), evidence={"labels": {"digest": "other"}})
    assert "labels have changed" in testing.test(binary, against=program).notes[0]


def test_a_binary_of_another_signature_is_refused(shapes):
    with pytest.raises(InputError, match="expected a binary for"):
        testing.test(series_binary(), against=shapes)


def test_a_directory_without_a_binary_says_what_to_do(shapes, tmp_path):
    directory = new_program(tmp_path / "fresh", source=shapes.parent / "shapes.csv", label="kind")
    with pytest.raises(InputError, match="tacit compile"):
        testing.test(directory)
    shape_binary(read_program(directory).signature).save(directory / "other.tacit")
    assert testing.test(directory).scores
    (directory / "fresh.tacit").write_bytes(b"nonsense")
    with pytest.raises(FormatError):
        testing.test(directory)


def test_texts_are_changed_as_the_person_wrote_them(tmp_path):
    words = ["free", "prize", "meet", "lunch", "call", "tomorrow"]
    random = np.random.default_rng(0)
    texts = [" ".join(random.choice(words, 5)) + f" {number}" for number in range(120)]
    lines = ["text,kind", *(f"{text},{'spam' if 'prize' in text else 'ham'}" for text in texts)]
    (tmp_path / "sms.csv").write_text("\n".join(lines) + "\n")
    directory = new_program(tmp_path / "sms", source=tmp_path / "sms.csv", label="kind")
    with_tests(
        directory, '[[invariance]]\ntransform = "upper"\nagree = 0.99\nsplit = "train"\n[[invariance]]\ntransform = "spaces"\nagree = 1.0\n'
    )
    program = read_program(directory)
    found = {check.name: check for check in testing.test(embedding_binary(program.signature), against=program).checks}
    assert found["spaces 1"].met, "spaces are no tokens"
    assert not found["upper 1"].met, "the shape of a word is a piece of it"


def embedding_binary(signature: Signature) -> Binary:
    """Sum one random row per piece; answers depend on every piece."""
    (spec,) = signature.input.arrays
    builder = GraphBuilder()
    pieces, scores = builder.add_input("pieces", spec.shape, dtype="int32"), builder.add_output("scores", (2,))
    values = np.random.default_rng(0).normal(size=(spec.limit, 2)).astype(np.float32)
    table, one = builder.add_weight("table", values), builder.add_weight("one", np.ones(1))
    rows = View(table.name, 0, (*spec.shape, 2), (0, 0, 1), Index(pieces.name, 0, (spec.shape[1], 1, 0), 2, spec.limit))
    builder.matmul(contiguous(scores), View(one.name, 0, spec.shape, (0, 0)), rows, axes=Axes(0, 0, 1, 2))
    return Binary({"main": builder.finish()}, signature)


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("[[pin]]\ninput = 'x'", ["unknown section `pin`", "pinned"]),
        ("[pinned]\ninput = 'x'", ["two brackets"]),
        ("[[pinned]]\ninput = 'x'", ["[[pinned]] 1: expected the answer as `expect`"]),
        ("[[pinned]]\nexpect = 'x'", ["expected `input` or `id`, got neither"]),
        ("[[pinned]]\nexpect = 'x'\nid = 'y'\ninput = 'z'", ["got both"]),
        ("[[pinned]]\nexpct = 'x'\nid = 'y'", ["did you mean `expect`"]),
        ("[[invariance]]\ntransform = 'flip'", ["got `flip`", "type row"]),
        ("[[invariance]]\ntransform = 'noise'\nagree = 2", ["agree from 0 to 1"]),
        ("[[invariance]]\ntransform = 'noise'\nagree = true\n[[pinned]]\nid = 3", ["2 problems", "got True", "got 3"]),
        ("[[invariance", ["expected TOML"]),
    ],
)
def test_every_mistake_in_tests_toml_is_named(tmp_path, text, messages):
    with_tests(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        expectations.read_expectations(tmp_path, kind="row")
    assert all(message in str(caught.value) for message in messages), str(caught.value)


def test_a_pinned_id_that_is_gone_is_named(shapes):
    with_tests(shapes, '[[pinned]]\nid = "0123"\nexpect = "tall"')
    with pytest.raises(InputError, match="0123"):
        testing.test(shapes)


@pytest.mark.parametrize(
    ("answer", "expected", "within", "same"),
    [
        (1.0, 1, 0.0, True),
        (1.0, 1.2, 0.1, False),
        (1.0, 1.2, 0.3, True),
        (["a", "b"], ["b", "a"], 0.0, True),
        (["a"], ["a", "b"], 0.0, False),
        ("4", 4, 0.0, True),
        ({"a": 1.0, "b": "x"}, {"a": 1.05, "b": "x"}, 0.1, True),
        ({"a": 1.0}, {"b": 1.0}, 0.1, False),
    ],
)
def test_answers_are_compared_by_what_they_are(answer, expected, within, same):
    assert testing._same(answer, expected, within) is same


def test_a_pinned_text_may_be_longer_than_a_file_name(tmp_path):
    lines = ["text,kind", *(f"{'win a prize' if n % 2 else 'see you'} {n},{'spam' if n % 2 else 'ham'}" for n in range(40))]
    (tmp_path / "sms.csv").write_text("\n".join(lines) + "\n")
    directory = new_program(tmp_path / "sms", source=tmp_path / "sms.csv", label="kind")
    with_tests(directory, f'[[pinned]]\ninput = "{"长" * 300}"\nexpect = "ham"\n')
    asked = []

    class Asked:
        def __call__(self, value):
            asked.append(value)
            return "ham"

    program = read_program(directory)
    (check,) = testing._expected(Asked(), program, directory)
    assert check.met and asked == ["长" * 300]
