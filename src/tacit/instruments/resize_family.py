"""Write a family of sizes: the binaries, a table as JSON, and a plot of score against time (against MACs where nothing was timed)."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from tacit.ground.errors import ConfigError
from tacit.ground.files import write_atomic
from tacit.resizing.outcome import Resized
from tacit.resizing.wishes import FASTER, LATENCY, MACS, SMALLER, Wish

TABLE, PLOT = "family.json", "family.svg"
_WIDTH, _HEIGHT, _LEFT, _BELOW, _EDGE = 720, 440, 72, 56, 28
_INK, _RULE, _TEXT = "#2c5aa0", "#d6d6d2", "#333333"


@dataclass(frozen=True)
class _Point:
    name: str
    x: float
    y: float
    original: bool


def check_family_folder(folder: Path) -> None:
    """Refuse, before any work, a folder that holds something else. Raises: ConfigError."""
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / TABLE).is_file())):
        raise ConfigError(f"expected a new folder, or one with an earlier family - at `{folder}`", fix="--pareto NEW_FOLDER")


def write_family(resized: Resized, folder: Path) -> list[Path]:
    """Write every size of a family into a folder, and give the paths. Raises: TacitError."""
    check_family_folder(folder)
    for old in folder.glob("*.tacit"):
        old.unlink()
    written = [one.binary.save(folder / f"{file_name(one.wish)}.tacit") for one in resized.family]
    table = {**resized.to_json(), "files": [path.name for path in written]}
    write_atomic(folder / TABLE, json.dumps(table, indent=1, allow_nan=False) + "\n")
    write_atomic(folder / PLOT, plot(resized.family))
    return [*written, folder / TABLE, folder / PLOT]


def file_name(wish: Wish) -> str:
    """Name the file of a size.

    >>> file_name(Wish(FASTER, 1.5)), file_name(Wish(LATENCY, 5e-4, "c-int8"))
    ('faster-1.5', 'latency-500us-c-int8')
    """
    value = {LATENCY: f"{1e6 * wish.value:.4g}us-{wish.target}", MACS: f"{wish.value:.0f}"}.get(wish.kind, f"{wish.value:g}")
    return f"{wish.kind}-{value}"


def plot(family: Sequence[Resized]) -> str:
    """Draw the family as SVG: one point per size, the original hollow; the score is that on test, or on validation without a test split."""
    points, horizontal, vertical = _points(family)
    low, high = _range([point.y for point in points])
    left, right = (math.log(value) for value in (min(p.x for p in points) / 1.15, max(p.x for p in points) * 1.15))

    def place(point_x: float, point_y: float) -> tuple[float, float]:
        across = _LEFT + (math.log(point_x) - left) / (right - left) * (_WIDTH - _LEFT - _EDGE)
        return across, _EDGE + (high - point_y) / (high - low) * (_HEIGHT - _EDGE - _BELOW)

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" '
        'font-family="system-ui, sans-serif" font-size="13">',
        f"<title>{escape(vertical)} against {escape(horizontal)}</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fafaf8"/>',
    ]
    for value in _ticks(low, high):
        _, y = place(points[0].x, value)
        lines.append(f'<path d="M{_LEFT} {y:.1f}H{_WIDTH - _EDGE}" stroke="{_RULE}"/>')
        lines.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" fill="{_TEXT}">{value:.4g}</text>')
    ground = _HEIGHT - _BELOW
    for value in _round_numbers(math.exp(left), math.exp(right)):
        x, _ = place(value, low)
        lines.append(f'<path d="M{x:.1f} {ground}v5" stroke="{_TEXT}"/>')
        lines.append(f'<text x="{x:.1f}" y="{ground + 20}" text-anchor="middle" fill="{_TEXT}">{value:,.4g}</text>')
    lines.append(f'<path d="M{_LEFT} {ground}H{_WIDTH - _EDGE}" stroke="{_TEXT}"/>')
    lines.append(f'<text x="{(_LEFT + _WIDTH) / 2:.0f}" y="{_HEIGHT - 12}" text-anchor="middle" fill="{_TEXT}">{escape(horizontal)}</text>')
    lines.append(f'<text x="{_LEFT}" y="17" fill="{_TEXT}">{escape(vertical)}</text>')
    ordered = sorted(points, key=lambda point: point.x)
    path = " ".join(f"{'L' if number else 'M'}{x:.1f} {y:.1f}" for number, (x, y) in enumerate(place(p.x, p.y) for p in ordered))
    lines.append(f'<path d="{path}" fill="none" stroke="{_INK}" stroke-opacity="0.45"/>')
    for number, point in enumerate(ordered):
        x, y = place(point.x, point.y)
        anchor, beside = ("end", -9) if x > _WIDTH * 0.8 else ("start", 9)
        below = 18 if number % 2 else -10  # in turns, so that names of close points stay apart
        lines.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{"#fafaf8" if point.original else _INK}" stroke="{_INK}"/>')
        lines.append(f'<text x="{x + beside:.1f}" y="{y + below:.1f}" text-anchor="{anchor}" fill="{_TEXT}">{escape(point.name)}</text>')
    return "\n".join([*lines, "</svg>", ""])


def _points(family: Sequence[Resized]) -> tuple[list[_Point], str, str]:
    """Give the points, and what the axes stand for."""
    timed = all(one.timing is not None for one in family)
    documents = [one.to_json() for one in family]
    tested = all(None not in document["test"].values() for document in documents)
    points = []
    for place, when in ((0, "before"), (1, "after")):
        for one, document in list(zip(family, documents, strict=True))[: 1 if place == 0 else None]:
            score = document["test"][when] if tested else one.validation["original" if place == 0 else "resized"]
            times = None if one.timing is None else (one.timing.before, one.timing.after)[place]
            x: Any = 1e6 * times if timed and times is not None else document["costs"][when]["macs"]
            points.append(_Point("original" if place == 0 else _short(one.wish), float(x), float(score or 0.0), place == 0))
    target = family[0].timing.target if timed and family[0].timing is not None else ""
    horizontal = f"microseconds for one example, {target}" if timed else "multiply-accumulates"
    return points, horizontal, f"{family[0].metric} on {'test' if tested else 'validation'}"


def _short(wish: Wish) -> str:
    return {FASTER: f"{wish.value:g}x faster", SMALLER: f"{wish.value:g}x smaller"}.get(wish.kind, str(wish))


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    room = 0.15 * (high - low) or 0.01 * max(abs(high), 1e-6)
    return low - 1.6 * room, high + room


def _ticks(low: float, high: float) -> list[float]:
    step = 10.0 ** math.floor(math.log10((high - low) / 3))
    step *= next(factor for factor in (1, 2, 5, 10) if (high - low) / (step * factor) <= 6)
    return [round(number * step, 12) for number in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _round_numbers(low: float, high: float) -> list[float]:
    factors = (1, 2, 5) if high / low > 3 else (1, 1.5, 2, 3, 4, 5, 6, 7, 8)
    first = math.floor(math.log10(low))
    return [f * 10.0**e for e in range(first, first + 8) for f in factors if low <= f * 10.0**e <= high]
