"""What a person sees after `tacit resize --grow`: cost and scores, before and after, and which weights stay."""

from __future__ import annotations

from tacit.instruments.layout import Grid, Part, count, decimal, size
from tacit.resizing.growing import Grown


def parts(grown: Grown) -> list[Part]:
    """Lay out what came of growing for a person."""
    before, after = grown.costs
    rows = [
        ("MACs", count(int(before["macs"])), count(int(after["macs"]))),
        ("weights", size(int(before["weight_bytes"])), size(int(after["weight_bytes"]))),
        ("validation of before", decimal(grown.before), decimal(grown.after)),
    ]
    return [Grid(f"grown, {grown.metric}", ("", "before", "after"), tuple(rows)), "", headline(grown)]


def headline(grown: Grown) -> str:
    """Say in one line what stays."""
    new = f"{grown.added:,} new examples to learn from" if grown.added else "no new examples to learn from"
    if grown.grew:
        return f"grown; {new}"
    return f"NOT BETTER on what measured before, so the old weights stay; {new}"
