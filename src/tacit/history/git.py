"""The one door to the git program.

Every call runs without a pager, without questions, in the C locale and with paths as they are, whatever the person's
configuration says. A program directory may be the root of a repository or a folder within a larger one: paths given to
and taken from git are relative to the repository's root, `Repository.path` and `Repository.relative` translate.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from tacit.ground.errors import InputError, TacitError, UnknownName
from tacit.ground.tables import did_you_mean

#: What git's own hooks set for the repository that they run in; relative to another folder than ours.
_DROPPED = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_EXTERNAL_DIFF", "GIT_DIFF_OPTS", "GIT_NAMESPACE")
_SETTINGS = {
    "core.quotepath": "off",
    "core.fsmonitor": "false",
    "core.pager": "cat",
    "color.ui": "false",
    "advice.detachedHead": "false",
    "log.showSignature": "false",
}
NOTHING = "0" * 40  # how git writes the object of what is not there, or not hashed yet
FILE = "100644"  # the mode of an ordinary file


@dataclass(frozen=True, slots=True)
class Entry:
    """One file that differs between two trees. An object is None on the side where the file isn't, or isn't hashed yet."""

    path: str  # relative to the root of the repository
    before: str | None
    after: str | None
    status: str  # A added, D deleted, M modified, T of another type, U unmerged
    mode: str = FILE  # afterwards


@dataclass(frozen=True)
class Repository:
    """A repository and the program directory in it. root: the top of the working tree. prefix: ``""`` or ``"some/folder/"``."""

    root: Path
    prefix: str
    directory: Path
    git_dir: Path
    shallow: bool = False
    _resolved: dict[str, str] = field(default_factory=dict, repr=False, compare=False)

    def path(self, relative: str) -> str:
        """Give the path from the repository's root of a file that is named from the program directory."""
        return self.prefix + relative

    def relative(self, path: str) -> str:
        """Give the path from the program directory of a file that is named from the repository's root."""
        return path.removeprefix(self.prefix)

    def run(self, *arguments: str, data: bytes | None = None, codes: Sequence[int] = (0,), more: Mapping[str, str] | None = None) -> bytes:
        """Run git in the repository's root and give its stdout.

        data: for stdin. codes: exit codes that are an answer and not a failure. more: further variables of the environment.
        Raises: TacitError with what git says.
        """
        return call(self.root, *arguments, data=data, codes=codes, more=more)

    def line(self, *arguments: str, codes: Sequence[int] = (0,)) -> str:
        """Give stdout as one line of text. Raises: TacitError."""
        return self.run(*arguments, codes=codes).decode("utf-8", "replace").strip()

    @cached_property
    def head(self) -> str | None:
        """The commit that is checked out; None before the first one."""
        return self.line("rev-parse", "--verify", "--quiet", "HEAD^{commit}", codes=(0, 1)) or None

    @cached_property
    def empty_tree(self) -> str:
        """The tree without files: what a repository without commits is compared with."""
        return self.line("hash-object", "-t", "tree", os.devnull)

    def commit(self, revision: str) -> str:
        """Give the full hash of the commit that a revision names: a branch, a tag, ``HEAD~2``, the start of a hash ...

        Raises: UnknownName suggesting the nearest branch or tag; TacitError before the first commit and where a shallow clone ends.
        """
        if revision not in self._resolved:
            name = f"{revision}^{{commit}}"
            found = "" if revision.startswith("-") or not revision.strip() else self._verified(name)
            if not found:
                raise self._unknown(revision)
            self._resolved[revision] = found
        return self._resolved[revision]

    def _verified(self, name: str) -> str:
        return self.line("rev-parse", "--verify", "--quiet", "--end-of-options", name, codes=(0, 1, 128))

    def _unknown(self, revision: str) -> TacitError:
        where = f"at `{self.root}`"
        if self.head is None:
            return TacitError(
                f"expected a commit, got `{revision}` in a repository without one - {where}", fix='git add . && git commit -m "Add labels"'
            )
        if self.shallow:
            cause = "this is a shallow clone: it holds only the newest commits"
            return UnknownName(f"expected a known revision, got `{revision}` - {where}", cause=cause, fix="git fetch --unshallow")
        hint = did_you_mean(revision, self.names()) if self.names() else "git log --oneline, to see the commits"
        return UnknownName(f"expected a known revision, got `{revision}` - {where}", fix=hint)

    def names(self) -> list[str]:
        """List the branches (those of remotes included) and tags."""
        text = self.run("for-each-ref", "--format=%(refname)", "refs/heads", "refs/remotes", "refs/tags").decode("utf-8", "replace")
        return [re.sub(r"^refs/(heads|remotes|tags)/", "", name) for name in text.splitlines() if not name.endswith("/HEAD")]

    def files(self, revision: str, under: str) -> dict[str, str]:
        """Give ``{path: object}`` of the files below a folder of a commit or tree; paths from the repository's root."""
        listing = self.run("ls-tree", "-r", "-z", "--full-tree", revision, "--", under)
        found = {}
        for item in listing.split(b"\0")[:-1]:
            about, _, path = item.partition(b"\t")
            _, kind, name = about.decode().split(" ")
            if kind == "blob":
                found[os.fsdecode(path)] = name
        return found

    def differing(self, a: str, b: str | None, under: str) -> list[Entry]:
        """List the files below a folder that differ between two trees; b None: the working tree, files not yet added included.

        Files of the working tree are compared by size and time with the index, so one that was only touched is listed, too.
        """
        if b is not None:
            return entries(self.run("diff-tree", "-r", "--raw", "-z", "--no-renames", "--no-abbrev", a, b, "--", under))
        found = entries(self.run("diff-index", "--raw", "-z", "--no-renames", "--no-abbrev", a, "--", under))
        listed = {entry.path for entry in found}
        fresh = self.untracked(under)
        return found + [Entry(path, None, None, "A") for path in fresh if path not in listed]

    def untracked(self, under: str) -> list[str]:
        """List the files below a folder that git does not know yet and is not told to ignore."""
        listing = self.run("ls-files", "--others", "--exclude-standard", "-z", "--", under)
        return [os.fsdecode(path) for path in listing.split(b"\0")[:-1]]

    def tracked(self, under: str) -> list[str]:
        """List the files below a folder that are in the index."""
        return [os.fsdecode(path) for path in dict.fromkeys(self.run("ls-files", "-z", "--", under).split(b"\0")[:-1])]

    def blobs(self) -> Blobs:
        """Open one process that gives the contents of objects; a context manager."""
        return Blobs(self.root)


