"""Whatever a file holds, loading it gives a valid binary or a FormatError, soon and in little memory.

Mutations go in four depths: bytes of the file; the JSON of its header, sealed anew, so that the seal does not stop them; the text of the
instructions; the JSON of signature, entries and evidence.
"""

from __future__ import annotations

import hashlib
import json
import random
import time
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tacit.binary.binary import Binary
from tacit.binary.container import SEAL_KEY, pack, unpack
from tacit.binary.loading import from_bytes
from tacit.ground.errors import FormatError
from tacit.ir.addresses import elements
from tacit.ir.graph import View
from tests.unit.binary.small_programs import bright_binary, series_binary, two_layer_graph, words_binary

SECONDS = 4.0  # while memory is traced, which takes most of it
BYTES = 400 * 2**20  # one mask of the most elements that a file may ask for, and a little
BINARIES = (series_binary(step=two_layer_graph(3)), bright_binary(), words_binary())
FILES = tuple(binary.to_bytes() for binary in BINARIES)
NUMBERS = (0, 1, -1, 2, 3, 7, 31, 2**16, 2**20, 2**28, 2**31 - 1, 2**31, 2**32, 2**53 + 1, 2**63 - 1, 2**63, 2**64, 10**30, 10**400)
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0.5, 1e308, float("nan"), float("inf"), "", "main", "w1", "\ud800", "\0", "猫", "../../x", "a" * 10_000),
    *([], {}, [[]], [{}], {"main": {}}, {"type": "image"}, {"type": "tacit.binary"}, [0] * 100, "[" * 5000, "9" * 5000),
    *NUMBERS,
)
numbers = st.one_of(st.sampled_from(NUMBERS), st.integers(-5, 70), st.integers())
values = st.one_of(st.sampled_from(VALUES), numbers)
quick = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def survives(data: bytes) -> Binary | None:
    """Load; a FormatError is an answer, any other exception, a long time or much memory is not."""
    tracemalloc.start()
    start = time.perf_counter()
    try:
        binary = from_bytes(data)
    except FormatError as error:
        assert 0 < len(str(error)) < 4000
        return None
    finally:
        spent, (_, most) = time.perf_counter() - start, tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert spent < SECONDS, f"{spent:.1f} s"
        assert most < BYTES, f"{most / 2**20:.0f} MiB"
    assert from_bytes(binary.to_bytes()) == binary
    return binary


def sealed(header: Any, body: bytes) -> bytes:
    """Write a file of a header that is any JSON, with the seal that fits it."""
    metadata = header.get("__metadata__") if isinstance(header, dict) else None
    if isinstance(metadata, dict):
        metadata[SEAL_KEY] = "0" * 64
    text = json.dumps(header, separators=(",", ":"), sort_keys=True).encode()
    seal = hashlib.sha256(text + body).hexdigest()
    zero = f'"{SEAL_KEY}":"{"0" * 64}"'.encode()
    return len(text).to_bytes(8, "little") + text.replace(zero, f'"{SEAL_KEY}":"{seal}"'.encode(), 1) + body


