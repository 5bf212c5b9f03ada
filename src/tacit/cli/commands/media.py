"""`tacit media push|pull|verify`: carry media to where everybody reaches them, and from there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tacit.cli.output import emit, show
from tacit.ground.tables import resolve

_Directory = Annotated[Path, typer.Argument(help="The program directory.", metavar="DIR")]
_Remote = Annotated[
    str | None,
    typer.Option(help="A folder, s3://bucket/path, hf://datasets/NAME, gs:// ...; by default `remote` of tacit.toml.", metavar="URL"),
]
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def push(
    directory: _Directory = Path("."),
    remote: _Remote = None,
    everything: Annotated[bool, typer.Option("--all", help="Also packs that no label here needs.")] = False,
    create: Annotated[bool, typer.Option("--create", help="The remote is new: it may be empty or not there yet.")] = False,
    as_json: _Json = False,
) -> int:
    """Send the media that the labels need and the remote lacks."""
    with resolve("tacit.cli.progress:watch")() as reporter:
        carried = resolve("tacit.history.media_sync:push_media")(
            directory, remote=remote, everything=everything, create=create, reporter=reporter
        )
    return _answer(carried, as_json)


def pull(
    directory: _Directory = Path("."),
    remote: _Remote = None,
    everything: Annotated[bool, typer.Option("--all", help="Everything that the remote has.")] = False,
    deep: Annotated[bool, typer.Option("--deep", help="Read the packs that are here, too, and fetch damaged ones anew.")] = False,
    as_json: _Json = False,
) -> int:
    """Fetch the media that the labels of this checkout need."""
    with resolve("tacit.cli.progress:watch")() as reporter:
        carried = resolve("tacit.history.media_sync:pull_media")(
            directory, remote=remote, everything=everything, deep=deep, reporter=reporter
        )
    return _answer(carried, as_json)


def verify(
    directory: _Directory = Path("."),
    remote: _Remote = None,
    local: Annotated[bool, typer.Option("--local", help="Only what is here, not the remote of tacit.toml.")] = False,
    deep: Annotated[bool, typer.Option("--deep", help="Read every byte on the remote, too, not only the sizes.")] = False,
    as_json: _Json = False,
) -> int:
    """Check media, here and on the remote.

    The exit code is 1 when something is missing or damaged.
    """
    with resolve("tacit.cli.progress:watch")() as reporter:
        verdict = resolve("tacit.history.media_verify:verify_media")(directory, remote=remote, local=local, deep=deep, reporter=reporter)
    return _answer(verdict, as_json)


def _answer(report: Any, as_json: bool) -> int:
    if as_json:
        emit(report.to_json())
    else:
        show(report.parts())
    return 0 if report.met else 1
