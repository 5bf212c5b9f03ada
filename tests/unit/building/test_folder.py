"""The folder of a build is whole or not there."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tacit.building.folder import MARK, check_folder, replacing
from tacit.ground.errors import TacitError


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_new_folder_appears_at_the_end(tmp_path):
    with replacing(tmp_path / "deep" / "out") as made:
        (made / MARK).write_text("{}")
        assert not (tmp_path / "deep" / "out").exists()
    assert names(tmp_path / "deep") == ["out"] and names(tmp_path / "deep" / "out") == [MARK]
    assert os.stat(tmp_path / "deep" / "out").st_mode & 0o777 == os.stat(tmp_path / "deep").st_mode & 0o777


def test_an_error_leaves_everything_as_it_was(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / MARK).write_text("old")
    with pytest.raises(KeyError), replacing(folder) as made:
        (made / "half").write_text("x")
        raise KeyError
    assert names(tmp_path) == ["out"] and (folder / MARK).read_text() == "old"


def test_a_former_build_is_replaced_whole(tmp_path):
    for content in ("old", "new"):
        with replacing(tmp_path / "out") as made:
            (made / MARK).write_text(content)
            (made / content).write_text("")
    assert names(tmp_path) == ["out"] and names(tmp_path / "out") == [MARK, "new"]


def test_an_empty_folder_is_taken(tmp_path):
    (tmp_path / "out").mkdir()
    with replacing(tmp_path / "out") as made:
        (made / MARK).write_text("")
    assert names(tmp_path / "out") == [MARK]


def test_what_is_a_person_s_is_never_replaced(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "tom.png").write_text("x")
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    for name, words in {"photos": "got a folder of other things", "file": "got a file", "link": "got a file"}.items():
        with pytest.raises(TacitError, match=words):
            check_folder(tmp_path / name)
    with pytest.raises(TacitError, match="expected a folder that can be made"):
        check_folder(tmp_path / "file" / "below")


def test_what_a_killed_build_left_is_removed_by_the_next(tmp_path):
    script = (
        "import os, sys; from pathlib import Path; from tacit.building.folder import replacing\n"
        "with replacing(Path(sys.argv[1])) as made:\n    (made / 'half').write_text('x'); os._exit(9)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "out")], check=False)
    (left,) = names(tmp_path)
    assert left.startswith(".out.")
    mine = tmp_path / f".out.{os.getpid()}.x.tmp"
    mine.mkdir()
    with replacing(tmp_path / "out") as made:
        (made / MARK).write_text("")
    assert names(tmp_path) == [mine.name, "out"], "one of a process that lives stays"
