"""Names, words, lengths and surfaces of the source; each rule seen to fail once."""

from __future__ import annotations

import importlib
import inspect

import pytest

import tacit
from tests.house.floors import SRC, modules
from tests.house.sources import (
    assert_problems,
    declared,
    exported_file_problems,
    length_problems,
    name_problems,
    table_rows,
    word_problems,
)


def test_no_file_is_called_after_no_thought():
    assert name_problems(SRC) == []


def test_no_package_exports_the_name_of_its_own_file():
    assert exported_file_problems(SRC) == []


def test_no_assert_in_source():
    assert assert_problems(SRC) == []


def test_no_word_of_a_domain_in_the_core():
    assert word_problems(SRC / "tacit") == []


def test_files_and_functions_tell_one_story():
    assert length_problems(SRC / "tacit") == []


def leads_somewhere(reference: str) -> bool:
    module, _, attribute = reference.partition(":")
    return hasattr(importlib.import_module(module), attribute)


def test_every_row_of_every_table_leads_somewhere():
    rows = list(table_rows(SRC))
    assert [f"{file}:{line}: {reference}" for file, line, reference in rows if not leads_somewhere(reference)] == []
    assert len(rows) > 10
    assert not leads_somewhere("tacit.ground.tables:nothing")


def test_what_a_module_declares_is_there():
    problems = []
    for name, path in modules(SRC, "tacit").items():
        names = declared(path) or []
        problems += [f"{name}: `{item}` stands twice in __all__" for item in set(names) if names.count(item) > 1]
        problems += [f"{name}: `{item}` is declared and not there" for item in names if not hasattr(importlib.import_module(name), item)]
    assert problems == []


def test_the_root_is_a_short_table_of_contents():
    assert len(tacit.__all__) <= 64  # the nouns, a name for each verb of the command line, and what a domain program builds on
    assert set(tacit.__all__) <= set(dir(tacit))
    undocumented = [name for name in tacit.__all__ if not name.startswith("__") and not inspect.getdoc(getattr(tacit, name))]
    assert undocumented == []


@pytest.mark.parametrize(
    ("checker", "file", "text", "expected"),
    [
        (name_problems, "tacit/utils.py", "", "tacit/utils.py: say what it holds"),
        (name_problems, "tacit/helpers/a.py", "", "tacit/helpers: say what it holds"),
        (assert_problems, "a.py", "def f(x):\n    assert x\n", "a.py:2: assert"),
        (word_problems, "a.py", "def pixel_count():\n    pass\n", "a.py:1: `pixel` in 'pixel_count'"),
        (word_problems, "a.py", "x = 'two phonemes'\n", "a.py:1: `phoneme` in 'two phonemes'"),
        (word_problems, "a.py", "class MnistReader:\n    pass\n", "a.py:1: `mnist` in 'MnistReader'"),
        (length_problems, "a.py", "x = 1\n" * 401, "a.py: 401 lines, more than 400; split it, or give the reason in LONG_FILES"),
        (length_problems, "a.py", "def f():\n" + "    x = 1\n" * 100, "a.py:1: `f` has 101 lines, more than 100"),
        (
            exported_file_problems,
            "tacit/__init__.py",
            "__all__ = ['compile']\n",
            "tacit/__init__.py: exports `compile`, which is also a file of the package",
        ),
        (
            exported_file_problems,
            "tacit/__init__.py",
            "from tacit.compile import compile\n",
            "tacit/__init__.py: exports `compile`, which is also a file of the package",
        ),
    ],
)
def test_a_planted_problem_is_found(tmp_path, monkeypatch, checker, file, text, expected):
    for name, content in {"tacit/compile.py": "", file: text}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    if checker is length_problems:
        assert checker(tmp_path, {}) == [expected]
    else:
        assert checker(tmp_path) == [expected]


def test_a_reason_that_is_no_longer_needed_is_found(tmp_path):
    assert length_problems(tmp_path, {"gone.py": "was long"}) == ["gone.py: no longer long; drop its row from LONG_FILES"]


def test_domain_words_in_documentation_strings_pass(tmp_path):
    (tmp_path / "a.py").write_text('def f():\n    """Give one value per pixel."""\n')
    assert word_problems(tmp_path) == []


def test_a_row_of_a_table_is_seen(tmp_path):
    (tmp_path / "a.py").write_text("ROWS = {'x': 'tacit.ground.errors:Nothing', 'y': 'not a: row'}\n")
    assert list(table_rows(tmp_path)) == [("a.py", 1, "tacit.ground.errors:Nothing")]
