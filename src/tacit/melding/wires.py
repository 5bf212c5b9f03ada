"""What passes between two programs: the scores of one become numbers that the other reads, within the two operations and differentiable.

A decision between programs is a number: which class had the greatest score. Between melded programs it is a *share* for every class,
``relu(1 - (greatest - score) / margin)``: 1 for the best class, 0 for those that are more than the margin behind, in a line between.
Where the best class leads by the margin, the next program reads what it would have read; where it is close, it sees that, and gradients
pass. Softmax would do, too, but a division is not within the two operations.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tacit.ground.errors import ConfigError
from tacit.signature.base import ArraySpec, InputType, Joint, OutputType
from tacit.signature.outputs import Class, Labels, Number
from tacit.signature.row import Row


@dataclass(frozen=True)
class Atom:
    """One plain output of one use of a program: `Class`, `Number` or `Labels`, and where its scores stand among all of that use.

    names: by which a column may ask for it.
    """

    use: int
    output: OutputType
    start: int
    names: tuple[str, ...]

    @property
    def count(self) -> int:
        """How many numbers it is worth where numbers are wanted."""
        return self.output.width


def atoms_of(use: int, output: OutputType, names: Sequence[str]) -> list[Atom]:
    """Take an output apart into plain ones."""
    if not isinstance(output, Joint):
        return [Atom(use, output, 0, tuple(names))]
    found, start = [], 0
    for name, part in zip(output.names, output.parts, strict=True):
        found.append(Atom(use, part, start, (name, *(f"{own}_{name}" for own in names))))
        start += part.width
    return found


@dataclass(frozen=True)
class Taken:
    """One column, or a run of numbers, and the atom it is read from. way: ``numbers``, ``value`` (of a class called by a number) or
    ``category``; place: of the first number or of the category column."""

    atom: Atom
    way: str
    place: int


class Shares(nn.Module):
    """float32[batch, class] scores -> shares from 0 to 1, the best class having 1. The margin is learnt."""

    def __init__(self, margin: float) -> None:
        super().__init__()
        self.log_margin = nn.Parameter(torch.tensor([math.log(margin)]))

    def forward(self, scores: Tensor) -> Tensor:
        """Give float32[batch, class]."""
        behind = scores.amax(dim=1, keepdim=True) - scores
        return torch.relu(1.0 - behind * torch.exp(-self.log_margin))


class Steps(nn.Module):
    """float32[batch, label] scores -> 0 to 1, each for itself: 0.5 at 0, the ends at half of the margin. The margin is learnt."""

    def __init__(self, margin: float) -> None:
        super().__init__()
        self.log_margin = nn.Parameter(torch.tensor([math.log(margin)]))

    def forward(self, scores: Tensor) -> Tensor:
        """Give float32[batch, label]."""
        return (scores * torch.exp(-self.log_margin) + 0.5).clamp(0.0, 1.0)


class Units(nn.Module):
    """float32[batch, 1] score of a `Number` -> the number in its own unit."""

    def __init__(self, output: Number) -> None:
        super().__init__()
        self.output = output

    def forward(self, scores: Tensor) -> Tensor:
        """Give float32[batch, 1]."""
        return scores * self.output.scale + self.output.mean


def soft(output: OutputType, margin: float) -> nn.Module:
    """Give the module that turns the scores of a plain output into numbers for another program. Raises: ConfigError."""
    if isinstance(output, Class):
        return Shares(margin)
    if isinstance(output, Labels):
        return Steps(margin)
    if isinstance(output, Number):
        return Units(output)
    raise ConfigError(f"expected Class, Labels or Number between two programs, got {output!r}")


def hard(output: OutputType, scores: np.ndarray) -> np.ndarray:
    """Give what a program that gets the *answer* of another reads: float32[example, number]; 1 for the class that was given, 0 else."""
    if isinstance(output, Class):
        chosen: np.ndarray = np.eye(output.width, dtype=np.float32)[scores.argmax(axis=1)]
        return chosen
    if isinstance(output, Labels):
        return (scores >= 0).astype(np.float32)
    if isinstance(output, Number):
        return np.asarray(scores * output.scale + output.mean, np.float32)
    raise ConfigError(f"expected Class, Labels or Number between two programs, got {output!r}")


def margin_of(output: OutputType, scores: np.ndarray, share: float) -> float:
    """Give the margin by which a share of the answers on these scores, float32[example, score], lead at most."""
    if isinstance(output, Class):
        ordered = np.sort(scores, axis=1)
        lead = ordered[:, -1] - ordered[:, -2]
    else:
        lead = 2.0 * np.abs(scores).ravel()
    return float(max(np.quantile(lead, share), 1e-3)) if len(lead) else 1.0


def numeric_names(output: OutputType) -> np.ndarray | None:
    """Give the numbers that the classes of an output are called by, float32[class], or None when some are not called by one."""
    if not isinstance(output, Class):
        return None
    try:
        values = np.array([float(name) for name in output.names], np.float32)
    except ValueError:
        return None
    return values if np.isfinite(values).all() else None


class Adapter(nn.Module):
    """The scores of some uses, float32[batch, width] each -> the arrays of an input type, the categories of a row as shares.

    widths: of the scores of each use that is read, in the order in which they are given.
    """

    def __init__(self, target: InputType, taken: Sequence[Taken], widths: Mapping[int, int]) -> None:
        super().__init__()
        self.target, self.taken, self.widths = target, tuple(taken), dict(widths)
        self.softs = nn.ModuleList(soft(item.atom.output, 1.0) for item in taken)
        for place, item in enumerate(self.taken):
            if item.way == "value":
                self.register_buffer(f"values_{place}", torch.from_numpy(np.array(numeric_names(item.atom.output)))[:, None])
            elif item.way == "category":
                self.register_buffer(f"values_{place}", torch.from_numpy(category_map(target, item)))

    @property
    def specs(self) -> tuple[ArraySpec, ...]:
        """What goes in: the scores of each use."""
        return tuple(ArraySpec(f"scores{use}", (width,), "float32", ("score",)) for use, width in self.widths.items())

    def settle(self, scores: Mapping[int, np.ndarray], share: float) -> None:
        """Set the margins by float32[example, score] of each use: so many of the answers (a share) are as sure as that."""
        for item, module in zip(self.taken, self.softs, strict=True):
            if isinstance(module, Shares | Steps):
                margin = margin_of(item.atom.output, _own(item, scores[item.atom.use]), share)
                module.log_margin.data.fill_(math.log(margin))

    def forward(self, *scores: Tensor) -> tuple[Tensor, ...]:
        """Give the arrays of the target, batch first."""
        given = dict(zip(self.widths, scores, strict=True))
        numbers: dict[int, Tensor] = {}
        categories: dict[int, Tensor] = {}
        for place, (item, made) in enumerate(zip(self.taken, self.softs, strict=True)):
            values = made(_own(item, given[item.atom.use]))
            values = values if item.way == "numbers" else values @ getattr(self, f"values_{place}")
            (categories if item.way == "category" else numbers)[item.place] = values
        joined = torch.cat([numbers[place] for place in sorted(numbers)], dim=1) if numbers else None
        if not isinstance(self.target, Row):
            if joined is None:
                raise ConfigError("expected numbers for an input that is not a row")
            return (joined.reshape(len(joined), *self.target.arrays[0].shape),)
        found = () if joined is None else (joined, joined * 0.0 + 1.0)
        return found + ((torch.stack([categories[place] for place in sorted(categories)], dim=1),) if categories else ())

    def answers(self, scores: Mapping[int, np.ndarray]) -> tuple[np.ndarray, ...]:
        """Give the arrays that the target reads when it gets the answers of the others, as programs apart do."""
        numbers: dict[int, np.ndarray] = {}
        categories: dict[int, np.ndarray] = {}
        for item in self.taken:
            given = hard(item.atom.output, _own(item, scores[item.atom.use]))
            if item.way == "numbers":
                numbers[item.place] = given
            elif item.way == "value":
                numbers[item.place] = given @ np.array(numeric_names(item.atom.output))[:, None]
            else:
                categories[item.place] = (given @ category_map(self.target, item)).argmax(axis=1)
        specs, found = self.target.arrays, []
        if numbers:
            joined = np.concatenate([numbers[place] for place in sorted(numbers)], axis=1)
            found.append(joined.reshape(len(joined), *specs[0].shape).astype(np.float32))
            if isinstance(self.target, Row):
                found.append(np.ones((len(joined), *specs[1].shape), np.uint8))
        if categories:
            found.append(np.stack([categories[place] for place in sorted(categories)], axis=1).astype(np.int32))
        return tuple(found)


def _own(item: Taken, scores: Any) -> Any:
    """Cut the scores of an atom out of those of its use, [example, score]."""
    return scores[:, item.atom.start : item.atom.start + item.atom.count]


def category_map(target: InputType, item: Taken) -> np.ndarray:
    """Give float32[class, id]: 1 where a class is the value of that id in a category column; 0 is the id of what is unknown."""
    if not isinstance(target, Row) or not isinstance(item.atom.output, Class):
        raise ConfigError("expected a class for a category column")
    _, values = target.categories[item.place]
    places = {value: place for place, value in enumerate(values, 1)}
    found = np.zeros((item.atom.output.width, max(target.category_limits)), np.float32)
    for row, name in enumerate(item.atom.output.names):
        found[row, places.get(name, 0)] = 1.0
    return found


class Ends(nn.Module):
    """Scores of the last programs -> the scores of the joint output: classes in its order, numbers in its scale."""

    def __init__(self, before: OutputType, after: OutputType) -> None:
        super().__init__()
        matrix, shift = end_map(before, after)
        self.same = bool(np.array_equal(matrix, np.eye(len(matrix))) and not shift.any())
        self.register_buffer("matrix", torch.from_numpy(matrix))
        self.register_buffer("shift", torch.from_numpy(shift))

    def forward(self, scores: Tensor) -> Tensor:
        """float32[batch, score] -> float32[batch, score]."""
        matrix, shift = self.matrix, self.shift
        return scores if self.same else scores @ matrix + shift  # type: ignore[operator]


def end_map(before: OutputType, after: OutputType) -> tuple[np.ndarray, np.ndarray]:
    """Give the matrix and the shift by which scores of one output are those of an equal one in another order or scale."""
    width = before.width
    if isinstance(before, Number) and isinstance(after, Number):
        factor = before.scale / after.scale
        return np.array([[factor]], np.float32), np.array([(before.mean - after.mean) / after.scale], np.float32)
    if isinstance(before, Class | Labels) and isinstance(after, Class | Labels):
        matrix = np.zeros((width, width), np.float32)
        for row, name in enumerate(before.names):
            matrix[row, after.names.index(name)] = 1.0
        return matrix, np.zeros(width, np.float32)
    if isinstance(before, Joint) and isinstance(after, Joint):
        maps = [end_map(one, other) for one, other in zip(before.parts, after.parts, strict=True)]
        matrix, start = np.zeros((width, width), np.float32), 0
        for own, _ in maps:
            matrix[start : start + len(own), start : start + len(own)] = own
            start += len(own)
        return matrix, np.concatenate([shift for _, shift in maps])
    return np.eye(width, dtype=np.float32), np.zeros(width, np.float32)
