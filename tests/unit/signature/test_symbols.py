import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tacit.ground.errors import ConfigError, InputError
from tacit.signature.edits import edits
from tacit.signature.symbols import Symbols
from tacit.signature.types import from_json

ANSWER = Symbols("yes", "no", steps=6)
LETTERS = st.lists(st.sampled_from("abc"), max_size=4)


def test_text_and_list_are_one_label():
    for label in ("no yes no", ["no", "yes", "no"], ("no", "yes", "no"), np.array(["no", "yes", "no"])):
        assert ANSWER.label(ANSWER.encode(label)) == "no yes no"
    assert ANSWER.encode("no").tolist() == [1, -1, -1]
    assert ANSWER.label(ANSWER.encode([])) == ANSWER.label(ANSWER.encode("")) == ""
    assert Symbols("3", "1", steps=3).label(Symbols("3", "1", steps=3).encode(3)) == "3"


def test_all_wrong_names_are_named_at_once():
    with pytest.raises(InputError) as caught:
        ANSWER.encode("yes nope yes maybe")
    assert "`nope`" in str(caught.value)
    assert "`maybe`" in str(caught.value)
    with pytest.raises(InputError, match="at most 3 names, as 6 steps can hold, got 4"):
        ANSWER.encode("no no no no")
    with pytest.raises(InputError, match="text of names"):
        ANSWER.encode(None)


def test_fields_are_checked_and_kept():
    assert from_json(ANSWER.to_json()) == ANSWER
    assert eval(repr(ANSWER)) == ANSWER
    with pytest.raises(ConfigError, match="without spaces"):
        Symbols("a b", steps=3)
    with pytest.raises(ConfigError, match=r"Symbols\.steps"):
        Symbols("a", steps=0)


@pytest.mark.parametrize(
    "path, wanted, begins",
    [
        ("--1-0-", "no yes", [2, 4]),
        ("111100", "no yes", [0, 4]),
        ("11-1--", "no no", [0, 3]),
        ("------", "", []),
        ("010101", "yes no " * 3, range(6)),
    ],
)
def test_the_best_path_merges_repeats(path, wanted, begins):
    scores = np.eye(3, dtype=np.float32)[[{"0": 0, "1": 1, "-": 2}[step] for step in path]]
    assert ANSWER.decode(scores.ravel()) == wanted.strip()
    assert ANSWER.best_path(scores.ravel())[1].tolist() == list(begins)


def test_any_label_that_is_taken_has_a_path():
    full = ["no"] * ANSWER.longest
    assert len(ANSWER.encode(full)) == 3
    assert ANSWER.decode(np.eye(3)[[1, 2, 1, 2, 1, 2]].ravel()) == " ".join(full)


def fewest(wanted, given):
    """Try every way to keep some names of both in order."""
    best = len(wanted) + len(given)
    for kept in range(min(len(wanted), len(given)) + 1):
        for ones in itertools.combinations(range(len(wanted)), kept):
            for others in itertools.combinations(range(len(given)), kept):
                changed = sum(wanted[one] != given[other] for one, other in zip(ones, others, strict=True))
                best = min(best, changed + len(wanted) + len(given) - 2 * kept)
    return best


@given(LETTERS, LETTERS)
def test_edits_are_the_fewest(wanted, given_names):
    substitutions, deletions, insertions = edits(wanted, given_names)
    assert substitutions + deletions + insertions == fewest(wanted, given_names)
    assert len(wanted) - deletions + insertions == len(given_names)


def test_edits_are_those_of_jiwer():
    jiwer = pytest.importorskip("jiwer")
    generator = np.random.default_rng(0)
    for _ in range(200):
        wanted, heard = ([str(one) for one in generator.integers(4, size=generator.integers(1, 9))] for _ in range(2))
        counted = jiwer.process_words(" ".join(wanted), " ".join(heard))
        assert sum(edits(wanted, heard)) == counted.substitutions + counted.deletions + counted.insertions
