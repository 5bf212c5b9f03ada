import pytest

from tacit.examples.conforming import conform
from tacit.examples.found import Item
from tacit.examples.labels import settle
from tacit.ground.errors import InputError
from tacit.signature.symbols import Symbols


def items(*labels: object) -> list[Item]:
    return [Item(f"line {number}", "text", label) for number, label in enumerate(labels, 2)]


@pytest.mark.parametrize(
    ("labels", "kind", "names"),
    [
        (["b", "a", "b", "a"], "Class", ("a", "b")),
        (["10", "9", "10", "9"], "Class", ("9", "10")),
        ([0, 1, 2] * 10, "Class", ("0", "1", "2")),
        ([1.0, 2.0] * 5, "Class", ("1", "2")),
        ([True, False] * 5, "Class", ("False", "True")),
        (["none", "-", "+"] * 5, "Class", ("+", "-", "none")),
        ([0.5, 1.5, 2.5], "Number", ()),
        (["0.5", "1"], "Number", ()),
        (list(range(100)), "Number", ()),
        ([["a", "b"], [], ["b"]], "Labels", ("a", "b")),
        (["a;b", "b", "a; c"] * 2, "Labels", ("a", "b", "c")),
    ],
)
def test_kinds(labels: list[object], kind: str, names: tuple[str, ...]):
    settled, problems = settle(items(*labels))
    assert (settled.kind, settled.names, problems) == (kind, names, [])
    assert len(settled.values) == len(labels)


def test_values_as_stored():
    assert settle(items("a;b", "b", "b;a", "a"))[0].values == [["a", "b"], ["b"], ["a", "b"], ["a"]]
    assert settle(items(3.0, "4", 3, 4))[0].values == ["3", "4", "3", "4"]
    assert settle(items("1.5", "2", 3))[0].values == [1.5, 2.0, 3.0]


def test_named_integers():
    settled, _ = settle(items(0, 2, 0, 2), ("cat", "dog", "cow"))
    assert settled.values == ["cat", "cow", "cat", "cow"] and settled.names == ("cat", "cow")


def test_folders_are_names_whatever_they_look_like():
    settled, problems = settle(items("nan", "1;2", "nan", "1;2"), names_only=True)
    assert settled.names == ("1;2", "nan") and not problems


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["a", None, "b", float("nan"), "", "NaN"], [f"line {line}: the label is missing" for line in (3, 5, 6, 7)]),
        (["a"] * 4, ["expected at least two classes, got one: `a`"]),
        (
            [f"name {number}" for number in range(10)],
            ["expected a few classes with several examples each, got 10 different labels in 10 examples"],
        ),
        ([1.5, float("inf")], ["line 3: expected a finite number as label"]),
    ],
)
def test_problems(labels: list[object], expected: list[str]):
    assert settle(items(*labels))[1] == expected


SPOKEN = ["3 1 4", "1 5", "9 2 6 5", "3 5", "8 9", "7 9 3 2", "3 8 4", "6 2 6", "4 3 3", "8 3 2 7", "9 5 0", "2 8"]


def test_sequences_of_a_few_names_where_inputs_go_on_in_time():
    settled, problems = settle(items(*SPOKEN, "[]"), spelled=True)
    assert (settled.kind, settled.names, problems) == ("Symbols", tuple("0123456789"), [])
    assert settled.values == [*SPOKEN, ""]
    assert settle(items(*SPOKEN))[1]  # elsewhere they are too many classes
    lists = settle(items(*(label.split() for label in SPOKEN), []), spelled=True)[0]
    assert (lists.kind, lists.values) == ("Symbols", settled.values)


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        (["new york", "san jose"] * 6, "Class"),  # two classes with a space in them
        ([["a", "b"], ["b"], ["a"]] * 4, "Labels"),  # no name stands twice: several at once, without an order
        (["1", "2", "3"] * 10, "Class"),
        ([1.5, 2.5, 3.5] * 4, "Number"),
    ],
)
def test_other_labels_stay_what_they_are(labels: list[object], kind: str):
    assert settle(items(*labels), spelled=True)[0].kind == kind


def test_folders_are_no_sequences():
    assert settle(items(*SPOKEN), names_only=True, spelled=True)[0].kind == "Class"


def test_conform_to_a_sequence():
    output = Symbols("3", "1", "4", steps=9)
    for value in ("3  1 4", ["3", "1", "4"], [3, 1, 4]):
        assert conform(output, value) == "3 1 4"
    assert conform(output, "[]") == conform(output, []) == ""
    assert conform(output, 4) == "4"
    with pytest.raises(InputError, match="missing"):
        conform(output, "")
    with pytest.raises(InputError, match="`5`"):
        conform(output, "3 5")
