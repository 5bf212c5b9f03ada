"""Measure `tacit media push` and `pull` on many small images: to a folder and to a server that speaks S3, beside cp, the AWS command
line and DVC.

    python benchmarks/media.py [--peers VENV] [--server VENV] [--turns N] [--counts 10000 50000] [--again] [--trial]

The images are the JPEG files of CIFAR-10 in a folder per class, about a kilobyte each. Every contestant starts from the files and ends with
a copy on the remote, then fetches it into an empty place. Contestants take turns; each turn begins with an empty remote. `tacit new`
also decodes and checks every image and writes the labels; `dvc add` hashes and copies.

VENV of the peers: `pip install "dvc[s3]"` (its s3fs serves Tacit as well); of the server: `pip install "moto[s3,server]" awscli`.
The server is moto, in memory, on this machine: it shows the cost per request, not a network. All run on the same cores.
Every turn is written down at once, so a benchmark that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import harness

NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
PEERS = 'pip install "dvc[s3]" into a virtual environment of its own, and give it by --peers'
SERVER = 'pip install "moto[s3,server]" awscli into a virtual environment of its own, and give it by --server'
SMALL_IMPORTS = 200
MOST_FOR_REQUESTS = 10_000
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


@dataclass
class Times:
    """Wall-clock and computing seconds (of the command and its children) by figure."""

    wall: dict[str, list[float]] = field(default_factory=dict)
    computing: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, command: Sequence[str], folder: Path, **environment: str) -> None:
        """Run and time a command. Raises: RuntimeError with what it said."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        started = time.perf_counter()
        done = subprocess.run(command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - started
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr[-2000:]}")
        self.wall.setdefault(name, []).append(seconds)
        self.computing.setdefault(name, []).append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        print(f"{name}: {seconds:.2f} s", flush=True)


@dataclass(frozen=True)
class Place:
    """A kind of remote. url: gives the remote number n. environment: for those who talk to it."""

    name: str
    url: Callable[[str], str]
    environment: Mapping[str, str]


def write_images(folder: Path, count: int) -> None:
    """Write the first `count` training images, a folder per class."""
    from pyarrow import parquet  # an extra of Tacit; only this benchmark needs it

    paths = sorted((harness.data_folder() / "cifar10").glob("train50k_jpeg_q75*.parquet"))
    written = 0
    for path in paths:
        table = parquet.read_table(path, columns=["image", "label", "index"])
        for row in table.to_pylist():
            if written < count:
                target = folder / NAMES[row["label"]] / f"{row['index']:05d}.jpg"
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(row["image"]["bytes"])
                written += 1
    if written < count:
        raise SystemExit(f"expected {count} images, found {written}")


def split_import(program: Path, images: Path, parts: int) -> None:
    """Make a program of many small imports, as people do who add some examples every day."""
    from tacit.examples.media import MediaWriter
    from tacit.examples.media_lists import write_media_list
    from tacit.examples.records import Record
    from tacit.examples.writing import write_labels

    files = sorted(images.rglob("*.jpg"))
    program.mkdir()
    shutil.copy(images.parent / "program/tacit.toml", program)
    known: dict[str, Record] = {}
    for part in range(parts):
        with MediaWriter(program) as media:
            records = {media.add(path.read_bytes(), "jpg"): path.parent.name for path in files[part::parts]}
        fresh = {name: Record(name, label) for name, label in records.items() if name not in known}
        known.update(fresh)
        write_labels(program, f"day-{part:03d}", fresh.values())
        write_media_list(program, f"day-{part:03d}", fresh)


def tacit(python: Path) -> list[str]:
    return [str(python), "-c", "import sys; from tacit.cli.main import main; sys.exit(main())"]


def carry(times: Times, key: str, program: Path, place: Place, python: Path, turn: str) -> None:
    """Push to a new remote, push again, pull into a clone; everything must have come over."""
    url = place.url(f"tacit-{turn}")
    environment = {**place.environment, "PYTHONPATH": str(harness.ROOT / "src")}
    push = [*tacit(python), "media", "push", str(program), "--remote", url]
    times.add(f"{key}: push", [*push, "--create"], program, **environment)
    times.add(f"{key}: push again", push, program, **environment)
    clone = program.parent / "clone"
    shutil.copytree(program, clone, ignore=shutil.ignore_patterns("media", ".tacit"))
    times.add(f"{key}: pull", [*tacit(python), "media", "pull", str(clone), "--remote", url], clone, **environment)
    if sorted(os.listdir(clone / "media")) != sorted(os.listdir(program / "media")):
        raise RuntimeError(f"{key}: not every pack has come over")
    shutil.rmtree(clone)


