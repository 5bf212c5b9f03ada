import numpy as np
import pytest
import torch

from tacit.search.dynamics import Dynamics
from tacit.search.schedule import Progress
from tacit.search.suspicion import KEPT
from tests.unit.search.small_task import training

CPU = torch.device("cpu")


def test_scores_are_averaged_per_example_and_the_unseen_stay_zero():
    dynamics = Dynamics(4, 3, "cross_entropy", CPU)
    dynamics.add(torch.tensor([2, 0]), torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), torch.tensor([0, 1]))
    dynamics.add(torch.tensor([2]), torch.tensor([[3.0, 2.0, 1.0]]), torch.tensor([0]))
    averages = dynamics.averages()
    assert averages["scores"].tolist() == [[4, 5, 6], [0, 0, 0], [2, 2, 2], [0, 0, 0]]
    assert averages["counts"].tolist() == [1, 0, 2, 0]
    assert "classes" not in averages


def test_members_count_as_their_mean():
    dynamics = Dynamics(1, 2, "cross_entropy", CPU)
    dynamics.add(torch.tensor([0]), torch.tensor([[[1.0, 0.0], [3.0, 2.0]]]), torch.tensor([0]))
    assert dynamics.averages()["scores"].tolist() == [[2, 1]]


def test_of_many_classes_the_given_one_and_the_leading_ones_are_kept():
    width = 10 * KEPT
    dynamics = Dynamics(3, width, "cross_entropy", CPU)
    scores = torch.arange(2 * width, dtype=torch.float32).reshape(2, width) % 997
    given = torch.tensor([5, 7])
    scores[0, 5], scores[1, 7] = -9.0, -8.0
    dynamics.add(torch.tensor([2, 0]), scores, given)
    dynamics.add(torch.tensor([2, 0]), scores + 1.0, given)
    averages = dynamics.averages()
    classes = averages["classes"]
    assert averages["scores"].shape == classes.shape == (3, KEPT)
    for row, place in ((2, 0), (0, 1)):
        assert int(given[place]) in classes[row].tolist()
        best = scores[place].topk(KEPT - 1).indices
        assert set(best.tolist()) <= set(classes[row].tolist())
        assert torch.equal(averages["scores"][row], scores[place][classes[row]] + 0.5)


def test_wide_outputs_that_are_no_classes_are_not_recorded():
    dynamics = Dynamics(2, KEPT + 1, "squared_error", CPU)
    dynamics.add(torch.tensor([0]), torch.zeros(1, KEPT + 1), torch.zeros(1, KEPT + 1))
    assert not dynamics.recorded
    assert dynamics.averages() == {}


@pytest.mark.parametrize("width", [3, KEPT + 5])
def test_a_state_that_is_restored_goes_on_alike(width):
    def step(dynamics, place):
        generator = torch.Generator().manual_seed(place)
        rows = torch.randperm(6, generator=generator)[:4]
        dynamics.add(rows, torch.randn(4, width, generator=generator), rows % 3)

    whole, first, second = (Dynamics(6, width, "cross_entropy", CPU) for _ in range(3))
    for place in range(6):
        step(whole, place)
    for place in range(3):
        step(first, place)
    second.restore(first.state())
    for place in range(3, 6):
        step(second, place)
    wanted, got = whole.averages(), second.averages()
    assert wanted.keys() == got.keys()
    assert all(torch.equal(wanted[name], got[name]) for name in wanted)


@pytest.mark.parametrize("augment, share", [(True, 0.5), (False, 0.9)])
def test_the_part_of_a_run_that_counts(augment, share):
    run = training([(0, 80)], augment=augment)
    run.progress = Progress([(0, 80)])
    while not run.progress.done:
        run.step()
    seen = float(run.dynamics.counts.sum()) / (80 * run.order.batch)
    assert seen == pytest.approx(share, abs=0.02)
    assert np.isfinite(run.dynamics.averages()["scores"].numpy()).all()
