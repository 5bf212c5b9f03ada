import pytest

from tacit.directory.adopting import adopt
from tacit.directory.reading import read_program
from tacit.examples.tree import FolderTree
from tacit.ground.errors import ConfigError, InputError
from tacit.ground.progress import Reporter


class Listener(Reporter):
    def __init__(self):
        self.told = []

    def note(self, text):
        self.told.append(text)


@pytest.fixture
def source(folder, classes):
    return folder(classes("cat", "dog"), "pets")


def test_the_directory_is_made_beside_the_result_and_used_again(source, tmp_path):
    out = tmp_path / "out"
    directory = adopt(source, beside=out)
    assert directory == out / "pets.program" and read_program(directory).name == "pets"
    before = (directory / "tacit.toml").stat().st_mtime_ns
    listener = Listener()
    assert adopt(source, beside=out, reporter=listener) == directory
    assert (directory / "tacit.toml").stat().st_mtime_ns == before
    assert listener.told == [f"using {directory}, made earlier from the same source"]


def test_edits_are_kept_while_the_source_is_unchanged(source, tmp_path):
    directory = adopt(source, beside=tmp_path / "out")
    path = directory / "tacit.toml"
    path.write_text(path.read_text().replace("[goal]", "[goal]\naccuracy = 0.9"))
    adopt(source, beside=tmp_path / "out")
    assert read_program(directory).goals[0].threshold == 0.9


def test_a_changed_source_makes_it_anew(source, tmp_path, picture):
    adopt(source, beside=tmp_path / "out")
    (source / "cat" / "new.png").write_bytes(picture(777))
    (tmp_path / "out" / "pets.program" / "pets.tacit").write_bytes(b"a binary compiled earlier")
    directory = adopt(source, beside=tmp_path / "out")
    assert (directory / "pets.tacit").read_bytes() == b"a binary compiled earlier"
    assert len(read_program(directory).examples) == 17
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["pets.program"]


def test_a_changed_source_that_is_bad_leaves_the_old_directory(source, tmp_path):
    directory = adopt(source, beside=tmp_path / "out")
    (source / "cat" / "new.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"cat/new\.png: the file is empty"):
        adopt(source, beside=tmp_path / "out")
    assert len(read_program(directory).examples) == 16


def test_when_both_have_changed_nothing_is_lost(source, tmp_path, picture):
    directory = adopt(source, beside=tmp_path / "out")
    path = directory / "tacit.toml"
    path.write_text(path.read_text().replace("minutes = 5", "minutes = 7"))
    (source / "cat" / "new.png").write_bytes(picture(777))
    with pytest.raises(ConfigError) as caught:
        adopt(source, beside=tmp_path / "out")
    assert f"try: tacit compile {directory}, to compile it as it is" in str(caught.value)
    assert read_program(directory).budget.minutes == 7


def test_another_label_makes_it_anew(folder, tmp_path):
    table = folder({"t.csv": "x,a,b\n" + "".join(f"{n},{'uv'[n % 2]},{'xyz'[n % 3]}\n" for n in range(40))}) / "t.csv"
    assert read_program(adopt(table, beside=tmp_path / "out", label="a")).signature.output.width == 2
    assert read_program(adopt(table, beside=tmp_path / "out", label="b")).signature.output.width == 3


def test_a_program_directory_is_itself(source, tmp_path):
    directory = adopt(source, beside=tmp_path / "out")
    assert adopt(directory) == directory


def test_a_directory_made_otherwise_is_left_alone(source, tmp_path):
    directory = adopt(source, beside=tmp_path / "out")
    (directory / ".tacit" / "source.json").unlink()
    with pytest.raises(ConfigError, match="was not made by compiling a path"):
        adopt(source, beside=tmp_path / "out")


@pytest.fixture
def within(source, monkeypatch):
    """`cd pets && tacit compile`: the directory is made inside of its own source."""
    monkeypatch.chdir(source)
    return source


def test_a_directory_inside_its_own_source_is_used_again(within):
    directory = adopt(within)
    assert directory == within / "pets.program"
    (directory / "pets.tacit").write_bytes(b"a binary")
    for name in ("copy.tacit", "copy.md", ".hidden"):
        (within / name).write_bytes(b"written beside the examples")
    path = directory / "tacit.toml"
    path.write_text(path.read_text().replace("[goal]", "[goal]\naccuracy = 0.9"))
    listener = Listener()
    assert adopt(within, reporter=listener) == directory
    assert listener.told == [f"using {directory}, made earlier from the same source"]
    assert read_program(directory).goals[0].threshold == 0.9


def test_a_directory_inside_its_own_source_is_no_part_of_it(within, picture):
    adopt(within)
    assert not [name for name in FolderTree(within).files if "program" in name]
    (within / "cat" / "new.png").write_bytes(picture(777))
    program = read_program(adopt(within))
    assert len(program.examples) == 17 and program.signature.output.names == ("cat", "dog")


def test_runs_are_carried_over_when_it_is_made_anew(source, tmp_path, picture):
    directory = adopt(source, beside=tmp_path / "out")
    (directory / ".tacit" / "runs" / "abc").mkdir(parents=True)
    (directory / ".tacit" / "runs" / "abc" / "checkpoint").write_bytes(b"steps")
    (source / "cat" / "new.png").write_bytes(picture(777))
    adopt(source, beside=tmp_path / "out")
    assert (directory / ".tacit" / "runs" / "abc" / "checkpoint").read_bytes() == b"steps"


def test_an_old_directory_that_a_kill_left_behind_is_restored(source, tmp_path):
    directory = adopt(source, beside=tmp_path / "out")
    path = directory / "tacit.toml"
    path.write_text(path.read_text().replace("minutes = 5", "minutes = 7"))
    (directory / "pets.tacit").write_bytes(b"a binary")
    directory.rename(directory.with_name(".pets.program.old"))
    assert read_program(adopt(source, beside=tmp_path / "out")).budget.minutes == 7
    assert (directory / "pets.tacit").read_bytes() == b"a binary"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["pets.program"]


def test_what_a_kill_left_to_be_moved_is_moved(source, tmp_path):
    directory = adopt(source, beside=tmp_path / "out")
    old = directory.with_name(".pets.program.old")
    (old / ".tacit" / "runs").mkdir(parents=True)
    (old / "pets.tacit").write_bytes(b"a binary")
    adopt(source, beside=tmp_path / "out")
    assert (directory / "pets.tacit").read_bytes() == b"a binary" and (directory / ".tacit" / "runs").is_dir()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["pets.program"]


def test_what_another_has_just_made_is_used(source, tmp_path):
    out, told = tmp_path / "out", []

    class Other(Reporter):
        """Makes the same directory while this one reads."""

        def phase(self, name):
            if not told:
                told.append(adopt(source, beside=out))

    assert adopt(source, beside=out, reporter=Other()) == told[0] == out / "pets.program"
    assert [path.name for path in out.iterdir()] == ["pets.program"]


def test_a_path_that_is_too_long_for_the_system_is_nothing(tmp_path):
    with pytest.raises(InputError, match="there is nothing"):
        adopt(tmp_path / ("x" * 300), beside=tmp_path / "out")
