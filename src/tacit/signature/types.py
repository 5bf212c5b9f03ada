"""The table of types, and types and signatures from their JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tacit.ground.errors import ConfigError
from tacit.ground.tables import Table, did_you_mean
from tacit.signature.base import InputType, Joint, OutputType, Product, Signature, Type
from tacit.signature.checks import what_came

TYPES = Table(
    "type",
    {
        "image": "tacit.signature.image:Image",
        "audio": "tacit.signature.audio:Audio",
        "series": "tacit.signature.series:Series",
        "text": "tacit.signature.text:Text",
        "row": "tacit.signature.row:Row",
        "vector": "tacit.signature.vector:Vector",
        "board": "tacit.signature.board:Board",
        "product": "tacit.signature.base:Product",
        "class": "tacit.signature.outputs:Class",
        "number": "tacit.signature.outputs:Number",
        "labels": "tacit.signature.outputs:Labels",
        "symbols": "tacit.signature.symbols:Symbols",
        "joint": "tacit.signature.base:Joint",
    },
    group="tacit.types",
)


def from_json(fields: Mapping[str, Any]) -> Type:
    """Build a type from what its `to_json` gave.

    Raises: ConfigError for a value or field that is not understood; UnknownName for an unknown type.

    >>> from_json({"type": "image", "height": 8, "width": 8, "channels": 1})
    Image(8, 8, 1)
    """
    if not isinstance(fields, Mapping) or not isinstance(fields.get("type"), str):
        raise ConfigError(f'expected a type such as {{"type": "image", ...}}, got {what_came(fields)}')
    own = {key: value for key, value in fields.items() if key != "type"}
    cls = TYPES.get(fields["type"])
    if cls in (Product, Joint):
        cls.check_fields(own)
        parts = own["parts"]
        if not isinstance(parts, list | tuple):
            raise ConfigError(f"expected a list of types, got {what_came(parts)} - at `{cls.kind}.parts`")
        made: Type = cls.from_parts([from_json(part) for part in parts], own.get("names", ()))
        return made
    built: Type = cls.from_json(own)
    return built


def signature_from_json(value: Mapping[str, Any]) -> Signature:
    """Build a signature from what its `to_json` gave. Raises: ConfigError, UnknownName.

    >>> print(signature_from_json({"input": {"type": "series", "channels": 6, "steps": 128}, "output": {"type": "number"}}))
    Series(6, 128) >> Number()
    """
    if not isinstance(value, Mapping) or not {"input", "output"} <= set(value):
        raise ConfigError('expected a signature {"input": ..., "output": ...}, got ' + what_came(value))
    extra = [key for key in value if key not in ("input", "output")]
    if extra:
        raise ConfigError(f"expected `input` and `output`, got `{extra[0]}`", fix=did_you_mean(str(extra[0]), ["input", "output"]))
    source, result = from_json(value["input"]), from_json(value["output"])
    if not isinstance(source, InputType):
        raise ConfigError(f"expected an input type, got the output type `{source.kind}` - at `signature.input`")
    if not isinstance(result, OutputType):
        raise ConfigError(f"expected an output type, got the input type `{result.kind}` - at `signature.output`")
    return source >> result


def describe(type_: Type) -> str:
    """Say in one line what a type is, for cards and tables.

    >>> describe(from_json({"type": "class", "names": ["cat", "dog"]}))
    'one of 2 classes: cat, dog'
    """
    return type_.describe()
