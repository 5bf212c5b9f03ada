"""Verify media: every pack is there and its bytes are those that its name says, here and on the remote."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tacit.examples.media import MEDIA, entry_faults
from tacit.examples.media_lists import PACK_NAME, Pack, missing_media, needed_packs, pack_of
from tacit.ground.errors import InputError
from tacit.ground.progress import Reporter
from tacit.history.media_settings import remote_of
from tacit.history.media_sync import list_remote
from tacit.history.remotes import Remote, Tell, Unsound, check, explain, is_unfinished
from tacit.history.transfers import carry

MISSING, DAMAGED, UNKNOWN = "missing", "damaged", "unknown"
_SHOWN = 100


@dataclass(frozen=True)
class MediaFault:
    """One thing that `verify` found. kind: missing, damaged (both are wrong) or unknown (noted). place: `media` or the remote."""

    kind: str
    place: str
    name: str
    detail: str


@dataclass(frozen=True)
class MediaVerdict:
    """What `verify` looked at and found. remote: None when only `media/` was looked at. deep: remote packs were hashed, too."""

    packs: int
    bytes: int
    remote: str | None
    deep: bool
    faults: tuple[MediaFault, ...]

    @property
    def met(self) -> bool:
        """Tell whether nothing is missing or damaged."""
        return all(fault.kind == UNKNOWN for fault in self.faults)

    def to_json(self) -> dict[str, Any]:
        """Give JSON values."""
        return {
            "met": self.met,
            "packs": self.packs,
            "bytes": self.bytes,
            "remote": self.remote,
            "deep": self.deep,
            "faults": [{"kind": f.kind, "place": f.place, "name": f.name, "detail": f.detail} for f in self.faults],
            "try": list(self.fixes()),
        }

    def parts(self) -> list[str]:
        """Lay out for a person."""
        lines = [f"{f.kind}  {f.place}: {f.name}" + (f" - {f.detail}" if f.detail else "") for f in self.faults[:_SHOWN]]
        if len(self.faults) > _SHOWN:
            lines.append(f"... and {len(self.faults) - _SHOWN:,} more")
        where = f"here and on {self.remote}" if self.remote else "here"
        how = "" if self.remote is None else ", every byte" if self.deep else ", there by size"
        bad = sum(fault.kind != UNKNOWN for fault in self.faults)
        lines.append(
            f"{self.packs:,} pack{'' if self.packs == 1 else 's'} {where}{how}: "
            + (f"{bad:,} missing or damaged" if bad else "all is well")
        )
        return [*lines, *(f"try: {fix}" for fix in self.fixes())]

    def fixes(self) -> Iterator[str]:
        """Say what mends what is wrong."""
        wrong = {(fault.kind, fault.place == MEDIA) for fault in self.faults}
        if (MISSING, True) in wrong or (DAMAGED, True) in wrong:
            yield "tacit media pull" + (" --deep" if (DAMAGED, True) in wrong else "") + ", from a remote that has sound copies"
        if (MISSING, False) in wrong:
            yield "tacit media push, where the missing packs are"
        if (DAMAGED, False) in wrong:
            yield "move the damaged packs on the remote away, then tacit media push where sound copies are"


def verify_media(
    directory: Path = Path("."), *, remote: str | None = None, local: bool = False, deep: bool = False, reporter: Reporter | None = None
) -> MediaVerdict:
    """Read every pack here and compare it with its name, and every entry with its id; look at the sizes on the remote, if there is one.

    local: don't look at the remote of `tacit.toml`. deep: read every pack of the remote, too.
    Raises: ConfigError, MissingPackage, UnknownName as `remote_of`; InputError for unsound lists; RemoteError when it is away.
    """
    directory, reporter = Path(directory), reporter or Reporter()
    place = None if local and remote is None else remote_of(directory, remote)
    needed = needed_packs(directory)
    faults = list(_here(directory, needed, reporter))
    if place is not None:
        faults += _there(place, needed, deep, reporter)
    size = sum(pack.bytes for pack in needed.values())
    return MediaVerdict(len(needed), size, place.shown if place else None, deep and place is not None, tuple(faults))


def _here(directory: Path, needed: dict[str, Pack], reporter: Reporter) -> Iterator[MediaFault]:
    media = directory / MEDIA
    names = sorted(os.listdir(media)) if media.is_dir() else []
    for name in needed:
        if name not in names:
            yield MediaFault(MISSING, MEDIA, name, "the labels need it")
    packs = [name for name in names if PACK_NAME.fullmatch(name)]
    reporter.phase("reading media")
    damaged = False
    with ThreadPoolExecutor(2) as pool:
        for number, (name, problems) in enumerate(zip(packs, pool.map(lambda name: _faults(media / name), packs), strict=True), 1):
            reporter.progress(number / len(packs), None, f"{number:,} of {len(packs):,} packs")
            damaged = damaged or bool(problems)
            for problem in problems:
                yield MediaFault(DAMAGED, MEDIA, name, problem)
            if name not in needed and not problems:
                yield MediaFault(UNKNOWN, MEDIA, name, "sound, but no label of this checkout needs it")
    for name in sorted(set(names) - set(packs)):
        yield MediaFault(UNKNOWN, MEDIA, name, "not finished by a process that is gone or still runs" if _is_temporary(name) else "no pack")
    if not damaged and all(name in names for name in needed):
        for identity in missing_media(directory):
            yield MediaFault(MISSING, MEDIA, identity, "the medium of an example, in no pack")


def _faults(path: Path) -> list[str]:
    try:
        pack_of(path)
    except InputError as error:
        return [error.message.partition(" - at ")[0]]
    except OSError as error:
        return [f"it can't be read ({error.strerror or error})"]
    return entry_faults(path)


def _is_temporary(name: str) -> bool:
    return is_unfinished(name) or (name.startswith(".pack.") and name.endswith(".tmp"))


def _there(place: Remote, needed: dict[str, Pack], deep: bool, reporter: Reporter) -> Iterator[MediaFault]:
    reporter.phase("looking at the remote")
    sizes = list_remote(place, needed, reporter=reporter)
    whole = []
    for name, pack in needed.items():
        if name not in sizes:
            yield MediaFault(MISSING, place.shown, name, "the labels need it")
        elif sizes[name] != pack.bytes:
            yield MediaFault(
                DAMAGED, place.shown, name, f"expected {pack.bytes} bytes, got {sizes[name]}; `tacit media push` sends it anew"
            )
        else:
            whole.append(pack)
    for name in sorted(set(sizes) - set(needed)):
        if not PACK_NAME.fullmatch(name):
            yield MediaFault(UNKNOWN, place.shown, name, "an upload that is not finished" if is_unfinished(name) else "no pack")
    if not deep:
        return

    def read(pack: Pack, tell: Tell) -> None:
        digest = hashlib.sha256()
        for piece in place.chunks(pack.name):
            digest.update(piece)
            tell(len(piece))
        check(pack, digest.hexdigest(), place.shown)

    reporter.phase("reading the remote")
    outcome = carry(whole, read, jobs=place.jobs, alone=(Unsound, FileNotFoundError), reporter=reporter)
    for pack, error in sorted(outcome.failed.items()):
        yield MediaFault(DAMAGED, place.shown, pack.name, error.detail if isinstance(error, Unsound) else str(error))
    if outcome.fatal is not None:
        raise explain(outcome.fatal, place, writing=False) from outcome.fatal
