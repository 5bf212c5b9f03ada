"""The algebra of types, their JSON, and what every row of the table has to keep."""

import json
import subprocess
import sys

import numpy as np
import pytest

from tacit.ground.errors import ConfigError, InputError, UnknownName
from tacit.signature.audio import Audio
from tacit.signature.base import InputType, Joint, OutputType, Product, Signature
from tacit.signature.board import Board
from tacit.signature.image import Image
from tacit.signature.outputs import Class, Labels, Number
from tacit.signature.row import Row
from tacit.signature.series import Series
from tacit.signature.symbols import Symbols
from tacit.signature.text import Text
from tacit.signature.types import TYPES, describe, from_json, signature_from_json
from tacit.signature.vector import Vector

#: One of each row of the table, with a value or label that it takes.
SAMPLES = {
    "image": (Image(4, 4, 3, fit="pad", white=16), np.ones((8, 4))),
    "audio": (Audio(8000, 10), np.ones(5)),
    "series": (Series(2, 3, fit="last"), [[1.0, 2.0], [3.0, 4.0]]),
    "text": (Text(5, 100, pieces=4), "hello there"),
    "row": (Row(numbers=("a",), categories=(("b", ("x", "y")),), fill=(0.5,)), {"a": 1, "b": "y"}),
    "vector": (Vector(2, names=("place", "speed")), {"place": 1.0, "speed": 2.0}),
    "board": (Board(2, 3, 3), np.zeros((2, 3, 3))),
    "product": (
        Product((Image(4, 4, 1), Text(5, 100), Image(2, 2, 1)), ("front", "note", "back")),
        (np.ones((4, 4)), "a", np.ones((2, 2))),
    ),
    "class": (Class("cat", "dog"), "dog"),
    "number": (Number(3.0, 2.0, "mm"), 5.0),
    "labels": (Labels("a", "b"), ["b"]),
    "symbols": (Symbols("a", "b", steps=5), "b a a"),
    "joint": (Class("cat", "dog") * Number(1.0, 2.0), {"class": "dog", "number": 5.0}),
}


def message(work, error=ConfigError):
    with pytest.raises(error) as caught:
        work()
    return str(caught.value)


def test_there_is_a_sample_of_every_type():
    assert set(SAMPLES) == set(TYPES)


@pytest.mark.parametrize("kind", SAMPLES)
def test_every_type_keeps_its_contract(kind):
    type_, value = SAMPLES[kind]
    assert type_.kind == kind
    again = from_json(json.loads(json.dumps(type_.to_json())))
    assert again == type_ and hash(again) == hash(type_) and repr(again) == repr(type_) and len(repr(type_)) < 100
    assert describe(type_) == type_.describe() and "\n" not in describe(type_)
    if isinstance(type_, InputType):
        arrays = type_.read(value)
        assert len(arrays) == len(type_.arrays) and type_.skeleton
        for array, spec in zip(arrays, type_.arrays, strict=True):
            assert array.shape == spec.shape and array.dtype == spec.dtype and len(spec.axes) == len(spec.shape)
            assert spec.normalise is None or set(spec.normalise) <= set(spec.axes)
            assert (spec.limit is not None) == (spec.dtype == "int32")
            assert spec.limit is None or (array.min() >= 0 and array.max() < spec.limit)
        shown = type_.show(arrays)
        assert shown and "\n" not in shown
        assert all(spec.normalise is not None for spec in type_.numeric_arrays)
    if isinstance(type_, OutputType):
        target = type_.encode(value)
        assert target.shape == type_.target.shape and target.dtype == type_.target.dtype
        assert type_.label(target) == value and type_.loss and type_.metric
        assert type_.label(type_.encode(type_.label(target))) == value
        type_.decode(np.zeros(type_.width, np.float32))


