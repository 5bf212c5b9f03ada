"""Games of Go as SGF, the Smart Game Format FF[4], read and written; of variations, the main line.

Source: https://www.red-bean.com/sgf/: the grammar, escapes in values, points as two letters from the top left, passes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import tacit
from tacit_programs.go.rules import Go
from tacit_programs.go.session import COLOURS, Session
from tacit_programs.go.shape import LARGEST, SMALLEST

Node = dict[str, list[str]]
_TOKEN = re.compile(r"\s*(?:(?P<sign>[();])|(?P<name>[A-Za-z]+)|(?P<value>\[(?:\\.|[^\]\\])*\]))", re.DOTALL)
_FIX = "an SGF file of Go: (;GM[1]FF[4]SZ[5];B[cc];W[])"
#: Longer files are not games.
_LONGEST = 1 << 22


@dataclass(frozen=True)
class Record:
    """A game. black, white: points that had stones before the first move; turn: who moves first, 0 for black; moves: (colour, move) each.

    about: further properties of the root by their SGF names (PB, PW, RE, DT, GN, C ...).
    """

    size: int
    komi: float
    moves: tuple[tuple[int, int], ...] = ()
    black: tuple[int, ...] = ()
    white: tuple[int, ...] = ()
    turn: int = 0
    about: Mapping[str, str] = field(default_factory=dict)

    def replay(self, game: Go | None = None) -> Session:
        """Play it through. game: other rules of the same size. Raises: IllegalMove for a game that the rules forbid."""
        rules = game or Go(self.size, self.komi)
        session = Session(rules, rules.placed(self.black, self.white, turn=self.turn))
        for colour, move in self.moves:
            session.play(colour, move)
        return session


def record_of(session: Session, **about: str) -> Record:
    """Give the record of a game; about: properties of the root, such as ``PB="tacit"``."""
    board = session.game.shape.board(session.begun)[0]
    black, white = (tuple(map(int, (board == colour).nonzero()[0])) for colour in (1, 2))
    turn = int(session.game.turn(session.begun)[0])
    return Record(session.game.size, session.game.komi, tuple(session.moves), black, white, turn, about)


def write_sgf(record: Record) -> str:
    """Give the text of a game."""
    root = f"(;GM[1]FF[4]CA[UTF-8]AP[tacit]RU[Tromp-Taylor]SZ[{record.size}]KM[{record.komi:g}]"
    for name, points in (("AB", record.black), ("AW", record.white)):
        root += (name + "".join(f"[{_letters(point, record.size)}]" for point in points)) if points else ""
    root += f"PL[{'BW'[record.turn]}]" if record.black or record.white or record.turn else ""
    root += "".join(f"{name}[{_escaped(value)}]" for name, value in record.about.items())
    moves = [f";{'BW'[colour]}[{_letters(move, record.size)}]" for colour, move in record.moves]
    lines = ["".join(moves[start : start + 12]) for start in range(0, len(moves), 12)]
    return "\n".join([root, *lines]) + ")\n"


def save_sgf(record: Record, path: Path) -> None:
    """Write a file. Raises: TacitError."""
    try:
        path.write_text(write_sgf(record), encoding="utf-8")
    except OSError as error:
        raise tacit.TacitError(f"could not write `{path}`", cause=f"the system says: {error.strerror}") from error


def load_sgf(path: Path) -> Record:
    """Read a file. Raises: TacitError."""
    try:
        return read_sgf(path.read_text(encoding="utf-8", errors="replace"), where=str(path))
    except OSError as error:
        raise tacit.TacitError(f"expected an SGF file - at `{path}`", cause=f"the system says: {error.strerror}", fix=_FIX) from error


def read_sgf(text: str, *, where: str = "the text") -> Record:
    """Read the first game of a text, its main line. Raises: TacitError that says what is wrong and where."""
    nodes = _main_line(text, where)
    root = nodes[0]
    game, size = root.get("GM", ["1"])[0].strip(), root.get("SZ", ["19"])[0].strip()
    if game != "1":
        raise _error(f"expected a game of Go, GM[1], got GM[{game[:20]}]", where)
    first, _, second = size.partition(":")
    if not first.isdigit() or (second and second != first) or not SMALLEST <= int(first[:3]) <= LARGEST:
        raise _error(f"expected a square board of {SMALLEST} to {LARGEST}, got SZ[{size[:20]}]", where)
    sides = int(first)
    komi = _number(root.get("KM", ["0"])[0], where)
    black, white, turn = _placed(nodes, sides, where)
    moves = []
    for place, node in enumerate(nodes):
        for colour, name in enumerate("BW"):
            for value in node.get(name, [])[:1]:
                moves.append((colour, _move(value, sides, f"{where}, node {place}")))
    if turn is None:
        turn = moves[0][0] if moves else int(bool(black) and not white)
    known = {"GM", "FF", "CA", "AP", "RU", "SZ", "KM", "AB", "AW", "AE", "PL", "B", "W"}
    about = {name: values[0] for name, values in root.items() if name not in known and values}
    return Record(sides, komi, tuple(moves), tuple(black), tuple(white), turn, about)


def _placed(nodes: list[Node], size: int, where: str) -> tuple[list[int], list[int], int | None]:
    """Give the stones and the turn that are set before the first move. Raises: TacitError for stones that are set later."""
    stones: dict[int, int] = {}
    turn: int | None = None
    moved = False
    for place, node in enumerate(nodes):
        if moved and any(name in node for name in ("AB", "AW", "AE")):
            raise _error(f"expected stones to be placed before the first move only, got some at node {place}", where)
        for name, colour in (("AB", 0), ("AW", 1), ("AE", 2)):
            for value in node.get(name, []):
                stones.update(dict.fromkeys(_points(value, size, f"{where}, node {place}"), colour))
        if not moved and "PL" in node:
            turn = 1 if node["PL"][0].strip().upper().startswith("W") else 0
        moved = moved or "B" in node or "W" in node
    black, white = ([point for point, colour in stones.items() if colour == wanted] for wanted in (0, 1))
    return black, white, turn


def _main_line(text: str, where: str) -> list[Node]:
    """Give the nodes of the first game down its first variations. Raises: TacitError for what is no SGF."""
    start = text.find("(")
    if start < 0 or len(text) > _LONGEST:
        raise _error("expected a game that begins with `(;`, got none" if start < 0 else "expected a game, got millions of letters", where)
    nodes: list[Node] = []
    depth, closed, name = 0, False, ""
    for kind, value, place in _tokens(text, start, where):
        if kind == "sign" and value == "(":
            depth += 1
        elif kind == "sign" and value == ")":
            depth -= 1
            closed = True  # the first way down has ended; what follows are other variations
            if depth == 0:
                break
        elif closed:
            continue
        elif kind == "sign":
            nodes.append({})
            name = ""
        elif not nodes:
            raise _error(f"expected `;` before `{value[:20]}` at letter {place}", where)
        elif kind == "name":
            name = "".join(letter for letter in value if letter.isupper())  # FF[1] to FF[3] write small letters between
            nodes[-1].setdefault(name, [])
        elif not name:
            raise _error(f"expected a name before the value at letter {place}", where)
        else:
            nodes[-1][name].append(_plain(value[1:-1]))
    if depth:
        raise _error("expected `)` at the end, got none", where)
    if not nodes:
        raise _error("expected a game with at least one node, got none", where)
    return nodes


def _tokens(text: str, start: int, where: str) -> Iterator[tuple[str, str, int]]:
    place, text = start, text.rstrip()
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            raise _error(f"expected `;`, `(`, `)` or a property at letter {place + 1}, got `{text[place : place + 10].strip()}`", where)
        kind = str(found.lastgroup)
        yield kind, found[kind], place + 1
        place = found.end()


def _plain(value: str) -> str:
    """Take the escapes out of a value: a backslash before a line's end joins lines, before anything else it stands for that."""
    value = value.replace("\r\n", "\n").replace("\n\r", "\n").replace("\r", "\n")
    return re.sub(r"\\(.)", lambda found: "" if found[1] == "\n" else found[1], value, flags=re.DOTALL)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("]", "\\]")


