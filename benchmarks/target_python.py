"""What a call from Python costs over the C that it runs: the compiled program through the native fast path, on one example."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

import contestants
from contestants import Contestant
from target_subjects import Subject

from tacit.binary.native import accelerate

MOST = "<= 5"


def title_of(program: str) -> str:
    """Give the name of the figure."""
    return f"Python call over the C, {program}, us"


def python_call(subject: Subject, our_c: Callable[..., Contestant], bench: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """Give the figures and targets: microseconds of a call with arrays, and of one with what a person has, over those of the C."""
    binary = subject.trained
    if binary is None:
        raise ValueError("expected a compiled program")
    native = accelerate(binary)
    if native.path is None:
        raise RuntimeError(f"expected a native library, got none: {native.reason}")
    c = our_c(subject.source, bench, bench.folder(subject.name, "python"), name="C")
    arrays = [array.astype(spec.dtype) for array, spec in zip(subject.draw(1, 0), binary.signature.input.arrays, strict=True)]
    c.answer(subject.draw(1, 0))
    run, value = binary.entry("main"), arrays[0][0]

    def entry(count: int) -> None:
        for _ in range(count):
            run(arrays)

    def scores(count: int) -> None:
        for _ in range(count):
            binary.scores(value)

    calls = [Contestant("arrays", entry, (), ()), Contestant("scores", scores, (), ())]
    times = contestants.take_turns([c, *calls], rounds=bench.rounds)
    over = {name: statistics.median(1e6 * (a - b) for a, b in zip(times[name], times["C"], strict=True)) for name in ("arrays", "scores")}
    title = title_of(subject.name)
    return {title: over["arrays"], f"{title}, reading the input too": over["scores"]}, {title: MOST}
