"""Plant faults in real sets and see which of them `tacit lint` finds, and what else it says.

    python benchmarks/planted_faults.py [SET...] [--kinds KIND,...] [--seeds N] [--cache DIR] [--minutes M] [--peer PYTHON]

One kind of fault at a time, with several seeds: label flips, exact duplicates under another encoding, near duplicates, leaks between
splits, a shortcut (a border colour; a tone, an offset, a word, a column where there are no pictures), corrupt files. The sets are chosen
by kind of input, one or two of each, not by how well they go. Precision counts what is new since before the planting, for real sets hold
real duplicates and real label errors; beside it stands the precision that counts those as false alarms, too. Every run is written down at
once, so a benchmark that was stopped goes on where it was. `--peer` gives the near duplicates to cleanlab's Datalab as well, in another
environment (pip install cleanlab datasets).
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import datasets
import harness
import numpy as np
import planting
from planting import KINDS, SETS, Planted

from tacit.instruments.linting.context import Context, Options
from tacit.instruments.linting.pictures import near_pictures
from tacit.instruments.linting.running import lint

NAME = "planted-faults"
CODES = {
    "flips": ("TL601",),
    "exact": ("TL101", "TL103", "TL201"),
    "near": ("TL101", "TL102", "TL104", "TL202", "TL103", "TL201"),
    "leaks": ("TL201", "TL202"),
    "shortcut": ("TL501", "TL502", "TL503"),
    "corrupt": ("TL401", "TL402", "TL403", "TL404"),
}
#: What was reported of the clean sets and then looked at, pair by pair on contact sheets or as text.
LOOKED = {
    "errors": "none on any clean set; on the whole of adult one note: 26 rows equal a row on the other side of the given split",
    "trashnet": "21 near duplicates, all real: one object photographed twice from the same place, 10 of them across the official split",
    "fashion-mnist, 60,000": "126 pairs, 49 of them looked at: the same garment or the same photograph of another size or shade",
    "mnist, 60,000": "36 pairs: 35 of straight ones that can't be told apart and one pair of sixes; look-alikes, told as notes",
    "ag-news, 5,000": "33 near duplicates, every sixth looked at, all real: one agency report printed twice, some under two labels",
    "adult": "the column `relationship` or `marital-status` alone tells 81 % of the labels: below what is reported",
    "fsdd": "a note that the sound of the background tells 59 % of the digits: natural, its bands are wide enough for formants",
}
TARGET = {f"{kind}, {what}": f">= {least}" for kind in CODES for what, least in (("recall", 0.95), ("precision", 0.9))}


def findings(directory: Path, kind: str, minutes: float) -> tuple[list[dict[str, Any]], float]:
    """Give what lint reports of one kind, as JSON values, and the seconds it computed."""
    began = time.process_time()
    report = lint(directory, select=CODES[kind], options=Options(minutes=minutes))
    return [finding.to_json() for finding in report.findings], time.process_time() - began


def judged(planted: Planted, before: Sequence[dict[str, Any]], after: Sequence[dict[str, Any]], kind: str) -> dict[str, Any]:
    """Count what was found of the planted faults, and what else was reported, since before the planting and in all.

    planted: pairs of (planted id, the id that it was made from), or single ids. A finding is right when it names a planted example, and,
    of a pair, the other one or another copy of it.
    """
    known = {finding["fingerprint"] for finding in before}
    found: set[str] = set()
    right = wrong = old = 0
    for finding in after:
        named = set(finding["examples"])
        if kind == "shortcut":
            good = finding["severity"] != "note" and planted.feature(finding)
            hits = {"shortcut"} if good else set()
            if finding["severity"] == "note" and not good:
                continue  # what is natural is told as a note
        elif planted.sources:
            families = [planted.sources.get(name, name) for name in finding["examples"]]
            hits = {name for name in named if name in planted.sources and families.count(planted.sources[name]) > 1}
        else:
            hits = named & planted.ids
        found |= hits
        if hits:
            right += 1
        elif finding["fingerprint"] in known:
            old += 1
        else:
            wrong += 1
    wanted = {"shortcut"} if kind == "shortcut" else planted.ids
    return {
        "planted": len(wanted),
        "found": len(found & wanted),
        "right": right,
        "wrong": wrong,
        "there before": old,
        "recall": len(found & wanted) / max(1, len(wanted)),
        "precision": right / max(1, right + wrong),
        "precision, counting what was there before": right / max(1, right + wrong + old),
    }


def run(name: str, kind: str, seed: int, folder: Path, minutes: float, before: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Plant one kind of fault in a copy of a clean program directory and lint it."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as place:
        copy = Path(place) / folder.name
        shutil.copytree(folder, copy, ignore=shutil.ignore_patterns(".tacit"))
        planted = KINDS[kind](copy, SETS[name], np.random.default_rng([seed, *kind.encode()]))
        after, seconds = findings(copy, kind, minutes)
        result = judged(planted, before, after, kind)
    return {"set": name, "kind": kind, "seed": seed, **result, "cpu seconds": round(seconds, 2)}


DATALAB = """
import json, sys, time
import numpy as np
from cleanlab import Datalab
with np.load(sys.argv[1]) as data:
    features, classes = data["features"], data["classes"]
