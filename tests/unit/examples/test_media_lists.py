from __future__ import annotations

from pathlib import Path

import pytest

from tacit.examples.media import MediaWriter, entry_faults
from tacit.examples.media_lists import Pack, complete_lists, media_ids, missing_media, needed_packs, pack_of, write_media_list
from tacit.examples.records import Record
from tacit.examples.writing import write_labels
from tacit.ground.digests import sha256
from tacit.ground.errors import InputError


def take_in(directory: Path, name: str, contents: list[bytes]) -> list[str]:
    """Store contents and their labels as one import, without its list of media."""
    with MediaWriter(directory) as media:
        ids = [media.add(content, "bin") for content in contents]
    write_labels(directory, name, [Record(identity, "a") for identity in ids])
    return ids


def line(content: bytes, size: int | None = None) -> str:
    digest = sha256(content)
    return f"{digest[:24]}.zip {len(content) if size is None else size} {digest}"


def test_a_list_names_the_packs_of_an_import(tmp_path):
    ids = take_in(tmp_path, "first", [b"one", b"two"])
    path = write_media_list(tmp_path, "first", ids)
    (pack,) = (tmp_path / "media").iterdir()
    assert path == tmp_path / "labels/first/media.txt"
    assert path.read_text() == f"{pack.name} {pack.stat().st_size} {sha256(pack.read_bytes())}\n"
    assert needed_packs(tmp_path) == {pack.name: pack_of(pack)}


def test_media_of_an_earlier_import_bring_its_pack_into_the_list(tmp_path):
    write_media_list(tmp_path, "first", take_in(tmp_path, "first", [b"one", b"two"]))
    write_media_list(tmp_path, "second", take_in(tmp_path, "second", [b"two", b"three"]))
    text = (tmp_path / "labels/second/media.txt").read_text()
    assert len(list((tmp_path / "media").iterdir())) == 2 and text.count("\n\n") == 1
    assert [row.split()[0] for row in text.split("\n\n")] == sorted(path.name for path in (tmp_path / "media").iterdir())


def test_an_import_of_texts_has_no_list(tmp_path):
    write_labels(tmp_path, "words", [Record("0" * 24, "a", input="never read")])
    assert write_media_list(tmp_path, "words", []) is None
    assert complete_lists(tmp_path) == ([], []) and not (tmp_path / "labels/words/media.txt").exists()


def test_lists_that_lack_something_are_completed(tmp_path):
    take_in(tmp_path, "first", [b"one"])
    take_in(tmp_path, "second", [b"two"])
    written, missing = complete_lists(tmp_path)
    assert [path.parent.name for path in written] == ["first", "second"] and missing == []
    assert complete_lists(tmp_path) == ([], [])
    ids = take_in(tmp_path, "first", [b"one", b"three"])
    written, missing = complete_lists(tmp_path)
    assert [path.parent.name for path in written] == ["first"] and len(needed_packs(tmp_path)) == 3
    assert set(media_ids(tmp_path)["first"]) == set(ids)


def test_chunks_of_records_are_on_the_list(tmp_path):
    chunk = sha256(b"records")[:24] + ".parquet"
    (tmp_path / "labels/huge").mkdir(parents=True)
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / chunk).write_bytes(b"records")
    (tmp_path / "labels/huge/chunks.json").write_text(f'{{"format": 1,\n"chunks": [\n{{"file": "{chunk}", "records": 3}}\n]}}\n')
    written, missing = complete_lists(tmp_path)
    assert len(written) == 1 and missing == [] and list(needed_packs(tmp_path)) == [chunk]


def test_media_that_stand_nowhere_are_named(tmp_path):
    ids = take_in(tmp_path, "first", [b"one"])
    write_labels(tmp_path, "second", [Record("f" * 24, "a")])
    assert complete_lists(tmp_path)[1] == ["f" * 24] == missing_media(tmp_path)
    next((tmp_path / "media").iterdir()).unlink()
    assert missing_media(tmp_path) == sorted([*ids, "f" * 24])
    assert complete_lists(tmp_path)[1] == ["f" * 24]  # what the pack of `first` holds can't be known without it


def test_a_relabel_of_text_that_looks_like_a_key_is_no_input(tmp_path):
    write_labels(tmp_path, "odd", [Record("a" * 24, '"input": x'), Record("b" * 24, "b", input='"id": "' + "c" * 24)])
    assert media_ids(tmp_path) == {"odd": ["a" * 24]}


def test_every_bad_line_is_named_at_once(tmp_path):
    folder = tmp_path / "labels/first"
    folder.mkdir(parents=True)
    good, other = line(b"one"), line(b"two")
    wrong = good.split()[0] + " 3 " + sha256(b"else")
    rows = [good, "", "<<<<<<< HEAD", other, "=======", "notes", wrong, line(b"one", 4)]
    (folder / "media.txt").write_text("\n".join(rows) + "\n")
    with pytest.raises(InputError) as caught:
        needed_packs(tmp_path)
    for number in (3, 5, 6, 7, 8):
        assert f"labels/first/media.txt:{number}: " in str(caught.value)
    assert "(5 problems)" in str(caught.value) and "merge marker" in str(caught.value)


def test_line_ends_of_another_system_do_not_matter(tmp_path):
    folder = tmp_path / "labels/first"
    folder.mkdir(parents=True)
    (folder / "media.txt").write_bytes(f"{line(b'one')}\r\n\r\n{line(b'two')}\r\n".encode())
    assert len(needed_packs(tmp_path)) == 2


def test_an_import_that_is_being_written_counts_for_nothing(tmp_path):
    folder = tmp_path / "labels/.first.new"
    folder.mkdir(parents=True)
    (folder / "media.txt").write_text(line(b"one") + "\n")
    (folder / "all.jsonl").write_text(Record("a" * 24, "x").line() + "\n")
    assert needed_packs(tmp_path) == {} and media_ids(tmp_path) == {}


def test_a_damaged_pack_comes_on_no_list(tmp_path):
    ids = take_in(tmp_path, "first", [b"one"])
    (pack,) = (tmp_path / "media").iterdir()
    content = bytearray(pack.read_bytes())
    content[40] ^= 1
    pack.write_bytes(content)
    with pytest.raises(InputError, match="expected bytes whose sha256 begins with"):
        write_media_list(tmp_path, "first", ids)
    assert not (tmp_path / "labels/first/media.txt").exists()
    assert Pack("x", 1, "y").line() == "x 1 y"


def test_an_entry_that_is_not_what_its_name_says_is_found(tmp_path):
    take_in(tmp_path, "first", [b"one", b"two"])
    (pack,) = (tmp_path / "media").iterdir()
    assert entry_faults(pack) == []
    content = pack.read_bytes().replace(b"two", b"Two")
    pack.write_bytes(content)
    assert len(entry_faults(pack)) == 1 and sha256(b"two")[:24] in entry_faults(pack)[0]
    pack.write_bytes(content[:20])
    assert "no whole zip" in entry_faults(pack)[0]
