import gzip
import json
import zipfile

import pyarrow
import pyarrow.parquet
import pytest

from tacit.examples.sources import find_examples
from tacit.ground.errors import InputError

ROWS = [{"age": 20 + row % 40, "city": ["Rome", "Oslo", ""][row % 3], "label": ["no", "yes"][row % 2]} for row in range(60)]


def csv_of(rows, separator=","):
    names = list(rows[0])
    return "\n".join([separator.join(names), *(separator.join(str(row[name]) for name in names) for row in rows)]) + "\n"


def table(folder, content, name="table.csv"):
    return folder({name: content}) / name


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_rows_of_numbers_and_categories(folder, separator):
    found = find_examples(table(folder, csv_of(ROWS, separator)))
    assert (found.kind, found.columns, found.problems) == ("rows", (("age", "number"), ("city", "category")), ())
    assert found.items[2].content == {"age": 22, "city": None} and found.items[2].label == "no"
    assert found.items[2].where == "line 4" and found.label_from == "the column `label`"


def test_jsonl_parquet_and_gzip_say_the_same(folder, tmp_path):
    expected = [(item.content, item.label) for item in find_examples(table(folder, csv_of(ROWS))).items]
    lines = "\n".join(json.dumps({**row, "city": row["city"] or None}) for row in ROWS)
    files = {"a.jsonl": lines.encode(), "b.jsonl.gz": gzip.compress(lines.encode()), "c.csv.gz": gzip.compress(csv_of(ROWS).encode())}
    for name, content in files.items():
        assert [(item.content, item.label) for item in find_examples(table(folder, content, name)).items] == expected
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(ROWS), tmp_path / "d.parquet")
    assert [(item.content, item.label) for item in find_examples(tmp_path / "d.parquet").items] == expected


def test_quotes_line_breaks_and_a_byte_order_mark(folder):
    content = '\ufefftext,label\n"one, two\nthree ""x""",a\nfour five six,b\n' + "".join(f"text number {n},a\n" for n in range(5))
    found = find_examples(table(folder, content))
    assert found.kind == "texts" and found.items[0].content == 'one, two\nthree "x"' and found.items[1].where == "line 4"


def test_quotes_are_text_in_tsv(folder):
    content = 'label\ttext\nham\t"hello there you\nham\the said "no" to me\nspam\t"all of ""it"" quoted"\n'
    found = find_examples(table(folder, content, "sms.tsv"))
    assert [item.content for item in found.items] == ['"hello there you', 'he said "no" to me', 'all of "it" quoted']


def test_texts_win_over_what_stands_beside_them(folder):
    content = "id,text,likes,label\n" + "".join(f"{n},this is text number {n},{n % 5},{'ab'[n % 2]}\n" for n in range(40))
    found = find_examples(table(folder, content))
    assert found.kind == "texts" and found.notes == ("the input is the column `text`; left out: `id`, `likes`",)


def test_columns_without_use_are_left_out_and_said(folder):
    content = "id,same,empty,x,label\n" + "".join(f"{n},1,,{n * 0.5},{'ab'[n % 2]}\n" for n in range(40))
    found = find_examples(table(folder, content))
    assert found.columns == (("x", "number"),)
    assert found.notes == (
        "left out: `id`, every row has a number of its own",
        "left out: `same`, the same number stands in every row",
        "left out: `empty`, it is empty",
    )


def test_words_such_as_none_are_categories(folder):
    content = "pet,x,label\n" + "".join(f"{['none', 'cat'][n % 2]},{n},{'ab'[n % 2]}\n" for n in range(40))
    found = find_examples(table(folder, content))
    assert found.columns[0] == ("pet", "category") and found.items[0].content["pet"] == "none"


def test_few_whole_numbers_are_a_category(folder):
    content = "rooms,size,label\n" + "".join(f"{n % 4},{n},{'ab'[n % 2]}\n" for n in range(60))
    assert find_examples(table(folder, content)).columns == (("rooms", "category"), ("size", "number"))


