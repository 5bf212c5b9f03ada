"""Scores of one's own: any Python function of a binary that gives a number, measured again and again.

What a function is given follows from the names of its parameters; the first one is the binary, whatever its name:

- ``binary``: what behaves like the compiled program. ``examples``: those of the split that is measured. ``seed``: an integer for what is
  random in the score: one for all candidates of a generation, others for validation and for test, so that luck is no skill.
- ``scores``: float32[example, width] in place of a binary, or ``candidates``: float32[candidate, example, width] for a whole generation
  at once, which gives one number per candidate; beside them ``targets``, [example, ...], and ``inputs``, the arrays of the examples.
  This is the fast way: no candidate has to be called by itself.
"""

from __future__ import annotations

import inspect
import math
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from tacit.goals.goal import Goal
from tacit.goals.metrics import Metric
from tacit.ground.digests import sha256
from tacit.ground.errors import ConfigError, InputError
from tacit.ground.tables import did_you_mean
from tacit.signature.base import OutputType

OF_ARRAYS = ("scores", "candidates")
BESIDE_ARRAYS = ("targets", "inputs")
BESIDE_BINARY = ("examples", "seed")
#: The seed with which validation and test are measured, whatever the seed of the run: numbers of two runs can be compared.
SEEDS = {"validation": 1_000_003, "test": 2_000_003}


class Measured(Protocol):
    """The examples of one split, as far as a score needs them."""

    @property
    def inputs(self) -> tuple[np.ndarray, ...]:
        """Arrays [example, *shape]."""

    @property
    def targets(self) -> np.ndarray:
        """What is right, [example, ...]."""

    def __len__(self) -> int: ...


def asks_for(goal: Goal) -> tuple[str, ...]:
    """Give what the score of a goal is to be given, in the order of its parameters. Raises: ConfigError for parameters that are not known.

    >>> asks_for(Goal(score=lambda program, seed: 1.0))
    ('binary', 'seed')
    """
    if goal.score is None:
        raise ConfigError(f"expected a score of your own, got the metric `{goal.metric}`")
    try:
        parameters = inspect.signature(goal.score).parameters.values()
    except (TypeError, ValueError) as error:
        raise ConfigError(f"expected a Python function as the score `{goal.metric}`, got {goal.score!r}", cause=str(error)) from error
    needed = [one.name for one in parameters if one.default is one.empty and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]
    if not needed:
        raise ConfigError(f"expected a function of a binary, got one without parameters - at the score `{goal.metric}`")
    first = needed[0] if needed[0] in OF_ARRAYS else "binary"
    known = BESIDE_ARRAYS if first in OF_ARRAYS else BESIDE_BINARY
    for name in needed[1:]:
        if name not in known:
            raise ConfigError(
                f"expected {' and '.join(f'`{one}`' for one in known)} beside `{first}`, got `{name}` - at the score `{goal.metric}`",
                fix=did_you_mean(name, list(known)),
            )
    return (first, *needed[1:])


def reads_arrays(goal: Goal) -> bool:
    """Tell whether the score of a goal is one of arrays of scores, so that no binary has to be called."""
    return goal.score is not None and asks_for(goal)[0] in OF_ARRAYS


def of_scores_alone(goal: Goal) -> bool:
    """Tell whether a goal can be measured by scores and targets, without a binary and without the inputs."""
    return goal.score is None or set(asks_for(goal)) <= {*OF_ARRAYS, "targets"}


def reads_examples(goal: Goal) -> bool:
    """Tell whether the score of a goal is measured on examples: those of one split at a time."""
    asked = asks_for(goal)
    return asked[0] in OF_ARRAYS or "examples" in asked


def score_binary(goal: Goal, binary: Any, examples: Any, *, seed: int) -> float:
    """Measure a goal's own score of one binary on examples. Raises: InputError when it raises or gives no finite number."""
    asked = asks_for(goal)
    if asked[0] in OF_ARRAYS:
        return float(score_arrays(goal, binary.evaluate(examples)[np.newaxis], examples.targets, examples.inputs)[0])
    return _number(goal, _call(goal, [binary, *({"examples": examples, "seed": seed}[name] for name in asked[1:])]))


