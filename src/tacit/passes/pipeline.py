"""The passes, in order."""

from __future__ import annotations

from tacit.ir.graph import Graph
from tacit.passes.accumulate_in_place import accumulate_in_place
from tacit.passes.drop_dead import drop_dead
from tacit.passes.fuse_relu import fuse_relu
from tacit.passes.merge_scales import merge_scales
from tacit.passes.share_weights import share_weights


def optimise(graph: Graph) -> Graph:
    """Give a graph with the same results and fewer instructions.

    >>> optimise(Graph((), ())).instructions
    ()
    """
    graph = drop_dead(graph)  # so that "sole reader" is true of more buffers
    graph = fuse_relu(graph)  # y = relu(a @ b) in one instruction
    graph = merge_scales(graph)  # a scale goes into the weights before it
    graph = accumulate_in_place(graph)  # a residual is added where it lies
    graph = share_weights(graph)
    return drop_dead(graph)  # the buffers and weights that the others left behind