def _letters(move: int, size: int) -> str:
    return "" if move >= size * size else chr(97 + move % size) + chr(97 + move // size)


def _move(value: str, size: int, where: str) -> int:
    value = value.strip()
    if not value or (value == "tt" and size <= 19):
        return size * size
    column, row = (ord(letter) - 97 for letter in value) if len(value) == 2 else (-1, -1)
    if not (0 <= column < size and 0 <= row < size):
        raise _error(f"expected a point of two letters from aa to {_letters(size * size - 1, size)}, got [{value[:20]}]", where)
    return row * size + column


def _points(value: str, size: int, where: str) -> list[int]:
    """Give a point, or those of a rectangle ``aa:cc``. Raises: TacitError."""
    first, colon, last = value.partition(":")
    corners = [_move(part, size, where) for part in ([first, last] if colon else [first])]
    if any(corner >= size * size for corner in corners):
        raise _error(f"expected a point for a stone, got [{value[:20]}]", where)
    (top, left), (bottom, right) = (divmod(corner, size) for corner in (corners[0], corners[-1]))
    return [row * size + column for row in range(top, bottom + 1) for column in range(left, right + 1)]


def _number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise _error(f"expected a number of points in KM, got [{text[:20]}]", where)
    return value


def _error(message: str, where: str) -> tacit.TacitError:
    return tacit.TacitError(f"{message} - at {where}", fix=_FIX)


def describe(record: Record) -> str:
    """Say in a line what a record is."""
    names = ", ".join(f"{colour} {record.about[key]}" for colour, key in zip(COLOURS, ("PB", "PW"), strict=True) if key in record.about)
    return f"{record.size}x{record.size}, komi {record.komi:g}, {len(record.moves)} moves{', ' + names if names else ''}"
