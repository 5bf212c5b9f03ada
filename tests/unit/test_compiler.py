import os
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from tacit.binary.loading import from_bytes
from tacit.compiler import compile as compile_program
from tacit.compiler import refits
from tacit.examples.examples import Examples
from tacit.goals.goal import Goal
from tacit.ground.budget import Budget
from tacit.ground.errors import BudgetError, ConfigError, InputError, LoweringError, TacitError
from tacit.ground.progress import Reporter
from tacit.program import Program
from tacit.search.recipe import recipe_for
from tacit.search.schedule import parse_plan
from tacit.signature.image import Image
from tacit.signature.outputs import Class, Labels, Number
from tacit.signature.row import Row
from tacit.skeletons.choices import choice
from tests.unit.search.small_task import examples


def program(**changes) -> Program:
    whole = examples()
    given = Program("small", whole.signature, whole, (Goal("accuracy", 0.9),), settings={"width": 8}, budget=Budget(steps=40))
    return replace(given, **{"recipe": {"batch": 16}, **changes})


def test_the_binary_answers_and_carries_its_evidence():
    given = program()
    binary = compile_program(given)
    test = given.examples.split("test")
    answers = binary([picture for picture in test.inputs[0]])
    right = np.mean([given.signature.output.names[target] == answer for target, answer in zip(test.targets, answers, strict=True)])
    evidence = binary.evidence
    assert evidence["scores"]["test"]["accuracy"] == pytest.approx(right, abs=1e-6)
    assert evidence["goals"][0]["met"] is True
    assert evidence["lowering"]["max_relative_error"] <= 1e-4
    assert evidence["labels"]["counts"] == {"train": 120, "validation": 40, "test": 40}
    assert evidence["run"]["steps"] == 40
    assert evidence["run"]["plan"] == "40"
    assert evidence["costs"]["macs"] > 0