def test_what_is_normalised():
    assert [spec.normalise for spec in Image(2, 2, 3).numeric_arrays] == [("channel",)]
    assert [spec.normalise for spec in Audio(8000, 2).numeric_arrays] == [()]
    assert [spec.normalise for spec in Series(2, 2).numeric_arrays] == [("channel",)]
    assert [spec.name for spec in Row(numbers=("a",), categories=(("b", ("c",)),)).numeric_arrays] == ["numbers"]
    assert Text(2, 9).numeric_arrays == ()


def test_operators_and_their_text():
    signature = Image(28, 28, 1) >> Class("cat", "dog")
    assert isinstance(signature, Signature)
    assert str(signature) == repr(signature) == 'Image(28, 28, 1) >> Class("cat", "dog")'
    assert signature_from_json(json.loads(json.dumps(signature.to_json()))) == signature
    three = Image(2, 2, 1) * Row(numbers=("a",)) * Image(2, 2, 1)
    assert three.names == ("image1", "row", "image2") and len(three.parts) == 3
    assert str(three >> Number()) == "Image(2, 2, 1) * Row(1 numbers, 0 categories) * Image(2, 2, 1) >> Number()"
    assert [spec.name for spec in three.arrays] == ["image1.pixels", "row.numbers", "row.present", "image2.pixels"]


def test_a_product_takes_a_tuple_or_a_dict():
    pair = Image(1, 1, 1) * Row(numbers=("a",))
    by_place, by_name = pair.read((np.zeros((1, 1)), {"a": 3})), pair.read({"row": {"a": 3}, "image": np.zeros((1, 1))})
    assert all(np.array_equal(one, other) for one, other in zip(by_place, by_name, strict=True))
    assert pair.divide(["p", "n", "m"]) == (("p",), ("n", "m"))
    assert message(lambda: pair.read((1, 2, 3)), InputError) == "expected a tuple of 2 values (image, row) or a dict, got a tuple of 3"
    assert message(lambda: pair.read({"imagine": 1, "row": 2}), InputError) == (
        "expected a dict with `image`, `row` (2 problems)\n  - unknown part `imagine`, did you mean `image`?\n  - missing part `image`"
    )
    assert message(lambda: pair.read((b"", {"a": "x"})), InputError) == (
        "expected a grey picture, 1 rows x 1 columns; and a row of 1 numbers and 0 categories: a (2 problems)\n"
        "  - `image`: expected a picture, got an empty file - at 0 bytes\n"
        "  - `row`: expected a row of this program's columns (1 problem)\n"
        '  - column `a`: expected a number, got the string "x"'
    )


def test_a_joint_output_divides_scores_and_targets():
    joint = Class("cat", "dog") * Labels("a", "b") * Number(10.0, 2.0)
    assert joint.width == 5 and joint.target.shape == (4,)
    targets = np.stack([joint.encode(("dog", ["a"], 12)), joint.encode({"class": "cat", "labels": [], "number": 8})])
    classes, labels, numbers = joint.divide_targets(targets)
    assert classes.tolist() == [1, 0] and classes.dtype == np.int64
    assert labels.tolist() == [[1, 0], [0, 0]] and numbers.tolist() == [[1.0], [-1.0]]
    assert joint.decode(np.array([0, 1, 1, -1, 0.5])) == {"class": "dog", "labels": ["a"], "number": 11.0}
    assert [piece.shape for piece in joint.divide_scores(np.zeros((7, 5)))] == [(7, 2), (7, 2), (7, 1)]


