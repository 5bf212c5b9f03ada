import io
import zipfile
from pathlib import Path

import pytest

from tacit.examples.sources import find_examples
from tacit.ground.errors import InputError


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def test_a_folder_per_class(folder, classes):
    found = find_examples(folder(classes("cat", "dog", each=3)))
    assert (found.kind, len(found.items), found.problems, found.notes) == ("images", 6, (), ())
    assert [item.label for item in found.items] == ["cat"] * 3 + ["dog"] * 3
    assert found.items[0].where == "cat/0.png" and found.items[0].content.read().startswith(b"\x89PNG")
    assert {item.split for item in found.items} == {None}


@pytest.mark.parametrize("names", [("train", "val", "test"), ("Training", "validation", "testing"), ("train", "dev", "test")])
def test_split_folders_above_the_classes(folder, classes, names):
    files = {path: content for name in names for path, content in classes("cat", "dog", each=2, below=f"{name}/").items()}
    found = find_examples(folder(files))
    assert {item.where.split("/")[0]: item.split for item in found.items} == dict(zip(names, ("train", "validation", "test"), strict=True))
    assert {item.label for item in found.items} == {"cat", "dog"}


def test_folders_that_only_hold_one_folder_are_passed(folder, classes):
    found = find_examples(folder({**classes("cat", "dog", each=2, below="a/Dataset/"), "README.md": "hello"}))
    assert {item.label for item in found.items} == {"cat", "dog"}
    assert found.notes == ("left out, for they are neither images nor WAV files: README.md",)


def test_a_zip_is_the_same_as_its_folder(folder, classes, tmp_path):
    files = classes("cat", "dog", each=2, below="top/")
    found = find_examples(zipped(tmp_path / "a.zip", files))
    assert [(item.where, item.label) for item in found.items] == [(item.where, item.label) for item in find_examples(folder(files)).items]
    assert found.items[0].content.read() == files["top/cat/0.png"]


def test_what_systems_leave_behind_is_ignored(folder, classes, tmp_path):
    stray = {"Thumbs.db": b"x", "cat/.DS_Store": b"x", "__MACOSX/cat/._0.png": b"x", "cat/desktop.ini": b"x"}
    found = find_examples(folder({**classes("cat", "dog"), **stray}))
    assert found.notes == () and len(found.items) == 16
    assert len(find_examples(zipped(tmp_path / "a.zip", {**classes("cat", "dog"), **stray})).items) == 16


def test_wav_files(folder, sound):
    found = find_examples(folder({f"{name}/{index}.wav": sound(index) for name in "ab" for index in range(2)}))
    assert found.kind == "sounds"


def test_every_empty_class_and_every_file_without_a_class_is_named(folder, classes, picture):
    found = find_examples(folder({**classes("cat", "dog"), "cow/": "", "goat/note.txt": "none yet", "lonely.png": picture(1)}))
    assert found.problems == (
        "lonely.png: stands in no class folder",
        "cow/: the class folder holds no images",
        "goat/: the class folder holds no images",
    )


def test_an_empty_class_below_a_split_is_named(folder, classes):
    files = {**classes("cat", "dog", below="train/"), **classes("cat", below="test/"), "test/dog/": ""}
    assert find_examples(folder(files)).problems == ("test/dog/: the class folder holds no images",)


def test_sounds_among_pictures_are_named(folder, classes, sound):
    found = find_examples(folder({**classes("cat", "dog"), "cat/meow.wav": sound(1)}))
    assert found.problems == ("cat/meow.wav: is no image, as most files are",)


def test_labels_in_the_names(folder, sound):
    found = find_examples(
        folder({f"recordings/{digit}_{who}_{take}.wav": sound(take) for digit in "01" for who in ("ann", "bo") for take in range(2)}),
        label="{label}_{group}_{}",
    )
    assert {(item.label, item.group) for item in found.items} == {("0", "ann"), ("0", "bo"), ("1", "ann"), ("1", "bo")}
    assert found.grouped_by == "`{group}` in the files' names"


