"""Run benchmarks one after the other: all of them, or those named.

python -m benchmarks [NAME ...]        names: those of SINGLE below, peers, or a case of spine.py
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
PEERS = ("peer_digits", "peer_fashion", "peer_motion", "peer_rows", "peer_text", "peer_audio")
SPINE = ("digits", "mnist", "fashion-mnist-10", "fashion-mnist-1", "uci-har", "sms", "adult", "fsdd", "fsdd-loso", "budget")
SINGLE = (
    "interpreter",
    "lowering",
    "startup",
    "repeat",
    "overhead",
    "demo",
    "targets",
    "int8",
    "portability",
    "constant_time",
    "label_history",
    "planted_faults",
    "label_chunks",
    "durability",
    "media",
    "recompile",
    "blame_query",
    "architecture",
    "acting",
    "ray_search",
    "evolution",
    "meld",
    "resize",
    "resize_peers",
    "grow",
    "vision",
    "asr",
    "scoreboard",
    "go",
    "index",
    "index_python",
)


def commands(names: list[str]) -> list[list[str]]:
    """Give the scripts and arguments for the names. Raises: SystemExit for a name that is not known."""
    found: list[list[str]] = []
    for name in names or [*SINGLE, "peers", *SPINE]:
        if name == "peers":
            found += [[f"{peer}.py"] for peer in PEERS]
        elif name in SINGLE:
            found.append([f"{name}.py"])
        elif name in SPINE:
            found.append(["spine.py", name])
        else:
            raise SystemExit(f"expected a benchmark, got `{name}`\ntry: one of {', '.join([*SINGLE, 'peers', *SPINE])}")
    return found


def main() -> None:
    for script, *arguments in commands(sys.argv[1:]):
        print(f"== {script} {' '.join(arguments)}", flush=True)
        subprocess.run([sys.executable, str(HERE / script), *arguments], check=True)
    subprocess.run([sys.executable, str(HERE / "tables.py")], check=True)


if __name__ == "__main__":
    main()
