"""One run of gradient descent that can be stopped at any step, saved, and continued with the same result.

Everything random at step t is a function of the seed and t, so the state is small: weights, optimiser, progress, and what was
learnt about the examples on the way (`Dynamics`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from tacit.goals.goal import Goal
from tacit.search.augmentation import AUGMENTATIONS
from tacit.search.columns import FOCUS_UNTIL, Columns, Focus, Order, seed_of
from tacit.search.dynamics import HOLDING, Dynamics, counts_from
from tacit.search.losses import LOSSES, class_weights
from tacit.search.optimisers import OPTIMISERS
from tacit.search.planes import check_takes_smaller, effort_left, share_at, shrunk
from tacit.search.recipe import Recipe
from tacit.search.schedule import Progress, one_cycle
from tacit.signature.signature import Signature

State = dict[str, Tensor]

#: A further term of the loss: (the run, arrays of the batch [batch, ...] as the network was given them, its scores) -> a scalar.
Term = Callable[["Training", tuple[Tensor, ...], Tensor], Tensor]


class Spread(Protocol):
    """Share the work of each step with other processes that take the same steps; `tacit.search.sharing` has one."""

    def begin(self, training: Training) -> None:
        """Agree on the step that comes now."""

    def scores(self, training: Training, arrays: tuple[Tensor, ...]) -> Tensor:
        """Give the scores of the whole batch; the gradient runs through this process's part of them."""

    def backward(self, loss: Tensor) -> None:
        """Go back from the loss of the whole batch, and leave the gradient of the whole in every process."""


@dataclass(frozen=True, eq=False)
class Task:
    """What a run learns from: the columns of training and validation examples, the signature and the first goal."""

    signature: Signature
    train: Columns
    validation: Columns
    goal: Goal


@dataclass(frozen=True, eq=False)
class Mix:
    """Blend each example with a partner (Zhang et al. 2018, "mixup"): share of its own, and int64[batch] partners."""

    share: float
    partners: Tensor

    def blend(self, array: Tensor) -> Tensor:
        """Blend float32[batch, ...]; integers stay as they are."""
        return array * self.share + array[self.partners] * (1.0 - self.share) if array.is_floating_point() else array


