from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tacit.binary.binary import Binary
from tacit.compiler import compile as compile_program
from tacit.examples.examples import Examples
from tacit.goals.goal import Goal
from tacit.ground.budget import Budget
from tacit.ground.errors import BudgetError, ConfigError
from tacit.program import Program
from tacit.resizing import growing
from tacit.resizing.growing import grow
from tacit.search import trained
from tacit.search.rebuilding import rebuilt
from tacit.search.trained import load_trained, save_trained
from tacit.skeletons.table import CONVNET_2D
from tests.unit.search.small_task import examples


def part(count: int) -> Examples:
    """The first `count` examples of the small task."""
    return examples().take(np.arange(count))


def program(directory: Path, given: Examples, **changes) -> Program:
    made = Program("small", given.signature, given, (Goal("accuracy"),), settings={"width": 8}, budget=Budget(steps=30))
    return replace(made, **{"recipe": {"batch": 16}, "directory": directory, **changes})


@pytest.fixture(scope="module")
def origin(tmp_path_factory) -> tuple[Path, Binary]:
    """A directory with the run of a binary that was compiled on the first 100 examples."""
    folder = tmp_path_factory.mktemp("origin")
    return folder, compile_program(program(folder, part(100)))


@pytest.fixture
def place(origin, tmp_path) -> tuple[Path, Binary]:
    """A directory of its own with that run."""
    kept = load_trained(origin[0], origin[1].digest)
    assert kept is not None
    save_trained(tmp_path, kept)
    return tmp_path, origin[1]


def test_a_grown_binary_is_larger_not_worse_and_can_be_trained_again(place):
    directory, binary = place
    now = program(directory, part(200))
    found = grow(binary, program=now, steps=30, factor=2.0, deeper=1)
    assert found.grew and found.met
    assert found.after >= found.before
    assert found.costs[1]["macs"] > 3 * found.costs[0]["macs"]
    assert found.binary.evidence["costs"]["macs"] == found.costs[1]["macs"]
    assert found.binary.evidence["run"]["grown"]["from"] == binary.digest
    assert found.added == int((part(200).splits == "train").sum()) - int((part(100).splits == "train").sum())
    kept = load_trained(directory, found.binary.digest)
    assert kept is not None
    assert kept.values["settings"]["depth"] == 2
    assert rebuilt(kept, now).body[0].conv.weight.shape[0] == 16
    again = grow(found.binary, program=now, steps=30, factor=1.5)
    assert again.costs[0] == found.costs[1]


def test_old_weights_stay_when_the_grown_ones_are_worse(place, monkeypatch):
    directory, binary = place
    # Labels turned round in what is learnt from alone: whatever is learnt now is wrong.
    now = part(200)
    targets = np.where(now.splits == "train", 1 - now.targets, now.targets)
    monkeypatch.setattr(growing, "WARM_SLACK", 1e9)  # take the last weights, however much worse
    found = grow(
        binary, program=program(directory, replace(now, targets=targets), recipe={"batch": 16, "learning_rate": 0.2}), steps=30, factor=2.0
    )
    assert not found.grew and not found.met
    assert found.after < found.before
    assert found.binary is binary
    assert load_trained(directory, binary.digest) is not None


def test_weights_of_before_are_among_those_that_validation_chooses_from(place):
    directory, binary = place
    now = part(200)
    targets = np.where(now.splits == "train", 1 - now.targets, now.targets)
    found = grow(
        binary, program=program(directory, replace(now, targets=targets), recipe={"batch": 16, "learning_rate": 0.2}), steps=30, factor=2.0
    )
    assert found.after >= found.before


def test_growing_again_and_again_pushes_out_no_original(place, monkeypatch):
    directory, binary = place
    monkeypatch.setattr(trained, "KEPT", 2)
    for seed in range(2):
        found = grow(binary, program=program(directory, part(200)), steps=1, factor=1.5, seed=seed)
    assert trained.kept_digests(directory) == [found.binary.digest[:24], binary.digest[:24]]


def test_old_validation_is_that_of_before(place):
    directory, binary = place
    held = set(part(100).split("validation").ids.tolist())
    kept = load_trained(directory, binary.digest)
    assert kept is not None and set(kept.values["held"]) == held
    rows = growing._measured_before(kept, part(200).split("validation"))
    assert set(part(200).split("validation").ids[rows].tolist()) == held
    everything = replace(kept, values={name: value for name, value in kept.values.items() if name != "held"})
    assert len(growing._measured_before(everything, part(200).split("validation"))) == len(part(200).split("validation"))


def test_numbers_that_make_nothing_larger_are_all_named(place):
    directory, binary = place
    with pytest.raises(ConfigError) as caught:
        grow(binary, program=program(directory, part(200)), steps=30, factor=0.5, deeper=9, minutes=1.0)
    assert "`grow` is 0.5" in str(caught.value)
    assert "`deeper` is 9" in str(caught.value)
    assert "`minutes` and `steps` at once" in str(caught.value)


def test_without_examples_that_can_tell_it_is_refused(place):
    directory, binary = place
    whole = part(200)
    given = replace(whole, splits=np.where(whole.splits == "validation", "train", whole.splits))
    with pytest.raises(ConfigError, match="nothing could tell whether it became better"):
        grow(binary, program=program(directory, given), steps=30, factor=2.0)


def test_a_skeleton_without_depth_grows_no_deeper(place):
    def flat(signature, *, width=8):
        return CONVNET_2D.build(signature, width=width, depth=1)

    given = program(place[0], part(100), skeleton=flat)
    binary = compile_program(given)
    with pytest.raises(ConfigError, match="the skeleton `flat` has no `depth`"):
        grow(binary, program=given, steps=30, factor=2.0, deeper=1)


def test_nothing_to_grow_is_refused(place):
    directory, binary = place
    with pytest.raises(ConfigError, match="nothing would grow"):
        grow(binary, program=program(directory, part(200)), steps=30, factor=1.0)


def test_a_network_over_the_limits_is_refused_before_training(place):
    directory, binary = place
    limit = int(binary.evidence["costs"]["macs"])
    with pytest.raises(BudgetError, match=f"macs, at most {limit:,}"):
        grow(binary, program=program(directory, part(200), budget=Budget(macs=limit)), steps=10**9, factor=2.0)


def test_a_binary_whose_run_is_not_kept_is_refused(origin, tmp_path):
    with pytest.raises(ConfigError, match="they are not kept"):
        grow(origin[1], program=program(tmp_path, part(200)), steps=30, factor=2.0)


def test_the_same_seed_and_steps_give_the_same_binary(place):
    directory, binary = place
    now = program(directory, part(200))
    first, again = (grow(binary, program=now, steps=30, factor=2.0, seed=3).binary.digest for _ in range(2))
    assert first == again
