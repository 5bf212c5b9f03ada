"""Go: self-play throughput, a network of 5x5 against GNU Go and plain UCT, and how far 7x7 and 9x9 come in a bounded time.

    python benchmarks/go.py [throughput|five|seven|nine ...] [--part train|uct|gnugo|curve|lowered ...] [--seed K] [--cache DIR] [--games N]

Every part keeps what it has done in the cache (each game of a match, each checkpoint of a training), so that the benchmark can be stopped
and goes on. Training is one `tacit.compile` by the clock on one thread (`go_training.py`); its cost is told in seconds of the processor,
for the machine may be busy. Matches against GNU Go are over GTP, with `--chinese-rules --capture-all-dead --positional-superko`, from
forced openings that differ, each played with both colours; a win is a win by area, by resignation, or by the other's illegal move.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import datasets
import go_lowered
import go_training
import harness
import numpy as np
import torch

import tacit
from tacit.environments.game import signature_of_game
from tacit.ir.cost import cost
from tacit.search.game_native import native_network
from tacit.search.game_network import network_of
from tacit.search.players import Match, SearchingPlayer, match
from tacit.search.policy_recipe import SelfPlayRecipe
from tacit.search.self_play_games import Share, play_share
from tacit.search.tree_search import search
from tacit.skeletons.boardnet import build
from tacit_programs.go import Go, Go5, Go7, Go9
from tacit_programs.go.opponents import Played, Tally, play_match
from tacit_programs.go.players import EVALUATIONS
from tacit_programs.go.predecessor import gnugo_command, gnugo_rules, plain_uct

Result = dict[str, Any]
#: Random games a move of plain UCT; evaluations a move of ours, against UCT and against GNU Go, whose move takes longer than ours.
PLAYOUTS, AGAINST_GNUGO = 1000, 800
LEVEL, OPENING = 10, 2
#: What the study of feasibility reached on 5x5 with 32 evaluations a move.
STUDY = 8.7
BOARDS = {"five": Go5(), "seven": Go7(), "nine": Go9()}
PARTS = ("train", "uct", "gnugo", "curve", "lowered")


def throughput(seed: int) -> Result:
    """Give self-play games per second of the processor, and what evaluates a network fastest; networks are untrained but for their size."""
    torch.manual_seed(seed)
    found: Result = {}
    for name, game, (width, depth), games in (("5x5", Go5(), (32, 2), 192), ("7x7", Go7(), (32, 4), 48), ("9x9", Go9(), (48, 5), 12)):
        network = build(signature_of_game(game), width=width, depth=depth, worth=True).eval()
        recipe = SelfPlayRecipe(evaluations=32, games=games)
        for way, native in (("generated C", True), ("PyTorch", False)):
            play_share(Share(game, network, SelfPlayRecipe(evaluations=2), 4, seed, native))  # compiled, and caches warm
            begun = time.process_time()
            played = play_share(Share(game, network, recipe, games, seed, native))
            seconds = time.process_time() - begun
            found[f"{name}, {width} channels, {depth} blocks, {way}: self-play games per second"] = games / seconds
            found[f"{name}, {width} channels, {depth} blocks, {way}: evaluations per second, all included"] = (
                len(played.positions) * recipe.evaluations / seconds
            )
        found[f"{name}: moves of a game of an untrained network"] = len(played.positions) / games
        planes = game.encode(played.positions[np.arange(256) % len(played.positions)])
        for way, ask in (("generated C", native_network(game, network)), ("PyTorch, channels last", network_of(network))):
            for batch in (64, 256):
                found[f"{name}, {way}, batch {batch}: network evaluations per second"] = _pace(ask, planes[:batch])
    found["5x5: microseconds of rules and tree per evaluation"] = _tree(Go5(), seed)
    rows = Go5().start(256)
    seeds = np.arange(256, dtype=np.uint64)
    begun = time.process_time()
    for _ in range(8):
        Go5().playouts(rows, seeds)
    found["5x5: random games per second"] = 8 * 256 / (time.process_time() - begun)
    return found


def _pace(ask: Callable[[np.ndarray], object], planes: np.ndarray) -> float:
    ask(planes)
    rounds, begun = 0, time.process_time()
    while time.process_time() - begun < 1.0:
        ask(planes)
        rounds += 1
    return rounds * len(planes) / (time.process_time() - begun)


def _tree(game: Go, seed: int) -> float:
    def nothing(positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        game.encode(positions)
        return np.zeros((len(positions), len(game.moves)), np.float32), np.zeros(len(positions), np.float32)

    positions = game.start(192)
    begun = time.process_time()
    for _ in range(10):
        search(game, positions, nothing, evaluations=32)
    return (time.process_time() - begun) / (10 * 192 * 32) * 1e6


def uct(case: str, seed: int, cache: Path, games: int) -> Result:
    """Play a trained network against plain UCT."""
    binary = tacit.load(go_training.train(case, seed, cache))
    game = BOARDS[case]
    begun = time.process_time()
    player = tacit.player(binary, game, EVALUATIONS)
    shares = tacit.match(game, player, plain_uct(game, PLAYOUTS, seed=seed), games=games, seed=seed)
    first = game.moves[int(player(game.start(1))[0])]
    return {"evaluations": EVALUATIONS, "playouts": PLAYOUTS, "first move": first, "seconds": time.process_time() - begun, **shares}


def gnugo(case: str, seed: int, cache: Path, games: int) -> Result:
    """Play a trained network against GNU Go; each game is kept as it ends."""
    path = cache / "go" / f"{case}-seed-{seed}" / f"gnugo-level-{LEVEL}.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    done = [Played(**{**json.loads(line), "opening": tuple(json.loads(line)["opening"])}) for line in lines]
    binary = tacit.load(go_training.train(case, seed, cache))
    game = gnugo_rules(BOARDS[case])
    player = tacit.player(binary, game, AGAINST_GNUGO)
    begun = time.process_time()

    def keep(tally: Tally) -> None:
        with path.open("a") as file:
            file.write(json.dumps(asdict(tally.games[-1])) + "\n")
        last = tally.games[-1]
        print(f"{len(done) + len(tally.games)} of {games}: {last.won:+d} as {'white' if last.colour else 'black'}", flush=True)

    new = play_match(game, player, gnugo_command(level=LEVEL), games=games, moves=OPENING, seed=seed, told=keep, start=len(done))
    theirs = resource.getrusage(resource.RUSAGE_CHILDREN)
    costs = {"our seconds, of the games of this run": time.process_time() - begun, "games of this run": len(new.games)}
    costs["seconds of GNU Go, of this run"] = theirs.ru_utime + theirs.ru_stime
    settings = {"level": LEVEL, "evaluations": AGAINST_GNUGO, "opening moves": OPENING, "komi": game.komi, "command": gnugo_command()[1:]}
    return {**settings, **Tally((*done, *new.games)).shares(), **costs}


def curve(case: str, seed: int, cache: Path, games: int) -> Result:
    """Give the Elo of the networks kept on the way: the first meets plain UCT, each further one the one before."""
    game, training = BOARDS[case], go_training.TRAININGS[case]
    kept = [torch.load(path) for path in _kept(cache / "go" / f"{case}-seed-{seed}")]
    points, before, elo = [], plain_uct(game, 100, seed=seed), 0.0
    for one in kept:
        network = build(signature_of_game(game), width=training.width, depth=training.depth, worth=True)
        network.load_state_dict(one["network"])
        player = SearchingPlayer(game, native_network(game, network.eval()), 100)
        met: Match = match(game, player, before, games, seed)
        score = float(np.clip((np.sign(met.outcomes).mean() + 1) / 2, 0.5 / games, 1 - 0.5 / games))
        elo += 400 * np.log10(score / (1 - score))
        points.append({"games": one["games"], "seconds": one["seconds"], "elo": float(elo), "score against the one before": score})
        before = player
    return {"points": points, "origin": "UCT with 100 random games", "evaluations": 100, "games of a point": games}


def _kept(folder: Path) -> Iterator[Path]:
    return iter(sorted(folder.glob("network-*.pt"), key=lambda path: int(path.stem.split("-")[1])))


def training(case: str, seed: int, cache: Path) -> Result:
    """Train, and say what it took and what the binary is."""
    path = go_training.train(case, seed, cache)
    binary = tacit.load(path)
    seconds = json.loads((path.parent / "seconds.json").read_text())["seconds"]
    run, costs = binary.evidence["run"], cost(binary.graphs["main"])
    measured = {name: row["win_rate"] for name, row in binary.evidence["scores"]["test"]["against"].items()}
    facts = {"games": run["steps"], "plan": run["plan"], "bytes": path.stat().st_size, "macs": costs.macs, "digest": binary.digest[:16]}
    return {"seconds": seconds, **facts, "recipe": run["recipe"], "settings": run["settings"], "win rates at once": measured}


def write(folder: Path) -> None:
    """Record what is in the cache."""
    figures: dict[str, Any] = {}
    runs = []
    for path in sorted(folder.glob("*.json")):
        case, part, seed = path.stem.split("_")
        result = json.loads(path.read_text())
        runs.append({"case": case, "part": part, "seed": seed, **result})
        for label, value in _figures(case, part, result):
            figures.setdefault(label, {})[seed] = value
    played, pace = figures.get("seven: games of self-play"), figures.get("nine: games per second, learning included")
    if played and pace:
        figures["nine: hours for as many games as 7x7 had, forecast"] = {
            seed: played[seed] / pace[seed] / 3600 for seed in played if seed in pace
        }
    target = {
        "5x5, 32 channels, 2 blocks, generated C: self-play games per second": f">= {3 * STUDY:.1f}",
        "five: seconds of training": "<= 2400",
        "five: win rate against UCT with 1000 random games": ">= 0.95",
        "five: win rate against GNU Go, level 10": ">= 0.5",
        "seven: win rate against GNU Go, level 10": ">= 0.5",
    }
    harness.record(
        "go",
        figures,
        command="python benchmarks/go.py",
        target={name: rule for name, rule in target.items() if name in figures},
        notes=[
            "Seconds are those of the processor, one thread, learning and all. A binary learns with half a point of komi on 5x5, 8.5 on "
            "7x7 and 6.5 on 9x9, and meets its opponents with the same.",
            f"Against UCT {EVALUATIONS} evaluations a move, against GNU Go {AGAINST_GNUGO}; openings of {OPENING} random moves, each "
            "played twice with the colours exchanged. Between perfect players that gives one half. Intervals (Wilson, 95 %): in the runs.",
            "Elo: the networks kept on the way, each against the one before, in as many games as the run says; to win all or none tells "
            "no more than so many games can. The forecast of 9x9 is the time for as many games of self-play as 7x7 had.",
            f"{3 * STUDY:.1f} games per second are three times those of an earlier study on another, busier machine, learning included.",
        ],
        runs=runs,
    )


def _figures(case: str, part: str, result: Result) -> Iterator[tuple[str, float]]:
    if part == "throughput":
        yield from result.items()
    elif part == "train":
        yield f"{case}: seconds of training", result["seconds"]
        yield f"{case}: games of self-play", result["games"]
        yield f"{case}: games per second, learning included", result["games"] / result["seconds"]
        yield f"{case}: multiply-accumulates of an evaluation", result["macs"]
        yield f"{case}: bytes of the file", result["bytes"]
    elif part == "uct":
        rival = f"UCT with {result['playouts']} random games"
        yield f"{case}: win rate against {rival}", result["win_rate"]
        yield f"{case}: win rate against {rival}, beginning", result["win_rate_beginning"]
        yield f"{case}: win rate against {rival}, replying", result["win_rate_replying"]
        yield f"{case}: opens in the centre", float(result["first move"] == {"five": "C3", "seven": "D4", "nine": "E5"}[case])
    elif part == "gnugo":
        for which, name in (("all", ""), ("as black", ", as black"), ("as white", ", as white")):
            yield f"{case}: win rate against GNU Go, level {result['level']}{name}", result[which]["win rate"]
    elif part == "lowered":
        for name in ("int8 outputs whose bits differ", "share of best moves that int8 keeps"):
            yield f"{case}: {name}", result[name]
        for kind, counted in result["instructions"].items():
            yield f"{case}: instructions of an evaluation, {kind}, greatest less least of five unlike inputs", max(counted) - min(counted)
            yield f"{case}: instructions of an evaluation, {kind}", max(counted)
    elif part == "curve":
        for point in result["points"]:
            yield f"{case}: Elo above {result['origin']}, after {point['seconds']:.0f} s, {point['games']} games", point["elo"]
        if len(result["points"]) > 2:
            seconds, elo = (np.array([point[name] for point in result["points"]]) for name in ("seconds", "elo"))
            yield f"{case}: Elo per doubling of the seconds", float(np.polyfit(np.log2(seconds), elo, 1)[0])


def run(case: str, part: str, seed: int, cache: Path, games: int) -> Result:
    if part == "throughput":
        return throughput(seed)
    if part == "train":
        return training(case, seed, cache)
    if part == "lowered":
        binary = tacit.load(go_training.train(case, seed, cache))
        return go_lowered.lowered(binary.graphs["main"], binary.signature, BOARDS[case], seed)
    return {"uct": uct, "gnugo": gnugo, "curve": curve}[part](case, seed, cache, games)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"throughput, {', '.join(BOARDS)}")
    parser.add_argument("--part", action="append", choices=PARTS, help="of a board; by default all of them")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--games", type=int, default=100)
    parser.add_argument("--cache", type=Path, default=datasets.default_cache())
    parser.add_argument("--again", action="store_true", help="run what is in the cache, too")
    given = parser.parse_args()
    known = ["throughput", *BOARDS]
    if unknown := [case for case in given.cases if case not in known]:
        raise SystemExit(f"expected a case, got `{unknown[0]}`\ntry: one of {', '.join(known)}")
    torch.set_num_threads(1)
    folder = given.cache / "go" / "results"
    folder.mkdir(parents=True, exist_ok=True)
    for case in given.cases or known:
        for part in ["throughput"] if case == "throughput" else given.part or PARTS:
            path = folder / f"{case}_{part}_{given.seed}.json"
            if given.again or not path.exists():
                result = run(case, part, given.seed, given.cache, given.games)
                path.write_text(json.dumps(result))
                print(f"{case}, {part}, seed {given.seed}: {result}", flush=True)
            write(folder)


if __name__ == "__main__":
    main()