def score_arrays(goal: Goal, candidates: np.ndarray, targets: np.ndarray, inputs: Sequence[np.ndarray]) -> np.ndarray:
    """Measure a goal's own score of arrays, candidates float32[candidate, example, width]; give float64[candidate].

    Raises: InputError when it raises or gives anything but finite numbers.
    """
    first, *rest = asks_for(goal)
    beside = [{"targets": targets, "inputs": tuple(inputs)}[name] for name in rest]
    if first == "scores":
        return np.array([_number(goal, _call(goal, [scores, *beside])) for scores in candidates], np.float64)
    given = np.asarray(_call(goal, [candidates, *beside]))
    if given.shape != (len(candidates),) or not np.issubdtype(given.dtype, np.number) or not np.isfinite(given).all():
        what = "numbers that are not finite" if given.shape == (len(candidates),) else f"an array of the shape {list(given.shape)}"
        raise InputError(f"expected {len(candidates)} finite numbers, one per candidate, got {what} - at {where(goal)}")
    return given.astype(np.float64)


def own_scores(goals: Sequence[Goal], binary: Any, examples: Any, split: str) -> dict[str, float]:
    """Measure all scores of one's own on the examples of one split: ``{name: value}``. Raises: InputError."""
    found = {}
    for goal in {goal.metric: goal for goal in goals if goal.score is not None}.values():
        if len(examples) or not reads_examples(goal):
            found[goal.metric] = score_binary(goal, binary, examples, seed=SEEDS.get(split, 0))
    return found


def own_metric(goal: Goal) -> Metric:
    """Give a goal's own score as a metric: of scores and targets where it asks for nothing else, else it is never defined (NaN)."""
    plain = of_scores_alone(goal)

    def measure(scores: np.ndarray, targets: np.ndarray, output: OutputType, label: str | None) -> float:
        return float(score_arrays(goal, scores[np.newaxis], targets, ())[0]) if plain else math.nan

    return Metric(goal.metric, measure, kinds=None, higher_is_better=not goal.lower_is_better)


def where(goal: Goal) -> str:
    """Say where the function of a score stands, for an error."""
    code = getattr(inspect.unwrap(goal.score), "__code__", None) if goal.score is not None else None
    reference = str(goal.score) if hasattr(goal.score, "reference") else goal.metric
    return f"the score `{reference}`" + (f" (line {code.co_firstlineno})" if code is not None else "")


def identity(score: Callable[..., Any] | None) -> str | None:
    """Name what a score computes: runs with another score are other runs."""
    if score is None:
        return None
    own = getattr(score, "digest", None)
    if isinstance(own, str):
        return own
    code = getattr(inspect.unwrap(score), "__code__", None)
    text = "" if code is None else f"{code.co_code.hex()} {code.co_consts!r} {code.co_names}".split(" at 0x")[0]
    return sha256(f"{getattr(score, '__module__', '')}.{getattr(score, '__qualname__', repr(type(score)))} {text}".encode())[:24]


def goal_json(goal: Goal) -> dict[str, Any]:
    """Give a goal as JSON values; its own score by `identity`."""
    plain: dict[str, Any] = {"metric": goal.metric, "threshold": goal.threshold, "split": goal.split, "label": goal.label}
    return plain if goal.score is None else {**plain, "score": identity(goal.score), "lower_is_better": goal.lower_is_better}


def _call(goal: Goal, given: Sequence[Any]) -> Any:
    function: Any = goal.score
    try:
        return function(*given)
    except InputError:
        raise
    except Exception as error:  # people's code raises what it likes
        frames = traceback.extract_tb(error.__traceback__)
        at = f" in line {frames[-1].lineno} of `{frames[-1].filename.rpartition('/')[2]}`" if frames else ""
        said = str(error).strip().splitlines() or [""]
        raise InputError(
            f"expected a score of a binary, got {type(error).__name__}{at} - at {where(goal)}",
            cause=said[0] or None,
            fix="call the function yourself on a compiled binary until it gives a number",
        ) from error


def _number(goal: Goal, value: Any) -> float:
    if hasattr(value, "item") and getattr(value, "size", 1) in (1,) and not isinstance(value, str):
        value = value.item()  # an array or tensor of one element
    if isinstance(value, bool | int | float) and math.isfinite(value):
        return float(value)
    shown = f"{value}" if isinstance(value, int | float) else f"{type(value).__name__} {value!r}"[:80]
    raise InputError(
        f"expected a finite number, got {shown} - at {where(goal)}",
        fix="let the function return a number for every binary; a bad number for a bad one, not NaN",
    )


def needs(goal: Goal) -> Mapping[str, bool]:
    """Tell what a goal's own score can be protected by: other examples, or another seed, for deciding what is kept."""
    asked = asks_for(goal)
    return {"examples": reads_examples(goal), "seed": "seed" in asked}