def test_many_values_are_read_at_once_and_all_problems_are_named():
    pixels = Image(2, 2, 1).read_all([np.zeros((2, 2)), np.ones((2, 2))])[0]
    assert pixels.shape == (2, 2, 2, 1) and pixels[1].min() == 255
    assert Image(2, 2, 1).read_all([])[0].shape == (0, 2, 2, 1)
    assert message(lambda: Image(2, 2, 1).read_all([np.zeros((2, 2)), b"", 3]), InputError) == (
        "expected values of the type Image(2, 2, 1) (2 problems)\n"
        "  - value 1: expected a picture, got an empty file - at 0 bytes\n"
        "  - value 2: expected a picture, got the number 3"
    )
    assert "\n  - row 7: " in message(lambda: Image(2, 2, 1).read_all([b""], names=["row 7"]), InputError)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (3, 'expected a type such as {"type": "image", ...}, got the number 3'),
        ({"height": 3}, 'expected a type such as {"type": "image", ...}, got a dict of 1'),
        (
            {"type": "image", "height": 3, "with": 3, "channels": 1},
            "expected the fields of the type `image` (2 problems)\n"
            "  - unknown field `with`, did you mean `width`?\n  - missing field `width`",
        ),
        ({"type": "product", "parts": 3}, "expected a list of types, got the number 3 - at `product.parts`"),
        (
            {"type": "product", "parts": [{"type": "number"}]},
            "expected the parts of a product to be input types, got an output type among them",
        ),
        ({"type": "joint", "parts": [{"type": "number"}]}, "expected at least two parts, got 1 - at a product of types"),
        (
            {"type": "joint", "parts": [{"type": "number"}] * 2, "names": ["a", "a"]},
            "expected 2 different names, got a, a - at a product of types",
        ),
        (
            {"type": "product", "parts": [{"type": "text", "length": 1, "buckets": 2}] * 2, "nams": []},
            "expected the fields of the type `product` (1 problem)\n  - unknown field `nams`, did you mean `names`?",
        ),
    ],
)
def test_types_that_are_refused(value, said):
    assert message(lambda: from_json(value)) == said


def test_signatures_that_are_refused():
    image, number = Image(1, 1, 1).to_json(), Number().to_json()
    assert message(lambda: from_json({"type": "imge"}), UnknownName) == "expected a known type, got `imge`\ntry: did you mean `image`?"
    assert message(lambda: signature_from_json({"input": image})) == 'expected a signature {"input": ..., "output": ...}, got a dict of 1'
    assert message(lambda: signature_from_json({"input": number, "output": number})) == (
        "expected an input type, got the output type `number` - at `signature.input`"
    )
    assert message(lambda: signature_from_json({"input": image, "output": image})) == (
        "expected an output type, got the input type `image` - at `signature.output`"
    )
    assert message(lambda: signature_from_json({"input": image, "output": number, "outputs": 1})) == (
        "expected `input` and `output`, got `outputs`\ntry: did you mean `output`?"
    )
    assert message(lambda: Image(1, 1, 1) >> "cat") == (  # type: ignore[operator]
        'expected an output type on the right of `>>`, got the string "cat" - at `Image(1, 1, 1) >> ...`\n'
        'try: `Image(28, 28, 1) >> Class("cat", "dog")`'
    )
    assert message(lambda: Image(1, 1, 1) * Number()) == (  # type: ignore[operator]
        "expected an input type on both sides of `*`, got a `Number` - at `Image(1, 1, 1) * ...`"
    )
    assert message(lambda: Number() * Image(1, 1, 1)) == (  # type: ignore[operator]
        "expected an output type on both sides of `*`, got a `Image` - at `Number() * ...`"
    )
    assert isinstance(Number() * Number(), Joint)


def test_importing_the_types_is_quick_and_needs_numpy_and_pillow_alone():
    program = (
        "import sys, time, numpy\n"
        "start = time.process_time()\n"
        "import tacit.signature.types, tacit.signature.outputs, tacit.signature.row, tacit.signature.text, tacit.signature.audio\n"
        "took = time.process_time() - start\n"
        "heavy = {'torch', 'sklearn', 'scipy', 'pyarrow', 'PIL', 'rich', 'typer'} & set(sys.modules)\n"
        "print(sorted(heavy), took)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    heavy, took = done.rsplit("]", 1)
    assert heavy + "]" == "[]" and float(took) < 0.3, done
