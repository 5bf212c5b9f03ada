"""Put a new tree into index and working tree so that a kill at any moment loses nothing and the same command finishes it.

The order does it: objects first, which nothing refers to yet; then each file by a rename; then the index by a rename; then the
branch. Until the branch moves, the old commit is what `git checkout .` brings back; a file that is already new is recognised by
its content when the command comes again. Leftovers of a killed run lie in the folder of git and are overwritten.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tacit.ground.errors import TacitError, raise_all
from tacit.history.git import FILE, NOTHING, GitFailed, Repository, entries

_INDEX = "tacit-index"
_FOLDER = "tacit-merge"
_EXECUTABLE, _LINK, _MODULE = "100755", "120000", "160000"


@dataclass(frozen=True, slots=True)
class Blob:
    """A file of a tree: its object and mode."""

    name: str
    mode: str = FILE


class Staging:
    """A new state of some paths, built beside the index. `paths`: the new blob of each, None where it is removed."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self.folder = repository.git_dir / _FOLDER
        self.paths: dict[str, Blob | None] = {}
        self._files: dict[str, Path] = {}
        self._index = {"GIT_INDEX_FILE": str(repository.git_dir / _INDEX)}
        shutil.rmtree(self.folder, ignore_errors=True)
        self._unlock()

    def _unlock(self) -> None:
        """Remove the lock that a killed run of this very code left: it is the same file as the index built beside it."""
        lock, built = self.repository.git_dir / "index.lock", self.repository.git_dir / _INDEX
        with contextlib.suppress(FileNotFoundError):
            if os.path.samefile(lock, built):
                lock.unlink()
        built.unlink(missing_ok=True)

    def write(self, contents: Mapping[str, bytes | None], known: Mapping[str, Blob]) -> None:
        """Make objects of contents (None: removed); `known` names the objects that are there already."""
        self.paths.update({path: known.get(path) for path in contents if contents[path] is None or path in known})
        fresh = [path for path, content in contents.items() if content is not None and path not in known]
        if fresh:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._files = {path: self.folder / str(number) for number, path in enumerate(fresh)}
            for path, file in self._files.items():
                file.write_bytes(contents[path] or b"")
            # Speed 1 of zlib halves the time of a big merge; `git gc` packs the objects tightly anyway.
            listed = b"".join(os.fsencode(file) + b"\n" for file in self._files.values())
            names = self.repository.run(
                "-c", "core.looseCompression=1", "hash-object", "-w", "--no-filters", "--stdin-paths", data=listed
            ).decode()
            self.paths.update({path: Blob(name) for path, name in zip(fresh, names.split(), strict=True)})

    def build_index(self, tree: str | None = None) -> None:
        """Write the index (or that of a tree) with the new paths, still beside the real one."""
        source = self.repository.git_dir / "index"
        if tree is not None:
            self.repository.run("read-tree", tree, more=self._index)
        elif source.exists():
            # With its time, by which git tells files that were changed in the very moment in which the index was written.
            shutil.copy2(source, self.repository.git_dir / _INDEX)
        rows = []
        for path, blob in self.paths.items():
            rows.append(f"0 {NOTHING}\t".encode() + os.fsencode(path))  # takes out conflict stages, too
            if blob is not None:
                rows.append(f"{blob.mode} {blob.name}\t".encode() + os.fsencode(path))
        if rows:
            self.repository.run("update-index", "-z", "--index-info", data=b"\0".join(rows) + b"\0", more=self._index)

    def clear(self) -> None:
        """Forget the paths, to stage something else."""
        self.paths, self._files = {}, {}

    def tree(self) -> str:
        """Give the tree of the new index."""
        return self.repository.run("write-tree", more=self._index).decode().strip()

    def merge_text(self, base: str, ours: str, theirs: str) -> bytes | None:
        """Merge three blobs as git merges text; None when they conflict."""
        self.folder.mkdir(parents=True, exist_ok=True)
        files = [self.folder / name for name in ("ours", "base", "theirs")]
        with self.repository.blobs() as blobs:
            for file, name in zip(files, (ours, base, theirs), strict=True):
                file.write_bytes(blobs.read(name))
        try:
            return self.repository.run("merge-file", "-p", "-q", *map(str, files))
        except GitFailed:  # its exit code is the number of conflicts
            return None

    def unmerged(self) -> list[str]:
        """List the paths that still have conflict stages in the index beside the real one."""
        listing = self.repository.run("ls-files", "-u", "-z", more=self._index)
        return sorted({os.fsdecode(row.partition(b"\t")[2]) for row in listing.split(b"\0")[:-1]})

    def put(self, contents: Mapping[str, bytes | None]) -> None:
        """Write every path into the working tree by a rename, then swap the index in. `contents`: what is at hand already."""
        self.folder.mkdir(parents=True, exist_ok=True)
        others = [path for path, blob in self.paths.items() if blob is not None and contents.get(path) is None]
        with self.repository.blobs() as blobs:
            loaded = dict(zip(others, blobs.read_many(blob.name for path in others if (blob := self.paths[path])), strict=True))
        for path, blob in self.paths.items():
            target = self.repository.root / path
            try:
                if blob is None:
                    self._remove(target)
                else:
                    content = loaded[path] if path in loaded else contents[path]
                    self._replace(path, content or b"", blob.mode)
            except OSError as error:
                raise TacitError(
                    f"could not write a merged file - at `{target}`",
                    cause=f"the system says: {error.strerror or error}",
                    fix="the same command again when that is mended; nothing is lost, the branch has not moved",
                ) from error
        self._swap()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _replace(self, path: str, content: bytes, mode: str) -> None:
        """Rename a new file into place. Without fsync: its content is in git's objects, and 250 of them would take a second."""
        target = self.repository.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._files.get(path) or self.folder / "writing"
        if path not in self._files:
            temporary.unlink(missing_ok=True)
            if mode == _LINK:
                os.symlink(os.fsdecode(content), temporary)
            else:
                temporary.write_bytes(content)
        if mode == _EXECUTABLE:
            temporary.chmod(temporary.stat().st_mode | 0o111)
        try:
            os.replace(temporary, target)
        except OSError:  # the folder of git is on another disk: a copy beside the target first
            beside = target.with_name(f".{target.name}.tmp")
            shutil.copy2(temporary, beside, follow_symlinks=False)
            os.replace(beside, target)

    def _remove(self, target: Path) -> None:
        target.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            for folder in target.parents:
                if folder == self.repository.root:
                    break
                folder.rmdir()  # ends at the first that is not empty

    def _swap(self) -> None:
        """Note the times of the files, then put the new index in place under git's own lock."""
        self.repository.run("update-index", "-q", "--refresh", codes=(0, 1), more=self._index)
        git_dir = self.repository.git_dir
        lock = git_dir / "index.lock"
        try:
            os.link(git_dir / _INDEX, lock)
        except FileExistsError as error:
            raise TacitError(
                f"expected no other git at work, its lock is there - at `{lock}`", fix=f"wait for it to end; if none runs, remove {lock}"
            ) from error
        os.replace(lock, git_dir / "index")
        (git_dir / _INDEX).unlink(missing_ok=True)


