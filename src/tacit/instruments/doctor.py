"""The doctor: what is installed, what is missing and how to get it, and whether a program can be made and run here."""

from __future__ import annotations

import dataclasses
import importlib.util
import platform
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import numpy as np

from tacit.binary.loading import from_bytes
from tacit.binary.probes import check_probes
from tacit.examples.examples import Examples
from tacit.goals.goal import Goal
from tacit.ground.budget import Budget
from tacit.ground.digests import example_id
from tacit.ground.errors import TacitError
from tacit.ground.tables import EXTRAS, resolve
from tacit.instruments.layout import Grid, Part
from tacit.program import Program
from tacit.signature.outputs import Class
from tacit.signature.row import Row

FOUND, MISSING, FAILED = "found", "missing", "FAILED"

#: Package -> what it is for.
REQUIRED = {
    "numpy": "runs binaries",
    "pillow": "reads images",
    "safetensors": "reads binaries",
    "typer": "command line",
    "rich": "command line",
}
OPTIONAL = {
    "torch": "tacit compile",
    "pyarrow": "reads Parquet",
    "scikit-learn": "peers in benchmarks",
    "onnx": "ONNX target",
    "onnxruntime": "checks ONNX",
    "wasmtime": "checks WebAssembly",
    "fsspec": "media on s3://, hf:// ...",
}
_IMPORTED_AS = {"scikit-learn": "sklearn"}

#: Program -> names it goes by, what it is for, how to get it.
TOOLS: dict[str, tuple[tuple[str, ...], str, str]] = {
    "cc": (("cc", "gcc", "clang"), "builds the C target", "apt install gcc, or xcode-select --install"),
    "zig": (("zig",), "builds C for other machines, and WebAssembly", 'pip install "tacit[native]"'),
    "qemu": (("qemu-aarch64", "qemu-aarch64-static"), "runs C for other machines", "apt install qemu-user"),
    "valgrind": (("valgrind",), "counts instructions", "apt install valgrind"),
    "chromium": (("chromium", "chromium-browser", "google-chrome", "chrome"), "tests the WebAssembly target", "apt install chromium"),
}
_SECONDS = 20


@dataclass(frozen=True)
class Finding:
    """One line of the diagnosis; `essential`: the doctor fails when it does."""

    what: str
    state: str
    detail: str
    advice: str = ""
    essential: bool = False


@dataclass(frozen=True)
class Diagnosis:
    """Everything that `check` found."""

    findings: tuple[Finding, ...]

    @property
    def met(self) -> bool:
        """Tell whether nothing failed and nothing essential is missing."""
        return not any(finding.state == FAILED or (finding.essential and finding.state == MISSING) for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """Give JSON values."""
        return {"met": self.met, "findings": [dataclasses.asdict(finding) for finding in self.findings]}

    def parts(self) -> list[Part]:
        """Lay out for a person."""
        rows = tuple((finding.what, finding.state, finding.detail, finding.advice) for finding in self.findings)
        return [
            Grid("tacit check", ("what", "state", "detail", "to get it"), rows),
            "",
            "all is well" if self.met else "something is wrong: see above",
        ]


def check() -> Diagnosis:
    """Look at versions, packages and tools, and, with torch, compile built-in rows for a few seconds and run the binary."""
    machine = f"{platform.system()} {platform.machine()}"
    findings = [Finding("python", FOUND, f"{platform.python_version()} on {machine}")]
    findings.append(Finding("tacit", FOUND, resolve("tacit:__version__")))
    findings += [_package(name, purpose, essential=True) for name, purpose in REQUIRED.items()]
    findings += [_package(name, purpose) for name, purpose in OPTIONAL.items()]
    findings += [_tool(name) for name in TOOLS]
    findings.append(_trial())
    return Diagnosis(tuple(findings))


def _package(name: str, purpose: str, *, essential: bool = False) -> Finding:
    try:
        return Finding(name, FOUND, metadata.version(name), essential=essential)
    except metadata.PackageNotFoundError:
        extra = EXTRAS.get(_IMPORTED_AS.get(name, name))
        advice = f'pip install "tacit[{extra}]"' if extra else f"pip install {name}"
        return Finding(name, MISSING, purpose, advice, essential)


def _tool(name: str) -> Finding:
    commands, purpose, advice = TOOLS[name]
    path = next((path for command in commands if (path := shutil.which(command))), None)
    if path is None and name == "zig" and importlib.util.find_spec("ziglang") is not None:
        return Finding(name, FOUND, f"{sys.executable} -m ziglang")
    if path is None:
        return Finding(name, MISSING, purpose, advice)
    return Finding(name, FOUND, _first_line([path, "version" if name == "zig" else "--version"]) or path)


def _first_line(command: list[str]) -> str:
    """Give the first line that a program prints, empty when it does not answer."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=True, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.SubprocessError):
        return ""
    return next(iter(done.stdout.strip().splitlines()), "")[:60]


def _trial() -> Finding:
    """Compile a program on built-in rows, write and read it, and hold it to what it must say."""
    what = "a program made and run"
    started = time.monotonic()
    try:
        program = trial_program()
        binary = from_bytes(resolve("tacit.compiler:compile")(program, seed=0, device="cpu").to_bytes())
    except TacitError as error:
        missing = importlib.util.find_spec("torch") is None
        return Finding(what, MISSING if missing else FAILED, error.message.splitlines()[0], error.fix or "")
    except Exception as error:  # the doctor names whatever is wrong
        return Finding(what, FAILED, f"{type(error).__name__}: {error}".splitlines()[0])
    test = program.examples.split("test")
    accuracy = float((binary.evaluate(test).argmax(axis=1) == test.targets).mean())
    answers = [binary({"width": 1.0, "height": 3.0}), binary({"width": 3.0, "height": 1.0})]
    sound = accuracy >= 0.9 and answers == ["tall", "wide"] and all(result.met for result in check_probes(binary))
    detail = f"{accuracy:.3f} of {len(test)} answers right, {time.monotonic() - started:.1f} s"
    return Finding(what, FOUND if sound else FAILED, detail)


def trial_program(count: int = 600) -> Program:
    """Give a program that any healthy installation learns in a second: is a rectangle wide or tall?"""
    random = np.random.default_rng(0)
    sides = random.uniform(0.5, 4.0, (count, 2)).astype(np.float32)
    sides[:, 1] = np.where(np.abs(sides[:, 0] - sides[:, 1]) < 0.1, sides[:, 1] + 0.3, sides[:, 1])
    signature = Row(numbers=("width", "height")) >> Class("tall", "wide")
    splits = np.array(["train", "validation", "test"])[random.choice(3, count, p=[0.7, 0.15, 0.15])]
    ids = np.array([example_id(row.tobytes()) for row in sides])
    inputs = (sides, np.ones((count, 2), np.uint8))
    targets = (sides[:, 0] > sides[:, 1]).astype(np.int64)
    examples = Examples(signature, ids, inputs, targets, splits, labels_digest="built-in rectangles")
    return Program("rectangles", signature, examples, (Goal("accuracy", 0.9),), skeleton="mlp", budget=Budget(steps=100))
