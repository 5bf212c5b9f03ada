"""`tacit labels set|import|export|pack`: changing labels, bringing some in, giving some away."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tacit.cli.output import emit, say
from tacit.ground.errors import TacitError
from tacit.ground.tables import resolve

_SHOWN = 20

Program = Annotated[Path, typer.Option("--in", help="The program directory.", metavar="DIR")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
By = Annotated[str | None, typer.Option("--by", help="Record it as this annotator's opinion.", metavar="NAME")]


def set_command(
    words: Annotated[list[str], typer.Argument(help="Ids of examples, or their beginnings, then the label.", metavar="ID... LABEL")],
    program: Program = Path("."),
    by: By = None,
    as_json: Json = False,
) -> int:
    """Settle what examples are, or record an opinion.

    With --by it is that annotator's opinion, beside the others. Several names: "a;b". A negative number: -- -3.
    """
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


def import_command(
    source: Annotated[
        Path, typer.Argument(help="New examples (folder, zip, table, arrays), or a table or JSON with ids and labels.", metavar="PATH")
    ],
    program: Program = Path("."),
    by: By = None,
    label: Annotated[str | None, typer.Option(help="The column or array that holds the labels.")] = None,
    group: Annotated[str | None, typer.Option(help="A column whose values never straddle a split.")] = None,
    only_new: Annotated[bool, typer.Option("--new-only", help="Pass over examples that the program has.")] = False,
    as_json: Json = False,
) -> int:
    """Bring new examples in, or labels for examples that are there."""
    with resolve("tacit.cli.progress:watch")() as reporter:
        done = resolve("tacit.directory.labelling:import_labels")(
            program, source, by=by, label=label, group=group, only_new=only_new, reporter=reporter
        )
    if as_json:
        names = ("name", "added", "known", "relabelled", "opinions", "opinions_of", "disputes", "notes")
        emit({name: getattr(done, name) for name in names})
        return 0
    for note in done.notes:
        say(note)
    print("\n".join(_summary(done)))
    return 0


def _summary(done: Any) -> list[str]:
    lines = []
    if done.added:
        lines.append(f"{_examples(done.added)} added in labels/{done.name}")
    if done.known:
        lines.append(f"{_examples(done.known)} known, with the same label")
    if done.relabelled:
        lines.append(f"{_examples(len(done.relabelled))} relabelled")
    if done.opinions:
        plural = "s" if len(done.opinions) != 1 else ""
        lines.append(f"{len(done.opinions):,} opinion{plural} recorded in labels/by/{done.opinions_of}")
    if done.disputes:
        shown = ", ".join(done.disputes[:5]) + (" ..." if len(done.disputes) > 5 else "")
        lines.append(f"{_examples(len(done.disputes))} in dispute: {shown}; settle each with `tacit labels set ID LABEL`")
    return lines or ["nothing to do: no new example and no label"]


def _examples(count: int) -> str:
    return f"{count:,} example{'s' if count != 1 else ''}"


def export_command(
    path: Annotated[Path, typer.Argument(help="What to write: NAME.csv, NAME.jsonl, NAME.json (COCO-style), or a folder.", metavar="PATH")],
    program: Program = Path("."),
    format: Annotated[str | None, typer.Option("--format", help="csv, jsonl, coco or folder; without it the suffix decides.")] = None,
    as_json: Json = False,
) -> int:
    """Write the labels in force for another tool.

    `tacit labels import` reads them back.
    """
    with resolve("tacit.cli.progress:watch")() as reporter:
        done = resolve("tacit.directory.labelling:export_labels")(program, path, format=format, reporter=reporter)
    if as_json:
        emit({"path": str(done.path), "format": done.format, "labelled": done.labelled, "undecided": done.undecided})
        return 0
    if done.undecided:
        say(f"{_examples(done.undecided)} in dispute without a majority: no label in force")
    say(f"{_examples(done.labelled)} as {done.format}")
    print(done.path)
    return 0


def pack_command(
    name: Annotated[str, typer.Argument(help="The import: a folder below labels/.", metavar="IMPORT")],
    program: Program = Path("."),
    as_json: Json = False,
) -> int:
    """Move a large import's records out of git.

    They become chunks in media/; relabels stay text.
    """
    count = resolve("tacit.directory.labelling:pack_labels")(program, name)
    if as_json:
        emit({"name": name, "records": count})
        return 0
    say("the chunks are media now: `tacit media push` carries them; commit what changed below labels/")
    print(f"{count:,} records in chunks, named in labels/{name}/chunks.json")
    return 0


def _fields(item: Any) -> dict[str, Any]:
    names = ("id", "before", "after", "source", "file", "line", "removed", "changed")
    return {name: getattr(item, name) for name in names}


def _sentence(item: Any) -> str:
    place = f"{item.file}:{item.line}"
    if not item.changed:
        return f"{item.id} {_shown(item.after)}, as before - {place}"
    before = "no label in force" if item.before is None else _shown(item.before)
    change = f"{before} -> {_shown(item.after)}" if before != _shown(item.after) else f"{before}, as before"
    settled = f"; settled, opinions taken away: {', '.join(item.removed)}" if item.removed else ""
    return f"{item.id} {change} - {place}{settled}"


def _shown(label: Any) -> str:
    return "; ".join(label) if isinstance(label, list) else str(label)
