"""Record what was measured: one JSON file per benchmark, with the machine, the versions and every single value.

A number in a document comes from one of these files. A file is written whole or not at all, holds no host name and no path,
and keeps each seed's value beside the mean, so that a reader can judge the spread.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import re
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tacit.domains.board import these_versions

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
PACKAGES = (
    "tacit",
    "numpy",
    "torch",
    "scikit-learn",
    "scipy",
    "pyarrow",
    "pillow",
    "safetensors",
    "onnx",
    "onnxruntime",
    "wasmtime",
    "ziglang",
    "ray",
)


def data_folder() -> Path:
    """Give the folder of the shared data packs: `TACIT_DATA`, or `../shared/data` beside the repository."""
    folder = Path(os.environ.get("TACIT_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        raise SystemExit("expected a folder of data packs, found none\ntry: set TACIT_DATA to the folder that holds mnist/, adult/ ...")
    return folder


# --- the machine ---------------------------------------------------------------------------------------------------


def machine() -> dict[str, Any]:
    """Describe the machine by what decides speed: CPU model, cores, RAM, system, kernel. No host name."""
    return {
        "cpu": _from_file("/proc/cpuinfo", r"^model name\s*:\s*(.+)$") or platform.processor() or platform.machine(),
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "ram_gib": _ram_gib(),
        "system": _from_file("/etc/os-release", r'^PRETTY_NAME="?([^"\n]+)') or platform.system(),
        "kernel": platform.release(),
    }


def versions(packages: Sequence[str] = PACKAGES) -> dict[str, str]:
    """Give the versions of Python and of those of `packages` that are installed."""
    return these_versions(packages)


def commit(*paths: str) -> str:
    """Give the commit that last changed `paths` (default: the package itself), with ``+`` when they hold uncommitted changes."""
    paths = paths or ("src",)
    named = _git("log", "-1", "--format=%h", "--abbrev=12", "--", *paths)
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", *paths)
    return (named or "none") + ("+" if changed else "")


def load_average() -> float | None:
    """Give the load of the last minute, or None where the system has none: a figure from a busy machine must say so."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def _from_file(path: str, pattern: str) -> str | None:
    try:
        text = Path(path).read_text()
    except OSError:
        return None
    found = re.search(pattern, text, re.MULTILINE)
    return found.group(1).strip() if found else None


def _ram_gib() -> float | None:
    kibibytes = _from_file("/proc/meminfo", r"^MemTotal:\s*(\d+)")
    return round(int(kibibytes) / 2**20, 1) if kibibytes else None


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip()


# --- figures -------------------------------------------------------------------------------------------------------


def spread(values: Sequence[float]) -> dict[str, float | int]:
    """Give mean, sample standard deviation (absent for one value), min, max and count of `values`.

    >>> spread([1.0, 2.0, 3.0])
    {'mean': 2.0, 'std': 1.0, 'min': 1.0, 'max': 3.0, 'n': 3}
    """
    if not values:
        raise ValueError("expected at least one value, got none")
    found: dict[str, float | int] = {"mean": _rounded(statistics.fmean(values))}
    if len(values) > 1:
        found["std"] = _rounded(statistics.stdev(values))
    return {**found, "min": _rounded(min(values)), "max": _rounded(max(values)), "n": len(values)}


