"""Bisection over real repositories; compiling is replaced by a binary whose scores follow from the training labels at once."""

from __future__ import annotations

import json
import math
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from tacit.binary.binary import Binary
from tacit.directory.making import new_program
from tacit.ground.errors import ConfigError, InputError, UnknownName
from tacit.ground.progress import Reporter
from tacit.instruments.bisecting import trials
from tacit.instruments.bisecting.question import parse_goal
from tacit.instruments.bisecting.searching import bisect
from tacit.instruments.layout import plain
from tests.unit.history.repositories import ENVIRONMENT
from tests.unit.instruments.behaviour.linear import linear


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch):
    for key, value in ENVIRONMENT.items():
        monkeypatch.setenv(key, value)


@dataclass
class Compiler:
    """Stands in for `compile`: accuracy is the share of training labels that follow the rule `y > x`, plus noise per seed."""

    calls: list[tuple[str, int]] = field(default_factory=list)
    noise: dict[int, float] = field(default_factory=dict)

    def __call__(self, program, *, seed, **options) -> Binary:
        self.calls.append((program.examples.labels_digest, seed))
        train = program.examples.split("train")
        names = program.signature.output.names
        points = train.inputs[0]
        tall = program.signature.input.numbers.index("y")
        rule = np.array([names.index("tall" if point[tall] > point[1 - tall] else "wide") for point in points])
        share = float((rule == train.targets).mean())
        weights = np.zeros((2, len(names)), np.float32)
        weights[tall, names.index("tall")] = weights[1 - tall, names.index("wide")] = 1.0 if share > 0.8 else -1.0
        score = share + self.noise.get(seed, 0.0)
        evidence = {
            "name": program.name,
            "labels": {"commit": None, "digest": program.examples.labels_digest},
            "scores": {"test": {"accuracy": score, "count": 1000, "per_class": {name: {"recall": score} for name in names}}},
        }
        return linear(program.signature.output, weights, evidence=evidence)


@pytest.fixture
def compiler(monkeypatch) -> Compiler:
    fake = Compiler()
    monkeypatch.setattr(trials, "compile_program", fake)
    return fake


