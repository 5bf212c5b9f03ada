"""Lay out the history of labels and what a merge did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tacit.history.authorship import Written
from tacit.history.log import Event, Step
from tacit.history.merge_plan import Merged
from tacit.instruments.labelling.wording import SHORT, label_words, plural, step_words
from tacit.instruments.layout import Grid, Part

_SHOWN = 50


def event_parts(name: str, events: Sequence[Event]) -> list[Part]:
    """Lay out the history of one example."""
    rows = tuple(
        (_when(item.written), *_who(item.written), _event(item), f"{item.written.file}:{item.written.line}", _subject(item.written))
        for item in events
    )
    return [name, Grid("", ("when", "who", "commit", "request", "label", "at", "subject"), rows)]


def step_parts(steps: Sequence[Step]) -> list[Part]:
    """Lay out the commits that changed labels."""
    if not steps:
        return ["no commit has changed labels"]
    rows = tuple((_when(step.written), *_who(step.written), _counts(step), _subject(step.written)) for step in steps)
    return [Grid("", ("when", "who", "commit", "request", "labels", "subject"), rows)]


def merge_parts(merged: Merged) -> list[Part]:
    """Lay out what a merge did, or what it stopped at."""
    shown: list[Part] = []
    for title, clashes in (("conflicts", merged.conflicts), ("kept side by side", merged.kept)):
        if clashes:
            rows = tuple(
                (
                    clash.id,
                    label_words(clash.ours),
                    _by(clash.ours_by),
                    label_words(clash.theirs),
                    _by(clash.theirs_by),
                    ", ".join(clash.fields) or "removed",
                )
                for clash in clashes[:_SHOWN]
            )
            more = f", {_SHOWN} of {len(clashes):,}" if len(clashes) > _SHOWN else ""
            shown.append(Grid(f"{title}{more}", ("example", "ours", "by", "theirs", "by", "in"), rows))
    if merged.remaining:
        shown.append(Grid("files that are no labels and conflict", ("file",), tuple((path,) for path in merged.remaining)))
    return [*shown, *([""] if shown else []), _verdict(merged)]


def _verdict(merged: Merged) -> str:
    taken = f"{plural(merged.taken, 'record')} taken over, {plural(merged.files, 'file')} written"
    side = (
        f"; {plural(len(merged.kept), 'example')} in dispute, theirs in {', '.join(f'labels/{name}' for name in merged.opinions)}"
        if merged.opinions
        else ""
    )
    if merged.state == "up to date":
        return f"{merged.branch} is merged already"
    if merged.state == "conflict":
        what = [plural(len(merged.conflicts), "conflict")] if merged.conflicts else []
        what += [plural(len(merged.remaining), "other file")] if merged.remaining else []
        return f"{merged.branch} is not merged: {' and '.join(what)} to decide; nothing was written"
    if merged.state == "staged":
        left = f"; still to be resolved: {', '.join(merged.remaining)}" if merged.remaining else "; `git commit` makes the commit"
        return f"the labels of {merged.branch} are merged and staged: {taken}{side}{left}"
    return f"{merged.branch} is merged in {(merged.commit or '')[:SHORT]}: {taken}{side}"


def _when(written: Written) -> str:
    return written.date[:16].replace("T", " ") if written.commit else "now"


def _who(written: Written) -> tuple[str, str, str]:
    request = f"#{written.pull_request}" if written.pull_request else ""
    return written.author or "you", (written.commit or "not committed")[:SHORT], request


def _subject(written: Written) -> str:
    return written.subject[:60]


def _event(event: Event) -> str:
    if event.kind == "relabelled":
        words = step_words(event.before, event.after)
    elif event.kind == "added":
        words = f"added {label_words(event.after)}" if event.after is not None else "added"
    else:
        words = f"{event.kind} {label_words(event.before)}" if event.kind == "removed" else event.kind
    return f"{event.source}: {words}" if event.source.startswith("by/") else words


def _counts(step: Step) -> str:
    said = []
    for kind, count in step.counts.items():
        pair: Any = next(iter(step.moves), None) if kind == "relabelled" and len(step.moves) == 1 else None
        words = f"{plural(count, 'opinion')} {kind.partition(' ')[2]}" if kind.startswith("opinions ") else f"{count:,} {kind}"
        said.append(words + (f" {step_words(*pair)}" if pair else ""))
    return ", ".join(said) or "nothing by example"


def _by(written: Written | None) -> str:
    return f"{written.author} {written.commit[:SHORT]}" if written and written.commit else ""
