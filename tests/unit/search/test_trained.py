import os

import pytest
import torch

from tacit.ground.errors import FormatError
from tacit.search.trained import KEPT, Trained, latest_trained, load_trained, save_trained, trained_path


def run(digest: str) -> Trained:
    network = {"body.weight": torch.arange(6.0).reshape(2, 3)}
    return Trained(digest, network, {"scores": torch.ones(2, 3)}, {"ids": ["a", "b"], "settings": {"width": 8}, "seed": 3})


def test_a_run_is_read_as_it_was_written(tmp_path):
    save_trained(tmp_path, run("a" * 64))
    read = load_trained(tmp_path, "a" * 64)
    assert read is not None
    assert read.digest == "a" * 64
    assert torch.equal(read.network["body.weight"], torch.arange(6.0).reshape(2, 3))
    assert read.examples["scores"].shape == (2, 3)
    assert read.values == {"ids": ["a", "b"], "settings": {"width": 8}, "seed": 3}
    assert load_trained(tmp_path, "b" * 64) is None


def test_only_the_newest_are_kept(tmp_path):
    assert latest_trained(tmp_path) is None
    for number in range(KEPT + 2):
        path = save_trained(tmp_path, run(f"{number:x}" * 64))
        os.utime(path, ns=(number * 10**9, number * 10**9))
    save_trained(tmp_path, run("f" * 64))
    assert len(list(path.parent.iterdir())) == KEPT
    newest = latest_trained(tmp_path)
    assert newest is not None
    assert newest.digest == "f" * 64


def test_a_damaged_file_says_so(tmp_path):
    path = trained_path(tmp_path, "a" * 64)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"torn")
    with pytest.raises(FormatError, match="damaged"):
        load_trained(tmp_path, "a" * 64)
