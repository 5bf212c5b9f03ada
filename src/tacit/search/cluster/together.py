"""Train one network on several workers: Ray Train sets up the processes, `tacit.search.sharing` lets them take the same steps.

The workers see no folder of this machine. A relay carries what the leading one reports, keeps and gives to this process, and a
request to stop the other way. A worker that dies takes the group with it; a new group goes on from what was kept last.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
import ray.train
import ray.train.torch
import torch
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
from torch import nn

from tacit.ground.budget import Meter
from tacit.ground.errors import TacitError
from tacit.ground.files import write_atomic
from tacit.ground.progress import Reporter
from tacit.search.running import Clock, Outcome, Runner, Stop
from tacit.search.sharing import take_part
from tacit.search.training import State, Training

#: How often a group is set up anew before this process goes on alone.
TRIES = 2
_LOOK, _REPORT = 0.3, 0.25


@dataclass(frozen=True, eq=False)
class Job:
    """A run to be driven elsewhere, as far as it has come. seconds: left by the clock (None: the plan is in steps)."""

    training: Training
    best: State | None
    best_score: float
    history: list[dict[str, float | None]]
    slack: float
    seconds: float | None
    most_steps: int
    elapsed: float


@dataclass(frozen=True, eq=False)
class Given:
    """What the leading worker gives in the end."""

    outcome: Outcome
    tensors: State
    values: dict[str, Any]


class Relay:
    """What this process and the leading worker tell one another."""

    def __init__(self) -> None:
        self._latest: tuple[float, float | None, str] | None = None
        self._notes: list[str] = []
        self._kept: bytes | None = None
        self._news: bytes | None = None
        self._given: Any = None
        self._stop = False

    def report(self, fraction: float, left: float | None, message: str) -> bool:
        """Take a report and say whether to stop."""
        self._latest = (fraction, left, message)
        return self._stop

    def note(self, text: str) -> None:
        """Take a line for the person."""
        self._notes.append(text)

    def keep(self, content: bytes) -> None:
        """Take a checkpoint."""
        self._kept = self._news = content

    def kept(self) -> bytes | None:
        """Give the last checkpoint."""
        return self._kept

    def give(self, given: Any) -> None:
        """Take the result."""
        self._given = given

    def given(self) -> Any:
        """Give the result, or None."""
        return self._given

    def news(self, stop: bool) -> tuple[tuple[float, float | None, str] | None, list[str], bytes | None]:
        """Give what is new: progress, notes, a checkpoint. stop: ask the workers to end."""
        self._stop = self._stop or stop
        found = self._latest, self._notes, self._news
        self._latest, self._notes, self._news = None, [], None
        return found


def finish_together(runner: Runner, *, workers: int, cpus: int) -> Outcome:
    """Drive a run to its end on several workers; what it leaves is in `runner` as if it had been driven here.

    When the workers fail for good, this process goes on alone from what was kept last.
    """
    training = runner.training
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
    relay = ray.remote(Relay).options(num_cpus=0, scheduling_strategy=here).remote()
    clock = runner.clock
    elapsed = runner.meter.elapsed() if runner.meter is not None else 0.0
    seconds, most = (None, 0) if clock is None else (clock.left(), clock.most_steps)
    job = Job(training, runner.best, runner.best_score, runner.history, runner.slack, seconds, most, elapsed)
    fitting = ray.remote(_fit).options(num_cpus=0, max_retries=0, scheduling_strategy=here)
    ending = fitting.remote([ray.put(job)], relay, workers, cpus, time.time())
    given: Given | None = None
    try:
        while not ray.wait([ending], timeout=_LOOK)[0]:
            _pass_on(relay, runner)
        failure = ray.get(ending)
        _pass_on(relay, runner)
        given = ray.get(relay.given.remote())
    except ray.exceptions.RayError as error:
        failure = str(error)
    finally:
        with contextlib.suppress(Exception):
            ray.cancel(ending, force=True)
            ray.kill(relay)
    if given is None:
        reason = " ".join(str(failure).split())[:200]
        runner.reporter.note(f"training together failed ({reason}); this process goes on alone")
        runner.resume()
        return runner.finish()
    training.restore(given.tensors, given.values)
    training.shared_by = workers
    runner.history[:] = given.outcome.history
    runner.best, runner.best_score = given.outcome.weights, given.outcome.score
    runner.save()
    return given.outcome


def _pass_on(relay: Any, runner: Runner) -> None:
    latest, notes, kept = ray.get(relay.news.remote(runner.stop.asked))
    for text in notes:
        runner.reporter.note(text)
    if latest is not None:
        runner.reporter.progress(*latest)
    if kept is not None and runner.checkpoint is not None:
        with contextlib.suppress(TacitError):
            write_atomic(runner.checkpoint, kept)


def _fit(boxed: list[Any], relay: Any, workers: int, cpus: int, begun: float) -> str | None:
    """Let Ray Train run `_take_part` on every worker; give why it failed, or None."""
    logging.disable(logging.WARNING)
    folder = tempfile.mkdtemp(prefix="tacit-train-")
    try:
        trainer = ray.train.torch.TorchTrainer(
            _take_part,
            train_loop_config={"job": boxed, "relay": relay, "cpus": cpus, "begun": begun},
            scaling_config=ray.train.ScalingConfig(
                num_workers=workers, resources_per_worker={"CPU": cpus}, placement_strategy="SPREAD", use_gpu=False
            ),
            run_config=ray.train.RunConfig(name="tacit", storage_path=folder, failure_config=ray.train.FailureConfig(max_failures=TRIES)),
            torch_config=ray.train.torch.TorchConfig(backend="gloo"),
        )
        trainer.fit()
    except Exception as error:  # whatever it is, the run goes on without Ray Train
        return f"{type(error).__name__}: {error}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return None


def _take_part(config: dict[str, Any]) -> None:
    """Be one worker of the group."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(config["cpus"])
    relay, job = config["relay"], ray.get(config["job"][0])
    folder = Path(tempfile.mkdtemp(prefix="tacit-train-"))
    try:
        checkpoint = folder / "state.safetensors"
        kept = ray.get(relay.kept.remote())
        if kept is not None:
            checkpoint.write_bytes(kept)
        reporter = _Far(relay, checkpoint)
        runner = _runner(job, reporter, checkpoint, config["begun"])
        if kept is not None:
            runner.resume()
        outcome = take_part(job.training, _wrapped, runner.finish)
        if outcome is not None:
            ray.get(relay.give.remote(Given(outcome, *job.training.state())))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wrapped(body: nn.Module) -> nn.Module:
    """Wrap in DistributedDataParallel; the buffers are those of batch norms, which are the same everywhere already."""
    found: nn.Module = ray.train.torch.prepare_model(
        body, move_to_device=False, parallel_strategy="ddp", parallel_strategy_kwargs={"broadcast_buffers": False}
    )
    return found


