"""The lists of media in git: which packs an import needs, so that a fresh clone knows what to fetch.

``labels/<import>/media.txt`` holds one pack per line, ``<name> <bytes> <sha256>``, sorted, **with a blank line between**. It
is written with the import and stands beside its labels, so two branches that both add examples write two files, and taking an
import away takes its list away. What the labels of a checkout need is the union of its lists.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tacit.examples.label_files import CHUNKS, LABELS
from tacit.examples.media import MEDIA, MediaReader
from tacit.ground.digests import ID_LENGTH
from tacit.ground.errors import InputError, raise_all
from tacit.ground.files import write_atomic

MEDIA_LIST = "media.txt"
PACK_NAME = re.compile(rf"[0-9a-f]{{{ID_LENGTH}}}\.[a-z0-9]+")
_LINE = re.compile(rf"({PACK_NAME.pattern})\s+(\d+)\s+([0-9a-f]{{64}})")
_MARKERS = ("<<<<<<<", "=======", ">>>>>>>", "|||||||")
#: The id of a record whose input stands elsewhere; a quote within a text is escaped, so the key can't be in one.
_ID = re.compile(rb'"id"\s*:\s*"([0-9a-f]{%d})"' % ID_LENGTH)
_CHUNK = re.compile(rf'"file"\s*:\s*"({PACK_NAME.pattern})"')
_INPUT = re.compile(rb'(?<!\\)"input"\s*:')


@dataclass(frozen=True, slots=True, order=True)
class Pack:
    """A file of `media/`: its name (the first 24 hex digits of `sha256`, and a suffix), its length in bytes, its whole hash."""

    name: str
    bytes: int
    sha256: str

    def line(self) -> str:
        """Give the line of a list, without the line end.

        >>> Pack("e3b0c44298fc1c149afbf4c8.zip", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855").line()
        'e3b0c44298fc1c149afbf4c8.zip 0 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
        """
        return f"{self.name} {self.bytes} {self.sha256}"


def pack_of(path: Path) -> Pack:
    """Describe a file of `media/` by reading it. Raises: InputError when its bytes are not those that its name says."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = file.tell()
    if not path.name.startswith(digest[:ID_LENGTH]):
        raise InputError(
            f"expected bytes whose sha256 begins with {path.stem}, got {digest[:ID_LENGTH]} - at `{path}`",
            cause="the file is damaged, was not copied whole, or was renamed",
            fix="tacit media verify; then take the damaged file away and run tacit media pull",
        )
    return Pack(path.name, size, digest)


def needed_packs(directory: Path) -> dict[str, Pack]:
    """Give the packs that the labels of this checkout need, by name.

    Raises: InputError naming every line of a list that is not understood, with its file.
    """
    found: dict[str, Pack] = {}
    problems: list[str] = []
    for path in list_files(directory):
        shown = path.relative_to(directory).as_posix()
        for number, line in enumerate(path.read_bytes().decode(errors="replace").splitlines(), 1):
            if not line.strip():
                continue
            pack, problem = _parse(line.strip())
            if pack is None or found.setdefault(pack.name, pack) != pack:
                problems.append(f"{shown}:{number}: {problem or 'another size or hash than in another list'}")
    fix = "keep the lines of both sides of a merge; a list is written anew by `tacit media push` when it is gone"
    raise_all(problems, heading=f"expected sound lists of media - at `{directory / LABELS}`", fix=fix, most=100)
    return dict(sorted(found.items()))


def _parse(line: str) -> tuple[Pack | None, str]:
    match = _LINE.fullmatch(line)
    if line.startswith(_MARKERS):
        return None, f"expected a pack, got the merge marker `{line[:20]}` (a conflict that is not resolved)"
    if match is None:
        return None, f"expected `NAME BYTES SHA256`, got `{line[:60]}`"
    name, size, digest = match.groups()
    if not digest.startswith(name[:ID_LENGTH]):
        return None, f"expected a sha256 that begins with the name of the pack, {name[:ID_LENGTH]}, got {digest[:ID_LENGTH]}..."
    return Pack(name, int(size), digest), ""


def merge_lists(*sides: bytes) -> bytes:
    """Give the list that holds the packs of every side: a pack that one side added is needed, whatever the other did.

    >>> merge_lists(b"a.zip 1 a\\n\\nb.zip 1 b\\n", b"a.zip 1 a\\n\\nc.zip 1 c\\n")
    b'a.zip 1 a\\n\\nb.zip 1 b\\n\\nc.zip 1 c\\n'
    """
    return b"\n\n".join(sorted({line.strip() for side in sides for line in side.splitlines() if line.strip()})) + b"\n"


def list_files(directory: Path) -> list[Path]:
    """Give the paths of the lists of a program directory, sorted."""
    return [path for path in sorted((directory / LABELS).glob(f"*/{MEDIA_LIST}")) if not path.parent.name.startswith(".")]


def write_media_list(directory: Path, name: str, ids: Iterable[str]) -> Path | None:
    """Write the list of the import `name`, whose media are `ids`; give its path, None when it needs no pack.

    A list that is there is added to, never shortened; chunks of records that the import has in `media/` are on it, too.
    Raises: InputError when a pack is not what its name says.
    """
    path = directory / LABELS / name / MEDIA_LIST
    _add_packs(directory, path, MediaReader(directory).packs(ids) | _chunks_here(directory, name), needed_packs(directory))
    return path if path.is_file() else None


def _add_packs(directory: Path, path: Path, packs: set[str], known: dict[str, Pack]) -> bool:
    """Add packs to a list; say whether it had to be written. `known`: packs that some list describes; new ones join it."""
    mine = set(_names(path))
    if packs <= mine:
        return False
    for pack in packs - known.keys():
        known[pack] = pack_of(directory / MEDIA / pack)
    write_atomic(path, "\n\n".join(known[pack].line() for pack in sorted(packs | mine)) + "\n")
    return True


def _chunks_here(directory: Path, name: str) -> set[str]:
    """Give the chunks of an import (see `tacit.examples.chunks`) that stand in `media/`."""
    path = directory / LABELS / name / CHUNKS
    files = _CHUNK.findall(path.read_text(encoding="utf-8", errors="replace")) if path.is_file() else []
    return {file for file in files if (directory / MEDIA / file).is_file()}


def _names(path: Path) -> Iterator[str]:
    if path.is_file():
        yield from (line.split()[0] for line in path.read_text().splitlines() if line.strip())


def complete_lists(directory: Path) -> tuple[list[Path], list[str]]:
    """Write the lists that are not there or lack a pack; give the files written, and the media that stand in no pack here.

    A medium counts as there when a pack of its list isn't here: what that pack holds is not known.
    Raises: InputError as `needed_packs` and `write_media_list`.
    """
    chunked: dict[str, list[str]] = {path.parent.name: [] for path in sorted((directory / LABELS).glob(f"*/{CHUNKS}"))}
    wanted = {**chunked, **media_ids(directory)}
    if not wanted:
        return [], []
    known = needed_packs(directory)  # names what is wrong with the lists before one of them is written
    reader = MediaReader(directory)
    written, missing = [], []
    for name, ids in wanted.items():
        path = directory / LABELS / name / MEDIA_LIST
        here = all((directory / MEDIA / pack).is_file() for pack in _names(path))
        if _add_packs(directory, path, reader.packs(ids) | _chunks_here(directory, name), known):
            written.append(path)
        if here:
            missing += [identity for identity in ids if identity not in reader]
    return written, missing


def missing_media(directory: Path) -> list[str]:
    """Give the media that the labels need and that stand in no pack here."""
    wanted = media_ids(directory)
    reader = MediaReader(directory) if wanted else None
    return sorted({identity for ids in wanted.values() for identity in ids if reader is not None and identity not in reader})


def media_ids(directory: Path) -> dict[str, list[str]]:
    """Give the ids of the examples whose input stands in `media/`, by import; a line that is no record is passed over."""
    found: dict[str, list[str]] = {}
    for path in sorted((directory / LABELS).glob("*/*.jsonl")):
        if path.parent.name.startswith("."):
            continue
        try:
            content = path.read_bytes() if path.is_file() else b""
        except OSError:  # whoever reads labels names it
            continue
        for line in content.split(b"\n"):
            match = _ID.search(line)
            if match is not None and not _INPUT.search(line):
                found.setdefault(path.parent.name, []).append(match[1].decode())
    return found
