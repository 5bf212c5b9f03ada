"""How changes are told: in one line, as tables, as Markdown, as a picture."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from PIL import Image as Pillow

from tacit.directory.making import new_program
from tacit.history.change import Change
from tacit.instruments.labelling.difference import LabelDiff, label_diff
from tacit.instruments.labelling.sheet import diff_sheet
from tacit.instruments.labelling.wording import headline
from tacit.instruments.layout import plain
from tests.unit.history.repositories import ENVIRONMENT, IDS, Made, make, with_labels


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch):
    for key, value in ENVIRONMENT.items():
        monkeypatch.setenv(key, value)


def change(kind: str, before: object, after: object, number: int = 0, source: str = "one") -> Change:
    return Change(IDS[number], kind, before, after, f"labels/{source}/all.jsonl", 1)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "disputes", "said"),
    [
        ([], 0, "no label changed"),
        (
            [change("relabelled", "4", "9", n) for n in range(12)] + [change("added", None, "4")] * 30,
            2,
            "12 relabelled 4→9, 30 added, 2 in dispute",
        ),
        ([change("relabelled", "4", "9"), change("relabelled", "3", "8")], 0, "2 relabelled (such as 3→8)"),
        ([change("relabelled", "4", "9")] * 2 + [change("relabelled", "3", "8")], 0, "3 relabelled (2 of them 4→9)"),
        ([change("removed", "4", None), change("changed", "4", "4")], 0, "1 removed, 1 with another split, group or input"),
        ([change("added", None, "9", source="by/ann")], 1, "1 opinion changed, 1 in dispute"),
        ([change("relabelled", ["a", "b"], ["a"])], 0, "1 relabelled a;b→a"),
    ],
)
def test_one_line(changes, disputes, said):
    assert headline(changes, disputes) == said


def test_tables_and_markdown(tmp_path):
    made = with_labels(tmp_path / "r")
    made.relabel(IDS[1], "9")
    made.relabel(IDS[2], "a|b")
    made.write({IDS[1]: "4", IDS[3]: "4"}, "by/ann")
    diff = label_diff(made.directory)
    shown = plain(diff.parts())
    assert shown.startswith("HEAD → the working tree: 2 relabelled (such as 4→9), 2 opinions changed, 1 in dispute")
    assert re.search(rf"4→9 +1 +{IDS[1][:12]}", shown)
    text = diff.markdown()
    assert text.startswith("### Labels: 2 relabelled")
    assert f"| `{IDS[1]}` | 4→9 | labels/one/all.jsonl:3 |" in text
    assert "4→a\\|b" in text
    assert f"| {IDS[1][:12]} | one: 9, by/ann: 4 |" in text
    document = diff.to_json()
    assert document["counts"] == {"relabelled": 2, "opinions added": 2}
    assert document["disputes"] == {IDS[1]: {"one": "9", "by/ann": "4"}}


def test_a_long_list_is_cut_in_a_pull_request(tmp_path):
    changes = tuple(change("relabelled", "4", str(number), number % 40) for number in range(5_000))
    text = LabelDiff("a", "b", changes, {}).markdown()
    assert len(text) < 30_000
    assert "5,000 examples, the first 100" in text
    assert "4,960 more" in text


def program(tmp_path, folder, files) -> Made:
    made = make(tmp_path / "r")
    new_program(made.directory / "p", source=folder(files))
    made.commit("Add")
    return Made(made.root, made.directory / "p")


def test_a_sheet_shows_pictures_and_names_those_that_are_missing(tmp_path, folder, picture):
    names = [f"{name}/{number}.png" for name in ("cat", "dog") for number in range(8)]
    made = program(tmp_path, folder, {name: picture(number) for number, name in enumerate(names)})
    (path,) = (made.directory / "labels").glob("*/all.jsonl")
    path.write_text(path.read_text().replace('"cat"', '"dog"', 3))
    diff = label_diff(made.directory)
    sheet, missing = diff_sheet(made.directory, diff)
    assert missing == []
    drawn = np.asarray(Pillow.open(io.BytesIO(sheet)).convert("RGB"))
    assert (drawn == (205, 150, 20)).all(axis=2).sum() > 3 * 4 * 100  # the frames of three relabels
    for pack in (made.directory / "media").iterdir():
        pack.unlink()
    sheet, missing = diff_sheet(made.directory, diff)
    assert len(missing) == 3 and "is not in `media`" in missing[0]
    assert sheet.startswith(b"\x89PNG")


def test_a_sheet_shows_texts(tmp_path):
    made = make(tmp_path / "r")
    table = tmp_path / "table.csv"
    table.write_text("text,label\n" + "".join(f"word {n},good\nother thing {n},bad\n" for n in range(20)))
    new_program(made.directory / "p", source=table)
    made.commit("Add")
    directory = made.directory / "p"
    (path,) = (directory / "labels").glob("*/all.jsonl")
    path.write_text(path.read_text().replace('"good"', '"bad"', 2))
    sheet, missing = diff_sheet(directory, label_diff(directory))
    assert missing == []
    dark = np.asarray(Pillow.open(io.BytesIO(sheet)).convert("L")) < 128
    assert dark.sum() > 500
