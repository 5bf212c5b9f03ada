"""`tacit meld` as a person uses it: two programs, joint examples, one file; every refusal before a byte is written."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from tests.e2e.conftest import command_environment, draw, tacit, tree


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """`shapes.program` (bar or dot) and `rule.program` (what to do with them), compiled; `acts.program` with joint examples."""
    folder = tmp_path_factory.mktemp("meld")
    draw(folder / "shapes", count=24)
    draw(folder / "drawn", count=30)
    (folder / "acts").mkdir()
    (folder / "drawn" / "bar").rename(folder / "acts" / "take")
    (folder / "drawn" / "dot").rename(folder / "acts" / "leave")
    for act in ("take", "leave"):  # other pictures than those of the shapes
        for path in sorted((folder / "acts" / act).iterdir()):
            Image.fromarray(np.asarray(Image.open(path))[::-1] // 2).save(path)
    rows = "\n".join(["shape,label", *("bar,take" if number % 2 else "dot,leave" for number in range(60))])
    (folder / "rule.csv").write_text(rows + "\n")
    for name, source in (("shapes", "shapes"), ("rule", "rule.csv"), ("acts", "acts")):
        done = tacit("new", f"{name}.program", "--from", source, cwd=folder)
        assert done.code == 0, done.err
    for name in ("shapes", "rule"):
        done = tacit("compile", f"{name}.program", "--steps", 40, "--set", "skeleton.width=8", cwd=folder)
        assert done.code in (0, 1), done.err
    return folder


@pytest.fixture(scope="module")
def whole(place):
    done = tacit("meld", "shapes.program", "rule.program", "--in", "acts.program", "--steps", 16, "-o", "whole.tacit", "--json", cwd=place)
    assert done.code == 0, done.err
    return done.document


def test_two_programs_become_one_and_the_report_says_what_they_did_before(place, whole):
    melded = whole["evidence"]["meld"]
    assert set(melded["joint"]["pipeline"]) <= {"validation", "test"} and melded["wires"][0] == "shapes: shapes of the input `image`"
    assert [part["name"] for part in melded["parts"]] == ["shapes", "rule"]
    picture = next((place / "acts" / "take").iterdir())
    assert tacit("run", "whole.tacit", picture, cwd=place).out.strip() in ("take", "leave")
    assert tacit("run", "whole.tacit", "--entry", "shapes", picture, cwd=place).out.strip() in ("bar", "dot")
    assert tacit("run", "whole.tacit", "--entry", "rule", "shape=bar", cwd=place).out.strip() in ("take", "leave")
    shown = tacit("inspect", "whole.tacit", cwd=place).out
    assert "melded from shapes, " in shown
    assert all(f"entry point `{name}`" in shown for name in ("main", "shapes", "rule"))


def test_a_meld_is_split_into_programs_that_work_alone(place, whole, tmp_path):
    done = tacit("meld", "--split", "whole.tacit", "-o", tmp_path / "parts", "--json", cwd=place)
    assert done.code == 0 and set(done.document) == {"shapes", "rule"}
    picture = next((place / "shapes" / "bar").iterdir())
    assert tacit("run", tmp_path / "parts" / "shapes.tacit", picture, cwd=place).out.strip() in ("bar", "dot")
    assert "before it was melded" in tacit("inspect", tmp_path / "parts" / "rule.tacit", cwd=place).out


@pytest.mark.parametrize("target", ["numpy", "onnx"])
def test_targets_take_several_entry_points(place, whole, tmp_path, target):
    done = tacit("build", "whole.tacit", "--target", target, "-o", tmp_path / "out", cwd=place)
    assert done.code == 0, done.err
    parity = json.loads((tmp_path / "out" / "parity.json").read_text())
    assert parity


@pytest.mark.system
def test_the_c_target_stores_shared_weights_once(place, whole, tmp_path):
    done = tacit("build", "whole.tacit", "--target", "c", "-o", tmp_path / "out", cwd=place)
    assert done.code == 0, done.err
    (weights,) = (tmp_path / "out").glob("*_weights.bin")
    assert weights.stat().st_size < 1.5 * whole["evidence"]["costs"]["weight_bytes"]


def test_what_cannot_be_melded_is_refused_before_anything_is_written(place, whole, refused):
    refused("meld", "shapes.program", "rule.program", cwd=place, names=("joint examples", "--in DIR"))
    refused("meld", "shapes.program", "--in", "acts.program", cwd=place, names=("at least two programs",))
    refused("meld", "shapes.program", "shapes.program", "--in", "acts.program", cwd=place, names=("is the same program as `shapes`",))
    refused("meld", "rule.program", "shapes.program", "--in", "rule.program", cwd=place, names=("`shapes` reads Image(", "`rule` gives"))
    refused("meld", "whole.tacit", "rule.program", "--in", "acts.program", cwd=place, names=("several entry points", "--split"))
    refused("meld", "shapes.program", "acts.program", "--in", "acts.program", cwd=place, names=("expected a compiled program",))
    refused("meld", "shapes.program", "rule.program", "--in", "acts.program", "--through", "accurcy", cwd=place, names=("accurcy",))
    refused("meld", "--split", "shapes.program/shapes.tacit", cwd=place, names=("expected a melded program",))
    refused("run", "whole.tacit", "--entry", "shape", "x.png", cwd=place, names=("did you mean `shapes`?",))


def test_parts_whose_program_is_gone_are_lifted_and_it_is_said(place, tmp_path):
    for name in ("shapes", "rule"):
        shutil.copy(place / f"{name}.program" / f"{name}.tacit", tmp_path / f"{name}.tacit")
    arguments = ["--in", place / "acts.program", "--steps", 2, "-o", tmp_path / "lifted.tacit"]
    done = tacit("meld", tmp_path / "shapes.tacit", tmp_path / "rule.tacit", *arguments, cwd=tmp_path)
    assert done.code == 0, done.err
    assert done.err.count("its own goal can't be kept") == 2 and "lifted from its instructions" in done.out


@pytest.mark.system
def test_the_first_interrupt_keeps_the_best_and_resume_goes_on(place, tmp_path):
    for name in ("shapes", "rule", "acts"):
        shutil.copytree(place / f"{name}.program", tmp_path / f"{name}.program")
    command = ["meld", "shapes.program", "rule.program", "--in", "acts.program", "--steps", "5000", "--own", "0.1", "-o", "cut.tacit"]
    process = subprocess.Popen(
        [sys.executable, "-m", "tacit.cli.main", *command], cwd=tmp_path, env=command_environment(), stderr=subprocess.PIPE, text=True
    )
    for line in process.stderr:
        if line.strip().startswith("training"):
            break
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=120) == 1
    assert (tmp_path / "cut.tacit").exists()
    before = tree(tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-m", "tacit.cli.main", *command, "--resume"],
        cwd=tmp_path,
        env=command_environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    lines = []
    for line in process.stderr:
        lines.append(line)
        if "going on from step" in line:
            break
    process.send_signal(signal.SIGINT)
    process.wait(timeout=120)
    assert any("going on from step" in line for line in lines), lines
    assert set(before) <= set(tree(tmp_path))
