from collections import Counter

import numpy as np
import pytest

from tacit.examples.intake import take_in
from tacit.examples.load import load_examples
from tacit.examples.sources import find_examples
from tacit.examples.splits import SplitRule
from tacit.ground.errors import InputError
from tacit.ground.progress import Reporter
from tacit.signature.image import Image
from tacit.signature.outputs import Class, Number


@pytest.fixture
def taken(folder, classes, tmp_path):
    intake = take_in(find_examples(folder(classes("cat", "dog", each=20))), tmp_path / "program")
    return tmp_path / "program", intake


def test_what_went_in_comes_out(taken, classes):
    directory, intake = taken
    examples = load_examples(directory, intake.signature, rule=intake.rule)
    assert intake.signature == Image(12, 12, 1) >> Class("cat", "dog") and len(examples) == 40
    by_pixels = {
        intake.signature.input.read(content)[0].tobytes(): path.split("/")[0] for path, content in classes("cat", "dog", each=20).items()
    }
    names = [intake.signature.output.names[target] for target in examples.targets]
    assert [by_pixels[pixels.tobytes()] for pixels in examples.inputs[0]] == names
    assert list(examples.ids) == sorted(examples.ids) and examples.groups is None
    assert dict(Counter(examples.splits.tolist())) == intake.counts and min(intake.counts.values()) >= 2


def test_a_second_time_comes_from_the_cache_and_a_harmed_cache_is_rebuilt(taken, monkeypatch):
    directory, intake = taken
    first = load_examples(directory, intake.signature, rule=intake.rule)
    (cached,) = (directory / ".tacit" / "cache").glob("*/0.npy")
    content = cached.read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr("tacit.examples.load.MediaReader", None)  # the media are not read
        second = load_examples(directory, intake.signature, rule=intake.rule)
    assert np.array_equal(first.inputs[0], second.inputs[0]) and first.labels_digest == second.labels_digest
    cached.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    third = load_examples(directory, intake.signature, rule=intake.rule)
    assert np.array_equal(first.inputs[0], third.inputs[0])
    assert cached.read_bytes() == content


def test_adding_examples_moves_none(folder, classes, tmp_path):
    directory = tmp_path / "program"
    intake = take_in(find_examples(folder(classes("cat", "dog", each=15), "one")), directory)
    before = load_examples(directory, intake.signature, rule=intake.rule)
    more = {
        f"{name}/{index + 500}.png": content
        for index, (path, content) in enumerate(classes("cat", "dog", each=40).items())
        for name in [path.split("/")[0]]
    }
    take_in(find_examples(folder(more, "two")), directory)
    after = load_examples(directory, intake.signature, rule=intake.rule)
    assert len(after) == 80
    split = dict(zip(after.ids, after.splits, strict=True))
    assert [split[name] for name in before.ids] == list(before.splits)


def test_a_relabel_changes_the_digest_and_nothing_else(taken):
    directory, intake = taken
    before = load_examples(directory, intake.signature, rule=intake.rule)
    (path,) = (directory / "labels").rglob("*.jsonl")
    path.write_text(path.read_text().replace('"cat"', '"dog"', 1))
    after = load_examples(directory, intake.signature, rule=intake.rule)
    assert (before.targets != after.targets).sum() == 1 and before.labels_digest != after.labels_digest
    assert list(before.splits) == list(after.splits)


def test_an_unknown_class_is_named_with_its_line(taken):
    directory, intake = taken
    (path,) = (directory / "labels").rglob("*.jsonl")
    lines = path.read_text().split("\n")
    lines[4] = lines[4].replace('"cat"', '"cta"').replace('"dog"', '"cta"')
    path.write_text("\n".join(lines))
    with pytest.raises(InputError) as caught:
        load_examples(directory, intake.signature, rule=intake.rule)
    assert f'{path.relative_to(directory)}:5: expected a class of the program, got the label "cta", did you mean `cat`?' in str(
        caught.value
    )


def test_missing_media_are_named(taken):
    directory, intake = taken
    load_examples(directory, intake.signature, rule=intake.rule)  # a cache does not hide that they are gone
    for pack in (directory / "media").iterdir():
        pack.unlink()
    with pytest.raises(InputError) as caught:
        load_examples(directory, intake.signature, rule=intake.rule)
    assert "expected the media of all 40 examples, 40 are missing" in str(caught.value) and "tacit media pull" in str(caught.value)


def test_progress_is_told(taken):
    told = []

    class Listener(Reporter):
        def progress(self, fraction, seconds_left, message=""):
            told.append((fraction, message))

    directory, intake = taken
    load_examples(directory, intake.signature, rule=intake.rule, reporter=Listener())
    assert told[-1] == (1.0, "40 of 40 decoded")


