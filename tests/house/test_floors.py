"""The direction of imports: down, never up or sideways; and each rule seen to fail on a planted violation."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.house.floors import FLOORS, SRC, floor_problems, knots, modules, owner, package_problems, program_problems


def plant(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_imports_go_down():
    assert floor_problems(SRC) == []


def test_outside_packages_stay_in_their_places():
    assert package_problems(SRC) == []


def test_programs_see_only_the_root():
    assert program_problems(SRC) == []


def test_there_are_no_knots():
    assert knots(SRC) == []


def test_every_module_is_walked():
    assert len(modules(SRC, "tacit")) > 20
    assert all(owner(name) for name in modules(SRC, "tacit"))


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("tacit/ground/a.py", "import tacit.ir.graph\n", "tacit.ground.a:1 (floor 0) imports tacit.ir.graph (floor 2)"),
        ("tacit/signature/a.py", "from tacit.ir import graph\n", "tacit.signature.a:1 (floor 1) imports tacit.ir.graph (floor 2)"),
        ("tacit/goals/a.py", "from tacit.examples import x\n", "tacit.goals.a:1 (floor 3) imports tacit.examples (floor 3)"),
        ("tacit/binary/a.py", "from tacit.directory import x\n", "tacit.binary.a:1 (floor 4.5) imports tacit.directory (floor 4.5)"),
        ("tacit/goals/a.py", "from ..examples import x\n", "tacit.goals.a:1 (floor 3) imports tacit.examples (floor 3)"),
        ("tacit/ir/graph.py", "from tacit import load\n", "tacit.ir.graph:1 (floor 2) imports tacit (floor 7.5)"),
        ("tacit/cli/a.py", "def f():\n    import tacit.ir\n", "tacit.cli.a:2 imports tacit.ir inside a function"),
        (
            "tacit/cli/a.py",
            "class C:\n    async def f(self):\n        from tacit.ir import x\n",
            "tacit.cli.a:3 imports tacit.ir inside a function",
        ),
        ("tacit/cli/a.py", "import importlib\nimportlib.import_module('tacit.ir')\n", "tacit.cli.a:2 imports tacit.ir inside a function"),
        (
            "tacit/signature/a.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from tacit.cli import main\n",
            "tacit.signature.a:3 (floor 1) imports tacit.cli (floor 8)",
        ),
        ("tacit/other/a.py", "", "tacit.other.a: has no floor; give it a row in FLOORS"),
        ("tacit/ir/a.py", "import tacit.other\n", "tacit.ir.a:1 imports tacit.other, which has no floor"),
        (
            "tacit/cli/a.py",
            "import tacit_programs.digits\n",
            "tacit.cli.a:1 imports tacit_programs.digits: the core can't see the domain programs",
        ),
    ],
)
def test_a_planted_violation_is_found(tmp_path, file, text, expected):
    plant(tmp_path, {"tacit/ir/graph.py": "", file: text})
    assert floor_problems(tmp_path) == [expected]


def test_imports_downward_and_within_a_package_pass(tmp_path):
    plant(tmp_path, {"tacit/ir/graph.py": "", "tacit/ir/text.py": "from tacit.ir.graph import Graph\nimport tacit.ground.errors\n"})
    assert floor_problems(tmp_path) == []


def test_a_planted_knot_is_found(tmp_path):
    plant(
        tmp_path,
        {
            "tacit/ir/a.py": "from tacit.ir import b\n",
            "tacit/ir/b.py": "def f():\n    from tacit.ir.c import x\n",
            "tacit/ir/c.py": "import tacit.ir.a\n",
            "tacit/ir/d.py": "import tacit.ir.a\n",
        },
    )
    assert knots(tmp_path) == [["tacit.ir.a", "tacit.ir.b", "tacit.ir.c"]]


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        (
            "tacit/ir/a.py",
            "import torch\n",
            "tacit.ir.a:1 imports torch, allowed only in tacit.skeletons, tacit.lowering, tacit.search, tacit.quantisation, "
            "tacit.attribution, tacit.evidence, tacit.shipping, tacit.acting, tacit.compiler, tacit.resizing, tacit.melding",
        ),
        ("tacit/binary/a.py", "def f():\n    from torch import nn\n", "tacit.binary.a:2 imports torch, allowed only in"),
        ("tacit/examples/a.py", "import pyarrow.parquet\n", "tacit.examples.a:1 imports pyarrow.parquet, allowed only in"),
        ("tacit/search/a.py", "import sklearn\n", "tacit.search.a:1 imports sklearn, allowed nowhere"),
    ],
)
def test_a_package_out_of_place_is_found(tmp_path, file, text, expected):
    (problem,) = package_problems(plant(tmp_path, {file: text}))
    assert problem.startswith(expected)


@pytest.mark.parametrize(
    "text",
    [
        "import tacit.ir.graph\n",
        "from tacit.signature import Image\n",
        "from tacit_programs.other import x\n",
        "from tacit_programs import other\n",
    ],
)
def test_a_program_that_sees_too_much_is_found(tmp_path, text):
    plant(tmp_path, {"tacit_programs/mine/a.py": text, "tacit/signature/__init__.py": "", "tacit_programs/other/__init__.py": ""})
    assert len(program_problems(tmp_path)) == 1


def test_a_program_that_sees_the_root_passes(tmp_path):
    plant(tmp_path, {"tacit_programs/mine/a.py": "import tacit\nfrom tacit import load\nfrom tacit_programs.mine import b\n"})
    assert program_problems(tmp_path) == []


def test_the_table_of_floors_names_no_parent_of_another_row_but_the_root():
    assert not [(a, b) for a in FLOORS for b in FLOORS if a != "tacit" and b.startswith(a + ".")]
