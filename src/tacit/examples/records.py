"""A record: one line of a label file, and all that can be wrong with it.

A record is ``{"id": ..., "label": ...}`` and, only where there is one, ``"split"`` (given by the person), ``"group"``,
``"copy"`` (the second, third ... row of a table with equal contents) and ``"input"`` (text and rows; media stand in `media/`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tacit.examples.examples import SPLITS
from tacit.ground.digests import ID_LENGTH, canonical_json, example_id
from tacit.ground.tables import did_you_mean

KEYS = ("id", "label", "split", "group", "copy", "input")
_ID = re.compile(rf"[0-9a-f]{{{ID_LENGTH}}}")
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False)
_MERGE_MARKERS = ("<<<<<<<", "=======", ">>>>>>>", "|||||||")


@dataclass(frozen=True, slots=True)
class Record:
    """One example as it stands in the store; `input` is None when it stands in `media/`."""

    id: str
    label: Any
    split: str | None = None
    group: str | None = None
    copy: int = 1
    input: Any = None

    @property
    def key(self) -> str:
        """What decides the split by content: the hash of the input, the same for every copy of a row."""
        return self.id if self.copy == 1 else input_id(self.input)

    def line(self) -> str:
        """Give the line of text of this record, without the line end.

        >>> Record("0" * 24, "cat").line()
        '{"id": "000000000000000000000000", "label": "cat"}'
        """
        fields: dict[str, Any] = {"id": self.id, "label": self.label}
        if self.split is not None:
            fields["split"] = self.split
        if self.group is not None:
            fields["group"] = self.group
        if self.copy != 1:
            fields["copy"] = self.copy
        if self.input is not None:
            fields["input"] = self.input
        return _ENCODER.encode(fields)


def input_id(value: Any, *, copy: int = 1) -> str:
    """Give the id of an example whose input stands in the record: a text, or a row of a table.

    Equal texts are one example. Equal rows of a table are not (two people can have the same age and the same job), so the
    second, third ... of them count as copies with ids of their own.
    """
    text = value if isinstance(value, str) else canonical_json(value)
    return example_id((text if copy == 1 else f"{text}\n{copy}").encode())


def label_text(label: Any) -> str:
    """Give a label as it stands in a record, for messages.

    >>> label_text("cat"), label_text(["a", "b"])
    ('"cat"', '["a", "b"]')
    """
    return _ENCODER.encode(label)


def same_label(one: Any, other: Any) -> bool:
    """Tell whether two labels say the same; the order of several names does not count.

    >>> same_label(["a", "b"], ["b", "a"]), same_label(1, 1.0), same_label("1", 1)
    (True, True, False)
    """
    return bool(label_key(one) == label_key(other))


def label_key(label: Any) -> Any:
    """Give a value that is equal for labels that say the same, and can be counted.

    >>> label_key(["b", "a"])
    ('a', 'b')
    """
    return tuple(sorted(label)) if isinstance(label, list) else label


def parse_record(line: str, place: str, problems: list[str]) -> Record | None:
    """Read one line; what is wrong with it joins `problems` under its `place`, ``file:line``."""
    if line.startswith(_MERGE_MARKERS):
        problems.append(f"{place}: expected a record, got the merge marker `{line[:20]}` (a conflict that is not resolved)")
        return None
    try:
        # Python keeps the last of two equal keys; a text may hold the word, so only then each key is looked at.
        fields = json.loads(line, object_pairs_hook=_distinct if line.count('"label"') > 1 or line.count('"id"') > 1 else None)
    except (ValueError, RecursionError) as error:
        problems.append(f"{place}: expected one JSON object, got `{line[:40]}` ({error})")
        return None
    problem = _fault(fields)
    if problem:
        problems.append(f"{place}: {problem}")
        return None
    return Record(fields["id"], fields["label"], fields.get("split"), fields.get("group"), fields.get("copy", 1), fields.get("input"))


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of its keys and values. Raises: ValueError when a key stands twice."""
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key `{next(name for name in names if names.count(name) > 1)}` stands twice")
    return found


def label_fault(label: Any) -> str | None:
    """Say why a value can't be a label of any type, None when it can."""
    listed = isinstance(label, list) and all(isinstance(item, str) for item in label)
    if not (isinstance(label, str | int | float) or listed) or isinstance(label, bool) or label != label:
        return f"expected a label that is a text, a number or a list of texts, got {json.dumps(label)}"
    return None


def _fault(fields: Any) -> str | None:
    """Say what is wrong with the fields of a record, None when nothing is."""
    if not isinstance(fields, dict):
        return f"expected one JSON object, got a {type(fields).__name__}"
    for key in fields:
        if key not in KEYS:
            return f"unknown key `{key}`; {did_you_mean(key, list(KEYS))}"
    for key in ("id", "label"):
        if key not in fields:
            return f"expected the key `{key}`, it is not there"
    name, split = fields["id"], fields.get("split")
    if not isinstance(name, str) or not _ID.fullmatch(name):
        return f"expected an id of {ID_LENGTH} hexadecimal digits, got {json.dumps(name)}"
    fault = label_fault(fields["label"])
    if fault:
        return fault
    if split is not None and split not in SPLITS:
        return f"expected a split of {', '.join(SPLITS)}, got {json.dumps(split)}"
    if "group" in fields and not isinstance(fields["group"], str):
        return f"expected a group that is a text, got {json.dumps(fields['group'])}"
    return _input_fault(fields)


def _input_fault(fields: Mapping[str, Any]) -> str | None:
    copy, value = fields.get("copy", 1), fields.get("input")
    if not isinstance(copy, int) or isinstance(copy, bool) or copy < 1 or (copy > 1 and value is None):
        return f"expected a copy that is a whole number from 1 on, beside an input, got {json.dumps(copy)}"
    if value is None:
        return None
    if not isinstance(value, str | dict):
        return f"expected an input that is a text or a row (an object), got a {type(value).__name__}"
    if input_id(value, copy=copy) != fields["id"]:
        return f"the input is not the one that the id {fields['id']} was made from (it was edited: a changed input is a new example)"
    return None
