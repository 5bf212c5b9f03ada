import pytest

from tacit.examples.found import Item
from tacit.examples.labels import settle


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
