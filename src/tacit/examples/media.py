"""Media outside git: content-addressed files in packs of about 64 MB.

A pack is a plain zip whose entries are stored, not compressed: any tool opens it. It is named by the hash of its own bytes,
``media/<24 hex>.zip``, and its entries ``<24 hex of the content's sha256>.<suffix>``; so a pack never changes, a copy can be
checked, and two machines that import the same files in the same order make the same packs.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from tacit.ground.digests import ID_LENGTH, example_id
from tacit.ground.errors import InputError, TacitError

MEDIA = "media"
PACK_BYTES = 64_000_000
PACK_ENTRIES = 60_000  # below 65,535, so that readers without zip64 open a pack
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same bytes whenever a pack is written


class MediaWriter:
    """Write media into packs below ``directory/media``; a context manager. An id that is already there is not written again.

    A pack appears under its name only when it is whole; leaving by an exception removes the unfinished one.
    """

    def __init__(self, directory: Path) -> None:
        self.folder = directory / MEDIA
        self.packs: list[Path] = []
        self._known = set(MediaReader(directory).ids()) if self.folder.is_dir() else set()
        self._file: io.BufferedRandom | None = None
        self._zip: zipfile.ZipFile | None = None
        self._path = ""
        self._size = self._entries = 0

    def add(self, content: bytes, suffix: str) -> str:
        """Store one file and give its id; `suffix` is without the dot. Raises: TacitError when the disk is full."""
        name = example_id(content)
        if name in self._known:
            return name
        self._known.add(name)
        try:
            if self._zip is None:
                self._begin()
            info = zipfile.ZipInfo(f"{name}.{suffix}", _EPOCH)
            info.external_attr = 0o644 << 16
            self._zip.writestr(info, content)  # type: ignore[union-attr]
        except OSError as error:
            raise self._failure(error) from error
        self._size += len(content)
        self._entries += 1
        if self._size >= PACK_BYTES or self._entries >= PACK_ENTRIES:
            self._finish()
        return name

    def _begin(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        handle, self._path = tempfile.mkstemp(dir=self.folder, prefix=".pack.", suffix=".tmp")
        self._file = os.fdopen(handle, "w+b")
        self._zip = zipfile.ZipFile(self._file, "w", zipfile.ZIP_STORED)
        self._size = self._entries = 0

    def _finish(self) -> None:
        if self._zip is None or self._file is None:
            return
        try:
            self._zip.close()
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.seek(0)
            digest = hashlib.file_digest(self._file, "sha256").hexdigest()[:ID_LENGTH]
            self._file.close()
            os.chmod(self._path, 0o644)
            target = self.folder / f"{digest}.zip"
            os.replace(self._path, target)
        except OSError as error:
            raise self._failure(error) from error
        self.packs.append(target)
        self._zip = self._file = None

    def _failure(self, error: OSError) -> TacitError:
        return TacitError(
            f"could not write media - at `{self.folder}`",
            cause=f"the system says: {error.strerror or error}",
            fix="free some disk space or give another path",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self._finish()
        elif self._file is not None:
            if self._zip is not None:
                self._zip.fp = None  # else the destructor writes a directory into a closed file
            self._file.close()
            with contextlib.suppress(OSError):
                os.unlink(self._path)


def pack_names(directory: Path) -> list[str]:
    """List the names of the packs of a program directory, sorted; a name stands for the content."""
    return sorted(path.name for path in (directory / MEDIA).glob("*.zip"))


@dataclass(frozen=True, slots=True)
class _Place:
    pack: int
    info: zipfile.ZipInfo


class MediaReader:
    """Read media of a program directory by id. Opening reads the table of contents of every pack, not the contents."""

    def __init__(self, directory: Path) -> None:
        self.folder = directory / MEDIA
        self._packs: list[Path] = []
        self._places: dict[str, _Place] = {}
        for path in (self.folder / name for name in pack_names(directory)):
            try:
                with zipfile.ZipFile(path) as pack:
                    entries = pack.infolist()
            except (zipfile.BadZipFile, OSError) as error:
                raise InputError(
                    f"expected a pack of media, got a file that is no whole zip - at `{path}`",
                    cause=str(error),
                    fix="copy the pack again; its name is the sha256 of its bytes, so a good copy can be told",
                ) from error
            for info in entries:
                self._places[info.filename.partition(".")[0]] = _Place(len(self._packs), info)
            self._packs.append(path)

    def ids(self) -> Iterator[str]:
        """Give the ids of all media."""
        return iter(self._places)

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def packs(self, names: Iterable[str]) -> set[str]:
        """Give the names of the packs that hold these media; a medium that is in none counts for nothing."""
        return {self._packs[self._places[name].pack].name for name in names if name in self._places}

    def suffix(self, name: str) -> str:
        """Give the suffix of a medium, without the dot. Raises: KeyError."""
        return self._places[name].info.filename.partition(".")[2]

    def size(self, name: str) -> int:
        """Give the bytes of a medium. Raises: KeyError."""
        return self._places[name].info.file_size

    def read(self, name: str) -> bytes:
        """Give the content of one medium. Raises: KeyError; InputError when it is not what its id says."""
        ((_, content),) = self.read_many([name])
        return content

    def read_many(self, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Give ``(id, content)``, pack by pack (not in the order of `names`), each checked against its id.

        Raises: KeyError for an unknown id; InputError when a content is not what its id says.
        """
        by_pack: dict[int, list[str]] = {}
        for name in names:
            by_pack.setdefault(self._places[name].pack, []).append(name)
        for number, members in sorted(by_pack.items()):
            path = self._packs[number]
            members.sort(key=lambda name: self._places[name].info.header_offset)
            with path.open("rb") as file:
                for name in members:
                    content = _stored(file, self._places[name].info)
                    if content is None or example_id(content) != name:
                        raise InputError(
                            f"expected the medium {name}, got other bytes - at `{path}`",
                            cause="the pack is damaged or was changed by hand",
                            fix="copy the pack again; its name is the sha256 of its bytes, so a good copy can be told",
                        )
                    yield name, content


def entry_faults(path: Path) -> list[str]:
    """Say which entries of a pack are not what their names say; a file that is no zip has one fault.

    >>> entry_faults(Path("e3b0c44298fc1c149afbf4c8.parquet"))
    []
    """
    if path.suffix != ".zip":
        return []
    faults = []
    try:
        with zipfile.ZipFile(path) as pack, path.open("rb") as file:
            for info in pack.infolist():
                content = _stored(file, info)
                if content is None or example_id(content) != info.filename.partition(".")[0]:
                    faults.append(f"the entry {info.filename} holds other bytes than its name says")
    except (zipfile.BadZipFile, OSError) as error:
        return [f"it is no whole zip ({error})"]
    return faults


def _stored(file: BinaryIO, info: zipfile.ZipInfo) -> bytes | None:
    """Read a stored entry directly: some ten times faster than through `zipfile`, which matters for 70,000 of them."""
    file.seek(info.header_offset)
    header = file.read(30)
    if len(header) < 30 or info.compress_type != zipfile.ZIP_STORED:
        return None
    names = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
    file.seek(names, os.SEEK_CUR)
    return file.read(info.file_size)
