"""The scoreboard: rows as they come, kept, not made again, and no program's failure ends the others."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

import tacit
from tacit.domains import program
from tacit.domains.board import Scoreboard, Section, read_scoreboard
from tacit.domains.scoring import scoreboard, usual_standings
from tacit.domains.standing import Standing
from tacit.ground.errors import ConfigError, FormatError, InputError
from tacit.ground.tables import Table
from tacit.instruments.layout import plain
from tests.unit.domains import imagined

ROWS = {
    "imagined": "tests.unit.domains.imagined:PLAIN",
    "broken": "tests.unit.domains.imagined:BROKEN",
    "own-way": "tests.unit.domains.imagined:OWN",
    "absent": "tests.unit.domains.absent:PROGRAM",
}


@pytest.fixture(autouse=True)
def programs(monkeypatch):
    monkeypatch.setattr(program, "PROGRAMS", Table("domain program", ROWS))
    for one in (imagined.PLAIN, imagined.BROKEN, imagined.OWN):
        one.asked.clear()


def test_rows_come_from_one_run_with_the_settings_that_were_asked_for(tmp_path):
    board = scoreboard(["imagined:large"], steps=3, seed=5, output=tmp_path / "s.json")
    (section,) = board.sections
    assert board.complete and [row.contestant for row in section.standings] == ["old way", "new way"]
    (asked,) = imagined.PLAIN.asked
    assert {name: asked[name] for name in ("data", "minutes", "steps", "seed")} == {"data": "large", "minutes": None, "steps": 3, "seed": 5}
    assert asked["folder"] == tmp_path / ".tacit/scoreboard/imagined-large-steps-3-seed-5" and asked["folder"].is_dir()
    assert section.machine["cores"] and section.versions["tacit"] == tacit.__version__
    assert read_scoreboard(tmp_path / "s.json") == board
    assert not (set(json.dumps(board.to_json()).split('"')) & {str(tmp_path)})


def test_rows_with_the_same_settings_are_not_made_again_and_others_stay(tmp_path):
    first = scoreboard(["imagined", "own-way"], steps=3, output=tmp_path / "s.json")
    assert scoreboard(["imagined"], steps=3, output=tmp_path / "s.json").sections == first.sections[:1]
    assert len(imagined.PLAIN.asked) == 1
    scoreboard(["imagined"], steps=4, output=tmp_path / "s.json")
    assert len(imagined.PLAIN.asked) == 2 and len(imagined.OWN.asked) == 1
    kept = read_scoreboard(tmp_path / "s.json").sections
    assert [(one.program, one.settings["steps"]) for one in kept] == [("own-way", 3), ("imagined", 4)]


def test_a_program_that_fails_says_why_and_the_others_go_on(tmp_path):
    board = scoreboard(output=tmp_path / "s.json")
    by_name = {section.program: section for section in board.sections}
    assert not board.complete and list(by_name) == ["absent", "broken", "imagined", "own-way"]
    assert by_name["absent"].error.startswith("ModuleNotFoundError") and by_name["absent"].standings == ()
    assert by_name["broken"].error == "ZeroDivisionError: by zero" and len(by_name["broken"].standings) == 1
    assert by_name["imagined"].error == "" and len(by_name["imagined"].standings) == 2
    shown = plain(board.parts())
    assert "broken on small: ZeroDivisionError: by zero" in shown
    assert "absent: ModuleNotFoundError" in shown
    assert next(line.split()[2:8] for line in shown.splitlines() if "new way" in line) == [
        "new",
        "way",
        "program",
        "accuracy",
        "0.9000",
        "-",
    ]
    scoreboard(["broken"], output=tmp_path / "s.json")
    assert len(imagined.BROKEN.asked) == 2, "what failed is tried again"


def test_a_run_that_was_interrupted_keeps_its_rows_and_is_made_again(tmp_path, monkeypatch):
    monkeypatch.setattr(imagined.BROKEN, "fails", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        scoreboard(["imagined", "broken"], output=tmp_path / "s.json")
    kept = read_scoreboard(tmp_path / "s.json").sections
    assert [(one.program, one.error, len(one.standings)) for one in kept] == [("imagined", "", 2), ("broken", "interrupted", 1)]
    monkeypatch.setattr(imagined.BROKEN, "fails", None)
    assert scoreboard(["imagined", "broken"], output=tmp_path / "s.json").complete
    assert len(imagined.PLAIN.asked) == 1


def test_a_program_without_a_predecessor_says_so(tmp_path):
    bare = SimpleNamespace(name="bare", title="bare", sets={"small": None}, write=imagined.PLAIN.write)
    with pytest.raises(InputError, match="expected `predecessor` or `standings`, got neither"):
        next(usual_standings(bare, "small", minutes=None, steps=3, seed=0, folder=tmp_path, reporter=tacit.Reporter()))


def test_everything_that_is_unknown_is_named_before_anything_runs(tmp_path):
    with pytest.raises(ConfigError) as refused:
        scoreboard(["imagind", "imagined:tiny", "imagined"], output=tmp_path / "s.json")
    assert str(refused.value).splitlines()[1:3] == [
        "  - expected a known domain program, got `imagind`; did you mean `imagined`?",
        "  - expected a data set of `imagined`, got `tiny`; known: large, small",
    ]
    assert imagined.PLAIN.asked == [] and list(tmp_path.iterdir()) == []
    with pytest.raises(ConfigError, match="expected minutes or steps, got both"):
        scoreboard(["imagined"], minutes=1, steps=1)


@pytest.mark.parametrize("text", ["{", "[]", '{"scoreboard": [{}]}', '{"scoreboard": [1]}'])
def test_another_file_is_not_written_over(tmp_path, text):
    (tmp_path / "s.json").write_text(text)
    with pytest.raises(FormatError, match=r"expected a scoreboard - at `.*s\.json`"):
        scoreboard(["imagined"], output=tmp_path / "s.json")
    assert (tmp_path / "s.json").read_text() == text


def test_a_row_shows_what_was_measured_and_leaves_open_what_was_not():
    rows = (Standing("slow way", "peer", "word error rate", 0.25, False, 12.0, 1500.0, 2048, 3_000_000, "as it is"),)
    board = Scoreboard((Section("p", "d", {}, {}, {}, rows),))
    cells = [cell.strip() for cell in plain(board.parts()).splitlines()[-1].split("  ") if cell]
    costs = ["12.0 s", "1,500.00 µs", "2 KiB", "3 M"]
    assert cells == ["p", "d", "slow way", "peer", "word error rate (lower is better)", "0.2500", *costs, "as it is"]
    with pytest.raises(ValueError, match="expected a kind among"):
        Standing("x", "friend", "accuracy", 1.0)


def test_the_time_of_an_answer_is_that_of_the_processor():
    calls: list[int] = []
    plain_time = tacit.time_per_answer(lambda: calls.append(sum(range(2000))), seconds=0.05)
    longer = tacit.time_per_answer(lambda: sum(range(20000)), seconds=0.05)
    assert 1 < plain_time < 2000 and longer > 4 * plain_time and len(calls) > 10


def test_a_program_that_was_not_measured_so_has_no_row():
    binary = tacit.Binary.__new__(tacit.Binary)
    object.__setattr__(binary, "evidence", {"scores": {"test": {"accuracy": 0.5}}})
    object.__setattr__(binary, "signature", "Image")
    object.__setattr__(binary, "digest", "0" * 64)
    with pytest.raises(InputError, match="expected `f1` measured on a test split, got accuracy"):
        tacit.standing_of(binary, contestant="x", metric="f1")