def parts_of(data: bytes) -> tuple[Any, bytes]:
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Name every place in a tree of JSON."""
    found = [path]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        found += places(child, (*path, key))
    return found


def changed(value: Any, path: tuple[Any, ...], how: str, new: Any) -> Any:
    """Give the tree with one place put to `new`, taken out, or written twice under another key."""
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    key, *rest = path
    if rest:
        copy[key] = changed(copy[key], tuple(rest), how, new)
    elif how == "drop":
        del copy[key]
    elif how == "double":
        other = copy[key]
        copy.update({str(new)[:20]: other}) if isinstance(copy, dict) else copy.insert(key, other)
    else:
        copy[key] = new
    return copy


@st.composite
def trees(draw: st.DrawFn, value: Any) -> Any:
    """Draw a tree with one to three changes."""
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(places(value)))
        value = changed(value, path, draw(st.sampled_from(["set", "set", "drop", "double"])), draw(values))
    return value


@st.composite
def texts(draw: st.DrawFn, text: str) -> str:
    """Draw a text of instructions with one to four changes to its numbers, words or lines."""
    for _ in range(draw(st.integers(1, 4))):
        lines = text.split("\n")
        at = draw(st.integers(0, len(lines) - 1))
        how = draw(st.sampled_from(["number", "number", "number", "letter", "drop", "double", "move", "cut"]))
        line = lines[at]
        digits = [place for place, letter in enumerate(line) if letter.isdigit()]
        if how == "number" and digits:
            place = draw(st.sampled_from(digits))
            stop = place
            while stop < len(line) and line[stop].isdigit():
                stop += 1
            lines[at] = line[:place] + str(draw(numbers)) + line[stop:]
        elif how == "letter":
            place = draw(st.integers(0, len(line)))
            lines[at] = (
                line[:place] + draw(st.sampled_from(list('0[]|{}+*:<,"@=# \t\\\x00x猫\ud800'))) + line[place + draw(st.integers(0, 2)) :]
            )
        elif how == "drop":
            del lines[at]
        elif how == "double":
            lines.insert(draw(st.integers(0, len(lines))), line)
        elif how == "move":
            lines.insert(draw(st.integers(0, len(lines) - 1)), lines.pop(at))
        elif how == "cut":
            lines[at] = line[: draw(st.integers(0, len(line)))]
        text = "\n".join(lines)
    return text


def with_metadata(data: bytes, **entries: str) -> bytes:
    header, body = parts_of(data)
    return sealed({**header, "__metadata__": {**header["__metadata__"], **entries}}, body)


# --- the four depths ------------------------------------------------------------------------------------------------------


@quick
@given(data=st.data(), which=st.integers(0, 2), seed=st.integers(0, 2**32))
def test_changed_bytes(data: st.DataObject, which: int, seed: int) -> None:
    chance, content = random.Random(seed), bytearray(FILES[which])
    for _ in range(data.draw(st.integers(1, 8))):
        at, how = chance.randrange(len(content) + 1), chance.randrange(5)
        if how == 0:
            content[at : at + 1] = bytes([chance.randrange(256)])
        elif how == 1:
            del content[at:]
        elif how == 2:
            content[at:at] = chance.randbytes(chance.randrange(40))
        elif how == 3:
            start = chance.randrange(len(content) + 1)
            content[at:at] = content[start : start + chance.randrange(200)]
        else:
            content[:8] = chance.choice([0, 1, len(content), 2**31, 2**63, 2**64 - 1]).to_bytes(8, "little")
        if not content:
            break
    if bytes(content) != FILES[which]:
        assert survives(bytes(content)) is None


@quick
@given(data=st.data(), which=st.integers(0, 2))
def test_changed_headers_with_a_seal_that_fits(data: st.DataObject, which: int) -> None:
    header, body = parts_of(FILES[which])
    survives(sealed(data.draw(trees(header)), body[: data.draw(st.sampled_from([None, None, None, 0, 8, 100]))]))


@settings(quick, max_examples=400)
@given(data=st.data(), which=st.integers(0, 2))
def test_changed_instructions(data: st.DataObject, which: int) -> None:
    text = parts_of(FILES[which])[0]["__metadata__"]["instructions.main"]
    survives(with_metadata(FILES[which], **{"instructions.main": data.draw(texts(text))}))


@settings(quick, max_examples=300)
@given(data=st.data(), which=st.integers(0, 2), key=st.sampled_from(["signature", "entries", "evidence"]))
def test_changed_metadata(data: st.DataObject, which: int, key: str) -> None:
    value = json.loads(parts_of(FILES[which])[0]["__metadata__"][key])
    survives(with_metadata(FILES[which], **{key: json.dumps(data.draw(trees(value)))}))


def test_the_mutations_reach_all_layers() -> None:
    """An unchanged file survives each way of writing it, and what a file says of itself is what is refused."""
    for data, binary in zip(FILES, BINARIES, strict=True):
        header, body = parts_of(data)
        assert survives(sealed(header, body)) == binary
        tensors, metadata = unpack(data, where="memory")
        assert survives(pack(tensors, metadata)) == binary
        other = with_metadata(data, driver="another")
        with pytest.raises(FormatError, match="expected the digest"):
            from_bytes(other)


# --- what is made to take long --------------------------------------------------------------------------------------------


def program(*lines: str, scratch: int = 2**27) -> str:
    return "\n".join(
        ["input values: float32[2, 3]", f"scratch big: float32[{scratch}]", "output scores: float32[3]", "weight w1: float32[6, 8]", *lines]
    )


def fill(shape: str) -> str:
    zeros = ", ".join(f"{axis.partition(':')[0]}:0" for axis in shape.split(", "))
    return f"relu big+0[{shape}] = values+0[{zeros}]"


HOSTILE = {
    "a mask too large": program(*[fill("10:2")] * 3, scratch=2**30),
    "an arena too large": program(fill("10:2"), scratch=2**40),
    "a number too large": program(fill("10:2"), scratch=10**400),
    "many masks": program(
        *(f"scratch s{n}: float32[{2**24}]" for n in range(100)), *(f"relu s{n}+0[3:4] = values+0[3:1]" for n in range(100))
    ),
    "sums of two progressions": program(*[fill(f"{2**25}:2, {2**24}:3")] * 200),
    "sums of many progressions": program(*[fill(", ".join(f"9000:{prime}" for prime in (7, 11, 13, 17, 19, 23, 29, 31)))] * 200),
    "many steps apart": program(*[fill(f"{2**26}:2")] * 2000),
    "in place, often": program(fill(f"{2**27}:1"), *[f"relu big+0[{2**26}:1] = big+{2**26 - 1}[{2**26}:1]"] * 2000),
    "reads of what is not there": program(fill("2:3"), *[f"relu big+1[{2**26}:1] = big+{2**26 + 1}[{2**25}:1]"] * 2000),
    "many axes": program(fill(", ".join(["1:1"] * 30_000))),
    "many progressions": program(fill(", ".join(f"2:{n}" for n in range(1001, 9001, 2)))),
    "many names": program(*(f"scratch s{n}: float32[1]" for n in range(8_000))),
    "many mistakes": program(*["relu gone+0[1:1] = gone+0[1:1]"] * 8_000),
    "long words": program("relu " + "x" * 10**6 + " = y", '"' + "\\" * 10**6, "matmul " + "[" * 10**6, "relu big+" + "9" * 10**6),
    "blanks": program(*[" " * 10**6 + "#"] * 5, "relu" + " " * 10**6 + "big"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_text_that_would_take_long_is_refused_soon(name: str) -> None:
    assert survives(with_metadata(FILES[0], **{"instructions.main": HOSTILE[name]})) is None


def test_sums_of_progressions_are_exact() -> None:
    """The way round an explosion gives the same elements as walking them all."""
    for shape, strides in [((400, 300), (2, 3)), ((90, 70, 50), (7, 11, 5)), ((500, 400), (-6, 4)), ((300, 3, 300), (10, 1, 15))]:
        start = -sum(min(0, stride * (extent - 1)) for extent, stride in zip(shape, strides, strict=True))
        places = np.unique(sum(np.ix_(*(np.arange(extent) * stride for extent, stride in zip(shape, strides, strict=True))), start))
        named = elements(View("x", start, shape, strides))
        mask = np.zeros(int(places.max()) + 5, np.bool_)
        named.mark(mask)
        np.testing.assert_array_equal(np.flatnonzero(mask), places)
        assert named.of(mask).all() and not named.of(np.zeros_like(mask)).any()


def test_a_refusal_too_late_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(data: bytes) -> Binary:
        end = time.perf_counter() + SECONDS
        while time.perf_counter() < end:
            pass
        raise FormatError("late")

    def wasteful(data: bytes) -> Binary:
        bytearray(2 * BYTES)
        raise FormatError("large")

    def wrong(data: bytes) -> Binary:
        raise KeyError("x")

    monkeypatch.setitem(globals(), "SECONDS", 0.05)
    for function, seen in ((slow, AssertionError), (wasteful, AssertionError), (wrong, KeyError)):
        monkeypatch.setitem(globals(), "from_bytes", function)
        with pytest.raises(seen):
            survives(b"")
