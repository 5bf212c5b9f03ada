import itertools

import numpy as np
import pytest

from tacit.binary.drivers import DRIVERS
from tacit.binary.spelling import prefix_beam
from tacit.ground.errors import ConfigError
from tacit.signature.audio import Audio
from tacit.signature.outputs import Class
from tacit.signature.symbols import Symbols


class Fixed:
    """What gives the same scores to every example."""

    def __init__(self, output, scores):
        self.signature = Audio(8000, 4) >> output
        self.scores = np.asarray(scores, np.float32)

    def run(self, arrays, entry="main"):
        return [np.repeat(self.scores.reshape(1, -1), len(arrays[0]), axis=0)]


def most_probable(scores):
    """Add up every path of every sequence."""
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    nothing = scores.shape[1] - 1
    sums = {}
    for path in itertools.product(range(nothing + 1), repeat=len(scores)):
        spelled = tuple(name for name, _ in itertools.groupby(path) if name != nothing)
        sums[spelled] = sums.get(spelled, 0.0) + float(np.prod(shares[np.arange(len(path)), path]))
    return max(sums, key=sums.__getitem__)


@pytest.mark.parametrize("seed", range(20))
def test_the_beam_finds_the_most_probable_sequence(seed):
    scores = np.random.default_rng(seed).normal(size=(6, 3))
    assert prefix_beam(scores, width=200) == most_probable(scores)


def test_a_beam_of_one_may_miss_it():
    scores = [np.random.default_rng(seed).normal(size=(6, 3)) for seed in range(20)]
    assert any(prefix_beam(each, width=1) != most_probable(each) for each in scores)


def test_drivers_differ_where_no_path_stands_out():
    output = Symbols("yes", "no", steps=2)
    binary = Fixed(output, np.log([[0.4, 0.05, 0.55], [0.4, 0.05, 0.55]]))
    arrays = [np.zeros((3, 4), np.int16)]
    assert DRIVERS.get("greedy")(binary, arrays) == DRIVERS.get("decode")(binary, arrays) == [""] * 3
    assert DRIVERS.get("beam")(binary, arrays) == ["yes"] * 3  # 0.4 * 0.4 + 2 * 0.4 * 0.55 against 0.55 * 0.55


def test_they_are_for_symbols_alone():
    for driver in ("greedy", "beam"):
        with pytest.raises(ConfigError, match="output of symbols"):
            DRIVERS.get(driver)(Fixed(Class("a", "b"), [0, 1]), [np.zeros((1, 4), np.int16)])
