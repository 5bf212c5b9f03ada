from __future__ import annotations

import errno
import threading

import pytest

from tacit.examples.media_lists import Pack
from tacit.ground.progress import Reporter
from tacit.history.remotes import Unsound
from tacit.history.transfers import carry, patiently

PACKS = [Pack(f"{number:024x}.zip", 100 + number, f"{number:064x}") for number in range(9)]
SOON = (0.0, 0.0, 0.0)


class Watching(Reporter):
    def __init__(self) -> None:
        self.fractions: list[float] = []
        self.messages: list[str] = []
        self.notes: list[str] = []

    def progress(self, fraction: float, seconds_left: float | None, message: str = "") -> None:
        self.fractions.append(fraction)
        self.messages.append(message)

    def note(self, text: str) -> None:
        self.notes.append(text)


def run(work, *, packs=PACKS, jobs=3, alone=(Unsound,), reporter=None, waits=SOON):
    return carry(packs, work, jobs=jobs, alone=alone, reporter=reporter or Reporter(), waits=waits)


def test_every_pack_goes_through_and_all_bytes_are_counted():
    reporter = Watching()

    def work(pack, tell):
        for _ in range(2):
            tell(pack.bytes // 4)  # a library may tell less, or more, than there was

    outcome = run(work, reporter=reporter)
    assert sorted(outcome.done) == PACKS and not outcome.failed and outcome.fatal is None
    assert reporter.fractions[-1] == 1.0 and "9 of 9 packs" in reporter.messages[-1] and "/s" in reporter.messages[-1]


def test_a_passing_error_is_tried_again_and_its_bytes_are_taken_back():
    reporter, tries = Watching(), dict.fromkeys(PACKS, 0)

    def work(pack, tell):
        tries[pack] += 1
        tell(pack.bytes)
        if tries[pack] < 3:
            raise ConnectionResetError("the line went dead")

    outcome = run(work, reporter=reporter)
    assert sorted(outcome.done) == PACKS and set(tries.values()) == {3}
    assert max(reporter.fractions) <= 1.0 and reporter.fractions[-1] == 1.0
    assert sum("the line went dead; trying again" in note for note in reporter.notes) == 2 * len(PACKS)


def test_an_error_that_comes_back_every_time_ends_everything():
    calls = []

    def work(pack, tell):
        calls.append(pack)
        raise TimeoutError("nobody answers")

    outcome = run(work, jobs=1)
    assert isinstance(outcome.fatal, TimeoutError) and calls == [PACKS[0]] * 4 and not outcome.done


@pytest.mark.parametrize(
    "error", [PermissionError("no"), OSError(errno.ENOSPC, "full"), OSError(errno.EROFS, "read-only"), FileNotFoundError("no bucket")]
)
def test_an_error_that_will_not_pass_is_not_tried_again(error):
    calls = []

    def work(pack, tell):
        calls.append(pack)
        raise error

    assert run(work, jobs=1).fatal is error and len(calls) == 1


def test_an_unsound_pack_stands_alone():
    def work(pack, tell):
        if pack is PACKS[4]:
            raise Unsound("the remote", "other bytes")

    outcome = run(work)
    assert list(outcome.failed) == [PACKS[4]] and len(outcome.done) == 8 and outcome.fatal is None


def test_transfers_under_way_stop_when_one_has_failed_for_good():
    under_way = threading.Event()
    told = []

    def work(pack, tell):
        if pack is PACKS[0]:
            under_way.wait(5)
            raise PermissionError("no")
        while True:  # would never end by itself
            under_way.set()
            told.append(pack)
            tell(0)

    outcome = run(work, packs=PACKS[:2], jobs=2)
    assert isinstance(outcome.fatal, PermissionError) and not outcome.done and told


def test_an_interruption_comes_out_and_leaves_no_threads():
    before = threading.active_count()

    class Interrupting(Reporter):
        def progress(self, fraction, seconds_left, message=""):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):  # raised in a thread, it comes out where the threads are waited for
        run(lambda pack, tell: None, reporter=Interrupting())
    assert threading.active_count() == before


def test_asking_is_repeated_unless_it_is_no_use():
    answers = [ConnectionError("away"), 7]

    def ask():
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert patiently(ask, reporter=Reporter(), waits=SOON) == 7
    answers = [PermissionError("no"), 7]
    with pytest.raises(PermissionError):
        patiently(ask, reporter=Reporter(), waits=SOON)
    answers = [ConnectionError("away")] * 4
    with pytest.raises(ConnectionError):
        patiently(ask, reporter=Reporter(), waits=SOON)
