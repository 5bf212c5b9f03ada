"""What Tacit's training loop costs: its steps per second against a bare loop written by hand, taking turns in one process.

    python benchmarks/overhead.py [--turns N] [--seconds S] [--cache DIR]

Both train the same network on the same examples with the same batch, optimiser, loss, precision, schedule and augmentation. The
bare loop is what a person would write for this one case: plain tensors, `randperm`, `torch.optim`, a shift by padding and
indexing. Tacit's side is the whole of its loop: `Training.step`, planning by the clock, checkpoints when they are due, progress.
The figure is the ratio of the medians over the turns, bare seconds / Tacit's seconds: 1 is no overhead.
"""

from __future__ import annotations

import argparse
import copy
import math
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import datasets
import harness
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tacit.directory.adopting import adopt
from tacit.directory.reading import read_program
from tacit.ground.budget import Meter
from tacit.ground.progress import Reporter
from tacit.program import Program
from tacit.search.columns import columns
from tacit.search.devices import multiplies_bfloat16
from tacit.search.recipe import recipe_for
from tacit.search.running import Clock, Runner, Stop
from tacit.search.schedule import Progress
from tacit.search.training import Task, Training
from tacit.skeletons.table import network_for, skeleton_for

#: title -> data set, label column, settings of the skeleton, whether examples are augmented. Pictures alone are shifted by hand.
CASES: dict[str, tuple[str, str | None, Mapping[str, Any], bool]] = {
    "fashion-mnist, width 32": ("fashion-mnist", None, {"width": 32, "depth": 1}, False),
    "fashion-mnist, width 32, augmented": ("fashion-mnist", None, {"width": 32, "depth": 1}, True),
    "digits, width 16, augmented": ("digits", None, {"width": 16, "depth": 1}, True),
    "adult": ("adult", "income", {}, False),
}


def tacit_loop(program: Program, network: nn.Module, folder: Path, *, augment: bool, low: bool) -> Callable[[int], None]:
    """Give a function that takes so many steps in Tacit's loop."""
    train, validation = (columns(program.examples.split(name), _CPU) for name in ("train", "validation"))
    task = Task(program.signature, train, validation, program.goals[0])
    recipe = recipe_for(program.signature, program.recipe, examples=len(task.train))
    training = Training(task, network, recipe, Progress([(0, 1_000_000)]), seed=0, augment=augment, low_precision=low)
    meter = Meter(3600.0)
    clock = Clock(lambda: 1e6, 1_000_000)  # so far away that the plan stays as it is
    runner = Runner(training, reporter=Reporter(), stop=Stop(), clock=clock, checkpoint=folder / "state.safetensors", meter=meter)

    def steps(count: int) -> None:
        for _ in range(count):
            training.step()
            if not math.isfinite(training.loss):
                raise RuntimeError("expected a finite loss")
            runner._keep_time()

    return steps


def bare_loop(program: Program, network: nn.Module, *, augment: bool, low: bool) -> Callable[[int], None]:
    """Give a function that takes so many steps in a loop written by hand for this case."""
    train = program.examples.split("train")
    recipe = recipe_for(program.signature, program.recipe, examples=len(train))
    arrays = [torch.from_numpy(array) for array in train.inputs]
    targets = torch.from_numpy(train.targets).long()
    if any(parameter.ndim == 4 for parameter in network.parameters()):
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    kernels = [parameter for parameter in network.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in network.parameters() if parameter.ndim <= 1]
    groups = [{"params": kernels, "weight_decay": recipe.weight_decay}, {"params": others, "weight_decay": 0.0}]
    optimiser: torch.optim.Optimizer
    if recipe.optimiser == "sgd":
        optimiser = torch.optim.SGD(groups, lr=recipe.learning_rate, momentum=recipe.momentum, nesterov=True)
    else:
        optimiser = torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.99))
    state = {"order": torch.empty(0, dtype=torch.int64), "step": 0}
    total = 1_000_000

    def steps(count: int) -> None:
        network.train()
        for _ in range(count):
            if len(state["order"]) < recipe.batch:  # type: ignore[arg-type]
                state["order"] = torch.randperm(len(targets))
            rows, state["order"] = state["order"][: recipe.batch], state["order"][recipe.batch :]  # type: ignore[index]
            inputs = [array[rows] if array.dtype == torch.int32 else array[rows].float() for array in arrays]
            if augment:
                inputs = [shifted(inputs[0])]
            fraction = state["step"] / total  # type: ignore[operator]
            for group in optimiser.param_groups:
                group["lr"] = recipe.learning_rate * min((fraction + 0.003) / 0.15, (1 - fraction) / 0.85)
            with torch.autocast("cpu", torch.bfloat16, enabled=low):
                scores = network(*inputs)
            loss = F.cross_entropy(scores.float(), targets[rows], label_smoothing=recipe.label_smoothing)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            state["step"] += 1  # type: ignore[operator]

    return steps


