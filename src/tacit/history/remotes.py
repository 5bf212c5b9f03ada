"""Where media are kept for everybody: a folder, or whatever fsspec knows (`s3://`, `hf://`, `gs://`, `ssh://` ...), behind one seam.

A remote holds packs side by side under their names and nothing else that Tacit needs. A name stands for the content, so
nothing on a remote is ever changed, and nothing is deleted but the unfinished uploads of processes that are gone.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import platform
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from tacit.examples.media_lists import Pack
from tacit.ground.digests import sha256
from tacit.ground.errors import ConfigError, TacitError
from tacit.ground.processes import is_running
from tacit.ground.tables import resolve

CHUNK = 1 << 20
_PROTOCOL = re.compile(r"([a-z][a-z0-9+.-]+)://")
_UNFINISHED = re.compile(r"\..+\.([0-9a-f]{8})-(\d+)-[0-9a-f]{8}\.part")
#: Says how many bytes more have gone through; raises to stop a transfer.
Tell = Callable[[int], None]


class RemoteError(TacitError):
    """The remote is away, refuses, or has no room."""


class NotThere(Exception):
    """The folder or prefix of a remote does not exist, or holds nothing."""


class Unsound(Exception):
    """Bytes are not what the name of their pack says; `where` tells which copy."""

    def __init__(self, where: str, detail: str) -> None:
        self.where, self.detail = where, detail
        super().__init__(f"{where}: {detail}")


class Remote(Protocol):
    """What a remote does. Errors are those of the system or of the library behind it; `explain` turns them into words."""

    shown: str  # the URL without secrets
    writable: bool
    jobs: int  # transfers at a time that it bears

    def sizes(self, names: Iterable[str]) -> Mapping[str, int]:
        """Give name -> bytes of every file there (where that can't be listed: of those `names` that are). Raises: NotThere."""
        ...

    def prepare(self) -> None:
        """Make the folder, where there are folders."""
        ...

    def send(self, path: Path, pack: Pack, tell: Tell) -> None:
        """Put a file there under its name, whole or not at all. Raises: Unsound when the file is not the pack."""
        ...

    def fetch(self, pack: Pack, target: Path, tell: Tell) -> None:
        """Write what is there under the name of a pack to `target`, unchecked."""
        ...

    def chunks(self, name: str) -> Iterator[bytes]:
        """Give the content of a file piece by piece."""
        ...


def open_remote(url: str, *, base: Path, options: Mapping[str, Any] | None = None) -> Remote:
    """Give the remote of a URL or of the path of a folder, which is relative to `base`. Nothing is asked of it yet.

    Raises: ConfigError for a URL that can't be one; UnknownName, MissingPackage for a protocol.
    """
    match = _PROTOCOL.match(url)
    if match and match[1] not in ("file", "local"):
        remote: Remote = resolve("tacit.history.remote_fsspec:FsspecRemote")(url, match[1], options or {})
        return remote
    path = url[match.end() :] if match else url
    if not path.strip():
        raise ConfigError("expected the URL of a remote, got an empty one", fix='remote = "s3://bucket/path" below [media] in tacit.toml')
    return FolderRemote(base / Path(path).expanduser())


def without_secrets(url: str) -> str:
    """Give a URL as it may be shown.

    >>> without_secrets("ftp://tom:secret@host/media")
    'ftp://***@host/media'
    """
    return re.sub(r"//[^/@]*@", "//***@", url)


class FolderRemote:
    """A folder on a disk or a mounted share; needs no package."""

    writable = True
    jobs = 4

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shown = os.path.normpath(folder)

    def sizes(self, names: Iterable[str]) -> Mapping[str, int]:
        """Give name -> bytes of every file there. Raises: NotThere."""
        try:
            with os.scandir(self.folder) as entries:
                found = {entry.name: entry.stat().st_size for entry in entries if entry.is_file()}
        except FileNotFoundError as error:
            raise NotThere from error
        for name in abandoned(found):
            discard(self.folder / name)
        if not found:
            raise NotThere
        return found

    def prepare(self) -> None:
        """Make the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)

    def send(self, path: Path, pack: Pack, tell: Tell) -> None:
        """Copy a file to a temporary name, flush it to disk, rename it."""
        temporary = self.folder / unfinished_name(pack.name)
        try:
            digest = _copy(path, temporary, tell)
            check(pack, digest, str(path))
            os.replace(temporary, self.folder / pack.name)
        except BaseException:
            discard(temporary)
            raise
        flush_folder(self.folder)

    def fetch(self, pack: Pack, target: Path, tell: Tell) -> None:
        """Copy a file from there."""
        _copy(self.folder / pack.name, target, tell)

    def chunks(self, name: str) -> Iterator[bytes]:
        """Give the content of a file piece by piece."""
        with (self.folder / name).open("rb") as file:
            while piece := file.read(CHUNK):
                yield piece


def _copy(source: Path, target: Path, tell: Tell) -> str:
    """Copy bytes, flush them to disk and give their sha256."""
    digest = hashlib.sha256()
    with source.open("rb") as reading, target.open("wb") as writing:
        while piece := reading.read(CHUNK):
            digest.update(piece)
            writing.write(piece)
            tell(len(piece))
        writing.flush()
        os.fsync(writing.fileno())
    return digest.hexdigest()


def discard(path: Path) -> None:
    """Remove a file that is not finished, if it is there and can be removed."""
    with contextlib.suppress(OSError):
        path.unlink()


def flush_folder(folder: Path) -> None:
    """Make a renaming last through a loss of power, where a folder can be flushed."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:  # some shares can't; the renaming is then theirs to keep
        pass
    finally:
        os.close(handle)


def check(pack: Pack, digest: str, where: str) -> None:
    """Compare a sha256 with the one of the pack. Raises: Unsound."""
    if not digest.startswith(pack.sha256):
        raise Unsound(where, f"expected the sha256 {pack.sha256[:24]}..., got {digest[:24]}...")


# --- names of what is not finished ---------------------------------------------------------------------------------


def _machine() -> str:
    return sha256(platform.node().encode())[:8]


def unfinished_name(name: str) -> str:
    """Give a temporary name that tells which process writes it: ``.<name>.<machine>-<process>-<chance>.part``."""
    return f".{name}.{_machine()}-{os.getpid()}-{secrets.token_hex(4)}.part"


def is_unfinished(name: str) -> bool:
    """Say whether a name is one that `unfinished_name` gives."""
    return _UNFINISHED.fullmatch(name) is not None


def abandoned(names: Iterable[str]) -> list[str]:
    """Give those temporary names whose process ran on this machine and runs no more."""
    found = []
    for name in names:
        match = _UNFINISHED.fullmatch(name)
        if match is not None and match[1] == _machine() and not is_running(int(match[2])):
            found.append(name)
    return found


# --- what went wrong, in words -------------------------------------------------------------------------------------

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_REFUSALS = ("Credentials", "Authentication", "AccessDenied", "Forbidden", "Unauthorized", "PasswordRequired", "BadHostKey")


def is_lasting(error: BaseException) -> bool:
    """Say whether trying again is no use: refused, not there, no room, read-only, a wrong option."""
    if isinstance(
        error, PermissionError | FileNotFoundError | NotADirectoryError | IsADirectoryError | TypeError | ValueError | TacitError
    ):
        return True
    if isinstance(error, OSError) and error.errno in (*_NO_ROOM, errno.EROFS, errno.ENAMETOOLONG):
        return True
    return isinstance(error, NotThere | Unsound | NotImplementedError) or _is_refusal(error)


def _is_refusal(error: BaseException) -> bool:
    return isinstance(error, PermissionError) or any(word in type(error).__name__ for word in _REFUSALS)


def said(error: BaseException) -> str:
    """Give the first line of what an error says, with its kind and without secrets."""
    return without_secrets(f"{type(error).__name__}: {error}".strip(": ").splitlines()[0])[:300]


def explain(error: BaseException, remote: Remote, *, writing: bool) -> TacitError:
    """Turn what a transfer raised into an error that a person can act on; `writing`: to the remote, otherwise from it."""
    if isinstance(error, TacitError):
        return error
    verb = "write to" if writing else "read"
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        return RemoteError(
            f"could not write media, the disk is full - at `{remote.shown if writing else error.filename or 'media'}`",
            cause=f"the system says: {error.strerror or error}",
            fix="free some space, then the same command again: it goes on where it stopped",
        )
    if isinstance(error, OSError) and error.errno == errno.EROFS:
        return RemoteError(
            f"expected a remote that can be written, it is read-only - at `{remote.shown}`", cause=said(error), fix="give another"
        )
    if _is_refusal(error):
        fix = f"check the credentials and permissions that let you {verb} it, then the same command again"
        return RemoteError(f"expected permission to {verb} the remote, it was refused - at `{remote.shown}`", cause=said(error), fix=fix)
    if isinstance(error, FileNotFoundError | NotADirectoryError | NotThere):
        cause = None if isinstance(error, NotThere) else said(error)
        fix = "check the path, and that the disk is mounted or the bucket made; --remote URL gives another"
        return RemoteError(f"expected the remote, there is nothing - at `{remote.shown}`", cause=cause, fix=fix)
    fix = "check the address, the network and the options below [media.options]; then the same command again: nothing is lost"
    return RemoteError(f"expected the remote to answer, it is away - at `{remote.shown}`", cause=said(error), fix=fix)
