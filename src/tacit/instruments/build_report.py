"""What a person sees after `tacit build`: parity first, what int8 lost, and the files."""

from __future__ import annotations

from tacit.builder import Built
from tacit.instruments.evidence import MET, NOT_MET
from tacit.instruments.layout import Grid, Part, decimal, size


def parts(built: Built) -> list[Part]:
    """Lay out a build for a person."""
    files = Grid("files", ("name", "size"), tuple((name, size(count)) for name, count in built.files.items()))
    return [*built.notes, *_integers(built), _parity(built), files, "", _headline(built)]


def _headline(built: Built) -> str:
    if built.met:
        return f"{built.folder}: {built.name} as {built.target}, the same as the interpreter"
    return f"{built.folder}: {built.name} as {built.target}, parity NOT MET: it differs from the interpreter"


def _parity(built: Built) -> Grid:
    parity = built.parity
    rows = [
        ("held to", f"{parity.rule}, on {parity.count} {parity.on}", MET if parity.met else NOT_MET),
        ("run on", parity.runs_on, ""),
        ("scores that differ", f"{parity.differing} of {parity.scores}", ""),
        ("greatest difference", f"{parity.greatest:.2g}", ""),
        ("same answers", f"{100 * parity.agreement:.2f} %", ""),
    ]
    if parity.where is not None:
        where = parity.where
        spelt = f"example {where['example']}, score {where['score']}: {where['built']:.7g}, not {where['interpreter']:.7g}"
        rows.insert(4, ("where", spelt, ""))
    return Grid("parity with the interpreter", ("check", "result", ""), tuple(rows))


def _integers(built: Built) -> list[Part]:
    if built.integers is None:
        return []
    rows = tuple((drop.metric, decimal(drop.float32), decimal(drop.int8), decimal(drop.points, 2)) for drop in built.integers.drops)
    title = f"int8{', fine-tuned' if built.integers.tuned else ''}, on {built.integers.measured_on}"
    return [Grid(title, ("metric", "float32", "int8", "points lost"), rows)]
