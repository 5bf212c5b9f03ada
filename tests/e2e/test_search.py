"""Search from the command line: preview, trials that survive a kill, limits that can't be kept."""

import shutil
import signal
import subprocess
import sys
import time

import pytest

from tests.e2e.conftest import command_environment, tacit, tree

SEARCH = ("--set", "search.trials=5", "--set", "search.batch=3", "--set", "search.rungs=2", "--set", "budget.macs=60000")


@pytest.fixture
def place(made, tmp_path):
    shutil.copytree(made / "program", tmp_path / "program")
    shutil.rmtree(tmp_path / "program/.tacit", ignore_errors=True)
    return tmp_path


def trials(place):
    return [path.read_text().splitlines() for path in place.glob("program/.tacit/runs/*/trials.jsonl")]


def test_a_search_killed_in_the_middle_goes_on_and_finds_the_same(place, tmp_path_factory):
    arguments = ("compile", "program", "--steps", 240, *SEARCH, "-o", "found.tacit", "--json")
    process = subprocess.Popen(
        [sys.executable, "-m", "tacit.cli.main", *map(str, arguments)],
        cwd=place,
        env=command_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while (not trials(place) or len(trials(place)[0]) < 2) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (kept,) = trials(place)
    assert len(kept) >= 2
    assert not (place / "found.tacit").exists()
    resumed = tacit(*arguments, "--resume", cwd=place)
    assert resumed.code in (0, 1), resumed.err
    (after,) = trials(place)
    assert after[: len(kept)] == kept  # no finished trial was lost or run again
    whole = tmp_path_factory.mktemp("whole")
    shutil.copytree(place / "program", whole / "program")
    shutil.rmtree(whole / "program/.tacit")
    wanted = tacit(*arguments, cwd=whole)
    assert (whole / "found.tacit").read_bytes() == (place / "found.tacit").read_bytes()
    run = wanted.document["evidence"]["run"]
    assert len({trial["number"] for trial in run["trials"]}) == 5
    assert all(trial["costs"]["macs"] <= 60_000 for trial in run["trials"])
    assert wanted.document["evidence"]["costs"]["macs"] <= 60_000
    report = tacit("compile", "program", "--repeat", "found.tacit", "-o", "again.tacit", cwd=whole)
    assert report.code in (0, 1), report.err
    assert "search:" not in report.out  # what was found is taken, not searched again


def test_a_preview_writes_nothing_and_keeps_to_the_limits(place):
    tacit("compile", "program", "--preview", cwd=place)  # caches of the examples are written once
    before = tree(place)
    done = tacit("compile", "program", "--preview", "--steps", 600, *SEARCH, "--json", cwd=place)
    assert done.code == 0, done.err
    found = done.document
    assert tree(place) == before
    assert found["candidates"] == 5
    assert found["limits"] == {"macs": 60000}
    assert found["automatic"] is True
    assert found["widened"] == "width"
    assert [rung["candidates"] for rung in found["rungs"]] == [5, 3]
    assert found["rungs"][1]["steps"] == 2 * found["rungs"][0]["steps"] == 48
    assert found["winner"]["steps"] == 600
    assert 0 < found["fitting"] <= found["drawn"]
    assert found["seconds"] > found["winner"]["seconds"]


def test_a_preview_of_a_folder_of_examples_leaves_no_program_behind(made, tmp_path):
    shutil.copytree(made / "pictures", tmp_path / "pictures")
    before = tree(tmp_path)
    done = tacit("compile", "pictures", "--preview", "--minutes", 1, "--set", "skeleton.width=[4, 8]", cwd=tmp_path)
    assert done.code == 0, done.err
    assert tree(tmp_path) == before
    assert "nothing was written" in done.out
    assert "width" in done.out and "4, 8" in done.out


@pytest.mark.parametrize(
    "given, names",
    [
        (("search.trails=3",), ("tacit.toml", "did you mean `trials`?")),
        (("search.trials=3", "search.sampler=tpr"), ("did you mean `tpe`?",)),
        (("search.trials=3", 'search.objectives=["macs"]'), ("begins with the metric of the first goal",)),
        (("skeleton.width={between=[8]}",), ("{between = [low, high]}",)),
        (("skeleton.width={between=[8, 4]}",), ("a range from low to high",)),
        (("budget.latency=5",), ('a time such as "0.5ms"',)),
    ],
)
def test_a_search_that_is_not_understood_is_refused(refused, place, given, names):
    tacit("compile", "program", "--preview", cwd=place)
    options = [part for value in given for part in ("--set", value)]
    refused("compile", "program", "--steps", 8, *options, names=names, cwd=place)


@pytest.mark.parametrize("how", [(), ("--preview",)])
@pytest.mark.parametrize("search", [(), ("--set", "search.trials=4")])
def test_an_impossible_limit_is_refused_before_the_run_with_the_nearest(refused, place, how, search):
    tacit("compile", "program", "--preview", cwd=place)
    limits = ("--set", "budget.macs=100", *search)
    refused("compile", "program", "--steps", 8, *limits, *how, names=("100 macs", "the nearest", "macs", "try: raise"), cwd=place)


def test_a_range_and_a_latency_in_tacit_toml(place):
    path = place / "program/tacit.toml"
    text = path.read_text().replace("[skeleton]\n", "[skeleton]\nwidth = {between = [4, 8], step = 2}\n")
    text = text.replace("[budget]\n", '[budget]\nlatency = "5us@3GHz"\n')
    text = text.replace("[search]\n", '[search]\ntrials = 3\npruner = "none"\nobjectives = ["accuracy", "latency"]\n')
    path.write_text(text)
    done = tacit("compile", "program", "--steps", 60, "--json", cwd=place)
    assert done.code in (0, 1), done.err
    run = done.document["evidence"]["run"]
    assert {trial["settings"]["width"] for trial in run["trials"]} <= {4, 6, 8}
    assert all(trial["costs"]["latency"] <= 5e-6 for trial in run["trials"])
    assert run["front"]
