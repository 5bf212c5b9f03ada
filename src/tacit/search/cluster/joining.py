"""Start a Ray of this command's own, or join a cluster: quietly, with the same versions everywhere, and leave nothing behind."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
import sys
import sysconfig
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType
from typing import Any

import ray
from ray import cloudpickle
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from tacit.ground.errors import ConfigError, raise_all
from tacit.ground.processes import is_running
from tacit.ground.progress import Reporter
from tacit.search.cluster.address import Where, check_answers, parse_where
from tacit.search.cluster.seats import RayWorkers

#: What has to be the same on every node. Ray compares its own version and Python's when it is joined.
SAME = ("tacit", "torch", "numpy")
_PREFIX = "tacit-ray-"
_PROBE_SECONDS = 60.0


@contextlib.contextmanager
def join(text: str, *, reporter: Reporter) -> Iterator[RayWorkers]:
    """Give workers on Ray while the context lasts. text: what stands behind `ray` in ``--on``, see `parse_where`.

    Where this process uses Ray already, that one is taken and left running.
    Raises: ConfigError for an address that is not understood, does not answer, or whose nodes have other versions.
    """
    where = parse_where(text)
    _pickle_by_value()
    if ray.is_initialized():
        yield from _using(where, reporter)
        return
    with _started(where) if where.address is None else _joined(where.address):
        yield from _using(where, reporter)


def _using(where: Where, reporter: Reporter) -> Iterator[RayWorkers]:
    nodes = [node for node in ray.nodes() if node["Alive"]]
    cpus = int(sum(node["Resources"].get("CPU", 0) // where.cpus for node in nodes))
    count = where.workers or cpus
    if count < 1 or cpus < 1:
        raise ConfigError(f"expected nodes with {where.cpus} free CPUs, got {len(nodes)} nodes without", fix="ray start --num-cpus=N")
    if where.address is not None:
        _check_versions(nodes)
    place = "this machine" if where.address is None else f"{len(nodes)} node{'s' if len(nodes) > 1 else ''}"
    reporter.note(f"running on Ray: {min(count, cpus)} workers with {where.cpus} CPU{'s' if where.cpus > 1 else ''} each on {place}")
    workers = RayWorkers(min(count, cpus), cpus=where.cpus, reporter=reporter)
    try:
        yield workers
    finally:
        workers.close()


@contextlib.contextmanager
def _started(where: Where) -> Iterator[None]:
    """Start a Ray of this process's own. It ends with this process, even by `kill -9`; its logs lie in a folder that is removed."""
    base = Path(tempfile.gettempdir())
    if len(str(base)) > 30 and os.path.isdir("/tmp"):
        base = Path("/tmp")  # the sockets of Ray lie below, and the path of a socket has at most 107 characters
    _sweep(base)
    folder = tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=base)
    cpus = None if where.workers is None else where.workers * where.cpus
    try:
        with _own_signals():
            _start(num_cpus=cpus, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR, _temp_dir=folder)
        yield
    finally:
        _leave()
        shutil.rmtree(folder, ignore_errors=True)


def _start(**options: Any) -> None:
    """Start Ray; it waits for itself for half a minute, which a busy machine may need twice. Raises: ConfigError."""
    try:
        try:
            ray.init(**options)
        except Exception:
            ray.shutdown()
            ray.init(**options)
    except Exception as error:  # Ray raises whatever it likes, and plain `Exception` where its processes are late
        cause = " ".join(str(error).split())[:300]
        fix = "the same command when the machine is less busy, or without --on"
        raise ConfigError("expected Ray to start on this machine, and it did not - at `--on`", cause=cause, fix=fix) from error


@contextlib.contextmanager
def _joined(address: str) -> Iterator[None]:
    """Join a cluster that runs. Raises: ConfigError."""
    if address != "auto":
        check_answers(address)
    try:
        with _own_signals():
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError, AssertionError, TimeoutError, SystemExit) as error:
        text = " ".join(str(error).split())
        said = text if not isinstance(error, SystemExit) else "this machine is no node of that cluster, or Ray did not answer"
        if "mismatch" in text:
            fix = "install the same versions of Python and Ray on every machine"
            raise ConfigError(f"expected a cluster of the same versions - at `ray://{address}`", cause=said, fix=fix) from error
        fix = f"`ray start --address={address} --num-cpus=0` makes this machine one of its nodes, without work"
        if address == "auto":
            fix = "`ray start --head` starts one; --on ray uses this machine alone"
        raise ConfigError(f"expected a Ray cluster that can be joined - at `ray://{address}`", cause=said, fix=fix) from error
    try:
        yield
    finally:
        _leave()


def _leave() -> None:
    with contextlib.suppress(Exception), _own_signals():
        ray.shutdown()


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """Keep this process's answer to SIGTERM, which Ray replaces."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _sweep(base: Path) -> None:
    """Remove the folders of commands that were killed."""
    for folder in base.glob(f"{_PREFIX}*"):
        number = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if number.isdigit() and not is_running(int(number)):
            shutil.rmtree(folder, ignore_errors=True)


def _check_versions(nodes: list[dict[str, Any]]) -> None:
    """Compare the versions on every node with those here. Raises: ConfigError that names every node that differs."""
    mine = versions_here(SAME)
    asked = {}
    for node in nodes:
        strategy = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        probe = ray.remote(_apart(versions_here)).options(num_cpus=0, max_retries=0, scheduling_strategy=strategy)
        asked[probe.remote(SAME)] = node["NodeManagerAddress"]
    problems = []
    ready, late = ray.wait(list(asked), num_returns=len(asked), timeout=_PROBE_SECONDS)
    problems += [f"the node {asked[ref]} did not answer within {_PROBE_SECONDS:g} seconds" for ref in late]
    for ref in ready:
        try:
            theirs = ray.get(ref)
        except ray.exceptions.RayError as error:
            problems.append(f"the node {asked[ref]} can't run anything: {str(error).strip().splitlines()[-1]}")
            continue
        different = [f"{name} {theirs[name] or 'missing'} (here {mine[name]})" for name in mine if theirs[name] != mine[name]]
        if different:
            problems.append(f"the node {asked[ref]} has {', '.join(different)}")
    fix = "install the same versions on every machine: pip install 'tacit[train,ray]'"
    raise_all(sorted(set(problems)), heading="expected nodes with the same versions as here", fix=fix, error=ConfigError)


def versions_here(names: tuple[str, ...]) -> dict[str, str | None]:
    """Give the versions of Python and of packages where this runs; sent to nodes by value, for they may not have Tacit."""
    import importlib.metadata

    found: dict[str, str | None] = {"python": sys.version.split()[0]}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name).partition("+")[0]
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    return found


def _apart(function: Any) -> FunctionType:
    """Give a function that belongs to no module, so that it travels as code and not as a name."""
    found = FunctionType(function.__code__, {"sys": sys}, function.__name__)
    found.__module__ = "__main__"
    return found


def _pickle_by_value() -> None:
    """Let what a person wrote beside the program, such as a skeleton, travel as code: nodes can import installed packages only."""
    installed = [Path(path) for name, path in sysconfig.get_paths().items() if name in ("stdlib", "platstdlib", "purelib", "platlib")]
    installed.append(Path(__file__).parents[3])
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file is None or name == "__main__" or getattr(module, "__name__", None) != name:
            continue
        if not any(Path(file).is_relative_to(folder) for folder in installed):
            cloudpickle.register_pickle_by_value(module)
