"""What every rule of lowering works with: the values of the nodes, and the ways to read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from tacit.ground.errors import LoweringError
from tacit.lowering.borders import Borders, shape_of
from tacit.lowering.emitter import Emitter
from tacit.lowering.export import Traced, source_of
from tacit.lowering.lookup import Lookup
from tacit.lowering.mosaic import Mosaic
from tacit.lowering.strided import NO_MARGIN, Strided, expand
from tacit.lowering.sums import Sum, scaled

Value = torch.Tensor | Strided | Sum | Mosaic | Lookup


class Refused(Exception):
    """One operation is not within the two operations; `instead` says what to write."""

    def __init__(self, reason: str, instead: str) -> None:
        super().__init__(reason)
        self.reason, self.instead = reason, instead


@dataclass(frozen=True)
class Approximation:
    """A function that was replaced by a sum of ReLUs, and the greatest error on its range.

    operation: its name. source: line and layer. range: the least and the greatest argument for which `greatest_error`
    holds. relus: how many ReLUs each element costs.
    """

    operation: str
    source: str
    range: tuple[float, float]
    greatest_error: float
    relus: int


@dataclass
class Context:
    """The state of one lowering."""

    traced: Traced
    borders: Borders
    approximate: float | None
    ranges: dict[torch.fx.Node, tuple[float, float]]
    emitter: Emitter = field(default_factory=Emitter)
    values: dict[torch.fx.Node, Any] = field(default_factory=dict)
    approximations: list[Approximation] = field(default_factory=list)
    node: torch.fx.Node | None = None

    @property
    def source(self) -> str:
        """Where the operation that is being lowered comes from."""
        return source_of(self.node) if self.node is not None else ""

    def get(self, argument: Any) -> Any:
        """Give the value of an argument: what a node stands for, or the argument itself."""
        return self.values[argument] if isinstance(argument, torch.fx.Node) else argument

    def name_of(self, argument: Any) -> str:
        """Give a name for the weight that an argument brings."""
        if isinstance(argument, torch.fx.Node):
            return self.traced.names.get(argument, argument.name)
        return self.node.name if self.node is not None else "constant"

    def sole_reader(self, argument: Any) -> bool:
        """Whether one operation reads the node, once."""
        if not isinstance(argument, torch.fx.Node) or len(argument.users) != 1:
            return False
        user = next(iter(argument.users))
        seen: list[torch.fx.Node] = []
        torch.fx.node.map_arg((user.args, user.kwargs), seen.append)
        return seen.count(argument) == 1

    def strided(self, argument: Any) -> Strided:
        """Give a tensor in memory, computing it if that has not happened yet."""
        value = self.get(argument)
        if isinstance(value, Strided):
            return value
        name = argument.name if isinstance(argument, torch.fx.Node) else (self.node.name if self.node is not None else "value")
        if isinstance(value, torch.Tensor):
            made = self.emitter.constant(self.name_of(argument), value)
        elif isinstance(value, int | float):
            made = self.emitter.constant("scalar", torch.tensor(float(value)))
        elif isinstance(value, Lookup):
            made = value.strided(self.emitter, name)
        else:
            margins = (
                self.borders.of(argument, len(value.shape)) if isinstance(argument, torch.fx.Node) else (NO_MARGIN,) * len(value.shape)
            )
            made = self.compute(value, name, margins)
        if isinstance(argument, torch.fx.Node):
            self.values[argument] = made
        return made

    def compute(self, value: Sum | Mosaic, name: str, margins: Sequence[tuple[int, int]] | None = None) -> Strided:
        """Write a gathered value into a buffer of its own."""
        edges = tuple(margins) if margins is not None else (NO_MARGIN,) * len(value.shape)
        dest = self.emitter.allocate(name, value.shape, value.order or range(len(value.shape)), edges)
        self.write(value, dest)
        return replace(dest, nonnegative=value.nonnegative)

    def write(self, value: Value, dest: Strided) -> None:
        """Write any value into a place in memory."""
        if isinstance(value, Mosaic):
            for region, part in value.parts:
                self.emitter.write(part, region.of_view(dest), source=self.source)
        elif isinstance(value, Sum):
            self.emitter.write(value, dest, source=self.source)
        elif isinstance(value, Lookup):
            self.write(value.strided(self.emitter, "lookup"), dest)
        elif isinstance(value, Strided):
            self.emitter.write(scaled(value, 1.0, source=self.source, name="one"), dest, source=self.source)
        else:
            full = value.detach().double().expand(dest.shape)
            self.emitter.write(Sum(dest.shape, (), full), dest, source=self.source)

    def gathered(self, argument: Any, shape: Sequence[int] | None = None) -> Sum:
        """Give a value as a sum that may be edited: what is not computed yet and read once, else a read from memory.

        A sum that already ends in a ReLU becomes the base of a new one.
        """
        value = self.get(argument)
        target = tuple(shape) if shape is not None else tuple(value.shape)
        if isinstance(value, Sum) and self.sole_reader(argument) and value.shape == target:
            return Sum(value.shape, (), base=value, order=value.order) if value.relu else value
        return self.read(self.strided(argument), target)

    def read(self, view: Strided, shape: Sequence[int] | None = None, scale: float = 1.0) -> Sum:
        """Give a sum that reads a tensor in memory, broadcast to `shape`."""
        wide = expand(view, shape) if shape is not None else view
        return scaled(wide, scale, source=self.source, name="one" if scale == 1.0 else "scale")

    def shape(self) -> tuple[int, ...]:
        """Give the shape of the result of the node that is being lowered."""
        found = shape_of(self.node) if self.node is not None else None
        if found is None:
            raise LoweringError(f"expected one tensor as the result - at {self.source}")
        return found
