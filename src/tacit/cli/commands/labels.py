"""`tacit labels set|import|export|pack`: changing labels, bringing some in, giving some away."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tacit.cli.output import emit
from tacit.ground.errors import TacitError
from tacit.ground.tables import resolve

_SHOWN = 20

Program = Annotated[Path, typer.Option("--program", help="The program directory.", metavar="DIR")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
By = Annotated[str | None, typer.Option("--by", help="Record it as this annotator's opinion.", metavar="NAME")]


def set_command(
    words: Annotated[list[str], typer.Argument(help="Ids of examples, or their beginnings, then the label.", metavar="ID... LABEL")],
    program: Program = Path("."),
    by: By = None,
    as_json: Json = False,
) -> int:
    """Give examples a label: settle it, or with --by record an annotator's opinion. Several names: "a;b". A negative number: -- -3."""
    if len(words) < 2:
        raise TacitError("expected ids and a label", cause=f"got `{words[0]}` alone", fix="tacit labels set ID... LABEL")
    done = resolve("tacit.directory.labelling:set_labels")(program, words[:-1], words[-1], by=by)
    if as_json:
        emit({"labels": [_fields(item) for item in done]})
        return 0
    for item in done[:_SHOWN]:
        print(_sentence(item))
    if len(done) > _SHOWN:
        print(f"... and {len(done) - _SHOWN:,} more")
    return 0


def _fields(item: Any) -> dict[str, Any]:
    names = ("id", "before", "after", "source", "file", "line", "removed", "changed")
    return {name: getattr(item, name) for name in names}


def _sentence(item: Any) -> str:
    place = f"{item.file}:{item.line}"
    if not item.changed:
        return f"{item.id} {_shown(item.after)}, as before - {place}"
    before = "no label in force" if item.before is None else _shown(item.before)
    settled = f"; settled, opinions taken away: {', '.join(item.removed)}" if item.removed else ""
    return f"{item.id} {before} -> {_shown(item.after)} - {place}{settled}"


def _shown(label: Any) -> str:
    return "; ".join(label) if isinstance(label, list) else str(label)
