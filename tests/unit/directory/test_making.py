"""What a person has becomes a program directory; bad input gives one error that names every offender, and writes nothing."""

import os
import re
import struct
import tomllib
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tacit.directory.making import new_program
from tacit.ground.errors import InputError, TacitError
from tacit.ground.progress import Reporter
from tacit.signature.image import MOST_PIXELS


def test_the_directory_is_whole(folder, classes, tmp_path):
    directory = new_program(tmp_path / "pets", source=folder(classes("cat", "dog", each=20)))
    assert sorted(path.name for path in directory.iterdir()) == [".github", ".gitignore", "labels", "media", "tacit.toml", "tests.toml"]
    document = tomllib.loads((directory / "tacit.toml").read_text())
    assert document == {
        "program": {"name": "pets", "format": 1},
        "input": {"type": "image", "height": 12, "width": 12, "channels": 1, "fit": "crop"},
        "output": {"type": "class", "names": ["cat", "dog"]},
        "split": {"validation": 0.1, "test": 0.2, "from_train": [], "by": "id", "salt": document["split"]["salt"]},
        "skeleton": {"name": "convnet2d"},
        "search": {},
        "goal": {},
        "budget": {"minutes": 5},
        "train": {},
        "media": {},
    }
    assert tomllib.loads((directory / "tests.toml").read_text()) == {}
    assert (directory / ".gitignore").read_text().split("\n")[1::2][:2] == ["media/", ".tacit/"]


def test_everything_inferred_is_commented(folder, classes, tmp_path):
    text = (new_program(tmp_path / "pets", source=folder(classes("cat", "dog"))) / "tacit.toml").read_text()
    assert "# 16 PNG pictures, all are 12 wide x 12 high, grey." in text
    assert "# The labels are 2 different names; they come from the names of the folders." in text
    assert "# No split was given." in text
    uncommented = re.sub(r"^# ([\w.]+ = |\[)", r"\1", text, flags=re.MULTILINE)  # every example in the comments is TOML, too
    assert {"accuracy", "classes"} <= tomllib.loads(uncommented)["goal"].keys()


def test_the_same_source_gives_the_same_directory(folder, classes, tmp_path):
    source = folder(classes("cat", "dog"))

    def contents(directory: Path) -> dict[str, bytes]:
        return {path.relative_to(directory).as_posix(): path.read_bytes() for path in directory.rglob("*") if path.is_file()}

    first = contents(new_program(tmp_path / "a", source=source, name="x"))
    assert first == contents(new_program(tmp_path / "b", source=source, name="x"))


def test_an_empty_directory_is_taken_and_a_full_one_is_not(folder, classes, tmp_path):
    source = folder(classes("cat", "dog"))
    (tmp_path / "pets").mkdir()
    new_program(tmp_path / "pets", source=source)
    before = (tmp_path / "pets" / "tacit.toml").read_bytes()
    with pytest.raises(InputError) as caught:
        new_program(tmp_path / "pets", source=source)
    assert str(caught.value).startswith(f"expected a new or empty folder for the program - at `{tmp_path / 'pets'}`")
    assert (tmp_path / "pets" / "tacit.toml").read_bytes() == before


def test_names_that_need_quoting_survive(folder, picture, tmp_path):
    names = ['say "hi"', "back\\slash", "süß 猫", "[x]"]
    files = {f"{name}/{n}.png": picture(10 * k + n) for k, name in enumerate(names) for n in range(8)}
    directory = new_program(tmp_path / "p", source=folder(files))
    assert set(tomllib.loads((directory / "tacit.toml").read_text())["output"]["names"]) == set(names)


