"""A directory is begun like a program, gone on with, and never taken for another one."""

from __future__ import annotations

import pytest

from tacit.domains import making, program
from tacit.domains.making import begin_like, compile_like, found_like, go_on_like
from tacit.domains.program import Compiles, DomainProgram, Plays, data_set, domain_program
from tacit.ground.errors import ConfigError, InputError, MissingPackage, UnknownName
from tacit.ground.tables import Table
from tests.unit.domains import imagined

ROWS = {
    "imagined": "tests.unit.domains.imagined:PLAIN",
    "own-way": "tests.unit.domains.imagined:OWN",
    "refusing": "tests.unit.domains.imagined:REFUSING",
}


@pytest.fixture(autouse=True)
def programs(monkeypatch):
    monkeypatch.setattr(program, "PROGRAMS", Table("domain program", ROWS))
    monkeypatch.delenv("TACIT_DATA", raising=False)


def test_a_program_is_found_by_its_name_and_by_what_it_offers():
    own: DomainProgram = domain_program("own_way")
    assert own is imagined.OWN and isinstance(own, Compiles) and isinstance(own, Plays)
    assert not isinstance(domain_program("imagined"), Compiles | Plays)
    with pytest.raises(UnknownName, match=r"expected a known domain program, got `imagin`\ntry: did you mean `imagined`\?"):
        domain_program("imagin")


def test_an_installation_that_knows_of_no_program_says_so(monkeypatch):
    monkeypatch.setattr(program, "PROGRAMS", Table("domain program", {}))
    with pytest.raises(MissingPackage, match="expected installed domain programs, found none"):
        domain_program("imagined")


def test_the_first_data_set_is_the_usual_one_and_others_are_named():
    assert data_set(imagined.PLAIN, None) == "small" and data_set(imagined.PLAIN, "large") == "large"
    with pytest.raises(UnknownName) as refused:
        data_set(imagined.PLAIN, "larg")
    assert str(refused.value) == (
        "expected a data set of `imagined`, got `larg`\nit knows small (embedded), large\ntry: did you mean `large`?"
    )


def test_a_directory_is_begun_and_gone_on_with(tmp_path):
    begun = begin_like(tmp_path / "mine", "imagined")
    assert (begun.data, begun.found) == ("small", False) and (tmp_path / "mine/settings.txt").read_text() == "small"
    (tmp_path / "mine/settings.txt").write_text("edited")
    again = go_on_like(tmp_path / "mine", "imagined")
    assert again.found and again.data == "small" and (tmp_path / "mine/settings.txt").read_text() == "edited"
    with pytest.raises(InputError, match="expected a new or empty folder"):
        begin_like(tmp_path / "mine", "imagined")


@pytest.mark.parametrize(
    ("name", "data", "got"),
    [("own-way", None, "a program like imagined with small"), ("imagined", "large", "a program like imagined with small")],
)
def test_a_directory_of_another_program_is_refused(tmp_path, name, data, got):
    begin_like(tmp_path / "mine", "imagined")
    with pytest.raises(ConfigError, match=rf"got {got} - at `.*mine`\ntry: tacit compile .*mine, to compile it as it is"):
        go_on_like(tmp_path / "mine", name, data=data)


def test_a_directory_that_something_else_made_is_refused(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("keep")
    with pytest.raises(ConfigError, match="got something that `tacit new --like` did not make"):
        go_on_like(tmp_path / "mine", "imagined")
    assert found_like(tmp_path / "mine") is None
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(("name", "data"), [("refusing", None), ("imagined", "large")])
def test_after_an_error_there_is_nothing(tmp_path, name, data):
    with pytest.raises(InputError):
        begin_like(tmp_path / "mine", name, data=data)
    assert list(tmp_path.iterdir()) == []


def test_a_program_compiles_in_its_own_way(tmp_path):
    begun = begin_like(tmp_path / "mine", "own-way")
    path = compile_like(begun, steps=3, seed=4, resume=True)
    assert path == tmp_path / "mine/made.bin" and path.read_text() == "None 3 4 True"
    found = found_like(tmp_path / "mine")
    assert found is not None and found.program is imagined.OWN and found.found
    (tmp_path / "mine" / making._NOTE).write_text('{"like": "gone", "data": "small"}')
    assert found_like(tmp_path / "mine") is None, "it is no longer installed"
