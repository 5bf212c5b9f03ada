"""Small plots of arrays as pictures, for a person who looks over many examples at once."""

from __future__ import annotations

import numpy as np

WIDTH, HEIGHT = 240, 160
_SMOOTH = 2  # drawn so many times larger and then shrunk, which smooths the lines
_PAPER, _RULE, _INK = (250, 250, 248), (214, 214, 210), (44, 90, 160)
#: Colours that stay apart for colour-blind readers, the first for a single line (Okabe and Ito 2008, "Color universal design").
COLOURS = (_INK, (213, 94, 0), (0, 158, 115), (204, 121, 167), (86, 180, 233), (230, 159, 0), (90, 90, 90), (150, 130, 0))


def waveform(sound: np.ndarray, *, full: float) -> np.ndarray:
    """Draw float[sample] as an outline of its loudness over time, uint8[row, column, 3]; `full` is full scale.

    >>> waveform(np.zeros(100), full=1.0).shape
    (160, 240, 3)
    """
    parts = [part for part in np.array_split(np.asarray(sound, np.float64), WIDTH) if part.size]
    picture = np.full((HEIGHT, WIDTH, 3), _PAPER, np.uint8)
    middle = HEIGHT // 2
    picture[middle] = _RULE
    for column, part in enumerate(parts):
        place = column * WIDTH // len(parts)
        end = max(place + 1, (column + 1) * WIDTH // len(parts))
        high, low = (int(np.clip(middle - level / full * middle, 0, HEIGHT - 1)) for level in (part.max(), part.min()))
        picture[high : low + 1, place:end] = _INK
    return picture


def curves(values: np.ndarray) -> np.ndarray:
    """Draw float[channel, time] as lines on one scale, uint8[row, column, 3]; of many channels the first eight.

    >>> curves(np.zeros((2, 50))).shape
    (160, 240, 3)
    """
    shown = np.asarray(values, np.float64)[: len(COLOURS)]
    least, most = float(shown.min()), float(shown.max())
    spread = most - least or 1.0
    width, height = WIDTH * _SMOOTH, HEIGHT * _SMOOTH
    margin = 6 * _SMOOTH
    picture = np.full((height, width, 3), _PAPER, np.uint8)

    def rows(values: np.ndarray) -> np.ndarray:
        return np.rint(height - margin - (values - least) / spread * (height - 2 * margin)).astype(int)

    if least <= 0.0 <= most:
        zero = int(rows(np.zeros(1))[0])
        picture[zero : zero + _SMOOTH] = _RULE
    columns = np.linspace(0, shown.shape[1] - 1, width + 1)
    for channel in range(len(shown) - 1, -1, -1):  # the first one stands on top
        line = rows(np.interp(columns, np.arange(shown.shape[1]), shown[channel]))
        for column in range(width):
            high, low = sorted((int(line[column]), int(line[column + 1])))
            picture[max(0, high - _SMOOTH // 2) : low + _SMOOTH, column] = COLOURS[channel]
    parts = picture.reshape(HEIGHT, _SMOOTH, WIDTH, _SMOOTH, 3).astype(np.float32)
    return np.asarray(np.rint(parts.mean(axis=(1, 3))), np.uint8)
