"""`tacit build` as a person uses it: what it shows, what it leaves, what it refuses; and machine code in `run` and `test`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.e2e.conftest import command_environment, tacit, tree
from tests.e2e.test_installation import without_heavy


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ZIG_GLOBAL_CACHE_DIR", os.path.expanduser("~/.cache/zig"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tacit" / "native"


@pytest.mark.parametrize("target", ["numpy", "onnx", "c", "wasm"])
@pytest.mark.parametrize("int8", [[], ["--int8", "--allow-drop", "20"]])
def test_every_target_is_held_to_the_interpreter(made, tmp_path, target, int8):
    out = tmp_path / "out"
    done = tacit("build", "shapes.tacit", "--target", target, *int8, "--in", "program", "-o", out, "--json", cwd=made)
    assert done.code == 0, done.err
    document = done.document
    assert document["met"] and document["parity"] == json.loads((out / "parity.json").read_text())
    assert document["parity"]["count"] > 4 and "test examples of `program`" in document["parity"]["on"]
    assert (document["int8"] is not None) is bool(int8)
    assert (
        {"build.json", "parity.json"}
        < set(document["files"])
        == set(tree(out)) - {path for path, content in tree(out).items() if content == "folder"}
    )


def test_the_screen_shows_parity_and_files(made, tmp_path):
    done = tacit("build", "shapes.tacit", "--target", "c", "-o", tmp_path / "out", cwd=made)
    assert done.code == 0, done.err
    assert "examples of the program directory" in done.out, "the directory beside the file was found"
    for words in (
        "parity with the interpreter",
        "within 0.0001 of the greatest score",
        "same answers",
        "program.h",
        "the same as the interp",
    ):
        assert words in done.out
    assert "checking parity" in done.err
    again = tacit("build", "shapes.tacit", "--target", "c", "-o", tmp_path / "out", "--json", cwd=made)
    assert again.code == 0 and again.document["met"], "a former build is replaced"


def test_a_build_that_differs_ends_with_1(made, tmp_path):
    """A run of what was built that is off by a hundredth stands in for a wrong target."""
    script = (
        "import sys\nfrom tacit.targets.c.target import CTarget\nright = CTarget.run\n"
        "CTarget.run = lambda *given: [output * 1.01 for output in right(*given)]\n"
        "from tacit.cli.main import main\nsys.exit(main())\n"
    )
    words = [sys.executable, "-c", script, "build", "shapes.tacit", "--target", "c", "-o", str(tmp_path / "out")]
    done = subprocess.run(words, cwd=made, env=command_environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "parity NOT MET" in done.stdout
    assert json.loads((tmp_path / "out" / "parity.json").read_text())["met"] is False


def test_floats_need_no_torch(made, tmp_path):
    done = without_heavy("build", "shapes.tacit", "--target", "c", "-o", tmp_path / "out", cwd=made)
    assert done.returncode == 0, done.stderr
    done = without_heavy("build", "shapes.tacit", "--target", "onnx", "-o", tmp_path / "onnx", cwd=made)
    assert done.returncode == 2 and 'pip install "tacit[onnx]"' in done.stderr


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["--target", "onx", "-o", "out"], ("expected a known target, got `onx`", "did you mean `onnx`?")),
        (["--target", "c", "--triple", "aarch46-linux-musl", "-o", "out"], ("`aarch46`", "did you mean `aarch64-linux-musl`?")),
        (["--target", "c", "--isa", "avx3", "-o", "out"], ("did you mean `avx2`?",)),
        (["--target", "numpy", "--triple", "cortex-m7", "-o", "out"], ("triple", "--target c")),
        (["--target", "c", "-o", "pictures"], ("got a folder of other things", "build.json")),
        (["--target", "c", "-o", "shapes.tacit"], ("got a file",)),
        (["--target", "c", "-o", "out", "--in", "pictures"], ("tacit.toml",)),
        (["--target", "c", "-o", "out", "--int8", "--allow-drop", "-1"], ("points",)),
        (["--target", "c"], ("--output",)),
        (["-o", "out"], ("--target",)),
    ],
)
def test_bad_words_are_refused(made, refused, words, names):
    refused("build", "shapes.tacit", *words, names=names, cwd=made)


def test_no_compiler_says_what_to_install(made, tmp_path):
    script = (
        "import sys\nfrom tacit.targets.c import toolchain\ntoolchain.find_spec = lambda name: None\n"
        "from tacit.cli.main import main\nsys.exit(main())\n"
    )
    environment = {**command_environment(PATH=str(tmp_path)), "CC": ""}
    words = [sys.executable, "-c", script]
    options = {"cwd": made, "env": environment, "capture_output": True, "text": True, "check": False}
    done = subprocess.run([*words, "build", "shapes.tacit", "--target", "c", "-o", str(tmp_path / "out")], **options)
    assert done.returncode == 2 and 'try: pip install "tacit[native]"' in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()
    done = subprocess.run([*words, "run", "shapes.tacit", "pictures/bar/0.png", "--native"], **options)
    assert done.returncode == 0 and done.stdout.strip() in ("bar", "dot")
    assert "the interpreter serves, not machine code: expected a C compiler, got none" in done.stderr


def test_a_killed_build_leaves_nothing_half_done(made, tmp_path):
    out = tmp_path / "out"
    words = [sys.executable, "-m", "tacit.cli.main", "build", "shapes.tacit", "--target", "c", "-o", str(out)]
    with subprocess.Popen(words, cwd=made, env=command_environment(), stderr=subprocess.DEVNULL) as process:
        for _ in range(400):
            if any(tmp_path.glob(".out.*")):
                break
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert not out.exists() or (out / "build.json").exists()
    assert tacit("build", "shapes.tacit", "--target", "c", "-o", out, cwd=made).code == 0
    assert not list(tmp_path.glob(".out.*"))


def test_run_and_test_give_the_same_by_machine_code(made, cache):
    pictures = [f"pictures/{name}/{number}.png" for name in ("bar", "dot") for number in range(5)]
    answers = {}
    for words in ("--native", "--interpreted"):
        done = tacit("run", "shapes.tacit", *pictures, words, cwd=made)
        assert (done.code, done.err) == (0, "")
        answers[words] = done.out
        checked = tacit("test", "shapes.tacit", "--in", "program", words, "--json", cwd=made)
        answers[words] += json.dumps(checked.document["scores"]["test"]["confusion"])
    assert answers["--native"] == answers["--interpreted"]
    assert len(list(cache.glob("*.so"))) == 1


def test_one_small_input_builds_nothing(made, cache):
    assert tacit("run", "shapes.tacit", "pictures/bar/0.png", cwd=made).code == 0
    assert not cache.exists()
