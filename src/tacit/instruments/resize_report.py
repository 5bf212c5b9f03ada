"""What a person sees after `tacit resize`: channels, multiply-accumulates, bytes, measured time and scores, before and after."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tacit.instruments.evidence import goal_rows
from tacit.instruments.layout import Grid, Part, count, decimal, size
from tacit.resizing.outcome import Resized


def parts(resized: Resized) -> list[Part]:
    """Lay out what came of resizing for a person."""
    goals = goal_rows(resized.binary.evidence.get("goals"))
    shown: list[Part] = [
        Grid("channels", ("group", "before", "after"), tuple((one.name, str(one.before), str(one.after)) for one in resized.widths)),
        Grid("cost", ("", "before", "after", "times less"), tuple(_costs(resized))),
        Grid("scores", ("", resized.metric), tuple(_scores(resized))),
    ]
    if goals:
        shown.append(Grid("goals", ("goal", "threshold", "measured", ""), tuple(goal.cells() for goal in goals)))
    if resized.family:
        shown.append(family_grid(resized.family))
    return [*shown, "", headline(resized)]


def headline(resized: Resized) -> str:
    """Say in one line what was asked for, and whether it's there."""
    got = [] if resized.timing is None else [f"{resized.timing.ratio:.3g} times as fast on {resized.timing.target} (measured)"]
    before, after = costs_of(resized)
    got.append(f"{before['weight_bytes'] / max(after['weight_bytes'], 1):.3g} times as small")
    verdict = "" if resized.small_enough else ", size NOT REACHED"
    verdict += "" if resized.goals_met else ", goals NOT MET"
    return f"asked for {resized.wish}; it is {', '.join(got)}{verdict}"


def family_grid(family: tuple[Resized, ...]) -> Grid:
    """Lay out a family of sizes, the original first."""
    columns = ("", "MACs", "weights", "us", "validation", "test")
    first = family[0]
    rows = [("original", *_row(first, 0))] + [(str(one.wish), *_row(one, 1)) for one in family]
    return Grid(f"family, {first.metric}", columns, tuple(rows))


def costs_of(resized: Resized) -> tuple[Mapping[str, int], Mapping[str, int]]:
    """Give the exact costs before and after."""
    document = resized.to_json()["costs"]
    return document["before"], document["after"]


def _row(resized: Resized, place: int) -> tuple[str, ...]:
    costs, document = costs_of(resized)[place], resized.to_json()
    times = None if resized.timing is None else (resized.timing.before, resized.timing.after)[place]
    validation = resized.validation["original" if place == 0 else "resized"]
    test = document["test"]["before" if place == 0 else "after"]
    time = "-" if times is None else f"{1e6 * times:.4g}"
    return f"{costs['macs']:,}", size(costs["weight_bytes"]), time, decimal(validation), decimal(test)


def _costs(resized: Resized) -> list[tuple[str, ...]]:
    before, after = costs_of(resized)
    rows: list[tuple[str, ...]] = [
        ("MACs", count(before["macs"]), count(after["macs"]), _times(before["macs"], after["macs"])),
        ("weights", size(before["weight_bytes"]), size(after["weight_bytes"]), _times(before["weight_bytes"], after["weight_bytes"])),
        ("arena", size(before["arena_bytes"]), size(after["arena_bytes"]), _times(before["arena_bytes"], after["arena_bytes"])),
    ]
    timing = resized.timing
    if timing is not None:
        title = f"time of one example, {timing.target} for {timing.isa}"
        rows.append((title, f"{1e6 * timing.before:.4g} us", f"{1e6 * timing.after:.4g} us", f"{timing.ratio:.2f}"))
    return rows


def _times(before: float, after: float) -> str:
    return f"{before / after:.2f}" if after else "-"


def _scores(resized: Resized) -> list[tuple[str, str]]:
    test: dict[str, Any] = resized.to_json()["test"]
    validation = resized.validation
    rows = [
        ("validation, before", validation["original"]),
        ("validation, cut and fitted, not trained", validation["cut"]),
        (f"validation, after {resized.steps} steps", validation["resized"]),
        ("test, before", test["before"]),
        ("test, after", test["after"]),
    ]
    return [(name, decimal(value)) for name, value in rows if value is not None]
