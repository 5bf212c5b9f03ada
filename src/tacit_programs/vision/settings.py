"""Set what a data set is known to need in the `tacit.toml` that `tacit new` has written; all that it inferred stays, comments too."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any


def with_settings(text: str, settings: Mapping[str, Mapping[str, Any]]) -> str:
    """Give the text of a `tacit.toml` with these values in these sections, in place of what is set there.

    >>> with_settings('[budget]\\nminutes = 5\\n', {"budget": {"minutes": 30}})
    '[budget]\\nminutes = 30\\n'
    """
    lines: list[str] = []
    wanted: Mapping[str, Any] = {}
    for line in text.split("\n"):
        header = re.fullmatch(r"\[(\w+)\]", line.strip())
        key = re.match(r"(\w+)\s*=", line)
        if header is not None:
            wanted = settings.get(header[1], {})
            lines += [line, *(f"{name} = {json.dumps(value)}" for name, value in wanted.items())]
        elif key is None or key[1] not in wanted:
            lines.append(line)
    return "\n".join(lines)
