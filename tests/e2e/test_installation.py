"""What has to work with less installed than a developer has, and from what is published."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from tests.e2e.conftest import ROOT, command_environment

HEAVY = ("torch", "sklearn", "scipy", "pyarrow", "onnx", "onnxruntime")


def without_heavy(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command where no optional package can be imported."""
    script = (
        f"import sys\nfor name in {HEAVY!r}: sys.modules[name] = None\n"
        "from tacit.cli.main import main\n"
        "code = main(sys.argv[1:])\n"
        f"loaded = [name for name in {HEAVY!r} if sys.modules.get(name)]\n"
        "sys.exit(code if not loaded else f'imported {loaded}')\n"
    )
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        cwd=cwd,
        env=command_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "arguments",
    [("run", "shapes.tacit", "pictures/bar/0.png"), ("inspect", "shapes.tacit"), ("inspect", "shapes.tacit", "--card"), ("--help",)],
)
def test_a_binary_runs_on_the_base_installation(made, arguments):
    done = without_heavy(*arguments, cwd=made)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_what_needs_more_says_which_line_installs_it(made):
    done = without_heavy("compile", "program", "--steps", 5, cwd=made)
    assert done.returncode == 2
    assert 'pip install "tacit[train]"' in done.stderr
    assert "Traceback" not in done.stderr


def test_help_imports_nothing_heavy_and_answers_at_once(tmp_path):
    script = "import sys; from tacit.cli.main import main; main(['--help']); print(*sys.modules, file=sys.stderr)"
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=command_environment(), capture_output=True, text=True, timeout=60, check=True
    )
    assert time.monotonic() - begun < 5, "far too slow even for a busy machine"
    assert set(done.stderr.split()) & {*HEAVY, "numpy", "PIL", "safetensors"} == set()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Build the wheel as a release does."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    subprocess.run(["git", "clone", "-q", "--no-local", str(ROOT), str(source)], check=True)
    command = [sys.executable, "-m", "pip", "wheel", "-qq", "--no-deps", "--wheel-dir", str(folder), str(source)]
    subprocess.run(command, check=True, timeout=300)
    (path,) = folder.glob("tacit-*.whl")
    return path


@pytest.mark.system
def test_the_wheel_holds_both_packages_with_their_data(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    tracked = subprocess.run(["git", "ls-files", "src"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
    assert {name.removeprefix("src/") for name in tracked} <= names
    assert not [name for name in names if name.startswith(("tests", "benchmarks", "docs"))]


@pytest.mark.system
def test_a_base_installation_runs_a_binary(wheel, made, tmp_path):
    """The wheel and its own requirements in a fresh virtual environment: no extra, no source tree."""
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "v")], check=True)
    python = tmp_path / "v/bin/python"
    constraints = str(ROOT / "constraints.txt")
    subprocess.run([str(python), "-m", "pip", "install", "-qq", "--constraint", constraints, str(wheel)], check=True, timeout=300)
    installed = json.loads(
        subprocess.run([str(python), "-m", "pip", "list", "--format=json"], check=True, capture_output=True, text=True).stdout
    )
    assert not {package["name"].lower() for package in installed} & {"torch", "scikit-learn", "pyarrow", "scipy"}
    shutil.copy(made / "shapes.tacit", tmp_path)
    shutil.copy(made / "pictures/bar/0.png", tmp_path / "bar.png")
    environment = {"PATH": str(tmp_path / "v/bin")}
    done = subprocess.run(
        [str(tmp_path / "v/bin/tacit"), "run", "shapes.tacit", "bar.png"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@pytest.mark.system
def test_make_demo_works_from_a_fresh_clone(tmp_path):
    subprocess.run(["git", "clone", "-q", "--no-local", str(ROOT), str(tmp_path / "clone")], check=True)
    done = subprocess.run(
        ["make", "--no-print-directory", "demo", f"PYTHON={sys.executable}"],
        cwd=tmp_path / "clone",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip().splitlines()[-1].split()[-1] == "7"
