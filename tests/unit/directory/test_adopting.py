import pytest

from tacit.directory.adopting import adopt
from tacit.directory.reading import read_program
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