def test_names_that_do_not_match_the_pattern_are_named(folder, sound):
    found = find_examples(folder({"0_ann_1.wav": sound(1), "hello.wav": sound(2)}), label="{label}_{group}_{}")
    assert found.problems == ("hello.wav: does not match the pattern `{label}_{group}_{}`",)


def test_a_pattern_without_a_label(folder, sound):
    with pytest.raises(InputError, match=r"expected a pattern with one \{label\}"):
        find_examples(folder({"0.wav": sound(1)}), label="{group}_{}")


def test_files_in_one_folder(folder, sound):
    source = folder({f"recordings/{index}_ann.wav": sound(index) for index in range(3)})
    with pytest.raises(InputError) as caught:
        find_examples(source)
    assert str(caught.value) == (
        f"expected one folder per class and at least two, got 3 files in a single folder - at `{source}`\n"
        "there are recordings/0_ann.wav, recordings/1_ann.wav, recordings/2_ann.wav\n"
        "try: make a folder per class; or a labels.csv with the columns path,label beside them; "
        "or, when the label stands in the names, --label '{label}_{group}_{}'"
    )


def test_nothing_there(tmp_path):
    (tmp_path / "photos").mkdir()
    with pytest.raises(InputError) as caught:
        find_examples(tmp_path / "fotos")
    assert str(caught.value).startswith(
        f"expected examples, there is nothing - at `{tmp_path / 'fotos'}`\nbeside it there are photos\ntry: "
    )


def test_a_folder_without_examples(folder):
    source = folder({"a/notes.txt": "x"})
    with pytest.raises(InputError) as caught:
        find_examples(source)
    assert str(caught.value).startswith(
        f"expected examples, found none - at `{source}`\nit holds a/notes.txt\ntry: give a folder or zip with"
    )


def test_a_label_column_of_a_folder(folder, classes):
    with pytest.raises(InputError, match="expected a table for `--label species`, got a folder of media"):
        find_examples(folder(classes("cat", "dog")), label="species")


def test_zip_slip_and_zip_bomb(tmp_path, picture):
    path = zipped(tmp_path / "bad.zip", {"cat/1.png": picture(1), "../../evil.png": b"x", "/etc/evil.png": b"x"})
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("dog/bomb.png", b"\0" * 30_000_000)
    with pytest.raises(InputError) as caught:
        find_examples(path)
    packed = zipfile.ZipFile(path).getinfo("dog/bomb.png").compress_size
    assert str(caught.value) == (
        f"expected a zip that is safe to read - at `{path}` (3 problems)\n"
        "  - ../../evil.png: leads out of the folder it would be unpacked to\n"
        "  - /etc/evil.png: leads out of the folder it would be unpacked to\n"
        f"  - dog/bomb.png: would unpack from {packed:,} to 30,000,000 bytes (a zip bomb?)\n"
        "try: make the zip anew from the folder"
    )


def test_a_torn_zip(tmp_path, picture):
    path = zipped(tmp_path / "torn.zip", {"cat/1.png": picture(1)})
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match="expected a zip, got a file that is no whole zip"):
        find_examples(path)


def test_a_damaged_file_within_a_zip(tmp_path, picture):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("cat/1.png", picture(1))
        archive.writestr("dog/1.png", picture(2))
    content = stream.getvalue().replace(picture(1)[40:60], b"\0" * 20)
    (tmp_path / "a.zip").write_bytes(content)
    found = find_examples(tmp_path / "a.zip")
    with pytest.raises(InputError, match="expected a readable file in the zip"):
        found.items[0].content.read()


def test_loops_of_links_end(folder, classes):
    source = folder(classes("cat", "dog"))
    (source / "cat" / "again").symlink_to(source)
    assert len(find_examples(source).items) == 16