def test_duplicates_and_differing_labels_are_said(folder, classes, picture, tmp_path):
    files = {**classes("cat", "dog"), "cat/again.png": picture(0), "dog/also.png": picture(0)}
    intake = take_in(find_examples(folder(files)), tmp_path / "program")
    assert intake.examples == 16
    assert intake.notes == (
        "2 examples have the same content as an earlier one; each content is kept once",
        "1 of them have another label; the first one's was kept: cat/0.png is cat, dog/also.png is dog",
    )


def test_duplicates_on_both_sides_of_a_given_split_are_said(folder, classes, picture, tmp_path):
    files = {**classes("cat", "dog", below="train/"), "test/cat/1.png": picture(60_000), "test/dog/1.png": picture(1)}
    intake = take_in(find_examples(folder(files)), tmp_path / "program")
    assert (
        intake.notes[-1] == "1 of them are given in two splits; the first one's was kept: test/cat/1.png (test) and train/cat/0.png (train)"
    )


def test_equal_rows_are_kept_and_fall_on_one_side(folder, tmp_path):
    lines = [f"{n % 7},{'xyz'[n % 3]},{'ab'[n % 2]}" for n in range(400)]
    intake = take_in(find_examples(folder({"t.csv": "a,b,label\n" + "\n".join(lines)}) / "t.csv"), tmp_path / "program")
    examples = load_examples(tmp_path / "program", intake.signature, rule=intake.rule)
    assert len(examples) == 400
    sides: dict[bytes, set[str]] = {}
    for row in range(400):
        sides.setdefault(b"".join(array[row].tobytes() for array in examples.inputs), set()).add(examples.splits[row])
    assert len(sides) == 21 and all(len(splits) == 1 for splits in sides.values())


def test_arrays_of_another_dtype_and_scale(tmp_path):
    x = np.random.default_rng(0).integers(0, 17, (40, 8, 8)).astype(np.float64)
    x[0, 0, 0] = 16
    np.savez(tmp_path / "a.npz", x=x, y=np.arange(40) % 2)
    intake = take_in(find_examples(tmp_path / "a.npz"), tmp_path / "program")
    examples = load_examples(tmp_path / "program", intake.signature, rule=intake.rule)
    expected = np.stack([intake.signature.input.read(picture)[0] for picture in x])
    assert examples.inputs[0].max() == 255
    assert sorted(array.tobytes() for array in examples.inputs[0]) == sorted(array.tobytes() for array in expected)


def test_numbers_and_several_labels(folder, tmp_path):
    texts = [f"this is text number {n}" for n in range(40)]
    lines = "\n".join(f"{text},{n * 0.5}" for n, text in enumerate(texts))
    number = take_in(find_examples(folder({"t.csv": f"text,y\n{lines}"}, "a") / "t.csv"), tmp_path / "number")
    examples = load_examples(tmp_path / "number", number.signature, rule=number.rule)
    train = examples.targets[examples.splits == "train"]
    assert number.signature.output.kind == "number" and abs(train.mean()) < 1e-3 and abs(train.std() - 1) < 1e-3
    lines = "\n".join(f"{text},{['a', 'b', 'a;b'][n % 3]}" for n, text in enumerate(texts))
    several = take_in(find_examples(folder({"t.csv": f"text,tags\n{lines}"}, "b") / "t.csv"), tmp_path / "several")
    examples = load_examples(tmp_path / "several", several.signature, rule=several.rule)
    assert several.signature.output.names == ("a", "b") and Counter(map(tuple, examples.targets.tolist())) == {
        (1, 0): 14,
        (0, 1): 13,
        (1, 1): 13,
    }


def test_groups_come_with_the_examples(folder, sound, tmp_path):
    files = {
        f"{digit}_{who}_{take}.wav": sound(1000 * who + 10 * take + int(digit)) for digit in "01" for who in range(8) for take in range(3)
    }
    intake = take_in(find_examples(folder(files), label="{label}_{group}_{}"), tmp_path / "program")
    examples = load_examples(tmp_path / "program", intake.signature, rule=intake.rule)
    assert intake.rule.by == "group" and set(examples.groups) == {str(who) for who in range(8)}
    assert all(len(set(examples.splits[examples.groups == group])) == 1 for group in set(examples.groups))


def test_the_rule_may_be_left_out(taken):
    directory, intake = taken
    assert list(load_examples(directory, intake.signature).splits) == list(
        load_examples(directory, intake.signature, rule=SplitRule()).splits
    )


def test_whole_numbers_may_be_made_amounts(folder, tmp_path):
    rows = "\n".join(f"{n},{n * 7 % 30}" for n in range(300))
    intake = take_in(find_examples(folder({"t.csv": "x,y\n" + rows}) / "t.csv"), tmp_path / "program")
    assert intake.signature.output.width == 30
    assert intake.why_output.endswith('. If they are amounts and not kinds: type = "number", mean = 14.5, scale = 8.655, no names')
    signature = intake.signature.input >> Number(mean=14.5, scale=8.655)
    examples = load_examples(tmp_path / "program", signature, rule=intake.rule)
    assert abs(float(examples.targets.std()) - 1) < 1e-3
