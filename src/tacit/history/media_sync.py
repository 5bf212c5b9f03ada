"""Push and pull: carry the packs of a program's media to where everybody reaches them, and from there.

Nothing is ever deleted. A pack appears under its name only when it is whole and its hash is right, on either side, so both can be
interrupted at any moment and begun again.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tacit.examples.media import MEDIA
from tacit.examples.media_lists import PACK_NAME, Pack, complete_lists, media_ids, needed_packs, pack_of
from tacit.ground.errors import ConfigError, InputError, TacitError, raise_all
from tacit.ground.progress import Reporter
from tacit.history.media_settings import required_remote
from tacit.history.remotes import (
    NotThere,
    Remote,
    RemoteError,
    Tell,
    Unsound,
    abandoned,
    check,
    discard,
    explain,
    flush_folder,
    unfinished_name,
)
from tacit.history.transfers import carry, megabytes, patiently


@dataclass(frozen=True)
class Carried:
    """What a push or pull did.

    moved: packs that went over; there: packs that were there before; missing: what is nowhere, in words. written: lists of media
    that were written on the way and belong into git.
    """

    verb: str
    remote: str
    moved: tuple[str, ...] = ()
    bytes: int = 0
    there: int = 0
    missing: tuple[str, ...] = ()
    written: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def met(self) -> bool:
        """Tell whether everything that the labels need is where it should be."""
        return not self.missing

    def to_json(self) -> dict[str, Any]:
        """Give JSON values."""
        return {
            "verb": self.verb,
            "met": self.met,
            "remote": self.remote,
            "moved": list(self.moved),
            "bytes": self.bytes,
            "there": self.there,
            "missing": list(self.missing),
            "lists_written": list(self.written),
            "notes": list(self.notes),
        }

    def parts(self) -> list[str]:
        """Lay out for a person."""
        done, place = ("sent", "there") if self.verb == "push" else ("fetched", "here")
        lines = [f"{_packs(len(self.moved))} {done} ({megabytes(self.bytes)}), {self.there:,} already {place} - {self.remote}"]
        lines += [f"wrote {path}; commit it, a clone needs it" for path in self.written]
        lines += self.notes
        lines += [f"MISSING: {text}" for text in self.missing]
        if self.missing:
            lines.append("try: tacit media push where these media are; nothing else is lost")
        return lines


def push_media(
    directory: Path = Path("."),
    *,
    remote: str | None = None,
    everything: bool = False,
    create: bool = False,
    reporter: Reporter | None = None,
) -> Carried:
    """Send the packs that the labels need and the remote lacks. `everything`: also those that no label here needs.

    create: the remote may be empty or not there yet; otherwise an empty one is taken for a disk that is not mounted, or a typing error.
    Raises: ConfigError, MissingPackage, UnknownName as `required_remote`; InputError for unsound lists; RemoteError.
    """
    directory, reporter = Path(directory), reporter or Reporter()
    place = required_remote(directory, remote)
    if not place.writable:
        raise ConfigError(f"expected a remote that can be written, this one is for pulling only - at `{place.shown}`", fix="--remote URL")
    written, lost = complete_lists(directory)
    lists = tuple(path.relative_to(directory).as_posix() for path in written)
    packs, notes = _to_push(directory, everything)
    if not packs and not lost:
        return Carried("push", place.shown, notes=("there are no media to carry: the inputs stand in the labels",))
    reporter.phase("looking at the remote")
    there = list_remote(place, packs, create=create, reporter=reporter)
    wanted = [pack for pack in packs.values() if there.get(pack.name) != pack.bytes]
    replaced = [pack.name for pack in wanted if pack.name in there]
    notes += [f"{name}: what the remote had was not whole; it is sent again" for name in replaced]
    here = [pack for pack in wanted if (directory / MEDIA / pack.name).is_file()]
    missing = [f"{pack.name} is neither here nor on the remote" for pack in wanted if pack not in here]
    missing += [f"the medium {name} of an example is in no pack" for name in lost[:20]]
    missing += [f"... and {len(lost) - 20:,} more media"] if len(lost) > 20 else []
    reporter.phase("pushing")

    def send(pack: Pack, tell: Tell) -> None:
        place.send(directory / MEDIA / pack.name, pack, tell)

    outcome = carry(here, send, jobs=place.jobs, alone=(Unsound,), reporter=reporter)
    _raise_failures(outcome.failed, "expected sound packs to push", "tacit media verify; a damaged pack was not sent, the others were")
    if outcome.fatal is not None:
        raise explain(outcome.fatal, place, writing=True) from outcome.fatal
    moved = tuple(sorted(pack.name for pack in outcome.done))
    size = sum(pack.bytes for pack in outcome.done)
    return Carried("push", place.shown, moved, size, len(packs) - len(wanted), tuple(missing), lists, tuple(notes))


def _to_push(directory: Path, everything: bool) -> tuple[dict[str, Pack], list[str]]:
    """Give the packs to be on the remote, and what to say of the others. Raises: InputError for damaged ones."""
    packs = needed_packs(directory)
    media = directory / MEDIA
    others = sorted(path for path in media.iterdir() if PACK_NAME.fullmatch(path.name) and path.name not in packs) if media.is_dir() else []
    if others and not everything:
        return packs, [f"{_packs(len(others))} of `{MEDIA}` needed by no label here; --all sends them, too"]
    problems: list[str] = []
    for path in others:
        try:
            packs[path.name] = pack_of(path)
        except InputError as error:
            problems.append(error.message)
    raise_all(problems, heading="expected sound packs to push", fix="take the damaged files away, or push without --all")
    return packs, []


def pull_media(
    directory: Path = Path("."),
    *,
    remote: str | None = None,
    everything: bool = False,
    deep: bool = False,
    reporter: Reporter | None = None,
) -> Carried:
    """Fetch the packs that the labels need and `media/` lacks. `everything`: all that the remote has, for programs without lists.

    deep: hash the packs that are here, too, and fetch anew those that are damaged.
    Raises: ConfigError, MissingPackage, UnknownName as `required_remote`; InputError for unsound lists and for packs whose hash
    doesn't fit (they are not put in place); RemoteError.
    """
    directory, reporter = Path(directory), reporter or Reporter()
    place = required_remote(directory, remote)
    packs = needed_packs(directory)
    if not packs and not everything:
        if not media_ids(directory):
            return Carried("pull", place.shown, notes=("there are no media to carry: the inputs stand in the labels",))
        raise InputError(
            f"expected lists of media `labels/<import>/media.txt`, found none - at `{directory}`",
            cause="they say which packs the labels need",
            fix="tacit media push where the media are, and commit what it writes; or tacit media pull --all",
        )
    reporter.phase("looking at the remote")
    there = list_remote(place, packs, reporter=reporter)
    if everything:
        packs = {name: Pack(name, size, name.partition(".")[0]) for name, size in there.items() if PACK_NAME.fullmatch(name)} | packs
    wanted = [pack for pack in packs.values() if not _is_here(directory, pack, deep)]
    missing = [f"{pack.name} is not on the remote" for pack in wanted if pack.name not in there]
    ready = [pack for pack in wanted if pack.name in there]
    _make_room(directory, ready)
    reporter.phase("pulling")

    def fetch(pack: Pack, tell: Tell) -> None:
        _fetch(place, directory / MEDIA, pack, tell)

    outcome = carry(ready, fetch, jobs=place.jobs, alone=(Unsound, FileNotFoundError), reporter=reporter)
    _raise_failures(
        outcome.failed,
        f"expected sound packs, none of these was put in place - at `{place.shown}`",
        "tacit media push where sound copies are (it sends anew what has another size; otherwise take the damaged ones away there first)",
    )
    if outcome.fatal is not None:
        raise explain(outcome.fatal, place, writing=False) from outcome.fatal
    moved = tuple(sorted(pack.name for pack in outcome.done))
    return Carried("pull", place.shown, moved, sum(pack.bytes for pack in outcome.done), len(packs) - len(wanted), tuple(missing))


def _is_here(directory: Path, pack: Pack, deep: bool) -> bool:
    path = directory / MEDIA / pack.name
    if not path.is_file() or path.stat().st_size != pack.bytes:
        return False
    if not deep:
        return True
    try:
        return pack_of(path).sha256.startswith(pack.sha256)
    except InputError:
        return False


def _make_room(directory: Path, packs: list[Pack]) -> None:
    """Make the folder of media, take away what killed processes left there, and see that the packs have room. Raises: TacitError."""
    if not packs:
        return
    media = directory / MEDIA
    try:
        media.mkdir(exist_ok=True)
        for name in abandoned(os.listdir(media)):
            discard(media / name)
        free = shutil.disk_usage(media).free
    except OSError as error:
        raise TacitError(
            f"could not make the folder for the media - at `{media}`",
            cause=f"the system says: {error.strerror}",
            fix="give it room to write",
        ) from error
    size = sum(pack.bytes for pack in packs)
    if size > free:
        raise TacitError(
            f"expected room for {megabytes(size)} of media, {megabytes(free)} are free - at `{media}`",
            fix="free some space, or make `media` a link to a folder on a larger disk; nothing was written",
        )


def _fetch(place: Remote, media: Path, pack: Pack, tell: Tell) -> None:
    """Fetch one pack under a temporary name, check its hash, flush it, rename it. Raises: Unsound, or what the remote raises."""
    temporary = media / unfinished_name(pack.name)
    come = 0

    def count(size: int) -> None:
        nonlocal come
        come += size
        if come > pack.bytes:  # whatever is sent there, the disk is not filled with it
            raise Unsound(place.shown, f"expected {pack.bytes} bytes, got more")
        tell(size)

    try:
        place.fetch(pack, temporary, count)
        _check_file(pack, temporary, place.shown)
        temporary.chmod(0o644)
        os.replace(temporary, media / pack.name)
    except BaseException:
        discard(temporary)
        raise
    flush_folder(media)


def _check_file(pack: Pack, path: Path, where: str) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
        size, digest = os.fstat(file.fileno()).st_size, hashlib.file_digest(file, "sha256").hexdigest()
    if size != pack.bytes:
        raise Unsound(where, f"expected {pack.bytes} bytes, got {size}")
    check(pack, digest, where)


def list_remote(place: Remote, packs: Mapping[str, Pack], *, create: bool = False, reporter: Reporter) -> Mapping[str, int]:
    """Give name -> bytes of what the remote holds. Raises: RemoteError when it is away, or empty and that was not expected."""
    try:
        return patiently(lambda: place.sizes(packs), reporter=reporter)
    except NotThere as error:
        if not create:
            raise RemoteError(
                f"expected a remote that holds media, found nothing there - at `{place.shown}`",
                cause=str(error) or "a wrong path, a disk that is not mounted, or a new remote",
                fix="check the path; for a new remote: tacit media push --create",
            ) from error
    except Exception as error:  # libraries behind fsspec raise what they like
        raise explain(error, place, writing=False) from error
    try:
        place.prepare()
    except Exception as error:
        raise explain(error, place, writing=True) from error
    return {}


def _raise_failures(failed: Mapping[Pack, Exception], heading: str, fix: str) -> None:
    raise_all([f"{pack.name}: {error}" for pack, error in sorted(failed.items())], heading=heading, fix=fix, most=100)


def _packs(count: int) -> str:
    return f"{count:,} pack{'' if count == 1 else 's'}"
