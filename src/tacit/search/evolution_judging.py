"""Hold a network against a score of one's own: while it is trained, and once before any time is spent on it."""

from __future__ import annotations

import copy

import numpy as np
from torch import nn

from tacit.examples.examples import Examples
from tacit.goals.goal import Goal
from tacit.goals.own import SEEDS, reads_arrays, reads_examples, score_arrays, score_binary
from tacit.program import Program
from tacit.search.columns import Columns
from tacit.search.evolution_candidate import Candidate
from tacit.signature.signature import Signature

#: A score is tried on so many examples before training.
TRIED = 512


def judged(goal: Goal, network: nn.Module, signature: Signature, data: Columns, scores: np.ndarray) -> float:
    """Give a goal's own score of a network on examples, as it is. scores: float32[example, width], what it gives for them.

    Raises: InputError when the score raises or gives no number.
    """
    targets = data.targets.cpu().numpy()
    if reads_arrays(goal):
        return float(score_arrays(goal, scores[np.newaxis], targets, tuple(array.cpu().numpy() for array in data.inputs))[0])
    candidate = Candidate(copy.deepcopy(network).cpu().eval(), signature)
    return score_binary(goal, candidate, examples_of(data, signature) if reads_examples(goal) else None, seed=SEEDS["validation"])


def examples_of(data: Columns, signature: Signature) -> Examples:
    """Give columns back as examples; their ids are their places."""
    ids = np.array([str(place) for place in range(len(data))], dtype=str)
    inputs = tuple(array.cpu().numpy() for array in data.inputs)
    return Examples(signature, ids, inputs, data.targets.cpu().numpy(), np.full(len(data), "validation"))


def try_scores(program: Program, network: nn.Module) -> None:
    """Measure a network that has learnt nothing by every score of one's own: what does not work is said before time is spent.

    Raises: InputError.
    """
    own = [goal for goal in program.goals if goal.score is not None]
    if not own:
        return
    candidate = Candidate(copy.deepcopy(network).cpu().eval(), program.signature)
    examples = program.examples.split("validation")
    examples = examples if len(examples) else program.examples.split("train")
    for goal in own:
        score_binary(goal, candidate, examples.take(np.arange(min(len(examples), TRIED))), seed=SEEDS["validation"])
