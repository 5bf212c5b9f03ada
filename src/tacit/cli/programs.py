"""From what stands after `tacit compile` to a program."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tacit.directory.adopting import adopt
from tacit.directory.reading import is_program, read_program
from tacit.ground.errors import ConfigError
from tacit.ground.progress import Reporter
from tacit.program import Program


def open_program(
    source: Path,
    *,
    label: str | None,
    group: str | None,
    overrides: Mapping[str, str],
    reporter: Reporter,
    beside: Path | None = None,
) -> Program:
    """Read a program directory; for a folder or table of examples, make the program directory first: beside it, or in `beside`.

    Raises: ConfigError, InputError.
    """
    if is_program(source):
        if label is not None or group is not None:
            raise ConfigError(
                f"expected no --label and --group for a program directory, which has its own - at `{source}`",
                fix="tacit new DIR --from PATH --label COLUMN --group COLUMN",
            )
        return read_program(source, overrides=overrides, reporter=reporter)
    return read_program(adopt(source, beside=beside, label=label, group=group, reporter=reporter), overrides=overrides, reporter=reporter)