def find_repository(directory: Path) -> Repository:
    """Find the repository that a program directory is, or lies in.

    Raises: TacitError when git is not installed, the directory is not there, or in no repository.
    """
    directory = Path(directory)
    if not directory.is_dir():
        raise InputError(f"expected a program directory, there is none - at `{directory}`", fix="give the path of a program directory")
    asked = ("--show-toplevel", "--show-prefix", "--absolute-git-dir", "--is-shallow-repository")
    try:
        answer = call(directory, "rev-parse", *asked)
    except GitFailed as error:
        if "not a git repository" in error.said:
            cause = "the history of labels is git's: who changed what, when, and why"
            fix = f'git init {directory} && git -C {directory} add . && git -C {directory} commit -m "Add labels"'
            raise TacitError(f"expected a folder in a git repository, it is in none - at `{directory}`", cause=cause, fix=fix) from error
        if "must be run in a work tree" in error.said:
            raise TacitError(
                f"expected a working tree, got a bare repository - at `{directory}`", fix="git clone it, and use the clone"
            ) from error
        raise
    top, prefix, git_dir, shallow = os.fsdecode(answer).split("\n")[:4]
    return Repository(Path(top), prefix, directory.resolve(), Path(git_dir), shallow == "true")


class GitFailed(TacitError):
    """Git ended with an error; `said` holds its words."""

    said = ""


def call(
    folder: Path, *arguments: str, data: bytes | None = None, codes: Sequence[int] = (0,), more: Mapping[str, str] | None = None
) -> bytes:
    """Run git in a folder and give its stdout. Raises: TacitError when git is missing; GitFailed with what it says."""
    try:
        done = subprocess.run(
            command(folder, *arguments), input=data or b"", capture_output=True, env={**environment(), **(more or {})}, check=False
        )
    except FileNotFoundError as error:
        raise git_missing() from error
    if done.returncode not in codes:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise _failed(folder, arguments, done.returncode, said)
    return done.stdout


def command(folder: Path, *arguments: str) -> list[str]:
    """Give the words of a call of git in a folder."""
    settings = [word for key, value in _SETTINGS.items() for word in ("-c", f"{key}={value}")]
    return ["git", "--no-pager", "--literal-pathspecs", *settings, "-C", str(folder), *arguments]


