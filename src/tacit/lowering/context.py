"""What every rule of lowering works with: the values of the nodes, and the ways to read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from tacit.ground.errors import LoweringError
from tacit.lowering.borders import Borders, Margins, operation, shape_of
from tacit.lowering.emitter import Emitter
from tacit.lowering.export import Traced, source_of
from tacit.lowering.geometry import argument as argument_of
from tacit.lowering.lookup import Lookup
from tacit.lowering.mosaic import Mosaic
from tacit.lowering.strided import NO_MARGIN, Strided, expand, narrow
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
    reserved: dict[torch.fx.Node, Strided] = field(default_factory=dict)
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
        is_node = isinstance(argument, torch.fx.Node)
        name = argument.name if is_node else (self.node.name if self.node is not None else "value")
        if isinstance(value, torch.Tensor):
            made = self.emitter.constant(self.name_of(argument), value)
        elif isinstance(value, int | float):
            made = self.emitter.constant("scalar", torch.tensor(float(value)))
        elif isinstance(value, Lookup):
            made = value.strided(self.emitter, name)
        elif is_node:
            dest = self.place(argument, self._order(argument, value))
            self.write(value, dest)
            made = replace(dest, nonnegative=value.nonnegative)
        else:
            made = self.compute(value, name)
        if is_node:
            self.values[argument] = made
        return made

    def _order(self, node: torch.fx.Node, value: Sum | Mosaic) -> tuple[int, ...]:
        """Lay a value that a convolution reads out with the channels last, any other as it was made."""
        rank = len(value.shape)
        margins = self.borders.of(node, rank)
        if rank in (3, 4) and margins[-1] != NO_MARGIN and margins[1] == NO_MARGIN:
            return (0, *range(2, rank), 1)
        return value.order or tuple(range(rank))

    def place(self, node: torch.fx.Node, order: tuple[int, ...]) -> Strided:
        """Give the memory for a node's value: its part of a concatenation that will read it, else a buffer of its own."""
        if node in self.reserved:
            return self.reserved[node]
        shape = shape_of(node) or ()
        margins = self.borders.of(node, len(shape))
        found = None
        for user in node.users:
            found = found or self._place_within(node, user, order, margins)
        if found is None:
            found = self.emitter.allocate(node.name, shape, order, margins)
        self.reserved[node] = found
        return found

    def _place_within(self, node: torch.fx.Node, user: torch.fx.Node, order: tuple[int, ...], margins: Margins) -> Strided | None:
        if operation(user) != "cat" or user in self.values:
            return None
        operands: list[Any] = list(user.args[0])  # type: ignore[arg-type]
        axis = int(argument_of(user, 1, "dim", 0)) % len(margins)
        if operands.count(node) != 1 or margins[axis] != NO_MARGIN or self.borders.of(user, len(margins)) != margins:
            return None
        start = sum((shape_of(operand) or (0,) * (axis + 1))[axis] for operand in operands[: operands.index(node)])
        whole = self.place(user, order)
        part = narrow(whole, axis, start, (shape_of(node) or ())[axis])
        return None if part is None else replace(part, margins=margins)

    def compute(self, value: Sum | Mosaic, name: str) -> Strided:
        """Write a gathered value into a buffer of its own, without a border."""
        dest = self.emitter.allocate(name, value.shape, value.order or range(len(value.shape)), (NO_MARGIN,) * len(value.shape))
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
