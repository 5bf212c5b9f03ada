"""Writing `tacit.toml` and `tests.toml` for a new program: every inferred thing, why it is so, and what else could stand there."""

from __future__ import annotations

import textwrap
from typing import Any

from tacit.directory.schema import FORMAT, toml_value
from tacit.examples.intake import Intake
from tacit.signature.base import Type

_INPUT_HINTS = {
    "image": ['# channels: 1 is grey, 3 is colour. fit: how other sizes become this one: "crop", "pad" or "stretch".'],
    "audio": ["# rate: samples per second; sounds of another rate are resampled. samples: longer sounds give their loudest part."],
    "series": ['# fit: "exact" refuses a series of another length, "last" keeps its last steps.'],
    "text": ["# length: tokens that are read, the rest is cut. buckets: rows of the table of word pieces; fewer make it smaller."],
    "row": [
        "# categories: each column with the values that are told apart; others count as unknown. fill: stands in for a missing number."
    ],
}
_OUTPUT_HINTS = {
    "class": ["# names: the classes, in the order of the scores."],
    "number": ['# mean and scale: of the training labels. unit: said behind the number, such as "EUR".'],
    "symbols": [
        "# names: what a sequence is made of. steps: of the scores over the whole input; a step can hold one name, so more steps tell",
        "# names apart that follow one another quickly.",
    ],
    "labels": ["# names: what may be given, several at once, in the order of the scores."],
}
_GOAL_HINTS = {
    "class": ["# accuracy = 0.95", "# [goal.classes.NAME]", "# recall = 0.9"],
    "number": ["# mean_absolute_error = 1.0", "# r2 = 0.9"],
    "labels": ["# micro_f1 = 0.9"],
    "symbols": ["# symbol_error_rate = 0.05", "# exact_match = 0.9"],
}
_AUGMENT_HINTS = {
    "image": '["shift", "flip", "affine", "erase"]',
    "audio": '["shift", "gain"]',
    "series": '["jitter", "scale"]',
    "text": '["dropout_tokens"]',
    "row": "[]",
}
_MEDIA_HINTS = [
    "# Where the media are kept for everybody (`tacit media push`, `pull`, `verify`): a folder, relative to this file, or a URL such as",
    "# s3://bucket/path, gs://bucket/path, hf://datasets/NAME, ssh://host/path.",
    "[media]",
    '# remote = "../media"',
    "",
]


def program_toml(name: str, intake: Intake) -> str:
    """Give the text of `tacit.toml`."""
    signature, rule = intake.signature, intake.rule
    counts = ", ".join(f"{count:,} {split}" for split, count in intake.counts.items())
    kind, out = signature.input.kind, signature.output.kind
    lines = [
        f"# {signature}",
        f"# {intake.examples:,} examples: {counts}. Compile with: tacit compile",
        *[line for note in intake.notes for line in _comment(f"Note: {note}.")],
        "",
        "[program]",
        f"name = {toml_value(name)}",
        f"format = {FORMAT}",
        "",
        *_comment(f"{intake.why_input}."),
        *_INPUT_HINTS.get(kind, []),
        "[input]",
        *_fields(signature.input),
        "",
        *_comment(f"{intake.why_output}."),
        *_OUTPUT_HINTS.get(out, []),
        "[output]",
        *_fields(signature.output),
        "",
        *_comment(f"{intake.why_split}."),
        '# validation, test: fractions of the examples whose split was not given. The hash of an example (by = "id") or of its group',
        '# (by = "group") decides, so its split stays what it is when examples are added. from_train: what is also cut out of',
        "# examples given as train. salt: part of the hash, chosen so that every class stands in every part. Don't change these later.",
        "[split]",
        f"validation = {rule.validation}",
        f"test = {rule.test}",
        f"from_train = {toml_value(rule.from_train)}",
        f'by = "{rule.by}"',
        f'salt = "{rule.salt}"',
        "",
        "# The space of programs that is searched. Settings of the skeleton follow its name; a list is an open choice: width = [16, 32].",
        "# A range, too: width = {between = [8, 64], step = 8}.",
        "[skeleton]",
        f"name = {toml_value(signature.input.skeleton)}",
        "",
        "# Candidates of that space to train before the best one is; `tacit compile --preview` says what the budget buys.",
        "[search]",
        "# trials = 24",
        "",
        "# What counts as good enough: metric = threshold, on the test split. `tacit test` fails below it.",
        "[goal]",
        *_GOAL_HINTS.get(out, []),
        "",
        "# What finding the program may cost (minutes, or steps to be repeatable), and what the program itself may cost in one call.",
        "[budget]",
        "minutes = 5",
        "# macs = 5_000_000",
        "# weight_bytes = 400_000",
        "# arena_bytes = 200_000",
        '# latency = "0.5ms"',
        "",
        "# Overrides of the training recipe. Left alone, it follows from the type, the number of examples and the minutes.",
        "[train]",
        f"# augment = {_AUGMENT_HINTS.get(kind, '[]')}",
        "# learning_rate = 0.05",
        "",
        *([] if kind in ("text", "row", "product") else _MEDIA_HINTS),
    ]
    return "\n".join(lines)


def _comment(text: str) -> list[str]:
    sentence = " ".join((text[:1].upper() + text[1:]).split())
    return [f"# {line}" for line in textwrap.wrap(sentence, 124, break_long_words=False, break_on_hyphens=False)]


def _fields(type_: Type) -> list[str]:
    return [f"{key} = {_field(value)}" for key, value in type_.to_json().items() if value is not None]


def _field(value: Any) -> str:
    """Write a list of lists (the categories of a row) or a long list over several lines, anything else on one."""
    if isinstance(value, list) and value and isinstance(value[0], list):
        return "[\n" + "".join(f"  {toml_value(item)},\n" for item in value) + "]"
    return toml_value(value)


TESTS_TOML = """\
# What must hold besides the goals. `tacit test` checks it; exit code 1 when something does not hold.

# An example whose answer is fixed: a file beside this one, or the id of an example.
# [[pinned]]
# input = "pictures/that-one-cat.png"
# expect = "cat"

# A change of the input that must not change the answer, and for which share of the test examples.
# [[invariance]]
# transform = "flip"
# agree = 0.98
"""

GITIGNORE = """\
# Media are content-addressed and kept outside git; `tacit media push` and `tacit media pull` carry them.
media/
# Caches, checkpoints and runs: made again when they are gone.
.tacit/
"""