def test_notes_are_told_and_written(folder, classes, picture, tmp_path):
    told = []

    class Listener(Reporter):
        def note(self, text: str) -> None:
            told.append(text)

    source = folder({**classes("cat", "dog"), "cat/twice.png": picture(0), "notes.docx": "x"})
    directory = new_program(tmp_path / "p", source=source, reporter=Listener())
    assert told[-1].startswith("GitHub comments on pull requests by .github/workflows/labels.yml")
    assert told[1:-1] == [
        "left out, for they are neither images nor WAV files: notes.docx",
        "1 examples have the same content as an earlier one; each content is kept once",
    ]
    assert "# Note: 1 examples have the same content" in (directory / "tacit.toml").read_text()


def refused(tmp_path: Path, source: Path, **options: str) -> str:
    """Give the message, after a look that nothing was written."""
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(InputError) as caught:
        new_program(tmp_path / "program", source=source, **options)
    assert sorted(os.listdir(tmp_path)) == before
    return str(caught.value)


def test_bad_pictures_are_all_named_in_one_error(folder, classes, picture, tmp_path, monkeypatch):
    monkeypatch.setattr("tacit.examples.probe.MOST_PIXELS", 10_000)
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "j.jpg")
    whole = picture(5, height=60, width=60)
    source = folder(
        {
            **classes("cat", "dog"),
            "cat/cut.png": whole[: len(whole) // 2],
            "cat/empty.png": b"",
            "cat/huge.png": picture(6, height=101, width=100),
            "cat/really.png": (tmp_path / "j.jpg").read_bytes(),
            "dog/text.jpg": "not a picture at all",
            "dog/paper.png": b"%PDF-1.7",
            "dog/Thumbs.db": b"x",
            "cow/": "",
        }
    )
    text = refused(tmp_path, source)
    assert re.sub(r"damaged \(.*\)", "damaged (...)", text) == (
        f"expected sound examples - at `{source}` (7 problems)\n"
        "  - cow/: the class folder holds no images\n"
        "  - cat/cut.png: the picture is damaged (...)\n"
        "  - cat/empty.png: the file is empty\n"
        "  - cat/huge.png: the picture is too large (more than 0 million pixels once decoded)\n"
        "  - cat/really.png: expected PNG by its name, got JPEG (rename it to .jpg)\n"
        "  - dog/paper.png: expected a picture, got a PDF\n"
        "  - dog/text.jpg: expected a picture, got text\n"
        "try: mend or remove what is named; nothing was written"
    )


def test_a_real_decompression_bomb_is_refused_before_it_is_decoded(folder, classes, tmp_path):
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 20_000, 20_000, 8, 0, 0, 0, 0))
    bomb += chunk(b"IDAT", zlib.compress(bytes(20_001) * 100)) + chunk(b"IEND", b"")
    source = folder({**classes("cat", "dog"), "cat/bomb.png": bomb})
    expected = f"  - cat/bomb.png: the picture is too large (more than {MOST_PIXELS / 1e6:.0f} million pixels once decoded)\n"
    assert expected in refused(tmp_path, source)


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def test_bad_sounds_are_all_named(folder, sound, tmp_path):
    good = {f"{name}/{n}.wav": sound(10 * k + n) for k, name in enumerate(["yes", "no"]) for n in range(6)}
    source = folder({**good, "yes/cut.wav": sound(1)[:-300], "no/empty.wav": b"", "no/music.wav": b"ID3\x03\0"})
    text = refused(tmp_path, source)
    assert "(3 problems)" in text and "  - no/empty.wav: the file is empty\n" in text
    assert "  - no/music.wav: expected WAV by its name, got MP3\n" in text and "  - yes/cut.wav: " in text


def test_a_single_class(folder, classes, tmp_path):
    source = folder({**classes("cat", below="train/"), "test/cat/1.png": classes("cat", each=1)["cat/0.png"]})
    assert refused(tmp_path, source) == (
        f"expected sound examples - at `{source}` (1 problem)\n"
        "  - expected at least two classes, got one: `cat`\n"
        "try: mend or remove what is named; nothing was written"
    )


def test_an_empty_class_folder_beside_one_class(folder, classes, tmp_path):
    source = folder({**classes("cat"), "dog/": ""})
    text = refused(tmp_path, source)
    assert "dog/: the class folder holds no images" in text and "expected at least two classes, got one: `cat`" in text


