"""A behaviour diff for people: on a terminal, as Markdown for a pull request, and as a contact sheet."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from tacit.examples.sheet import Cell, contact_sheet
from tacit.instruments.behaviour.difference import BROKE, CHANGED, FIXED, BehaviourDiff, Cost, Metric, Moved, Slice
from tacit.instruments.layout import Grid, Part, decimal, markdown_cell

SHOWN = 20
_CONFUSIONS = 12
_SHORT = 12


def parts(found: BehaviourDiff, *, most: int = SHOWN) -> list[Part]:
    """Lay out for a terminal; at most so many examples of each kind."""
    shown: list[Part] = [*found.notes, *lines_of(found), *_grids(found)]
    for kind, title in _titles(found):
        items = found.of(kind, found.headline)
        if items:
            rows = tuple(_cells(item) for item in items[:most])
            more = f", {most} of {len(items):,}" if len(items) > most else ""
            shown.append(Grid(f"{title}, on {found.headline}{more}", ("example", "label", "first", "second", "margins", "at"), rows))
    return [*shown, "", f"{found.first.name} → {found.second.name}: {summary(found)}"]


def markdown(found: BehaviourDiff, *, most: int = SHOWN) -> str:
    """Write for a pull request: the summary, tables, and the examples folded away."""
    out = [f"### Behaviour diff: `{found.first.name}` → `{found.second.name}`", "", f"**{summary(found)}**", ""]
    out += [f"- {line}" for line in (*lines_of(found), *found.notes)]
    for grid in _grids(found):
        out += ["", f"**{grid.title}**", "", *_table(grid.columns, grid.rows)]
    for kind, title in _titles(found):
        items = found.of(kind, found.headline)
        if items:
            more = f", the first {most}" if len(items) > most else ""
            rows = tuple(_cells(item) for item in items[:most])
            out += ["", f"<details><summary>{title}: {len(items):,} on {found.headline}{more}</summary>", ""]
            out += [*_table(("example", "label", "first", "second", "margins", "at"), rows), "", "</details>"]
    return "\n".join(out) + "\n"


def sheet(found: BehaviourDiff, *, most: int = 60) -> bytes:
    """Draw what broke and what was fixed on the headline split, at most so many of each, as a PNG."""
    tones = {BROKE: "bad", FIXED: "good", CHANGED: "changed"}
    cells: list[Cell] = []
    for kind, title in _titles(found):
        items = found.of(kind, found.headline)
        if kind == CHANGED and cells:
            continue  # what stayed wrong is of interest only where nothing else is to be seen
        for item in items[:most]:
            type_, arrays, value = found.shown[item.id]
            caption = (
                f"{_text(item.before)} → {_text(item.after)}\nlabel {_text(item.label)}  {_margins(item)}\n{item.place or item.id[:_SHORT]}"
            )
            more = f", {most} shown" if len(items) > most else ""
            cells.append(Cell(type_, arrays, caption, value=value, tone=tones[kind], section=f"{title}: {len(items):,}{more}"))
    return contact_sheet(cells, title=f"{found.first.name} → {found.second.name}: {summary(found)}")


def summary(found: BehaviourDiff) -> str:
    """Say in one line what happened on the headline split."""
    split = found.main
    of = f"of {split.count:,} {split.name} examples"
    if found.mean_change is not None and not (split.broke or split.fixed):
        metric = split.metrics[0]
        return (
            f"answers move by {found.mean_change:.4g} on average {of}; "
            f"{metric.name} {decimal(metric.before)} → {decimal(metric.after)} ({_interval(metric)})"
        )
    if not (split.broke or split.fixed or split.changed):
        return f"the same answers on all {split.count:,} {split.name} examples"
    sure = "more than chance" if split.probability < 0.05 else "within chance"
    extra = f", {split.changed:,} wrong in another way" if split.changed else ""
    return f"{split.broke:,} broke, {split.fixed:,} fixed{extra} {of} ({sure}, p = {_probability(split.probability)})"


def lines_of(found: BehaviourDiff) -> list[str]:
    """Say from which labels each came, and how many labels differ."""
    commits = [f"{side.name}: labels of {side.commit[:_SHORT]}{_dirty(side.commit)}" for side in (found.first, found.second) if side.commit]
    if found.labels is None:
        return [", ".join(commits)] if commits else []
    counts = ", ".join(f"{count:,} {kind}" for kind, count in sorted(found.labels.items())) or "none"
    return [f"{', '.join(commits)}; labels changed between them: {counts}"]


def _dirty(commit: str) -> str:
    return "-dirty" if commit.endswith("-dirty") else ""


def _titles(found: BehaviourDiff) -> tuple[tuple[str, str], ...]:
    numbers = found.mean_change is not None and not (found.main.broke or found.main.fixed)
    return ((BROKE, "broke"), (FIXED, "fixed"), (CHANGED, "greatest changes" if numbers else "wrong before and after, in another way"))


def _grids(found: BehaviourDiff) -> list[Grid]:
    grids = [_scores(found), _counts(found)]
    moved = [item for item in found.classes if item.broke or item.fixed]
    if moved:
        grids.append(_slice_grid(f"per class, on {found.headline}, where something moved", moved))
    pairs = found.confusions[:_CONFUSIONS]
    if pairs:
        more = f", {len(pairs)} of {len(found.confusions)}" if len(found.confusions) > len(pairs) else ""
        rows = tuple((label, f"{before} → {after}", str(count)) for label, before, after, count in pairs)
        grids.append(Grid(f"answers that changed, on {found.headline}{more}", ("label", "answer", "examples"), rows))
    if found.slices:
        few = found.slices[:SHOWN]
        more = f", the first {SHOWN} of {len(found.slices)}" if len(found.slices) > SHOWN else ""
        grids.append(_slice_grid(f"slices that changed by more than chance, of {found.tested} tested{more}", few))
    if found.costs:
        grids.append(Grid("cost of one call", ("", "first", "second", "change"), tuple(_cost(cost) for cost in found.costs)))
    return grids


def _scores(found: BehaviourDiff) -> Grid:
    rows = tuple(
        (
            f"{metric.name} on {split.name}{' (learnt from)' if split.learnt else ''}",
            decimal(metric.before),
            decimal(metric.after),
            f"{metric.difference:+.4f}",
            _interval(metric),
        )
        for split in reversed(found.splits)
        for metric in split.metrics
    )
    return Grid("scores", ("", "first", "second", "difference", "95 % interval"), rows)


def _interval(metric: Metric) -> str:
    return f"{metric.low:+.4f} to {metric.high:+.4f}" if math.isfinite(metric.low) else "-"


def _counts(found: BehaviourDiff) -> Grid:
    rows = tuple(
        (split.name, f"{split.count:,}", str(split.broke), str(split.fixed), str(split.changed), _probability(split.probability))
        for split in reversed(found.splits)
    )
    return Grid("answers", ("split", "examples", "broke", "fixed", "changed", "p"), rows)


def _slice_grid(title: str, slices: Sequence[Slice]) -> Grid:
    rows = tuple(
        (
            item.name,
            str(item.count),
            decimal(item.before),
            decimal(item.after),
            str(item.broke),
            str(item.fixed),
            _probability(item.probability),
        )
        for item in slices
    )
    return Grid(title, ("", "examples", "first", "second", "broke", "fixed", "p"), rows)


def _probability(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else f"{value:.0e}"


def _cost(cost: Cost) -> tuple[str, str, str, str]:
    def text(value: float | None) -> str:
        return "-" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:.3g}"

    if not cost.sure:
        return cost.name, text(cost.before), text(cost.after), "within noise"
    change = f"{100 * (cost.after / cost.before - 1):+.1f} %" if cost.before and cost.after is not None else ""
    return cost.name, text(cost.before), text(cost.after), change


def _cells(item: Moved) -> tuple[str, ...]:
    return (item.id[:_SHORT], _text(item.label), _text(item.before), _text(item.after), _margins(item), item.place)


def _margins(item: Moved) -> str:
    if item.margin_before is None or item.margin_after is None:
        return ""
    return f"{item.margin_before:+.2f} → {item.margin_after:+.2f}"


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return "+".join(map(str, value)) or "(none)"
    return ", ".join(f"{key} {_text(part)}" for key, part in value.items()) if isinstance(value, dict) else str(value)


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(markdown_cell(cell) for cell in cells) + " |"

    return [line(columns), "|" + " --- |" * len(columns), *(line(row) for row in rows)]
