"""Train a binary of Go for the benchmark, in a cache: it is stopped and goes on, and its seconds of the processor are counted."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

import tacit
from tacit_programs.go import Go, Go5, Go7, Go9

#: What a size is trained with; `evaluations` is the mean of a move, for `full` of the moves have more and the rest fewer.
RECIPE: dict[str, Any] = {"evaluations": 64, "full": 0.33, "fast": 16, "games": 192, "opening": 4, "explore": 8, "reuse": 6, "keep": 60_000}


@dataclass(frozen=True)
class Training:
    """A run. minutes: by the clock; steps: games instead."""

    game: Go
    width: int
    depth: int
    minutes: float | None = None
    steps: int | None = None
    recipe: dict[str, Any] = field(default_factory=lambda: dict(RECIPE))

    def program(self) -> tacit.Program:
        budget = tacit.Budget(minutes=self.minutes, steps=self.steps)
        settings = {"width": self.width, "depth": self.depth}
        return tacit.Program(self.game.name, game=self.game, settings=settings, recipe=self.recipe, budget=budget, episodes=40)


TRAININGS = {
    "five": Training(Go5(), 32, 3, minutes=36),
    "seven": Training(Go7(), 32, 4, minutes=100),
    # Rounds of few games, so that a short run has several of them.
    "nine": Training(Go9(), 48, 5, minutes=20, recipe=RECIPE | {"games": 48}),
}
#: So many networks of a run are kept, to see how it learnt.
KEPT = 8


class Keeping(tacit.Reporter):
    """Count seconds of the processor, those of earlier parts of the run included, and keep networks on the way."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.begun = folder, time.process_time()
        self.path = folder / "seconds.json"
        self.before = json.loads(self.path.read_text())["seconds"] if self.path.exists() else 0.0
        self.kept = len(list(folder.glob("network-*.pt")))
        self.last = ""

    @property
    def seconds(self) -> float:
        return self.before + time.process_time() - self.begun

    def phase(self, name: str) -> None:
        print(f"{time.strftime('%H:%M:%S')} {name}", flush=True)

    def note(self, text: str) -> None:
        print(text, flush=True)

    def progress(self, fraction: float, seconds_left: float | None, message: str = "") -> None:
        print(f"{time.strftime('%H:%M:%S')} {fraction:.3f} {self.seconds:.0f} s {message}", flush=True)
        self.path.write_text(json.dumps({"seconds": self.seconds, "last": message}))
        state = self.folder / "run" / "state.safetensors"
        if fraction * KEPT >= self.kept + 1 and "games" in message and state.exists():
            self.kept += 1
            with safe_open(state, framework="pt") as file:
                names = [name for name in file.keys() if name.startswith("run.network.")]  # noqa: SIM118
                tensors = {name.removeprefix("run.network."): file.get_tensor(name) for name in names}
            kept = {"network": tensors, "seconds": self.seconds, "games": int(message.split()[0])}
            torch.save(kept, self.folder / f"network-{self.kept}.pt")


def train(case: str, seed: int, cache: Path) -> Path:
    """Give the binary of a case, trained or gone on with where it isn't in the cache."""
    folder = cache / "go" / f"{case}-seed-{seed}"
    binary = folder / f"{case}.tacit"
    if not binary.exists():
        torch.set_num_threads(1)
        (folder / "run").mkdir(parents=True, exist_ok=True)
        keeping = Keeping(folder)
        program = TRAININGS[case].program()
        compiled = tacit.compile(program, seed=seed, resume=True, run_directory=folder / "run", reporter=keeping)
        compiled.save(binary)
        keeping.path.write_text(json.dumps({"seconds": keeping.seconds}))
    return binary
