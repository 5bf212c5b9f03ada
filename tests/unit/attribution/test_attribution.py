"""Influence against training again, on a problem that has one solution, and what is kept on disk."""

import numpy as np
import pytest
import torch
from torch import nn

from tacit.attribution.attribution import Attribution, Plan, attribute
from tacit.attribution.directions import answer_directions, answer_margins, pushes
from tacit.attribution.keeping import described, features_path, keep_features, open_features
from tacit.attribution.kernel import exact, through_landmarks
from tacit.examples.examples import Examples
from tacit.search.recipe import Recipe
from tacit.signature.outputs import Class, Labels, Number
from tacit.skeletons.table import skeleton_for
from tests.unit.search.small_task import examples as pictures


def logistic(x: torch.Tensor, y: torch.Tensor, ridge: float, kept: torch.Tensor) -> torch.Tensor:
    """Solve two-class logistic regression with a ridge by Newton's method: float64[feature]."""
    w = torch.zeros(x.shape[1], dtype=torch.float64)
    for _ in range(40):
        p = torch.sigmoid(x[kept] @ w)
        slope = x[kept].T @ (p - y[kept]) + ridge * w
        bend = (x[kept] * (p * (1 - p))[:, None]).T @ x[kept] + ridge * torch.eye(x.shape[1], dtype=torch.float64)
        w = w - torch.linalg.solve(bend, slope)
    return w


def problem():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(60, 5, generator=generator, dtype=torch.float64)
    y = (x @ torch.tensor([1.0, -1.0, 0.5, 0.0, 0.3], dtype=torch.float64) + 0.7 * torch.randn(60, generator=generator) > 0).double()
    return x, y


@pytest.mark.parametrize("through", ["exact", "landmarks"])
def test_influence_is_what_leaving_one_out_does(through):
    x, y = problem()
    ridge, everything = 2.0, torch.arange(60)
    w = logistic(x, y, ridge, everything)
    scores = torch.stack([torch.zeros(60, dtype=torch.float64), x @ w], 1).float()
    push = pushes(scores, y.long(), Class("no", "yes"), smoothing=0.0)
    # The gradient of `scores . direction` in w is direction[1] x.
    gradients = push.direction[:, 1:] * x.float()
    gram = gradients @ gradients.T
    weighted = float((gram.diagonal() * push.curvature.float()).mean())
    damping = ridge / weighted
    if through == "exact":
        operator = exact(gram.clone(), push, damping=damping)
        marks = gradients
    else:
        rows = torch.arange(0, 60, 4)  # 15 landmarks span all five dimensions
        operator = through_landmarks(gram[rows], push, rows, damping=damping)
        marks = gradients[rows]
    query = torch.tensor([[0.3, -0.2, 1.0, 0.5, -1.0]])
    found = (operator.matrix @ (marks @ query[0])) * push.residual.float()
    real = torch.stack([(query[0].double() @ (w - logistic(x, y, ridge, everything[everything != out]))) for out in range(60)])
    assert np.corrcoef(found.numpy(), real.numpy())[0, 1] > 0.99
    assert abs(float(np.polyfit(real.numpy(), found.numpy(), 1)[0]) - 1.0) < 0.2


def test_pushes_of_every_kind_of_output():
    scores = torch.tensor([[2.0, -1.0, 0.0], [0.0, 0.0, 3.0]])
    classes = pushes(scores, torch.tensor([0, 1]), Class("a", "b", "c"), smoothing=0.1)
    assert torch.allclose(classes.direction.norm(dim=1), torch.ones(2))
    assert classes.direction[0, 0] > 0
    assert classes.residual[1] > classes.residual[0]
    several = pushes(scores, torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]), Labels("a", "b", "c"), smoothing=0.0)
    assert several.direction[1, 2] < 0
    numbers = pushes(torch.tensor([[0.5], [1.0]]), torch.tensor([[1.5], [1.0]]), Number(), smoothing=0.0)
    assert torch.allclose(numbers.curvature, torch.ones(2, dtype=torch.float64), atol=1e-5)
    assert abs(float(numbers.residual[0])) == pytest.approx(1.0)
    assert float(numbers.residual[1]) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("output", [Class("a", "b", "c"), Labels("a", "b", "c")])