def shifted(x: Tensor) -> Tensor:
    """Move each picture float32[batch, row, column, channel] by up to a twelfth, edges repeated."""
    count, rows, columns_, _ = x.shape
    reach = max(1, round(rows / 12))
    down, across = torch.randint(-reach, reach + 1, (2, count, 1))
    row = (torch.arange(rows) + down).clamp_(0, rows - 1)
    column = (torch.arange(columns_) + across).clamp_(0, columns_ - 1)
    return x[torch.arange(count)[:, None, None], row[:, :, None], column[:, None, :]]


def steps_for(loop: Callable[[int], None], seconds: float) -> int:
    """Give how many steps take about so many seconds."""
    loop(3)
    started = time.perf_counter()
    loop(5)
    return max(5, round(seconds / ((time.perf_counter() - started) / 5)))


def measure(title: str, options: argparse.Namespace, work: Path) -> harness.Pair:
    """Take turns; give the seconds of bare and Tacit's blocks of equally many steps."""
    data_set, label, settings, augment = CASES[title]
    program = read_program(adopt(datasets.make(data_set, options.cache), beside=work, label=label))
    skeleton, inputs = skeleton_for(program.signature, program.skeleton), program.examples.split("train").inputs
    network = network_for(skeleton, program.signature, settings, inputs=inputs, seed=0)
    wide = max(parameter.numel() for parameter in network.parameters()) >= 16_384  # the rule of tacit.search.search
    low = wide and multiplies_bfloat16(_CPU)
    ours = tacit_loop(program, copy.deepcopy(network), work, augment=augment, low=low)
    bare = bare_loop(program, copy.deepcopy(network), augment=augment, low=low)
    count = steps_for(bare, options.seconds)
    ours(5)
    pair = harness.interleave(lambda: bare(count), lambda: ours(count), turns=options.turns)
    print(f"{title}: {pair.ratio:.3f} (CPU {pair.cpu_ratio:.3f}) of the bare loop's steps per second", pair.turns, count, flush=True)
    return pair


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare Tacit's training loop with a bare one.")
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=3.0, help="about how long a block takes")
    parser.add_argument("--cache", type=Path, default=datasets.default_cache())
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pairs = {title: measure(title, options, Path(folder)) for title in CASES}
    figures: dict[str, Any] = {f"share of the bare loop's steps per second: {title}": pair.ratio for title, pair in pairs.items()}
    figures |= {f"by CPU seconds: {title}": pair.cpu_ratio for title, pair in pairs.items()}
    figures |= {f"turns: {title}": list(pair.turns) for title, pair in pairs.items()}
    figures["threads"] = torch.get_num_threads()
    target = {name: ">= 0.9" for name in figures if name.startswith("share")}
    harness.record("overhead", figures, command=harness.command_line(), target=target)


_CPU = torch.device("cpu")

if __name__ == "__main__":
    main()
