"""What a binary achieves by acting: returns of fresh episodes, and games against opponents. Needs NumPy, and what the environment needs.

Source of the intervals: Wilson 1927, "Probable inference, the law of succession, and statistical inference".
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tacit.binary.binary import Binary
from tacit.binary.native import accelerate
from tacit.environments.environment import Environment, best
from tacit.environments.game import Game
from tacit.environments.opening import environment_of, game_of
from tacit.environments.rollouts import Episodes, Policy, episode_seeds, episodes_of
from tacit.goals.acting import OPPONENTS, opponents_of
from tacit.goals.own import own_scores
from tacit.ground.errors import ConfigError
from tacit.ground.progress import Reporter
from tacit.program import Program
from tacit.search.players import Match, Player, SearchingPlayer, match
from tacit.search.tree_search import Network

#: Episodes, and games against each opponent, where nothing else is asked for.
EPISODES, GAMES = 100, 100
#: Episodes that run at once between two words about how far it is.
_AT_ONCE = 64


def policy_of(binary: Binary) -> Policy:
    """Give what a binary does in an environment: the action that it prefers."""
    output = binary.signature.output

    def act(observations: np.ndarray) -> np.ndarray:
        (scores, *_) = binary.run([observations])
        return best(output, scores.reshape(len(scores), output.width))

    return act


def network_of_binary(binary: Binary) -> Network:
    """Give a binary as the tree search calls it. Raises: ConfigError for one that does not say what a position is worth."""
    width = binary.signature.output.width

    def ask(planes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        scores, worth, *_ = binary.run([planes])
        return scores.reshape(len(scores), width), np.tanh(worth.reshape(-1))

    outputs = binary.graphs["main"].of_kind("output")
    if len(outputs) < 2:
        raise ConfigError(
            f"expected a binary that gives scores and a worth, got one with {len(outputs)} output",
            fix="compile it from a game: Program(game=...)",
        )
    return ask


def player_of(binary: Binary, game: Game, evaluations: int) -> SearchingPlayer:
    """Give a binary with a tree search around it as a player; it runs as native code where a game would take the interpreter long.

    Raises: ConfigError for a binary of another game.
    """
    planes = tuple(binary.signature.input.arrays[0].shape)
    if planes != tuple(game.planes) or binary.signature.output.width != len(game.moves):
        raise ConfigError(f"expected a binary for {game.name} ({game.planes}, {len(game.moves)} moves), got one for {binary.signature}")
    accelerate(binary, examples=evaluations * game.longest)
    return SearchingPlayer(game, network_of_binary(binary), evaluations)


def opponent_of(name: str, game: Game, evaluations: int, *, seed: int = 0) -> Player:
    """Give an opponent by its name (``random``, ``uct``) as a player with so many evaluations per move. Raises: UnknownName."""
    player: Player = OPPONENTS.get(name)(game, evaluations, seed)
    return player


def measure_match(game: Game, player: Player, opponent: Player, *, games: int = GAMES, seed: int = 0) -> dict[str, Any]:
    """Play a match, two games from each random opening with the sides exchanged; give the player's shares as JSON values."""
    return shares_of(match(game, player, opponent, games, seed))


def measure_environment(
    binary: Binary, environment: Environment, *, episodes: int = EPISODES, seed: int = 0, reporter: Reporter | None = None
) -> dict[str, Any]:
    """Run fresh episodes, none of which was trained or chosen by; give mean, spread and extremes of the returns as JSON values."""
    seeds, act = episode_seeds(seed, episodes, purpose="test"), policy_of(binary)
    parts: list[Episodes] = []
    for start in range(0, episodes, _AT_ONCE):
        parts.append(episodes_of(environment, act, seeds[start : start + _AT_ONCE]))
        if reporter is not None:
            reporter.progress(min(1.0, (start + _AT_ONCE) / episodes), None, f"{min(episodes, start + _AT_ONCE)} of {episodes} episodes")
    returns = np.concatenate([part.returns for part in parts])
    deviation = float(returns.std(ddof=1)) if episodes > 1 else 0.0
    return {
        "count": episodes,
        "of": "episodes",
        "return": float(returns.mean()),
        "return_deviation": deviation,
        "return_standard_error": deviation / math.sqrt(episodes),
        "return_least": float(returns.min()),
        "return_greatest": float(returns.max()),
        "steps": float(np.concatenate([part.steps for part in parts]).mean()),
    }


def measure_game(
    binary: Binary,
    game: Game,
    opponents: Sequence[str],
    *,
    games: int = GAMES,
    evaluations: int,
    seed: int = 0,
    reporter: Reporter | None = None,
) -> dict[str, Any]:
    """Play against each opponent, who has as many evaluations per move, half of the games as either side; give shares as JSON values."""
    against = {}
    player = player_of(binary, game, evaluations)
    for place, name in enumerate(opponents):
        opponent = opponent_of(name, game, evaluations, seed=seed)
        against[name] = measure_match(game, player, opponent, games=games, seed=seed) | {"evaluations": evaluations}
        if reporter is not None:
            reporter.progress((place + 1) / len(opponents), None, f"against {name}: won {against[name]['wins']} of {games}")
    return {"count": games, "of": "games", "evaluations": evaluations, "against": against}


