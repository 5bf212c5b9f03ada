"""Inputs that can't be read, that hold nothing, or that were cut off."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from tacit.instruments.linting.check import Check
from tacit.instruments.linting.context import Context
from tacit.instruments.linting.facts import facts_of
from tacit.instruments.linting.finding import Code, Finding

_ROWS = 4096  # examples that are looked at together
FLAT = 2  # grey levels (of 255) within which a picture counts as constant
SILENT = 33  # of 32767: a peak of a thousandth of full scale
CLIPPED = 0.01  # share of the samples that stand at full scale
FAR = 8.0  # robust standard deviations of the logarithm

UNREADABLE = Code(
    "TL401",
    "unreadable-input",
    "error",
    "The input can't be read",
    "The medium is missing, its bytes are damaged, or it is not of the input's type. Compiling is refused.",
    "put a sound copy of the file into `media` (tacit media pull), or take the example out",
)
EMPTY = Code(
    "TL402",
    "empty-input",
    "warning",
    "The input holds nothing",
    "A constant picture or series, silence, a text without a word, a row without a value: the label can't be told from it, so it teaches"
    " a wrong answer for all empty inputs.",
    "take the example out, or replace its input",
)
CUT = Code(
    "TL403",
    "cut-off-picture",
    "warning",
    "The picture was cut off",
    "The last rows are one middle grey, which is what a decoder leaves where the data of a file end too early.",
    "fetch the file again, or take the example out",
)
CLIPPING = Code(
    "TL404",
    "clipping",
    "note",
    "The sound is clipped",
    f"More than {CLIPPED:.0%} of the samples stand at full scale: it was recorded or amplified too loud, and what is cut off is lost.",
    "record it again with less gain; if all recordings of a class are clipped, the program may learn the clipping",
)
ODD_SIZE = Code(
    "TL405",
    "odd-size",
    "note",
    "The input is far larger or smaller than the others",
    f"Its size is more than {FAR:g} robust standard deviations from the median, on a logarithmic scale; what does not fit is cut or"
    " padded.",
    "look at it: is it one example, and of the same sort?",
)


def _find(context: Context) -> Iterator[Finding]:
    for name, problem in context.unread.items():
        yield UNREADABLE.finding(problem, examples=[name], evidence={"label": context.label(context.row[name])})
    look = LOOKS.get(context.signature.input.kind)
    if look is not None and context.records:
        yield from look(context)
    yield from _odd_sizes(context)


def _pictures(context: Context) -> Iterator[Finding]:
    pictures = context.inputs[0]
    for rows in _chunks(context):
        part = pictures[rows]
        least, most = part.min(axis=(1, 2, 3)), part.max(axis=(1, 2, 3))
        # A row of one colour, within two levels, that is the middle grey of a decoder which had nothing to decode.
        grey = (np.abs(part.astype(np.int16) - 128) <= FLAT).all(axis=(2, 3))
        tail = np.where(grey.all(axis=1), grey.shape[1], np.argmin(grey[:, ::-1], axis=1))
        for at, row in enumerate(rows):
            evidence = {"least": int(least[at]), "most": int(most[at])}
            if int(most[at]) - int(least[at]) <= FLAT:
                yield _one(
                    EMPTY,
                    context,
                    row,
                    f"every value is {int(least[at])}" + (f" to {int(most[at])}" if most[at] > least[at] else ""),
                    evidence,
                )
            elif tail[at] >= max(2, grey.shape[1] // 16):
                share = tail[at] / grey.shape[1]
                yield _one(CUT, context, row, f"the last {share:.0%} of the rows are middle grey", {"share": round(float(share), 3)})


def _sounds(context: Context) -> Iterator[Finding]:
    sounds = context.inputs[0]
    for rows in _chunks(context):
        part = sounds[rows]
        peak = np.maximum(part.max(axis=1).astype(np.int32), -part.min(axis=1).astype(np.int32))
        swing = part.max(axis=1).astype(np.int32) - part.min(axis=1)
        full = ((part >= 32767) | (part <= -32767)).mean(axis=1)
        for at, row in enumerate(rows):
            if swing[at] <= SILENT:
                yield _one(EMPTY, context, row, f"silence: the peak is {peak[at] / 32768:.2g} of full scale", {"peak": int(peak[at])})
            elif full[at] > CLIPPED:
                yield _one(
                    CLIPPING, context, row, f"{full[at]:.1%} of the samples stand at full scale", {"share": round(float(full[at]), 4)}
                )


def _series(context: Context) -> Iterator[Finding]:
    values = context.inputs[0]
    flat = np.concatenate([np.ptp(values[rows], axis=2) == 0 for rows in _chunks(context)]) if len(values) else np.zeros((0, 1), bool)
    rows = np.flatnonzero(context.readable)
    usual = flat.mean(axis=0) < 0.01  # a channel that is often constant may be so
    for at, row in enumerate(rows):
        if flat[at].all():
            yield _one(EMPTY, context, row, "every channel is constant", {})
        elif (flat[at] & usual).any():
            channels = np.flatnonzero(flat[at] & usual).tolist()
            yield _one(
                EMPTY, context, row, f"channel {', '.join(map(str, channels))} is constant, which is rare here", {"channels": channels}
            )


def _texts(context: Context) -> Iterator[Finding]:
    for row in np.flatnonzero(context.readable):
        text = str(context.records[row].input)
        if not any(letter.isalnum() or unicodedata.category(letter) == "So" for letter in text):  # So: signs such as smileys
            yield _one(EMPTY, context, row, "a text without a word", {"text": text[:40]})


def _rows(context: Context) -> Iterator[Finding]:
    names = [spec.name for spec in context.signature.input.arrays]
    filled = np.zeros(len(context.records), bool)
    for name in ("present", "categories"):
        if name in names:
            filled |= (context.inputs[names.index(name)] != 0).any(axis=1)
    for row in np.flatnonzero(~filled & context.readable):
        yield _one(EMPTY, context, row, "no column of the row has a value that is known", {})


#: Kind of an input -> what is looked for in it.
LOOKS: dict[str, Callable[[Context], Iterator[Finding]]] = {
    "image": _pictures,
    "audio": _sounds,
    "series": _series,
    "text": _texts,
    "row": _rows,
}


def _odd_sizes(context: Context) -> Iterator[Finding]:
    numbers = facts_of(context).numbers
    odd: dict[int, list[str]] = {}
    for fact, unit in (("width", " columns"), ("height", " rows"), ("aspect", " wide for 1 high"), ("duration", " s")):
        values = numbers.get(fact)
        if values is None:
            continue
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.log(values)
        known = np.isfinite(logs)
        if known.sum() < 20:
            continue
        middle = float(np.median(logs[known]))
        deviation = max(1.4826 * float(np.median(np.abs(logs[known] - middle))), 0.05)
        for row in np.flatnonzero(known & (np.abs(logs - middle) > FAR * deviation)):
            odd.setdefault(int(row), []).append(f"{values[row]:.3g}{unit} (median {np.exp(middle):.3g})")
    for at, said in odd.items():
        yield _one(ODD_SIZE, context, at, ", ".join(said), {"sizes": said})


def _chunks(context: Context) -> Iterable[np.ndarray]:
    rows = np.flatnonzero(context.readable)
    return np.array_split(rows, range(_ROWS, len(rows), _ROWS)) if len(rows) else []


def _one(code: Code, context: Context, row: Any, message: str, evidence: dict[str, Any]) -> Finding:
    return code.finding(f"{message}; its label is `{context.label(int(row))}`", examples=[context.records[row].id], evidence=evidence)


CHECK = Check((UNREADABLE, EMPTY, CUT, CLIPPING, ODD_SIZE), _find)
