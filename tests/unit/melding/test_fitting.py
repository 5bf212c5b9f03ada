import pytest

from tacit.ground.errors import InputError
from tacit.melding.fitting import fit, same_output
from tacit.signature.image import Image
from tacit.signature.outputs import Class, Labels, Number
from tacit.signature.row import Row
from tacit.signature.series import Series
from tacit.signature.text import Text
from tacit.signature.vector import Vector

DIGIT = Class(tuple(map(str, range(3))))
ACT = Class("go", "stop")
PICTURE = Image(4, 4, 1)


def described(signatures, names, joint):
    return fit(signatures, names, joint).describe(signatures, names)


def test_a_class_becomes_a_category_and_a_part_is_used_for_each_input_of_its_type():
    row = Row(categories=(("image2", DIGIT.names), ("image1", DIGIT.names)))
    assert described([PICTURE >> DIGIT, row >> ACT], ["see", "act"], (PICTURE * PICTURE) >> ACT) == [
        "see_image1: see of the input `image1`",
        "see_image2: see of the input `image2`",
        "act: act of see_image2 as shares of a category, see_image1 as shares of a category",
    ]


def test_the_order_in_which_programs_are_named_does_not_matter():
    row = Row(categories=(("digit", DIGIT.names),))
    wiring = fit([row >> ACT, PICTURE >> DIGIT], ["act", "see"], PICTURE >> ACT)
    assert [use.part for use in wiring.uses] == [1, 0]


@pytest.mark.parametrize(
    ("output", "target", "ways"),
    [
        (DIGIT, Row(numbers=("digit",)), ["value"]),
        (DIGIT, Row(numbers=("0", "1", "2")), ["numbers"]),
        (Class("a", "b"), Row(numbers=("see_a", "see_b")), ["numbers"]),
        (Number(3.0, 2.0), Row(numbers=("price",)), ["numbers"]),
        (Number() * Number(), Row(numbers=("x", "y")), ["numbers", "numbers"]),
        (Number() * DIGIT, Row(numbers=("x",), categories=(("kind", DIGIT.names),)), ["numbers", "category"]),
        (Labels("a", "b", "c"), Vector(3), ["numbers"]),
        (Number() * Number() * Number() * Number(), Series(2, 2), ["numbers"] * 4),
    ],
)
def test_outputs_fit_rows_vectors_and_series(output, target, ways):
    wiring = fit([PICTURE >> output, target >> ACT], ["see", "act"], PICTURE >> ACT)
    (given,) = wiring.uses[1].inputs
    assert [item.way for item in given] == ways


def test_a_program_can_read_inputs_of_the_whole_beside_what_others_give():
    decide = (Vector(3) * Text(4, 8)) >> ACT
    wiring = fit([PICTURE >> DIGIT, decide], ["see", "act"], (PICTURE * Text(4, 8)) >> ACT)
    shares, text = wiring.uses[1].inputs
    assert text.name == "text" and [item.way for item in shares] == ["numbers"]


def test_side_by_side_the_outputs_together_are_the_joint_one():
    wiring = fit([PICTURE >> ACT, PICTURE >> DIGIT], ["one", "two"], PICTURE >> (DIGIT * ACT))
    assert wiring.ends == (1, 0)


@pytest.mark.parametrize(
    ("signatures", "joint", "said"),
    [
        (
            [PICTURE >> DIGIT, Row(categories=(("colour", ("red", "blue")),)) >> ACT],
            PICTURE >> ACT,
            "`b` reads Row(0 numbers, 1 categories): a row of 0 numbers and 1 categories: colour, and there is the input `image`",
        ),
        ([PICTURE >> DIGIT, Vector(4) >> ACT], PICTURE >> ACT, 'what `a` gives: Class("0", "1", "2")'),
        ([PICTURE >> DIGIT, Vector(3) >> ACT], PICTURE >> Class("yes", "no"), 'expected programs that end in Class("yes", "no")'),
        ([Series(1, 3) >> DIGIT, Vector(3) >> ACT], PICTURE >> ACT, "expected programs whose inputs are at hand (2 problems)"),
        ([PICTURE >> DIGIT, Vector(3) >> ACT], (PICTURE * Text(4, 8)) >> ACT, "nothing reads the input `text`"),
        (
            [Vector(1) >> Number(), Series(1, 1) >> Number()],
            PICTURE >> Number(),
            "expected programs one of which reads the joint program's input, got a cycle: `a` >> `b` >> `a`",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_what_would(signatures, joint, said):
    with pytest.raises(InputError) as error:
        fit(signatures, ["a", "b"], joint)
    assert said in str(error.value) and "try:" in str(error.value)


def test_classes_are_the_same_in_any_order_and_numbers_in_any_scale():
    assert same_output(Class("a", "b"), Class("b", "a")) and same_output(Number(1.0, 2.0), Number())
    assert not same_output(Class("a", "b"), Labels("a", "b")) and not same_output(Class("a", "b"), Class("a", "c"))
