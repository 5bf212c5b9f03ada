"""`--set key=value`: overrides of `tacit.toml` from the command line."""

from __future__ import annotations

from collections.abc import Sequence

from tacit.ground.errors import ConfigError, raise_all


def parse_settings(pairs: Sequence[str], *, minutes: float | None = None, steps: str | None = None) -> dict[str, str]:
    """Turn ``key=value`` pairs into overrides, whose values the program directory reads as TOML.

    `minutes` becomes ``budget.minutes``; `steps` is a plan of its own and only excludes it.
    Raises: ConfigError that names every pair without a key or a value.

    >>> parse_settings(["skeleton.width=32", "skeleton.width=64"], minutes=2)
    {'skeleton.width': '64', 'budget.minutes': '2'}
    """
    raise_all(
        [f"`{pair}`" for pair in pairs if not all(part.strip() for part in pair.partition("=")[::2])],
        heading="expected KEY=VALUE after `--set`",
        fix="--set skeleton.width=32",
        error=ConfigError,
    )
    if minutes is not None and steps is not None:
        raise ConfigError(
            "expected --minutes or --steps, got both", fix="--steps for a run that can be repeated, --minutes for one by the clock"
        )
    if minutes is not None and not 0 < minutes < float("inf"):
        raise ConfigError(f"expected minutes above 0, got {minutes}", fix="--minutes 1")
    overrides = {key.strip(): value.strip() for key, _, value in (pair.partition("=") for pair in pairs)}
    return overrides if minutes is None else {**overrides, "budget.minutes": str(minutes)}
