"""Public data sets by name: from the folder `TACIT_DATA`, else fetched once into the cache, checksum and all."""

from __future__ import annotations

import hashlib
import http.client
import os
import tempfile
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tacit.ground.caches import cache_folder
from tacit.ground.errors import InputError, TacitError
from tacit.ground.locks import locked
from tacit.ground.progress import Reporter

VARIABLE = "TACIT_DATA"
_SECONDS = 60.0  # without a byte
_OTHERS = 3600.0  # another process that fetches the same set
_PIECE = 1 << 20
_PART = ".part"


@dataclass(frozen=True)
class Download:
    """A file on the web and what proves that it is the right one: a sha256 or, where a source publishes only that, an md5 (hex digits).

    bytes: its size, if known.
    """

    url: str
    sha256: str = ""
    md5: str = ""
    bytes: int | None = None

    def __post_init__(self) -> None:
        if not self.sha256 and not self.md5:
            raise ValueError(f"expected a checksum for {self.url}, got none")
        if not self.url.startswith(("https://", "http://")):
            raise ValueError(f"expected an address on the web, got `{self.url}`")


@dataclass(frozen=True)
class DataSource:
    """A public data set.

    page: where a person reads about it. files: path below the set's folder -> where it comes from; empty: it can't be fetched, and comes
    from `TACIT_DATA` only. packs: the files that ``$TACIT_DATA/<name>`` has to hold to be taken as it is.
    """

    name: str
    title: str
    licence: str
    page: str
    files: Mapping[str, Download] = field(default_factory=dict)
    packs: Sequence[str] = ()

    def folder(self, *, reporter: Reporter | None = None) -> Path:
        """Give the folder that holds the data: ``$TACIT_DATA/<name>``, else that of the cache, which is filled first.

        Each file is fetched beside its place and renamed when its checksum is right, so a file that is there is whole, and fetching that
        was stopped goes on with the files that are missing. Raises: InputError that names what is missing, and where it can be had.
        """
        given = os.environ.get(VARIABLE, "")
        if given and (Path(given) / self.name).is_dir() and not self._missing(Path(given) / self.name):
            return Path(given) / self.name
        if not self.files:
            raise InputError(self._expected(), cause=self._lacks(given), fix=self._fix())
        place = cache_folder("data") / self.name
        if self._wanted(place):
            with locked(place / ".lock", f"fetching {self.name}", wait=_OTHERS):
                self._fetch_all(place, given, reporter or Reporter())
        return place

    def _wanted(self, place: Path) -> dict[str, Download]:
        return {name: download for name, download in self.files.items() if not (place / name).is_file()}

    def _missing(self, folder: Path) -> list[str]:
        return [name for name in self.packs if not (folder / name).is_file()]

    def _expected(self) -> str:
        return f"expected the data set `{self.name}` ({self.title}), got none"

    def _fix(self) -> str:
        return f"set {VARIABLE} to a folder that holds {self.name}/ with {', '.join(self.packs) or 'its files'}; see {self.page}"

    def _lacks(self, given: str) -> str:
        """Say what was looked for in `TACIT_DATA`."""
        if not given:
            return f"{VARIABLE} is not set"
        folder = Path(given) / self.name
        if not folder.is_dir():
            return f"{VARIABLE} holds no folder `{self.name}` - at `{given}`"
        return f"`{folder}` lacks {', '.join(self._missing(folder))}"

    def _fetch_all(self, place: Path, given: str, reporter: Reporter) -> None:
        wanted = self._wanted(place)  # another process may have done it meanwhile
        if wanted:
            reporter.phase(f"fetching {self.title}")
            reporter.note(f"{self.title}, licence: {self.licence} - {self.page}")
        for left in place.rglob(f".*{_PART}"):  # of a process that was killed, for nobody else holds the lock
            left.unlink(missing_ok=True)
        whole = sum(download.bytes or 0 for download in wanted.values())
        before = 0
        for name, download in wanted.items():
            try:
                fetch(download, place / name, reporter=reporter, before=before, whole=whole)
            except (OSError, http.client.HTTPException) as error:
                reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
                raise InputError(
                    f"{self._expected()}: could not fetch `{name}` - at {download.url}",
                    cause=f"{self._lacks(given)}; the network says: {reason}",
                    fix=f"the same command when the network is there (files already fetched are kept), or {self._fix()}",
                ) from error
            before += download.bytes or 0


def fetch(download: Download, path: Path, *, reporter: Reporter, before: int = 0, whole: int = 0) -> None:
    """Fetch one file beside its place, check it, rename it; after an error there is nothing.

    before, whole: bytes of the files before this one and of all of them, for the progress.
    Raises: OSError for the network and the disk; TacitError for a file that is not the right one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=_PART)
    hashes = {kind: hashlib.new(kind, usedforsecurity=False) for kind in ("sha256", "md5") if getattr(download, kind)}
    try:
        got, begun = 0, time.monotonic()
        with os.fdopen(handle, "wb") as file, urllib.request.urlopen(download.url, timeout=_SECONDS) as answer:
            announced = answer.headers.get("Content-Length")
            while piece := answer.read(_PIECE):
                file.write(piece)
                got += len(piece)
                for digest in hashes.values():
                    digest.update(piece)
                if whole:
                    left = max(0, whole - before - got) * (time.monotonic() - begun) / got  # at the speed of this file
                    reporter.progress(min(1.0, (before + got) / whole), left, path.name)
            file.flush()
            os.fsync(file.fileno())
        if announced is not None and got != int(announced):
            raise OSError(f"the connection ended after {got:,} of {int(announced):,} bytes")
        found = {kind: digest.hexdigest() for kind, digest in hashes.items()}
        for kind, digits in found.items():
            if digits != getattr(download, kind).lower():
                raise TacitError(
                    f"expected a file with {kind} {getattr(download, kind)}, got {digits} ({got:,} bytes) - at {download.url}",
                    cause="the file was changed at its source, or on its way here",
                    fix=f"fetch it in another way and set {VARIABLE}; nothing was kept",
                )
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
