"""What stands after `tacit run FILE`: words of the shell become values that the signature reads."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tacit.examples.tree import there
from tacit.ground.errors import InputError, raise_all
from tacit.ir.graph import Buffer
from tacit.signature.base import InputType

STDIN = "-"


@dataclass(frozen=True)
class Given:
    """One value and the name by which the answer refers to it."""

    name: str
    value: Any


def read_arguments(words: Sequence[str], kind: InputType) -> list[Given]:
    """Turn the words into values: a table chooses by the kind of the input, paths are the default.

    Raises: InputError for a file that can't be read, or words that are not in a form which the kind knows.
    """
    return READERS.get(kind.kind, _paths)(words)


def read_arrays(words: Sequence[str], buffers: Sequence[Buffer]) -> list[np.ndarray]:
    """Read one `.npy` file per input of an entry point, an example each; give arrays [1, *shape].

    Raises: InputError naming every file that can't be read or has another shape.
    """
    wanted = ", ".join(f"{buffer.name} {buffer.dtype}{list(buffer.shape)}" for buffer in buffers)
    if len(words) != len(buffers):
        raise InputError(f"expected {len(buffers)} `.npy` files ({wanted}), got {len(words)} words", fix="numpy.save writes such files")
    problems, found = [], []
    for word, buffer in zip(words, buffers, strict=True):
        try:
            array = np.load(Path(word), allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            problems.append(f"`{word}` can't be read: {getattr(error, 'strerror', None) or error}")
            continue
        if array.shape != buffer.shape:
            problems.append(
                f"`{word}`: expected {buffer.dtype}{list(buffer.shape)} for `{buffer.name}`, got {array.dtype}{list(array.shape)}"
            )
        found.append(array[None])
    raise_all(problems, heading=f"expected `.npy` files of {wanted}")
    return found


def _paths(words: Sequence[str]) -> list[Given]:
    return [Given(word, sys.stdin.buffer.read() if word == STDIN else Path(word)) for word in words]


def _texts(words: Sequence[str]) -> list[Given]:
    """A word is the text itself, ``@path`` a file with one text, ``-`` one text per line of stdin."""
    found: list[Given] = []
    for word in words:
        if word == STDIN:
            lines = [line.rstrip("\r\n") for line in _decoded(sys.stdin.buffer.read(), "stdin").splitlines()]
            found += [Given(f"line {number}", line) for number, line in enumerate(lines, 1) if line]
        elif word.startswith("@"):
            found.append(Given(word[1:], _decoded(_content(Path(word[1:])), word[1:])))
        else:
            found.append(Given(word, word))
    return found


def _rows(words: Sequence[str]) -> list[Given]:
    """``key=value`` words make one row together; a JSON object is a row; a `.csv`, `.json` or `.jsonl` file and stdin hold rows."""
    found: list[Given] = []
    pairs: dict[str, str] = {}
    unclear: list[str] = []
    for word in words:
        if word == STDIN:
            found += _table(_decoded(sys.stdin.buffer.read(), "stdin"), "stdin")
        elif word.lstrip().startswith("{"):
            found += _table(word, "row")
        elif "=" in word and not there(Path(word)):
            key, _, value = word.partition("=")
            pairs[key] = value
        elif Path(word).suffix.lower() in (".csv", ".tsv", ".json", ".jsonl") or there(Path(word)):
            found += _table(_decoded(_content(Path(word)), word), word)
        else:
            unclear.append(word)
    if unclear:
        raise InputError(f"expected key=value, a JSON object or a CSV file, got `{unclear[0]}`", fix="tacit run FILE age=31 job=nurse")
    return [*([Given(" ".join(f"{key}={value}" for key, value in pairs.items()), pairs)] if pairs else []), *found]


def _vectors(words: Sequence[str]) -> list[Given]:
    """A word is a JSON list or object of numbers, or the path of a `.npy` file; ``-`` one JSON value per line of stdin."""
    found: list[Given] = []
    for word in words:
        if word == STDIN:
            lines = _decoded(sys.stdin.buffer.read(), "stdin").splitlines()
            found += [Given(f"line {number}", line) for number, line in enumerate(lines, 1) if line.strip()]
        else:
            found.append(Given(word, word if word.lstrip()[:1] in ("[", "{") else Path(word)))
    return found


def _table(text: str, where: str) -> list[Given]:
    """Read rows from text: JSON (an object, a list, or one object per line) or CSV with a header."""
    if text.lstrip()[:1] in ("{", "["):
        rows = list(_json_rows(text, where))
    else:
        reader = csv.DictReader(io.StringIO(text), delimiter="\t" if where.endswith(".tsv") else ",", restkey="")
        rows = [{key: value for key, value in row.items() if key} for row in reader]
    if not rows:
        raise InputError(f"expected at least one row, got none - at `{where}`")
    return [Given(where if len(rows) == 1 else f"{where}:{number}", row) for number, row in enumerate(rows, 1)]


def _json_rows(text: str, where: str) -> Iterator[Any]:
    try:
        whole = json.loads(text)
    except ValueError:
        whole = None
    if whole is not None:
        yield from whole if isinstance(whole, list) else [whole]
        return
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                yield json.loads(line)
            except ValueError as error:
                raise InputError(f"expected JSON - at `{where}`, line {number}", cause=str(error)) from error


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"expected a file, got nothing that can be read - at `{path}`", cause=f"the system says: {error.strerror}"
        ) from error


def _decoded(data: bytes, where: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"expected text in UTF-8 - at `{where}`, byte {error.start}", fix="iconv -t UTF-8") from error


#: Kind of an input -> how its words are read; every other kind takes paths.
READERS: dict[str, Callable[[Sequence[str]], list[Given]]] = {"text": _texts, "row": _rows, "product": _rows, "vector": _vectors}
