from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tacit.compiler import compile as compile_program
from tacit.examples.examples import Examples
from tacit.goals.goal import Goal
from tacit.ground.budget import Budget
from tacit.ground.errors import ConfigError
from tacit.ground.progress import Reporter
from tacit.program import Program
from tacit.search.trained import Trained, latest_trained, load_trained, save_trained
from tacit.search.warm import fitted, kept_run, suggestion
from tacit.signature.outputs import Class
from tacit.skeletons.table import CONVNET_2D, network_for
from tests.unit.search.small_task import examples

STEPS = 60


def program(directory: Path, **changes) -> Program:
    whole = examples()
    given = Program("small", whole.signature, whole, (Goal("accuracy", 0.9),), settings={"width": 8}, budget=Budget(steps=STEPS))
    return replace(given, **{"recipe": {"batch": 16}, "directory": directory, **changes})


def relabelled(whole: Examples, *, count: int = 3, digest: str = "edited") -> Examples:
    targets = whole.targets.copy()
    rows = np.flatnonzero(whole.splits == "train")[:count]
    targets[rows] = 1 - targets[rows]
    return replace(whole, targets=targets, labels_digest=digest)


@pytest.fixture(scope="module")
def origin(tmp_path_factory) -> tuple[Path, str]:
    """A program directory with one kept run, and the digest of its binary."""
    folder = tmp_path_factory.mktemp("origin")
    return folder, compile_program(program(folder)).digest


@pytest.fixture
def directory(origin, tmp_path) -> Path:
    """A directory of its own with that run."""
    kept = load_trained(*origin)
    assert kept is not None
    save_trained(tmp_path, kept)
    return tmp_path


class Notes(Reporter):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        self.lines.append(text)


def test_a_warm_start_takes_few_steps_and_says_where_it_came_from(origin, directory):
    notes = Notes()
    binary = compile_program(program(directory, examples=relabelled(examples())), warm="auto", reporter=notes)
    run = binary.evidence["run"]
    assert run["steps"] == 13  # three edits, each met five times: more than a tenth of the steps
    assert run["warm"]["from"] == origin[1]
    assert run["warm"]["labels"] == {"changed": 3, "added": 0, "removed": 0}
    assert run["history"][0]["step"] == 0
    assert run["warm"]["validation"]["before"] == run["history"][0]["validation"]
    assert run["warm"]["validation"]["after"] >= run["warm"]["validation"]["before"] - 0.05
    assert f"--warm-from {origin[1][:24]}" in run["repeat"]
    assert any("3 changed" in line for line in notes.lines)
    kept = latest_trained(directory)
    assert kept is not None and kept.values["steps"] == STEPS  # of the run from scratch, however long the chain


def test_the_same_steps_and_seed_give_the_same_bytes_and_so_does_a_run_that_was_killed(directory, tmp_path):
    given = program(directory, examples=relabelled(examples()))
    plan = [(0, 20)]
    digest = latest_trained(directory).digest
    wanted = compile_program(given, warm=digest, plan=plan, run_directory=tmp_path / "whole").to_bytes()
    assert compile_program(given, warm=digest, plan=plan, run_directory=tmp_path / "again").to_bytes() == wanted

    class Killed(Exception):
        pass

    class KillsAt(Reporter):
        def __init__(self, call):
            self.call, self.calls = call, 0

        def progress(self, fraction, seconds_left, message=""):
            self.calls += 1
            if self.calls == self.call:
                raise Killed

    for call in (1, 11):
        folder = tmp_path / str(call)
        with pytest.raises(Killed):
            compile_program(given, warm=digest, plan=plan, run_directory=folder, reporter=KillsAt(call))
        assert compile_program(given, warm=digest, plan=plan, run_directory=folder, resume=True).to_bytes() == wanted


def test_weights_at_the_start_are_kept_when_validation_prefers_them(directory, origin):
    ruined = program(directory, examples=relabelled(examples()), recipe={"batch": 16, "learning_rate": 500.0, "optimiser": "sgd"})
    binary = compile_program(ruined, warm="auto")
    assert binary.digest == origin[1]
    assert binary.evidence["run"]["warm"]["kept"] == "start"
    kept = latest_trained(directory)
    assert kept is not None and kept.values["labels"] == "digest0"


def test_a_class_that_was_added_gets_a_row_and_the_others_keep_theirs(origin):
    kept = load_trained(*origin)
    inputs = examples().inputs
    wider = examples().signature.input >> Class("bottom", "new", "top")
    weights = fitted(kept, CONVNET_2D, wider, inputs=inputs, seed=0)
    heads = [name for name, tensor in weights.items() if tensor.shape != kept.network[name].shape]
    assert heads and all(weights[name].shape[0] == 3 for name in heads)
    for name in heads:
        assert torch.equal(weights[name][0], kept.network[name][1]) and torch.equal(weights[name][2], kept.network[name][0])
    assert all(torch.equal(tensor, kept.network[name]) for name, tensor in weights.items() if name not in heads)
    network_for(CONVNET_2D, wider, kept.values["settings"], inputs=inputs, seed=0).load_state_dict(weights)


