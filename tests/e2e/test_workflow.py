"""The workflow that `tacit new` writes: it is sound YAML, its scripts are sound shell, and its steps do what they say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tacit.directory.workflow import WORKFLOW, workflow_note, workflow_text
from tests.e2e.conftest import ROOT, draw, tacit
from tests.e2e.workflows import parse

GIT = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}


def steps(text: str) -> dict[str, dict[str, str]]:
    return {step.get("name", step.get("uses")): step for step in parse(text)["jobs"]["labels"]["steps"]}


def git(root: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")
    done = subprocess.run(
        ["git", "-C", str(root), *identity, *arguments], env={**os.environ, **GIT}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (arguments, done.stderr)
    return done.stdout.strip()


def test_the_parser_refuses_what_is_no_workflow():
    for text in ("a: 1\n  b: 2\n", "a\n", "a: 1\na: 2\n", "steps:\n  - name: x\n   run: y\n"):
        with pytest.raises(ValueError, match="line"):
            parse(text)


def test_says_what_it_may_do_and_when_it_runs(tmp_path):
    document = parse(workflow_text(tmp_path / "cats"))
    assert document["permissions"] == {"contents": "read", "pull-requests": "write", "security-events": "write"}
    assert document["on"]["pull_request"]["paths"] == '["labels/**", "tacit.toml", "tests.toml"]'
    assert document["jobs"]["labels"]["env"]["PROGRAM"] == "."
    assert {"Label diff", "Lint", "Behaviour diff", "Comment", "Verdict"} <= steps(workflow_text(tmp_path / "cats")).keys()


def test_a_program_within_a_repository_names_its_folder(tmp_path):
    (tmp_path / ".git").mkdir()
    document = parse(workflow_text(tmp_path / "some" / "cats"))
    assert document["jobs"]["labels"]["env"]["PROGRAM"] == "some/cats"
    assert document["on"]["pull_request"]["paths"] == '["some/cats/labels/**", "some/cats/tacit.toml", "some/cats/tests.toml"]'
    assert f"{tmp_path}/.github/workflows/labels-cats.yml" in workflow_note(tmp_path / "some" / "cats")


def test_every_script_is_sound_shell(tmp_path):
    for name, step in steps(workflow_text(tmp_path / "cats")).items():
        if "run" in step:
            done = subprocess.run(["bash", "-n"], input=step["run"], capture_output=True, text=True, check=False)
            assert done.returncode == 0, (name, done.stderr)


@pytest.mark.system
def test_its_steps_report_on_a_pull_request(tmp_path):
    """Everything but the installation, with a `gh` that writes down what it is asked."""
    draw(tmp_path / "pictures", count=30)
    assert tacit("new", "program", "--from", "pictures", cwd=tmp_path).code == 0
    program = tmp_path / "program"
    settings = program / "tacit.toml"
    settings.write_text(settings.read_text().replace("minutes = 5", "steps = 30"))
    git(program, "init", "-q", "-b", "main")
    git(program, "add", ".")
    git(program, "commit", "-q", "-m", "Add pictures")
    git(program, "checkout", "-q", "-b", "topic")
    (labels,) = (program / "labels").glob("*/all.jsonl")
    lines = labels.read_text().split("\n")
    lines[0] = lines[0].replace('"bar"', '"dot"') if '"bar"' in lines[0] else lines[0].replace('"dot"', '"bar"')
    labels.write_text("\n".join(lines))
    git(program, "commit", "-q", "-am", "Relabel one")
    git(program, "checkout", "-q", "--detach", "main")
    git(program, "merge", "-q", "--no-ff", "-m", "Merge topic into main", "topic")

    bin_ = tmp_path / "bin"
    bin_.mkdir()
    (bin_ / "tacit").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tacit.cli.main "$@"\n')
    (bin_ / "gh").write_text('#!/bin/sh\necho "$@" >> "$ASKED"\ncase "$*" in *--jq*) cat "$MINE";; esac\n')
    for tool in bin_.iterdir():
        tool.chmod(0o755)
    report = tmp_path / "report"
    text = (program / WORKFLOW).read_text().replace("/tmp/labels-report", str(report))
    own = parse(text)["jobs"]["labels"]["env"]
    (tmp_path / "mine").write_text("")
    environment = {
        **os.environ,
        **GIT,
        **own,
        "PATH": f"{bin_}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "src"),
        "ASKED": str(tmp_path / "asked"),
        "MINE": str(tmp_path / "mine"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        "GITHUB_REPOSITORY": "ann/cats",
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_RUN_ID": "1",
        "NUMBER": "12",
    }

    def run(name: str) -> int:
        script = steps(text)[name]["run"]
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", script], cwd=program, env=environment, capture_output=True, text=True, check=False
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert name == "Verdict" or done.returncode == 0, (name, done.stdout, done.stderr)
        return done.returncode

    for name in ("Media", "Label diff", "Lint", "Behaviour diff", "Report", "Comment"):
        run(name)
    assert run("Verdict") == int((report / "lint.code").read_text())
    comment = (report / "comment.md").read_text()
    assert comment.startswith("<!-- tacit labels -->\n### Labels: 1 relabelled ")
    assert "### Behaviour diff" in comment
    assert "tacit lint" in comment
    assert "not done" not in comment
    for name in ("labels.png", "behaviour.png"):
        assert (report / name).read_bytes()[:4] == b"\x89PNG"
    assert json.loads((report / "lint.sarif").read_text())["version"] == "2.1.0"
    assert "--method POST repos/ann/cats/issues/12/comments" in (tmp_path / "asked").read_text()
    (tmp_path / "mine").write_text("77\n")
    run("Comment")
    assert "--method PATCH repos/ann/cats/issues/comments/77" in (tmp_path / "asked").read_text()