class Training:
    """Weights, optimiser and progress of one run."""

    def __init__(
        self,
        task: Task,
        network: nn.Module,
        recipe: Recipe,
        progress: Progress,
        *,
        seed: int,
        augment: bool,
        low_precision: bool,
        focus: Tensor | None = None,
        terms: Sequence[Term] = (),
        own: float = 1.0,
    ) -> None:
        """Begin a run. terms: what is added to the loss in every step. own: the weight of the labels' own loss beside them."""
        self.terms, self.own = tuple(terms), own
        self.spread: Spread | None = None
        self.shared_by = 1  # processes, in the end
        self.task, self.recipe, self.progress, self.seed = task, recipe, progress, seed
        self.device = task.train.targets.device
        self.network = network.to(self.device)
        if any(parameter.ndim == 4 for parameter in network.parameters()):
            self.network = self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimiser: torch.optim.Optimizer = OPTIMISERS.get(recipe.optimiser)(self.network, recipe)
        self.order = Order(len(task.train), recipe.batch, seed)
        self.focus = None if focus is None or len(focus) == 0 else Focus(focus, self.order.batch, seed)
        self.rate = 1.0
        self.low_precision = low_precision
        self._loss = LOSSES.get(task.signature.output.loss)
        names = recipe.augment if recipe.augment is not None else task.signature.input.augmentations
        self._augmentations = [AUGMENTATIONS.get(name) for name in names] if augment else []
        self.augmented = [name for name in names] if augment else []
        self._counts_from = counts_from(self.augmented)
        self._train = fixed_front(self.network, task.train)
        self._validation = fixed_front(self.network, task.validation)
        self._weights = self._class_weights()
        output = task.signature.output
        self.dynamics = Dynamics(len(task.train), output.width, output.loss, self.device)
        self.loss = math.nan
        self._initial = self.weights()
        if recipe.small != 1.0:
            self.network.eval()
            check_takes_smaller(self.scores, self._train.rows(slice(0, 2))[0], self._train.specs, recipe.small)

    def effort(self) -> float:
        """Give the mean cost of the steps that are left, where the step that comes now costs 1."""
        fraction, small = self.progress.fraction, self.recipe.small
        return effort_left(fraction, small) / share_at(fraction, small) ** 2

    def reset(self) -> None:
        """Go back to the weights of the start; the progress stays."""
        self.network.load_state_dict(self._initial)

    def _class_weights(self) -> Tensor | None:
        wanted = self.recipe.balance
        if wanted is None:
            wanted = self.task.goal.score is None and self.task.goal.metric not in ("accuracy", "log_loss")
        if not wanted or self.task.signature.output.loss != "cross_entropy":
            return None
        return class_weights(self.task.train.targets, self.task.signature.output.width).to(self.device)

    @property
    def body(self) -> nn.Module:
        """The part of the network that learns: all of it, or what stands behind its fixed front."""
        body: nn.Module = getattr(self.network, "behind_front", self.network)
        return body

    def scores(self, arrays: tuple[Tensor, ...], *, body: nn.Module | None = None) -> Tensor:
        """Give float32[batch, score] of inputs (or of what the fixed front made of them). body: through this module."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.low_precision):
            scores: Tensor = (self.body if body is None else body)(*arrays)
        return scores.float()

    def step(self) -> None:
        """Take one step of gradient descent."""
        recipe, progress, spread = self.recipe, self.progress, self.spread
        if spread is not None:
            spread.begin(self)
        rows = self.order.rows(progress.step)
        if self.focus is not None and progress.fraction < FOCUS_UNTIL:
            rows = self.focus.into(rows, progress.step)
        arrays, targets = self._train.rows(rows)
        step_seed = seed_of(self.seed, "step", progress.step)
        augmented = bool(self._augmentations) and progress.fraction < 1.0 - recipe.plain_tail
        if augmented:
            generator = torch.Generator().manual_seed(step_seed)
            arrays = tuple(self._augment(array, place, generator) for place, array in enumerate(arrays))
        mix = self._mix(step_seed, len(rows)) if augmented else None
        if mix is not None:
            arrays = tuple(mix.blend(array) for array in arrays)
        share = share_at(progress.fraction, recipe.small)
        arrays = tuple(shrunk(array, spec, share) for array, spec in zip(arrays, self._train.specs, strict=True))
        self._seed_dropout(step_seed)
        rate = self.rate * recipe.learning_rate * one_cycle(progress.fraction, warmup=recipe.warmup)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.network.train()
        scores = self.scores(arrays) if spread is None else spread.scores(self, arrays)
        loss = self._loss_of(scores, targets)
        if mix is not None:
            loss = mix.share * loss + (1.0 - mix.share) * self._loss_of(scores, targets[mix.partners])
        loss = self._with_terms(loss, arrays, scores)
        self.optimiser.zero_grad(set_to_none=True)
        if spread is None:
            loss.backward()  # type: ignore[no-untyped-call]
        else:
            spread.backward(loss)
        if recipe.clip:
            nn.utils.clip_grad_norm_(self.network.parameters(), recipe.clip)
        self.optimiser.step()
        if progress.fraction >= self._counts_from:
            self.dynamics.add(rows, scores.detach(), targets)
        self.loss = float(loss.detach())
        progress.advance()

    def _loss_of(self, scores: Tensor, targets: Tensor) -> Tensor:
        """Give the mean loss; several members' scores, float32[batch, member, score], are held against the same targets."""
        if scores.ndim == 3:
            targets = targets.repeat_interleave(scores.shape[1], dim=0)
            scores = scores.flatten(0, 1)
        loss: Tensor = self._loss(
            scores, targets, output=self.task.signature.output, smoothing=self.recipe.label_smoothing, weights=self._weights
        )
        return loss

    def _with_terms(self, loss: Tensor, arrays: tuple[Tensor, ...], scores: Tensor) -> Tensor:
        if not self.terms:
            return loss
        return sum((term(self, arrays, scores) for term in self.terms), self.own * loss)

    def _mix(self, seed: int, count: int) -> Mix | None:
        """Draw how the examples of a step are blended, or None when the recipe does not blend."""
        if self.recipe.mixup <= 0:
            return None
        generator = np.random.default_rng(seed)
        share = float(generator.beta(self.recipe.mixup, self.recipe.mixup))
        return Mix(share, torch.from_numpy(generator.permutation(count)).to(self.device))

    def _seed_dropout(self, seed: int) -> None:
        """Seed what the network draws in this step; `torch.manual_seed` would spend a millisecond on devices that are not there."""
        if self.device.type == "cpu":
            torch.default_generator.manual_seed(seed)
        else:
            torch.manual_seed(seed)

    def _augment(self, array: Tensor, place: int, generator: torch.Generator) -> Tensor:
        spec = self._train.specs[place]
        for augmentation in self._augmentations:
            array = augmentation(array, spec, generator)
        return array

    def predict(self, *, split: str = "validation", rows: Tensor | None = None, batch: int = 512) -> np.ndarray:
        """Give float32[example, score] of the train or validation split (of some `rows` of it), in evaluation mode."""
        data = self._train if split == "train" else self._validation
        if rows is not None:
            data = Columns(data.specs, tuple(tensor[rows] for tensor in data.inputs), data.targets[rows])
        return self._predict(data, batch)

    def averages(self) -> dict[str, Tensor]:
        """Give `Dynamics.averages`; where augmentation held labels back, ``final``, too: float32[example, score] of the final weights."""
        found = self.dynamics.averages()
        if found and HOLDING & set(self.augmented) and "classes" not in found:
            found["final"] = torch.from_numpy(self.predict(split="train"))
        return found

    def predict_new(self, examples: Columns, *, batch: int = 512) -> np.ndarray:
        """Give float32[example, score] of examples that are in neither split, in evaluation mode."""
        return self._predict(fixed_front(self.network, examples), batch)

    def _predict(self, data: Columns, batch: int) -> np.ndarray:
        self.network.eval()
        with torch.inference_mode():
            parts = [self.scores(arrays) for arrays, _ in data.batches(batch)]
        return torch.cat(parts).cpu().numpy() if parts else np.zeros((0, self.task.signature.output.width), np.float32)

    def weights(self) -> State:
        """Copy the network's weights and buffers."""
        return {name: tensor.detach().clone() for name, tensor in self.network.state_dict().items()}

    def state(self) -> tuple[State, dict[str, Any]]:
        """Give everything that `restore` needs: tensors, and JSON values."""
        tensors = {f"network.{name}": tensor for name, tensor in self.weights().items()}
        slots: dict[str, dict[str, float]] = {}
        for index, slot in self.optimiser.state_dict()["state"].items():
            for name, value in slot.items():
                if isinstance(value, Tensor):
                    tensors[f"optimiser.{index}.{name}"] = value.detach().clone()
                elif value is not None:
                    slots.setdefault(str(index), {})[name] = value
        tensors |= self.dynamics.state()
        return tensors, {"progress": self.progress.state(), "slots": slots, "rate": self.rate.hex(), "loss": float(self.loss).hex()}

    def restore(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        """Continue from `state()`."""
        self.network.load_state_dict({name[8:]: tensor for name, tensor in tensors.items() if name.startswith("network.")})
        slots: dict[int, dict[str, Any]] = {int(index): dict(slot) for index, slot in values["slots"].items()}
        parameters = [parameter for group in self.optimiser.param_groups for parameter in group["params"]]
        for name, tensor in tensors.items():
            if name.startswith("optimiser."):
                _, index, slot_name = name.split(".", 2)
                like = parameters[int(index)]
                # One kernel walks weight and slot together, so a slot must lie in memory as its weight does.
                slot = torch.empty_like(like).copy_(tensor) if tensor.shape == like.shape else tensor
                slots.setdefault(int(index), {})[slot_name] = slot
        state = self.optimiser.state_dict()
        self.optimiser.load_state_dict({"state": slots, "param_groups": state["param_groups"]})
        self.dynamics.restore(tensors)
        self.rate, self.loss = float.fromhex(values["rate"]), float.fromhex(values["loss"])
        self.progress = Progress.restore(json.loads(json.dumps(values["progress"])))


def fixed_front(network: nn.Module, data: Columns, *, batch: int = 256) -> Columns:
    """Run the part of a network that has nothing to learn once over all examples.

    A network that has such a part gives `front(*arrays) -> Tensor`, `front_spec` (what it makes) and `behind_front` (the rest).
    """
    front = getattr(network, "front", None)
    if front is None:
        return data
    network.eval()
    with torch.inference_mode():
        parts = [front(*arrays) for arrays, _ in data.batches(batch)]
    spec = network.front_spec
    made = torch.cat(parts).clone() if parts else torch.zeros((0, *spec.shape), device=data.targets.device)  # type: ignore[misc]
    return Columns((spec,), (made,), data.targets)  # type: ignore[arg-type]