@dataclass
class Repository:
    root: Path
    directory: Path

    def git(self, *arguments: str) -> str:
        own = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")
        done = subprocess.run(["git", "-C", str(self.root), *own, *arguments], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    @property
    def file(self) -> Path:
        return next((self.directory / "labels").glob("*/*.jsonl"))

    def flip(self, first: int, count: int = 1) -> None:
        """Give some training records the other label."""
        lines = self.file.read_text().split("\n")
        places = [place for place, line in enumerate(lines) if line][first : first + count]
        for place in places:
            fields = json.loads(lines[place])
            fields["label"] = "wide" if fields["label"] == "tall" else "tall"
            lines[place] = json.dumps(fields)
        self.file.write_text("\n".join(lines))

    def commit(self, message: str) -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD")

    def history(self, count: int, culprit: int) -> list[str]:
        """Commit harmless relabels and, as the one numbered `culprit`, sixty wrong ones."""
        made = []
        for number in range(count):
            self.flip(*((100, 60) if number == culprit else (number, 1)))
            made.append(self.commit(f"Relabel {number} (#{number + 20})"))
        return made


@pytest.fixture(params=["", "sets/points"], ids=["root", "folder"])
def repository(request, tmp_path) -> Repository:
    root = tmp_path / "repository"
    root.mkdir()
    directory = root / request.param / "program"
    directory.parent.mkdir(parents=True, exist_ok=True)
    chance = np.random.default_rng(0)
    rows = chance.uniform(0, 9, (200, 2)).round(4)
    text = "x,y,kind,split\n" + "".join(f"{x},{y},{'tall' if y > x else 'wide'},train\n" for x, y in rows[:-4])
    text += "".join(f"{x},{y},{'tall' if y > x else 'wide'},test\n" for x, y in rows[-4:])
    (tmp_path / "points.csv").write_text(text)
    new_program(directory, source=tmp_path / "points.csv", label="kind")
    subprocess.run(["git", "init", "-q", "-b", "main", str(root)], check=True)
    made = Repository(root, directory)
    made.commit("Add points")
    return made


def found_by(repository: Repository, good: str, bad: str = "HEAD", **options):
    return bisect(good, bad, directory=repository.directory, **{"goal": "accuracy=0.8", "steps": 10, **options})


@pytest.mark.parametrize("culprit", [0, 3, 8])
def test_the_commit_that_broke_the_goal_is_found_in_about_log2_compilations(repository, compiler, culprit):
    commits = repository.history(9, culprit)
    before = repository.git("status", "--porcelain", "--ignored=no")
    found = found_by(repository, f"{commits[0]}~1")
    assert found.culprit.hash == commits[culprit] and found.suspects == (found.culprit,)
    assert found.pull_request == culprit + 20 and found.culprit.author == "Ann"
    assert len(found.changes) == 60 and not found.settings_changed
    assert len(compiler.calls) <= 2 + math.ceil(math.log2(9))
    assert repository.git("status", "--porcelain", "--ignored=no") == before
    text = plain(found.parts())
    assert f"first bad commit: {commits[culprit]}" in text and "60 relabelled" in text and f"pull request {culprit + 20}" in text
    assert all(Path(path).is_file() for path in found.binaries)
    json.dumps(found.to_json())


def test_edits_of_the_working_tree_stay_and_do_not_count(repository, compiler):
    commits = repository.history(4, 2)
    repository.flip(150, 30)
    edited = repository.file.read_bytes()
    assert found_by(repository, f"{commits[0]}~1").culprit.hash == commits[2]
    assert repository.file.read_bytes() == edited


def test_a_search_that_was_stopped_goes_on(repository, compiler):
    commits = repository.history(8, 5)

    class Stops(Reporter):
        def note(self, text):
            if text.startswith("compile 4"):
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        found_by(repository, f"{commits[0]}~1", reporter=Stops())
    assert len(compiler.calls) == 3
    whole = found_by(repository, f"{commits[0]}~1")
    assert whole.culprit.hash == commits[5] and len(compiler.calls) == 2 + 3
    again = found_by(repository, f"{commits[0]}~1")
    assert again.culprit == whole.culprit and again.compiled == 0
    Path(again.binaries[0]).write_bytes(b"damaged")
    assert found_by(repository, f"{commits[0]}~1").compiled == 1


def test_commits_whose_labels_cannot_be_read_are_skipped_and_named(repository, compiler):
    commits = repository.history(3, 9)
    whole = repository.file.read_text()
    repository.file.write_text(whole + "\n{broken\n")
    commits.append(repository.commit("Break the file"))
    repository.file.write_text(whole)
    repository.flip(100, 60)
    commits.append(repository.commit("Relabel many"))
    repository.flip(5)
    commits.append(repository.commit("Relabel one"))
    found = found_by(repository, commits[0])
    assert [commit.hash for commit in found.suspects] == commits[3:5] and found.culprit.hash == commits[4]
    assert [item.commit.hash for item in found.tried if item.verdict == "skipped"] == [commits[3]]
    assert "one of these 2" in plain(found.parts())


def branch(repository: Repository, name: str, edits) -> list[str]:
    repository.git("switch", "-q", "-c", name)
    made = []
    for number, (first, count) in enumerate(edits):
        repository.flip(first, count)
        made.append(repository.commit(f"{name} {number}"))
    repository.git("switch", "-q", "main")
    return made


def test_a_merge_is_looked_into(repository, compiler):
    good = repository.git("rev-parse", "HEAD")
    inside = branch(repository, "ann", [(0, 1), (100, 60), (2, 1)])
    repository.flip(50)
    repository.commit("On main")
    repository.git("merge", "-q", "--no-ff", "-m", "Merge pull request #7 from ann/labels", "ann")
    repository.flip(60)
    repository.commit("After")
    found = found_by(repository, good)
    assert found.culprit.hash == inside[1] and found.pull_request == 7 and len(found.changes) == 60


def test_a_merge_of_two_good_branches_can_be_the_culprit_itself(repository, compiler):
    good = repository.git("rev-parse", "HEAD")
    branch(repository, "ann", [(0, 25)])
    repository.flip(100, 25)
    repository.commit("On main")
    repository.git("merge", "-q", "--no-ff", "-m", "Merge ann", "ann")
    found = found_by(repository, good)
    assert found.culprit.subject == "Merge ann" and len(found.changes) == 25


def test_a_goal_without_a_threshold_lies_halfway_and_settings_that_changed_are_said(repository, compiler):
    good = repository.git("rev-parse", "HEAD")
    repository.flip(100, 60)
    settings = repository.directory / "tacit.toml"
    settings.write_text(settings.read_text() + "\n# a remark\n")
    bad = repository.commit("Relabel and remark")
    found = found_by(repository, good, goal="accuracy")
    assert found.culprit.hash == bad and found.settings_changed
    assert "accuracy on test >= 0.84" in found.question


def test_commits_near_the_border_are_judged_by_several_seeds(repository, compiler):
    compiler.noise = {0: -0.004, 1: 0.004, 2: 0.004}
    good = repository.git("rev-parse", "HEAD")
    repository.flip(100, 60)
    bad = repository.commit("Relabel many")
    found = found_by(repository, good, goal="accuracy=0.997")
    assert found.culprit.hash == bad
    assert [item.runs for item in found.tried] == [2, 1]
    assert "mean of 2 seeds" in plain(found.parts())


def test_the_answer_on_an_example_is_followed(repository, compiler):
    commits = repository.history(5, 3)
    name = json.loads(repository.file.read_text().split("\n")[0])["id"]
    found = found_by(repository, f"{commits[0]}~1", goal=(), example=name[:12])
    assert found.culprit.hash == commits[3] and f"example {name}" in found.question
    with pytest.raises(InputError, match="fits none"):
        found_by(repository, f"{commits[0]}~1", goal=(), example="zzz")
    with pytest.raises(ConfigError, match="expected --goal or --example, got both"):
        found_by(repository, f"{commits[0]}~1", example=name)


def test_ends_that_are_not_good_and_bad_are_said_at_once(repository, compiler):
    commits = repository.history(4, 1)
    start = f"{commits[0]}~1"
    with pytest.raises(
        InputError, match=r"expected the good revision to be good, it is not met: accuracy on test >= 0\.8, got accuracy on test 0\.69"
    ):
        found_by(repository, commits[1])
    assert len(compiler.calls) == 2
    with pytest.raises(InputError, match="expected the bad revision to be bad, it is met"):
        found_by(repository, start, commits[0])
    with pytest.raises(InputError, match="the bad one is older than the good one"):
        found_by(repository, "HEAD", start)
    with pytest.raises(InputError, match="the same labels and settings"):
        found_by(repository, "HEAD", "HEAD")
    with pytest.raises(UnknownName, match="expected a known revision, got `nowhere`"):
        found_by(repository, "nowhere")
    with pytest.raises(ConfigError, match=r"expected a goal with a threshold in `tacit.toml`"):
        found_by(repository, start, goal=())


def test_two_branches_are_refused_with_the_commit_at_which_they_part(repository, compiler):
    base = repository.git("rev-parse", "HEAD")
    other = branch(repository, "ann", [(0, 1)])
    repository.flip(3)
    repository.commit("On main")
    with pytest.raises(InputError, match=f"two branches that part at {base[:10]}"):
        found_by(repository, other[0])


def test_goals_are_read_from_words():
    assert parse_goal("recall.big cat=0.9").label == "big cat"
    assert parse_goal("log_loss@validation=0.3").split == "validation"
    for wrong in ("", "accuracy=", "accuracy=high", "accuracy=inf", "=0.3"):
        with pytest.raises(ConfigError, match="expected a goal such as"):
            parse_goal(wrong)


def test_the_working_folder_is_gone_afterwards(repository, compiler):
    commits = repository.history(2, 1)
    found_by(repository, f"{commits[0]}~1")
    left = [path for path in (repository.directory / ".tacit" / "bisect").rglob("tacit.toml")]
    assert left == [] and not any(os.path.islink(path) for path in (repository.directory / ".tacit" / "bisect").rglob("*"))
