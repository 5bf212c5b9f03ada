"""Labels of a program that stands: set, brought in, given away and back."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tacit.directory.labelling import export_labels, import_labels, pack_labels, set_labels
from tacit.directory.making import new_program
from tacit.directory.reading import read_program
from tacit.examples import chunks
from tacit.examples.records import Record, input_id
from tacit.examples.store import read_store
from tacit.examples.turns import LOCK
from tacit.examples.writing import write_labels
from tacit.ground.digests import example_id
from tacit.ground.errors import ConfigError, InputError, TacitError
from tacit.ground.locks import locked

TEXT = 'type = "text"\nlength = 16\nbuckets = 64'


def tree(directory: Path) -> dict[str, bytes]:
    """Every file below labels and media."""
    paths = [path for name in ("labels", "media") for path in sorted((directory / name).rglob("*")) if path.is_file()]
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in paths}


@pytest.fixture
def program(folder, classes, tmp_path) -> Path:
    return new_program(tmp_path / "program", source=folder(classes("cat", "dog", each=8)))


# --- set ---------------------------------------------------------------------------------------------------------------


def test_a_label_is_set_and_checked(program):
    first, second = (record.id for record in read_store(program).records[:2])
    done = set_labels(program, [first[:12], second], "dog")
    assert [item.after for item in done] == ["dog", "dog"] and read_store(program).records[0].label == "dog"
    before = tree(program)
    with pytest.raises(InputError, match=r'expected a class of the program, got "dgo"(.|\n)*did you mean `dog`'):
        set_labels(program, [first], "dgo")
    with pytest.raises(InputError, match="no example has this id"):
        set_labels(program, [first, "0123456789abcdef"], "cat")
    with pytest.raises(ConfigError, match="expected the name of an annotator"):
        set_labels(program, [first], "cat", by="../ann")
    with pytest.raises(InputError, match="expected the id of an example, got none"):
        set_labels(program, [], "cat")
    assert tree(program) == before


@pytest.mark.parametrize(
    ("output", "text", "label"),
    [
        ('type = "labels"\nnames = ["a", "b", "c"]', "c;a", ["a", "c"]),
        ('type = "labels"\nnames = ["a", "b", "c"]', '["b"]', ["b"]),
        ('type = "labels"\nnames = ["a", "b", "c"]', "[]", []),
        ('type = "number"\nmean = 0.0\nscale = 1.0', "-3", -3.0),
        ('type = "class"\nnames = ["none", "2"]', "none", "none"),
        ('type = "class"\nnames = ["none", "2"]', 2, "2"),
    ],
)
def test_labels_of_every_output(tmp_path, output, text, label):
    (tmp_path / "tacit.toml").write_text(f"[input]\n{TEXT}\n\n[output]\n{output}\n")
    old = {"labels": ["a"], "number": 1.0, "class": "2"}[output.split('"')[1]]
    write_labels(tmp_path, "first", [Record(input_id("one"), old, input="one")])
    set_labels(tmp_path, [input_id("one")], text)
    assert read_store(tmp_path).records == [Record(input_id("one"), label, input="one")]


def test_another_writer_is_waited_for_and_named(program, monkeypatch):
    monkeypatch.setattr("tacit.ground.locks.WAIT", 0.05)
    with locked(program / LOCK, "tacit labels import photos"), pytest.raises(TacitError) as caught:
        set_labels(program, [read_store(program).records[0].id], "dog")
    assert f"process {os.getpid()} is at `tacit labels import photos`" in str(caught.value)


def test_many_processes_at_once_lose_nothing(program):
    ids = [record.id for record in read_store(program).records]
    script = "import sys; from pathlib import Path; from tacit.directory.labelling import set_labels; "
    script += "[set_labels(Path(sys.argv[1]), [name], 'dog', by=sys.argv[2] or None) for name in sys.argv[3:]]"
    runs = [("", ids[:8]), ("", ids[8:]), ("ann", ids[:8]), ("ann", ids[8:])]
    processes = [subprocess.Popen([sys.executable, "-c", script, str(program), by, *names]) for by, names in runs]
    assert [process.wait() for process in processes] == [0] * 4
    assert all(record.label == "dog" for record in read_store(program).records) and len(read_store(program).records) == 16


# --- bringing examples in -----------------------------------------------------------------------------------------------


def test_new_examples_become_an_import_of_their_own(program, folder, classes, picture):
    before = tree(program)
    more = folder({**classes("cat", "dog", each=10), "cat/new.png": picture(900)}, "more")
    done = import_labels(program, more)
    assert (done.added, done.known, done.opinions, done.disputes) == (5, 16, (), ())
    assert done.name is not None and done.name.startswith("more-")
    after = tree(program)
    assert {name: content for name, content in after.items() if name in before} == before
    assert {name.split("/")[1] for name in after if name.startswith("labels/") and name not in before} == {done.name}
    examples = read_program(program).examples
    assert len(examples) == 21
    again = import_labels(program, more)
    assert (again.name, again.added, again.known) == (None, 0, 21) and tree(program) == after


def test_a_differing_label_becomes_a_dispute(program, folder, classes):
    files = classes("cat", "dog")
    files["dog/x.png"] = files.pop("cat/3.png")
    done = import_labels(program, folder(files, "more"))
    assert (done.added, done.known, len(done.opinions), len(done.disputes)) == (0, 15, 1, 1)
    store = read_store(program)
    (name,) = store.undecided
    assert sorted(store.disputes[name].values()) == ["cat", "dog"] and name == done.disputes[0]
    assert not import_labels(program, folder(files, "again")).opinions  # it is on record
    assert len(read_program(program).examples) == 15
    set_labels(program, [name], "cat")
    assert import_labels(program, folder(files, "once-more"), only_new=True).known == 16
    assert not read_store(program).disputes


def test_an_annotators_folder_confirms_and_differs(program, folder, classes, picture):
    files = classes("cat", "dog")
    files["dog/x.png"] = files.pop("cat/3.png")
    done = import_labels(program, folder({**files, "dog/new.png": picture(77)}, "more"), by="ann")
    assert (done.added, len(done.opinions), len(done.disputes)) == (1, 16, 1)
    said = read_store(program).opinions
    assert len(said) == 16 and all("by/ann" in opinions for opinions in said.values())
    assert import_labels(program, folder({**files, "dog/new.png": picture(77)}, "again"), by="ann").opinions != done.opinions


def test_everything_wrong_is_named_and_nothing_is_written(program, folder, classes, picture):
    files = {**classes("cat", "dgo", "hamster", each=2), "cat/torn.png": picture(5)[:60], "cat/fine.png": picture(999)}
    before = tree(program)
    with pytest.raises(InputError) as caught:
        import_labels(program, folder(files, "more"))
    text = str(caught.value)
    assert 'dgo/0.png and 1 more: expected a class of the program, got "dgo"; did you mean `dog`?' in text
    assert 'hamster/0.png and 1 more: expected a class of the program, got "hamster"; known: cat, dog' in text
    assert "cat/torn.png: " in text and "(3 problems)" in text
    assert tree(program) == before


def test_other_kinds_of_input_are_refused(program, folder, tmp_path):
    table = folder({"t.csv": "text,label\n" + "".join(f"this is text {n},cat\n" for n in range(9))}, "texts") / "t.csv"
    with pytest.raises(InputError, match=r"expected inputs for Image\(12, 12, 1\), got texts"):
        import_labels(program, table)
    with pytest.raises(InputError, match="there is nothing"):
        import_labels(program, tmp_path / "nowhere")


def test_rows_are_read_as_the_program_reads_them(folder, tmp_path):
    rows = [f"{n / 2},{'xyz'[n % 3]},{'ab'[n % 2]}" for n in range(60)]
    directory = new_program(tmp_path / "program", source=folder({"t.csv": "size,kind,label\n" + "\n".join(rows)}, "a") / "t.csv")
    assert import_labels(directory, folder({"t.csv": "size,kind,label\n" + "\n".join(rows)}, "b") / "t.csv").added == 0
    more = "kind,label,unused,size\nx,a,1,0\nx,a,2,0\nunheard,b,3,?\n"  # so few rows that a look at them decides nothing
    done = import_labels(directory, folder({"t.csv": more}, "c") / "t.csv")
    assert done.added == 2 and "left out, for the program does not read it: `unused`" in done.notes
    assert len(read_program(directory).examples) == 62
    with pytest.raises(InputError, match="expected a number in `size`, got `big`"):
        import_labels(directory, folder({"t.csv": "size,kind,label\nbig,x,a\n"}, "d") / "t.csv")
    with pytest.raises(InputError, match=r"expected the columns of the program, 1 are not there: kind"):
        import_labels(directory, folder({"t.csv": "size,knd,label\n1,x,a\n"}, "e") / "t.csv")


def test_texts_few_and_short(folder, tmp_path):
    texts = [f"this is text number {n},{'ab'[n % 2]}" for n in range(40)]
    directory = new_program(tmp_path / "program", source=folder({"t.csv": "message,label\n" + "\n".join(texts)}, "a") / "t.csv")
    assert import_labels(directory, folder({"t.csv": "message,label\nok,a\nno,b\n"}, "b") / "t.csv").added == 2
    assert {record.input for record in read_store(directory).records} >= {"ok", "no"}


def test_arrays_of_another_shape_are_named(tmp_path):
    x = np.random.default_rng(0).normal(size=(40, 3, 20)).astype(np.float32)
    np.savez(tmp_path / "a.npz", x=x, y=np.arange(40) % 2)
    directory = new_program(tmp_path / "program", source=tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", x=np.concatenate([x[:5], x[:5] + 1]), y=np.arange(10) % 2)
    assert (import_labels(directory, tmp_path / "b.npz").added, len(read_program(directory).examples)) == (5, 45)
    np.savez(tmp_path / "c.npz", x=x[:5, :2], y=np.arange(5) % 2)
    before = tree(directory)
    with pytest.raises(InputError, match="expected examples that fit the program"):
        import_labels(directory, tmp_path / "c.npz")
    assert tree(directory) == before


def test_a_failure_while_writing_leaves_nothing(program, folder, picture, monkeypatch):
    before = tree(program)

    def fail(*_arguments: object) -> None:
        raise TacitError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr("tacit.examples.importing.finish_import", fail)
        with pytest.raises(TacitError, match="the disk is full"):
            import_labels(program, folder({"cat/new.png": picture(900)}, "more"))
    assert tree(program) == before


# --- labels by id ---------------------------------------------------------------------------------------------------------


def pairs(program: Path, *rows: tuple[str, str], header: str = "id,label") -> Path:
    path = program.parent / "pairs.csv"
    path.write_text("\n".join([header, *map(",".join, rows)]) + "\n")
    return path


def test_labels_by_id_are_settled_or_recorded(program):
    ids = [record.id for record in read_store(program).records]
    old = {record.id: record.label for record in read_store(program).records}
    rows = [(ids[0], "dog"), (ids[1], "cat"), (ids[2], ""), (ids[3], "dog")]
    done = import_labels(program, pairs(program, *rows), by="ann")
    assert set(done.opinions) == {ids[0], ids[1], ids[3]} and "1 examples have no label" in done.notes[0]
    assert set(done.disputes) == {name for name, label in rows if label and old[name] != label}
    done = import_labels(program, pairs(program, *rows))
    assert set(done.relabelled) == set(read_store(program).opinions.keys() ^ {ids[0], ids[1], ids[3]})
    assert [record.label for record in read_store(program).records][:4] == ["dog", "cat", old[ids[2]], "dog"]


def test_what_is_wrong_with_labels_by_id_is_named_by_line(program):
    ids = [record.id for record in read_store(program).records]
    before = tree(program)
    rows = [(ids[0], "dog"), ("f" * 24, "dog"), (ids[1], "dgo"), (ids[0], "cat")]
    with pytest.raises(InputError) as caught:
        import_labels(program, pairs(program, *rows))
    text = str(caught.value)
    assert f"line 3: no example has the id {'f' * 24}" in text
    assert 'line 4: expected a class of the program, got "dgo"; did you mean `dog`?' in text
    assert f"line 5: example {ids[0]} has another label at line 2" in text and "(3 problems)" in text
    with pytest.raises(InputError, match=r"expected a label column `lable`, it is not there(.|\n)*did you mean `label`"):
        import_labels(program, pairs(program, *rows[:1]), label="lable")
    with pytest.raises(InputError, match="expected one column of labels beside `id`, got 0"):
        import_labels(program, pairs(program, *rows[:1], header="id,opinion"))
    with pytest.raises(ConfigError, match="expected new examples for `--new-only`"):
        import_labels(program, pairs(program, *rows[:1]), only_new=True)
    assert tree(program) == before
    assert len(import_labels(program, pairs(program, *rows[:1], header="id,opinion"), label="opinion").notes) == 0


def test_coco_that_is_wrong_is_named(program):
    ids = [record.id for record in read_store(program).records]
    path = program.parent / "x.json"
    document = {
        "images": [{"id": 1, "file_name": f"a/{ids[0]}.png"}, {"id": 2, "file_name": "000001.jpg"}, {"id": 1, "file_name": "x"}, {}],
        "annotations": [{"image_id": 1, "category_id": 7}, {"image_id": 9, "category_id": 1}, {"image_id": [1]}],
        "categories": [{"id": 1, "name": "cat"}],
    }
    path.write_text(json.dumps(document))
    with pytest.raises(InputError) as caught:
        import_labels(program, path)
    text = str(caught.value)
    for part in (
        "images[1]: expected a file named by the id of an example, got `000001.jpg`",
        "images[2]: the id 1 stands there twice",
        "images[3]: expected an object with `id` and `file_name`",
        "annotations[0]: there is no category with the id 7",
        "annotations[1]: there is no image with the id 9",
        "annotations[2]: there is no image with the id [1]",
    ):
        assert part in text
    for content in ("{", "[]", '{"images": []}'):
        path.write_text(content)
        with pytest.raises(InputError, match="expected"):
            import_labels(program, path)


# --- giving away and back ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl", "out.json", "out"])
def test_what_went_out_comes_back(program, tmp_path, name):
    ids = [record.id for record in read_store(program).records]
    set_labels(program, ids[:1], "dog", by="ann")
    set_labels(program, ids[:1], "cat", by="bob")
    labels = {record.id: record.label for record in read_store(program).records}
    undecided = set(read_store(program).undecided)
    before = tree(program)
    done = export_labels(program, tmp_path / name)
    assert (done.labelled, done.undecided) == (16 - len(undecided), len(undecided)) and tree(program) == before
    back = import_labels(program, tmp_path / name)
    assert not (back.added or back.relabelled or back.opinions) and tree(program) == before
    set_labels(program, ids[4:9], "dog")
    set_labels(program, ids[9:12], "cat")
    back = import_labels(program, tmp_path / name)
    after = read_store(program)
    if name == "out":  # files tell of examples; a label that differs is another opinion
        assert set(back.opinions) == {record.id for record in after.records if labels[record.id] != record.label} | set(after.undecided)
    else:
        assert {record.id: record.label for record in after.records} == labels


def test_a_folder_makes_the_same_program_again(folder, classes, tmp_path):
    files = {**classes("cat", "dog", each=12, below="train/"), **classes("cat", "dog", each=4, below="test/")}
    directory = new_program(tmp_path / "program", source=folder(files))
    export_labels(directory, tmp_path / "out")
    again = new_program(tmp_path / "again", source=tmp_path / "out")
    one, two = read_program(directory).examples, read_program(again).examples
    assert list(one.ids) == list(two.ids) and one.targets.tolist() == two.targets.tolist()
    assert ((one.splits == "test") == (two.splits == "test")).all()
    with pytest.raises(InputError, match="expected a new or empty folder"):
        export_labels(directory, tmp_path / "out")


def test_what_a_format_can_not_hold(program, folder, tmp_path):
    with pytest.raises(ConfigError, match=r"expected a format of labels, got `cocoa`(.|\n)*did you mean `coco`"):
        export_labels(program, tmp_path / "a", format="cocoa")
    with pytest.raises(ConfigError, match=r"got the suffix `\.xlsx`"):
        export_labels(program, tmp_path / "a.xlsx")
    texts = "\n".join(f"this is text number {n},{n * 0.5}" for n in range(40))
    number = new_program(tmp_path / "number", source=folder({"t.csv": f"text,y\n{texts}"}, "n") / "t.csv")
    with pytest.raises(InputError, match="expected classes for COCO-style JSON"):
        export_labels(number, tmp_path / "a.json")
    with pytest.raises(InputError, match="expected media and classes for a folder per class"):
        export_labels(number, tmp_path / "a")
    for pack in (program / "media").iterdir():
        pack.unlink()
    with pytest.raises(InputError, match="its medium is not here"):
        export_labels(program, tmp_path / "a")
    assert not list(tmp_path.glob("a*"))


NAMES = ["cat", "a;b", "[x]", "süß", "1", "none", 'q"uote', "comma,"]
OUTPUTS = {
    "class": st.sampled_from(NAMES),
    "labels": st.lists(st.sampled_from(NAMES), unique=True).map(lambda names: [name for name in NAMES if name in names]),
    "number": st.floats(-1e30, 1e30, allow_nan=False).map(float),
}
TEXTS = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=12)


@pytest.mark.parametrize("kind", sorted(OUTPUTS))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_set_export_and_import_agree_for_any_labels(tmp_path_factory, kind, data):
    """Whatever is set comes out of every format as it was, also by an annotator and in chunks."""
    directory = tmp_path_factory.mktemp("round")
    names = f"names = {json.dumps(NAMES, ensure_ascii=False)}" if kind != "number" else "mean = 0.0\nscale = 1.0"
    (directory / "tacit.toml").write_text(f'[input]\n{TEXT}\n\n[output]\ntype = "{kind}"\n{names}\n')
    texts = data.draw(st.lists(TEXTS, min_size=1, max_size=4, unique=True))
    first = {input_id(text): data.draw(OUTPUTS[kind]) for text in texts}
    second = {name: data.draw(OUTPUTS[kind]) for name in first}
    write_labels(directory, "first", [Record(input_id(text), first[input_id(text)], input=text) for text in texts])
    path = directory / f"out.{data.draw(st.sampled_from(('csv', 'jsonl') if kind == 'number' else ('csv', 'jsonl', 'json')))}"
    export_labels(directory, path)
    if data.draw(st.booleans()):
        pack_labels(directory, "first")
    for name, label in second.items():
        set_labels(directory, [name], label)
    assert {record.id: record.label for record in read_store(directory).records} == second
    import_labels(directory, path, by="ann")
    assert {name: said["by/ann"] for name, said in read_store(directory).opinions.items()} == first
    import_labels(directory, path)
    assert {record.id: record.label for record in read_store(directory).records} == first


def test_a_table_holds_the_inputs_that_stand_in_records(folder, tmp_path):
    rows = "size,label,id\n" + "\n".join(f"{n % 7},{'ab'[n % 2]},{n % 3}" for n in range(60))
    directory = new_program(tmp_path / "program", source=folder({"t.csv": rows}) / "t.csv", label="label")
    export_labels(directory, tmp_path / "out.csv")
    table = list(csv.DictReader(io.StringIO((tmp_path / "out.csv").read_text())))
    assert list(table[0]) == ["id", "label", "split", "size", "input.id"] and len(table) == 60


# --- chunks -------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(chunks, "CHUNKED_ABOVE", 10)
    monkeypatch.setattr(chunks, "CHUNK_RECORDS", 6)


def test_a_large_import_writes_chunks_by_itself_and_everything_works_as_before(folder, classes, tmp_path, small_chunks):
    directory = new_program(tmp_path / "program", source=folder(classes("cat", "dog", each=8)))
    (manifest,) = (directory / "labels").glob("*/chunks.json")
    assert not list((directory / "labels").rglob("*.jsonl")) and len(list((directory / "media").glob("*.parquet"))) == 3
    examples = read_program(directory).examples
    assert len(examples) == 16
    ids = [record.id for record in read_store(directory).records]
    old = {record.id: record.label for record in read_store(directory).records}
    line = read_store(directory).places[ids[7]]
    assert line == (manifest.relative_to(directory).as_posix(), 4)  # the second chunk
    content = manifest.read_text()
    swapped = "dog" if old[ids[7]] == "cat" else "cat"
    (done,) = set_labels(directory, [ids[7][:10]], swapped)
    assert done.file == f"labels/{manifest.parent.name}/edits/{ids[7][:2]}.jsonl" and manifest.read_text() == content
    assert (directory / done.file).read_text() == Record(ids[7], swapped).line() + "\n"
    assert read_store(directory).places[ids[7]] == (done.file, 1)
    assert {record.id: record.label for record in read_store(directory).records} == {**old, ids[7]: swapped}
    set_labels(directory, [ids[7]], old[ids[7]])
    set_labels(directory, [ids[2]], "cat", by="ann")
    assert (directory / done.file).read_text() == Record(ids[7], old[ids[7]]).line() + "\n"
    assert read_store(directory).opinions[ids[2]]["by/ann"] == "cat"
    done_again = import_labels(directory, folder(classes("cat", "dog", each=20), "more"))
    assert done_again.added == 24 and (directory / "labels" / str(done_again.name) / "chunks.json").exists()
    assert len(read_program(directory).examples) == (40 if old[ids[2]] == "cat" else 39)


def test_moving_an_import_into_chunks_changes_no_label(program):
    before = read_store(program)
    name = next(path.parent.name for path in (program / "labels").glob("*/*.jsonl"))
    assert pack_labels(program, name) == 16 and pack_labels(program, name) == 16
    after = read_store(program)
    assert after.records == before.records and not list((program / "labels").rglob("*.jsonl"))
    assert {path.suffix for path in (program / "media").iterdir()} == {".zip", ".parquet"}
    assert len(read_program(program).examples) == 16
    with pytest.raises(InputError, match="expected an import"):
        pack_labels(program, "nothing")


def test_a_move_that_was_killed_is_read_rightly_and_finished(program, monkeypatch):
    before = read_store(program).records
    (shard,) = (program / "labels").glob("*/*.jsonl")

    def killed(*_arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("tacit.examples.packing.finish_packing", killed)
        pack_labels(program, shard.parent.name)
    assert shard.exists() and read_store(program).records == before
    text = shard.read_text()
    shard.write_text(text.replace('"cat"', '"dog"', 1))  # somebody edits what is on its way out: that is not lost
    with pytest.raises(InputError, match=r"stands in `.*` twice"):
        read_store(program)
    shard.write_text(text)
    set_labels(program, [before[0].id], "dog")
    assert not shard.exists() and len(read_store(program).records) == 16
    assert "replaces" not in (shard.parent / "chunks.json").read_text()


def test_what_is_wrong_with_chunks_is_named(program):
    (shard,) = (program / "labels").glob("*/*.jsonl")
    folder = shard.parent
    pack_labels(program, folder.name)
    manifest = folder / "chunks.json"
    shown = manifest.relative_to(program).as_posix()
    (chunk,) = (program / "media").glob("*.parquet")
    record = read_store(program).records[0]
    (folder / "edits").mkdir()
    lines = [Record(record.id, "dog").line(), Record(record.id, "cat").line(), Record(example_id(b"?"), "cat").line()]
    lines += ["<<<<<<< HEAD", Record(read_store(program).records[1].id, "cow", "test").line()]
    (folder / "edits" / "00.jsonl").write_text("\n\n".join(lines) + "\n")
    with pytest.raises(InputError) as caught:
        read_store(program, check=lambda label: None if label in ("cat", "dog") else f"unknown class `{label}`")
    text = str(caught.value)
    place = f"labels/{folder.name}/edits/00.jsonl"
    assert f"{place}:3: example {record.id} is edited twice, also at {place}:1" in text
    assert f"{place}:5: example {example_id(b'?')} is not in the chunks of `{folder.name}`" in text
    assert f"{place}:7: expected a record, got the merge marker" in text
    assert f"{place}:9: unknown class `cow`" in text and f"{place}:9: expected an edit of the label alone" in text
    (folder / "edits" / "00.jsonl").unlink()
    content = chunk.read_bytes()
    chunk.write_bytes(content[:-1] + b"x")
    with pytest.raises(InputError, match=rf"{shown}:3: the chunk `media/{chunk.name}` has other bytes than its name says"):
        read_store(program)
    chunk.unlink()
    with pytest.raises(InputError, match=rf"{shown}:3: the chunk `media/{chunk.name}` is not here \(`tacit media pull` brings it\)"):
        read_store(program)
    text = manifest.read_text()
    for harmed, problem in [
        (text.replace("]}", "]", 1), "expected JSON"),
        ("<<<<<<< HEAD\n" + text, ":1: expected JSON"),
        (text.replace('"format": 1', '"format": 2'), "a newer tacit may have written it"),
        (text.replace(chunk.name, "../../etc/passwd"), ":3: expected the name of a chunk"),
        (text.replace('"records"', '"record"'), ":3: expected a chunk with file, records, first and last"),
    ]:
        manifest.write_text(harmed)
        with pytest.raises(InputError) as caught:
            read_store(program)
        assert problem in str(caught.value)


def test_two_branches_that_edit_chunks_merge_with_stock_git(tmp_path, small_chunks):
    (tmp_path / "tacit.toml").write_text(f'[input]\n{TEXT}\n\n[output]\ntype = "class"\nnames = ["a", "b"]\n')
    records = [Record(input_id(f"text {number}"), "a", input=f"text {number}") for number in range(600)]
    write_labels(tmp_path, "first", records)
    pack_labels(tmp_path, "first")
    ids = sorted(record.id for record in records)

    def run(*arguments: str) -> None:
        settings_ = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *settings_, *arguments], cwd=tmp_path, check=True, capture_output=True)

    (tmp_path / ".gitignore").write_text("media/\n.tacit/\n")
    run("init")
    set_labels(tmp_path, ids[::3], "b")
    run("add", ".")
    run("commit", "-m", "start")
    for branch, mine in (("ours", ids[1::3]), ("theirs", ids[2::3])):
        run("checkout", "-b", branch, "main")
        set_labels(tmp_path, mine, "b")  # between the edits that are there, in the same files as the other branch
        run("add", ".")
        run("commit", "-m", branch)
    run("merge", "ours")
    assert sum(record.label == "b" for record in read_store(tmp_path).records) == 600
    set_labels(tmp_path, ids, "a")  # also where the union repeated a line
    assert all(record.label == "a" for record in read_store(tmp_path).records)
    edits = "".join(path.read_text() for path in (tmp_path / "labels/first/edits").iterdir())
    assert max(edits.count(name) for name in ids) == 1
