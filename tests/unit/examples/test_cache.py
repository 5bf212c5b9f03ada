from pathlib import Path

import numpy as np
import pytest

from tacit.examples.cache import cache_key, load_cached, save_cached
from tacit.signature.image import Image

TYPE = Image(2, 3, 1)
ARRAYS = (np.arange(24, dtype=np.uint8).reshape(4, 2, 3, 1),)


@pytest.fixture
def key(tmp_path: Path) -> str:
    found = cache_key(TYPE, list("abcd"))
    save_cached(tmp_path, found, ARRAYS)
    return found


def test_arrays_come_back_writable_and_the_file_stays(tmp_path: Path, key: str):
    (array,) = load_cached(tmp_path, key, TYPE, 4) or ()
    assert np.array_equal(array, ARRAYS[0])
    array[0] = 99
    (again,) = load_cached(tmp_path, key, TYPE, 4) or ()
    assert np.array_equal(again, ARRAYS[0])


def test_the_key_depends_on_ids_order_type_and_packs():
    keys = {
        cache_key(TYPE, list("abcd")),
        cache_key(TYPE, list("abdc")),
        cache_key(TYPE, ["abcd"]),
        cache_key(Image(3, 2, 1), list("abcd")),
        cache_key(TYPE, list("abcd"), ["a.zip"]),
    }
    assert len(keys) == 5


def test_another_number_of_examples_or_another_type_is_refused(tmp_path: Path, key: str):
    assert load_cached(tmp_path, key, TYPE, 5) is None
    assert load_cached(tmp_path, key, Image(3, 2, 1), 4) is None
    assert load_cached(tmp_path, "other", TYPE, 4) is None


@pytest.mark.parametrize("harm", ["flip", "cut", "empty", "manifest", "gone"])
def test_a_harmed_cache_is_refused(tmp_path: Path, key: str, harm: str):
    folder = tmp_path / ".tacit" / "cache" / key
    path = folder / "0.npy"
    content = bytearray(path.read_bytes())
    if harm == "flip":
        content[-1] ^= 1
        path.write_bytes(content)
    elif harm == "cut":
        path.write_bytes(content[:-4])
    elif harm == "empty":
        path.write_bytes(b"")
    elif harm == "manifest":
        (folder / "manifest.json").write_text("{")
    else:
        path.unlink()
    assert load_cached(tmp_path, key, TYPE, 4) is None


def test_few_caches_are_kept(tmp_path: Path):
    for number in range(6):
        save_cached(tmp_path, f"key{number}", ARRAYS)
    assert len(list((tmp_path / ".tacit" / "cache").iterdir())) == 3
    assert load_cached(tmp_path, "key5", TYPE, 4) is not None


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path):
    (tmp_path / ".tacit").write_text("a file where the folder should be")
    save_cached(tmp_path, "key", ARRAYS)
    assert load_cached(tmp_path, "key", TYPE, 4) is None