def test_missing_labels_are_named_by_row(folder, tmp_path):
    rows = [f"{n},{['a', 'b', '', 'NaN'][n % 4]}" for n in range(8)]
    source = folder({"t.csv": "x,label\n" + "\n".join(rows)}) / "t.csv"
    assert refused(tmp_path, source) == (
        f"expected sound examples - at `{source}` (4 problems)\n"
        "  - line 4: the label is missing\n  - line 5: the label is missing\n"
        "  - line 8: the label is missing\n  - line 9: the label is missing\n"
        "try: mend or remove what is named; nothing was written"
    )


def test_a_missing_label_column(folder, tmp_path):
    source = folder({"t.csv": "size,colour,kind\n1,red,a\n2,blue,b\n"}) / "t.csv"
    assert refused(tmp_path, source, label="knid") == (
        f"expected a label column `knid`, it is not there - at `{source}`\n"
        "the columns are `size`, `colour`, `kind`\n"
        "try: did you mean `kind`? (--label COLUMN)"
    )


def test_unequal_arrays(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.zeros((5, 8, 8), np.uint8), y=np.zeros(4, int))
    assert "expected arrays of equal length, got `x` with 5 and `y` with 4" in refused(tmp_path, tmp_path / "a.npz")


def test_too_few_examples(folder, picture, tmp_path):
    source = folder({"cat/1.png": picture(1), "dog/1.png": picture(2)})
    assert refused(tmp_path, source) == f"expected at least 5 different examples, got 2 - at `{source}`"


def test_a_folder_that_cannot_be_made(folder, classes, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(Exception, match="could not make the folder"):
        new_program(tmp_path / "file" / "program", source=folder(classes("cat", "dog")))


def test_what_is_put_there_meanwhile_is_left_alone(folder, classes, tmp_path):
    class Other(Reporter):
        def phase(self, name):
            (tmp_path / "pets").mkdir()
            (tmp_path / "pets" / "mine.txt").write_text("kept")

    with pytest.raises(TacitError, match="something was put there meanwhile") as caught:
        new_program(tmp_path / "pets", source=folder(classes("cat", "dog")), reporter=Other())
    assert "try:" in str(caught.value)
    assert (tmp_path / "pets" / "mine.txt").read_text() == "kept"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pets", "source"]


def test_names_that_are_not_utf8_are_a_problem_of_the_source(classes, folder, picture, tmp_path):
    source = folder(classes("cat", "dog"))
    bad = os.fsdecode(os.fsencode(source) + b"/caf\xe9")
    os.mkdir(bad)
    for index in range(8):
        Path(bad, f"{index}.png").write_bytes(picture(5000 + index))
    with pytest.raises(InputError) as caught:
        new_program(tmp_path / "pets", source=source)
    assert "caf?/0.png: expected text in UTF-8" in str(caught.value) and "8 problems" in str(caught.value)
    str(caught.value).encode()
    assert not (tmp_path / "pets").exists()


def test_files_of_any_name_may_lie_beside_the_classes(classes, folder, tmp_path):
    source = folder(classes("cat", "dog"))
    Path(os.fsdecode(os.fsencode(source) + b"/caf\xe9.txt")).write_text("a note")
    toml = new_program(tmp_path / "pets", source=source) / "tacit.toml"
    assert "caf?.txt" in toml.read_text()
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/na\xefve")
    assert 'name = "na?ve"' in (new_program(Path(odd), source=source) / "tacit.toml").read_text()


def test_lone_surrogates_in_tables_are_a_problem_of_the_source(folder, tmp_path):
    lines = [f'{{"text": "number {n} \\ud800", "label": "{"ab"[n % 2]}"}}' for n in range(10)]
    source = folder({"t.jsonl": "\n".join(lines) + "\n"}) / "t.jsonl"
    with pytest.raises(InputError, match="10 problems"):
        new_program(tmp_path / "texts", source=source, label="label")
