"""Smaller planes in the first part of a run: what they cost, what they show, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import tacit
from tacit.search.planes import effort_left, share_at, shrunk
from tacit.search.recipe import Recipe
from tacit.search.schedule import Progress
from tacit.search.training import Training
from tacit.signature.base import ArraySpec
from tacit.skeletons.table import CONVNET_2D, network_for
from tests.unit.search.small_task import examples, task, training

PLANE = ArraySpec("plane", (12, 12, 1), "uint8", ("row", "column", "channel"))


def test_the_effort_is_the_mean_of_what_comes():
    for small in (0.5, 0.75, 1.0):
        for start in (0.0, 0.2, 0.5, 0.9):
            rest = np.linspace(start, 1.0, 20_001)[:-1]
            assert effort_left(start, small) == pytest.approx(np.mean([share_at(fraction, small) ** 2 for fraction in rest]), abs=1e-3)


def test_a_smaller_plane_is_a_picture_of_the_same_thing():
    plane = torch.arange(144.0).reshape(1, 12, 12, 1)
    half = shrunk(plane, PLANE, 0.5)
    assert half.shape == (1, 6, 6, 1)
    assert float(half.mean()) == pytest.approx(float(plane.mean()), abs=1.0)
    assert shrunk(plane, PLANE, 1.0) is plane


def test_series_are_left_alone():
    series = torch.zeros(2, 3, 8)
    assert shrunk(series, ArraySpec("values", (3, 8), "float32", ("channel", "time")), 0.5) is series


def test_a_run_that_begins_small_ends_whole_and_still_learns(monkeypatch):
    seen: list[int] = []
    run = training([(0, 60)], recipe=Recipe(batch=16, learning_rate=0.05, small=0.5))
    body = run.network.forward
    monkeypatch.setattr(run.network, "forward", lambda x: (seen.append(x.shape[1]), body(x))[1])
    assert run.effort() == pytest.approx(effort_left(0.0, 0.5) / 0.25)
    while not run.progress.done:
        run.step()
    assert (seen[0], seen[30], seen[-1]) == (4, 6, 8)
    assert run.effort() == 1.0
    assert (run.predict().argmax(1) == run.task.validation.targets.numpy()).mean() > 0.8


def test_a_network_of_one_size_is_refused_at_once():
    whole = examples()
    network = network_for(CONVNET_2D, whole.signature, {"width": 8, "head": "places"}, inputs=whole.inputs, seed=0)
    with pytest.raises(tacit.TacitError, match="does not take smaller planes"):
        Training(task(), network, Recipe(small=0.5), Progress([(0, 5)]), seed=0, augment=False, low_precision=False)
    with pytest.raises(tacit.TacitError, match="got -1"):
        training([(0, 5)], recipe=Recipe(small=-1.0))
