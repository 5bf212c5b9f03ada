from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tacit.binary.loading import from_bytes
from tacit.binary.probes import check_probes, record_probes
from tacit.ground.errors import FormatError
from tests.unit.binary.small_programs import bright_binary, series_binary, words_binary


def with_probes(binary, arrays, **options):
    return dataclasses.replace(binary, evidence={**binary.evidence, "probes": record_probes(binary, arrays, **options)})


@pytest.mark.parametrize(
    ("binary", "array"),
    [
        (series_binary(), np.random.default_rng(0).normal(size=(6, 2, 3)).astype(np.float32)),
        (bright_binary(), np.random.default_rng(0).integers(0, 255, (6, 4, 4, 1)).astype(np.uint8)),
        (words_binary(), np.random.default_rng(0).integers(0, 50, (6, 4, 2)).astype(np.int32)),
    ],
    ids=["float32", "uint8", "int32"],
)
def test_probes_travel_in_the_file_and_are_met(binary, array):
    again = from_bytes(with_probes(binary, [array]).to_bytes())
    results = check_probes(again)
    assert len(results) == 4 and all(result.met and result.difference < 1e-6 for result in results)


def test_another_computation_is_found():
    values = [np.ones((4, 2, 3), np.float32)]
    other = dataclasses.replace(series_binary(seed=1), evidence=with_probes(series_binary(), values).evidence)
    assert not any(result.met for result in check_probes(other))


def test_probes_of_large_inputs_are_few(monkeypatch):
    monkeypatch.setattr("tacit.binary.probes._MOST_BYTES", 50)
    assert len(record_probes(series_binary(), [np.zeros((9, 2, 3), np.float32)])) == 2


@pytest.mark.parametrize(
    "probe", [{}, {"inputs": 3, "scores": []}, {"inputs": [{"dtype": "object", "shape": [1], "data": ""}], "scores": []}, []]
)
def test_malformed_probes_are_refused(probe):
    with pytest.raises(FormatError, match="at probe 0"):
        check_probes(series_binary(evidence={"probes": [probe]}))


def test_no_probes_give_no_results():
    assert check_probes(series_binary()) == []
