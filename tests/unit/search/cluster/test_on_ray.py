"""Pieces of every kind on a real Ray: of this process's own, and of two nodes of which one is killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from tacit.directory.functions import find_function
from tacit.environments.game import signature_of_game
from tacit.goals.goal import Goal
from tacit.ground.progress import Reporter
from tacit.lowering.lower import lower_module
from tacit.passes.pipeline import optimise
from tacit.search import scoring
from tacit.search.evolution_measures import Call, OfBinaries
from tacit.search.evolution_space import space_of
from tacit.search.policy_recipe import SelfPlayRecipe
from tacit.search.scoring import scores_by
from tacit.search.self_play import SelfPlay
from tacit.search.workers import Here, workers_on
from tacit.skeletons.boardnet import build
from tests.unit.environments.tic_tac_toe import TicTacToe
from tests.unit.search.small_task import examples, training

pytestmark = pytest.mark.system


class Notes(Reporter):
    def __init__(self):
        self.said = []

    def note(self, text):
        self.said.append(text)


@pytest.fixture(scope="module")
def workers():
    with workers_on("ray:2", reporter=Reporter(), alike=True) as found:
        yield found


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def greedy(item):
    if item == "too much":
        np.ones(1 << 50)
    if item == "killed":  # as the system does with who takes too much
        os.kill(os.getpid(), signal.SIGKILL)
    return item, torch.get_num_threads()


def test_a_worker_out_of_memory_is_a_failure_and_the_rest_is_done(workers):
    found = dict(workers.run(greedy, ["a", "too much", "killed", "b"]))
    assert found[0] == ("a", 1) and found[3] == ("b", 1)
    assert found[1].reason.startswith("MemoryError: Unable to allocate")
    assert found[2].reason.startswith("WorkerDied: 3 workers in turn ended at this piece")


def test_games_of_self_play(workers):
    recipe = SelfPlayRecipe(evaluations=8, games=6, shares=2, explore=4, keep=600, batch=64)
    found = []
    for who in (Here(), workers):
        torch.manual_seed(0)
        network = build(signature_of_game(TicTacToe()), width=8, depth=1, worth=True)
        rounds = SelfPlay(TicTacToe(), network, recipe, seed=0, workers=who)
        rounds.round(0, 0.0)
        found.append(rounds.network.state_dict())
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])


def test_candidates_of_evolution(workers, tmp_path):
    text = "def right(binary, examples):\n    return float((binary.evaluate(examples).argmax(1) == examples.targets).mean())\n"
    (tmp_path / "goal.py").write_text(text)
    whole, network = examples(), training([(0, 1)]).network
    space = space_of(network)
    measure = OfBinaries(
        Goal(score=find_function(tmp_path, "goal.py:right")), network, space, whole.signature, whole, seed=0, workers=Here()
    )
    calls = [Call(space.origin + shift, "validation", None, 7) for shift in (0.0, 0.1)]
    assert dict(workers.run(measure._work, calls)) == dict(Here().run(measure._work, calls))


def test_a_pass_over_a_whole_set(workers, monkeypatch):
    monkeypatch.setattr(scoring, "_SHARD", 64)
    monkeypatch.setattr(scoring, "_BATCH", 32)
    graph = optimise(lower_module(training([(0, 1)]).network, examples().signature.input.arrays).graph)
    np.testing.assert_array_equal(scores_by(workers, graph, examples().inputs, worth=0), scores_by(Here(), graph, examples().inputs))


def slow(item):
    time.sleep(0.5)
    return item * item


def test_two_nodes_one_of_which_is_killed():
    """In a process of its own: a process can use one Ray only."""
    root = Path(__file__).parents[4]
    done = subprocess.run([sys.executable, "-c", TWO_NODES], capture_output=True, text=True, timeout=400, check=False, cwd=root)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "all there", done.stdout


TWO_NODES = """
from pathlib import Path
Path("/tmp/ray").mkdir(exist_ok=True)
import tacit.search.cluster
from ray.cluster_utils import Cluster
from tacit.search.workers import workers_on
from tests.unit.search.cluster.test_on_ray import Notes, slow

cluster, notes = Cluster(), Notes()
nodes = [cluster.add_node(num_cpus=1, include_dashboard=False) for _ in range(2)]
try:
    with workers_on("ray://" + cluster.address, reporter=notes, alike=True) as workers:
        assert workers.count == 2 and "2 nodes" in notes.said[0], notes.said
        found = {}
        for place, result in workers.run(slow, range(14)):
            found[place] = result
            if len(found) == 4:
                cluster.remove_node(nodes[1], allow_graceful=False)
        assert found == {place: place * place for place in range(14)}, found
finally:
    cluster.shutdown()
print("all there")
"""
