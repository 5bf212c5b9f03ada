"""Products of two computed factors: element by element, or ``MatMul``."""

from __future__ import annotations

import math

from tacit.targets.onnx.access import Access, read
from tacit.targets.onnx.arithmetic import Arithmetic, Term
from tacit.targets.onnx.problem import Problem


def product_term(arithmetic: Arithmetic, problem: Problem, a: Access, b: Access) -> Term:
    """Give ``sum over inner letters of a * b``."""
    nodes, extents = arithmetic.nodes, dict(enumerate(problem.extents))
    shared = [letter for letter in a.letters if letter in b.letters]
    inner = [letter for letter in shared if problem.inner[letter]]
    if not inner or any(problem.inner[letter] for letter in {*a.letters, *b.letters} - {*inner}):
        return _elementwise(arithmetic, problem, a, b)
    batch = [letter for letter in shared if letter not in inner]
    rows = [letter for letter in a.letters if letter not in shared]
    columns = [letter for letter in b.letters if letter not in shared]
    sizes = {name: math.prod(extents[letter] for letter in part) for name, part in (("k", inner), ("m", rows), ("n", columns))}
    stack = [extents[letter] for letter in batch]
    left = nodes.reshape(read(nodes, a, extents, [*batch, *rows, *inner]), [*stack, sizes["m"], sizes["k"]])
    right = nodes.reshape(read(nodes, b, extents, [*batch, *inner, *columns]), [*stack, sizes["k"], sizes["n"]])
    made = arithmetic.product(left, a, right, b)
    letters = [*batch, *rows, *columns]
    made = nodes.reshape(made, [extents[letter] for letter in letters])
    return _times_nothing(problem, Term(made, tuple(letters)), {*a.letters, *b.letters})


def _elementwise(arithmetic: Arithmetic, problem: Problem, a: Access, b: Access) -> Term:
    """Multiply element by element, after each factor is summed over the letters that it alone has."""
    nodes, extents = arithmetic.nodes, dict(enumerate(problem.extents))
    order = [*a.letters, *(letter for letter in b.letters if letter not in a.letters)]
    values = []
    for factor in (a, b):
        own = [letter for letter in order if letter in factor.letters]
        x = nodes.reshape(read(nodes, factor, extents, own), [extents[letter] if letter in own else 1 for letter in order])
        values.append(arithmetic.value(x, factor))
    made = arithmetic.multiply(values[0], values[1], [extents[letter] for letter in order])
    summed = [axis for axis, letter in enumerate(order) if problem.inner[letter]]
    if summed:
        made = arithmetic.sum(made, summed)
    left = tuple(letter for letter in order if not problem.inner[letter])
    return _times_nothing(problem, Term(made, left), {*order})


def _times_nothing(problem: Problem, term: Term, walked: set[int]) -> Term:
    """Multiply by the extents of the inner letters on which neither factor depends."""
    alone = [extent for letter, extent in enumerate(problem.extents) if problem.inner[letter] and letter not in walked]
    return Term(term.tensor, term.letters, float(math.prod(alone)))
