"""From what was found to a signature: the smallest fixed shape that keeps what matters, and the reason for each choice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from tacit.examples.labels import Settled, natural
from tacit.examples.probe import ImageFacts, SoundFacts
from tacit.examples.sources_arrays import looks_like_images
from tacit.ground.errors import InputError
from tacit.signature.audio import Audio, framing
from tacit.signature.base import InputType, OutputType
from tacit.signature.image import Image
from tacit.signature.outputs import Class, Labels, Number
from tacit.signature.row import Row
from tacit.signature.series import Series
from tacit.signature.symbols import Symbols
from tacit.signature.text import Text, tokens

LARGEST_KEPT = 64  # pictures up to this many pixels each way keep their size
MOST_RATE = 16_000  # speech and most events keep what tells them apart
MOST_SECONDS = 10.0
MOST_WHOLE = 30.0
MOST_TOKENS = 256


@dataclass(frozen=True)
class Inferred:
    """An input type, and why it is as it is, in one sentence."""

    type: InputType
    why: str


def infer_images(facts: Sequence[ImageFacts]) -> Inferred:
    """Choose height, width and channels from the median picture."""
    height, width = (int(np.median([getattr(fact, side) for fact in facts])) for side in ("height", "width"))
    same = all(fact.height == height and fact.width == width for fact in facts)
    channels = 1 if all(fact.grey for fact in facts) else 3
    sizes = f"all are {width} wide x {height} high" if same else f"their median is {width} wide x {height} high"
    rows, columns = image_size(height, width, len(facts))
    formats = ", ".join(f"{count:,} {name}" for name, count in Counter(fact.format for fact in facts).most_common())
    shrunk = "" if (rows, columns) == (height, width) else "; smaller ones train faster"
    return Inferred(Image(rows, columns, channels), f"{formats} pictures, {sizes}, {'grey' if channels == 1 else 'in colour'}{shrunk}")


def image_size(height: int, width: int, count: int) -> tuple[int, int]:
    """Choose the size of pictures whose median is height x width.

    Small pictures keep their size. Others get about the area of 80 x 80 (64 x 64 when there are many), in multiples of 8,
    with the median's aspect ratio as far as 1:2.

    >>> image_size(28, 28, 60000), image_size(160, 120, 2500), image_size(3000, 4000, 20000)
    ((28, 28), (96, 72), (56, 72))
    """
    if max(height, width) <= LARGEST_KEPT:
        return height, width
    side = 80 if count <= 5_000 else 64
    ratio = min(2.0, max(0.5, height / width))
    rows, columns = (max(8, 8 * round(side * factor / 8)) for factor in (ratio**0.5, ratio**-0.5))
    return int(rows), int(columns)


def infer_sounds(facts: Sequence[SoundFacts], *, whole: bool = False) -> Inferred:
    """Choose the rate that most sounds have (at most 16 kHz) and a length that all but the longest 2 % fit into.

    whole: all of them, up to `MOST_WHOLE`, for a label that names what is in a sound from its beginning to its end.
    """
    usual = Counter(fact.rate for fact in facts).most_common(1)[0][0]
    rate = min(usual, MOST_RATE)
    seconds = float(np.percentile([fact.samples / fact.rate for fact in facts], 98))
    longest = max(fact.samples / fact.rate for fact in facts)
    kept = min(MOST_WHOLE, longest) if whole else min(MOST_SECONDS, max(0.05, seconds))
    samples = max(64, 64 * int(np.ceil(kept * rate / 64)))
    why = f"{len(facts):,} WAV files, most at {usual:,} samples a second; 98 % last up to {seconds:.2f} s, the longest {longest:.2f} s"
    return Inferred(Audio(rate, samples), why)


def infer_arrays(first: np.ndarray, count: int, white: float | None) -> Inferred:
    """Take bytes and squares for pictures, [channel, step] for series. Raises: InputError for other shapes."""
    batch = first[None]
    shown = f"{count:,} arrays {first.dtype}{list(first.shape)}"
    if looks_like_images(batch):
        height, width = first.shape[:2]
        channels = 1 if first.ndim == 2 or first.shape[2] == 1 else 3
        rows, columns = image_size(height, width, count)
        return Inferred(Image(rows, columns, channels, white=white), f"{shown}, taken for pictures")
    if first.ndim == 2:
        channels, steps = first.shape
        return Inferred(Series(channels, steps), f"{shown}, taken for {channels} channels over {steps} steps")
    raise InputError(f"expected pictures [height, width] or series [channel, step], got {shown}", fix="save them with one of these shapes")


def infer_texts(texts: Sequence[str]) -> Inferred:
    """Choose a length in tokens that all but the longest 2 % fit into, and buckets by the number of different words."""
    lengths = []
    words: set[str] = set()
    for text in texts:
        found = tokens(text, 4 * MOST_TOKENS)
        lengths.append(len(found))
        words.update(token.lower() for token in found)
    usual = int(np.ceil(np.percentile(lengths, 98)))
    length = min(MOST_TOKENS, max(8, 8 * -(-usual // 8)))
    buckets = 2 ** int(np.clip(np.ceil(np.log2(max(2, 2 * len(words)))), 12, 16))
    why = f"{len(texts):,} texts with {len(words):,} different words; 98 % have up to {usual} tokens, the longest {max(lengths)}"
    return Inferred(Text(length, buckets), why)


def infer_rows(rows: Sequence[dict[str, Any]], columns: Sequence[tuple[str, Literal["number", "category"]]], train: np.ndarray) -> Inferred:
    """Take numbers and categories as found; fill missing numbers with the median of the training rows.

    train: bool[row], which rows are for training: values that only others have stay unknown to the program, unless the
    training rows have none in that column at all.
    """
    numbers = tuple(name for name, kind in columns if kind == "number")
    categories = []
    for name, kind in columns:
        if kind == "category":
            own_values = {row[name] for row, own in zip(rows, train, strict=True) if own and row[name] is not None}
            values = own_values or {row[name] for row in rows if row[name] is not None}  # a column of a row is never without values
            if values:
                categories.append((name, tuple(sorted(values, key=natural))))
    row_type = Row(numbers=numbers, categories=tuple(categories))
    if numbers:
        row_type = row_type.fitted(row for row, own in zip(rows, train, strict=True) if own)
    why = f"{len(rows):,} rows with {len(numbers)} columns of numbers and {len(categories)} of categories"
    return Inferred(row_type, why)


def infer_output(settled: Settled, train: np.ndarray, type_: InputType) -> OutputType:
    """Make the output type of settled labels; numbers are scaled by the training labels (train: bool[example])."""
    if settled.kind == "Class":
        return Class(settled.names)
    if settled.kind == "Labels":
        return Labels(settled.names)
    if settled.kind == "Symbols":
        return Symbols(settled.names, steps=steps_of(type_))
    return Number.fitted(value for value, own in zip(settled.values, train, strict=True) if own)


def steps_of(type_: InputType) -> int:
    """Choose the steps of a sequence for an input that goes on in time: one in some 40 ms of sound. Raises: InputError for another.

    >>> steps_of(Audio(8000, 38400))
    120
    """
    if not isinstance(type_, Audio):
        raise InputError(f"expected sounds beside labels that are sequences, got {type_.describe()}", fix="a column with one name per row")
    window, hop = framing(type_.rate)
    return -(-(max(0, type_.samples - window) // hop + 1) // 4)
