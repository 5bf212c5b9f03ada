"""A folder or a zip as one thing: names of files with forward slashes, and a way to read them. Nothing is ever extracted."""

from __future__ import annotations

import os
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from tacit.ground.errors import InputError, raise_all

#: What systems leave behind in folders; never an example, not worth a word.
STRAY = {"thumbs.db", "desktop.ini", ".ds_store", "icon\r", "ehthumbs.db"}
PROGRAM = ".program"  # `cd photos && tacit compile` makes photos/photos.program
MOST_FILE_BYTES = 2**31  # one file of a zip, unpacked
MOST_RATIO = 200  # media and tables of real use shrink by less; a bomb shrinks by a thousand


def there(path: Path, look: Callable[[Path], bool] = Path.is_file) -> bool:
    """Say whether a path is a file, or what `look` asks; a text that no system takes for a path (too long, a zero byte) is none.

    >>> there(Path("x" * 10_000)), there(Path("/"), Path.is_dir)
    (False, True)
    """
    try:
        return look(path)
    except (OSError, ValueError):
        return False


def printable(name: str) -> str:
    """Give a name as text that can be written as UTF-8; a file's name need not be (an old zip, another system).

    >>> printable("caf\\udce9")
    'caf?'
    """
    return name.encode("utf-8", "replace").decode()


class Tree:
    """Files by name, sorted, without what systems leave behind. `folders`: every folder, empty ones included."""

    def __init__(self, place: str, files: list[str], folders: list[str]) -> None:
        self.place = place
        self.files = sorted(files)
        self.folders = sorted(set(folders))

    def read(self, name: str) -> bytes:
        """Give the content of one file. Raises: InputError when it can't be read."""
        raise NotImplementedError

    def has(self, name: str) -> bool:
        """Say whether there is a file of this name, anywhere below."""
        raise NotImplementedError


class FolderTree(Tree):
    """A folder on disk; symbolic links are followed, loops are not. Programs that were made from it are left out."""

    def __init__(self, root: Path) -> None:
        self.root = root
        files: list[str] = []
        folders: list[str] = []
        seen: set[str] = set()
        for here, below, names in os.walk(root, followlinks=True):
            real = os.path.realpath(here)
            if real in seen:
                below.clear()
                continue
            seen.add(real)
            below[:] = sorted(name for name in below if not _is_stray(name) and not name.endswith(PROGRAM))
            relative = PurePosixPath(Path(here).relative_to(root).as_posix())
            folders.extend(str(relative / name) for name in below)
            files.extend(str(relative / name) for name in names if not _is_stray(name))
        super().__init__(str(root), files, folders)

    def read(self, name: str) -> bytes:
        """Give the content of one file."""
        try:
            return (self.root / name).read_bytes()
        except OSError as error:
            raise InputError(f"expected a readable file, the system says: {error.strerror} - at `{self.root / name}`") from error

    def has(self, name: str) -> bool:
        """Say whether there is a file of this name; absolute names count too."""
        return there(self.root / name)


class ZipTree(Tree):
    """A zip file, checked before anything is read from it."""

    def __init__(self, path: Path) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError) as error:
            raise InputError(f"expected a zip, got a file that is no whole zip - at `{path}`", cause=str(error)) from error
        self._lock = threading.Lock()
        problems: list[str] = []
        files: dict[str, zipfile.ZipInfo] = {}
        folders: set[str] = set()
        for info in self._zip.infolist():
            name = info.filename.replace("\\", "/")
            parts = PurePosixPath(name).parts
            if any(_is_stray(part) for part in parts):
                continue
            problem = _fault(info, name)
            if problem:
                problems.append(f"{info.filename}: {problem}")
                continue
            folders.update(str(parent) for parent in PurePosixPath(name).parents if str(parent) != ".")
            if name.endswith("/"):
                folders.add(name.rstrip("/"))
            elif name in files:
                problems.append(f"{info.filename}: stands in the zip twice")
            else:
                files[name] = info
        if problems:
            self._zip.close()
        raise_all(problems, heading=f"expected a zip that is safe to read - at `{path}`", fix="make the zip anew from the folder", most=100)
        self._files = files
        super().__init__(str(path), list(files), list(folders))

    def read(self, name: str) -> bytes:
        """Give the content of one file."""
        try:
            with self._lock:  # one file handle, several threads
                return self._zip.read(self._files[name])
        except (zipfile.BadZipFile, OSError, EOFError, RuntimeError, NotImplementedError) as error:
            raise InputError(f"expected a readable file in the zip - at `{self.place}` `{name}`", cause=str(error)) from error
        except Exception as error:  # zlib.error has no common base
            raise InputError(f"expected a whole file in the zip - at `{self.place}` `{name}`", cause=str(error)) from error

    def has(self, name: str) -> bool:
        """Say whether there is a file of this name."""
        return name in self._files


def open_tree(path: Path) -> Tree:
    """Open a folder or a zip. Raises: InputError for anything else, and for a zip that is damaged or unsafe."""
    if path.is_dir():
        return FolderTree(path)
    return ZipTree(path)


def _is_stray(name: str) -> bool:
    return name.lower() in STRAY or name == "__MACOSX" or (name.startswith(".") and name not in (".", ".."))


def _fault(info: zipfile.ZipInfo, name: str) -> str | None:
    parts = PurePosixPath(name).parts
    if name.startswith("/") or ".." in parts or (parts and ":" in parts[0]):
        return "leads out of the folder it would be unpacked to"
    if info.flag_bits & 1:
        return "is encrypted"
    if info.file_size > MOST_FILE_BYTES or (info.file_size > 10_000_000 and info.file_size > MOST_RATIO * max(1, info.compress_size)):
        return f"would unpack from {info.compress_size:,} to {info.file_size:,} bytes (a zip bomb?)"
    return None
