"""`tacit labels status|diff|log|merge`: what git lacks for labels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tacit.cli.output import emit, say, show
from tacit.ground.tables import resolve

Program = Annotated[Path, typer.Option("--in", help="The program directory.", metavar="DIR")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def status(program: Program = Path("."), as_json: Json = False) -> int:
    """Count labels; name what is uncommitted, in dispute or wrong."""
    found = resolve("tacit.instruments.labelling.status:label_status")(program)
    if as_json:
        emit(found.to_json())
    else:
        show(found.parts())
    return 0 if found.met else 1


def diff(
    first: Annotated[str, typer.Argument(help="A commit, branch or tag.", metavar="[A]")] = "HEAD",
    second: Annotated[str | None, typer.Argument(help="Another; without it, the working tree.", metavar="[B]")] = None,
    program: Program = Path("."),
    markdown: Annotated[bool, typer.Option("--markdown", help="Write Markdown, for a pull request.")] = False,
    sheet: Annotated[Path | None, typer.Option("--sheet", help="Draw the changed examples into this PNG.", metavar="FILE.png")] = None,
    as_json: Json = False,
) -> int:
    """Say what changed since the last commit, or between two."""
    found = resolve("tacit.instruments.labelling.difference:label_diff")(program, first, second)
    if sheet is not None:
        picture, missing = resolve("tacit.instruments.labelling.sheet:diff_sheet")(program, found)
        resolve("tacit.ground.files:write_atomic")(sheet, picture)
        for line in missing[:5]:
            say(f"not drawn: {line}")
        if len(missing) > 5:
            say(f"not drawn: {len(missing) - 5:,} more")
        say(f"{sheet}: the changed examples")
    if as_json:
        emit(found.to_json())
    elif markdown:
        print(found.markdown(), end="")
    else:
        show(found.parts())
    return 0


def log(
    example: Annotated[str | None, typer.Argument(help="The id of an example, or its beginning.", metavar="[ID]")] = None,
    program: Program = Path("."),
    revision: Annotated[str | None, typer.Option("--from", help="Begin at this commit or branch.", metavar="REVISION")] = None,
    most: Annotated[int, typer.Option("--most", "-n", help="How many commits are shown, of the labels as a whole.", min=1)] = 20,
    as_json: Json = False,
) -> int:
    """Show who gave an example its labels, and when.

    Without an id: the commits that changed labels.
    """
    if example is None:
        steps = resolve("tacit.history.log:labels_log")(program, most=most, revision=revision)
        if as_json:
            emit([step.to_json() for step in steps])
        else:
            show(resolve("tacit.instruments.labelling.reports:step_parts")(steps))
        return 0
    name, events = resolve("tacit.history.log:example_log")(program, example, revision)
    if as_json:
        emit({"id": name, "events": [event.to_json() for event in events]})
    else:
        show(resolve("tacit.instruments.labelling.reports:event_parts")(name, events))
    return 0


def merge(
    branch: Annotated[str | None, typer.Argument(help="The branch to merge; without it, finish the merge that stopped.")] = None,
    program: Program = Path("."),
    keep_both: Annotated[bool, typer.Option("--keep-both", help="Leave both labels of a conflict side by side, in dispute.")] = False,
    commit: Annotated[bool, typer.Option("--commit/--no-commit", help="Make the merge commit, or leave the merge staged.")] = True,
    message: Annotated[str | None, typer.Option("--message", "-m", help="The message of the commit.")] = None,
    as_json: Json = False,
) -> int:
    """Merge a branch, its labels by example; list conflicts.

    Each conflict is shown with both labels and who wrote them. Exit code 1: there are some, and nothing was written.
    """
    merged = resolve("tacit.history.merging:merge_labels")(program, branch, both=keep_both, commit=commit, message=message)
    if as_json:
        emit(merged.to_json())
    else:
        show(resolve("tacit.instruments.labelling.reports:merge_parts")(merged))
        if merged.conflicts:
            again = " ".join(["tacit labels merge", *([branch] if branch else []), "--keep-both"])
            say(f"try: {again}, then tacit labels set ID LABEL; or give both sides one label first")
        if merged.state == "conflict" and merged.remaining:
            say(f"try: git merge {merged.branch}, mend the other files and git add them; then tacit labels merge")
    return 0 if merged.met else 1
