"""Tables of extensions: rows, entry points, and the two errors."""

from importlib import metadata

import pytest

from tacit.ground.errors import MissingPackage, UnknownName
from tacit.ground.tables import Table, resolve

ROWS = {"dumps": "json:dumps", "loads": "json:loads"}


@pytest.fixture
def installed(monkeypatch):
    points = metadata.EntryPoints(
        [metadata.EntryPoint("sqrt", "math:sqrt", "tacit.tests"), metadata.EntryPoint("dumps", "math:exp", "tacit.tests")]
    )
    asked = []
    monkeypatch.setattr(metadata, "entry_points", lambda group: asked.append(group) or points.select(group=group))
    return asked


def test_a_row_is_imported_when_it_is_asked_for():
    table = Table("codec", ROWS)
    assert table.get("dumps")([1]) == "[1]" and list(table) == ["dumps", "loads"]


def test_entry_points_add_rows_and_replace_none(installed):
    table = Table("codec", ROWS, group="tacit.tests")
    assert table.get("dumps")([1]) == "[1]" and installed == []  # own rows ask for no entry points, which takes time
    assert table.get("sqrt")(4) == 2.0 and list(table) == ["dumps", "loads", "sqrt"]


def test_an_unknown_name_gets_a_suggestion(installed):
    with pytest.raises(UnknownName) as caught:
        Table("codec", ROWS, group="tacit.tests").get("sqtr")
    assert str(caught.value) == "expected a known codec, got `sqtr`\ntry: did you mean `sqrt`?"


def test_a_missing_package_gets_its_install_line(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    with pytest.raises(MissingPackage) as caught:
        resolve("onnxruntime:InferenceSession")
    assert str(caught.value) == 'this needs the package `onnxruntime`, which is not installed\ntry: pip install "tacit[onnx]"'
    with pytest.raises(ModuleNotFoundError):
        resolve("no_such_module_at_all:x")
