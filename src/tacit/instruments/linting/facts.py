"""What can be known about examples without looking at what they show: sizes, formats, durations, where they came from."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image as Pillow

from tacit.ground.errors import InputError
from tacit.instruments.linting.context import Context
from tacit.signature.wav import open_wav


@dataclass(frozen=True)
class Facts:
    """Columns over the examples. numbers: float64[example], NaN where a fact is not known. names: str[example], "" where not known."""

    numbers: Mapping[str, np.ndarray]
    names: Mapping[str, np.ndarray]


def facts_of(context: Context) -> Facts:
    """Gather the facts once for all checks."""
    return context.shared("facts", _gather)


def _gather(context: Context) -> Facts:
    count = len(context.records)
    numbers: dict[str, np.ndarray] = {}
    names: dict[str, np.ndarray] = {}

    def put(row: int, facts: Mapping[str, float | str]) -> None:
        for key, value in facts.items():
            if isinstance(value, str):
                if key not in names:
                    names[key] = np.full(count, "", dtype=object)
                names[key][row] = value
            else:
                if key not in numbers:
                    numbers[key] = np.full(count, np.nan)
                numbers[key][row] = value

    names["import"] = np.array([_source(context, str(name)) for name in context.ids], dtype=object)
    texts = [row for row, record in enumerate(context.records) if isinstance(record.input, str)]
    for row in texts:
        put(row, _text_facts(context.records[row].input))
    media = context.media
    wanted = [record.id for record in context.records if record.input is None]
    if media is not None:
        read = {"image": _image_facts, "audio": _sound_facts}.get(context.signature.input.kind)
        for name in wanted:
            if name in media and name not in context.unread:
                row, suffix = context.row[name], media.suffix(name)
                put(row, {"format": suffix.lower(), "bytes": float(media.size(name))})
        if read is not None:
            encoded = [name for name in wanted if name in media and name not in context.unread and media.suffix(name) != "npy"]
            for name, content in media.read_many(encoded):
                put(context.row[name], read(content))
    return Facts(numbers, names)


def _source(context: Context, name: str) -> str:
    """Give the import that an example came with: the folder below `labels/`."""
    place = context.place(name)
    return "" if place is None else "/".join(place.file.split("/")[1:-1])


def _text_facts(text: str) -> dict[str, float | str]:
    letters = sum(map(str.isalpha, text))
    return {
        "characters": float(len(text)),
        "words": float(len(text.split())),
        "capitals": sum(map(str.isupper, text)) / max(1, letters),
        "digits": sum(map(str.isdigit, text)) / max(1, len(text)),
    }


def _image_facts(content: bytes) -> dict[str, float | str]:
    try:
        picture = Pillow.open(io.BytesIO(content))
    except Exception:  # Pillow's readers raise nearly anything; the check of inputs names what can't be read
        return {}
    width, height = picture.size
    return {"width": float(width), "height": float(height), "aspect": width / max(1, height), "mode": picture.mode}


def _sound_facts(content: bytes) -> dict[str, float | str]:
    try:
        wav = open_wav(io.BytesIO(content), "")
    except InputError:
        return {}
    return {"duration": wav.frames / wav.rate, "rate": f"{wav.rate}", "encoding": f"{wav.bits} bits, {wav.channels} channels"}