def environment() -> dict[str, str]:
    """Give the variables that git runs with: the person's, without those that point elsewhere, and no questions asked."""
    kept = {key: value for key, value in os.environ.items() if key not in _DROPPED and not key.startswith("GIT_TRACE")}
    return {**kept, "LC_ALL": "C", "LANGUAGE": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "GIT_PAGER": "cat"}


def git_missing() -> TacitError:
    """Make the error for a machine without git."""
    return TacitError(
        "this needs the program `git`, which is not installed", fix="apt-get install git, brew install git, or https://git-scm.com"
    )


def _failed(folder: Path, arguments: Sequence[str], code: int, said: str) -> GitFailed:
    lines = [line for line in said.splitlines() if not line.startswith("hint:")]
    cause = "git says: " + " ".join(lines[:4]) if lines else f"git ended with code {code}"
    fix: str | None = None
    if "index.lock" in said or ".lock': File exists" in said:
        found = re.search(r"'([^']+\.lock)'", said)
        fix = f"wait for the other git to end; if none runs, remove {found.group(1) if found else 'the file'}"
    elif "dubious ownership" in said:
        fix = f"git config --global --add safe.directory {folder}"
    elif "tell me who you are" in said or "empty ident" in said or "unable to auto-detect email" in said:
        fix = 'git config --global user.name "Your Name" && git config --global user.email you@example.org'
    elif "promisor" in said or "could not fetch" in said:
        fix = "git fetch, where the remote can be reached: this clone holds only a part of the objects"
    verb = next((word for word in arguments if not word.startswith("-")), "")
    error = GitFailed(f"expected `git {verb}` to succeed, it did not - at `{folder}`", cause=cause, fix=fix)
    error.said = said
    return error


def entries(listing: bytes) -> list[Entry]:
    """Read what ``--raw -z --no-renames`` writes."""
    words = listing.split(b"\0")
    found = []
    for about, path in zip(words[:-1:2], words[1::2], strict=False):
        _, mode, before, after, status = about.decode().lstrip(":").split(" ")
        found.append(Entry(os.fsdecode(path), _object(before), _object(after), status, mode))
    return found


def _object(name: str) -> str | None:
    return None if not name.strip("0") else name


class Blobs:
    """Contents of objects through one `git cat-file --batch` process: starting git for each would cost some 3 ms a file."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def read(self, name: str) -> bytes:
        """Give the content of an object, or of ``revision:path``. Raises: TacitError when it is not there."""
        self._ask([name])
        return self._answer(name)

    def read_many(self, names: Iterable[str]) -> Iterator[bytes]:
        """Give the contents of many objects, a few asked for ahead so that git works while they are used."""
        waiting: list[str] = []
        for name in names:
            self._ask([name])
            waiting.append(name)
            if len(waiting) > 8:  # a handful of names fits every pipe, so neither side waits for the other for ever
                yield self._answer(waiting.pop(0))
        while waiting:
            yield self._answer(waiting.pop(0))

    def _streams(self) -> tuple[IO[bytes], IO[bytes]]:
        if self._process is None:
            try:
                self._process = subprocess.Popen(
                    command(self.root, "cat-file", "--batch"),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    env=environment(),
                    pipesize=1 << 20,  # room for the next objects, so that git unpacks them meanwhile
                )
            except FileNotFoundError as error:
                raise git_missing() from error
        if self._process.stdin is None or self._process.stdout is None:
            raise TacitError(f"could not talk to git - at `{self.root}`")
        return self._process.stdin, self._process.stdout

    def _ask(self, names: Sequence[str]) -> None:
        stdin, _ = self._streams()
        stdin.write(b"".join(os.fsencode(name) + b"\n" for name in names))
        stdin.flush()

    def _answer(self, name: str) -> bytes:
        _, stdout = self._streams()
        header = stdout.readline().split(b" ")
        if len(header) != 3 or not header[2].strip().isdigit():
            cause = "the clone is shallow, partial or damaged" if header[-1:] == [b"missing\n"] else None
            raise TacitError(
                f"expected the object {name}, git does not have it - at `{self.root}`", cause=cause, fix="git fetch --unshallow; git fsck"
            )
        size = int(header[2])
        content = stdout.read(size)
        stdout.read(1)
        return content

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._process is not None:
            for stream in (self._process.stdin, self._process.stdout):
                if stream is not None:
                    stream.close()
            self._process.wait()
            self._process = None
