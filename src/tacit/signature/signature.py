"""A signature: what goes in and what comes out, `Image(28, 28, 1) >> Class(("cat", "dog"))`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tacit.signature.base import InputType, OutputType


@dataclass(frozen=True)
class Signature:
    """An input type and an output type; made by ``input >> output``."""

    input: InputType
    output: OutputType

    def __str__(self) -> str:
        return f"{self.input} >> {self.output}"

    def to_json(self) -> dict[str, Any]:
        """Give a JSON value from which `tacit.signature.from_json` rebuilds the signature."""
        return {"input": self.input.to_json(), "output": self.output.to_json()}