began = time.process_time()
lab = Datalab(data={"label": classes.tolist()}, label_name="label", verbosity=0)
lab.find_issues(features=features, issue_types={"near_duplicate": {}})
seconds = time.process_time() - began
issues = lab.get_issues("near_duplicate")
flagged = np.flatnonzero(issues["is_near_duplicate_issue"].to_numpy())
sets = issues["near_duplicate_sets"].tolist()
print("RESULT" + json.dumps({"seconds": seconds, "pairs": [[int(a), int(b)] for a in flagged for b in sets[a]]}))
"""


def peer(name: str, seed: int, folder: Path, python: str) -> dict[str, Any]:
    """Give the same planted near duplicates to cleanlab's Datalab: 64 principal components of the values, its own defaults.

    It runs in a process of its own, for it needs a package that is called as a file beside this one.
    """
    with tempfile.TemporaryDirectory(dir=folder.parent) as place:
        copy = Path(place) / folder.name
        shutil.copytree(folder, copy, ignore=shutil.ignore_patterns(".tacit"))
        planted = KINDS["near"](copy, SETS[name], np.random.default_rng([seed, *b"near"]))
        context = Context(copy)
        flat = context.inputs[0].reshape(len(context.records), -1).astype(np.float32)
        flat = flat - flat.mean(axis=0)
        began = time.process_time()
        vectors = np.linalg.svd(flat[:: max(1, len(flat) // 2000)], full_matrices=False)[2][:64].T
        path = Path(place) / "features.npz"
        np.savez(path, features=(flat @ vectors).astype(np.float64), classes=context.classes)
        seconds = time.process_time() - began
        done = subprocess.run([python, "-c", DATALAB, str(path)], capture_output=True, text=True, check=False, cwd=place)
    if "RESULT" not in done.stdout:
        raise SystemExit(f"Datalab gave nothing\n{done.stderr[-800:]}\ntry: pip install cleanlab datasets, beside {python}")
    found = json.loads(done.stdout.partition("RESULT")[2].splitlines()[0])
    ids = context.ids.tolist()
    pairs = {tuple(sorted((ids[one], ids[other]))) for one, other in found["pairs"]}
    right = {pair for pair in pairs if planted.sources.get(pair[0], pair[0]) == planted.sources.get(pair[1], pair[1])}
    hit = {one for pair in right for one in pair if one in planted.sources}
    return {
        "set": name,
        "seed": seed,
        "recall": round(len(hit) / len(planted.ids), 4),
        "precision, counting what was there before": round(len(right) / max(1, len(pairs)), 4),
        "pairs": len(pairs),
        "cpu seconds": round(seconds + found["seconds"], 2),
    }


def sized(name: str, cache: Path, *, count: int = 60_000) -> dict[str, float]:
    """Measure the search for near duplicates among so many pictures: seconds and the greatest memory of the process."""
    with np.load(datasets.make(name, cache)) as data:
        pictures = np.ascontiguousarray(data["x_train"][:count])[..., None]
    wall, began = time.perf_counter(), time.process_time()
    alike = near_pictures(pictures, np.random.default_rng(0))
    return {
        "pictures": len(pictures),
        "pairs found": len(alike),
        "cpu seconds": round(time.process_time() - began, 1),
        "seconds": round(time.perf_counter() - wall, 1),
        "peak memory, MB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000),
        "load": harness.load_average() or 0.0,
    }


def overall(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Give the figures: recall and precision per kind over all sets, and for each set."""
    figures: dict[str, Any] = {}
    for kind in CODES:
        mine = [row for row in runs if row["kind"] == kind]
        if not mine:
            continue
        sums = {key: sum(row[key] for row in mine) for key in ("planted", "found", "right", "wrong", "there before")}
        figures[f"{kind}, recall"] = sums["found"] / max(1, sums["planted"])
        figures[f"{kind}, precision"] = sums["right"] / max(1, sums["right"] + sums["wrong"])
        figures[f"{kind}, precision counting what was there before"] = sums["right"] / max(
            1, sums["right"] + sums["wrong"] + sums["there before"]
        )
        for name in dict.fromkeys(row["set"] for row in mine):
            own = [row for row in mine if row["set"] == name]
            figures[f"{kind}, {name}"] = {
                "recall": [round(row["recall"], 4) for row in own],
                "precision": [round(row["precision"], 4) for row in own],
                "precision, counting what was there before": [round(row["precision, counting what was there before"], 4) for row in own],
                "planted": own[0]["planted"],
                "cpu seconds": [row["cpu seconds"] for row in own],
            }
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description="Plant faults and look for them.")
    parser.add_argument("sets", nargs="*", help=f"of: {', '.join(SETS)} (default: all)")
    parser.add_argument("--kinds", default="exact,near,leaks,shortcut,corrupt,flips")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=1.0, help="of training, for the label errors")
    parser.add_argument("--cache", type=Path, default=planting.default_cache())
    parser.add_argument("--again", action="store_true", help="measure again what the record holds")
    parser.add_argument("--peer", metavar="PYTHON", help="also run cleanlab's Datalab on the near duplicates, by this Python")
    parser.add_argument("--size", action="store_true", help="only measure the search among 60,000 pictures")
    options = parser.parse_args()
    if options.size:
        for name in options.sets or ["mnist", "fashion-mnist"]:
            _record([], {f"60,000 pictures, {name}": [sized(name, options.cache)]})
        return
    _record([], {"clean sets, looked at": LOOKED})
    for name in options.sets or list(SETS):
        folder = planting.clean(name, options.cache)
        for kind in options.kinds.split(","):
            wanted = [seed for seed in range(options.seeds) if options.again or not _has(name, kind, seed)]
            if not wanted:
                continue
            before, seconds = findings(folder, kind, options.minutes)
            looked = {
                "findings": {code: sum(finding["code"] == code for finding in before) for code in CODES[kind]},
                "errors": [_short(finding) for finding in before if finding["severity"] == "error"],
                "cpu seconds": round(seconds, 2),
            }
            for seed in wanted:
                row = run(name, kind, seed, folder, options.minutes, before)
                print(json.dumps(row), flush=True)
                _record([row], {f"clean, {name}, {kind}": looked})
        if options.peer and planting.dense(name):
            rows = [peer(name, seed, folder, options.peer) for seed in range(options.seeds)]
            _record([], {f"Datalab, near duplicates, {name}": rows})


