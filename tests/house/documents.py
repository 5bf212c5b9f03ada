"""What a document of the house has to keep: links that lead somewhere, numbers that were measured, no trace of one machine."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_LINK = re.compile(r"(?<!\!)\[[^\]\n]*\]\(([^)\s]+)\)|!\[[^\]\n]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^(```|~~~).*?^\1\s*$", re.MULTILINE | re.DOTALL)
_MEASURED = re.compile(r"<!-- from (?P<sources>[^>]+?) -->\n(?P<body>.*?)<!-- end -->", re.DOTALL)

#: Traces of one machine: absolute paths of somebody's disk, and hosts of package registries (a user's pip knows its own).
TRACES = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?<![\w.])/(?:work|root|home|Users|mnt)/[\w.-]+",
        r"(?<![\w.])/opt/(?:wheels|pypi)",
        r"(?:files\.)?python" + r"hosted\.org",
        r"py" + r"pi\.org/simple",
        r"download\.py" + r"torch\.org",
        r"registry\.npm" + r"js\.org",
        r"file" + r":///",
        r"index-" + r"url",
    )
)


def tracked(root: Path = ROOT) -> list[Path]:
    """Give every file that git tracks."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=root, check=True, capture_output=True, text=True).stdout
    return [root / name for name in listing.split("\0") if name and (root / name).is_file()]


def documents(root: Path = ROOT) -> list[Path]:
    """Give every Markdown document."""
    return [path for path in tracked(root) if path.suffix == ".md"]


def anchors(text: str) -> set[str]:
    """Give the anchors that GitHub makes of the headings of a document."""
    found = set()
    for heading in re.findall(r"^#{1,6}\s+(.+?)\s*#*$", _FENCE.sub("", text), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)|[`*]", r"\1", heading).lower()
        found.add(re.sub(r"[^\w\- ]", "", plain).replace(" ", "-"))
    return found


def link_problems(paths: Iterable[Path], root: Path = ROOT) -> list[str]:
    """Name each relative link that leads nowhere, to a file outside of the repository, or to a missing heading."""
    problems = []
    for path in paths:
        text = _FENCE.sub("", path.read_text(encoding="utf-8"))
        for match in _LINK.finditer(text):
            link = match.group(1) or match.group(2)
            if re.match(r"[a-z]+:", link):
                continue
            file, _, anchor = link.partition("#")
            target = (path.parent / file).resolve() if file else path
            if not target.exists() or not target.is_relative_to(root.resolve()):
                problems.append(f"{path.relative_to(root)}: `{link}` leads nowhere")
            elif anchor and target.suffix == ".md" and anchor not in anchors(target.read_text(encoding="utf-8")):
                problems.append(f"{path.relative_to(root)}: `{link}` names no heading")
    return problems


def measured_blocks(text: str) -> Iterator[tuple[list[str], str]]:
    """Give each block between ``<!-- from a.json b.json -->`` and ``<!-- end -->``: the files it names and its body."""
    for match in _MEASURED.finditer(text):
        yield match["sources"].split(), match["body"]


def typed_number_problems(paths: Iterable[Path], root: Path = ROOT) -> list[str]:
    """Name the figures (a decimal, a percentage, a time) that stand outside of a measured block and outside of code."""
    problems = []
    for path in paths:
        text = _FENCE.sub("", _MEASURED.sub("", path.read_text(encoding="utf-8")))
        text = re.sub(r"`[^`\n]*`|\]\([^)]*\)", "", text)
        for number in re.findall(r"(?<![\w.])\d+(?:\.\d+)? ?(?:%|ms\b|s\b|MMAC|kB|MB)|(?<![\w.])0\.\d+", text):
            problems.append(f"{path.relative_to(root)}: `{number}` is typed by hand; let benchmarks/tables.py write it")
    return problems


def trace_problems(paths: Iterable[Path], root: Path = ROOT) -> list[str]:
    """Name each trace of one machine in the files given."""
    problems = []
    for path in paths:
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            problems += [f"{path.relative_to(root)}:{number}: {match.group()}" for trace in TRACES for match in trace.finditer(line)]
    return problems
