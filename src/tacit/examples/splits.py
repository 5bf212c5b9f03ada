"""Which split an example belongs to: given by the person, or decided by a hash so that it stays put.

The rule is written into `tacit.toml` when a program is made and never recomputed. An example's split depends on that rule
and on the example alone (its id, or its group), so adding examples moves none, exact duplicates fall on one side and a
group never straddles. The salt is chosen once, among a few, so that the parts come out near their fractions and every
class stands in each: with a handful of groups or classes, plain chance can leave a part empty.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tacit.examples.examples import SPLITS
from tacit.ground.digests import unit_interval
from tacit.ground.tables import did_you_mean

#: What people call the three splits.
SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
SALTS = 64  # how many salts are tried
MOST_KEYS_TO_TRY = 5_000  # above this many keys chance is good enough: one salt is tried


@dataclass(frozen=True)
class SplitRule:
    """How the split of an example is found.

    validation, test: fractions of the examples whose split the person did not give. from_train: splits that are also cut
    out of the examples given as train (for a set that came with train and test but no validation). by: what decides, the
    example's own hash (`id`) or its group's (`group`). salt: part of the hash.
    """

    validation: float = 0.1
    test: float = 0.2
    from_train: tuple[str, ...] = ()
    by: Literal["id", "group"] = "id"
    salt: str = "0"

    def split(self, key: str, given: str | None = None) -> str:
        """Give the split of the example with this key (see `by`) and the split that the person gave it, if any.

        >>> SplitRule(test=1.0).split("a"), SplitRule(test=1.0).split("a", "train")
        ('test', 'train')
        """
        if given is not None and (given != "train" or not self.from_train):
            return given
        # Two hashes: changing the fraction of the test must not reshuffle what is train and what validation.
        if (given is None or "test" in self.from_train) and unit_interval(key, salt=f"test {self.salt} ") < self.test:
            return "test"
        if (given is None or "validation" in self.from_train) and unit_interval(key, salt=f"validation {self.salt} ") < self.validation:
            return "validation"
        return "train"


def normal_split(text: object) -> str | None:
    """Give train, validation or test for what a person wrote, None when it is none of them.

    >>> normal_split("Val"), normal_split("cats")
    ('validation', None)
    """
    return SPLIT_NAMES.get(str(text).strip().lower())


def split_hint(text: object) -> str:
    """Say which split name was probably meant."""
    return did_you_mean(str(text).strip().lower(), list(SPLIT_NAMES))


def choose_rule(
    keys: Sequence[str], given: Sequence[str | None], groups: Sequence[str | None] | None, classes: Sequence[str] | None
) -> tuple[SplitRule, list[str]]:
    """Make the rule for a new program and say in sentences why it is as it is.

    keys: the hash of each example's input. given: its split where the person gave one. groups: its group, or None when
    there are no groups. classes: its class, or None when the output is not a class.
    """
    present = {split for split in given if split is not None}
    unmarked = sum(split is None for split in given)
    from_train = tuple(split for split in ("validation", "test") if present and split not in present)
    by: Literal["id", "group"] = "id"
    why: list[str] = []
    if groups is not None:
        if straddling(given, groups):
            why.append("the given split has the same groups in train and elsewhere, so the validation part is not cut by group either")
        else:
            by = "group"
    decided_by = [str(group) if by == "group" and group is not None else key for key, group in zip(keys, groups or keys, strict=True)]
    pool = sum(split is None or split == "train" for split in given)
    cut_test = unmarked > 0 or "test" in from_train
    test = 0.2 if cut_test and ("test" not in present or unmarked == len(given)) else 0.0
    validation = 0.0 if "validation" in present and unmarked == 0 else _validation_fraction(pool * (1 - test), decided_by, by)
    rule = SplitRule(validation, test, from_train, by)
    return _best_salt(rule, decided_by, given, classes), why


def _validation_fraction(rest: float, decided_by: Sequence[str], by: str) -> float:
    if by == "group" and len(set(decided_by)) < 50:
        return 0.15  # one or two groups say little about the next one
    return float(f"{min(0.1, 2500 / max(1.0, rest)):.2g}")


def straddling(given: Sequence[str | None], groups: Sequence[str | None]) -> list[str]:
    """List the groups that the given split has both in train and in test or validation."""
    where: dict[str, set[str]] = defaultdict(set)
    for split, group in zip(given, groups, strict=True):
        if split is not None and group is not None:
            where[group].add(split)
    return sorted(group for group, splits in where.items() if "train" in splits and len(splits) > 1)


def _best_salt(rule: SplitRule, keys: Sequence[str], given: Sequence[str | None], classes: Sequence[str] | None) -> SplitRule:
    """Give the rule with the salt whose parts are nearest to their fractions, over all and within each class."""
    tally = Counter(zip(keys, given, classes or [""] * len(keys), strict=True))
    tally = Counter({entry: count for entry, count in tally.items() if entry[1] is None or (entry[1] == "train" and rule.from_train)})
    if not tally or len(tally) > MOST_KEYS_TO_TRY:
        return rule
    names = sorted({entry[2] for entry in tally})
    totals = np.zeros(len(names))
    for (_, _, name), count in tally.items():
        totals[names.index(name)] += count
    wanted = np.stack([totals * (1 - rule.test) * rule.validation, totals * rule.test])
    column = {name: index for index, name in enumerate(names)}
    best, least = rule, np.inf
    for number in range(SALTS):
        salted = SplitRule(rule.validation, rule.test, rule.from_train, rule.by, str(number))
        got = np.zeros_like(wanted)
        for (key, split, name), count in tally.items():
            part = salted.split(key, split)
            if part != "train":
                got[SPLITS.index(part) - 1, column[name]] += count
        # A class that is missing from a part that should have it weighs as much as being off by the whole of its share.
        off = np.abs(got - wanted).sum() + np.abs((got - wanted).sum(axis=1)).sum() + (2 * wanted * (got == 0)).sum()
        if off < least:
            best, least = salted, float(off)
    return best
