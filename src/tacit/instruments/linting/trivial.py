"""Trivial features: what can be measured without a look at what an example shows, and should not tell its label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tacit.instruments.linting.context import Context
from tacit.instruments.linting.facts import facts_of
from tacit.instruments.linting.wording import normal_form

BANDS = 16  # of frequencies, in the background of a sound
_FRAME = 256
_CHUNK = 1024
MOST_KINDS = 200  # values of a category that are told apart, the most frequent ones


@dataclass(frozen=True)
class Feature:
    """name: in words. values: float64[row, part], NaN where not known, or int64[row] for kinds. content: whether the signature
    counts it as content (a column of a table), so that telling the label is its task.
    """

    name: str
    values: np.ndarray
    content: bool = False

    @property
    def kinds(self) -> bool:
        """Tell whether the values are kinds, which have no order."""
        return self.values.ndim == 1


def features_of(context: Context, rows: np.ndarray) -> Iterator[Feature]:
    """Give every trivial feature of the examples at `rows`, those that are the same for all left out."""
    for feature in _all(context, rows):
        values = feature.values
        known = values if feature.kinds else values[np.isfinite(values).all(axis=1)]
        if len(known) and (known != known[0]).any():
            yield feature


def _all(context: Context, rows: np.ndarray) -> Iterator[Feature]:
    facts = facts_of(context)
    for name, words in (("import", "the import it came with"), ("format", "the file format"), ("mode", "the colour mode of the file")):
        if name in facts.names:
            yield _kinds(words, facts.names[name][rows].tolist())
    for name, words in (("rate", "the sample rate of the file"), ("encoding", "the encoding of the file")):
        if name in facts.names:
            yield _kinds(words, facts.names[name][rows].tolist())
    for name, words in _NUMBERS.items():
        if name in facts.numbers:
            yield Feature(words, np.log1p(facts.numbers[name][rows])[:, None])
    look = LOOKS.get(context.signature.input.kind)
    if look is not None:
        yield from look(context, rows)


_NUMBERS = {
    "bytes": "the size of the file",
    "width": "the width of the picture",
    "height": "the height of the picture",
    "aspect": "the aspect of the picture",
    "duration": "the duration",
    "characters": "the number of characters",
    "words": "the number of words",
}


def _kinds(name: str, values: list[Any], *, content: bool = False) -> Feature:
    most = {value: place for place, (value, _) in enumerate(Counter(values).most_common(MOST_KINDS), 1)}
    return Feature(name, np.array([most.get(value, 0) for value in values], np.int64), content)


def _pictures(context: Context, rows: np.ndarray) -> Iterator[Feature]:
    pictures = context.inputs[0][rows]
    count, height, width, channels = pictures.shape
    side = max(1, min(height, width) // 12)
    border, corners = np.empty((count, channels)), np.empty((count, 4 * channels))
    mean, middle = np.empty((count, channels)), np.empty((count, channels))
    for start in range(0, count, _CHUNK):
        part, here = pictures[start : start + _CHUNK], slice(start, start + _CHUNK)
        ring = np.concatenate([part[:, 0], part[:, -1], part[:, 1:-1, 0], part[:, 1:-1, -1]], axis=1)
        border[here] = np.median(ring, axis=1)
        boxes = [part[:, down, across] for down in (slice(side), slice(-side, None)) for across in (slice(side), slice(-side, None))]
        corners[here] = np.concatenate([box.mean(axis=(1, 2)) for box in boxes], axis=1)
        mean[here] = part.mean(axis=(1, 2))
        middle[here] = np.median(part.reshape(len(part), -1, channels), axis=1)
    yield Feature("the border colour", border)
    yield Feature("the colour of the corners", corners)
    yield Feature("the mean brightness", mean.mean(axis=1, keepdims=True))
    if channels > 1:
        yield Feature("the mean colour", mean)
    yield Feature("the background colour", middle)


def _sounds(context: Context, rows: np.ndarray) -> Iterator[Feature]:
    sounds = context.inputs[0][rows]
    count, length = sounds.shape
    level, offset, floor = np.empty((count, 1)), np.empty((count, 1)), np.empty((count, BANDS))
    frame = min(_FRAME, length)
    edges = np.linspace(0, frame // 2 + 1, BANDS + 1).astype(int)[:-1]
    for start in range(0, count, _CHUNK):
        part, here = sounds[start : start + _CHUNK].astype(np.float32), slice(start, start + _CHUNK)
        level[here, 0] = np.log(np.sqrt((part**2).mean(axis=1)) + 1.0)
        offset[here, 0] = part.mean(axis=1)
        frames = part[:, : length // frame * frame].reshape(len(part), -1, frame)
        power = np.add.reduceat(np.abs(np.fft.rfft(frames * np.hanning(frame).astype(np.float32), axis=2)), edges, axis=2)
        power[(frames == 0).mean(axis=2) > 0.5] = np.nan  # silence that pads a short sound says nothing about its background
        with np.errstate(all="ignore"):
            quiet = np.nan_to_num(_low(power))
        floor[here] = np.log(quiet + 1.0)
    yield Feature("the loudness", level)
    yield Feature("the constant offset", offset)
    yield Feature("the sound of the background", floor)


def _low(power: np.ndarray) -> np.ndarray:
    """Give the tenth part from below over time, frames without sound left out: float[sound, band]."""
    ordered = np.sort(power, axis=1)  # NaN last
    known = np.isfinite(power).sum(axis=1)
    place = np.clip(known // 10, 0, power.shape[1] - 1)
    return np.take_along_axis(ordered, place[:, None, :], axis=1)[:, 0]


def _series(context: Context, rows: np.ndarray) -> Iterator[Feature]:
    values = context.inputs[0][rows]
    for channel in range(min(values.shape[1], 16)):
        yield Feature(f"the mean of channel {channel}", values[:, channel].mean(axis=1, dtype=np.float64)[:, None])
        yield Feature(f"the first value of channel {channel}", values[:, channel, :1].astype(np.float64))
        yield Feature(f"the last value of channel {channel}", values[:, channel, -1:].astype(np.float64))


def _texts(context: Context, rows: np.ndarray) -> Iterator[Feature]:
    words = [normal_form(str(record.input)).split() for record in (context.records[row] for row in rows)]
    yield _kinds("the first word", [each[0] if each else "" for each in words])
    yield _kinds("the last word", [each[-1] if each else "" for each in words])


def _rows(context: Context, rows: np.ndarray) -> Iterator[Feature]:
    type_: Any = context.signature.input
    for place, name in enumerate(type_.numbers):
        yield Feature(f"the column `{name}`", context.inputs[0][rows, place].astype(np.float64)[:, None], content=True)
    if type_.numbers:
        yield _kinds("which cells are empty", [row.tobytes() for row in context.inputs[1][rows]])
    for place, (name, _) in enumerate(type_.categories):
        yield _kinds(f"the column `{name}`", context.inputs[-1][rows, place].tolist(), content=True)


#: Kind of an input -> its trivial features.
LOOKS: dict[str, Callable[[Context, np.ndarray], Iterator[Feature]]] = {
    "image": _pictures,
    "audio": _sounds,
    "series": _series,
    "text": _texts,
    "row": _rows,
}
