import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from tacit.directory.functions import find_function
from tacit.goals.goal import Goal
from tacit.ground.errors import ConfigError, InputError
from tacit.ground.progress import Reporter
from tacit.search.columns import columns
from tacit.search.evolution import FLAT, Evolution, Settings
from tacit.search.evolution_batch import Together
from tacit.search.evolution_measures import Call, OfBinaries, OfScores
from tacit.search.evolution_running import evolution_settings, remarks
from tacit.search.evolution_space import noise, space_of
from tacit.search.evolution_strategies import STRATEGIES, shares_below
from tacit.search.running import Stop, validation_score
from tacit.search.schedule import Progress
from tacit.search.workers import Here
from tests.unit.search.small_task import examples, training


def accuracy(scores, targets):
    return float((scores.argmax(1) == targets).mean())


def margin(candidates, targets):
    """The mean margin of the right class, cut off: smooth enough to follow, and no gradient is asked for."""
    right = np.take_along_axis(candidates, targets[None, :, None].repeat(len(candidates), 0), 2)[..., 0]
    wrong = np.take_along_axis(candidates, 1 - targets[None, :, None].repeat(len(candidates), 0), 2)[..., 0]
    return np.clip(right - wrong, -1, 1).mean(axis=1)


def small(seed=0):
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2)).eval()
    with torch.no_grad():
        network[1].weight /= 100.0  # the pictures are 0 to 255
    return network


def evolution(goal, *, plan=8, seed=0, network=None, checkpoint=None, stop=None, settings=None, measure=None):
    whole, network = examples(), network or small()
    space = space_of(network)
    cpu = torch.device("cpu")
    train, validation = (columns(whole.split(name), cpu) for name in ("train", "validation"))
    measure = measure or OfScores(goal, network, space, whole.signature, train, validation, seed=seed)
    settled = (settings or Settings(population=12)).settled(len(space), trained=False)
    return Evolution(
        space,
        measure,
        settled,
        Progress([(0, plan)]),
        seed=seed,
        reporter=Reporter(),
        stop=stop or Stop(),
        checkpoint=checkpoint,
    )


def test_noise_is_a_function_of_seed_generation_and_pair():
    assert torch.equal(noise(3, 5, 7, 100), noise(3, 5, 7, 100))
    others = [noise(4, 5, 7, 100), noise(3, 6, 7, 100), noise(3, 5, 8, 100)]
    assert not any(torch.equal(noise(3, 5, 7, 100), other) for other in others)


def test_a_batched_pass_gives_what_each_candidate_gives_by_itself():
    network, whole = training([(0, 1)]).network.eval(), examples()
    space = space_of(network)
    data = columns(whole.split("train"), torch.device("cpu"))
    weights = torch.stack([space.weights(0.1 * noise(0, 0, pair, len(space))) for pair in range(3)])
    together = Together(network, space, 2)
    got = together.scores(weights, together.seen(data))
    assert not together._one_by_one
    for one, row in zip(weights, got, strict=True):
        own = copy.deepcopy(network)
        space.load(own, one)
        with torch.no_grad():
            wanted = own(*data.rows(slice(None))[0]).numpy()
        assert np.abs(row - wanted).max() < 1e-4