def _has(name: str, kind: str, seed: int) -> bool:
    rows = (harness.read_record(NAME) or {}).get("runs", [])
    return any((row["set"], row["kind"], row["seed"]) == (name, kind, seed) for row in rows)


def _short(finding: dict[str, Any]) -> dict[str, Any]:
    return {key: finding[key] for key in ("code", "message", "examples")}


def _record(fresh: Sequence[dict[str, Any]], figures: dict[str, Any]) -> None:
    """Add runs and figures to the record, which is read anew, for another process may have added to it."""
    earlier = harness.read_record(NAME) or {}
    runs = {(row["set"], row["kind"], row["seed"]): row for row in [*earlier.get("runs", []), *fresh]}
    kept = {key: value for key, value in earlier.get("figures", {}).items() if key.startswith(("clean", "Datalab", "60,000"))}
    rows = [runs[key] for key in sorted(runs)]
    notes = [
        "precision counts what is new since before the planting; the findings of the clean sets stand beside it and were looked at",
        "a shortcut is found when a warning or an error names the feature that was planted; notes about what is natural are no alarms",
        f"sets, chosen by kind of input: {', '.join(f'{name} ({SETS[name].words})' for name in SETS)}",
        planting.WORDS,
    ]
    kinds = {row["kind"] for row in rows}
    target = {key: rule for key, rule in TARGET.items() if key.split(",")[0] in kinds}
    command = "python benchmarks/planted_faults.py"
    harness.record(NAME, {**overall(rows), **kept, **figures}, command=command, target=target, notes=notes, runs=rows)


if __name__ == "__main__":
    main()
