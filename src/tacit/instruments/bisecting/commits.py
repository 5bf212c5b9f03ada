"""The commits between a good and a bad revision that touched the labels or the settings, and their contents in a folder of their own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tacit.directory.schema import TOML
from tacit.examples.label_files import LABELS
from tacit.examples.media import MEDIA
from tacit.ground.digests import sha256
from tacit.ground.errors import InputError, TacitError
from tacit.ground.files import write_atomic
from tacit.history.authorship import pull_requests, request_in
from tacit.history.git import Repository

SHORT = 10


@dataclass(frozen=True)
class Commit:
    """One commit; state: names what it holds of labels and settings, so that equal states are compiled once."""

    hash: str
    author: str
    date: str
    subject: str
    parents: tuple[str, ...]
    state: str
    pull_request: int | None = None

    def __str__(self) -> str:
        return f"{self.hash[:SHORT]} {self.subject}"


def commit_of(repository: Repository, revision: str) -> Commit:
    """Describe the commit that a revision names. Raises: UnknownName."""
    name = repository.commit(revision)
    return _described(repository, repository.line("log", "-1", f"--format={_FORMAT}", name))


_FORMAT = "%H%x00%an%x00%aI%x00%P%x00%s"


def _described(repository: Repository, row: str) -> Commit:
    name, author, date, parents, subject = row.split("\0", 4)
    return Commit(name, author, date, subject, tuple(parents.split()), state_of(repository, name), request_in(subject))


def state_of(repository: Repository, commit: str) -> str:
    """Name what a commit holds of the labels and settings of the program directory."""
    listing = repository.run("ls-tree", "--full-tree", commit, "--", repository.path(LABELS), repository.path(TOML))
    return sha256(listing)[:24]


def touching(repository: Repository, good: str, bad: str) -> list[Commit]:
    """List the commits after `good` up to `bad` that touched labels or settings, oldest first, along the main line of `bad`.

    A merge counts as one commit, with what it brought. Commits that leave the state of the one before are left out.
    """
    paths = (repository.path(LABELS), repository.path(TOML))
    text = repository.run("log", "--first-parent", "--reverse", f"--format={_FORMAT}", f"{good}..{bad}", "--", *paths)
    found: list[Commit] = []
    before = state_of(repository, good)
    for row in text.decode("utf-8", "replace").splitlines():
        commit = _described(repository, row)
        if commit.state != before:
            found.append(commit)
            before = commit.state
    return found


def check_order(repository: Repository, good: Commit, bad: Commit) -> None:
    """Refuse a bad revision that does not come after the good one. Raises: InputError that says what to type."""
    if _comes_after(repository, good.hash, bad.hash):
        return
    if _comes_after(repository, bad.hash, good.hash):
        cause, fix = "the bad one is older than the good one", f"tacit bisect {bad.hash[:SHORT]} {good.hash[:SHORT]}  (the older one first)"
    else:
        base = repository.line("merge-base", good.hash, bad.hash, codes=(0, 1))
        cause = "they are on two branches" + (f" that part at {base[:SHORT]}" if base else " without a common commit")
        fix = f"tacit bisect {base[:SHORT]} {bad.hash[:SHORT]}" if base else "give two commits of one branch"
    raise InputError(f"expected a bad commit that comes after the good one, got {bad} after {good}", cause=cause, fix=fix)


def _comes_after(repository: Repository, first: str, second: str) -> bool:
    """Tell whether `first` is reached from `second`: its merge base with it is itself."""
    return repository.line("merge-base", first, second, codes=(0, 1)) == first


def with_request(repository: Repository, commit: Commit) -> int | None:
    """Give the pull request that brought a commit in, or None."""
    return commit.pull_request or pull_requests(repository, [commit.hash]).get(commit.hash)


def export(repository: Repository, commit: str, folder: Path) -> None:
    """Write labels and settings of a commit into a folder that shares the media and decoded inputs of the program directory.

    Raises: TacitError when the commit holds no program here.
    """
    listing = {**repository.files(commit, repository.path(LABELS)), **repository.files(commit, repository.path(TOML))}
    names = {repository.relative(path) for path in listing}
    if TOML not in names or len(names) < 2:
        missing = TOML if TOML not in names else LABELS
        raise TacitError(f"expected a program, the commit has no `{missing}` - at {commit[:SHORT]}:{repository.prefix or './'}")
    shutil.rmtree(folder, ignore_errors=True)
    with repository.blobs() as blobs:
        for path, content in zip(listing, blobs.read_many(listing.values()), strict=True):
            write_atomic(folder / repository.relative(path), content)
    for shared, place in _shared(repository.directory):
        target = folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        os.symlink(shared, target, target_is_directory=True)


def _shared(directory: Path) -> Iterator[tuple[Path, str]]:
    """Give the folders that are the same for every commit: media by content, and the cache, whose keys name what is in it."""
    if (directory / MEDIA).is_dir():
        yield (directory / MEDIA).resolve(), MEDIA
    cache = directory / ".tacit" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    yield cache.resolve(), ".tacit/cache"
