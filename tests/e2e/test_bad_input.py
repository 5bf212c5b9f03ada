"""Bad input through the command line: one clear error that names every offender, exit code 2, nothing written."""

from __future__ import annotations

import io
import json
import shutil
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from tests.e2e.conftest import draw

# --- what a person points `tacit new` and `tacit compile` at ---------------------------------------------------------


def bomb() -> bytes:
    """A PNG of a few hundred bytes that claims 60,000 by 60,000 values."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def picture(form: str) -> bytes:
    content = io.BytesIO()
    Image.new("L", (10, 10), 99).save(content, form)
    return content.getvalue()


@pytest.mark.parametrize(
    "verb", [("new", "program", "--from", "pictures"), ("compile", "pictures", "--steps", "5")], ids=["new", "compile"]
)
def test_every_bad_picture_is_named_at_once(refused, tmp_path, verb):
    draw(tmp_path / "pictures")
    whole = (tmp_path / "pictures/bar/0.png").read_bytes()
    bad = {
        "bar/torn.png": whole[: len(whole) // 2],
        "bar/empty.png": b"",
        "dot/bomb.png": bomb(),
        "dot/really-a-jpeg.png": picture("JPEG"),
        "dot/words.png": b"this is no picture",
    }
    for name, content in bad.items():
        (tmp_path / "pictures" / name).write_bytes(content)
    refused(*verb, names=tuple(bad))


def test_an_empty_class_folder(refused, tmp_path):
    draw(tmp_path / "pictures")
    (tmp_path / "pictures/ring").mkdir()
    (tmp_path / "pictures/star").mkdir()
    refused("new", "program", "--from", "pictures", names=("ring", "star"))


def test_a_single_class(refused, tmp_path):
    draw(tmp_path / "pictures/train", classes=("bar",))
    draw(tmp_path / "pictures/test", classes=("bar",))
    refused("new", "program", "--from", "pictures", names=("bar",))
    (tmp_path / "table.csv").write_text("width,kind\n" + "".join(f"{number},only\n" for number in range(30)))
    refused("new", "program", "--from", "table.csv", "--label", "kind", names=("only",))


def test_one_folder_of_pictures_is_no_folder_per_class(refused, tmp_path):
    draw(tmp_path / "pictures", classes=("bar",))
    refused("new", "program", "--from", "pictures", names=("folder per class",))


def test_nothing_at_the_place(refused, tmp_path):
    refused("new", "program", "--from", "nowhere", names=("nowhere",))


def test_a_program_directory_is_never_written_over(refused, tmp_path):
    draw(tmp_path / "pictures")
    (tmp_path / "program").mkdir()
    (tmp_path / "program/tacit.toml").write_text('name = "mine"\n')
    refused("new", "program", "--from", "pictures", names=("program",))


def rows(count: int = 30) -> list[str]:
    return [f"{number},{number % 7},{'yes' if number % 3 else 'no'}" for number in range(count)]


def test_a_label_column_that_is_not_there(refused, tmp_path):
    (tmp_path / "table.csv").write_text("\n".join(["width,height,kind", *rows()]) + "\n")
    refused("new", "program", "--from", "table.csv", "--label", "knd", names=("knd", "kind"))


def test_empty_labels_are_named_by_their_lines(refused, tmp_path):
    lines = rows()
    lines[3], lines[11], lines[20] = "3,3,", "11,4,NaN", "20,6,"
    (tmp_path / "table.csv").write_text("\n".join(["width,height,kind", *lines]) + "\n")
    refused("new", "program", "--from", "table.csv", "--label", "kind", names=("5", "13", "22"))


def test_text_that_is_not_utf8(refused, tmp_path):
    (tmp_path / "table.csv").write_bytes(b"text,kind\n" + "déjà vu,a\n".encode("latin-1") * 5 + b"plain,b\n" * 5)
    refused("new", "program", "--from", "table.csv", "--label", "kind", names=("UTF-8",))


def test_broken_json_lines(refused, tmp_path):
    good = [json.dumps({"text": f"line {number}", "kind": "ab"[number % 2]}) for number in range(20)]
    good[4], good[9] = '{"text": "torn', "not json"
    (tmp_path / "table.jsonl").write_text("\n".join(good) + "\n")
    refused("new", "program", "--from", "table.jsonl", "--label", "kind", names=("5", "10"))


def test_arrays_of_unequal_length(refused, tmp_path):
    np.savez(tmp_path / "arrays.npz", x=np.zeros((20, 4), np.float32), y=np.arange(19) % 2)
    refused("new", "program", "--from", "arrays.npz", "--label", "y", names=("20", "19"))


# --- tacit.toml ------------------------------------------------------------------------------------------------------


@pytest.fixture
def program(made, tmp_path):
    shutil.copytree(made / "program", tmp_path / "program")
    return tmp_path / "program" / "tacit.toml"


def test_unknown_keys_of_the_configuration_are_all_named(refused, program):
    text = program.read_text()
    program.write_text('gaols = 1\nsignatur = "x"\n' + text)
    done = refused("compile", "program", "--steps", "5", names=("gaols", "signatur"))
    assert "did you mean" in done.err


def test_a_configuration_that_is_no_toml(refused, program):
    program.write_text(program.read_text() + "\nbudget = = 3\n")
    refused("compile", "program", "--steps", "5", names=("tacit.toml",))


def test_an_unknown_override(refused, program):
    done = refused("compile", "program", "--steps", "5", "--set", "budgt.minutes=3", names=("budgt",))
    assert "did you mean" in done.err


def test_an_override_without_a_value(refused, program):
    refused("compile", "program", "--set", "skeleton.width", "--set", "=3", names=("skeleton.width", "=3"))


def test_minutes_and_steps_together(refused, program):
    refused("compile", "program", "--steps", "5", "--minutes", "1", names=("--steps", "--minutes"))


@pytest.mark.parametrize("budget", [("--minutes", "-1"), ("--minutes", "nan"), ("--steps", "0"), ("--minutes", "soon")])
def test_a_budget_that_is_none(refused, program, budget):
    refused("compile", "program", *budget)


def test_broken_labels_are_all_named(refused, program):
    (file,) = (program.parent / "labels").rglob("*.jsonl")
    lines = file.read_text().split("\n")
    lines[0], lines[4] = "<<<<<<< ours", '{"id": "zz", "label": "bar"}'
    file.write_text("\n".join(lines))
    refused("compile", "program", "--steps", "5", names=(f"{file.name}:1", f"{file.name}:5"))


def test_media_that_are_gone(refused, program):
    media = [path for path in (program.parent / "media").rglob("*") if path.is_file()]
    for path in media:
        path.unlink()
    refused("compile", "program", "--steps", "5", names=("media",))


# --- what a person gives to a binary ---------------------------------------------------------------------------------


@pytest.fixture
def binary(made, tmp_path):
    shutil.copy(made / "shapes.tacit", tmp_path / "shapes.tacit")
    return tmp_path / "shapes.tacit"


def test_every_bad_input_of_run_is_named_at_once(refused, binary, tmp_path):
    (tmp_path / "words.png").write_text("no picture")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "bomb.png").write_bytes(bomb())
    (tmp_path / "good.png").write_bytes(picture("PNG"))
    refused(
        "run",
        "shapes.tacit",
        "good.png",
        "words.png",
        "gone.png",
        "empty.png",
        "bomb.png",
        names=("words.png", "gone.png", "empty.png", "bomb.png"),
    )


def test_an_input_of_the_wrong_type(refused, binary, tmp_path):
    (tmp_path / "row.json").write_text('{"width": 3}')
    refused("run", "shapes.tacit", "row.json", names=("row.json",))


def damaged(content: bytes) -> dict[str, bytes]:
    header = int.from_bytes(content[:8], "little")
    return {
        "empty": b"",
        "eight bytes": content[:8],
        "truncated in the header": content[: 8 + header // 2],
        "truncated in the weights": content[:-7],
        "a weight changed": content[:-5] + bytes([content[-5] ^ 0xFF]) + content[-4:],
        "the text changed": content[:8] + content[8 : 8 + header].replace(b"dot", b"dog", 1) + content[8 + header :],
        "something appended": content + b"more",
        "a picture": picture("PNG"),
        "a huge header": (2**60).to_bytes(8, "little") + content[8:],
    }


@pytest.mark.parametrize("damage", list(damaged(b"\x10" + bytes(40))))
def test_a_damaged_binary_is_refused_by_every_verb(refused, binary, tmp_path, damage):
    changed = damaged(binary.read_bytes())[damage]
    assert changed != binary.read_bytes()
    binary.write_bytes(changed)
    (tmp_path / "good.png").write_bytes(picture("PNG"))
    refused("run", "shapes.tacit", "good.png", names=("shapes.tacit",))
    refused("inspect", "shapes.tacit", names=("shapes.tacit",))


def test_a_binary_from_the_future_is_told_apart(refused, binary, tmp_path):
    """The version is looked at before the digest, so that a newer file is not called damaged."""
    content = binary.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    key = "tacit_format"
    header["__metadata__"][key] = "99"
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    binary.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + length :])
    done = refused("inspect", "shapes.tacit", names=("shapes.tacit", "99"))
    assert "tacit" in done.err.partition("try:")[2], "the way out is a newer release"


def test_a_binary_that_is_not_there(refused, tmp_path):
    refused("run", "gone.tacit", "x.png", names=("gone.tacit",))


# --- usage -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (("complie",), ("did you mean `compile`?",)),
        (("compile", "--minuts", "1"), ("--minuts", "--minutes")),
        (("new", "program"), ("--from",)),
        (("run",), ("FILE",)),
        (("compile", "nowhere"), ("nowhere",)),
        (("test", "nowhere"), ("nowhere",)),
        (("inspect", "."), (".",)),
    ],
)
def test_wrong_usage(refused, arguments, names):
    refused(*arguments, names=names)
