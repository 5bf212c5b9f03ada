"""How Ray is started and joined, and what is said when that fails: with a Ray that only notes what it was asked."""

import os
import signal
import sys
from types import ModuleType, SimpleNamespace

import pytest
from ray import cloudpickle

from tacit.ground.errors import ConfigError
from tacit.ground.progress import Reporter
from tacit.search.cluster import joining


class Ray:
    """Starts with `nodes`, or fails with `error`."""

    def __init__(self, nodes=(), error=None, late=0):
        self.asked, self.ended, self.error, self.late = None, 0, error, late
        self._nodes = [{"Alive": True, "Resources": {"CPU": cpus}, "NodeID": str(at)} for at, cpus in enumerate(nodes)]

    def is_initialized(self):
        return False

    def init(self, **options):
        self.asked = options
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if self.error is not None:
            raise self.error
        self.late -= 1
        if self.late >= 0:
            raise Exception("The current node timed out during startup.")

    def nodes(self):
        return self._nodes

    def shutdown(self):
        self.ended += 1


@pytest.fixture
def joined(monkeypatch, tmp_path):
    """Join with a Ray of one's own making; give what `join` gives, and that Ray."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(joining.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(joining, "check_answers", lambda address: None)
    monkeypatch.setattr(joining, "_check_versions", lambda nodes: None)

    def join(text, ray):
        monkeypatch.setattr(joining, "ray", ray)
        return joining.join(text, reporter=Reporter())

    return join


def test_a_ray_of_ones_own_is_quiet_and_leaves_nothing(joined, monkeypatch):
    ray, answer = Ray([4]), lambda *_: None
    before = signal.signal(signal.SIGTERM, answer)
    try:
        with joined(":4", ray) as workers:
            folder = ray.asked["_temp_dir"]
            assert os.path.isdir(folder) and f"tacit-ray-{os.getpid()}-" in folder
            assert workers.count == 4
            assert signal.getsignal(signal.SIGTERM) is answer  # Ray sets its own
    finally:
        signal.signal(signal.SIGTERM, before)
    assert (ray.asked["num_cpus"], ray.asked["include_dashboard"], ray.asked["log_to_driver"]) == (4, False, False)
    assert ray.ended == 1 and not os.path.exists(folder)
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"


def test_a_start_that_takes_too_long_is_tried_once_more(joined):
    with joined("", Ray([2], late=1)) as workers:
        assert workers.count == 2
    with pytest.raises(ConfigError, match="timed out during startup"), joined("", Ray([2], late=2)):
        pass


def test_folders_of_commands_that_were_killed_are_removed(tmp_path):
    gone, mine = tmp_path / "tacit-ray-999999999-x", tmp_path / f"tacit-ray-{os.getpid()}-y"
    gone.mkdir(), mine.mkdir()
    joining._sweep(tmp_path)
    assert not gone.exists() and mine.exists()


@pytest.mark.parametrize(
    ("nodes", "text", "count"),
    [([4, 3], "://head", 7), ([4, 3], "://head?cpus=2", 3), ([4, 3], "://head?workers=2", 2), ([1], "://head", 1)],
)
def test_how_many_workers_a_cluster_has(joined, nodes, text, count):
    with joined(text, Ray(nodes)) as workers:
        assert workers.count == count


def test_a_cluster_without_room_is_said(joined):
    with pytest.raises(ConfigError, match="expected nodes with 8 free CPUs"), joined("://head?cpus=8", Ray([4, 3])):
        pass


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("", Exception("The current node timed out during startup."), "expected Ray to start on this machine"),
        ("://head", RuntimeError("Version mismatch: The cluster was started with: Ray: 2.40.0"), "expected a cluster of the same versions"),
        ("://head", SystemExit(15), "this machine is no node of that cluster"),
        ("://head", ConnectionError("nobody"), "expected a Ray cluster that can be joined"),
        ("://auto", ConnectionError("Could not find any running Ray instance."), "`ray start --head` starts one"),
    ],
)
def test_what_ray_fails_with_is_an_error_of_the_house(joined, text, error, said):
    with pytest.raises(ConfigError) as refused, joined(text, Ray(error=error)):
        pass
    assert said in str(refused.value) and "try: " in str(refused.value)


def test_versions_that_differ_are_named_node_by_node(monkeypatch):
    theirs = {"a": {"python": "3.11.0", "tacit": "0.1.0"}, "b": {"python": "3.11.0", "tacit": None}}

    class Probe:
        def __init__(self, node=None):
            self.node = node

        def options(self, *, scheduling_strategy, **_):
            return Probe(scheduling_strategy)

        def remote(self, _names):
            return self.node

    ray = SimpleNamespace(
        remote=lambda _: Probe(), wait=lambda refs, **_: (refs, []), get=lambda node: theirs[node], exceptions=joining.ray.exceptions
    )
    monkeypatch.setattr(joining, "ray", ray)
    monkeypatch.setattr(joining, "NodeAffinitySchedulingStrategy", lambda node, soft: node)
    monkeypatch.setattr(joining, "versions_here", lambda _: {"python": "3.11.0", "tacit": "0.1.0"})
    monkeypatch.setattr(joining, "_apart", lambda function: function)
    nodes = [{"NodeID": name, "NodeManagerAddress": f"10.0.0.{name}"} for name in theirs]
    with pytest.raises(ConfigError) as refused:
        joining._check_versions(nodes)
    assert "(1 problem)" in str(refused.value) and "the node 10.0.0.b has tacit missing (here 0.1.0)" in str(refused.value)
    joining._check_versions(nodes[:1])


def test_what_asks_for_versions_needs_no_tacit_where_it_runs():
    probe = cloudpickle.loads(cloudpickle.dumps(joining._apart(joining.versions_here)))
    assert probe is not joining.versions_here and b"tacit.search" not in cloudpickle.dumps(joining._apart(joining.versions_here))
    assert probe(("numpy", "no-such-package")) == {**joining.versions_here(("numpy",)), "no-such-package": None}


def test_what_a_person_wrote_beside_the_program_travels_as_code(monkeypatch, tmp_path):
    path = tmp_path / "my_network.py"
    path.write_text("def build():\n    return 7\n")
    module = ModuleType("my_network")
    module.__file__ = str(path)
    exec(compile(path.read_text(), str(path), "exec"), module.__dict__)
    monkeypatch.setitem(sys.modules, "my_network", module)
    joining._pickle_by_value()
    sent = cloudpickle.dumps(module.build)
    monkeypatch.delitem(sys.modules, "my_network")
    cloudpickle.unregister_pickle_by_value(module)
    assert cloudpickle.loads(sent)() == 7
