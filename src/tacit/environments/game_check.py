"""Hold a game to its protocol by playing some: what breaks is named with the moves that lead there."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tacit.environments.game import Game, random_moves, turned
from tacit.ground.errors import InputError, raise_all

#: So many games are played out at random.
GAMES = 16

Trail = list[np.ndarray]


def check_game(game: Game, *, seed: int = 0) -> None:
    """Play some games at random and look at every position.

    Whatever `outcome` says is for the player who began, and the other gets the opposite, so that wins can't fail to add up to nothing; a
    sign that is wrong shows in `turn`, and in a board that is turned. Raises: InputError naming every kind of problem once.
    """
    lacking = lacks(game)
    raise_all(
        (f"`{part}` is missing" for part in lacking),
        heading=f"expected a game - at `{_name(game)}`",
        fix="see tacit.environments.game.Game",
    )
    problems: dict[str, str] = {}
    try:
        _static(game, problems)
        if not problems:
            _play(game, np.random.default_rng(seed), problems)
    except InputError:
        raise
    except Exception as error:  # a person's code
        problems["failure"] = f"it failed with {type(error).__name__}: {error}"
    heading = f"expected a game that keeps its own rules - at `{_name(game)}`"
    raise_all(problems.values(), heading=heading, fix="mend the rules: what they say of themselves is in tacit.environments.game.Game")


_PARTS = ("name", "moves", "planes", "longest", "symmetries", "start", "turn", "legal", "play", "outcome", "encode")


def lacks(game: object) -> list[str]:
    """Name what an object lacks to be a `Game`."""
    return [part for part in _PARTS if not hasattr(game, part)]


def _name(game: object) -> str:
    return str(getattr(game, "name", type(game).__name__))


def _static(game: Game, problems: dict[str, str]) -> None:
    """Look at what the game says of itself."""
    count = len(game.moves)
    if count < 2 or len(set(game.moves)) != count:
        problems["moves"] = f"`moves`: expected at least two different names, got {list(game.moves)[:8]}"
    if len(game.planes) != 3 or min(game.planes) < 1:
        problems["planes"] = f"`planes`: expected (planes, rows, columns), got {game.planes}"
        return
    squares = game.planes[1] * game.planes[2]
    for place, (own, moves) in enumerate(game.symmetries):
        for what, array, size in (("squares", own, squares), ("moves", moves, count)):
            if sorted(np.asarray(array).tolist()) != list(range(size)):
                problems["symmetries"] = f"`symmetries[{place}]`: expected a permutation of {size} {what}"


def _play(game: Game, random: np.random.Generator, problems: dict[str, str]) -> None:
    """Play games to their ends, each beside its turned sisters and once more by itself."""
    positions = game.start(GAMES)
    sisters = [game.start(GAMES) for _ in game.symmetries]
    trail: Trail = []
    going = np.arange(GAMES)
    for ply in range(game.longest + 1):
        outcome = _looked_at(game, positions, trail, going, ply, problems)
        for place, sister in enumerate(sisters):
            _compared(game, place, positions, sister, trail, problems)
        keep = np.isnan(outcome)
        if problems or not keep.any():
            return
        positions, going = positions[keep], going[keep]
        sisters = [sister[keep] for sister in sisters]
        trail = [moves[keep] for moves in trail]
        moves = random_moves(game, positions, random)
        if not game.legal(positions)[np.arange(len(moves)), moves].all():
            problems["legal"] = f"`legal`: no move is legal, though the game goes on; {_after(game, trail, 0)}"
            return
        before = positions.copy()
        after = game.play(positions, moves)
        if not np.array_equal(before, positions):
            problems["play"] = f"`play`: it changed the positions that it was given; {_after(game, trail, 0)}"
            positions = before
        alone = np.concatenate([game.play(before[row : row + 1], moves[row : row + 1]) for row in range(len(before))])
        if not np.array_equal(alone, after):
            problems["batch"] = f"`play`: a position by itself becomes another one than among others; {_after(game, trail, 0)}"
        if not np.array_equal(game.turn(after), 1 - game.turn(before)):
            problems["turn"] = f"`turn`: expected the other player after a move; {_after(game, [*trail, moves], 0)}"
        sisters = [game.play(sister, np.argsort(permuted)[moves]) for sister, (_, permuted) in zip(sisters, game.symmetries, strict=True)]
        positions = after
        trail.append(moves)
    problems["longest"] = f"`longest`: a game goes on after {game.longest} moves"


def _looked_at(game: Game, positions: np.ndarray, trail: Trail, going: np.ndarray, ply: int, problems: dict[str, str]) -> np.ndarray:
    """Look at the shapes and values of what the game says of positions; give the outcomes."""
    count = len(positions)
    shown: tuple[tuple[str, Callable[[np.ndarray], np.ndarray], tuple[int, ...], str], ...] = (
        ("outcome", game.outcome, (count,), "f"),
        ("legal", game.legal, (count, len(game.moves)), "b"),
        ("turn", game.turn, (count,), "iu"),
        ("encode", game.encode, (count, *game.planes), "f"),
    )
    found: dict[str, np.ndarray] = {}
    for name, ask, shape, kinds in shown:
        found[name] = array = np.asarray(ask(positions))
        if array.shape != shape or array.dtype.kind not in kinds:
            wanted = {"f": "float32", "b": "bool", "iu": "int64"}[kinds]
            problems[name] = f"`{name}`: expected {wanted}{list(shape)}, got {array.dtype}{list(array.shape)}"
    if problems:
        return np.zeros(count, np.float32)
    outcome, turn = found["outcome"], found["turn"]
    odd = np.flatnonzero(~np.isnan(outcome) & (np.abs(outcome) > 1))
    if len(odd):
        problems["outcome"] = f"`outcome`: expected -1 to 1 or NaN, got {outcome[odd[0]]}; {_after(game, trail, int(odd[0]))}"
    if ply == 0 and (turn != 0).any():
        problems["turn"] = "`turn`: expected 0, the player who begins, before the first move"
    stuck = np.flatnonzero(np.isnan(outcome) & ~found["legal"].any(axis=1))
    if len(stuck):
        problems["legal"] = f"`legal`: no move is legal, though the game goes on; {_after(game, trail, int(stuck[0]))}"
    if not np.isfinite(found["encode"]).all():
        problems["encode"] = "`encode`: expected finite numbers"
    return outcome


def _compared(game: Game, place: int, positions: np.ndarray, sister: np.ndarray, trail: Trail, problems: dict[str, str]) -> None:
    """Hold positions against those that came about by the turned moves."""
    symmetry = game.symmetries[place]
    pairs = {
        "encode": (turned(game.encode(positions), symmetry), game.encode(sister)),
        "legal": (game.legal(positions)[:, symmetry[1]], game.legal(sister)),
        "outcome": (game.outcome(positions), game.outcome(sister)),
    }
    for name, (wanted, got) in pairs.items():
        if not np.array_equal(wanted, got, equal_nan=name == "outcome"):
            same = (wanted == got) | ((wanted != wanted) & (got != got))
            row = int(np.argmin(same.reshape(len(same), -1).all(axis=1)))
            problems.setdefault(
                f"symmetry {place}", f"`symmetries[{place}]`: `{name}` differs on the turned board; {_after(game, trail, row)}"
            )


def _after(game: Game, trail: Trail, row: int) -> str:
    names = [str(game.moves[int(moves[row])]) for moves in trail]
    return f"after the moves {' '.join(names)}" if names else "before the first move"