def shares_of(played: Match) -> dict[str, Any]:
    """Count a match: shares of the games with 95 % intervals, and the wins as either side."""
    wins, losses = played.outcomes > 0, played.outcomes < 0
    count = len(played.outcomes)
    return {
        "games": count,
        "wins": int(wins.sum()),
        "draws": int((~wins & ~losses).sum()),
        "losses": int(losses.sum()),
        "win_rate": float(wins.mean()),
        "win_rate_interval": list(wilson(int(wins.sum()), count)),
        "non_loss_rate": float((~losses).mean()),
        "non_loss_rate_interval": list(wilson(count - int(losses.sum()), count)),
        "win_rate_beginning": float(wins[played.began].mean()),
        "win_rate_replying": float(wins[~played.began].mean()),
    }


def wilson(hits: int, count: int, *, deviations: float = 1.96) -> tuple[float, float]:
    """Give the interval of a share.

    >>> [round(end, 3) for end in wilson(95, 100)]
    [0.888, 0.978]
    """
    share, square = hits / count, deviations**2
    middle = (share + square / (2 * count)) / (1 + square / count)
    half = deviations / (1 + square / count) * math.sqrt(share * (1 - share) / count + square / (4 * count**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def measure_program(
    binary: Binary, program: Program, *, seed: int = 0, evaluations: int, reporter: Reporter | None = None
) -> dict[str, Any]:
    """Measure a binary in the environment or the game of its program, or by the program's own scores."""
    if program.only_scored:
        return own_scores(program.goals, binary, program.examples, "test")
    if program.environment is not None:
        block = measure_environment(binary, program.environment, episodes=program.episodes or EPISODES, seed=seed, reporter=reporter)
        return block | own_scores(program.goals, binary, program.examples, "test")
    opponents = opponents_of(program.goals)
    games = program.episodes or GAMES
    return measure_game(binary, program.game, opponents, games=games, evaluations=evaluations, seed=seed, reporter=reporter)


def measure_again(
    binary: Binary,
    *,
    program: Program | None = None,
    episodes: int | None = None,
    seed: int | None = None,
    reporter: Reporter | None = None,
) -> dict[str, Any]:
    """Measure a binary as its compiler did: from the file alone where the environment has an id, else with its program.

    episodes, seed: others than those of the compiler, for fresh ones. Raises: ConfigError when the file does not say where it acts, or when
    that can't be had by name.
    """
    acted: Mapping[str, Any] = binary.evidence.get("acting") or {}
    kind = acted.get("kind")
    count, drawn = int(episodes or acted.get("episodes") or EPISODES), int(acted.get("seed", 0) if seed is None else seed)
    if program is not None and program.only_scored:
        return own_scores(program.goals, binary, program.examples, "test")
    if program is None and kind == "score":
        said = f"expected the program whose score `{acted.get('name')}` measures this binary, got the binary alone"
        raise ConfigError(said, fix="tacit.test(binary, against=program)")
    if program is None and kind not in ("environment", "game"):
        raise ConfigError("expected a binary that acts in an environment or plays a game, got one of examples", fix="tacit run FILE INPUT")
    if kind == "environment" or (program is not None and program.environment is not None):
        environment = program.environment if program is not None else _environment(acted, binary)
        return measure_environment(binary, environment, episodes=count, seed=drawn, reporter=reporter)
    game: Game = program.game if program is not None else _game(acted)
    evaluations, opponents = int(acted.get("evaluations", 64)), list(acted.get("opponents") or ["random", "uct"])
    return measure_game(binary, game, opponents, games=count, evaluations=evaluations, seed=drawn, reporter=reporter)


def _environment(acted: Mapping[str, Any], binary: Binary) -> Environment:
    name = acted.get("id")
    # An id with a colon makes Gymnasium import a module that the file names: a binary must not choose code to run.
    if not isinstance(name, str) or ":" in name:
        raise ConfigError(
            f"expected an environment with an id, `{acted.get('name')}` has none in the file",
            fix="tacit test FILE --in DIR, with its program",
        )
    return environment_of(name, signature=binary.signature, options=acted.get("options") or {})


def _game(acted: Mapping[str, Any]) -> Game:
    reference = str(acted.get("id") or "")
    # Only games that are installed as such: a binary must not choose code to run.
    if not reference.startswith("tacit_programs."):
        raise ConfigError(
            f"expected a game that is installed, `{acted.get('name')}` is not", fix="tacit test FILE --in DIR, with its program"
        )
    return game_of(reference)