def dvc(times: Times, key: str, images: Path, place: Place, peers: Path, turn: str) -> None:
    """The same with DVC, at its defaults: a repository with the images in it, add, push, push again, pull after all is gone."""
    work = images.parent / "dvc"
    shutil.copytree(images, work / "images")
    command = str(peers / "bin/dvc")
    environment = {**place.environment, "DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(images.parent / "dvc-site")}

    def quiet(*words: str) -> None:
        subprocess.run(words, cwd=work, env={**os.environ, **environment}, check=True, capture_output=True)

    quiet("git", "init", "-q", ".")
    quiet(command, "init", "-q")
    quiet(command, "remote", "add", "-d", "there", place.url(f"dvc-{turn}"))
    if "AWS_ENDPOINT_URL" in place.environment:
        quiet(command, "remote", "modify", "there", "endpointurl", place.environment["AWS_ENDPOINT_URL"])
    times.add(f"{key}: add", [command, "add", "-q", "images"], work, **environment)
    times.add(f"{key}: push", [command, "push", "-q"], work, **environment)
    times.add(f"{key}: push again", [command, "push", "-q"], work, **environment)
    shutil.rmtree(work / ".dvc/cache")
    shutil.rmtree(work / "images")
    times.add(f"{key}: pull", [command, "pull", "-q"], work, **environment)
    if sum(1 for _ in (work / "images").rglob("*.jpg")) != sum(1 for _ in images.rglob("*.jpg")):
        raise RuntimeError(f"{key}: not every image has come over")
    shutil.rmtree(work)


def plain(times: Times, key: str, images: Path, place: Place, server: Path | None, turn: str) -> None:
    """Copy file by file, without any knowledge of what is in them."""
    url = place.url(f"plain-{turn}")
    back = images.parent / "back"
    if place.name == "folder":
        times.add(f"{key}: push", ["cp", "-r", str(images), url], images.parent)
        times.add(f"{key}: pull", ["cp", "-r", url, str(back)], images.parent)
    else:
        command = [str(server / "bin/aws"), "s3", "cp", "--quiet", "--recursive"]  # type: ignore[operator]
        times.add(f"{key}: push", [*command, str(images), url], images.parent, **place.environment)
        times.add(f"{key}: pull", [*command, url, str(back)], images.parent, **place.environment)
    shutil.rmtree(back)


@contextlib.contextmanager
def serve(server: Path) -> Iterator[Place]:
    """Run moto on a free port, with a bucket."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**KEYS, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
    process = subprocess.Popen([str(server / "bin/moto_server"), "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        make = [str(server / "bin/aws"), "s3", "mb", "s3://bucket"]
        for _ in range(60):
            if subprocess.run(make, env={**os.environ, **environment}, capture_output=True, check=False).returncode == 0:
                break
            time.sleep(1)
        yield Place("s3", lambda name: f"s3://bucket/{name}", environment)
    finally:
        process.terminate()
        process.wait()


def versions_of(venv: Path | None, *packages: str) -> dict[str, str]:
    """Give the versions of packages in another environment."""
    if venv is None:
        return {}
    code = "import importlib.metadata as m, json, sys; print(json.dumps({p: m.version(p) for p in sys.argv[1:]}))"
    done = subprocess.run([str(venv / "bin/python"), "-c", code, *packages], capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def measure(count: int, turn: int, peers: Path | None, server: Path | None, places: Sequence[Place], work: Path) -> Times:
    """Let every contestant carry `count` images once."""
    times = Times()
    images, program, small = work / "images", work / "program", work / "small"
    write_images(images, count)
    ours = Path(sys.executable) if peers is None else peers / "bin/python"
    key, number = f"{count:,} images", f"{count}-{turn}"
    times.add(f"{key}, tacit: new", [*tacit(Path(sys.executable)), "new", str(program), "--from", str(images)], work)
    split_import(small, images, SMALL_IMPORTS)
    for place in places if turn % 2 == 0 else reversed(places):
        contestants: list[Callable[[], None]] = [
            lambda place=place: carry(times, f"{key}, {place.name}, tacit", program, place, ours, number),
            lambda place=place: carry(times, f"{key} in {SMALL_IMPORTS} imports, {place.name}, tacit", small, place, ours, f"s-{number}"),
        ]
        if count <= MOST_FOR_REQUESTS or place.name == "folder":
            contestants.append(lambda place=place: plain(times, f"{key}, {place.name}, plain copy", images, place, server, number))
        if count <= MOST_FOR_REQUESTS and peers is not None:
            contestants.append(lambda place=place: dvc(times, f"{key}, {place.name}, dvc", images, place, peers, number))
        for contestant in contestants if turn % 2 == 0 else reversed(contestants):
            contestant()
    return times


def figures(rows: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any], dict[str, str]]:
    """Give every time, and the ratios of the medians with their targets."""
    wall: dict[str, list[float]] = {}
    found: dict[str, Any] = {}
    for row in rows:
        for kind, suffix in (("wall", "s"), ("computing", "computing s")):
            for name, (value,) in row[kind].items():
                found.setdefault(f"{name}, {suffix}", []).append(value)
                if kind == "wall":
                    wall.setdefault(name, []).append(value)
    target: dict[str, str] = {}

    def ratio(name: str, ours: Sequence[str], theirs: Sequence[str], rule: str | None = None) -> None:
        if all(wall.get(each) for each in (*ours, *theirs)):
            first, second = (sum(statistics.median(wall[each]) for each in names) for names in (ours, theirs))
            found[name] = first / second
            if rule:
                target[name] = rule

    for key in dict.fromkeys(row["count"] for row in rows):
        for place in ("folder", "s3"):
            us, them = f"{key}, {place}, tacit", f"{key}, {place}, dvc"
            name = f"{key}, {place}: (tacit new + push) / (dvc add + push)"
            ratio(name, [f"{key}, tacit: new", f"{us}: push"], [f"{them}: add", f"{them}: push"], "<= 1")
            for verb in ("push", "push again", "pull"):
                ratio(f"{key}, {place}, {verb}: tacit / dvc", [f"{us}: {verb}"], [f"{them}: {verb}"], "<= 1")
                ratio(f"{key}, {place}, {verb}: tacit / plain copy", [f"{us}: {verb}"], [f"{key}, {place}, plain copy: {verb}"])
    return found, target


def write(rows: Sequence[Mapping[str, Any]], options: argparse.Namespace) -> None:
    """Write the record."""
    found, target = figures(rows)
    peers = versions_of(options.peers, "dvc", "s3fs", "fsspec") | versions_of(options.server, "moto", "awscli")
    harness.record(
        "media",
        {**found, "versions of the others": peers},
        command=harness.command_line(),
        target=target,
        notes=[
            "the server is moto in memory on the same cores: it shows the cost per request, not a network",
            "tacit new decodes and checks every image and writes the labels; dvc add hashes and copies",
            f"small imports: the same images as {SMALL_IMPORTS} imports, each with a pack of its own",
            f"above {MOST_FOR_REQUESTS:,} images DVC, and on s3 the plain copy, are left out: minutes of one request for each",
        ],
        runs=rows,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the carrying of media.")
    parser.add_argument("--peers", type=Path, help="virtual environment with dvc[s3]")
    parser.add_argument("--server", type=Path, help="virtual environment with moto[s3,server] and awscli")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--counts", type=int, nargs="+", default=[10_000, 50_000])
    parser.add_argument("--again", action="store_true", help="measure anew what the record holds")
    parser.add_argument("--trial", action="store_true", help="rehearse; nothing is recorded")
    options = parser.parse_args()
    for path, advice in ((options.peers, PEERS), (options.server, SERVER)):
        if path is None:
            print(f"without this contestant: {advice}", file=sys.stderr)
    known = None if options.again or options.trial else harness.read_record("media")
    rows: list[dict[str, Any]] = known.get("runs", []) if known else []
    for turn in range(options.turns):
        for count in options.counts:
            row: dict[str, Any] = {"count": f"{count:,} images", "turn": turn}
            if any(all(old[name] == value for name, value in row.items()) for old in rows):
                continue
            with contextlib.ExitStack() as stack:
                work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="media-")))
                (work / "remotes").mkdir()
                places = [Place("folder", lambda name, work=work: str(work / "remotes" / name), {})]
                if options.server is not None and options.peers is not None:
                    places.append(stack.enter_context(serve(options.server)))
                load = harness.load_average()
                times = measure(count, turn, options.peers, options.server, places, work)
            if not options.trial:  # another run may have added to the record meanwhile
                rows = (harness.read_record("media") or {"runs": rows})["runs"]
            rows.append({**row, "commit": harness.commit(), "load before": load, "wall": times.wall, "computing": times.computing})
            if not options.trial:
                write(rows, options)


if __name__ == "__main__":
    main()
