"""What is tried again where, when workers die: with a Ray that is a few lines of Python."""

from types import SimpleNamespace

import pytest
from ray import exceptions

from tacit.ground.progress import Reporter
from tacit.search.cluster import seats
from tacit.search.cluster.seats import MEMORY_TRIES, TRIES, RayWorkers
from tacit.search.running import Stop
from tacit.search.workers import Failure, attempt


class Death(BaseException):
    """A worker that dies of `cause`."""

    def __init__(self, cause):
        self.cause = cause


class Ref:
    def __init__(self, value=None, error=None):
        self.value, self.error = value, error


class Actor:
    def __init__(self, ray, number):
        self.ray, self.name, self.alive = ray, ray.nodes[number % len(ray.nodes)], True
        self.node = SimpleNamespace(remote=lambda: Ref(self.name))
        self.do = SimpleNamespace(remote=self._do)

    def _do(self, key, boxed, item):
        self.ray.log.append((item, self.name))
        self.ray.busy = max(self.ray.busy, sum(actor.alive for actor in self.ray.actors))
        try:
            return Ref(attempt(lambda given: boxed[0].value(given, self.name), item))
        except Death as death:
            self.alive = False
            return Ref(error=death.cause)
        except Exception as error:
            return Ref(error=exceptions.RayTaskError("do", "", error))


class Ray:
    """Nodes on which actors are placed in turn; whatever is asked is done at once."""

    exceptions = exceptions

    def __init__(self, nodes):
        self.nodes, self.actors, self.log, self.killed, self.puts, self.busy = nodes, [], [], [], 0, 0

    def remote(self, _seat):
        return SimpleNamespace(options=lambda **_: SimpleNamespace(remote=self._begin))

    def _begin(self, _threads):
        self.actors.append(Actor(self, len(self.actors)))
        return self.actors[-1]

    def put(self, value):
        self.puts += 1
        return Ref(value)

    def wait(self, refs, *, num_returns, timeout):
        return list(refs)[:num_returns], list(refs)[num_returns:]

    def get(self, ref):
        if ref.error is not None:
            raise ref.error
        return ref.value

    def kill(self, actor):
        self.killed.append(actor)


@pytest.fixture
def ray(monkeypatch):
    made = Ray(["a", "b"])
    monkeypatch.setattr(seats, "ray", made)
    return made


class Notes(Reporter):
    def __init__(self):
        self.said = []

    def note(self, text):
        self.said.append(text)


def workers(count=2, **rest):
    return RayWorkers(count, cpus=1, reporter=rest.get("reporter", Reporter()))


def test_every_piece_comes_back_once_with_its_place(ray):
    assert sorted(workers().run(lambda item, _: item * item, range(7))) == [(place, place * place) for place in range(7)]


def test_no_more_workers_are_begun_than_there_are_pieces(ray):
    assert list(workers(8).run(lambda item, _: item, [5])) == [(0, 5)]
    assert len(ray.actors) == 1


def test_the_work_is_sent_once_and_the_workers_stay(ray):
    def work(item, _):
        return item

    mine = workers()
    list(mine.run(work, range(4)))
    list(mine.run(work, range(4)))
    assert (ray.puts, len(ray.actors)) == (1, 2)
    list(mine.run(lambda item, _: -item, range(4)))
    assert (ray.puts, len(ray.actors)) == (2, 2)
    mine.close()
    assert len(ray.killed) == 2


def test_a_failing_piece_is_a_failure_and_an_unforeseen_error_comes_out_as_it_was(ray):
    def work(item, _):
        if item == 1:
            raise MemoryError("no room")
        if item == 2:
            raise KeyError("nobody foresaw it")
        return item

    assert dict(workers().run(work, [0, 1])) == {0: 0, 1: Failure("MemoryError: no room")}
    with pytest.raises(KeyError, match="nobody foresaw it"):
        list(workers().run(work, [2]))


def test_what_a_dead_worker_was_at_is_given_to_another_node(ray):
    died = []

    def work(item, node):
        if item == 3 and not died:
            died.append(node)
            raise Death(exceptions.ActorDiedError())
        return item

    notes = Notes()
    assert sorted(workers(reporter=notes).run(work, range(6))) == [(place, place) for place in range(6)]
    nodes = [node for item, node in ray.log if item == 3]
    assert len(nodes) == 2 and nodes[0] != nodes[1]
    assert notes.said == ["a worker ended; what it was at is tried again"]


def test_a_piece_that_takes_every_worker_down_is_given_up_and_the_rest_is_done(ray):
    def work(item, _):
        if item == 1:
            raise Death(exceptions.ActorDiedError())
        return item

    results = dict(workers().run(work, range(4)))
    assert isinstance(results.pop(1), Failure) and results == {0: 0, 2: 2, 3: 3}
    assert [item for item, _ in ray.log].count(1) == TRIES
    assert [item for item, _ in ray.log][-1] == 1  # what may take the next worker down, too, comes last


def test_out_of_memory_is_tried_once_more_and_said(ray):
    def work(item, _):
        raise Death(exceptions.OutOfMemoryError("Task was killed due to the node running low on memory."))

    assert list(workers().run(work, ["large"])) == [(0, Failure("WorkerDied: 2 workers in turn ran out of memory at this piece"))]
    assert len(ray.log) == MEMORY_TRIES


class Stoppable:
    def __init__(self):
        self.stop = Stop()

    def __call__(self, item, _node):
        return item


def test_a_request_to_stop_leaves_out_the_rest_and_ends_what_runs(ray):
    mine, work, got = workers(), Stoppable(), []
    for place, _ in mine.run(work, range(50)):
        got.append(place)
        work.stop.asked = True
    assert len(got) < 5
    assert list(mine.run(work, range(3))) == []


def test_work_that_knows_no_stop_is_finished(ray):
    assert len(list(workers().run(lambda item, _: item, range(3)))) == 3


def test_whoever_wants_no_more_leaves_no_piece_running(ray):
    running = workers(4).run(lambda item, _: item, range(50))
    next(running)
    running.close()
    assert ray.killed
