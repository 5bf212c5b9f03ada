"""From a label as a person writes or brings it to a label as it is stored, for an output type that stands already."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tacit.examples.labels import NOTHING, SEPARATOR, label_missing
from tacit.ground.errors import InputError
from tacit.ground.tables import did_you_mean
from tacit.signature.base import OutputType
from tacit.signature.cells import category_text, number_of
from tacit.signature.outputs import Class, Labels, Number
from tacit.signature.symbols import Symbols


def conform(output: OutputType, value: Any, *, classes: Sequence[str] = ()) -> Any:
    """Give the label as it is stored: a class name, a number, or a list of names in the order of the signature.

    Several names are a list, the text of a JSON list, or a text with `;` between them. classes: the names of labels 0, 1, 2 ...
    where the source of the label gives them. Raises: InputError for a label that the output does not know.

    >>> conform(Class("cat", "dog"), " dog"), conform(Labels("a", "b", "c"), "c;a"), conform(Number(), "1,020.5")
    ('dog', ['a', 'c'], 1020.5)
    """
    if isinstance(output, Class):
        return _name(value, output.names, "class", classes)
    if isinstance(output, Number):
        if label_missing(value):
            raise InputError("the label is missing")
        return float(number_of(value))
    if isinstance(output, Labels):
        given = {_name(item, output.names, "label", classes) for item in _several(value)}
        return [name for name in output.names if name in given]
    if isinstance(output, Symbols):
        if label_missing(value):
            raise InputError("the label is missing", fix=f"write `{NOTHING}` for a sequence without a name")
        return " ".join(output.listed(value if value != NOTHING else ""))
    raise InputError(f"expected an output of classes, labels, sequences or numbers, got {output!r}", fix="edit the file of the label")


def _name(value: Any, names: Sequence[str], what: str, classes: Sequence[str]) -> str:
    if isinstance(value, str) and value in names:
        return value
    if isinstance(value, int | float) and not isinstance(value, bool) and classes and value in range(len(classes)):
        text: str | None = classes[int(value)]
    else:
        if label_missing(value):
            raise InputError("the label is missing")
        text = category_text(value) or str(value).strip()
    if text not in names:
        shown = json.dumps(text, ensure_ascii=False)
        raise InputError(f"expected a {what} of the program, got {shown}", fix=did_you_mean(str(text), list(names)))
    return str(text)


def _several(value: Any) -> list[Any]:
    if isinstance(value, list | tuple):
        return list(value)
    if value is None or (isinstance(value, float) and label_missing(value)):
        return []
    text = str(value).strip()
    if text.startswith("["):
        try:
            listed = json.loads(text)
        except ValueError:
            listed = None
        if isinstance(listed, list):
            return listed
    return [part.strip() for part in text.split(SEPARATOR) if part.strip()]
