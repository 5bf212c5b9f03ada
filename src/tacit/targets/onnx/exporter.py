"""Walk through the instructions of a graph and collect the nodes of a model.

Each buffer is a table of pieces (`contents.py`); each instruction is written over letters (`problem.py`), its views are found in
pieces (`access.py`), its product takes one of the known forms (`weighted.py`, `products.py`), and what comes out is a new piece.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tacit.ground.errors import GraphError
from tacit.ir.graph import Buffer, Graph, View, contiguous
from tacit.ir.integer import IntegerBuffer, IntegerGraph
from tacit.targets.onnx.access import Access, find, read, refined, whole
from tacit.targets.onnx.arithmetic import Arithmetic, Term
from tacit.targets.onnx.constants import Constant, constant_of
from tacit.targets.onnx.contents import ZERO, Contents, Piece
from tacit.targets.onnx.lookup import looked_up, looked_up_elements, unsigned
from tacit.targets.onnx.nodes import Tensor
from tacit.targets.onnx.problem import AnyInstruction, Problem, problem_of
from tacit.targets.onnx.products import product_term
from tacit.targets.onnx.weighted import Weighted, aligned

Factor = Access | Constant


class Exporter:
    """Make the nodes of one graph. `arithmetic` says what numbers are and how sums become stored numbers."""

    def __init__(self, graph: Graph | IntegerGraph, arithmetic: Arithmetic) -> None:
        self.graph, self.arithmetic, self.nodes = graph, arithmetic, arithmetic.nodes
        self.gathers = 0  # reads that no form was found for
        self.contents: dict[str, Contents] = {}
        for buffer in graph.buffers:
            zero = buffer.zero if isinstance(buffer, IntegerBuffer) else 0
            self.contents[buffer.name] = Contents(buffer.shape, zeroed=buffer.zeroed, zero=zero)
        for buffer in graph.of_kind("input"):
            self._take(buffer)

    def export(self) -> list[Tensor]:
        """Make all nodes; give the tensors of the outputs, [batch, *shape] each."""
        for instruction in self.graph.instructions:
            self.nodes.source = instruction.source
            self._emit(instruction)
        self.nodes.source = ""
        return [self._give(buffer) for buffer in self.graph.of_kind("output")]

    # --- the boundary -----------------------------------------------------------------------------------------------------

    def _take(self, buffer: Buffer | IntegerBuffer) -> None:
        """Let an input hold what the caller gives; axes of extent 1 are left out."""
        given = Tensor(buffer.name, buffer.shape, "int32" if buffer.dtype == "int32" else "float32")
        tensor = given if given.dtype == "int32" else self.arithmetic.taken(given, buffer)
        view = contiguous(Buffer("", "input", buffer.shape))
        kept = [axis for axis, extent in enumerate(buffer.shape) if extent > 1]
        tensor = self.nodes.reshape(tensor, [buffer.shape[axis] for axis in kept])
        self.contents[buffer.name].write(Piece(tensor, 0, tuple(view.strides[axis] for axis in kept)))

    def _give(self, buffer: Buffer | IntegerBuffer) -> Tensor:
        """Read an output as a whole."""
        whole_view = contiguous(Buffer(buffer.name, "output", buffer.shape))
        kept = [axis for axis, extent in enumerate(buffer.shape) if extent > 1]
        view = View(buffer.name, 0, tuple(buffer.shape[axis] for axis in kept), tuple(whole_view.strides[axis] for axis in kept))
        problem, numbers = self._located(Problem(view.shape, (False,) * len(kept), {"x": view}))
        found = self._access(problem, "x", numbers)
        if isinstance(found, Constant):
            tensor = self._spread(found, problem, range(len(problem.extents)), self.arithmetic.type)
        else:
            tensor = read(self.nodes, found, dict(enumerate(problem.extents)), range(len(problem.extents)))
        return self.arithmetic.given(self.nodes.reshape(tensor, buffer.shape), buffer)

    # --- one instruction ----------------------------------------------------------------------------------------------------

    def _emit(self, instruction: AnyInstruction) -> None:
        problem, numbers = self._located(problem_of(instruction), accumulate=getattr(instruction, "accumulate", False))
        self.arithmetic.begin(self.graph, instruction, problem)
        fields = ["x"] if "x" in problem.views else ["a", "b"]
        factors = [self._access(problem, field, numbers) for field in fields]
        bias = self._access(problem, "bias", numbers) if "bias" in problem.views else None
        if isinstance(bias, Constant):
            bias = self.arithmetic.scaled_bias(bias)
        term = self._term(problem, factors, bias)
        old = self._access(problem, "out", numbers) if "out" in numbers else None
        letters = self._order(problem, term, old)
        parts = self._parts(problem, term, letters, bias, old)
        stored = self.nodes.expand(self.arithmetic.stored(*parts), [problem.extents[letter] for letter in letters])
        self._write(problem.views["out"], letters, stored)

    def _located(self, problem: Problem, *, accumulate: bool = False) -> tuple[Problem, dict[str, int | None]]:
        """Find the piece of every view that is read, and split letters until each walks along one axis of each of them."""
        fields = [field for field, view in problem.views.items() if field != "multiplier" and (field != "out" or accumulate)]
        fields = [field for field in fields if self.graph.buffer(problem.views[field].buffer).kind != "weight"]
        fields = [field for field in fields if problem.views[field].index is None]
        while True:
            before, numbers = problem.extents, {}
            for field in fields:
                problem, numbers[field] = refined(problem, field, self.contents[problem.views[field].buffer], self.nodes)
            again = {field: refined(problem, field, self.contents[problem.views[field].buffer], self.nodes)[1] for field in fields}
            if problem.extents == before and again == numbers:
                return problem, numbers

    def _access(self, problem: Problem, field: str, numbers: dict[str, int | None]) -> Factor:
        """Give a view as a constant or as a read of a tensor."""
        view = problem.views[field]
        buffer = self.graph.buffer(view.buffer)
        if view.index is not None:
            return replace(self._indexed(problem, field, numbers), scale=_scale(buffer))
        if buffer.kind == "weight":
            return constant_of(view, self.graph.weights[view.buffer].reshape(-1))
        contents, number = self.contents[view.buffer], numbers[field]
        if contents.owners(view) == [ZERO]:
            return Constant(np.zeros((1,) * len(problem.extents), np.float32))
        found = None if number is None else find(problem, view, contents, number)
        if found is None:
            self.gathers += 1
            letters = [letter for letter, extent in enumerate(view.shape) if extent > 1]
            picked = replace(view, shape=tuple(view.shape[i] for i in letters), strides=tuple(view.strides[i] for i in letters))
            found = whole(contents.gather(picked, self.nodes), letters, contents.zero)
        return replace(found, scale=_scale(buffer))

    def _indexed(self, problem: Problem, field: str, numbers: dict[str, int | None]) -> Access:
        """Give a view whose rows an integer input picks."""
        view, integers = problem.views[field], self._access(problem, f"{field}.index", numbers)
        if not isinstance(integers, Access):
            raise GraphError(f"expected an input to index by, got `{problem.views[f'{field}.index'].buffer}`, which nothing wrote")
        if self.graph.buffer(view.buffer).kind == "weight":
            table, zero = unsigned(self.graph.weights[view.buffer].reshape(-1))
            return replace(looked_up(self.nodes, problem, view, integers, table), zero=zero)
        contents = self.contents[view.buffer]
        flat = contents.gather(View("", 0, contents.owner.shape, (1,)), self.nodes)
        return replace(looked_up_elements(self.nodes, problem, view, integers, flat), zero=contents.zero)

    def _term(self, problem: Problem, factors: Sequence[Factor], bias: Factor | None) -> Term:
        """Give the sum of products."""
        first, second = [*factors, Constant(np.ones((1,) * len(problem.extents), np.float32))][:2]
        if isinstance(first, Constant):
            first, second = second, first
        if isinstance(second, Access):
            if isinstance(first, Constant):
                raise TypeError("the first factor is computed where only one is")
            return self.arithmetic.between(product_term(self.arithmetic, problem, first, second), first, second)
        if isinstance(first, Access):
            known = bias if isinstance(bias, Constant) else None
            return Weighted(self.arithmetic, problem, first, self.arithmetic.scaled(second, first.scale), known).term()
        return self._known(problem, first, self.arithmetic.scaled(second, 1.0))

    def _known(self, problem: Problem, a: Constant, b: Constant) -> Term:
        """Multiply two constants while the nodes are made."""
        inner = tuple(letter for letter, summing in enumerate(problem.inner) if summing)
        values = self.arithmetic.factors(a).astype(np.float64) * self.arithmetic.factors(b)
        times = math.prod(problem.extents[letter] for letter in inner if values.shape[letter] == 1)
        constant = Constant(values.sum(inner, keepdims=True) * times)
        letters = [letter for letter, extent in enumerate(constant.values.shape) if extent > 1]
        return Term(self._spread(constant, problem, letters, self.arithmetic.type), tuple(letters))

    def _spread(self, constant: Constant, problem: Problem, letters: Sequence[int], dtype: str) -> Tensor:
        """Give a constant to every example."""
        shape = [problem.extents[letter] for letter in letters]
        name = self.nodes.constant(np.broadcast_to(aligned(constant.values, letters), shape)[np.newaxis].astype(dtype))
        batch = self.nodes.batch(self.graph.of_kind("input")[0].name)
        sizes = self.nodes.add("Concat", [batch, self.nodes.integers(shape)], (), "int64", axis=0) if shape else batch
        return self.nodes.add("Expand", [name, sizes], shape, dtype)

    def _order(self, problem: Problem, term: Term, old: Factor | None) -> list[int]:
        """Give the letters of the result in an order: that of the sum; letters that it lacks stand behind those whose steps they fill."""
        strides = problem.views["out"].strides
        lacking = [letter for letter, summing in enumerate(problem.inner) if not summing and letter not in term.letters]
        if lacking and isinstance(old, Access):
            return old.letters
        letters = list(term.letters)
        for letter in sorted(lacking, key=lambda letter: -abs(strides[letter])):
            outer = [other for other in letters if strides[other] == strides[letter] * problem.extents[letter]]
            letters.insert(letters.index(outer[0]) + 1 if outer else 0, letter)
        return letters

    def _parts(
        self, problem: Problem, term: Term, letters: Sequence[int], bias: Factor | None, old: Factor | None
    ) -> tuple[Term, np.ndarray | Tensor | None, tuple[Tensor, Access] | None]:
        """Give the sum with an axis for each letter of the result, the bias that is still to come, and what stood in the result before."""
        extents = dict(enumerate(problem.extents))
        order = [term.letters.index(letter) for letter in letters if letter in term.letters]
        tensor = self.nodes.transpose(term.tensor, order)
        tensor = self.nodes.reshape(tensor, [extents[letter] if letter in term.letters else 1 for letter in letters])
        added: np.ndarray | Tensor | None = None
        if isinstance(bias, Constant) and not term.biased:
            added = aligned(self.arithmetic.factors(bias), letters)
        elif isinstance(bias, Access):
            own = [letter for letter in letters if letter in bias.letters]
            given = read(self.nodes, bias, extents, own)
            given = self.nodes.reshape(given, [extents[letter] if letter in own else 1 for letter in letters])
            added = self.arithmetic.value(given, bias)
        before = None if not isinstance(old, Access) else (read(self.nodes, old, extents, letters), old)
        return replace(term, tensor=tensor, letters=tuple(letters)), added, before

    def _write(self, out: View, letters: Sequence[int], tensor: Tensor) -> None:
        """Let the result be a piece of its buffer; axes that run backwards are turned."""
        strides = [out.strides[letter] for letter in letters]
        turned = [
            range(size - 1, -1, -1) if stride < 0 else range(size) for size, stride in zip(tensor.shape, strides, strict=True)
        ]  # fmt: skip
        offset = out.offset + sum(stride * (size - 1) for size, stride in zip(tensor.shape, strides, strict=True) if stride < 0)
        piece = Piece(self.nodes.slice(tensor, turned), offset, tuple(abs(stride) for stride in strides))
        self.contents[out.buffer].write(piece)


def _scale(buffer: Buffer | IntegerBuffer) -> float:
    """Give what one step of the numbers of a buffer is worth; the scales of single elements are known to the weights alone."""
    return 1.0 if isinstance(buffer, Buffer) or buffer.scales is not None else buffer.scale