def test_split_and_group_columns(folder):
    content = "x,split,group,label\n" + "".join(f"{n},{['train', 'Val', 'TEST', ''][n % 4]},g{n // 4},{'ab'[n % 2]}\n" for n in range(40))
    found = find_examples(table(folder, content))
    assert [item.split for item in found.items[:4]] == ["train", "validation", "test", None]
    assert found.items[5].group == "g1" and found.grouped_by == "the column `group`" and found.columns == (("x", "number"),)


def test_is_test(folder):
    content = "x,is_test,label\n" + "".join(f"{n},{n % 3 == 0},{'ab'[n % 2]}\n" for n in range(40))
    assert [item.split for item in find_examples(table(folder, content)).items[:3]] == ["test", "train", "train"]


def test_a_wrong_split_is_named(folder):
    content = "x,split,label\n" + "".join(f"{n},{'tset' if n == 3 else 'train'},{'ab'[n % 2]}\n" for n in range(10))
    found = find_examples(table(folder, content))
    assert found.problems == ("line 5: expected train, validation or test in `split`, got `tset`; did you mean `test`?",)


def test_tables_named_for_the_splits(folder):
    found = find_examples(folder({"train.csv": csv_of(ROWS[:40]), "test.csv": csv_of(ROWS[40:])}))
    assert sum(item.split == "test" for item in found.items) == 20
    assert {item.where for item in found.items} >= {"train.csv line 2", "test.csv line 21"}


def test_tables_with_different_columns(folder):
    source = folder({"train.csv": csv_of(ROWS), "test.csv": csv_of([{"age": 1, "town": "x", "label": "no"}])})
    with pytest.raises(InputError) as caught:
        find_examples(source)
    assert str(caught.value) == f"expected the same columns in `test.csv` and `train.csv`, they differ in `city`, `town` - at `{source}`"


def test_paths_beside_the_table_and_within_a_zip(folder, picture, tmp_path):
    files = {f"pictures/{n}.png": picture(n) for n in range(4)}
    source = folder({**files, "labels.csv": "path,label\n" + "".join(f"pictures/{n}.png,{'ab'[n % 2]}\n" for n in range(4))})
    for place in (source / "labels.csv", source):
        found = find_examples(place)
        assert found.kind == "images" and [item.content.read() for item in found.items] == list(files.values())
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    (tmp_path / "t.csv").write_text("file,kind\n" + "".join(f"p.zip/{name},{'ab'[n % 2]}\n" for n, name in enumerate(files)))
    found = find_examples(tmp_path / "t.csv")
    assert [item.content.read() for item in found.items] == list(files.values()) and found.label_from == "the column `kind`"


def test_files_that_are_not_there_are_named(folder, picture):
    source = folder({"1.png": picture(1), "labels.csv": "path,label\n1.png,a\n2.png,b\n3.png,b\n"})
    assert find_examples(source / "labels.csv").problems == ("line 3: there is no file `2.png`", "line 4: there is no file `3.png`")


