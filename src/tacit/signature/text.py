"""`Text`: words as hashed subword pieces, as int32[token, piece].

Source of the idea: Bojanowski et al. 2017, "Enriching Word Vectors with Subword Information", section 3.2 (a word is the
bag of its character n-grams and itself, hashed into a fixed number of rows). Added here: a *shape* piece (capitals, digits
and their number), which carries what lower-casing loses.
"""

from __future__ import annotations

import os
import re
import unicodedata
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from tacit.ground.errors import InputError
from tacit.signature.base import ArraySpec, InputType
from tacit.signature.checks import check_whole, what_came

#: Characters that are looked at, whatever comes after; bounds the time for one text.
MOST_CHARACTERS = 1_000_000

_LONGEST_WORD = 32  # a longer run of letters is split, so that text without spaces still has tokens
_IDEOGRAPHS = r"\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
# Accents and vowel signs, which Python's \w leaves out although words of Hindi, Thai or Arabic are written with them.
_MARKS = "".join(chr(code) for code in range(0x300, 0x2100) if unicodedata.category(chr(code)).startswith("M"))
# One ideograph or kana; letters with marks and inner apostrophes; digits with inner separators; a run of one other sign.
_TOKEN = re.compile(
    rf"[{_IDEOGRAPHS}]"
    rf"|[^\W\d_{_IDEOGRAPHS}](?:[^\W\d_{_IDEOGRAPHS}]|[{_MARKS}]|['’](?=[^\W\d_]))*"
    r"|\d+(?:[.,:/]\d+)*"
    r"|([^\w\s]|_)\1*"
)


@dataclass(frozen=True, repr=False)
class Text(InputType):
    """A text: int32[token, piece] of hashed pieces; 0 is padding, other ids are in ``1 <= id < buckets``.

    The pieces of a token: the word (NFKC, lower case), its shape, then up to ``pieces - 2`` character 3-grams of the word
    between ``<`` and ``>``, spread evenly over a long word. The first `length` tokens are kept.

    >>> Text(4, 1000).read("Free entry!")[0].shape
    (4, 8)
    """

    kind: ClassVar[str] = "text"
    skeleton: ClassVar[str] = "textnet"
    augmentations: ClassVar[tuple[str, ...]] = ("dropout_tokens",)

    length: int
    buckets: int
    pieces: int = 8

    def __post_init__(self) -> None:
        check_whole(self.length, name="length", kind="Text", most=65536)
        check_whole(self.buckets, name="buckets", kind="Text", least=2, most=2**24)
        check_whole(self.pieces, name="pieces", kind="Text", most=64)

    def describe(self) -> str:
        """Say in one line what the type is."""
        return f"a text, its first {self.length} tokens as pieces hashed to {self.buckets} rows"

    @property
    def arrays(self) -> tuple[ArraySpec, ...]:
        """One array, `pieces`."""
        return (ArraySpec("pieces", (self.length, self.pieces), "int32", ("token", "piece"), limit=self.buckets),)

    def read(self, value: Any) -> tuple[np.ndarray, ...]:
        """Read a string, UTF-8 bytes, or a path object of a UTF-8 file (a plain string is the text itself).

        Raises: InputError for another type, or for bytes that are not UTF-8.
        """
        ids = np.zeros((self.length, self.pieces), np.int32)
        for place, token in enumerate(tokens(_text_of(value), self.length)):
            pieces = _ids(token, self.buckets, self.pieces)
            ids[place, : len(pieces)] = pieces
        return (ids,)

    def show(self, arrays: Sequence[np.ndarray]) -> str:
        """Count the tokens (hashes can't be turned back into words)."""
        return f"text of {int((np.asarray(arrays[0])[:, 0] != 0).sum())} tokens (at most {self.length})"


def tokens(text: str, most: int) -> list[str]:
    """Split a text into its first `most` tokens: words, numbers, single ideographs, runs of one sign.

    >>> tokens("Don't pay £1,000.50!!!", 10)
    ["Don't", 'pay', '£', '1,000.50', '!!!']
    """
    normal = unicodedata.normalize("NFKC", text[:MOST_CHARACTERS])
    found: list[str] = []
    for match in _TOKEN.finditer(normal):
        token = match.group()
        for start in range(0, len(token), _LONGEST_WORD):
            found.append(token[start : start + _LONGEST_WORD])
            if len(found) == most:
                return found
    return found


@lru_cache(maxsize=2**16)
def _ids(token: str, buckets: int, most: int) -> tuple[int, ...]:
    return tuple(_hashed(piece, buckets) for piece in pieces_of(token, most))


def pieces_of(token: str, most: int) -> list[str]:
    """Give the pieces of a token before hashing: ``w`` the word, ``s`` its shape, ``g`` its 3-grams.

    >>> pieces_of("WIN", 8)
    ['wwin', 'sXXX', 'g<wi', 'gwin', 'gin>']
    >>> pieces_of("07781", 4)
    ['w07781', 's5d', 'g<07', 'g81>']
    """
    word = token.lower()
    edged = f"<{word}>"
    grams = [f"g{edged[at : at + 3]}" for at in range(len(edged) - 2)] if len(word) > 1 else []
    room = max(0, most - 2)
    if len(grams) > room:
        grams = [grams[round(at * (len(grams) - 1) / max(1, room - 1))] for at in range(room)]
    return [f"w{word}", f"s{_shape(token)}", *grams][:most]


def _shape(token: str) -> str:
    """Say what a token looks like: ``XXX``, ``Xx``, ``xx``, ``5d`` for five digits, else the sign itself and whether it repeats."""
    if token[0].isdigit():
        return f"{sum(character.isdigit() for character in token)}d{'.' if not token.isdigit() else ''}"
    if token[0].isalpha():
        if len(token) > 1 and token.isupper():
            return "XXX"
        return "Xx" if token[0].isupper() else "xX" if token != token.lower() else "xx"
    return token[0] * min(len(token), 3)


def _hashed(piece: str, buckets: int) -> int:
    """Hash a piece to ``1 <= id < buckets``: CRC-32 of its UTF-8, spread by Knuth's multiplier, scaled to the range.

    The same on every machine and easy in any language. Source of the multiplier: Knuth, TAOCP vol. 3, section 6.4.
    """
    spread = zlib.crc32(piece.encode("utf-8", "surrogatepass")) * 0x9E3779B1 & 0xFFFFFFFF
    return 1 + (spread * (buckets - 1) >> 32)


def _text_of(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, os.PathLike):
        path = Path(value)
        try:
            with path.open("rb") as file:
                data = file.read(4 * MOST_CHARACTERS)
        except OSError as error:
            raise InputError(
                f"expected a text file, got a path that can't be read - at `{path}`", cause=f"the system says: {error.strerror}"
            ) from None
        return _decoded(data, f"`{path}`")
    if isinstance(value, bytes | bytearray | memoryview):
        return _decoded(bytes(value), f"{len(value)} bytes")
    raise InputError(f"expected a text, got {what_came(value)}", fix="a string, UTF-8 bytes, or a `pathlib.Path`")


def _decoded(data: bytes, where: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"expected UTF-8, got the byte 0x{data[error.start]:02x} at position {error.start} - at {where}",
            fix="convert it: `iconv -f WINDOWS-1252 -t UTF-8 in.txt > out.txt` (or the encoding that it has)",
        ) from None
