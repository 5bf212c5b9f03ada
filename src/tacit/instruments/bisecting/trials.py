"""Compiling one commit: the same steps, seeds and settings for all, kept so that a bisection that was stopped goes on."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from tacit.binary.binary import Binary
from tacit.binary.loading import load
from tacit.compiler import compile as compile_program
from tacit.directory.reading import read_program
from tacit.ground.digests import canonical_json, sha256
from tacit.ground.errors import TacitError
from tacit.ground.progress import Reporter
from tacit.history.git import Repository
from tacit.instruments.bisecting.commits import Commit, export
from tacit.search.trained import TRAINED, trained_path

BISECT = ".tacit/bisect"


@dataclass(frozen=True)
class Spending:
    """What compiling one commit may cost: steps (repeatable), else minutes; settings: overrides of `tacit.toml`."""

    steps: int | None
    minutes: float | None
    settings: Mapping[str, str] = field(default_factory=dict)


class Trials:
    """Compiles commits of one program, or gives what was compiled before.

    Binaries stay in ``.tacit/bisect/<key>`` of the program directory, the key being what decides them besides the labels. warm: the
    commit whose weights the others start from.
    """

    def __init__(self, repository: Repository, spending: Spending, *, seed: int, warm: Commit | None, reporter: Reporter) -> None:
        self.repository, self.spending, self.seed, self.warm, self.reporter = repository, spending, seed, warm, reporter
        key = [spending.steps, spending.minutes, sorted(spending.settings.items()), None if warm is None else warm.state]
        self.folder = repository.directory / BISECT / sha256(canonical_json(key).encode())[:12]
        self.compiled, self.expected, self.seconds = 0, 1, 0.0

    def path(self, commit: Commit, run: int) -> Path:
        """Give where the binary of a commit's n-th run is kept."""
        return self.folder / f"{commit.state}-{self.seed + run}.tacit"

    def binary(self, commit: Commit, run: int = 0) -> Binary:
        """Compile a commit with the n-th seed, or give what is kept.

        Raises: TacitError when its labels can't be read or learned from.
        """
        path = self.path(commit, run)
        if path.is_file():
            try:
                return load(path)
            except TacitError:
                path.unlink()  # damaged: made again
        self.compiled += 1
        self.expected = max(self.expected, self.compiled)
        again = f", seed {self.seed + run}" if run else ""
        self.reporter.note(f"compile {self.compiled} of about {self.expected}: {commit}{again}")
        begun = time.monotonic()
        binary = self._compile(commit, run)
        self.seconds += time.monotonic() - begun
        binary.save(path)
        return binary

    def _compile(self, commit: Commit, run: int) -> Binary:
        work = self.folder / "work" / commit.state
        export(self.repository, commit.hash, work)
        try:
            program = read_program(work, overrides=self.spending.settings, reporter=Reporter())
            budget = replace(program.budget, steps=self.spending.steps, minutes=self.spending.minutes)
            program = replace(program, budget=budget)
            warm = None if self.warm is None or commit.state == self.warm.state else self._origin(work, run)
            runs = self.folder / "runs" / f"{commit.state}-{self.seed + run}"
            reporter = _Part(self.reporter, self.compiled, self.expected, self.seconds)
            binary = compile_program(program, seed=self.seed + run, resume=True, warm=warm, run_directory=runs, reporter=reporter)
            if self.warm is not None and commit.state == self.warm.state:
                self._keep_origin(work, binary, run)
            shutil.rmtree(runs, ignore_errors=True)
            labels = {**binary.evidence["labels"], "commit": commit.hash}  # the work folder itself is in no commit
            return replace(binary, evidence={**binary.evidence, "labels": labels})
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def _keep_origin(self, work: Path, binary: Binary, run: int) -> None:
        """Keep the weights of the commit that the others start from."""
        kept = trained_path(work, binary.digest)
        if kept.is_file():
            target = self.folder / "origin" / str(run) / TRAINED / kept.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(kept, target)

    def _origin(self, work: Path, run: int) -> str | None:
        """Lay the weights to start from into a work folder, and give the digest by which they are found."""
        if self.warm is None:
            return None
        digest = self.binary(self.warm, run).digest
        source = trained_path(self.folder / "origin" / str(run), digest)
        if not source.is_file():  # removed by hand: made again
            self.path(self.warm, run).unlink()
            digest = self.binary(self.warm, run).digest
            source = trained_path(self.folder / "origin" / str(run), digest)
        target = trained_path(work, digest)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        return digest


class _Part(Reporter):
    """Shows one compilation as a part of the whole search."""

    def __init__(self, outer: Reporter, number: int, expected: int, seconds: float) -> None:
        self._outer, self._number, self._expected = outer, number, expected
        self._mean = seconds / (number - 1) if number > 1 else None

    def progress(self, fraction: float, seconds_left: float | None, message: str = "") -> None:
        """Say how far the search is, by its expected number of compilations."""
        coming = self._expected - self._number
        left = None if seconds_left is None else seconds_left + coming * (self._mean if self._mean is not None else seconds_left)
        self._outer.progress((self._number - 1 + fraction) / self._expected, left, message)
