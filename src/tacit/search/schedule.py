"""How far a run has come, and the learning rate that belongs there.

Progress goes from 0 to 1 and advances by ``(1 - progress) / steps left`` at each step, so it ends at 1 exactly however often the
number of steps left is planned anew. A run by the clock plans anew while it runs; its plan, a list of ``(step, steps left)``,
is recorded, and a run that is given the same plan takes the same steps.
"""

from __future__ import annotations

from collections.abc import Sequence

from tacit.ground.errors import ConfigError

Plan = list[tuple[int, int]]


class Progress:
    """The step, the fraction done, and the steps left; `plan` holds every (re)planning so far."""

    def __init__(self, plan: Sequence[tuple[int, int]]) -> None:
        self.plan: Plan = []
        self._coming = [tuple(entry) for entry in plan]
        self.step, self.fraction, self.left = 0, 0.0, 0
        self._adopt()

    def _adopt(self) -> None:
        while self._coming and self._coming[0][0] <= self.step:
            _, self.left = self._coming.pop(0)
            self.plan.append((self.step, self.left))

    def replan(self, left: int) -> None:
        """Set the number of steps left from now on (at least 1)."""
        self.left = max(1, left)
        self.plan.append((self.step, self.left))

    def end(self) -> None:
        """Leave out the steps that are left."""
        self.left = 0
        self.plan.append((self.step, 0))

    def advance(self) -> None:
        """Count one step."""
        self.fraction = 1.0 if self.left <= 1 else self.fraction + (1.0 - self.fraction) / self.left
        self.left -= 1
        self.step += 1
        self._adopt()

    @property
    def done(self) -> bool:
        """Tell whether no steps are left."""
        return self.left <= 0

    def state(self) -> dict[str, object]:
        """Give what `restore` needs, as JSON values."""
        return {"plan": self.plan, "coming": self._coming, "step": self.step, "fraction": self.fraction.hex(), "left": self.left}

    @classmethod
    def restore(cls, state: dict[str, object]) -> Progress:
        """Continue from `state()`."""
        progress = cls([])
        progress.plan = [tuple(entry) for entry in state["plan"]]  # type: ignore[attr-defined]
        progress._coming = [tuple(entry) for entry in state["coming"]]  # type: ignore[attr-defined]
        progress.step, progress.left = int(state["step"]), int(state["left"])  # type: ignore[call-overload]
        progress.fraction = float.fromhex(str(state["fraction"]))
        return progress


def one_cycle(fraction: float, *, warmup: float) -> float:
    """Give the learning rate as a fraction of its peak: up in a line during `warmup`, then down in a line to 0.

    >>> one_cycle(0.5, warmup=0.5)
    1.0
    """
    if fraction < warmup:
        return 0.02 + 0.98 * fraction / warmup
    return (1.0 - fraction) / (1.0 - warmup) if warmup < 1 else 1.0


def steps_of(plan: Sequence[tuple[int, int]]) -> int:
    """Count the steps of a plan that was followed to its end.

    >>> steps_of([(0, 100), (40, 50)])
    90
    """
    return sum(plan[-1]) if plan else 0


def parse_plan(text: str, *, option: str = "--steps") -> Plan:
    """Read ``5200`` or ``0:5200,3100:1900`` (at step 3100 there are 1900 left); the last entry may end the run with 0.

    >>> parse_plan("0:100,40:50")
    [(0, 100), (40, 50)]

    Raises: ConfigError.
    """
    try:
        entries = [tuple(int(number) for number in part.split(":")) for part in text.split(",")]
        plan: Plan = [(0, entry[0]) if len(entry) == 1 else (entry[0], entry[1]) for entry in entries]
    except (ValueError, IndexError):
        plan = []
    if (
        not plan
        or plan[0][0] != 0
        or any(left < 1 for _, left in plan[:1] + plan[1:-1])
        or plan[-1][1] < 0
        or [step for step, _ in plan] != sorted({step for step, _ in plan})
    ):
        raise ConfigError(f"expected `{option}` as a number or `0:N,STEP:LEFT,...`, got `{text}`", fix=f"{option} 1000")
    return plan


def print_plan(plan: Sequence[tuple[int, int]]) -> str:
    """Write a plan as `parse_plan` reads it.

    >>> print_plan([(0, 100)])
    '100'
    """
    return str(plan[0][1]) if len(plan) == 1 else ",".join(f"{step}:{left}" for step, left in plan)
