"""The table of operations: everything that an instruction can be, and what each of its views is for.

Text form, verifier and disassembly read this table, so that an operation has one name and one description.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tacit.ir.graph import Axes, Instruction, Matmul, Relu, View


@dataclass(frozen=True)
class Operand:
    """One view of an instruction: the field that holds it, the roles of its axes in order, and whether it may be absent."""

    field: str
    roles: tuple[str, ...]
    written: bool = False
    optional: bool = False


@dataclass(frozen=True)
class Operation:
    """One row of the table: name in the text form, class, views (the written one first), meaning in one line."""

    name: str
    instruction: type
    operands: tuple[Operand, ...]
    meaning: str


_ROWS = (
    Operation(
        "matmul",
        Matmul,
        (
            Operand("out", ("batch", "rows", "columns"), written=True),
            Operand("a", ("batch", "rows", "inner")),
            Operand("b", ("batch", "inner", "columns")),
            Operand("bias", ("batch", "columns"), optional=True),
        ),
        "out[b, m, n] (+)= sum over k of a[b, m, k] * b[b, k, n] (+ bias[b, n]), then max(0, .) where asked",
    ),
    Operation(
        "relu",
        Relu,
        (Operand("out", ("elements",), written=True), Operand("x", ("elements",))),
        "out[...] = max(0, x[...])",
    ),
)

#: Name in the text form -> operation.
OPERATIONS: Mapping[str, Operation] = MappingProxyType({row.name: row for row in _ROWS})
_BY_CLASS = {row.instruction: row for row in _ROWS}


def operation_of(instruction: Instruction) -> Operation:
    """Give the row of the table that an instruction belongs to."""
    return _BY_CLASS[type(instruction)]


def operands_of(instruction: Instruction) -> Iterator[tuple[Operand, View]]:
    """Give each view that the instruction has, with its row of the table; the written one comes first."""
    for operand in operation_of(instruction).operands:
        view = getattr(instruction, operand.field)
        if view is not None:
            yield operand, view


def reads(instruction: Instruction) -> Iterator[View]:
    """Give the views whose elements the instruction reads; an accumulating matmul reads its `out`."""
    for operand, view in operands_of(instruction):
        if not operand.written or (isinstance(instruction, Matmul) and instruction.accumulate):
            yield view


def touched(instruction: Instruction) -> Iterator[str]:
    """Give the name of every buffer that the instruction reads or writes, those of indices included (with repeats)."""
    for _, view in operands_of(instruction):
        yield view.buffer
        if view.index is not None:
            yield view.index.buffer


def role_counts(operand: Operand, axes: Axes) -> tuple[int, ...]:
    """Count the axes of each role of a matmul's view, in the order in which they stand in it."""
    return tuple(getattr(axes, role) for role in operand.roles)
