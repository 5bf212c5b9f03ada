"""What a search tried, from the evidence of a binary: the best candidates, those that failed and why, and the front."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tacit.instruments.layout import Grid, Part, decimal

MOST = 10
_FAILURES = 3
_COSTS = ("macs", "weight_bytes", "arena_bytes", "latency")


def trial_parts(run: Mapping[str, Any]) -> list[Part]:
    """Lay out the trials of a run; nothing where there were none.

    Each candidate is shown as it was trained last. Settings that all candidates share are left out.
    """
    last = _last(run.get("trials") or [])
    if not last:
        return []
    scored = sorted((row for row in last if row.get("validation") is not None), key=lambda row: (-row["rung"], -row["validation"]))
    failed = [row for row in last if row.get("validation") is None]
    top = max((row["rung"] for row in scored), default=0)
    ended = sum(row["rung"] < top for row in scored)
    said = [f"{len(last)} candidates", f"{ended} ended early" if ended else "", f"{len(failed)} failed" if failed else ""]
    title = f"search: {', '.join(filter(None, said))}" + (f"; the best {MOST}" if len(scored) > MOST else "")
    parts: list[Part] = [_grid(title, scored[:MOST], last)] if scored else [title]
    parts += [f"  candidate {row.get('number', 0) + 1} failed: {row.get('failure')}" for row in failed[:_FAILURES]]
    parts += [f"  ... and {len(failed) - _FAILURES} more failed"] if len(failed) > _FAILURES else []
    front = run.get("front") or []
    if front:
        parts.append(_grid("the front: no candidate is better in one of these and as good in the others", front, last))
    return parts


def _last(trials: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Give each candidate's trial at its highest rung; a binary of an earlier release does not number them."""
    found: dict[str, Mapping[str, Any]] = {}
    for row in sorted(trials, key=lambda one: one.get("rung", 0)):
        found[str(row.get("number", row.get("settings")))] = row
    return list(found.values())


def _grid(title: str, rows: Sequence[Mapping[str, Any]], everything: Sequence[Mapping[str, Any]]) -> Grid:
    names = list(dict.fromkeys(name for row in everything for name in row.get("settings") or {}))
    values = {name: {str((row.get("settings") or {}).get(name)) for row in everything} for name in names}
    varied = [name for name in names if len(values[name]) > 1]
    costs = [name for name in _COSTS if any(name in (row.get("costs") or {}) for row in rows)]
    cells = tuple(
        (
            str(row.get("number", place) + 1),
            decimal(row.get("validation")),
            f"{row['steps']:,}" if row.get("steps") else "-",
            *(_cost(name, (row.get("costs") or {}).get(name)) for name in costs),
            *(str((row.get("settings") or {}).get(name, "-")) for name in varied),
        )
        for place, row in enumerate(rows)
    )
    return Grid(title, ("#", "validation", "steps", *costs, *varied), cells)


def _cost(name: str, value: Any) -> str:
    if not isinstance(value, int | float):
        return "-"
    return f"{value * 1e3:.3g} ms" if name == "latency" else f"{int(value):,}"
