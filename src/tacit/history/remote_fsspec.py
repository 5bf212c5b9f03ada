"""A remote behind fsspec: object stores, servers, hubs. The one place that imports it."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import fsspec
from fsspec.registry import get_filesystem_class

from tacit.examples.media_lists import Pack, pack_of
from tacit.ground.errors import ConfigError, InputError, MissingPackage, UnknownName
from tacit.ground.tables import did_you_mean, resolve
from tacit.history.remotes import CHUNK, NotThere, Tell, Unsound, abandoned, explain, said, unfinished_name, without_secrets

#: Protocol -> the package that fsspec needs for it.
PACKAGES = {
    **dict.fromkeys(("s3", "s3a"), "s3fs"),
    **dict.fromkeys(("gs", "gcs"), "gcsfs"),
    **dict.fromkeys(("az", "abfs"), "adlfs"),
    **dict.fromkeys(("ssh", "sftp"), "paramiko"),
    **dict.fromkeys(("http", "https"), "aiohttp requests"),
    "hf": "huggingface_hub",
    "smb": "smbprotocol",
    "webdav": "webdav4",
    "oss": "ossfs",
    "oci": "ocifs",
    "gdrive": "gdrive_fsspec",
    "dropbox": "dropboxdrivefs",
}
#: An object appears whole or not at all there, and renaming one means copying it: written under its name at once.
WHOLE = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "hf", "oss", "oci", "memory"})
_READ_ONLY = frozenset({"http", "https", "github", "gist", "git", "data", "zip", "tar", "libarchive"})
#: A hub takes one commit at a time.
_JOBS = {"hf": 1}
_S3 = {"config_kwargs": {"connect_timeout": 10, "read_timeout": 60, "retries": {"max_attempts": 1}}}
#: Protocol -> options, so that a remote that is away is noticed within a minute.
_OPTIONS: Mapping[str, Mapping[str, Any]] = {"s3": _S3, "s3a": _S3, "ssh": {"timeout": 20}, "sftp": {"timeout": 20}, "ftp": {"timeout": 20}}


class FsspecRemote:
    """Whatever fsspec knows, by its URL."""

    def __init__(self, url: str, protocol: str, options: Mapping[str, Any]) -> None:
        self.shown = without_secrets(url)
        self.protocol = protocol
        self.writable = protocol not in _READ_ONLY
        self.jobs = _JOBS.get(protocol, 4)
        self._url, self._options = url, dict(options)
        self._here = threading.local()
        self._find_package()
        try:
            self._system()  # a wrong option, or a server that is away, is said before anything else is done
        except (TypeError, ValueError) as error:
            raise ConfigError(
                f"expected a remote that fsspec can open - at `{self.shown}`",
                cause=said(error),
                fix="check the URL and the options below [media.options] in tacit.toml",
            ) from error
        except Exception as error:  # libraries behind fsspec raise what they like
            raise explain(error, self, writing=False) from error

    def _find_package(self) -> None:
        """Reach the class of the protocol. Raises: UnknownName, MissingPackage with the line that mends it."""
        try:
            get_filesystem_class(self.protocol)
        except ValueError as error:
            raise UnknownName(
                f"expected a protocol that fsspec knows, got `{self.protocol}` - at `{self.shown}`",
                fix=did_you_mean(self.protocol, list(PACKAGES)),
            ) from error
        except ImportError as error:
            package = PACKAGES.get(self.protocol)
            what = f"the package `{package}`" if package else "a package"
            raise MissingPackage(
                f"a remote with `{self.protocol}://` needs {what}, which is not installed",
                cause=None if package else str(error),
                fix=f"pip install {package}" if package else "install what is named above",
            ) from error

    def _system(self) -> tuple[Any, str]:
        """Give the file system and the path of the remote in it; one for every thread, for not all can be shared."""
        if not hasattr(self._here, "system"):
            options = {**_OPTIONS.get(self.protocol, {}), **self._options}
            if self.protocol in ("http", "https") and "client_kwargs" not in options:
                options["client_kwargs"] = {"timeout": resolve("aiohttp:ClientTimeout")(total=None, sock_connect=20, sock_read=60)}
            system, root = fsspec.core.url_to_fs(self._url, **options)
            if hasattr(system, "retries"):
                system.retries = 2  # the transfers try again themselves, and tell
            self._here.system = system, root.rstrip("/")
        found: tuple[Any, str] = self._here.system
        return found

    def sizes(self, names: Iterable[str]) -> Mapping[str, int]:
        """Give name -> bytes of every file there; over http of those `names` that are there. Raises: NotThere."""
        if self.protocol in ("http", "https"):
            with ThreadPoolExecutor(self.jobs) as pool:
                asked = list(names)
                answers = list(zip(asked, pool.map(self._size, asked), strict=True))
            return {name: size for name, size in answers if size is not None}
        system, root = self._system()
        system.invalidate_cache()
        try:
            entries = system.ls(root, detail=True)
        except FileNotFoundError as error:
            raise NotThere(str(error)) from error
        found = {entry["name"].rstrip("/").rpartition("/")[2]: entry["size"] for entry in entries if entry["type"] == "file"}
        if self.writable and self.protocol not in WHOLE:
            for name in abandoned(found):
                system.rm_file(f"{root}/{name}")
        if not found:
            raise NotThere
        return found

    def _size(self, name: str) -> int | None:
        system, root = self._system()
        try:
            size: int | None = system.info(f"{root}/{name}")["size"]
        except FileNotFoundError as error:  # also when nobody answers; then the reason is behind it
            reason = error.__cause__
            if reason is None or isinstance(reason, FileNotFoundError) or getattr(reason, "status", None) in (403, 404, 410):
                return None
            raise reason from None
        return -1 if size is None else size

    def prepare(self) -> None:
        """Make the folder, where there are folders; a bucket is its owner's to make."""
        if self.protocol not in WHOLE:
            system, root = self._system()
            system.makedirs(root, exist_ok=True)

    def send(self, path: Path, pack: Pack, tell: Tell) -> None:
        """Upload a file: at once where it appears whole, else to a temporary name that becomes its own."""
        try:
            sound = pack_of(path) == pack or pack.sha256 == path.stem
        except InputError as error:
            raise Unsound(str(path), error.message) from error
        if not sound:
            raise Unsound(str(path), "expected the size and sha256 of the list of media")
        system, root = self._system()
        final = f"{root}/{pack.name}"
        place = final if self.protocol in WHOLE else f"{root}/{unfinished_name(pack.name)}"
        system.put_file(str(path), place, callback=_Progress(tell))
        system.invalidate_cache()
        size = system.info(place)["size"]
        if size != pack.bytes:
            raise OSError(f"{pack.bytes} bytes were sent, {size} have come in")
        if place != final:
            system.mv(place, final)

    def fetch(self, pack: Pack, target: Path, tell: Tell) -> None:
        """Download a file."""
        system, root = self._system()
        system.get_file(f"{root}/{pack.name}", str(target), callback=_Progress(tell))

    def chunks(self, name: str) -> Iterator[bytes]:
        """Give the content of a file piece by piece."""
        system, root = self._system()
        with system.open(f"{root}/{name}", "rb", block_size=8 * CHUNK) as file:
            while piece := file.read(8 * CHUNK):
                yield piece


class _Progress(fsspec.Callback):  # type: ignore[misc]
    """Hand the bytes of a transfer on."""

    def __init__(self, tell: Tell) -> None:
        super().__init__()
        self._tell, self._told = tell, 0

    def relative_update(self, inc: int = 1) -> None:
        self._told += inc
        self._tell(inc)

    def absolute_update(self, value: int) -> None:
        self.relative_update(value - self._told)
