import itertools
import math

import numpy as np
import pytest
import torch

from tacit.ground.errors import ConfigError
from tacit.search.losses import LOSSES
from tacit.signature.outputs import Class, Number
from tacit.signature.symbols import Symbols

OUTPUT = Symbols("a", "b", steps=5)


def loss(scores, targets, output=OUTPUT, smoothing=0.0):
    return LOSSES.get("ctc")(scores, targets, output=output, smoothing=smoothing, weights=None)


def by_paths(scores, label):
    """Give minus the logarithm of the sum over every path that spells the label, by the names in it."""
    shares = torch.softmax(scores.reshape(OUTPUT.steps, 3), dim=1).numpy()
    total = 0.0
    for path in itertools.product(range(3), repeat=OUTPUT.steps):
        if [name for name, _ in itertools.groupby(path) if name != 2] == label:
            total += math.prod(shares[step, name] for step, name in enumerate(path))
    return -math.log(total) / max(1, len(label))


@pytest.mark.parametrize("labels", [["a", "b a"], ["b b", ""], ["a a a", "a b a"]])
def test_it_sums_over_all_paths(labels):
    scores = torch.randn(2, OUTPUT.width, generator=torch.Generator().manual_seed(0))
    targets = torch.from_numpy(np.stack([OUTPUT.encode(label) for label in labels]))
    wanted = [by_paths(row, [OUTPUT.names.index(name) for name in label.split()]) for row, label in zip(scores, labels, strict=True)]
    assert float(loss(scores, targets)) == pytest.approx(np.mean(wanted), rel=1e-4)
    assert torch.equal(loss(scores, targets.float()), loss(scores, targets))  # as columns hold what is no class


def test_the_longest_label_has_a_finite_loss_and_a_slope():
    scores = torch.zeros(1, OUTPUT.width, requires_grad=True)
    value = loss(scores, torch.from_numpy(OUTPUT.encode("a a a"))[None])
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(scores.grad).all()
    assert scores.grad.abs().sum() > 0


def test_smoothing_pulls_towards_equal_shares():
    targets = torch.from_numpy(OUTPUT.encode("a"))[None]
    sure = torch.zeros(1, OUTPUT.steps, 3)
    sure[..., 2] = 20.0
    sure[:, 1, 0] = 40.0
    assert float(loss(sure.flatten(1), targets)) < 1e-3
    assert float(loss(sure.flatten(1), targets, smoothing=0.1)) > 1.0


def test_it_is_part_of_a_joint_loss():
    output = OUTPUT * Number()
    scores = torch.randn(3, output.width, generator=torch.Generator().manual_seed(1))
    targets = torch.from_numpy(np.stack([output.encode((label, 1.0)) for label in ("a", "b a", "")]))
    own = loss(scores[:, : OUTPUT.width], targets[:, : OUTPUT.longest])
    whole = LOSSES.get("joint")(scores, targets, output=output, smoothing=0.0, weights=None)
    assert float(whole) > float(own) > 0


def test_another_output_is_refused():
    with pytest.raises(ConfigError, match="symbols"):
        loss(torch.zeros(1, 2), torch.zeros(1), output=Class("a", "b"))
