"""Learning a game by playing against oneself: tree search improves on the network, and the network learns what the search found.

Source: Silver et al. 2018, "A general reinforcement learning algorithm that masters chess, shogi, and Go through self-play"; what the
worth is taught beside the outcome: Willemsen et al. 2021, "Value targets in off-policy AlphaZero".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tacit.environments.game import Game
from tacit.ground.errors import InputError
from tacit.search.columns import seed_of
from tacit.search.game_native import pays
from tacit.search.game_network import network_of
from tacit.search.players import SearchingPlayer, match, random_opponent
from tacit.search.policy_recipe import SelfPlayRecipe
from tacit.search.rounds import State, optimiser_state, restore_optimiser
from tacit.search.self_play_games import Played, Share, play_share
from tacit.search.workers import Failure, Workers

#: Games against the random player by which it is told how it goes.
LOOKED_AT = 32


class SelfPlay:
    """One run. A round plays games with the network as it is, then teaches it from the newest positions."""

    unit = "games"

    def __init__(self, game: Game, network: nn.Module, recipe: SelfPlayRecipe, *, seed: int, workers: Workers) -> None:
        """Begin. network: planes -> (scores of moves, worth before a tanh). workers: who plays the games."""
        self.game, self.recipe, self.seed, self.workers = game, recipe, seed, workers
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a quarter less time per step
        self.each = recipe.games
        mean = recipe.full * recipe.evaluations + (1.0 - min(1.0, recipe.full)) * recipe.fast
        self.native = pays(game, network, games=recipe.games // max(1, min(recipe.shares, recipe.games)), evaluations=mean)
        self.optimiser = torch.optim.AdamW(network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
        self.kept: Played | None = None
        self.loss, self.length, self.rounds, self.against_random = (0.0, 0.0), 0.0, 0, 0.0
        #: int64[symmetry, ...]: what the board is as it is, and as each symmetry shows it.
        squares, moves = game.planes[1] * game.planes[2], len(game.moves)
        turns = [(np.arange(squares), np.arange(moves)), *game.symmetries]
        self._squares = torch.from_numpy(np.stack([np.asarray(own) for own, _ in turns]))
        self._moves = torch.from_numpy(np.stack([np.asarray(permuted) for _, permuted in turns]))

    def round(self, number: int, fraction: float) -> None:
        """Play a round of games, then learn. Raises: InputError when the game fails."""
        played = self._play(number)
        self.length, self.rounds = len(played.positions) / self.recipe.games, number + 1
        self.kept = played if self.kept is None else Played.joined([self.kept, played]).newest(self.recipe.keep)
        steps = max(1, round(self.recipe.reuse * len(played.positions) / self.recipe.batch))
        self._learn(number, steps, fraction)

    def _play(self, number: int) -> Played:
        recipe = self.recipe
        counts = [len(part) for part in np.array_split(np.arange(recipe.games), min(recipe.shares, recipe.games))]
        shares = [
            Share(self.game, self.network, recipe, count, seed_of(self.seed, "games", number, place), self.native)
            for place, count in enumerate(counts)
        ]
        parts: dict[int, Played] = {}
        for place, result in self.workers.run(play_share, shares):
            if isinstance(result, Failure):
                raise InputError(f"expected games that can be played to their ends - at `{self.game.name}`", cause=result.reason)
            parts[place] = result
        return Played.joined([parts[place] for place in range(len(shares))])

    def _learn(self, number: int, steps: int, fraction: float) -> None:
        recipe, kept = self.recipe, self.kept
        if kept is None:
            return
        generator = torch.Generator().manual_seed(seed_of(self.seed, "learn", number))
        for group in self.optimiser.param_groups:
            group["lr"] = recipe.learning_rate * (1.0 - 0.9 * fraction)
        self.network.train()
        totals = np.zeros(2)
        for _ in range(steps):
            rows = torch.randint(len(kept.positions), (min(recipe.batch, len(kept.positions)),), generator=generator).numpy()
            which = torch.randint(len(self._squares), (len(rows),), generator=generator)
            planes = torch.from_numpy(self.game.encode(kept.positions[rows]))
            planes = planes.flatten(2).gather(2, self._squares[which][:, None].expand(-1, planes.shape[1], -1)).reshape(planes.shape)
            policy = torch.from_numpy(kept.policies[rows]).gather(1, self._moves[which])
            worth = torch.from_numpy((1.0 - recipe.searched) * kept.outcomes[rows] + recipe.searched * kept.worths[rows])
            totals += self._descend(planes, policy, worth)
        self.network.eval()
        self.loss = (float(totals[0] / steps), float(totals[1] / steps))

    def _descend(self, planes: Tensor, policy: Tensor, worth: Tensor) -> tuple[float, float]:
        scores, judged = self.network(planes.contiguous(memory_format=torch.channels_last))
        of_policy = -(policy * F.log_softmax(scores, dim=1)).sum(dim=1).mean()
        of_worth = (judged.reshape(-1).tanh() - worth).square().mean()
        self.optimiser.zero_grad(set_to_none=True)
        (of_policy + of_worth).backward()
        self.optimiser.step()
        return float(of_policy.detach()), float(of_worth.detach())

    def look(self) -> float:
        """Give how many rounds were played: what was trained last is the best, for it has learnt from the strongest games.

        Games against others are for the status alone: against a weak player they tell nothing any more after a few minutes.
        """
        player = SearchingPlayer(self.game, network_of(self.network), 1)
        opponent = random_opponent(self.game, 1, seed_of(self.seed, "look"))
        self.against_random = float((match(self.game, player, opponent, LOOKED_AT, seed_of(self.seed, "look")).outcomes >= 0).mean())
        return float(self.rounds)

    def weights(self) -> State:
        """Copy the weights and buffers."""
        return {name: tensor.detach().clone() for name, tensor in self.network.state_dict().items()}

    def status(self) -> str:
        """Give the losses and the mean number of moves of the newest games."""
        return f"policy {self.loss[0]:.3f} worth {self.loss[1]:.3f} moves {self.length:.0f} against random {self.against_random:.2f}"

    def state(self) -> tuple[State, dict[str, Any]]:
        """Give weights, optimiser and the positions that are learnt from."""
        tensors = {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        tensors |= {f"optimiser.{name}": tensor for name, tensor in optimiser_state(self.optimiser).items()}
        kept: dict[str, np.ndarray] = {} if self.kept is None else self.kept.state()
        tensors |= {f"kept.{name}": torch.from_numpy(array) for name, array in kept.items()}
        return tensors, {}

    def restore(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        """Go on from `state()`."""
        self.network.load_state_dict({name[8:]: tensor for name, tensor in tensors.items() if name.startswith("network.")})
        restore_optimiser(self.optimiser, {name[10:]: tensor for name, tensor in tensors.items() if name.startswith("optimiser.")})
        kept = {name[5:]: tensor.numpy() for name, tensor in tensors.items() if name.startswith("kept.")}
        self.kept = Played.restored(kept, like=self.game.start(1)) if kept else None
