"""`tacit bisect`: find the label commit after which a goal is no longer met, in about log2(n) compilations."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

from tacit.binary.loading import load
from tacit.directory.reading import read_program
from tacit.ground.errors import ConfigError, InputError, TacitError
from tacit.ground.progress import Reporter
from tacit.history.finding_changes import label_changes
from tacit.history.git import Repository, find_repository
from tacit.instruments.bisecting.bisection import Bisection, Tried
from tacit.instruments.bisecting.commits import Commit, check_order, commit_of, export, touching, with_request
from tacit.instruments.bisecting.question import ByExample, ByGoals, Measured, Question, example_of, goals_for, parse_goal
from tacit.instruments.bisecting.trials import Spending, Trials
from tacit.program import Program
from tacit.search.trained import latest_values
from tacit.signature.base import Signature

GOOD, BAD, SKIPPED = "good", "bad", "skipped"
#: Seeds by which a commit near the border is judged at the most.
SEEDS = 3


def bisect(
    good: str,
    bad: str = "HEAD",
    *,
    directory: str | PathLike[str] = ".",
    goal: str | Sequence[str] = (),
    example: str | None = None,
    expect: Any = None,
    steps: int | None = None,
    minutes: float | None = None,
    like: str | PathLike[str] | None = None,
    settings: Mapping[str, str] | None = None,
    seed: int = 0,
    seeds: int = SEEDS,
    warm: bool = False,
    reporter: Reporter | None = None,
) -> Bisection:
    """Find the first commit after `good`, up to `bad`, whose labels don't meet a goal any more; the working tree stays as it is.

    goal: ``accuracy=0.95`` or a metric (then the program's threshold, else halfway between both ends); without any, all goals of
    `tacit.toml`. example: instead of a goal the answer on this example, which is `expect` (else what it is at `good`). steps, minutes:
    of each compilation (else those of `like`, a binary; else of the newest run that is kept; else the program's budget). settings:
    overrides of `tacit.toml`. seeds: how many at the most judge a commit near the border. warm: start all from the weights at `good`,
    which takes fewer steps, and is sound as far as the bad end is still bad then, which is checked.
    Raises: InputError when the ends are not good and bad, ConfigError, UnknownName.
    """
    reporter = reporter or Reporter()
    wanted = [parse_goal(text) for text in ([goal] if isinstance(goal, str) else goal)]
    if example is not None and wanted:
        raise ConfigError("expected --goal or --example, got both")
    if steps is not None and minutes is not None:
        raise ConfigError("expected --steps or --minutes, got both", fix="--steps, for runs that can be repeated")
    repository = find_repository(Path(directory))
    first, last = commit_of(repository, good), commit_of(repository, bad)
    check_order(repository, first, last)
    commits = touching(repository, first.hash, last.hash)
    if not commits or commits[-1].state == first.state:
        raise InputError(
            f"expected a bad commit with other labels than the good one, got the same labels and settings - at {first} and {last}",
            fix="what else changed? The program is compiled from labels and tacit.toml alone",
        )
    program = _program_at(repository, last)
    spending = _spending(program, Path(directory), like=like, steps=steps, minutes=minutes, settings=settings or {})
    trials = Trials(repository, spending, seed=seed, warm=first if warm else None, reporter=reporter)
    trials.expected = 2 + math.ceil(math.log2(len(commits))) if len(commits) > 1 else 2
    reporter.phase("bisecting")
    reporter.note(f"{len(commits)} commits touched the labels: about {trials.expected} compilations")
    search = _Search(repository, trials, max(1, seeds), reporter)
    question: Question = (
        ByGoals(goals_for(program, wanted)) if example is None else ByExample(*example_of(Path(directory), example), expect)
    )
    search.ends(question, first, commits[-1], warm=warm)
    before, culprit, suspects = search.find(first, commits)
    changes = label_changes(Path(directory), _parent(repository, culprit), culprit.hash)
    return Bisection(
        search.question.describe(),
        culprit,
        suspects,
        before,
        tuple(search.tried),
        tuple(changes),
        with_request(repository, culprit),
        _settings_changed(repository, culprit),
        (_shown(trials.path(before, 0)), _shown(trials.path(culprit, 0))),
        _shown(Path(directory).resolve()),
        trials.compiled,
    )


class _Search:
    """The binary search with what it has found so far."""

    def __init__(self, repository: Repository, trials: Trials, seeds: int, reporter: Reporter) -> None:
        self.repository, self.trials, self.seeds, self.reporter = repository, trials, seeds, reporter
        self.tried: list[Tried] = []
        self.question: Question = ByGoals(())

    def ends(self, question: Question, good: Commit, bad: Commit, *, warm: bool) -> None:
        """Judge both ends first. Raises: InputError when the good one is not good or the bad one not bad."""
        binaries = [self.trials.binary(end) for end in (good, bad)]
        self.question = question.settle([binaries[0]], [binaries[1]])
        for end, wanted in ((good, True), (bad, False)):
            measured, runs = self._measured(end)
            if measured.good is not wanted:
                word, other = ("good", "it is not met") if wanted else ("bad", "it is met")
                hint = "compile longer (--steps), or give another revision" + (", or leave --warm out" if warm and not wanted else "")
                raise InputError(
                    f"expected the {word} revision to be {word}, {other}: {self.question.describe()}, got {measured.said} - at {end}",
                    fix=hint,
                )
            self._note(Tried(end, GOOD if wanted else BAD, measured.said, measured.sure, runs))

    def find(self, good: Commit, commits: Sequence[Commit]) -> tuple[Commit, Commit, tuple[Commit, ...]]:
        """Give the last good commit, the first bad one, and that with those before it that could not be judged.

        The last of `commits` is known to be bad. A merge that turns out to be the first bad one is looked into.
        """
        low, high = -1, len(commits) - 1
        skipped: set[int] = set()
        while True:
            open_ = [place for place in range(low + 1, high) if place not in skipped]
            if not open_:
                break
            middle = min(open_, key=lambda place: abs(2 * place - low - high))
            verdict = self._judge(commits[middle])
            if verdict == SKIPPED:
                skipped.add(middle)
            elif verdict == GOOD:
                low = middle
            else:
                high = middle
            self.trials.expected = self.trials.compiled + math.ceil(math.log2(max(1, high - low)))
        before, culprit = (good if low < 0 else commits[low]), commits[high]
        suspects = tuple(commits[place] for place in range(low + 1, high + 1))
        if len(culprit.parents) > 1 and len(suspects) == 1:
            return self._into(before, culprit)
        return before, culprit, suspects

    def _into(self, before: Commit, merge: Commit) -> tuple[Commit, Commit, tuple[Commit, ...]]:
        """Look for the first bad commit among those that a merge brought; the merge itself when what it brought is good alone."""
        side = [commit for commit in touching(self.repository, merge.parents[0], merge.parents[1]) if commit.state != before.state]
        if not side or self._judge(side[-1]) != BAD:
            return before, merge, (merge,)
        return self.find(before, side)

    def _judge(self, commit: Commit) -> str:
        try:
            measured, runs = self._measured(commit)
        except TacitError as error:
            self._note(Tried(commit, SKIPPED, error.message.split("\n")[0], runs=0))
            return SKIPPED
        verdict = GOOD if measured.good else BAD
        self._note(Tried(commit, verdict, measured.said, measured.sure, runs))
        return verdict

    def _measured(self, commit: Commit) -> tuple[Measured, int]:
        """Judge a commit; near the border further seeds are asked."""
        binaries = [self.trials.binary(commit)]
        measured = self.question.measure(binaries)
        while not measured.sure and len(binaries) < self.seeds:
            binaries.append(self.trials.binary(commit, len(binaries)))
            measured = self.question.measure(binaries)
        return measured, len(binaries)

    def _note(self, tried: Tried) -> None:
        self.tried.append(tried)
        self.reporter.note(f"{tried.verdict}: {tried.commit}: {tried.said}")


def _program_at(repository: Repository, commit: Commit) -> Program:
    """Read the program as it is at a commit. Raises: InputError, ConfigError."""
    folder = repository.directory / ".tacit" / "bisect" / f"read-{os.getpid()}"
    try:
        export(repository, commit.hash, folder)
        return replace(read_program(folder), directory=repository.directory)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _spending(
    program: Program,
    directory: Path,
    *,
    like: str | PathLike[str] | None,
    steps: int | None,
    minutes: float | None,
    settings: Mapping[str, str],
) -> Spending:
    """Decide what each compilation may cost, and the settings that all have in common."""
    chosen: Mapping[str, Any] = {}
    known: int | None = None
    if like is not None:
        run = load(like).evidence.get("run") or {}
        chosen, known = run.get("settings") or {}, run.get("steps")
    elif (kept := latest_values(directory)) is not None and kept.get("skeleton") == program.skeleton and _same(kept, program.signature):
        chosen, known = kept.get("settings") or {}, kept.get("steps")
    fixed = {f"skeleton.{name}": _toml(value) for name, value in chosen.items() if name not in program.settings}
    if steps is None and minutes is None:
        steps = program.budget.steps or known
        minutes = None if steps is not None else program.budget.minutes or 5.0
    return Spending(steps, minutes, {**fixed, **settings})


def _same(kept: Mapping[str, Any], signature: Signature) -> bool:
    return bool((kept.get("signature") or {}).get("input") == signature.input.to_json())


def _toml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else f'"{value}"' if isinstance(value, str) else str(value)


def _parent(repository: Repository, commit: Commit) -> str:
    return commit.parents[0] if commit.parents else repository.empty_tree


def _settings_changed(repository: Repository, commit: Commit) -> bool:
    path = repository.path("tacit.toml")
    now = repository.files(commit.hash, path)
    return now != (repository.files(commit.parents[0], path) if commit.parents else {})


def _shown(path: Path) -> str:
    """Give a path as a person would type it: from the folder that they are in, where that is shorter."""
    relative = os.path.relpath(path)
    return relative if len(relative) < len(str(path)) else str(path)
