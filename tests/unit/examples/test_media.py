import zipfile
from pathlib import Path

import pytest

from tacit.examples import media as media_module
from tacit.examples.media import MediaReader, MediaWriter
from tacit.ground.digests import example_id, sha256
from tacit.ground.errors import InputError, TacitError


def test_media_come_back_by_id(tmp_path: Path):
    with MediaWriter(tmp_path) as media:
        ids = [media.add(bytes([number]) * 100, "bin") for number in range(50)]
    reader = MediaReader(tmp_path)
    assert sorted(reader.ids()) == sorted(ids)
    assert reader.read(ids[7]) == bytes([7]) * 100 and reader.suffix(ids[7]) == "bin"
    assert dict(reader.read_many(ids)) == {name: bytes([number]) * 100 for number, name in enumerate(ids)}


def test_a_pack_is_a_plain_stored_zip_named_by_its_bytes(tmp_path: Path):
    with MediaWriter(tmp_path) as media:
        media.add(b"hello", "txt")
    (path,) = (tmp_path / "media").iterdir()
    assert path.name == sha256(path.read_bytes())[:24] + ".zip"
    with zipfile.ZipFile(path) as pack:
        (info,) = pack.infolist()
        assert info.filename == f"{example_id(b'hello')}.txt" and info.compress_type == zipfile.ZIP_STORED
        assert pack.read(info) == b"hello"


def test_the_same_files_make_the_same_pack(tmp_path: Path):
    for name in ("a", "b"):
        with MediaWriter(tmp_path / name) as media:
            media.add(b"one", "txt")
            media.add(b"two", "txt")
    assert [path.name for path in (tmp_path / "a/media").iterdir()] == [path.name for path in (tmp_path / "b/media").iterdir()]


def test_the_same_content_is_written_once(tmp_path: Path):
    for _ in range(2):
        with MediaWriter(tmp_path) as media:
            media.add(b"one", "txt")
            media.add(b"one", "txt")
    assert len(list((tmp_path / "media").iterdir())) == 1


def test_packs_are_closed_at_their_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(media_module, "PACK_BYTES", 1000)
    with MediaWriter(tmp_path) as media:
        ids = [media.add(bytes([number]) * 300, "bin") for number in range(10)]
    assert len(list((tmp_path / "media").iterdir())) == 3
    assert dict(MediaReader(tmp_path).read_many(ids)).keys() == set(ids)


def test_nothing_is_left_after_an_exception(tmp_path: Path):
    with pytest.raises(KeyError), MediaWriter(tmp_path) as media:
        media.add(b"one", "txt")
        raise KeyError
    assert list((tmp_path / "media").iterdir()) == []


def test_a_full_disk_is_an_error_that_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
    with pytest.raises(TacitError) as caught, MediaWriter(tmp_path) as media:
        media.add(b"one", "txt")
    assert str(caught.value) == (
        f"could not write media - at `{tmp_path / 'media'}`\n"
        "the system says: No space left on device\n"
        "try: free some disk space or give another path"
    )
    assert list((tmp_path / "media").iterdir()) == []


def test_a_changed_medium_is_noticed(tmp_path: Path):
    with MediaWriter(tmp_path) as media:
        name = media.add(b"the content", "txt")
    (path,) = (tmp_path / "media").iterdir()
    path.write_bytes(path.read_bytes().replace(b"the content", b"THE CONTENT"))
    with pytest.raises(InputError, match=f"expected the medium {name}, got other bytes"):
        MediaReader(tmp_path).read(name)


def test_a_torn_pack_is_noticed(tmp_path: Path):
    with MediaWriter(tmp_path) as media:
        media.add(b"the content", "txt")
    (path,) = (tmp_path / "media").iterdir()
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(InputError, match="expected a pack of media, got a file that is no whole zip"):
        MediaReader(tmp_path)
