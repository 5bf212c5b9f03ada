"""Train a cut network on, taught by the network that it was cut from.

The whole network's scores for the same (augmented) examples are the target beside the labels. Source: Hinton, Vinyals and Dean 2015,
"Distilling the Knowledge in a Neural Network".
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tacit.search.devices import multiplies_bfloat16
from tacit.search.recipe import Recipe
from tacit.search.schedule import Progress
from tacit.search.training import Task, Term, Training
from tacit.search.trials import WIDE
from tacit.signature.base import Joint, OutputType

#: The weight of the teacher's part of the loss; the labels have the rest. Temperature of both softmaxes. Tried: docs/howto/resize.md.
TAUGHT, TEMPERATURE = 0.7, 2.0
#: The peak of the rate as a part of that from scratch, and the part of the steps in which it is reached.
RATE, WARMUP = 0.3, 0.05
#: Steps as a part of those that the original took, where nothing else is said.
SHARE = 0.5


class Teacher:
    """A term of the loss (`tacit.search.training.Term`): how far the scores are from those of the network before it was cut."""

    def __init__(self, network: nn.Module, device: torch.device) -> None:
        self.network = copy.deepcopy(network).to(device).eval()
        if any(parameter.ndim == 4 for parameter in self.network.parameters()):
            self.network = self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.body: nn.Module = getattr(self.network, "behind_front", self.network)

    def __call__(self, training: Training, arrays: tuple[Tensor, ...], scores: Tensor) -> Tensor:
        """Give the loss of float32[batch, score] (or [batch, member, score]) for the arrays of a batch."""
        with torch.no_grad(), torch.autocast(training.device.type, torch.bfloat16, enabled=training.low_precision):
            wanted: Tensor = self.body(*arrays).float()
        if scores.ndim == 3:
            wanted = wanted.repeat_interleave(scores.shape[1], dim=0)
            scores = scores.flatten(0, 1)
        return TAUGHT * apart(scores, wanted, training.task.signature.output)


def apart(scores: Tensor, wanted: Tensor, output: OutputType) -> Tensor:
    """Give how far scores float32[batch, score] are from wanted ones, as the loss of the output type counts it."""
    if isinstance(output, Joint):
        total = scores.new_zeros(())
        at = 0
        for part in output.parts:
            own, theirs = (tensor[:, at : at + part.width] for tensor in (scores, wanted))
            total, at = total + apart(own, theirs, part), at + part.width
        return total
    return _APART.get(output.loss, _squares)(scores, wanted)


def _classes(scores: Tensor, wanted: Tensor) -> Tensor:
    shares = torch.softmax(wanted / TEMPERATURE, dim=1)
    return TEMPERATURE**2 * F.kl_div(torch.log_softmax(scores / TEMPERATURE, dim=1), shares, reduction="batchmean")


def _answers(scores: Tensor, wanted: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(scores, torch.sigmoid(wanted))


def _squares(scores: Tensor, wanted: Tensor) -> Tensor:
    return F.mse_loss(scores, wanted)


_APART: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"cross_entropy": _classes, "binary_cross_entropy": _answers}


def retraining_recipe(recipe: Recipe) -> Recipe:
    """Give the recipe for a network that was cut: most of what it knows is there already, and the teacher smooths the labels."""
    return dataclasses.replace(recipe, learning_rate=recipe.learning_rate * RATE, warmup=WARMUP, mixup=0.0)


def retraining(
    task: Task, network: nn.Module, teacher: nn.Module, recipe: Recipe, progress: Progress, *, seed: int, augment: bool
) -> Training:
    """Make the run that trains a cut network on. recipe: of `retraining_recipe`. teacher: the network that it was cut from."""
    device = task.train.targets.device
    wide = max(parameter.numel() for parameter in network.parameters()) >= WIDE
    low = recipe.precision == "bfloat16" or (recipe.precision is None and wide and multiplies_bfloat16(device))
    terms: tuple[Term, ...] = (Teacher(teacher, device),)
    return Training(task, network, recipe, progress, seed=seed, augment=augment, low_precision=low, terms=terms, own=1.0 - TAUGHT)
