"""Measure Tacit itself, through its command line, on the cases of the figure table.

    python benchmarks/spine.py CASE [--seeds N] [--cache DIR] [--again] [--any-commit] [--trial MINUTES]

`tacit new` makes the program directory from the file that a person would have; `tacit compile --json` is timed as a whole, from
its start to its exit. Every run is written down at once, so a benchmark that was stopped goes on where it was: a run is done
when the record holds it for the commit at hand (`--any-commit`: for any), unless `--again`. `--trial` is a rehearsal with a
budget of its own that is kept beside the sets and never among the results.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import datasets
import harness
import tacit_command


@dataclass(frozen=True)
class Case:
    """One row of the table.

    sets: variant -> data set; a case with several variants (folds, speakers) compiles each of them. options: for `tacit new`;
    compile_options: for `tacit compile`. metric: figure -> path into the block of the test split. target: figure -> rule for its mean.
    peers: (figure, record, figure there, margin): the mean must be at least the peer's less the margin, too.
    """

    sets: Mapping[str, str]
    minutes: float
    seeds: int
    options: tuple[str, ...] = ()
    compile_options: tuple[str, ...] = ()
    metric: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: {"accuracy": ("accuracy",)})
    target: Mapping[str, str] = field(default_factory=dict)
    peers: tuple[tuple[str, str, str, float], ...] = ()
    notes: tuple[str, ...] = ()

    def targets(self) -> dict[str, str]:
        """Give the rules, raised to what the peers reached on the same split."""
        wanted = dict(self.target)
        for figure, record, theirs, margin in self.peers:
            peer = (harness.read_record(record) or {}).get("figures", {}).get(theirs)
            if peer is not None:
                bar = (peer["mean"] if isinstance(peer, Mapping) else peer) - margin
                floor = float(wanted[figure].split()[-1]) if figure in wanted else bar
                wanted[figure] = f">= {max(floor, bar):.4f}"
        return wanted


SPAM = {"F1 of spam": ("per_class", "spam", "f1"), "accuracy": ("accuracy",)}
CASES: dict[str, Case] = {
    "digits": Case({"": "digits"}, 0.75, 5, target={"accuracy": ">= 0.985"}, peers=(("accuracy", "peers-digits", "accuracy", 0.0),)),
    "mnist": Case({"": "mnist"}, 5, 3, target={"accuracy": ">= 0.995"}),
    "fashion-mnist-10": Case({"": "fashion-mnist"}, 10, 3, target={"accuracy": ">= 0.935"}),
    "fashion-mnist-1": Case({"": "fashion-mnist"}, 1, 3, target={"accuracy": ">= 0.915"}),
    "uci-har": Case({"": "uci-har"}, 5, 5, target={"accuracy": ">= 0.94"}, notes=("split by subject, as given",)),
    "sms": Case(
        {f"fold {fold}": f"sms-{fold}" for fold in range(datasets.FOLDS)},
        1,
        1,
        options=("--label", "label"),
        compile_options=("--set", "goal.classes.spam.f1=0.9"),
        metric=SPAM,
        peers=(
            ("F1 of spam", "peers-sms", "linear SVM: F1 of spam", 0.0),
            ("F1 of spam", "peers-sms", "boosting: F1 of spam", 0.01),
        ),
        notes=("folds are stratified, each message occurs once; the peers are in peers-sms.json",),
    ),
    "adult": Case(
        {"": "adult"},
        2,
        3,
        options=("--label", "income"),
        peers=(
            ("accuracy", "peers-adult", "linear SVM, numbers in 20 bins: accuracy", 0.0),
            ("accuracy", "peers-adult", "boosting: accuracy", 0.01),
        ),
        notes=("official split; the peers are in peers-adult.json",),
    ),
    "fsdd": Case({"": "fsdd"}, 2, 3, options=("--label", "label"), target={"accuracy": ">= 0.98"}, notes=("official split",)),
    "fsdd-loso": Case(
        {speaker: f"fsdd-without-{speaker}" for speaker in datasets.SPEAKERS},
        1,
        1,
        options=("--label", "label", "--group", "speaker"),
        notes=("each speaker is left out in turn; validation is by speaker, too",),
    ),
}
BUDGET_MINUTES = (1, 2, 5)
CHOICES = ("--set", "skeleton.width=[16, 32, 48]", "--set", "skeleton.depth=[1, 2]")


class Runs:
    """The runs of one case: read from the record, added to, written back after each."""

    def __init__(self, name: str, case: Case, *, folder: Path, any_commit: bool, again: bool) -> None:
        self.name, self.case, self.folder, self.any_commit = name, case, folder, any_commit
        self.commit = harness.commit()
        known = harness.read_record(name, folder=folder)
        self.rows: list[dict[str, Any]] = [] if known is None or again else known.get("runs", [])

    def has(self, key: str) -> bool:
        """Say whether a run is done."""
        return any(row["key"] == key and (self.any_commit or row["commit"] == self.commit) for row in self.rows)

    def add(self, key: str, row: Mapping[str, Any]) -> None:
        """Add a run (in place of an older one with its key) and write the record."""
        rest = [old for old in self.rows if old["key"] != key]
        self.rows = [*rest, {"key": key, "commit": self.commit, **row}]
        self.write()

    def write(self) -> None:
        """Write the record; its figures are of the runs of this commit alone, or of all with `--any-commit`."""
        counted = [row for row in self.rows if self.any_commit or row["commit"] == self.commit]
        names = dict.fromkeys(name for row in counted for name in row["figures"])
        figures = {name: {row["key"]: row["figures"][name] for row in counted if name in row["figures"]} for name in names}
        commits = sorted({row["commit"] for row in counted})
        notes = [*self.case.notes, f"commits of the runs: {', '.join(commits)}"]
        target = {name: rule for name, rule in self.case.targets().items() if name in figures}
        harness.record(self.name, figures, command=harness.command_line(), target=target, notes=notes, runs=self.rows, folder=self.folder)


def compile_once(source: Path, arguments: Sequence[str], minutes: float, case: Case, *, folder: Path) -> dict[str, Any]:
    """Run `tacit compile` in `folder`; give the row of the run: scores on test and validation, times, cost, what was chosen."""
    load = harness.load_average()
    words = ["compile", str(source), "--minutes", f"{minutes:g}", "--json", "-o", "out.tacit", *arguments]
    done = tacit_command.tacit(words, folder=folder)
    if done.document is None:
        raise RuntimeError(f"expected a JSON document on stdout, got none\n{done.errors[-2000:]}")
    evidence = done.document["evidence"]
    run, costs = evidence["run"], evidence["costs"]
    figures = {name: _at(evidence["scores"]["test"], path) for name, path in case.metric.items()}
    figures |= {f"{name}, validation": _at(evidence["scores"].get("validation", {}), path) for name, path in case.metric.items()}
    figures |= {
        "wall-clock seconds": done.seconds,
        "overrun %": (done.seconds / (60 * minutes) - 1) * 100,
        "million multiply-accumulates": costs["macs"] / 1e6,
        "kilobytes of weights": costs["weight_bytes"] / 1e3,
        "epochs": run["epochs"],
        "lowering, relative error": evidence["lowering"]["max_relative_error"],
    }
    chosen = {name: run.get(name) for name in ("seed", "steps", "settings", "recipe", "threads", "precision", "device")}
    return {"figures": {name: value for name, value in figures.items() if value is not None}, "load before": load, **chosen}


def _at(block: Mapping[str, Any], path: Sequence[str]) -> Any:
    value: Any = block
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def plain_case(name: str, case: Case, runs: Runs, options: argparse.Namespace, work: Path) -> None:
    """Compile each variant with each seed."""
    minutes = options.trial or case.minutes
    for variant, data_set in case.sets.items():
        program = work / f"{data_set}-program"
        for seed in range(options.seeds or case.seeds):
            key = " ".join(filter(None, [variant, f"seed {seed}" if len(case.sets) == 1 or (options.seeds or case.seeds) > 1 else ""]))
            if runs.has(key):
                print(f"{name} {key}: done before", flush=True)
                continue
            if not program.exists():
                source = datasets.make(data_set, options.cache)
                made = tacit_command.tacit(["new", str(program), "--from", str(source), *case.options])
                print(f"{name}: tacit new took {made.seconds:.1f} s", flush=True)
            row = compile_once(program, ["--seed", str(seed), *case.compile_options], minutes, case, folder=work)
            runs.add(key, row)
            print(name, key, {figure: float(f"{value:.5g}") for figure, value in row["figures"].items()}, flush=True)


def budget_cases(seed: int = 0) -> Iterator[tuple[str, float, tuple[str, ...], str, tuple[str, ...]]]:
    """Give (key, minutes, arguments, data set, options): straight on the file that a person has, reading it included."""
    for minutes in BUDGET_MINUTES:
        for title, arguments in (("", ()), (" with choices", CHOICES)):
            yield f"fashion-mnist, {minutes} min{title}", minutes, ("--seed", str(seed), *arguments), "fashion-mnist", ()
    yield "adult, 1 min", 1, ("--seed", str(seed)), "adult", ("--label", "income")
    yield "fsdd, 1 min", 1, ("--seed", str(seed)), "fsdd", ("--label", "label")


def budget(runs: Runs, options: argparse.Namespace, work: Path) -> None:
    """Measure how far `tacit compile FILE --minutes M` overruns, with everything that the command does on the way."""
    for key, minutes, arguments, data_set, table in budget_cases():
        if runs.has(key):
            print(f"budget {key}: done before", flush=True)
            continue
        source = datasets.make(data_set, options.cache)
        fresh = work / "fresh"  # compile leaves a program directory beside its result, and must not find one of before
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
        row = compile_once(source, [*table, *arguments], options.trial or minutes, runs.case, folder=fresh)
        runs.add(key, row)
        print(key, row["figures"]["overrun %"], flush=True)
        shutil.rmtree(fresh)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure Tacit on the cases of the figure table.")
    parser.add_argument("case", choices=[*CASES, "budget"])
    parser.add_argument("--seeds", type=int, help="seeds 0 to N-1 (default: as many as the table asks for)")
    parser.add_argument("--cache", type=Path, default=datasets.default_cache())
    parser.add_argument("--again", action="store_true", help="measure every run anew")
    parser.add_argument("--any-commit", action="store_true", help="count runs of other commits as done, and in the figures")
    parser.add_argument("--trial", type=float, metavar="MINUTES", help="rehearse with this budget; nothing goes into the results")
    options = parser.parse_args()
    options.cache = options.cache.resolve()
    folder = harness.RESULTS if options.trial is None else options.cache / "trials"
    work = options.cache / "work" / options.case
    shutil.rmtree(work, ignore_errors=True)  # program directories of another commit are no use
    work.mkdir(parents=True)
    overrun = Case({}, 0, 1, target={"overrun %": "max <= 5"}, notes=("reading, evaluation and writing included",))
    case = CASES.get(options.case, overrun)
    runs = Runs(options.case, case, folder=folder, any_commit=options.any_commit, again=options.again)
    if options.case == "budget":
        budget(runs, options, work)
    else:
        plain_case(options.case, case, runs, options, work)
    runs.write()
    shutil.rmtree(work)


if __name__ == "__main__":
    main()
