import numpy as np
import pytest
import torch

from tacit.goals.goal import Goal
from tacit.ground.progress import Reporter
from tacit.search.checkpoint import load_checkpoint
from tacit.search.columns import Order
from tacit.search.recipe import Recipe
from tacit.search.running import Runner, Stop
from tacit.search.schedule import Progress
from tacit.search.training import Task, Training
from tacit.skeletons.table import CONVNET_2D, network_for
from tests.unit.search import small_task
from tests.unit.search.small_task import training


def finished(plan, **options):
    run = training(plan, **options)
    return run, Runner(run, reporter=Reporter(), stop=Stop()).finish()


def test_a_run_learns_the_small_task():
    _, outcome = finished([(0, 60)])
    assert outcome.score >= 0.9


def test_same_seed_gives_same_weights_and_another_seed_does_not():
    first, second, other = (finished([(0, 12)], seed=seed)[1].weights for seed in (3, 3, 4))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
@pytest.mark.parametrize("killed_at", [1, 5, 11])
def test_a_run_that_is_saved_and_continued_ends_with_the_same_weights(tmp_path, optimiser, killed_at):
    recipe = Recipe(batch=16, learning_rate=0.01, optimiser=optimiser)
    plan = [(0, 12), (6, 9)]
    whole, wanted = finished(plan, recipe=recipe)
    checkpoint = tmp_path / "state.safetensors"
    first = Runner(training(plan, recipe=recipe), reporter=Reporter(), stop=Stop(), checkpoint=checkpoint)
    for _ in range(killed_at):
        first.training.step()
    first.save()
    second = Runner(training(plan, recipe=recipe), reporter=Reporter(), stop=Stop(), checkpoint=checkpoint)
    assert second.resume()
    outcome = second.finish()
    assert all(torch.equal(outcome.weights[name], wanted.weights[name]) for name in wanted.weights)
    assert torch.equal(second.training.dynamics.sums, whole.dynamics.sums)
    assert torch.equal(second.training.dynamics.counts, whole.dynamics.counts)


def test_a_checkpoint_survives_a_disk_that_is_full(tmp_path, monkeypatch):
    checkpoint = tmp_path / "state.safetensors"
    runner = Runner(training([(0, 4)]), reporter=Reporter(), stop=Stop(), checkpoint=checkpoint)
    runner.save()
    before = checkpoint.read_bytes()
    runner.training.step()

    def full(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(Exception, match="No space left on device"):
        runner.save()
    assert checkpoint.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["state.safetensors"]
    load_checkpoint(checkpoint)


def test_a_stop_ends_the_run_with_the_best_so_far():
    stop = Stop()
    run = training([(0, 1000)])

    class AsksAtStepFive(Reporter):
        def progress(self, fraction, seconds_left, message=""):
            stop.asked = run.progress.step >= 5

    outcome = Runner(run, reporter=AsksAtStepFive(), stop=stop).finish()
    assert outcome.interrupted
    assert run.progress.step == 5


def test_a_loss_that_is_not_finite_lowers_the_rate_and_goes_on():
    recipe = Recipe(batch=16, learning_rate=0.05)
    run = training([(0, 20)], recipe=recipe)
    real, calls = run._loss, []

    def once_infinite(*arguments, **keywords):
        calls.append(1)
        loss = real(*arguments, **keywords)
        return loss * float("inf") if len(calls) == 6 else loss

    run._loss = once_infinite
    outcome = Runner(run, reporter=Reporter(), stop=Stop()).finish()
    assert run.rate == pytest.approx(1 / 3)
    assert all(torch.isfinite(tensor).all() for tensor in outcome.weights.values())


def test_every_example_is_visited_once_an_epoch():
    order = Order(50, 10, seed=1)
    for epoch in range(3):
        rows = torch.cat([order.rows(epoch * 5 + step) for step in range(5)])
        assert sorted(rows.tolist()) == list(range(50))
    assert not torch.equal(order.rows(0), order.rows(5))
    assert torch.equal(Order(50, 10, seed=1).rows(7), order.rows(7))


def test_averaged_scores_point_at_the_labels_that_were_flipped():
    run = training([(0, 150)], augment=False)
    flipped = torch.zeros(len(run.task.train), dtype=torch.bool)
    flipped[[3, 30, 60, 90]] = True
    run._train.targets[flipped] = 1 - run._train.targets[flipped]
    while not run.progress.done:
        run.step()
    scores, given = run.dynamics.averages()["scores"], run._train.targets
    margins = scores[torch.arange(len(given)), given] - scores[torch.arange(len(given)), 1 - given]
    worst = set(np.argsort(margins.numpy())[:6].tolist())
    assert {3, 30, 60, 90} <= worst


def test_blending_mixes_each_example_with_a_partner_and_still_learns():
    run = training([(0, 60)], recipe=Recipe(batch=16, learning_rate=0.05, mixup=0.4, plain_tail=0.0))
    mix = run._mix(7, 16)
    x = torch.rand(16, 8, 8, 1)
    assert torch.allclose(mix.blend(x), mix.share * x + (1 - mix.share) * x[mix.partners])
    assert sorted(mix.partners.tolist()) == list(range(16))
    again = run._mix(7, 16)
    assert (again.share, again.partners.tolist()) == (mix.share, mix.partners.tolist())
    outcome = Runner(run, reporter=Reporter(), stop=Stop()).finish()
    assert outcome.score >= 0.85


@pytest.mark.parametrize("metric, label, weighed", [("accuracy", None, False), ("macro_f1", None, True), ("f1", "top", True)])
def test_classes_are_weighed_when_the_goal_is_not_accuracy(metric, label, weighed):
    run = training([(0, 4)])
    rare = Task(run.task.signature, run.task.train, run.task.validation, Goal(metric, label=label))
    rare.train.targets[10:] = 1
    weights = Training(rare, run.network, run.recipe, Progress([(0, 4)]), seed=0, augment=False, low_precision=False)._weights
    assert (weights is not None) == weighed
    if weights is not None:
        few = int((rare.train.targets == 0).sum())
        many = len(rare.train) - few
        assert float(weights[0] / weights[1]) == pytest.approx((many / few) ** 0.5, rel=1e-4)


def test_members_share_the_targets_and_differ(tmp_path):
    whole = small_task.examples()
    network = network_for(CONVNET_2D, whole.signature, {"width": 4, "members": 2}, inputs=whole.inputs, seed=0)
    run = Training(small_task.task(), network, Recipe(batch=16), Progress([(0, 30)]), seed=0, augment=True, low_precision=False)
    outcome = Runner(run, reporter=Reporter(), stop=Stop()).finish()
    assert outcome.score >= 0.85
    assert run.predict().shape == (40, 2)
    assert not torch.equal(network.networks[0].head.weight, network.networks[1].head.weight)


def test_the_time_left_is_told_with_a_budget_in_steps():
    told = []

    class Listens(Reporter):
        def progress(self, fraction, seconds_left, message=""):
            told.append((fraction, seconds_left))

    Runner(training([(0, 30)]), reporter=Listens(), stop=Stop()).finish()
    assert told[-1] == (1.0, 0.0)
    assert all(left is not None and left > 0 for _, left in told[:-1])