def test_a_network_that_cannot_be_batched_is_run_one_by_one():
    class Branching(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(64, 2)

        def forward(self, x):
            scores = self.linear(x.flatten(1))
            return scores if float(scores.sum()) > -1e9 else -scores  # asks for a value, which vmap can't give

    network = Branching()
    space = space_of(network)
    data = columns(examples().split("train"), torch.device("cpu"))
    together = Together(network, space, 2)
    weights = torch.stack([space.origin, 2 * space.origin])
    got = together.scores(weights, data)
    assert together._one_by_one
    assert np.abs(got[1] - 2 * got[0]).max() < 1e-3


@pytest.mark.parametrize("which", ["all", "last", "outer"])
def test_only_the_chosen_weights_move(which):
    network = small()
    names = {"all": 6, "last": 2, "outer": 5}  # outer: the last layer, and the biases and scales of the others
    space = space_of(network, which)
    assert len(space.names) == names[which]
    before = {name: tensor.clone() for name, tensor in network.named_parameters()}
    space.load(network, space.weights(torch.ones(len(space))))
    moved = {name for name, tensor in network.named_parameters() if not torch.equal(tensor, before[name])}
    assert moved == set(space.names)


def test_which_weights_is_refused_when_unknown():
    with pytest.raises(ConfigError, match="did you mean `last`"):
        space_of(small(), "lst")
    with pytest.raises(ConfigError, match="without"):
        space_of(nn.Sequential(nn.ReLU()))


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_every_strategy_climbs_a_smooth_hill_by_ranks_alone_and_goes_on_from_its_state(name):
    count, top = 20, torch.linspace(-1, 1, 20)

    def climb(strategy, first, last):
        for generation in range(first, last):
            noises = torch.stack([noise(0, generation, pair, count) for pair in range(8)])
            members = torch.stack([strategy.centre + s * strategy.spread * noises for s in (1, -1)], dim=1).flatten(0, 1)
            scores = -np.exp((members - top).square().sum(1).numpy())
            scores[3] = np.nan  # one that could not be measured loses
            strategy.tell(noises, scores, fraction=generation / 60)
        return strategy

    make = STRATEGIES.get(name)
    rate = {"separable": 1.0}.get(name, 0.1)
    whole = climb(make(count, spread=0.3, rate=rate), 0, 60)
    assert float((whole.centre - top).norm()) < 0.5 * float(top.norm())
    half = climb(make(count, spread=0.3, rate=rate), 0, 30)
    again = make(count, spread=0.3, rate=rate)
    again.restore(half.state())
    assert torch.equal(climb(again, 30, 60).centre, whole.centre)


def test_ranks_share_ties():
    assert shares_below(np.array([1.0, 1.0, 1.0])).tolist() == [0.5, 0.5, 0.5]


def test_a_score_without_a_gradient_is_improved():
    found = evolution(Goal(score=margin), plan=25).run()
    assert found.start < 0.3 and found.worth > 0.6 and found.kept in ("centre", "member")
    assert found.evaluations == 1 + 25 * 12 + len(found.history) - 1
    assert found.generations == 25 and not found.flat and found.failed == 0


def test_a_metric_of_the_table_and_a_score_to_be_low_are_goals_too():
    assert evolution(Goal("accuracy"), plan=12).run().worth > 0.7
    low = Goal(score=lambda scores, targets: -accuracy(scores, targets), lower_is_better=True)
    assert evolution(low, plan=12).run().worth > 0.7


def test_killed_anywhere_and_gone_on_it_finds_the_same(tmp_path):
    whole = evolution(Goal(score=margin)).run()

    class Killed(Exception):
        pass

    for moment in (1, 4, 7):
        checkpoint = tmp_path / f"{moment}.safetensors"
        run = evolution(Goal(score=margin), checkpoint=checkpoint)
        original = run._keep_time

        def keep(run=run, original=original, moment=moment):
            run.save()
            original()
            if run.progress.step == moment:
                raise Killed

        run._keep_time = keep
        with pytest.raises(Killed):
            run.run()
        again = evolution(Goal(score=margin), checkpoint=checkpoint).run(resume=True)
        assert torch.equal(again.weights, whole.weights)
        assert (again.worth, again.evaluations, again.history) == (whole.worth, whole.evaluations, whole.history)


def test_a_request_to_stop_keeps_the_best_so_far(tmp_path):
    stop = Stop()
    run = evolution(Goal(score=margin), plan=30, stop=stop, checkpoint=tmp_path / "state")
    original = run._keep_time

    def keep():
        original()
        stop.asked = run.progress.step >= 5

    run._keep_time = keep
    found = run.run()
    assert found.interrupted and found.generations == 5
    assert found.worth >= found.start
    going = evolution(Goal(score=margin), plan=30, checkpoint=tmp_path / "state").run(resume=True)
    whole = evolution(Goal(score=margin), plan=30).run()
    assert torch.equal(going.weights, whole.weights) and not going.interrupted


def test_other_seeds_find_others():
    assert not torch.equal(evolution(Goal(score=margin), seed=0).run().weights, evolution(Goal(score=margin), seed=1).run().weights)


def test_a_constant_score_ends_the_search_and_is_said():
    found = evolution(Goal("same", score=lambda scores: 0.5), plan=1000).run()
    assert found.flat and found.generations == FLAT and found.kept == "start"
    (line,) = remarks(found, Goal("same", score=lambda scores: 0.5))
    assert "`same` was the same for all members" in line


@pytest.mark.parametrize("value", [float("nan"), "high", None])
def test_a_score_that_gives_no_number_is_refused_before_anything_is_tried(value):
    run = evolution(Goal("odd", score=lambda scores: value))
    with pytest.raises(InputError, match="expected a finite number"):
        run.run()
    assert run.evaluations == 0


class Called:
    """Count the calls that a score gets, by what it is given."""

    def __init__(self, give):
        self.give, self.seen = give, []

    def goal(self):
        def score(binary, examples, seed):
            self.seen.append((len(examples), seed, tuple(examples.splits[:1])))
            return self.give(binary, examples)

        return Goal(score=score)


def by_binaries(goal, **more):
    network, whole = small(), examples()
    space = space_of(network)
    return evolution(goal, measure=OfBinaries(goal, network, space, whole.signature, whole, seed=0, workers=Here(), **more), plan=3)


def test_a_score_of_a_binary_gets_what_behaves_like_one():
    def give(binary, examples):
        scores = binary.evaluate(examples)
        picture = examples.inputs[0][0]
        assert binary(picture) in ("top", "bottom")
        assert binary([picture, picture]) == [binary(picture)] * 2
        assert np.array_equal(binary.scores(picture), binary.scores([picture])[0])
        assert np.array_equal(binary.run([examples.inputs[0]])[0], scores)
        assert binary.signature == examples.signature and binary.evidence == {}
        return float((scores.argmax(1) == examples.targets).mean())

    called = Called(give)
    found = by_binaries(called.goal(), rows=50).run()
    assert found.worth >= found.start
    train = [entry for entry in called.seen if entry[2] == ("train",)]
    deciding = [entry for entry in called.seen if entry[2] == ("validation",)]
    assert {count for count, _, _ in train} == {50} and {count for count, _, _ in deciding} == {40}
    assert len({seed for _, seed, _ in train}) == 3, "one seed per generation"
    assert len({seed for _, seed, _ in deciding}) == 1 and not {s for _, s, _ in train} & {s for _, s, _ in deciding}


def test_by_calls_and_by_arrays_the_same_members_score_the_same():
    whole, network = examples(), small()
    space, cpu = space_of(network), torch.device("cpu")
    train, validation = (columns(whole.split(name), cpu) for name in ("train", "validation"))
    weights = torch.stack([space.weights(0.5 * noise(0, 0, pair, len(space))) for pair in range(6)])
    arrays = OfScores(Goal(score=accuracy), network, space, whole.signature, train, validation, seed=0)
    goal = Goal(score=lambda binary, examples: accuracy(binary.evaluate(examples), examples.targets))
    calls = OfBinaries(goal, network, space, whole.signature, whole, seed=0, workers=Here())
    assert arrays.steps_by(weights, 0).tolist() == calls.steps_by(weights, 0).tolist()
    assert arrays.keeps_by(weights).tolist() == calls.keeps_by(weights).tolist()


def test_candidates_that_fail_lose_and_are_counted_and_when_all_fail_it_is_said():
    calls = {"n": 0}

    def sometimes(binary, examples):
        calls["n"] += 1
        if calls["n"] % 5 == 3:
            raise ValueError("a bad day")
        return float(binary.evaluate(examples).mean())

    found = by_binaries(Goal(score=sometimes)).run()
    assert 0 < found.failed < found.evaluations
    assert any("could not be measured" in line for line in remarks(found, Goal(score=sometimes)))

    def always(binary):
        raise ValueError("no luck")

    with pytest.raises(InputError) as caught:
        by_binaries(Goal(score=always)).run()
    assert "ValueError" in str(caught.value) and "no luck" in str(caught.value)


def test_a_score_of_no_examples_and_no_seed_is_said_to_be_unprotected():
    goal = Goal(score=lambda binary: 0.0)
    whole, network = examples(), small()
    measure = OfBinaries(goal, network, space_of(network), whole.signature, whole, seed=0, workers=Here())
    assert measure.protection.startswith("none") and measure.members


def test_the_last_centre_is_preferred_to_a_better_look_within_chance():
    run = evolution(Goal(score=margin), plan=8)
    run.run()
    centre = run.space.weights(run.strategy.centre)
    run.best, run.worth, run.kept = run.space.origin, run.history[-1]["centre"] + 1e-6, "centre"
    run.start = -1.0
    run.measure.chance = lambda one, other: 1.0
    run._prefer_last()
    assert torch.equal(run.best, centre)
    run.best, run.worth = run.space.origin, run.history[-1]["centre"] + 2.0
    run._prefer_last()
    assert torch.equal(run.best, run.space.origin), "better by more than chance: it stays"


def test_settings_are_checked_whole():
    assert evolution_settings({"population": 32.0, "spread": 0.1}) == Settings(population=32, spread=0.1)
    with pytest.raises(ConfigError) as caught:
        evolution_settings({"population": "many", "strategy": "ascend", "wieghts": "all", "weights": "lst", "rate": -1})
    text = str(caught.value)
    assert "5 problems" in text
    for part in ("evolution.population", "did you mean `ascent`", "did you mean `weights`", "did you mean `last`", "evolution.rate"):
        assert part in text
    with pytest.raises(ConfigError, match="an even number"):
        Settings(population=7).settled(10, trained=False)


def test_what_a_worker_is_sent_pickles_and_measures_the_same(tmp_path):
    text = "def right(binary, examples):\n    return float((binary.evaluate(examples).argmax(1) == examples.targets).mean())\n"
    (tmp_path / "goal.py").write_text(text)
    goal = Goal(score=find_function(tmp_path, "goal.py:right"))
    whole, network = examples(), small()
    space = space_of(network)
    measure = OfBinaries(goal, network, space, whole.signature, whole, seed=0, workers=Here())
    call = Call(space.origin, "validation", None, 7)
    assert pickle.loads(pickle.dumps(measure._work))(pickle.loads(pickle.dumps(call))) == measure._work(call)


def test_trials_are_judged_by_the_score_of_ones_own():
    run = training([(0, 2)])
    seen = run.predict()
    targets = run.task.validation.targets.numpy()
    for goal in (
        Goal(score=accuracy),
        Goal(score=lambda scores, targets, inputs: accuracy(scores, targets) if len(inputs[0]) == len(targets) else 0.0),
        Goal(score=lambda binary, examples: accuracy(binary.evaluate(examples), examples.targets)),
    ):
        run.task = replace(run.task, goal=goal)
        assert validation_score(run) == accuracy(seen, targets)
        run.task = replace(run.task, goal=replace(goal, lower_is_better=True))
        assert validation_score(run) == -accuracy(seen, targets)