def _runner(job: Job, reporter: _Far, checkpoint: Path, begun: float) -> Runner:
    """Make the runner of a worker. begun: `time.time()` of when the seconds were counted."""
    seconds = job.seconds
    clock = None if seconds is None else Clock(lambda: max(0.0, seconds - (time.time() - begun)), job.most_steps)
    meter = Meter(None, start=time.monotonic() - job.elapsed - (time.time() - begun))
    runner = Runner(job.training, reporter=reporter, stop=reporter.stop, clock=clock, checkpoint=checkpoint, meter=meter, slack=job.slack)
    runner.best, runner.best_score, runner.history = job.best, job.best_score, list(job.history)
    return runner


class _Far(Reporter):
    """Report to the process that asked, now and then; `stop` is set when that wants it."""

    def __init__(self, relay: Any, checkpoint: Path) -> None:
        self.stop = Stop()
        self._relay, self._checkpoint = relay, checkpoint
        self._asked: Any = None
        self._last, self._sent = 0.0, self._time()

    def progress(self, fraction: float, seconds_left: float | None, message: str = "") -> None:
        """Send a report when the last one is old enough, and a checkpoint when there is a new one."""
        now = time.monotonic()
        if now - self._last < _REPORT:
            return
        self._last = now
        if self._asked is not None and ray.wait([self._asked], timeout=0)[0]:
            self.stop.asked = self.stop.asked or bool(ray.get(self._asked))
            self._asked = None
        if self._asked is None:
            self._asked = self._relay.report.remote(fraction, seconds_left, message)
        saved = self._time()
        if saved != self._sent:
            self._sent = saved
            self._relay.keep.remote(self._checkpoint.read_bytes())

    def note(self, text: str) -> None:
        """Send a line."""
        self._relay.note.remote(text)

    def _time(self) -> int:
        return os.stat(self._checkpoint).st_mtime_ns if self._checkpoint.exists() else 0
