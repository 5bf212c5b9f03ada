"""Before a whole is trained: what reads the answers of others gets used to reading their doubts.

The first parts stay as they are and run once over the joint examples, so that this costs next to nothing. Without it the first steps of
training the whole would undo in the first parts what the later ones only have not met yet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from tacit.goals.table import metric_of
from tacit.ground.progress import Reporter
from tacit.melding.fitting import Leaf
from tacit.melding.goals import own_goal_of
from tacit.melding.network import Melded
from tacit.search.columns import Columns, Order, seed_of
from tacit.search.losses import LOSSES
from tacit.search.recipe import Recipe
from tacit.search.schedule import one_cycle
from tacit.search.training import Task

#: So many of the answers on joint examples pass between parts as more than one class (a share), to be tried.
UNSURE = (0.1, 0.5)
STEPS, BATCH, RATE = 150, 128, 2e-3


def acclimatise(
    melded: Melded, scores: Mapping[str, Sequence[np.ndarray]], task: Task, recipe: Recipe, *, seed: int, reporter: Reporter
) -> float | None:
    """Choose the margins between parts and train what reads the answers of others, in place; give the share of unsure answers chosen.

    scores: split -> those of each use on the joint examples, float32[example, score]. None where no part reads another.
    """
    readers = [place for place, use in enumerate(melded.wiring.uses) if any(not isinstance(given, Leaf) for given in use.inputs)]
    if not readers:
        return None
    reporter.phase("getting used to each other")
    first = [place for place in range(len(melded.wiring.uses)) if place not in readers]
    known = {split: {place: torch.from_numpy(found[place]) for place in first} for split, found in scores.items()}
    start = {name: tensor.clone() for name, tensor in melded.state_dict().items()}
    best: tuple[float, float, dict[str, Tensor]] | None = None
    for share in UNSURE if "validation" in known else UNSURE[:1]:
        melded.load_state_dict(start)
        for place in readers:
            for slot, given in enumerate(melded.wiring.uses[place].inputs):
                if not isinstance(given, Leaf):
                    adapter = melded.adapter(place, slot)
                    adapter.settle({other: scores["train"][other] for other in adapter.widths}, share)
        _train(melded, readers, task, known["train"], recipe, seed)
        score = _score(melded, task, known["validation"]) if "validation" in known else 0.0
        reporter.note(f"with {share:.0%} of the answers passed on as doubts: {task.goal.metric} {abs(score):.4f} on validation")
        if best is None or score > best[0]:
            best = score, share, {name: tensor.clone() for name, tensor in melded.state_dict().items()}
    if best is None:
        return None
    melded.load_state_dict(best[2])
    return best[1]


def _train(melded: Melded, readers: Sequence[int], task: Task, known: Mapping[int, Tensor], recipe: Recipe, seed: int) -> None:
    """Train the parts that read others, and what passes into them, on what the first parts gave."""
    parts = sorted({melded.wiring.uses[place].part for place in readers})
    modules = [*(melded.networks[part] for part in parts), melded.adapters]
    parameters = [parameter for module in modules for parameter in module.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=RATE, weight_decay=recipe.weight_decay, fused=True)
    order = Order(len(task.train), BATCH, seed_of(seed, "acclimatise"))
    here = torch.device("cpu")
    own = [own_goal_of(melded, part, 1.0, batch=BATCH, seed=seed, device=here) for part in parts]
    output = task.signature.output
    melded.train()
    for step in range(STEPS):
        torch.manual_seed(seed_of(seed, "acclimatise", step))
        rows = order.rows(step)
        arrays, targets = _rows(task.train, rows)
        found = melded.run(arrays, {place: tensor[rows] for place, tensor in known.items()})
        loss = LOSSES.get(output.loss)(found, targets, output=output, smoothing=recipe.label_smoothing, weights=None)
        loss = sum((term.at(step, augmented=False) for term in own if term is not None), loss)
        for group in optimiser.param_groups:
            group["lr"] = RATE * one_cycle(step / STEPS, warmup=0.1)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()


def _rows(columns: Columns, rows: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
    arrays, targets = columns.rows(rows)
    return tuple(array.cpu() for array in arrays), targets.cpu()


def _score(melded: Melded, task: Task, known: Mapping[int, Tensor]) -> float:
    """Give the goal's metric on validation, greater being better."""
    data = task.validation
    melded.eval()
    with torch.no_grad():
        found = melded.run(data.rows(slice(None))[0], known).numpy()
    metric = metric_of(task.goal)
    value = float(metric(found, data.targets.cpu().numpy(), task.signature.output))
    return value if metric.higher_is_better else -value
