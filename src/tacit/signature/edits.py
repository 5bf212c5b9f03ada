"""The least edits that turn one sequence into another (Levenshtein 1966; by rows, Wagner and Fischer 1974)."""

from __future__ import annotations

from collections.abc import Hashable, Sequence


def edits(wanted: Sequence[Hashable], given: Sequence[Hashable]) -> tuple[int, int, int]:
    """Count (substitutions, deletions, insertions) of a shortest way from `wanted` to `given`.

    Of equally short ways it is that with the fewest substitutions. Costs ``len(wanted) * len(given)``.

    >>> edits("3 1 4".split(), "3 4 4 5".split())
    (1, 0, 1)
    """
    # For each place of `given`: all edits so far, and how many of them are substitutions, deletions, insertions.
    row: list[tuple[int, int, int, int]] = [(many, 0, 0, many) for many in range(len(given) + 1)]
    for count, symbol in enumerate(wanted, 1):
        above, row = row, [(count, 0, count, 0)]
        for place, other in enumerate(given):
            whole, changed, left_out, put_in = above[place]
            ways = [(whole, changed, left_out, put_in) if symbol == other else (whole + 1, changed + 1, left_out, put_in)]
            whole, changed, left_out, put_in = above[place + 1]
            ways.append((whole + 1, changed, left_out + 1, put_in))
            whole, changed, left_out, put_in = row[place]
            ways.append((whole + 1, changed, left_out, put_in + 1))
            row.append(min(ways))
    return row[-1][1:]