def test_same_seed_same_bytes_other_seed_other_bytes():
    first, again, other = (compile_program(program(), seed=seed).to_bytes() for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_a_run_killed_at_any_step_goes_on_to_the_same_bytes(tmp_path):
    wanted = compile_program(program(), run_directory=tmp_path / "whole").to_bytes()

    class Killed(Exception):
        pass

    class KillsAt(Reporter):
        def __init__(self, call):
            self.call, self.calls = call, 0

        def progress(self, fraction, seconds_left, message=""):
            self.calls += 1
            if self.calls == self.call:
                raise Killed

    for call in (1, 17, 39):
        folder = tmp_path / str(call)
        with pytest.raises(Killed):
            compile_program(program(), run_directory=folder, reporter=KillsAt(call))
        assert compile_program(program(), run_directory=folder, resume=True).to_bytes() == wanted


def test_a_run_by_the_clock_keeps_its_budget_and_can_be_repeated():
    given = program(budget=Budget(minutes=0.15))
    binary = compile_program(given)
    run = binary.evidence["run"]
    assert run["seconds"] <= 0.15 * 60 * 1.2
    again = compile_program(replace(given, settings=run["settings"]), plan=parse_plan(run["plan"]))
    assert all(np.array_equal(again.graphs["main"].weights[name], weight) for name, weight in binary.graphs["main"].weights.items())


def test_open_choices_are_searched_and_recorded():
    binary = compile_program(program(settings={"width": 8, "dropout": choice(0.0, 0.99)}))
    run = binary.evidence["run"]
    assert run["settings"]["dropout"] == 0.0
    assert {trial["settings"]["dropout"] for trial in run["trials"]} == {0.0, 0.99}


def test_ctrl_c_saves_the_best_so_far():
    class Interrupts(Reporter):
        def progress(self, fraction, seconds_left, message=""):
            if fraction > 0.5:
                os.kill(os.getpid(), signal.SIGINT)

    binary = compile_program(program(budget=Budget(steps=400)), reporter=Interrupts())
    assert binary.evidence["run"]["interrupted"] is True
    assert 200 <= binary.evidence["run"]["steps"] < 210
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert from_bytes(binary.to_bytes()).evidence["scores"]["test"]["count"] == 40


def test_what_cannot_be_learned_from_is_refused():
    whole = examples()
    few = whole.take(np.arange(len(whole))[whole.splits != "train"])
    with pytest.raises(InputError, match="expected at least 2 training examples, got 0 of 80"):
        compile_program(program(examples=few))
    one = whole.take(whole.targets == 1)
    with pytest.raises(InputError, match="of at least 2 classes, got only `bottom`"):
        compile_program(program(examples=one))


def test_an_impossible_budget_names_the_nearest_network():
    with pytest.raises(BudgetError) as caught:
        compile_program(program(settings={}, budget=Budget(steps=4, macs=1000)))
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("expected a network of at most 1,000 macs, got none among ")
    assert lines[1].startswith("the nearest, {")
    assert lines[2].startswith("try: raise `budget.macs` above 1,000")


def test_a_budget_of_macs_is_kept():
    binary = compile_program(program(settings={}, budget=Budget(steps=4, macs=250_000)))
    assert 0 < binary.evidence["costs"]["macs"] <= 250_000


class Squashed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(64, 2)

    def forward(self, x):
        return self.head(torch.softmax(x.flatten(1), dim=1))


def test_a_network_that_cannot_be_lowered_is_refused_before_it_is_trained():
    class NoTraining(Reporter):
        def progress(self, fraction, seconds_left, message=""):
            raise RuntimeError("trained although it can't be lowered")

    with pytest.raises(LoweringError, match="softmax"):
        compile_program(program(skeleton=Squashed, settings={}), reporter=NoTraining())


def test_a_goal_that_does_not_fit_is_refused():
    with pytest.raises(ConfigError, match="mean_absolute_error"):
        compile_program(program(goals=(Goal("mean_absolute_error", 1.0),)))


def synthetic(signature, inputs, labels, name="synthetic", **changes) -> Program:
    targets = np.stack([signature.output.encode(label) for label in labels])
    count = len(labels)
    splits = np.array(["train", "train", "train", "validation", "test"])[np.arange(count) % 5]
    ids = np.array([f"{place:024x}" for place in range(count)])
    whole = Examples(signature, ids, inputs, targets, splits, None, name)
    return Program(name, signature, whole, budget=Budget(steps=150), **changes)


def rows(random, count=400):
    values = random.normal(size=(count, 2)).astype(np.float32)
    return (values, np.ones((count, 2), np.uint8)), values


def test_a_number_is_learned_in_its_own_unit():
    random = np.random.default_rng(0)
    inputs, values = rows(random)
    prices = 300 + 50 * values[:, 0] - 20 * np.abs(values[:, 1])
    signature = Row(numbers=("x", "y")) >> Number(float(prices.mean()), float(prices.std()), "EUR")
    binary = compile_program(synthetic(signature, inputs, prices))
    assert binary.evidence["scores"]["test"]["r2"] >= 0.9
    assert binary({"x": 0.0, "y": 0.0}) == pytest.approx(300, abs=20)


def test_several_labels_are_learned_at_once():
    random = np.random.default_rng(0)
    inputs, values = rows(random)
    labels = [[name for name, here in (("right", x > 0), ("top", y > 0)) if here] for x, y in values]
    binary = compile_program(synthetic(Row(numbers=("x", "y")) >> Labels("right", "top"), inputs, labels))
    assert binary.evidence["scores"]["test"]["exact_match"] >= 0.9
    assert binary({"x": 2.0, "y": -2.0}) == ["right"]


def test_a_product_of_inputs_and_a_joint_output_are_learned():
    random = np.random.default_rng(0)
    inputs, values = rows(random)
    pictures = random.integers(0, 100, (400, 8, 8, 1)).astype(np.uint8)
    bright = random.integers(0, 2, 400).astype(bool)
    pictures[bright] += 120
    labels = [("yes" if (x > 0) == b else "no", float(y)) for (x, y), b in zip(values, bright, strict=True)]
    signature = Image(8, 8, 1) * Row(numbers=("x", "y")) >> Class("yes", "no") * Number()
    binary = compile_program(synthetic(signature, (pictures, *inputs), labels))
    answer = binary((np.full((8, 8), 200, np.uint8), {"x": 1.5, "y": 0.5}))
    assert answer["class"] == "yes"
    assert answer["number"] == pytest.approx(0.5, abs=0.5)
    assert binary.evidence["lowering"]["max_relative_error"] <= 1e-4


def test_a_finished_run_is_kept_until_the_next_so_that_a_lost_binary_costs_no_training(tmp_path):
    wanted = compile_program(program(), run_directory=tmp_path).to_bytes()

    class NoTraining(Reporter):
        def progress(self, fraction, seconds_left, message=""):
            raise RuntimeError("trained again")

    assert compile_program(program(), run_directory=tmp_path, resume=True, reporter=NoTraining()).to_bytes() == wanted


def test_ctrl_c_while_choosing_saves_the_best_trial_and_decides_nothing(tmp_path):
    class InterruptsInTheSecondTrial(Reporter):
        def progress(self, fraction, seconds_left, message=""):
            if message.startswith("trial 2"):
                os.kill(os.getpid(), signal.SIGINT)

    given = program(settings={"width": 8, "dropout": choice(0.0, 0.9)}, budget=Budget(steps=100))
    binary = compile_program(given, run_directory=tmp_path, reporter=InterruptsInTheSecondTrial())
    assert binary.evidence["run"]["interrupted"] is True
    assert not (tmp_path / "decision.json").exists()
    resumed = compile_program(given, run_directory=tmp_path, resume=True)
    assert resumed.to_bytes() == compile_program(given, run_directory=tmp_path / "whole").to_bytes()


def test_a_module_that_is_already_there_is_trained_afresh_for_every_seed():
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 2))
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    first, again, other = (compile_program(program(skeleton=module, settings={}), seed=seed).to_bytes() for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())


