"""`lint`: run the checks on a program directory and gather what they found."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tacit.ground.errors import ConfigError, MissingPackage, raise_all
from tacit.ground.progress import Reporter
from tacit.ground.tables import did_you_mean
from tacit.history.finding_changes import label_changes
from tacit.instruments.linting.baseline import Baseline, read_baseline
from tacit.instruments.linting.check import Check
from tacit.instruments.linting.checks import all_checks
from tacit.instruments.linting.context import Context, Options
from tacit.instruments.linting.finding import SEVERITIES, Code, Finding, Severity
from tacit.instruments.linting.mending import mend
from tacit.instruments.linting.report import Report
from tacit.instruments.linting.unsound_files import unsound

MOST_ROUNDS = 3  # of mending: line ends first, for records can be read only then
_USUAL = Options()


def lint(
    directory: Path | str = ".",
    *,
    select: Sequence[str] = (),
    ignore: Sequence[str] = (),
    since: str | None = None,
    fix: bool = False,
    baseline: Path | str | None = None,
    fail_on: Severity = "error",
    options: Options = _USUAL,
    reporter: Reporter | None = None,
) -> Report:
    """Look for what is wrong with the examples of a program directory.

    select, ignore: codes, beginnings of codes (``TL1`` is all duplicates) or names of codes; ignoring wins. since: a git revision;
    only findings about examples whose label changed since are kept. fix: mend what can be mended without a person's decision.
    baseline: a file of findings that are known and not reported. fail_on: the severity from which a finding makes the report fail.

    Raises: ConfigError for settings and options that are not understood; InputError when there are no labels; what
    `tacit.history.finding_changes.label_changes` raises.
    """
    if fail_on not in SEVERITIES:
        raise ConfigError(f"expected a severity, got `{fail_on}`", fix=did_you_mean(fail_on, list(SEVERITIES)))
    directory, reporter, began = Path(directory), reporter or Reporter(), time.monotonic()
    checks = all_checks()
    codes = {code.code: code for check in checks.values() for code in check.codes}
    wanted = _chosen(codes, select, ignore)
    known = Baseline() if baseline is None else read_baseline(Path(baseline))
    done: list[str] = []
    for _ in range(MOST_ROUNDS):
        context = Context(directory, options=options, reporter=reporter)
        found, notes = _found(context, checks, wanted)
        if since is not None:
            changed = {change.id for change in label_changes(directory, since, None)}
            found = [finding for finding in found if changed.intersection(finding.examples)]
        fresh = [finding for finding in found if not known.holds(finding)]
        mended = mend(directory, fresh) if fix else []
        done += mended
        if not mended:
            break
    return Report(
        name=context.outline.name,
        findings=tuple(sorted(fresh, key=_order)),
        known=len(found) - len(fresh),
        codes=tuple(sorted(codes.values(), key=lambda code: code.code)),
        examples=0 if any(finding.code in ("TL001", "TL002") for finding in found) else len(context.records),
        fail_on=fail_on,
        done=tuple(done),
        notes=tuple(notes),
        seconds=time.monotonic() - began,
    )


def _chosen(codes: Mapping[str, Code], select: Iterable[str], ignore: Iterable[str]) -> set[str]:
    """Give the codes that are reported. Raises: ConfigError that names every word which fits no code."""
    names = {code.name: code.code for code in codes.values()}
    problems: list[str] = []

    def fitting(words: Iterable[str]) -> set[str]:
        fits: set[str] = set()
        for word in (part.strip() for given in words for part in given.split(",")):
            mine = {code for code in codes if word and (code.startswith(word.upper()) or names.get(word.lower()) == code)}
            if not mine:
                problems.append(f"`{word}`, {did_you_mean(word, [*codes, *names])}")
            fits |= mine
        return fits

    chosen = (fitting(select) if select else set(codes)) - fitting(ignore)
    raise_all(problems, heading="expected codes of findings", error=ConfigError, fix="docs/howto/lint.md lists the codes")
    return chosen


def _found(context: Context, checks: Mapping[str, Check], wanted: set[str]) -> tuple[list[Finding], list[str]]:
    """Give what the checks report, with places, and what was left out."""
    notes: list[str] = []
    context.outline  # noqa: B018  a mistake in tacit.toml is said before any other
    found = unsound(context)
    if found:
        notes.append("the label files can't be read as they are, so nothing else was looked at")
    else:
        for name, check in checks.items():
            if not any(code.code in wanted for code in check.codes):
                continue
            context.reporter.phase(f"looking at {name}")
            try:
                found += check.find(context)
            except MissingPackage as error:
                notes.append(f"{name}: left out, for {error.message.removeprefix('this ')}; {error.fix}")
    return [_placed(context, finding) for finding in found if finding.code in wanted], notes


def _placed(context: Context, finding: Finding) -> Finding:
    """Fill in where the labels of the examples stand."""
    if finding.places or not finding.examples:
        return finding
    places = [context.place(name) for name in finding.examples]
    return replace(finding, places=tuple(place for place in places if place is not None))


def _order(finding: Finding) -> tuple[int, str, str, int]:
    first = finding.places[0] if finding.places else None
    return (-SEVERITIES.index(finding.severity), finding.code, first.file if first else "", first.line if first else 0)
