import gzip

import numpy as np
import pytest

from tacit.examples.sources import find_examples
from tacit.ground.errors import InputError


def saved(tmp_path, **arrays):
    np.savez(tmp_path / "a.npz", **arrays)
    return tmp_path / "a.npz"


def pictures(count=20, dtype=np.uint8):
    return np.random.default_rng(0).integers(0, 256, (count, 8, 8)).astype(dtype)


def labels(count=20):
    return np.arange(count) % 3


@pytest.mark.parametrize(("x", "y"), [("x", "y"), ("X", "y"), ("images", "labels"), ("data", "target")])
def test_two_arrays(tmp_path, x, y):
    found = find_examples(saved(tmp_path, **{x: pictures(), y: labels()}))
    assert (found.kind, len(found.items), found.white) == ("arrays", 20, None)
    assert np.array_equal(found.items[3].content, pictures()[3]) and found.items[3].label == 0 and found.items[3].where == f"{x}[3]"


def test_arrays_of_the_splits(tmp_path):
    found = find_examples(
        saved(tmp_path, x_train=pictures(9), y_train=labels(9), x_val=pictures(3), y_val=labels(3), x_test=pictures(6), y_test=labels(6))
    )
    assert [item.split for item in found.items].count("validation") == 3 and found.items[-1].split == "test"


def test_details_beside_the_arrays(tmp_path):
    found = find_examples(
        saved(tmp_path, x=pictures(), y=labels(), subject=np.arange(20) // 5, is_test=np.arange(20) > 14, names=np.array(["a", "b", "c"]))
    )
    assert found.items[19].split == "test" and found.items[19].group == "3"
    assert found.grouped_by == "the array `subject`" and found.classes == ("a", "b", "c")


def test_a_split_array(tmp_path):
    found = find_examples(saved(tmp_path, x=pictures(), y=labels(), split=np.array(["train", "val"] * 10)))
    assert {item.split for item in found.items} == {"train", "validation"}
    with pytest.raises(InputError, match="expected train, validation or test in `split`, got `tst`; did you mean `test`"):
        find_examples(saved(tmp_path, x=pictures(), y=labels(), split=np.array(["train", "tst"] * 10)))


def test_a_table_of_numbers(tmp_path):
    x = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    x[3, 2] = np.nan
    found = find_examples(saved(tmp_path, x=x, y=labels()))
    assert found.kind == "rows" and found.items[3].content["x2"] is None and len(found.columns) == 4


def test_one_hot_and_several_labels(tmp_path):
    found = find_examples(saved(tmp_path, x=pictures(), y=np.eye(3)[labels()]))
    assert [item.label for item in found.items[:3]] == ["0", "1", "2"]
    found = find_examples(saved(tmp_path, x=pictures(), y=np.tile([[1, 1, 0], [0, 0, 0]], (10, 1)), names=np.array(["a", "b", "c"])))
    assert [item.label for item in found.items[:2]] == [["a", "b"], []]


def test_pictures_of_other_scales_keep_their_values(tmp_path):
    sixteen = find_examples(saved(tmp_path, x=(pictures() // 16 + 1).astype(np.float64), y=labels()))
    assert sixteen.white == 16.0 and sixteen.items[0].content.dtype == np.uint8
    one = find_examples(saved(tmp_path, x=pictures() / 255.0, y=labels()))
    assert one.white == 1.0 and one.items[0].content.dtype == np.float32
    whole = find_examples(saved(tmp_path, x=pictures(dtype=np.int64), y=labels()))
    assert whole.white == 255.0 and whole.items[0].content.dtype == np.uint8


def test_channels_first(tmp_path):
    x = np.random.default_rng(0).integers(0, 256, (20, 3, 8, 9), dtype=np.uint8)
    assert find_examples(saved(tmp_path, x=x, y=labels())).items[0].content.shape == (8, 9, 3)


def fails(path, **options):
    with pytest.raises(InputError) as caught:
        find_examples(path, **options)
    return str(caught.value)


def test_unequal_lengths(tmp_path):
    path = saved(tmp_path, x=pictures(20), y=labels(19))
    assert fails(path) == (
        f"expected arrays that fit together - at `{path}` (1 problem)\n"
        "  - expected arrays of equal length, got `x` with 20 and `y` with 19\n"
        "try: save them anew, one entry per example in each"
    )


def test_groups_of_another_length(tmp_path):
    assert "expected `subject`[20], as long as `x`, got [19]" in fails(saved(tmp_path, x=pictures(), y=labels(), subject=labels(19)))


def test_nan(tmp_path):
    x, y = pictures().astype(np.float32) / 255, labels().astype(np.float32)
    x[4, 1, 1], y[7] = np.nan, np.nan
    path = saved(tmp_path, x=x, y=y)
    assert fails(path) == (
        f"expected finite values - at `{path}` (2 problems)\n"
        "  - y[7]: the label is NaN\n"
        "  - x[4]: holds NaN or infinity\n"
        "try: mend or remove the examples named, then save the file again"
    )


def test_no_labels(tmp_path):
    path = saved(tmp_path, delta=np.arange(5))
    assert fails(path) == (
        f"expected arrays of inputs and labels - at `{path}`\n"
        "there are delta int64[5]\n"
        "try: name them x and y, or x_train, y_train, x_test, y_test; --label names the labels"
    )


def test_names_asked_for(tmp_path):
    path = saved(tmp_path, x=pictures(), kind=labels(), person=labels())
    assert len(find_examples(path, label="kind", group="person").items) == 20
    assert fails(path, label="kidn").endswith("try: did you mean `kind`?")


def test_objects_are_never_unpickled(tmp_path):
    path = saved(tmp_path, x=np.array([{}, []], dtype=object), y=labels(2))
    assert "it holds Python objects, which are never unpickled" in fails(path)


def test_a_torn_file(tmp_path):
    path = saved(tmp_path, x=pictures(), y=labels())
    path.write_bytes(path.read_bytes()[:300])
    assert fails(path).startswith(f"expected a whole .npz file of plain arrays - at `{path}`")


def test_negative_pictures(tmp_path):
    assert "expected pictures with values from 0 up, got values from -1 to " in fails(
        saved(tmp_path, x=pictures().astype(np.float32) - 1 - pictures().min(), y=labels())
    )


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.astype(np.uint8).tobytes()


def test_idx_files(tmp_path):
    for name, count in (("train", 12), ("t10k", 6)):
        (tmp_path / f"{name}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(pictures(count))))
        (tmp_path / f"{name}-labels-idx1-ubyte").write_bytes(idx(labels(count)))
    found = find_examples(tmp_path)
    assert [item.split for item in found.items] == ["train"] * 12 + ["test"] * 6
    assert np.array_equal(found.items[12].content, pictures(6)[0])


def test_torn_idx_files_are_all_named(tmp_path):
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx(pictures(12))[:-1])
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(labels(12)))
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(idx(pictures(6)))
    assert fails(tmp_path) == (
        f"expected whole idx files of images and labels - at `{tmp_path}` (2 problems)\n"
        "  - train-images-idx3-ubyte: expected [12, 8, 8] bytes after the header, got 767 (cut short?)\n"
        "  - t10k-images-idx3-ubyte: there is no file of labels beside it"
    )