def test_an_answers_direction_is_the_gradient_of_its_margin(output):
    scores = torch.tensor([[0.5, -0.3, 1.0]], dtype=torch.float64, requires_grad=True)
    answer_margins(scores, output).sum().backward()
    assert torch.allclose(scores.grad.float(), answer_directions(scores.detach(), output), atol=1e-5)


def linear() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 2))


def made(plan: Plan, *, skeleton="convnet2d", settings=None) -> tuple[Examples, Attribution]:
    whole = pictures(120)
    train = whole.split("train")
    chosen = skeleton_for(whole.signature, skeleton)
    recipe = Recipe(batch=16, learning_rate=0.05, label_smoothing=0.0)
    return whole, attribute(train, chosen, settings or {}, recipe, plan=plan)


def test_examples_of_the_answer_speak_for_it():
    whole, attribution = made(Plan(models=2, passes=4), skeleton=linear)
    tests, train = whole.split("test"), whole.split("train")
    shares = attribution.influence(tests.inputs, tests.targets)
    assert shares.shape == (2, len(tests), len(train))
    mean = shares.mean(0)
    same = mean[tests.targets[:, None] == train.targets[None]].mean()
    other = mean[tests.targets[:, None] != train.targets[None]].mean()
    assert same > 0 > other


def test_a_label_that_is_turned_round_counts_against():
    whole, attribution = made(Plan(models=2, passes=4), skeleton=linear)
    tests, train = whole.split("test"), whole.split("train")
    some = train.take(np.arange(20))
    right = [np.array(target) for target in some.targets]
    wrong = [np.array(1 - target) for target in some.targets]
    good = attribution.effects(tests.inputs, tests.targets, some.inputs, right, [None] * 20)
    bad = attribution.effects(tests.inputs, tests.targets, some.inputs, wrong, right)
    assert good.sum() > 0 > bad.sum()
    assert np.allclose(good, attribution.influence(tests.inputs, tests.targets).mean(0)[:, :20], rtol=0.2, atol=np.abs(good).max() * 0.1)


def test_landmarks_give_nearly_what_all_examples_give():
    whole, full = made(Plan(models=1, passes=3), skeleton=linear)
    _, some = made(Plan(models=1, passes=3, most_exact=10, landmarks=60), skeleton=linear)
    tests = whole.split("test")
    one, two = (found.influence(tests.inputs, tests.targets).ravel() for found in (full, some))
    assert np.corrcoef(one, two)[0, 1] > 0.95


def test_features_come_back_from_disk(tmp_path):
    whole, attribution = made(Plan(models=2, passes=2), settings={"width": 8, "depth": 0})
    train, tests = whole.split("train"), whole.split("test")
    values = {"skeleton": "convnet2d", "settings": {"width": 8, "depth": 0}}
    keep_features(tmp_path, "d" * 64, described(train, attribution, values))
    back = open_features(tmp_path, "d" * 64, whole.signature)
    assert back is not None
    assert back.ids.tolist() == train.ids.tolist()
    one, two = (found.influence(tests.inputs) for found in (attribution, back.attribution))
    assert np.abs(one - two).max() < 5e-3 * np.abs(one).max()
    assert open_features(tmp_path, "e" * 64, whole.signature) is None
    matrix = features_path(tmp_path, "d" * 64) / "matrix-0.npy"
    content = bytearray(matrix.read_bytes())
    content[150] ^= 1
    matrix.write_bytes(bytes(content))
    assert open_features(tmp_path, "d" * 64, whole.signature) is None, "a damaged matrix was believed"
