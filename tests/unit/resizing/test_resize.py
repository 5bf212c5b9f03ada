"""The verb: sizes reached, goals kept, runs continued, and what can't be resized."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from tacit.binary.binary import Binary
from tacit.compiler import compile as compile_program
from tacit.goals.goal import Goal
from tacit.ground.budget import Budget
from tacit.ground.errors import BudgetError, ConfigError, GoalNotMet, InputError, MissingPackage
from tacit.instruments.layout import plain
from tacit.instruments.resize_family import TABLE, check_family_folder, write_family
from tacit.instruments.resize_report import parts
from tacit.program import Program
from tacit.resizing import racing
from tacit.resizing.racing import Timed
from tacit.resizing.resize import resize
from tacit.search.rebuilding import rebuilt
from tacit.search.running import Runner
from tacit.search.trained import load_trained, save_trained
from tests.unit.search.small_task import examples


def program(directory: Path | None, **changes) -> Program:
    given = examples()
    made = Program("small", given.signature, given, (Goal("accuracy"),), settings={"width": 8}, budget=Budget(steps=40))
    return replace(made, **{"recipe": {"batch": 16}, "directory": directory, **changes})


@pytest.fixture(scope="module")
def origin(tmp_path_factory) -> tuple[Path, Binary]:
    folder = tmp_path_factory.mktemp("origin")
    return folder, compile_program(program(folder))


@pytest.fixture
def place(origin, tmp_path) -> tuple[Path, Binary]:
    """A directory of its own with the run of a compiled binary."""
    kept = load_trained(origin[0], origin[1].digest)
    assert kept is not None
    save_trained(tmp_path, kept)
    return tmp_path, origin[1]


@pytest.fixture(autouse=True)
def without_compiler(request, monkeypatch):
    """Time nothing where a test does not ask for it: building takes seconds."""

    def missing() -> None:
        raise MissingPackage("expected a C compiler, got none", fix='pip install "tacit[native]"')

    if "system" not in request.keywords:
        monkeypatch.setattr(racing, "need_compiler", missing)


def test_smaller(place):
    directory, binary = place
    made = resize(binary, smaller=3, program=program(directory), steps=10)
    costs = made.to_json()["costs"]
    assert made.small_enough and made.met
    assert costs["after"]["weight_bytes"] * 3 <= costs["before"]["weight_bytes"] < costs["after"]["weight_bytes"] * 5
    assert made.binary.evidence["costs"] == costs["after"]
    assert made.timing is None
    story = made.binary.evidence["run"]["resized"]
    assert story["from"] == binary.digest
    assert story["groups"] == [{"name": width.name, "before": width.before, "after": width.after} for width in made.widths]
    assert any(width.after < width.before for width in made.widths)
    assert "asked for 3 times as small" in plain(parts(made))


def test_the_result_is_kept_and_can_be_gone_on_from(place):
    directory, binary = place
    made = resize(binary, macs=binary.evidence["costs"]["macs"] / 2, program=program(directory), steps=5)
    assert made.binary.evidence["costs"]["macs"] <= binary.evidence["costs"]["macs"] / 2
    kept = load_trained(directory, made.binary.digest)
    assert kept is not None
    rebuilt(kept, program(directory))
    again = resize(made.binary, smaller=1.5, program=program(directory), steps=5)
    assert again.original is made.binary
    warm = compile_program(program(directory), warm=made.binary.digest)
    assert warm.evidence["costs"]["macs"] == made.binary.evidence["costs"]["macs"]
    warmer = compile_program(program(directory), warm=warm.digest)
    assert warmer.evidence["costs"]["macs"] == warm.evidence["costs"]["macs"]


def test_many_sizes_push_out_no_original(place):
    directory, binary = place
    for number in range(5):
        resize(binary, smaller=2 + number / 10, program=program(directory), steps=1)
    assert load_trained(directory, binary.digest) is not None


def test_a_killed_run_goes_on_where_it_was(place, tmp_path, monkeypatch):
    directory, binary = place
    wanted = resize(binary, smaller=2, program=program(directory), steps=12, run_directory=tmp_path / "one")

    class Killed(Exception):
        pass

    def save_and_die(self: Runner) -> None:
        self.save()
        if self.training.progress.step == 7:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Runner, "_keep_time", save_and_die)
        with pytest.raises(Killed):
            resize(binary, smaller=2, program=program(directory), steps=12, run_directory=tmp_path / "two")
    got = resize(binary, smaller=2, program=program(directory), steps=12, run_directory=tmp_path / "two", resume=True)
    assert got.binary.digest == wanted.binary.digest
    assert got.steps == 12


def test_goals_are_kept(place):
    directory, binary = place
    given = program(directory, goals=(Goal("accuracy", threshold=0.6),))
    made = resize(binary, keep_goal=True, program=given, steps=5)
    assert made.binary.evidence["scores"]["validation"]["accuracy"] >= 0.6
    assert made.wish.value >= 1.25
    with pytest.raises(GoalNotMet) as error:
        resize(binary, smaller=8, keep_goal=True, program=replace(given, goals=(Goal("accuracy", threshold=1.01),)), steps=1)
    assert "validation examples" in str(error.value)
    with pytest.raises(ConfigError) as missing:
        resize(binary, keep_goal=True, program=program(directory), steps=1)
    assert "no goal with a threshold" in str(missing.value)


def test_a_family_is_written_with_a_table_and_a_plot(place, tmp_path):
    directory, binary = place
    made = resize(binary, smaller=4, pareto=True, program=program(directory), steps=2)
    assert [one.wish.value for one in made.family] == [1.5, 2.0, 3.0, 4.0]
    folder = tmp_path / "family"
    written = write_family(made, folder)
    assert [path.name for path in written] == [*(f"smaller-{ratio}.tacit" for ratio in ("1.5", "2", "3", "4")), "family.json", "family.svg"]
    table = json.loads((folder / TABLE).read_text())
    assert [row["digest"] for row in table["family"]] == [one.binary.digest for one in made.family]
    drawn = ElementTree.fromstring((folder / "family.svg").read_text())
    texts = [item.text for item in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert {"original", "1.5x smaller", "4x smaller"} <= set(texts)
    assert len(list(drawn.iter("{http://www.w3.org/2000/svg}circle"))) == 5
    check_family_folder(folder)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    with pytest.raises(ConfigError):
        check_family_folder(tmp_path / "other")


def test_what_is_impossible_is_said_with_the_nearest(place):
    directory, binary = place
    with pytest.raises(BudgetError) as error:
        resize(binary, macs=10, program=program(directory), steps=1)
    assert "the narrowest network has" in str(error.value)
    nearest = float(str(error.value).rpartition("--macs ")[2])
    made = resize(binary, macs=nearest, program=program(directory), steps=1)
    assert made.small_enough
    with pytest.raises(BudgetError) as ratio:
        resize(binary, smaller=1000, program=program(directory), steps=1)
    assert resize(binary, smaller=float(str(ratio.value).rpartition("--smaller ")[2]), program=program(directory), steps=1).small_enough


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({}, "no size"),
        ({"smaller": 2, "minutes": 1.0, "steps": 5}, "`minutes` and `steps` at once"),
        ({"smaller": 2, "steps": -1}, "`steps` is -1"),
        ({"smaller": 2, "minutes": 0.0}, "`minutes` is 0"),
        ({"smaller": 2, "keep_goal": True, "pareto": True}, "`keep_goal` and `pareto` at once"),
        ({"macs": 1e9}, "not reached yet"),
    ],
)
def test_wrong_use(place, given, names):
    directory, binary = place
    with pytest.raises(ConfigError) as error:
        resize(binary, program=program(directory), **given)
    assert names in str(error.value)


def test_what_is_timed_needs_a_compiler(place):
    directory, binary = place
    with pytest.raises(MissingPackage) as error:
        resize(binary, faster=2, program=program(directory))
    assert "pip install" in str(error.value)


def test_a_binary_without_what_it_needs(place, tmp_path):
    directory, binary = place
    with pytest.raises(InputError) as alone:
        resize(binary, smaller=2)
    assert "try: --in DIR" in str(alone.value)
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(ConfigError) as unkept:
        resize(binary, smaller=2, program=program(tmp_path / "elsewhere"))
    assert "not kept" in str(unkept.value) and "try: tacit compile" in str(unkept.value)
    mixed = examples()
    splits = mixed.splits.copy()
    splits[np.flatnonzero(splits == "train")[:3]] = "test"
    with pytest.raises(ConfigError) as leaked:
        resize(binary, smaller=2, program=program(directory, examples=replace(mixed, splits=splits)))
    assert "3 test examples were learnt from" in str(leaked.value)


def test_a_ratio_is_that_of_the_rounds():
    timed = Timed(np.array([[2.0, 20.0, 2.2], [1.0, 10.0, 1.0]]))
    assert timed.ratio(0, 1) == pytest.approx(2.0)
    assert timed.medians == (2.2, 1.0)


@pytest.mark.system
def test_faster_is_measured(place):
    directory, binary = place
    made = resize(binary, faster=1.5, program=program(directory), steps=5)
    assert made.timing is not None
    assert made.timing.ratio >= 1.4  # a busy machine may disturb the last measurement by a little
    assert made.timing.before > made.timing.after > 0
    assert made.binary.evidence["run"]["resized"]["timing"]["isa"] == made.timing.isa
    with pytest.raises(BudgetError) as error:
        resize(binary, faster=900, program=program(directory), steps=1)
    assert "--faster" in str(error.value) and "times as fast" in str(error.value)


@pytest.mark.system
def test_latency_of_integers_is_measured(place):
    directory, binary = place
    first = resize(binary, faster=1.2, program=program(directory), steps=1)
    assert first.timing is not None
    with pytest.raises(BudgetError) as error:
        resize(binary, latency="1ns@c-int8", program=program(directory), steps=1)
    nearest = str(error.value).rpartition("--latency ")[2]
    assert nearest.endswith("us@c-int8")
    made = resize(binary, latency=f"{1.1 * float(nearest.partition('us')[0])}us@c-int8", program=program(directory), steps=1)
    assert made.timing is not None and made.timing.target == "c-int8"
