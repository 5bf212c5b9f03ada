"""Boards of Go in NumPy, many at once: the rules where there is no compiler, and what the C is tested against.

Everything is the same for all positions of a call, so that a step costs some hundred array operations whatever their number.
"""

from __future__ import annotations

import numpy as np

from tacit_programs.go.shape import BLACK, FREE, PLANES, WHITE, Shape, across, beside, keys_of, mixed, stepped

_NONE = np.uint64(0)


class PlainBoards:
    """The rules for rows of one shape."""

    def __init__(self, shape: Shape) -> None:
        self.shape, self.points = shape, shape.points
        self.keys = keys_of(shape.size)
        self._beside, self._across = beside(shape.size), across(shape.size)

    def mark(self, rows: np.ndarray) -> None:
        """Write the bits of legal moves into rows."""
        shape, board = self.shape, self.shape.board(rows)
        colour = 1 + (rows[:, 0] & np.uint64(1)).astype(np.int64)
        boards = (rows[:, 0] >> np.uint64(32)).astype(np.int64)
        met = rows[:, shape.met :]
        now = met[np.arange(len(rows)), boards - 1]
        after, dead = self._key_after(board, _Chains(board, self), colour, now)
        legal = (board == FREE) & (~dead if not shape.suicide else True)
        known = np.arange(met.shape[1]) < boards[:, None]
        for point in range(self.points):
            legal[:, point] &= ~((met == after[:, point, None]) & known).any(axis=1)
        bits = np.zeros((len(rows), (shape.met - shape.mask) * 64), np.uint8)
        bits[:, : self.points] = legal
        bits[:, self.points] = 1
        rows[:, shape.mask : shape.met] = np.packbits(bits, axis=1, bitorder="little").view(np.uint64)

    def play(self, rows: np.ndarray, moves: np.ndarray) -> np.ndarray:
        """Give the rows after a legal move each, int64[position]."""
        shape, rows = self.shape, rows.copy()
        moved, passes, boards = (
            rows[:, 0] & np.uint64(0xFFFF),
            (rows[:, 0] >> np.uint64(16)) & np.uint64(0xFFFF),
            rows[:, 0] >> np.uint64(32),
        )
        on = np.flatnonzero(moves < self.points)
        if len(on):
            board, colour, points = shape.board(rows)[on], 1 + (moved[on] & np.uint64(1)).astype(np.int64), moves[on]
            which = np.arange(len(on))
            chains, last = _Chains(board, self), boards[on].astype(np.int64)
            after, dead = self._key_after(board, chains, colour, rows[on, shape.met + last - 1])
            self._put(board, chains, points, colour, dead[which, points])
            rows[on, shape.met + last] = after[which, points]
            shape.board(rows)[on] = board
            boards[on] += np.uint64(1)
        passes = np.where(moves < self.points, _NONE, passes + np.uint64(1))
        rows[:, 0] = (moved + np.uint64(1)) | passes << np.uint64(16) | boards << np.uint64(32)
        self.mark(rows)
        return rows

    def _put(self, board: np.ndarray, chains: _Chains, points: np.ndarray, colour: np.ndarray, dead: np.ndarray) -> np.ndarray:
        """Put a stone on each board and take off what has no liberty then; count the other's stones that were taken."""
        which = np.arange(len(board))
        near = chains.near[which, points]
        of = chains.colour_near[which, points]
        gone = np.where(dead[:, None], of == colour[:, None], (of == 3 - colour[:, None]) & (chains.liberties_of(near) == 1))
        taken = (chains.chain[:, :, None] == np.where(gone, near, -2)[:, None, :]).any(axis=2)
        board[which[~dead], points[~dead]] = colour[~dead]
        board[taken] = FREE
        counted: np.ndarray = np.where(dead, 0, taken.sum(axis=1))
        return counted

    def _key_after(self, board: np.ndarray, chains: _Chains, colour: np.ndarray, now: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Give the key of the board after a stone at each point, uint64[position, point], and whether that stone would be dead, bool."""
        near, of = chains.near, chains.colour_near
        own = of == colour[:, None, None]
        theirs = of == (3 - colour)[:, None, None]
        liberties = chains.liberties_of(near)
        captured = theirs & (liberties == 1)
        lives = (of == FREE) | (own & (liberties > 1)) | captured
        dead = ~lives.any(axis=2)
        fresh = chains.fresh
        keys = chains.keys_of(near)
        stone = self.keys[:, colour - 1].T
        taken = np.bitwise_xor.reduce(np.where(captured & fresh, keys, _NONE), axis=2)
        lost = np.bitwise_xor.reduce(np.where(own & fresh, keys, _NONE), axis=2)
        return now[:, None] ^ np.where(dead, lost, stone ^ taken), dead

    def area(self, rows: np.ndarray) -> np.ndarray:
        """Give black's stones and surrounded points less white's, int64[position]."""
        return self._area(self.shape.board(rows))

    def _area(self, board: np.ndarray) -> np.ndarray:
        free = _Chains(np.where(board == FREE, 3, 0).astype(np.uint8), self)
        reached = []
        for colour in (BLACK, WHITE):
            beside_it = (_padded(board, 0)[:, self._beside] == colour).any(axis=2) & (board == FREE)
            found = np.zeros((len(board), self.points + 1), bool)
            row, point = np.nonzero(beside_it)
            found[row, free.chain[row, point]] = True
            reached.append(np.take_along_axis(found, np.maximum(free.chain, 0), axis=1) & (board == FREE))
        black = (board == BLACK) | (reached[0] & ~reached[1])
        white = (board == WHITE) | (reached[1] & ~reached[0])
        score: np.ndarray = black.sum(axis=1) - white.sum(axis=1)
        return score

    def encode(self, rows: np.ndarray) -> np.ndarray:
        """Give float32[position, plane, point]: own stones, the other's, points where one may not play, whether the other passed, whether
        one is black, and ones, by which a network sees the edge."""
        board, own = self.shape.board(rows), 1 + (rows[:, :1] & np.uint64(1)).astype(np.uint8)
        planes = np.ones((len(rows), PLANES, self.points), np.float32)
        planes[:, 0], planes[:, 1] = board == own, board == 3 - own
        planes[:, 2] = (board == FREE) & ~self.legal(rows)[:, :-1]
        planes[:, 3] = ((rows[:, :1] >> np.uint64(16)) & np.uint64(0xFFFF)) > 0
        planes[:, 4] = own == BLACK
        return planes

    def legal(self, rows: np.ndarray) -> np.ndarray:
        """Give bool[position, move] from the bits in rows."""
        return legal_of(self.shape, rows)

    def playouts(self, rows: np.ndarray, seeds: np.ndarray) -> np.ndarray:
        """Play each position to its end at random, and give black's area less white's, int64[position].

        No eye is filled, no stone is put where it would be taken off at once, no single stone is taken back at once; who can do nothing
        else passes. seeds: uint64[position], of splitmix64.
        """
        board = self.shape.board(rows).copy()
        moved = (rows[:, 0] & np.uint64(0xFFFF)).astype(np.int64)
        passes = ((rows[:, 0] >> np.uint64(16)) & np.uint64(0xFFFF)).astype(np.int64)
        state, ko = seeds.astype(np.uint64), np.full(len(rows), -1)
        while True:
            going = np.flatnonzero((passes < 2) & (moved < self.shape.longest))
            if not len(going):
                return self._area(board)
            state[going], ko[going], passed = self._random_move(board, going, 1 + moved[going] % 2, state[going], ko[going])
            passes[going] = np.where(passed, passes[going] + 1, 0)
            moved[going] += 1

    def _random_move(
        self, board: np.ndarray, going: np.ndarray, colour: np.ndarray, state: np.ndarray, ko: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Move once on some boards, in place; give the states of the seeds, the points that may not be taken back, and who passed."""
        now, count = board[going], len(going)
        chains = _Chains(now, self)
        _, dead = self._key_after(now, chains, colour, np.zeros(count, np.uint64))
        eye = self._eyes(now, colour)
        open_points = (now == FREE) & ~dead & ~eye & (np.arange(self.points) != ko[:, None])
        choices = open_points.sum(axis=1)
        moves = choices > 0
        state = np.where(moves, stepped(state), state)
        drawn = ((mixed(state) >> np.uint64(32)) * choices.astype(np.uint64)) >> np.uint64(32)
        points = (open_points.cumsum(axis=1) > drawn.astype(np.int64)[:, None]).argmax(axis=1)
        ko = np.full(count, -1)
        some = np.flatnonzero(moves)
        if len(some):
            after = now[some]
            taken = self._put(after, chains.some(some), points[some], colour[some], np.zeros(len(some), bool))
            near = _padded(after, 3)[np.arange(len(some))[:, None], self._beside[points[some]]]
            alone = ~(near == colour[some, None]).any(axis=1) & ((near == FREE).sum(axis=1) == 1)
            where = ((now[some] != FREE) & (after == FREE)).argmax(axis=1)
            ko[some] = np.where((taken == 1) & alone, where, -1)
            board[going[some]] = after
        return state, ko, ~moves

    def _eyes(self, board: np.ndarray, colour: np.ndarray) -> np.ndarray:
        """Say which points have only one's own stones beside them, and corners that are mostly not the other's: bool[position, point]."""
        padded = _padded(board, 3)
        whole = ((padded[:, self._beside] == colour[:, None, None]) | (padded[:, self._beside] == 3)).all(axis=2)
        corners = padded[:, self._across]
        others = (corners == (3 - colour)[:, None, None]).sum(axis=2)
        eyes: np.ndarray = whole & (others < np.where((corners == 3).any(axis=2), 1, 2))
        return eyes


class _Chains:
    """What hangs together on boards uint8[position, point]. chain: the first point of each stone's chain, -1 for none; near, colour_near:
    [position, point, 4] of what is beside each point (-1 and 3 beyond the edge); fresh: the first mention of a chain among the four."""

    def __init__(self, board: np.ndarray, rules: PlainBoards) -> None:
        self.points = points = board.shape[1]
        self._beside = rules._beside
        padded = _padded(board, 3)
        self.colour_near = padded[:, self._beside].astype(np.int64)
        label = np.where(board != FREE, np.arange(points), points)
        same = self.colour_near == board[:, :, None]
        while True:
            least = np.where(same, _padded(label, points)[:, self._beside], points).min(axis=2)
            after = np.where(board != FREE, np.minimum(label, least), points)
            if np.array_equal(after, label):
                break
            label = after
        self.chain = np.where(board != FREE, label, -1)
        self.near = _padded(self.chain, -1)[:, self._beside]
        earlier = [(self.near[:, :, :n] == self.near[:, :, n : n + 1]).any(axis=2) for n in range(4)]
        self.fresh = ~np.stack(earlier, axis=2)
        self._liberties = np.zeros((len(board), points + 1), np.int64)
        row, point, place = np.nonzero(self.fresh & (self.near >= 0) & (board == FREE)[:, :, None])
        np.add.at(self._liberties, (row, self.near[row, point, place]), 1)
        self._keys = np.zeros((len(board), points + 1), np.uint64)
        row, point = np.nonzero((board == BLACK) | (board == WHITE))
        np.bitwise_xor.at(self._keys, (row, self.chain[row, point]), rules.keys[point, board[row, point] - 1])

    def liberties_of(self, chains: np.ndarray) -> np.ndarray:
        """Give the liberties of chains int64[position, ...], 0 for none."""
        return self._of(self._liberties, chains)

    def keys_of(self, chains: np.ndarray) -> np.ndarray:
        """Give the keys of chains int64[position, ...], 0 for none."""
        return self._of(self._keys, chains)

    def _of(self, values: np.ndarray, chains: np.ndarray) -> np.ndarray:
        flat = np.where(chains >= 0, chains, self.points).reshape(len(chains), -1)
        return np.take_along_axis(values, flat, axis=1).reshape(chains.shape)

    def some(self, rows: np.ndarray) -> _Chains:
        """Give those of some positions."""
        part = object.__new__(_Chains)
        part.points, part._beside = self.points, self._beside
        for name in ("colour_near", "chain", "near", "fresh", "_liberties", "_keys"):
            setattr(part, name, getattr(self, name)[rows])
        return part


def _padded(values: np.ndarray, beyond: int) -> np.ndarray:
    """Give values[position, point + 1], the last for points beyond the edge."""
    return np.concatenate([values, np.full((len(values), 1), beyond, values.dtype)], axis=1)


def legal_of(shape: Shape, rows: np.ndarray) -> np.ndarray:
    """Give bool[position, move] from the bits in rows."""
    words = np.ascontiguousarray(rows[:, shape.mask : shape.met])
    bits = np.unpackbits(words.view(np.uint8), axis=1, bitorder="little", count=shape.points + 1)
    return bits.astype(bool)
