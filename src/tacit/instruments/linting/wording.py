"""Near duplicates among texts: the same words with other spaces, case and punctuation, or with a few letters changed.

Source of the search: Broder 1997, "On the resemblance and containment of documents": sets of short pieces are compared by their smallest
hashes, in bands, so that only texts with much in common meet; what meets is compared exactly.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from tacit.instruments.linting.nearest import Alike, nothing_alike

PIECE = 4  # letters
BANDS, IN_BAND = 12, 4
MOST_DIFFERENCE = 0.25  # 1 - resemblance: the share of pieces that only one of the two texts has
MOST_IN_BUCKET = 40  # texts of one bucket that are compared with one another
_LEFT_OUT = re.compile(r"[^\w]+|_")


def near_texts(texts: Sequence[str], chance: np.random.Generator) -> Alike:
    """Find near duplicates; texts that are the same but for spaces, case and punctuation differ by 0."""
    forms = [normal_form(text) for text in texts]
    sets = [np.unique(_pieces(form)) for form in forms]
    rows = np.array([row for row, pieces in enumerate(sets) if len(pieces)], np.int64)
    if not len(rows):
        return nothing_alike()
    hashes = _smallest([sets[row] for row in rows], chance)
    pairs: set[tuple[int, int]] = set()
    for band in range(BANDS):
        buckets: dict[bytes, list[int]] = defaultdict(list)
        for row, key in zip(rows.tolist(), hashes[:, band * IN_BAND : (band + 1) * IN_BAND], strict=True):
            buckets[key.tobytes()].append(row)
        for members in buckets.values():
            # In a long bucket each meets the next few: enough to join them all into one group.
            for at, one in enumerate(members[:-1]):
                pairs.update((one, other) for other in members[at + 1 : at + 1 + MOST_IN_BUCKET])
    found = [(one, other, _difference(sets[one], sets[other]) if forms[one] != forms[other] else 0.0) for one, other in sorted(pairs)]
    found = [triple for triple in found if triple[2] <= MOST_DIFFERENCE]
    first, second = (np.array([triple[side] for triple in found], np.int64) for side in (0, 1))
    difference = np.array([triple[2] for triple in found])
    return Alike(first, second, difference, difference)


def normal_form(text: str) -> str:
    """Give the words of a text without case, punctuation and doubled spaces.

    >>> normal_form("  Free ENTRY!! call 0800-123 ")
    'free entry call 0800 123'
    """
    return _LEFT_OUT.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()


def _pieces(form: str) -> np.ndarray:
    """Give uint64[piece], hashes of the runs of letters of a normal form."""
    padded = f" {form} ".encode("utf-8", "surrogatepass") if form else b""
    if len(padded) <= PIECE:
        return np.array([zlib.crc32(padded)] if padded else [], np.uint64)
    letters = np.frombuffer(padded, np.uint8).astype(np.uint64)
    whole = np.zeros(len(letters) - PIECE + 1, np.uint64)
    for at in range(PIECE):
        whole = whole * np.uint64(257) + letters[at : at + len(whole)]
    return whole


def _smallest(sets: Sequence[np.ndarray], chance: np.random.Generator) -> np.ndarray:
    """Give uint64[text, hash]: the smallest value of each hash function over the pieces of each text."""
    starts = np.cumsum([0, *(len(pieces) for pieces in sets[:-1])])
    pieces = np.concatenate(sets)
    count = BANDS * IN_BAND
    odd = chance.integers(1, 2**62, count, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    found = np.empty((len(sets), count), np.uint64)
    for at in range(count):
        mixed = pieces * odd[at]
        mixed ^= mixed >> np.uint64(29)
        found[:, at] = np.minimum.reduceat(mixed * odd[at - 1], starts)
    return found


def _difference(one: np.ndarray, other: np.ndarray) -> float:
    common = len(np.intersect1d(one, other, assume_unique=True))
    return 1.0 - common / (len(one) + len(other) - common)
