"""How labels, ids and counts are written in the reports on labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from tacit.examples.records import label_key
from tacit.history.change import Change

SHORT = 12  # digits of an id that are shown


def label_words(label: Any) -> str:
    """Write a label for a person.

    >>> label_words("4"), label_words(["a", "b"]), label_words(None), label_words(2.0)
    ('4', 'a;b', 'none', '2')
    """
    if label is None:
        return "none"
    if isinstance(label, list | tuple):
        return ";".join(map(str, label)) or "(nothing)"
    return f"{label:g}" if isinstance(label, float) else str(label)


def step_words(before: Any, after: Any) -> str:
    """Write a relabel.

    >>> step_words("4", "9")
    '4→9'
    """
    return f"{label_words(before)}→{label_words(after)}"


def plural(count: int, noun: str) -> str:
    """Write a count with its noun.

    >>> plural(1, "example"), plural(2000, "example")
    ('1 example', '2,000 examples')
    """
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def headline(changes: Iterable[Change], disputes: int) -> str:
    """Say in one line what changed.

    >>> headline([Change("0" * 24, "relabelled", "4", "9", "labels/a/all.jsonl", 1)], 2)
    '1 relabelled 4→9, 2 in dispute'
    """
    found = list(changes)
    imports = [change for change in found if not change.annotator]
    kinds: Counter[str] = Counter(change.kind for change in imports)
    said = []
    moves = relabels(imports)
    if len(moves) == 1:
        ((before, after), names), *_ = moves.items()
        said.append(f"{len(names):,} relabelled {step_words(before, after)}")
    elif moves:
        (before, after), names = next(iter(moves.items()))
        first = f"{len(names):,} of them " if len(names) > 1 else "such as "
        said.append(f"{kinds['relabelled']:,} relabelled ({first}{step_words(before, after)})")
    said += [f"{kinds[kind]:,} {word}" for kind, word in _KINDS.items() if kinds[kind]]
    opinions = len(found) - len(imports)
    if opinions:
        said.append(plural(opinions, "opinion") + " changed")
    if disputes:
        said.append(f"{disputes:,} in dispute")
    return ", ".join(said) or "no label changed"


_KINDS = {"added": "added", "removed": "removed", "changed": "with another split, group or input", "moved": "moved"}


def relabels(changes: Iterable[Change]) -> Mapping[tuple[Any, Any], list[Change]]:
    """Group relabels of imports by (before, after), the most frequent first."""
    groups: dict[tuple[Any, Any], list[Change]] = {}
    for change in changes:
        if change.kind == "relabelled" and not change.annotator:
            groups.setdefault((label_key(change.before), label_key(change.after)), []).append(change)
    return dict(sorted(groups.items(), key=lambda item: (-len(item[1]), str(item[0]))))
