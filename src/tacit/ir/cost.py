"""What a run of a graph costs; every figure is known before it runs and is the same for every input."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tacit.ir.graph import Graph, Instruction, Matmul
from tacit.ir.memory import plan_memory
from tacit.ir.operations import operands_of

ELEMENT_BYTES = 4  # float32 and int32


@dataclass(frozen=True)
class InstructionCost:
    """macs: multiply-accumulates (0 for a ReLU). elements: how many are written. weight_bytes: of the weights it reads."""

    macs: int
    elements: int
    weight_bytes: int


@dataclass(frozen=True)
class Cost:
    """macs: multiply-accumulates of one run on one example. weight_bytes, arena_bytes: memory. instructions: their count."""

    macs: int
    weight_bytes: int
    arena_bytes: int
    instructions: int


def instruction_cost(instruction: Instruction, graph: Graph) -> InstructionCost:
    """Count what one instruction costs; a weight that it reads through two views counts once."""
    names = {view.buffer for _, view in operands_of(instruction)}
    weights = sum(graph.buffer(name).size for name in names if graph.buffer(name).kind == "weight")
    macs = 0
    if isinstance(instruction, Matmul):
        inner = instruction.a.shape[len(instruction.a.shape) - instruction.axes.inner :]
        macs = instruction.out.size * math.prod(inner)
    return InstructionCost(macs=macs, elements=instruction.out.size, weight_bytes=weights * ELEMENT_BYTES)


def cost(graph: Graph) -> Cost:
    """Count what one run on one example costs."""
    return Cost(
        macs=sum(instruction_cost(instruction, graph).macs for instruction in graph.instructions),
        weight_bytes=sum(buffer.size for buffer in graph.of_kind("weight")) * ELEMENT_BYTES,
        arena_bytes=plan_memory(graph).elements * ELEMENT_BYTES,
        instructions=len(graph.instructions),
    )