def refuse_edits(repository: Repository, ours: Mapping[str, str], paths: Mapping[str, Blob | None]) -> None:
    """Refuse to overwrite what a person changed and did not commit; what a killed merge wrote already is no such change.

    ours: the object of each path in the commit that is checked out. paths: what the merge puts there.
    Raises: TacitError naming every file.
    """
    listing = repository.run("diff-index", "--cached", "--raw", "-z", "--no-abbrev", "--no-renames", "HEAD")
    known = {path: blob.name if blob else None for path, blob in paths.items()}
    staged = [entry for entry in entries(listing) if entry.path not in known or known[entry.path] != entry.after]
    problems = [f"{entry.path}: staged, not committed" for entry in staged]
    changed = {entry.path for entry in entries(repository.run("diff-files", "--raw", "-z", "--no-abbrev"))}
    changed |= {path for path in paths if path not in ours and os.path.lexists(repository.root / path)}
    with repository.blobs() as blobs:
        for path in sorted(changed & paths.keys()):
            content = _content(repository.root / path)
            if content is None and (known[path] is None or path not in ours):
                continue
            allowed = [blobs.read(name) for name in (ours.get(path), known[path]) if name is not None]
            if content is None or (content not in allowed and content.replace(b"\r\n", b"\n") not in allowed):
                problems.append(f"{path}: changed, not committed")
    fix = 'git commit -am "..." or git restore FILE, then the same command again'
    raise_all(problems, heading=f"expected no edits in the files of the merge - at `{repository.root}`", fix=fix, error=TacitError)


def _content(file: Path) -> bytes | None:
    """Give what git would store of a file of the working tree; None where there is none."""
    if file.is_symlink():
        return os.fsencode(os.readlink(file))
    return file.read_bytes() if file.is_file() else None


def commit_tree(repository: Repository, tree: str, parents: Sequence[str], message: str) -> str:
    """Make a commit object, signed where the person's configuration asks for it; nothing refers to it yet."""
    sign = ["-S"] if repository.line("config", "--bool", "--default", "false", "commit.gpgSign") == "true" else []
    words = [word for parent in parents for word in ("-p", parent)]
    return repository.run("commit-tree", *sign, tree, *words, data=message.encode()).decode().strip()


def move_branch(repository: Repository, commit: str, head: str, why: str) -> None:
    """Let the branch that is checked out name the new commit; refused by git when it has moved meanwhile."""
    repository.run("update-ref", "ORIG_HEAD", head)
    repository.run("update-ref", "-m", why, "HEAD", commit, head)