def test_classes_in_another_order_go_by_their_names_though_the_shapes_are_equal(origin):
    kept = load_trained(*origin)
    turned = fitted(kept, CONVNET_2D, examples().signature.input >> Class("bottom", "top"), inputs=examples().inputs, seed=0)
    different = [name for name, tensor in turned.items() if not torch.equal(tensor, kept.network[name])]
    assert different and all(torch.equal(turned[name], kept.network[name].flip(0)) for name in different)


def test_compiling_with_a_class_more_goes_on_from_what_was_learnt(directory):
    whole = examples()
    signature = whole.signature.input >> Class("top", "bottom", "dark")
    targets = whole.targets.copy()
    pictures = whole.inputs[0].copy()
    dark = np.random.default_rng(1).random(len(whole)) < 0.3
    targets[dark], pictures[dark] = 2, 0
    edited = replace(whole, signature=signature, targets=targets, inputs=(pictures,), labels_digest="more")
    binary = compile_program(program(directory, signature=signature, examples=edited), warm="auto")
    warm = binary.evidence["run"]["warm"]
    assert warm["labels"]["changed"] == int(dark[whole.splits == "train"].sum())
    assert warm["validation"]["after"] > warm["validation"]["before"]


def test_examples_that_measure_must_not_have_been_learnt(directory):
    whole = examples()
    splits = whole.splits.copy()
    splits[np.flatnonzero(splits == "train")[:2]] = "test"
    with pytest.raises(ConfigError, match="2 examples that measure now were learnt from by that run"):
        compile_program(program(directory, examples=replace(whole, splits=splits)), warm="auto")


def test_what_runs_before_the_last_had_learnt_is_remembered(directory):
    whole = examples()
    gone = np.flatnonzero(whole.splits == "train")[0]
    fewer = whole.take(np.delete(np.arange(len(whole)), gone))
    compile_program(program(directory, examples=replace(fewer, labels_digest="fewer")), warm="auto")
    splits = whole.splits.copy()
    splits[gone] = "test"
    with pytest.raises(ConfigError, match="1 examples that measure now were learnt"):
        compile_program(program(directory, examples=replace(whole, splits=splits)), warm="auto")


def test_a_run_of_another_program_is_refused_with_every_reason(directory):
    other = program(directory, skeleton="mlp", settings={"width": 64})
    with pytest.raises(ConfigError) as caught:
        compile_program(other, warm="auto")
    message = str(caught.value)
    assert "its skeleton is `None`, now it is `mlp`" in message and "its `skeleton.width` is 8, now it is 64" in message
    assert "try: compile without --warm" in message


def test_a_run_is_found_by_name_digest_and_file_or_said_to_be_away(directory, origin, tmp_path):
    assert kept_run(directory, "auto").digest == kept_run(directory, origin[1][:10]).digest == origin[1]
    file = compile_program(program(tmp_path / "other")).save(tmp_path / "same.tacit")
    assert kept_run(directory, file).digest == origin[1]
    with pytest.raises(ConfigError, match=r"expected the run that made `0123456789`"):
        kept_run(directory, "0123456789")
    with pytest.raises(ConfigError, match="none is kept"):
        kept_run(tmp_path / "empty", "auto")
    with pytest.raises(ConfigError, match="got a program in memory"):
        kept_run(None, "auto")


def test_the_clock_is_kept_and_no_more_steps_are_taken_than_are_worth_it(directory):
    timed = program(directory, examples=relabelled(examples()), budget=Budget(minutes=0.5))
    run = compile_program(timed, warm="auto").evidence["run"]
    assert run["steps"] <= 13 and run["seconds"] <= 30


def test_a_warm_start_is_suggested_after_an_edit_alone(directory):
    same, edited = program(directory), program(directory, examples=relabelled(examples()))
    assert suggestion(same) is None
    assert "--warm" in (suggestion(edited) or "")
    assert suggestion(program(directory, examples=relabelled(examples()), settings={"width": 16})) is None
    notes = Notes()
    compile_program(replace(edited, budget=Budget(steps=2)), reporter=notes)
    assert any("--warm" in line for line in notes.lines)


def test_a_run_kept_by_an_earlier_release_is_refused(tmp_path):
    save_trained(tmp_path, Trained("0" * 64, {"w": torch.zeros(1)}, {}, {"ids": []}))
    with pytest.raises(ConfigError, match="earlier release"):
        compile_program(program(tmp_path), warm="auto")
