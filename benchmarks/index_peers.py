"""Compile the harness of the index benchmark with the peers' own sources, which are not part of Tacit.

The peers are read from a folder, `--peers DIR`, that holds a copy of each repository under its name:

    git clone https://github.com/gvinciguerra/PGM-index DIR/PGM-index
    git clone https://github.com/learnedsystems/RadixSpline DIR/RadixSpline
    git clone https://github.com/microsoft/ALEX DIR/ALEX
    git clone https://github.com/bingmann/stx-btree DIR/stx-btree
    apt install libabsl-dev

A file DIR/<name>/COMMIT (or the repository itself) says which commit it is. Everybody is compiled by g++ with -O3 -march=native; Tacit's C
as it is shipped: by gcc with -O3 -ffp-contract=off, for any processor, its instruction sets chosen when it runs.
"""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import harness

HERE = Path(__file__).resolve().parent
NATIVE = HERE / "index_native"
TACIT = harness.ROOT / "src" / "tacit_programs" / "index" / "native"
FLAGS = ("-O3", "-march=native", "-std=c++17", "-DNDEBUG", "-fpermissive", "-w")
TACIT_FLAGS = ("-O3", "-ffp-contract=off", "-fPIC")
CONTESTANTS = ("timing", "tacit_contestants", "search_contestants", "b_tree_contestants", "pgm_contestants", "radix_spline_contestants",
               "alex_contestants")  # fmt: skip


@dataclass(frozen=True)
class Peer:
    """A repository: where its headers are, one header that has to be there, and its licence as its file says."""

    include: str
    header: str
    licence: str
    page: str


PEERS = {
    "PGM-index": Peer("include", "pgm/pgm_index.hpp", "Apache-2.0", "github.com/gvinciguerra/PGM-index"),
    "RadixSpline": Peer("include", "rs/radix_spline.h", "MIT", "github.com/learnedsystems/RadixSpline"),
    "ALEX": Peer("src/core", "alex.h", "MIT", "github.com/microsoft/ALEX"),
    "stx-btree": Peer("include", "stx/btree_map.h", "BSL-1.0", "github.com/bingmann/stx-btree"),
}


def check(folder: Path) -> None:
    """Raise SystemExit, with all that is missing, unless the folder holds every peer."""
    missing = [
        f"{name}/{peer.include}/{peer.header}" for name, peer in PEERS.items() if not (folder / name / peer.include / peer.header).is_file()
    ]
    if not Path("/usr/include/absl/container/btree_map.h").is_file():
        missing.append("absl/container/btree_map.h (Debian: libabsl-dev)")
    if missing:
        lines = "\n".join(f"  git clone https://{peer.page} {name}" for name, peer in PEERS.items())
        raise SystemExit(f"expected the peers' headers, found none of {', '.join(missing)} - in `--peers`\ntry: in that folder\n{lines}")


def described(folder: Path) -> dict[str, dict[str, str]]:
    """Give page, licence and commit of each peer."""
    found = {name: {"page": peer.page, "licence": peer.licence, "commit": _commit(folder / name)} for name, peer in PEERS.items()}
    version = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "libabsl-dev"], capture_output=True, text=True, check=False).stdout
    return {
        **found,
        "Abseil": {"page": "github.com/abseil/abseil-cpp", "licence": "Apache-2.0", "commit": f"Debian {version or 'unknown'}"},
    }


def compiler() -> str:
    """Give the name and version of the compiler."""
    return subprocess.run(["g++", "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]


def timing(folder: Path, cache: Path) -> Path:
    """Give the program of timing.cpp, compiling what has changed. Raises: SystemExit when a peer is missing or a compiler fails."""
    check(folder)
    objects = [_object(NATIVE / f"{name}.cpp", folder, cache) for name in CONTESTANTS]
    objects += [_compiled(["gcc", *TACIT_FLAGS, "-c"], source, cache, [*TACIT.glob("*.[ch]")]) for source in sorted(TACIT.glob("*.c"))]
    return _linked(objects, cache / "timing", ())


def updatable(folder: Path, cache: Path) -> Path:
    """Give the library of updatable.cpp."""
    check(folder)
    return _linked([_object(NATIVE / "updatable.cpp", folder, cache)], cache / "updatable.so", ("-shared",))


def _object(source: Path, folder: Path, cache: Path) -> Path:
    includes = [f"-I{NATIVE}", f"-I{TACIT}", *(f"-isystem{folder / name / peer.include}" for name, peer in PEERS.items())]
    return _compiled(["g++", *FLAGS, "-fPIC", *includes, "-c"], source, cache, [source, *NATIVE.glob("*.h"), TACIT / "index.h"])


def _compiled(command: Sequence[str], source: Path, cache: Path, reads: Sequence[Path]) -> Path:
    digest = hashlib.sha256(" ".join(command).encode())
    for path in sorted({source, *reads}):
        digest.update(path.read_bytes())
    target = cache / f"{source.stem}-{digest.hexdigest()[:16]}.o"
    if not target.exists():
        cache.mkdir(parents=True, exist_ok=True)
        _run([*command, str(source), "-o", str(target)])
    return target


def _linked(objects: Sequence[Path], target: Path, flags: Sequence[str]) -> Path:
    _run(["g++", *flags, *map(str, objects), "-labsl_throw_delegate", "-o", str(target)])
    return target


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"expected `{command[0]}` to compile {Path(command[-3]).name}, it failed\n{done.stderr[-2000:]}")


def _commit(folder: Path) -> str:
    if (folder / "COMMIT").is_file():
        return (folder / "COMMIT").read_text().strip()[:12]
    done = subprocess.run(
        ["git", "-C", str(folder), "log", "-1", "--format=%h", "--abbrev=12"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"