def ratio_of_medians(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Give median(ours) / median(theirs): steady when single timings are disturbed.

    >>> ratio_of_medians([2.0, 2.0, 90.0], [4.0, 4.0, 4.0])
    0.5
    """
    return _rounded(statistics.median(ours) / statistics.median(theirs))


@dataclass(frozen=True)
class Pair:
    """Times of two contestants that took turns, in seconds; `ratio` is median(first) / median(second).

    cpu_ratio: the same of the seconds that the process computed; on a busy machine it is the steadier one.
    """

    first: tuple[float, ...]
    second: tuple[float, ...]
    cpu_ratio: float

    @property
    def ratio(self) -> float:
        """Give the ratio of the medians."""
        return ratio_of_medians(self.first, self.second)

    @property
    def turns(self) -> tuple[float, ...]:
        """Give the ratio of each turn, first / second: their spread shows how far the ratio can be trusted."""
        return tuple(_rounded(a / b) for a, b in zip(self.first, self.second, strict=True))


def interleave(first: Callable[[], object], second: Callable[[], object], *, turns: int = 7, warm: int = 1) -> Pair:
    """Time two functions in turns, A B B A A B B A, in one process, so that a busy machine disturbs both alike.

    warm: unmeasured calls of each beforehand (compilation, caches).
    """
    for _ in range(warm):
        first(), second()
    times: tuple[list[float], list[float]] = ([], [])
    computed: tuple[list[float], list[float]] = ([], [])
    for turn in range(turns):
        order = ((0, first), (1, second)) if turn % 2 == 0 else ((1, second), (0, first))
        for which, function in order:
            start, computing = time.perf_counter(), time.process_time()
            function()
            times[which].append(time.perf_counter() - start)
            computed[which].append(time.process_time() - computing)
    return Pair(tuple(times[0]), tuple(times[1]), ratio_of_medians(*computed))


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")


# --- the record ----------------------------------------------------------------------------------------------------


def record(
    name: str,
    figures: Mapping[str, Any],
    *,
    command: str | Sequence[str] | None = None,
    target: Mapping[str, str] | None = None,
    notes: str | Sequence[str] | None = None,
    runs: Sequence[Mapping[str, Any]] | None = None,
    folder: Path = RESULTS,
) -> Path:
    """Write `<folder>/<name>.json` in one step and give its path.

    figures: name -> a number, a sequence of numbers (one per seed), or a mapping ``seed or fold -> number``; sequences and
    mappings of numbers gain their mean and spread. Any other JSON value is kept as it is. command: what was typed, to repeat it.
    target: figure -> ``">= 0.985"`` or ``"<= 5"``, compared with the mean, or ``"max <= 5"``.
    runs: one row per run, for benchmarks that continue.
    """
    summary = {key: _summary(value) for key, value in figures.items()}
    document: dict[str, Any] = {
        "name": name,
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%MZ"),
        "command": " ".join(command) if isinstance(command, (list, tuple)) else command,
        "commit": commit(),
        "machine": machine(),
        "load": load_average(),
        "versions": versions(),
        "figures": summary,
    }
    if target:
        document["target"] = {key: {"wanted": rule, "met": _met(summary.get(key), rule)} for key, rule in target.items()}
    if notes:
        document["notes"] = [notes] if isinstance(notes, str) else list(notes)
    if runs is not None:
        document["runs"] = [dict(run) for run in runs]
    path = folder / f"{name}.json"
    write_json(path, document)
    return path


def read_record(name: str, *, folder: Path = RESULTS) -> dict[str, Any] | None:
    """Give the record `name`, or None when there is none yet."""
    path = folder / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def write_json(path: Path, document: Any) -> None:
    """Write a JSON file whole or not at all. Raises: ValueError when it would hold a path of this machine or a NaN."""
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    for private in {str(Path.home()), str(ROOT), str(ROOT.parent), platform.node()}:
        if len(private) > 3 and private in text:
            raise ValueError(f"expected a record without paths or the host's name, found one ({private!r}) - in {path.name}")
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(f".{os.getpid()}.new")
    fresh.write_text(text)
    os.replace(fresh, path)


def command_line() -> str:
    """Give the command that started this process as a person would type it, without this machine's paths.

    An argument that is an absolute path is shown as ``PATH``.
    """
    script = Path(sys.argv[0]).resolve()
    shown = script.relative_to(ROOT) if script.is_relative_to(ROOT) else Path(script.name)
    shorter = [_without_path(argument) for argument in sys.argv[1:]]
    return shlex.join(["python", str(shown), *shorter])


def _without_path(argument: str) -> str:
    option, equals, value = argument.rpartition("=")
    return f"{option}{equals}PATH" if value.startswith(("/", "~")) else argument


def _summary(value: Any) -> Any:
    if isinstance(value, Mapping) and value and all(_number(item) for item in value.values()):
        each = {str(key): _rounded(item) for key, item in value.items()}
        return {"values": each, **spread(list(each.values()))}
    if isinstance(value, (list, tuple)) and value and all(_number(item) for item in value):
        return {"values": [_rounded(item) for item in value], **spread(value)}
    return _rounded(value) if _number(value) and not isinstance(value, int) else value


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _met(figure: Any, rule: str) -> bool | None:
    value = figure.get("mean") if isinstance(figure, dict) else figure
    if value is None:
        return None
    *which, sign, number = rule.split()
    if which and isinstance(figure, dict):
        value = figure[which[0]]
    return bool(value >= float(number)) if sign == ">=" else bool(value <= float(number))
