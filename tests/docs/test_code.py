"""Every block of code in every document runs, and prints what the document shows."""

from __future__ import annotations

import doctest
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.docs.blocks import Block, blocks, commands, output_matches

ROOT = Path(__file__).resolve().parents[2]
ENGLISH, CHINESE = ROOT / "README.md", ROOT / "README.zh-CN.md"
DOCUMENTS = [ENGLISH, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "src").rglob("*.md"))]
SECONDS = 300  # one command
#: Guides that compile many times over: system tests, for their commands have shorter tests of their own in tests/e2e.
LONG = (
    "behaviour-diff",
    "environments-and-games",
    "goals-without-gradient",
    "grow",
    "label-loop",
    "meld",
    "repeat-and-resume",
    "resize",
    "targets",
)
MINUTES = tuple(f"docs/howto/{name}.md" for name in LONG)


def environment(folder: Path) -> dict[str, str]:
    """Give an environment in which `tacit` and `python` are those under test, without colours or a terminal's width."""
    shims = folder / "bin"
    shims.mkdir()
    python = shlex.quote(sys.executable)
    for name, line in {"python": f'exec {python} "$@"', "tacit": f'exec {python} -m tacit.cli.main "$@"'}.items():
        (shims / name).write_text(f"#!/bin/sh\n{line}\n")
        (shims / name).chmod(0o755)
    paths = os.pathsep.join([str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PATH": f"{shims}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": paths, "NO_COLOR": "1", "COLUMNS": "120"}


def run_shell(block: Block, folder: Path, variables: dict[str, str]) -> None:
    for command in commands(block):
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command.text],
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        where = f"line {command.line}: {command.text.strip()}"
        if done.returncode != command.exit_code:
            pytest.fail(f"{where}\nexit code {done.returncode}, expected {command.exit_code}\n{done.stdout}")
        if command.expected is not None and not output_matches(command.expected, done.stdout):
            pytest.fail(f"{where}\n--- the document shows\n{command.expected}\n--- it printed\n{done.stdout}")


def run_python(block: Block, names: dict[str, object], document: Path) -> None:
    if ">>>" not in block.text:
        exec(compile("\n" * (block.line - 1) + block.text, str(document), "exec"), names)
        return
    test = doctest.DocTestParser().get_doctest(block.text, names, document.name, str(document), block.line - 1)
    report: list[str] = []
    failures = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=report.append, clear_globs=False).failed
    names.update(test.globs)
    if failures:
        pytest.fail("".join(report))


def run_document(document: Path, folder: Path) -> int:
    """Run the blocks of a document in order, in one folder and one namespace; give how many there were."""
    place = folder / "place"
    place.mkdir()
    variables, names = environment(folder), {"__name__": "document"}
    found = [block for block in blocks(document) if block.run]
    before = Path.cwd()
    os.chdir(place)
    try:
        for block in found:
            if block.language == "python":
                run_python(block, names, document)
            else:
                run_shell(block, place, variables)
    finally:
        os.chdir(before)
    return len(found)


def runnable() -> list[Any]:
    """Give the documents with code that runs; those that compile many times over are system tests."""
    found = [(document, document.relative_to(ROOT).as_posix()) for document in DOCUMENTS if any(block.run for block in blocks(document))]
    return [pytest.param(document, id=name, marks=[pytest.mark.system] if name in MINUTES else []) for document, name in found]


@pytest.mark.parametrize("document", runnable())
def test_the_code_of_a_document_runs(document, tmp_path):
    assert run_document(document, tmp_path) > 0


def test_both_readmes_hold_the_same_code():
    """The Chinese README's code is the English one's, so running the one runs the other."""
    assert [(b.language, b.text, b.run) for b in blocks(CHINESE)] == [(b.language, b.text, b.run) for b in blocks(ENGLISH)]


def test_only_make_is_not_run():
    """What a test can't run is a Makefile's target, which CI runs, or a place that says why."""
    unrun = [block.text for block in blocks(ENGLISH) if not block.run]
    assert all(line.startswith(("make ", "pip install ")) for text in unrun for line in text.splitlines())


# --- the machinery is seen to fail --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("```sh\nfalse\n```\n", "exit code 1"),
        ("```console\n$ echo cat\ndog\n```\n", "it printed\ncat"),
        ("```console\n$ echo fine # exits with 1\nfine\n```\n", "expected 1"),
        ("```python\n>>> 1 + 1\n3\n```\n", "Got:\n    2"),
    ],
)
def test_a_wrong_document_fails(tmp_path, text, message):
    (tmp_path / "a.md").write_text(text)
    with pytest.raises(pytest.fail.Exception, match=message):
        run_document(tmp_path / "a.md", tmp_path)


def test_a_python_block_that_raises_fails(tmp_path):
    (tmp_path / "a.md").write_text("```python\nx = 1\n```\ntext\n```python\nraise KeyError(x)\n```\n")
    with pytest.raises(KeyError):
        run_document(tmp_path / "a.md", tmp_path)


def test_blocks_share_a_folder_and_a_namespace(tmp_path):
    text = "```sh\necho 41 > number\n```\n```python\nx = int(open('number').read())\n```\n```python\n>>> x + 1\n42\n```\n"
    (tmp_path / "a.md").write_text(text + "<!-- not run -->\n```sh\nfalse\n```\n```text\nshown\n```\n")
    assert run_document(tmp_path / "a.md", tmp_path) == 3


@pytest.mark.parametrize(
    ("expected", "got", "matches"),
    [
        ("accuracy 0.987", "accuracy   0.9912", True),
        ("accuracy 0.987", "precision 0.987", False),
        ("7", "7", True),
        ("7", "3", False),
        ("1,797 examples", "204 examples", True),
        ("a\n...\nz", "a\nb\nc\nz", True),
        ("a\n...\nz", "a\nb\nc", False),
        ("...", "", True),
        ("written to ...", "written to x/y.tacit", True),
        ("a", "a\nb", False),
        ("a\nb", "a", False),
    ],
)
def test_output_is_compared_up_to_numbers(expected, got, matches):
    assert output_matches(expected, got) is matches
