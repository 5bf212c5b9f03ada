"""What a killed writer left is cleared away by the next one, and nothing else is."""

from pathlib import Path

import pytest

from tacit.examples.media import MediaWriter
from tacit.examples.records import Record
from tacit.examples.store import read_labels
from tacit.examples.turns import LOCK, writing
from tacit.examples.writing import begin_import, finish_import, write_attributes, write_labels
from tacit.ground.digests import example_id
from tacit.ground.errors import TacitError


def test_leftovers_go_and_everything_else_stays(tmp_path: Path):
    write_labels(tmp_path, "photos", [Record(example_id(b"1"), "cat")])
    write_attributes(tmp_path)
    with MediaWriter(tmp_path) as media:
        media.add(b"content", "bin")
    kept = [tmp_path / "labels/photos/.all.jsonl.swp", tmp_path / "labels/photos/notes.txt", tmp_path / "media/.coming.zip.part"]
    gone = [tmp_path / "labels/photos/.all.jsonl.a1b2.tmp", tmp_path / "labels/.new.pets/all.jsonl", tmp_path / "media/.pack.x.tmp"]
    gone.append(tmp_path / "labels/by/ann/.0.jsonl.a1b2.tmp")
    for path in [*kept, *gone]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("torn")
    assert len(read_labels(tmp_path)) == 1  # a reader is not disturbed by them
    with writing(tmp_path, "test"):
        assert (tmp_path / LOCK).exists() and not any(path.exists() for path in gone) and all(path.exists() for path in kept)
        assert not (tmp_path / "labels/.new.pets").exists()
    assert (tmp_path / "labels/.gitattributes").exists() and len(list((tmp_path / "media").glob("*.zip"))) == 1
    assert not (tmp_path / LOCK).exists()


def test_an_import_is_read_only_when_it_is_whole(tmp_path: Path):
    write_labels(tmp_path, "photos", [Record(example_id(b"1"), "cat")])
    begin_import(tmp_path, "pets")
    write_labels(tmp_path, ".new.pets", [Record(example_id(b"2"), "cat")])
    assert len(read_labels(tmp_path)) == 1
    finish_import(tmp_path, "pets")
    assert len(read_labels(tmp_path)) == 2
    begin_import(tmp_path, "pets")
    with pytest.raises(TacitError, match="could not put the import in place"):
        finish_import(tmp_path, "pets")