@pytest.mark.parametrize(
    "settings, cause",
    [({"width": "abc"}, "TypeError"), ({"dropout": 2.0}, "ValueError"), ({"kernel": 4}, "torch says: The size of tensor")],
)
def test_settings_that_cannot_be_built_are_one_clear_error(settings, cause):
    with pytest.raises(TacitError) as caught:
        compile_program(program(settings=settings))
    assert "try: " in str(caught.value)
    assert cause in str(caught.value)


def test_refit_learns_from_validation_too_and_then_reports_no_score_of_it():
    heard = []

    class Listens(Reporter):
        def progress(self, fraction, seconds_left, message=""):
            heard.append(message)

    binary = compile_program(program(recipe={"batch": 16, "refit": True}), reporter=Listens())
    plain = compile_program(program())
    assert set(binary.evidence["scores"]) == {"test"}
    assert set(plain.evidence["scores"]) == {"validation", "test"}
    assert binary.evidence["run"]["refit"] is True
    assert plain.evidence["run"]["refit"] is False
    assert binary.digest != plain.digest
    assert not any("validation" in message for message in heard)


@pytest.mark.parametrize("people, refit", [(6, True), (80, False)])
def test_few_groups_are_all_learned_from(people, refit):
    whole = examples(400)
    grouped = replace(whole, groups=np.array([f"person {place % people}" for place in range(400)]))
    assert refits(program(examples=grouped), recipe_for(whole.signature, {}, examples=240)) is refit
    assert refits(program(examples=grouped), recipe_for(whole.signature, {"refit": not refit}, examples=240)) is not refit
    untested = grouped.take(grouped.splits != "test")
    assert refits(program(examples=untested), recipe_for(whole.signature, {"refit": True}, examples=240)) is False


def test_a_trial_that_is_saved_early_has_not_seen_validation_and_says_so(tmp_path):
    class InterruptsInTheSecondTrial(Reporter):
        def progress(self, fraction, seconds_left, message=""):
            if message.startswith("trial 2"):
                os.kill(os.getpid(), signal.SIGINT)

    given = program(settings={"width": 8, "dropout": choice(0.0, 0.9)}, recipe={"batch": 16, "refit": True}, budget=Budget(steps=100))
    evidence = compile_program(given, reporter=InterruptsInTheSecondTrial()).evidence
    assert evidence["run"]["refit"] is False
    assert set(evidence["scores"]) == {"validation", "test"}
