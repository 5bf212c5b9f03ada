"""Programs that act: returns of environments by policy gradient, and a game learnt by self-play against plain tree search.

    python benchmarks/acting.py [CASE ...] [--seeds N] [--seed K] [--cache DIR] [--again]

Every run is one `tacit.compile` with a budget in steps or games and one thread; its result is kept in the cache, so that the benchmark can
be stopped and goes on. Scores are those of the shipped binary on episodes and games that nothing was learnt from or chosen by. Times are
seconds of the processor, for the machine may be busy. The peer of the game is plain UCT with as many evaluations per move, each a random
game to the end; how much it explores was chosen for it beforehand in games of UCT against UCT (the case `uct`).
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import harness
import numpy as np
import torch

import tacit
from tacit.acting.measuring import player_of, shares_of
from tacit.environments.game import signature_of_game
from tacit.search.game_network import network_of
from tacit.search.players import UctPlayer, match, uct_opponent
from tacit.search.policy_recipe import SelfPlayRecipe
from tacit.search.self_play_games import Share, play_share
from tacit.search.tree_search import Noise, search
from tacit.skeletons.boardnet import build
from tacit_programs.connect_four import ConnectFour

Result = dict[str, Any]
EVALUATIONS = 32
GAMES = 2560
#: environment -> (steps, recipe): what is set beside the usual is what the environment is known to need.
ENVIRONMENTS: dict[str, tuple[int, dict[str, Any]]] = {
    "CartPole-v1": (100_000, {}),
    "Acrobot-v1": (200_000, {}),
    "Pendulum-v1": (300_000, {"discount": 0.9}),
}
EXPLORES = (0.5, 0.7, 1.0, 1.4, 2.0)


def environment(name: str, seed: int) -> Result:
    """Compile for an environment and give the returns of the binary."""
    steps, recipe = ENVIRONMENTS[name]
    begun = time.process_time()
    program = tacit.Program(name.lower(), environment=name, recipe=recipe, budget=tacit.Budget(steps=steps))
    evidence = tacit.compile(program, seed=seed).evidence
    return {"seconds": time.process_time() - begun, "learning steps": evidence["run"]["steps"], **evidence["scores"]["test"]}


def connect_four(seed: int) -> Result:
    """Compile the game and give its matches; against UCT with four times the evaluations, too."""
    begun = time.process_time()
    recipe = {"evaluations": EVALUATIONS}
    program = tacit.Program("connect-four", game=ConnectFour(), recipe=recipe, budget=tacit.Budget(steps=GAMES), episodes=200)
    binary = tacit.compile(program, seed=seed)
    seconds = time.process_time() - begun
    game, scores = ConnectFour(), binary.evidence["scores"]["test"]["against"]
    player = player_of(binary, game, EVALUATIONS)
    stronger = uct_opponent(game, 4 * EVALUATIONS, seed)
    scores["uct with 4 times the evaluations"] = shares_of(match(game, player, stronger, 100, seed))
    alone = player_of(binary, game, 1)
    scores["uct, the network without a search"] = shares_of(match(game, alone, uct_opponent(game, EVALUATIONS, seed), 200, seed))
    return {"seconds": seconds, "games": binary.evidence["run"]["steps"], "against": scores, "macs": binary.evidence["costs"]["macs"]}


def uct(seed: int) -> Result:
    """Give the share of points of UCT by how much it explores, against all the others."""
    game = ConnectFour()
    points: dict[str, list[float]] = {str(explore): [] for explore in EXPLORES}
    for one in EXPLORES:
        for other in EXPLORES:
            if one < other:
                players = [
                    UctPlayer(game, EVALUATIONS, np.random.default_rng([seed, place]), explore)
                    for place, explore in enumerate((one, other))
                ]
                outcome = float(match(game, players[0], players[1], 200, seed).outcomes.mean())
                points[str(one)].append(outcome)
                points[str(other)].append(-outcome)
    return {"points": {name: float(np.mean(values)) for name, values in points.items()}}


def speed(seed: int) -> Result:
    """Give games and evaluations per second of the processor, with an untrained network and without one."""
    found: Result = {}
    game = ConnectFour()
    random = np.random.default_rng(seed)

    def nothing(positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.zeros((len(positions), len(game.moves)), np.float32), np.zeros(len(positions), np.float32)

    positions = game.start(128)
    begun = time.process_time()
    for _ in range(10):
        search(game, positions, nothing, evaluations=EVALUATIONS, noise=Noise(), random=random)
    found["microseconds of tree and rules per evaluation"] = (time.process_time() - begun) / (10 * 128 * EVALUATIONS) * 1e6
    network = build(signature_of_game(game), worth=True)
    recipe = SelfPlayRecipe(evaluations=EVALUATIONS)
    begun = time.process_time()
    played = play_share(Share(game, network, recipe, 128, seed))
    seconds = time.process_time() - begun
    found["self-play games per second"] = 128 / seconds
    found["self-play evaluations per second"] = len(played.positions) * EVALUATIONS / seconds
    small = network_of(build(signature_of_game(_FiveByFive()), worth=True))  # type: ignore[arg-type]
    planes = random.random((128, 4, 5, 5), np.float32)
    small(planes)
    begun = time.process_time()
    for _ in range(50):
        small(planes)
    found["network evaluations per second, 5x5 board, 32 channels, 2 residual blocks"] = 50 * 128 / (time.process_time() - begun)
    return found


class _FiveByFive:
    """The shapes of a board of 5x5 with 26 moves, for timing its network."""

    planes, moves = (4, 5, 5), tuple(map(str, range(26)))


CASES: dict[str, Callable[[int], Result]] = {
    **{name: lambda seed, name=name: environment(name, seed) for name in ENVIRONMENTS},  # type: ignore[misc]
    "connect-four": connect_four,
    "uct": uct,
    "speed": speed,
}


def write(folder: Path) -> None:
    """Record what is in the cache."""
    kept: dict[str, dict[str, Result]] = {}
    for path in sorted(folder.glob("*.json")):
        case, _, seed = path.stem.rpartition("-seed-")
        kept.setdefault(case, {})[seed] = json.loads(path.read_text())
    figures: dict[str, Any] = {}
    for name in ENVIRONMENTS:
        for seed, result in kept.get(name, {}).items():
            for key, label in (("return", f"{name}: mean return of 100 episodes"), ("seconds", f"{name}: processor seconds")):
                figures.setdefault(label, {})[seed] = result[key]
            figures.setdefault(f"{name}: least return", {})[seed] = result["return_least"]
    for seed, result in kept.get("connect-four", {}).items():
        figures.setdefault("connect-four: processor seconds, measuring included", {})[seed] = result["seconds"]
        for opponent, row in result["against"].items():
            figures.setdefault(f"connect-four: non-loss rate against {opponent}", {})[seed] = row["non_loss_rate"]
            figures.setdefault(f"connect-four: win rate against {opponent}", {})[seed] = row["win_rate"]
    for seed, result in kept.get("speed", {}).items():
        for label, value in result.items():
            figures.setdefault(label, {})[seed] = value
    for seed, result in kept.get("uct", {}).items():
        for explore, value in result["points"].items():
            figures.setdefault(f"uct: mean outcome against the others, explore {explore}", {})[seed] = value
    target = {
        "CartPole-v1: mean return of 100 episodes": "min >= 475",
        "CartPole-v1: processor seconds": "<= 60",
        "connect-four: non-loss rate against random": "min >= 0.95",
        "connect-four: win rate against uct": "min >= 0.6",
        "network evaluations per second, 5x5 board, 32 channels, 2 residual blocks": ">= 33000",
    }
    games = [{"case": case, "seed": seed, **result} for case, seeds in kept.items() for seed, result in seeds.items()]
    harness.record(
        "acting",
        figures,
        command="python benchmarks/acting.py",
        target={name: rule for name, rule in target.items() if name in figures},
        notes=[
            "Steps of learning: " + ", ".join(f"{name} {steps:,}" for name, (steps, _) in ENVIRONMENTS.items() if name in kept) + ". "
            "The greatest return that CartPole-v1 allows is 500.",
            f"Connect Four: {GAMES} games of self-play at {EVALUATIONS} evaluations per move; 200 games against each opponent from random "
            "openings of two moves, each side half of them. Intervals of the shares stand in the runs (Wilson, 95 %).",
            "33,000 evaluations per second on 5x5 are three times those of an earlier study of self-play on another, busier machine.",
        ],
        runs=games,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--seed", type=int, help="this one alone")
    parser.add_argument("--cache", type=Path, default=datasets.default_cache())
    parser.add_argument("--again", action="store_true", help="run what is in the cache, too")
    given = parser.parse_args()
    if unknown := [case for case in given.cases if case not in CASES]:
        raise SystemExit(f"expected a case, got `{unknown[0]}`\ntry: one of {', '.join(CASES)}")
    torch.set_num_threads(1)
    folder = given.cache / "acting"
    folder.mkdir(parents=True, exist_ok=True)
    for case in given.cases or CASES:
        for seed in range(given.seeds) if given.seed is None else [given.seed]:
            path = folder / f"{case}-seed-{seed}.json"
            if given.again or not path.exists():
                result = CASES[case](seed)
                path.write_text(json.dumps(result))
                print(f"{case}, seed {seed}: {result}", flush=True)
            write(folder)


if __name__ == "__main__":
    main()