def test_pictures_within_parquet_with_names_of_classes(tmp_path, picture):
    rows = [{"image": {"bytes": picture(n), "path": None}, "label": n % 2} for n in range(6)]
    features = {"info": {"features": {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}}
    arrow = pyarrow.Table.from_pylist(rows).replace_schema_metadata({"huggingface": json.dumps(features)})
    pyarrow.parquet.write_table(arrow, tmp_path / "a.parquet")
    found = find_examples(tmp_path / "a.parquet")
    assert found.kind == "images" and found.classes == ("cat", "dog") and found.items[1].content.read() == picture(1)


def fails(path, **options):
    with pytest.raises(InputError) as caught:
        find_examples(path, **options)
    return str(caught.value)


def test_a_missing_label_column(folder):
    path = table(folder, csv_of(ROWS))
    assert fails(path, label="lable") == (
        f"expected a label column `lable`, it is not there - at `{path}`\n"
        "the columns are `age`, `city`, `label`\n"
        "try: did you mean `label`? (--label COLUMN)"
    )


def test_no_column_that_is_named_for_labels(folder):
    path = table(folder, csv_of([{"a": n, "b": n % 7, "c": "xy"[n % 2]} for n in range(40)]))
    assert fails(path) == (
        f"expected one column of labels, none is named for it - at `{path}`\nthe columns are `a`, `b`, `c`\ntry: name it: --label c"
    )


def test_several_columns_that_could_be_the_label(folder):
    path = table(folder, csv_of([{"x": n, "class": n % 2, "target": n % 3} for n in range(40)]))
    assert fails(path).startswith(f"expected one column of labels, got 2 that could be: class, target - at `{path}`\n")


def test_a_missing_group_column(folder):
    path = table(folder, csv_of(ROWS))
    assert fails(path, group="cty").endswith("try: did you mean `city`? (--group COLUMN)")


def test_no_header(folder):
    path = table(folder, "".join(f"{'ham' if n % 3 else 'spam'}\tthis is message number {n}\n" for n in range(60)), "sms.tsv")
    assert fails(path) == (
        f"expected a first line with the names of the 2 columns - at `{path}`\n"
        "the first line looks like data, not like names: `spam` stands 19 times more in its column\n"
        "try: add a line such as `label,text` (with the separator of the file) at the top"
    )


def test_lines_of_other_lengths_are_all_named(folder):
    path = table(folder, "a,label\n1,x\n2\n3,x,y\n4,z\n")
    assert fails(path) == (
        f"expected 2 cells in every line, separated by `,`, as in the header - at `{path}` (2 problems)\n"
        "  - line 3: 1 cells\n  - line 4: 3 cells"
    )


def test_text_that_is_not_utf8_is_named_by_line(folder):
    path = table(folder, b"text,label\nfine,a\n" + "süß,b\ngut,a\nöl,b\n".encode("latin-1"))
    assert fails(path) == (
        f"expected UTF-8 text - at `{path}` (2 problems)\n"
        "  - line 3: the byte 0xfc at column 2 is not UTF-8\n"
        "  - line 5: the byte 0xf6 at column 1 is not UTF-8\n"
        f"try: iconv -f latin1 -t utf-8 {path} > utf8.csv, if it is Latin-1"
    )


def test_bad_json_lines_are_all_named(folder):
    path = table(folder, '{"a": 1, "label": "x"}\n{"a": \n[1]\n', "a.jsonl")
    text = fails(path)
    assert text.startswith(f"expected one JSON object per line - at `{path}` (2 problems)\n  - line 2: ")
    assert "  - line 3: expected an object {...}, got a list" in text


def test_a_few_words_in_a_column_of_numbers_are_typing_errors(folder):
    content = "size,label\n" + "".join(f"{'12O' if n == 7 else n},{'ab'[n % 2]}\n" for n in range(60))
    assert find_examples(table(folder, content)).problems == ("line 9: expected a number in `size`, as in the other rows, got `12O`",)


def test_empty_texts_are_named(folder):
    content = "text,label\n" + "".join(f"{'' if n == 4 else f'this is text {n}'},{'ab'[n % 2]}\n" for n in range(20))
    assert find_examples(table(folder, content)).problems == ("line 6: the text in `text` is empty",)


@pytest.mark.parametrize("content", ["", "\n\n", "a,label\n"])
def test_empty_tables(folder, content):
    assert fails(table(folder, content)).startswith("expected ")


def test_torn_parquet_and_gzip(folder):
    assert fails(table(folder, b"PAR1 and no more", "a.parquet")).startswith("expected a whole Parquet file")
    assert fails(table(folder, gzip.compress(b"a,label\n" * 100)[:-12], "a.csv.gz")).startswith("expected a whole gzip file")


def test_columns_named_twice(folder):
    assert "`a` stands there twice" in fails(table(folder, "a,a,label\nx,y,z\nu,v,w\n"))


def test_a_kind_of_file_that_is_not_understood(folder):
    assert fails(table(folder, "hello", "notes.docx")).startswith("expected examples, got a file of a kind that is not understood")
