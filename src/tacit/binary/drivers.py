"""Drivers: the plain code around a binary, found in a table by the name that the file states.

A driver is a function ``(binary, arrays) -> answers``: `arrays` are the inputs with a leading axis of examples, as the
signature reads them; `answers` is a list with one person's value per example. The file holds the name only, so loading
one never runs code that it brought along.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tacit.binary.driven import Driven
from tacit.ground.tables import Table


def decode(binary: Driven, arrays: Sequence[np.ndarray]) -> list[Any]:
    """Run ``main`` once and let the output type turn each row of scores into a person's value."""
    output = binary.signature.output
    (scores, *_) = binary.run(arrays)
    return [output.decode(row) for row in scores.reshape(len(scores), output.width)]


#: Name of a driver -> where it is. Other packages add rows through the entry-point group ``tacit.drivers``.
DRIVERS = Table(
    "driver",
    {
        "decode": "tacit.binary.drivers:decode",
        "greedy": "tacit.binary.spelling:greedy",
        "beam": "tacit.binary.spelling:beam",
    },
    group="tacit.drivers",
)
