"""Text that lays a factor of activations out as if it were a weight, so that a product of activations runs on groups of bytes.

With its zero at 128, a byte with the highest bit turned is the signed number ``b - 128``, four of them stand together per column as
the machine wants them. What the zero of the other factor adds, ``-zero_a * sum_k (b - 128)``, is the start of each sum.
"""

from __future__ import annotations

from collections.abc import Iterator

from tacit.targets.c.nests import Nest
from tacit.targets.c.schedule import Segment

MOST = 48 << 10  # bytes of a panel on the stack
PANEL, CORRECTIONS = "panel", "corrections"


def panel_text(
    nest: Nest, columns: tuple[Segment, ...], vector: int, *, steps: int, depth: int, pointer: str, zero: int, half: int
) -> Iterator[str]:
    """Fill the panel and the corrections.

    nest: before its innermost axis went in groups. steps: groups in the panel. depth: products of a sum. pointer: to the factor, at
    the place of the loops around. zero: of the other factor. half: what rounds the first shift.
    """
    across, down = nest.outer[vector].stride("b"), nest.inner[0].stride("b")
    lanes = sum(segment.count * segment.vectors * segment.lanes for segment in columns)
    yield f"uint32_t {PANEL}_[{lanes * steps}] __attribute__((aligned(64)));"
    yield f"int32_t {CORRECTIONS}[{lanes}] __attribute__((aligned(64)));"
    yield f"const int8_t *{PANEL} = (const int8_t *){PANEL}_;"
    yield f"for (int n = 0; n < {lanes}; n++) {CORRECTIONS}[n] = {half};"
    at = lane_at = 0
    for segment in columns:
        width = segment.vectors * segment.lanes
        for block in range(segment.count):
            start = segment.start + block * segment.width
            for step in range(steps):
                yield from _group(pointer, start * across, step, depth, across, down, segment.width, width, at, lane_at, zero)
                at += width
            lane_at += width


def _group(
    pointer: str, first: int, step: int, depth: int, across: int, down: int, used: int, width: int, at: int, lane_at: int, zero: int
) -> Iterator[str]:
    """Write one step: four neighbours of each column."""
    places = [(4 * step + place) * down + first for place in range(4) if 4 * step + place < depth]
    if down == 1 and len(places) == 4:
        value = f"(uint32_t)BITS32({pointer} + {places[0]} + n * {across})"
    else:
        bytes_of = [f"(uint32_t)({pointer})[{place} + n * {across}] << {8 * number}" for number, place in enumerate(places)]
        missing = [f"0x80u << {8 * number}" for number in range(len(places), 4)]
        value = " | ".join([*bytes_of, *missing])
    yield f"for (int n = 0; n < {used}; n++) {PANEL}_[{at} + n] = ({value}) ^ 0x80808080u;"
    if used < width:
        yield f"for (int n = {used}; n < {width}; n++) {PANEL}_[{at} + n] = 0;"
    if zero:
        signed = " + ".join(f"(int8_t)({PANEL}_[{at} + n] >> {8 * number})" for number in range(4))
        yield f"for (int n = 0; n < {used}; n++) {CORRECTIONS}[{lane_at} + n] -= {zero} * ({signed});"
