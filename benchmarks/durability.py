"""What is left after SIGKILL at random moments of import, set, merge and push; and when several processes write at once.

    python benchmarks/durability.py [--kills N] [--seed S] [--only OPERATION ...] [--add]

Each operation is a function of its own, in killed_labels.py and killed_pushes.py. Operations that are not named keep the figures that
an earlier run recorded; with --add the counts of those that are named are added to these, for more moments with another seed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import harness
import killed_labels
import killed_pushes

#: What has to be nothing over all operations -> parts of what `Kills.figures` of both files calls it.
NOTHING = {
    "torn files": ("torn files",),
    "labels or packs lost": ("labels lost", "packs or labels lost"),
    "times that labels could not be read": ("could not be read",),
    "commands that could not be repeated to completion": ("could not be repeated",),
    "processes that could not be served": ("could not be served",),
}
ASKED = ("import", "set", "merge", "push")
AT_ONCE = "eight processes at once"
_SET = """
import sys
from pathlib import Path
from tacit.directory.labelling import set_labels
for name in sys.argv[3:]:
    set_labels(Path(sys.argv[1]), [name], "c", by=sys.argv[2] or None)
"""


def pushes(kind: str, verb: str, options: argparse.Namespace, work: Path) -> tuple[Mapping[str, int], list[str]]:
    """Kill pushes or pulls."""
    found = killed_pushes.kill_pushes(kind, options.kills, seed=options.seed, work=work, verb=verb)
    return found.figures(), [*found.torn, *found.lost, *found.not_completed]


def labels(name: str, options: argparse.Namespace, work: Path) -> tuple[Mapping[str, int], list[str]]:
    """Kill a command that writes labels."""
    found = killed_labels.kill(killed_labels.OPERATIONS[name], options.kills, seed=options.seed, work=work, name=name)
    return found.figures(), found.problems()


def at_once(_options: argparse.Namespace, work: Path) -> tuple[Mapping[str, int], list[str]]:
    """Let eight processes set labels in the same files, four settling and four as one annotator, and count what is missing."""
    from tacit.examples.store import read_store

    program = killed_labels.make_program(work / "program", examples=400, annotators=())
    ids = [record.id for record in read_store(program).records]
    parts = [(by, ids[offset + part : offset + 200 : 4][:15]) for offset, by in ((0, ""), (200, "ann")) for part in range(4)]
    processes = [subprocess.Popen([sys.executable, "-c", _SET, str(program), by, *names]) for by, names in parts]
    failed = sum(process.wait() != 0 for process in processes)
    store = read_store(program)
    said = {name: store.opinions.get(name, {}).get("by/ann") for _, names in parts[4:] for name in names}
    said |= {record.id: record.label for record in store.records if any(record.id in names for _, names in parts[:4])}
    lost = [name for name, label in said.items() if label != "c"]
    return {"labels set": len(said), "labels lost": len(lost), "processes that could not be served": failed}, lost


OPERATIONS = (*killed_labels.OPERATIONS, "push", "push to a slow remote", "pull", AT_ONCE)


def measure(name: str, options: argparse.Namespace, work: Path) -> tuple[Mapping[str, int], list[str]]:
    """Give the figures of an operation and what went wrong, in words."""
    if name in killed_labels.OPERATIONS:
        return labels(name, options, work)
    if name == AT_ONCE:
        return at_once(options, work)
    return pushes("slow" if "slow" in name else "folder", name.partition(" ")[0], options, work)


def main() -> None:
    parser = argparse.ArgumentParser(description="Kill commands that write labels and media at random moments.")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=OPERATIONS, default=OPERATIONS)
    parser.add_argument("--add", action="store_true", help="add the counts to those that are recorded")
    options = parser.parse_args()
    for name in options.only:
        with tempfile.TemporaryDirectory() as work:
            found, problems = measure(name, options, Path(work))
        print(name, dict(found), *problems[:20], sep="\n  ", flush=True)
        figures: dict[str, Any] = dict((harness.read_record("durability") or {"figures": {}})["figures"])
        before = {key: value for key, value in figures.items() if key.startswith(f"{name}: ")}
        figures = {key: value for key, value in figures.items() if key not in before}
        figures |= {f"{name}: {key}": value + options.add * before.get(f"{name}: {key}", 0) for key, value in found.items()}
        figures = {key: value for key, value in figures.items() if not key.startswith("all: ")}
        figures |= {
            f"all: {total}": sum(value for key, value in figures.items() if any(part in key for part in parts))
            for total, parts in NOTHING.items()
        }
        target = {f"all: {total}": "<= 0" for total in NOTHING} | {f"{name}: kills": ">= 50" for name in ASKED}
        notes = "SIGKILL at random moments; see killed_labels.py and killed_pushes.py for how they are drawn and what is checked after each"
        harness.record("durability", dict(sorted(figures.items())), command=harness.command_line(), target=target, notes=notes)


if __name__ == "__main__":
    main()
