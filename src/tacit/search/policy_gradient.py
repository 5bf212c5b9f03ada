"""Proximal policy optimisation: act in many lanes, judge what was better than expected, move the policy there, but not far.

Source: Schulman et al. 2017, "Proximal Policy Optimization Algorithms"; the details by their numbers in Huang et al. 2022, "The 37
Implementation Details of PPO". Policy and worth are two networks, of which the policy alone is shipped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tacit.environments.environment import Checked, Environment, best
from tacit.environments.rollouts import Rollouts, episode_seeds
from tacit.search.action_draws import ActionDraws
from tacit.search.columns import seed_of
from tacit.search.gathering import Gathered, Gathering
from tacit.search.moments import Moments
from tacit.search.policy_recipe import PolicyGradientRecipe
from tacit.search.rounds import State, optimiser_state, restore_optimiser
from tacit.skeletons.layers import Standardise

#: Steps of random actions in each lane, before anything is learnt.
FIRST = 32


@dataclass(frozen=True, eq=False)
class Round:
    """What a round learns from, flat over its steps: float32[step, *shape], [step, target], and [step] each."""

    observations: Tensor
    targets: Tensor
    chances: Tensor
    advantages: Tensor
    worths: Tensor


class PolicyGradient:
    """One run."""

    unit = "steps"

    def __init__(
        self,
        environment: Environment,
        policy: nn.Module,
        worth: nn.Module,
        recipe: PolicyGradientRecipe,
        *,
        seed: int,
        most_steps: int | None,
    ) -> None:
        """Begin. policy: observations -> scores; worth: observations -> one score; both freshly made, so that nothing is learnt yet."""
        self.recipe, self.policy, self.worth, self.seed = recipe, policy, worth, seed
        self._environment, self.output = environment, environment.signature.output
        self.each = recipe.lanes * recipe.horizon
        self.draws = ActionDraws(self.output)
        _begin(policy, 0.01)  # detail 2: all actions are equally likely at first
        _begin(worth, 1.0)
        self._parameters = [*policy.parameters(), *worth.parameters(), *self.draws.parameters()]
        self.optimiser = torch.optim.Adam(self._parameters, lr=recipe.learning_rate, eps=1e-5)  # detail 3
        self.gathering = Gathering(Checked(environment, recipe.lanes, most_steps=most_steps), seed=seed, discount=recipe.discount)
        self.seen = Moments(environment.signature.input.arrays[0].shape)
        self._looking = Rollouts(environment, recipe.looks, most_steps=most_steps)
        self._look_seeds = episode_seeds(seed, recipe.looks, purpose="validation")
        # Batch norms stay as they are: a policy that answers otherwise while it learns than while it acts learns nothing.
        policy.eval()
        worth.eval()

    def round(self, number: int, fraction: float) -> None:
        """Act for `horizon` steps in every lane, then learn from them."""
        generator = torch.Generator().manual_seed(seed_of(self.seed, "round", number))
        if number == 0:
            self._begin_norms()

        def act(observations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            scores = self.policy(_tensor(observations))
            drawn = self.draws.draw(scores, generator)
            return drawn.numpy(), self.draws.log_chance(scores, drawn)[0].numpy()

        with torch.no_grad():
            gathered = self.gathering.run(act, self.draws.to_targets, self.recipe.horizon)
            told = self._judged(gathered)
        self._learn(told, fraction, generator)
        self._fit(gathered.observations.reshape(-1, *gathered.observations.shape[2:]))

    def _begin_norms(self) -> None:
        """Act at random for a while to see what observations are like: standardisation and batch norms are set by them."""
        generator = torch.Generator().manual_seed(seed_of(self.seed, "first"))
        first = Gathering(Checked(self._environment, self.recipe.lanes), seed=seed_of(self.seed, "first"), discount=1.0)

        def act(observations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            drawn = self.draws.draw(torch.zeros(len(observations), self.output.width), generator)
            return drawn.numpy(), np.zeros(len(observations), np.float32)

        with torch.no_grad():
            gathered = first.run(act, self.draws.to_targets, FIRST)
            seen = gathered.observations.reshape(-1, *gathered.observations.shape[2:])
            self._fit(seen)
            for network in (self.policy, self.worth):
                settle_norms(network, _tensor(seen))

    def _fit(self, observations: np.ndarray) -> None:
        """Standardise by all that was seen so far (detail 26); the map is part of the policy and is folded into its first layer."""
        self.seen.add(observations)
        for network in (self.policy, self.worth):
            layer = getattr(network, "standardise", None)
            if isinstance(layer, Standardise) and layer.mean.numel() == self.seen.mean.size:
                mean, deviation = (torch.from_numpy(array.astype(np.float32)) for array in (self.seen.mean, self.seen.deviation()))
                layer.mean.copy_(mean.reshape(layer.mean.shape))
                layer.scale.copy_(deviation.reshape(layer.scale.shape))
            elif self.seen.count == len(observations) and hasattr(network, "fit_inputs"):
                network.fit_inputs(observations)  # type: ignore[operator]

    def _judged(self, gathered: Gathered) -> Round:
        """Estimate how much better each action was than expected."""
        recipe, (horizon, lanes) = self.recipe, gathered.rewards.shape
        flat = _tensor(gathered.observations.reshape(-1, *gathered.observations.shape[2:]))
        worths = self.worth(flat).reshape(horizon, lanes).numpy()
        after = np.concatenate([worths[1:], self.worth(_tensor(gathered.last)).reshape(1, lanes).numpy()])
        if len(gathered.cut_observations):  # what a cut left out is worth what the network says (Pardo et al. 2018, "Time Limits")
            after[gathered.cut] = self.worth(_tensor(gathered.cut_observations)).reshape(-1).numpy()
        advantages = advantages_of(gathered, worths, after, recipe)
        return Round(
            flat,
            torch.from_numpy(gathered.drawn.reshape(horizon * lanes, -1)),
            torch.from_numpy(gathered.chances.reshape(-1)),
            torch.from_numpy(advantages.reshape(-1)),
            torch.from_numpy((advantages + worths).reshape(-1)),
        )

    def _learn(self, told: Round, fraction: float, generator: torch.Generator) -> None:
        recipe, count = self.recipe, len(told.chances)
        for group in self.optimiser.param_groups:
            group["lr"] = recipe.learning_rate * (1.0 - fraction)  # detail 4
        for _ in range(recipe.passes):
            order, moved = torch.randperm(count, generator=generator), []
            for start in range(0, count - count % min(recipe.batch, count), min(recipe.batch, count)):
                moved.append(self._descend(told, order[start : start + recipe.batch]))
            if sum(moved) / len(moved) > recipe.most_change:
                break

    def _descend(self, told: Round, rows: Tensor) -> float:
        """Take one step of gradient descent; give how far the policy is from that which acted (Schulman's k3 estimate)."""
        recipe = self.recipe
        observations, advantages = told.observations[rows], told.advantages[rows]
        advantages = (advantages - advantages.mean()) / (advantages.std(correction=0) + 1e-8)  # detail 7
        chances, entropy = self.draws.log_chance(self.policy(observations), told.targets[rows])
        ratio = (chances - told.chances[rows]).exp()
        gain = torch.minimum(ratio * advantages, ratio.clamp(1.0 - recipe.clip, 1.0 + recipe.clip) * advantages)
        off = self.worth(observations).reshape(-1) - told.worths[rows]
        loss = -gain.mean() + 0.5 * off.square().mean() - recipe.entropy * entropy.mean()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self._parameters, recipe.norm)  # detail 11
        self.optimiser.step()
        ratio = ratio.detach()
        return float((ratio - 1.0 - ratio.log()).mean())

    def look(self) -> float:
        """Give the mean return of the preferred actions on episodes that are always the same."""

        def act(observations: np.ndarray) -> np.ndarray:
            with torch.inference_mode():
                return best(self.output, self.policy(_tensor(observations)).numpy())

        return float(self._looking.run(act, self._look_seeds).returns.mean())

    def weights(self) -> State:
        """Copy the policy's weights and buffers."""
        return {name: tensor.detach().clone() for name, tensor in self.policy.state_dict().items()}

    def status(self) -> str:
        """Give the mean return of the newest episodes."""
        return self.gathering.status()

    def state(self) -> tuple[State, dict[str, Any]]:
        """Give weights, optimiser, moments, and the actions of the episodes under way, by which they are brought about again."""
        tensors = {f"policy.{name}": tensor for name, tensor in self.policy.state_dict().items()}
        tensors |= {f"worth.{name}": tensor for name, tensor in self.worth.state_dict().items()}
        tensors |= {f"draws.{name}": tensor for name, tensor in self.draws.state_dict().items()}
        tensors |= {f"optimiser.{name}": tensor for name, tensor in optimiser_state(self.optimiser).items()}
        arrays, values = self.gathering.state()
        arrays |= {f"seen.{name}": array for name, array in self.seen.state().items()}
        tensors |= {f"arrays.{name}": torch.from_numpy(np.array(array)) for name, array in arrays.items()}
        return tensors, values

    def restore(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        """Go on from `state()`. Raises: InputError when the environment does not repeat itself."""

        def under(prefix: str) -> dict[str, Tensor]:
            return {name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}

        self.policy.load_state_dict(under("policy."))
        self.worth.load_state_dict(under("worth."))
        self.draws.load_state_dict(under("draws."))
        restore_optimiser(self.optimiser, under("optimiser."))
        arrays = {name: tensor.numpy() for name, tensor in under("arrays.").items()}
        self.seen.restore({name[5:]: array for name, array in arrays.items() if name.startswith("seen.")})
        self.gathering.restore(arrays, values, self.draws.to_targets)


def advantages_of(gathered: Gathered, worths: np.ndarray, after: np.ndarray, recipe: PolicyGradientRecipe) -> np.ndarray:
    """Give generalised advantages, float32[step, lane] (Schulman et al. 2016; detail 5).

    worths, after: float32[step, lane], what is expected of the observation before each action and of the one behind it.
    """
    advantages = np.zeros(gathered.rewards.shape, np.float32)
    running = np.zeros(gathered.rewards.shape[1], np.float32)
    for step in reversed(range(len(advantages))):
        expected = gathered.rewards[step] + recipe.discount * after[step] * ~gathered.ended[step]
        goes_on = ~(gathered.ended[step] | gathered.cut[step])
        running = expected - worths[step] + recipe.discount * recipe.trace * goes_on * running
        advantages[step] = running
    return advantages


def settle_norms(network: nn.Module, seen: Tensor) -> None:
    """Set the running statistics of batch norms to those of what was seen; from then on they are constants."""
    norms = [module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    if not norms:
        return
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over all batches
    network.train()
    for start in range(0, len(seen), 256):
        network(seen[start : start + 256])
    network.eval()


def _tensor(observations: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(observations, np.float32))


def _begin(network: nn.Module, gain: float) -> None:
    """Draw the last linear layer anew with a gain of its own."""
    layers = [module for module in network.modules() if isinstance(module, nn.Linear)]
    if layers:
        nn.init.orthogonal_(layers[-1].weight, gain)
        nn.init.zeros_(layers[-1].bias)
