import pytest

from tacit.directory.making import new_program
from tacit.directory.overrides import apply_overrides, parse_value
from tacit.directory.reading import is_program, read_program
from tacit.goals.goal import Goal
from tacit.ground.budget import Budget
from tacit.ground.errors import ConfigError
from tacit.signature.image import Image
from tacit.signature.outputs import Class
from tacit.skeletons.choices import choice


@pytest.fixture
def program(folder, classes, tmp_path):
    return new_program(tmp_path / "pets", source=folder(classes("cat", "dog", each=20)))


def replaced(program, old, new):
    path = program / "tacit.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_a_new_program_reads_back(program):
    read = read_program(program)
    assert (read.name, read.skeleton, read.settings, read.recipe) == ("pets", "convnet2d", {}, {})
    assert read.signature == Image(12, 12, 1) >> Class("cat", "dog") and len(read.examples) == 40
    assert read.goals == (Goal("accuracy"),) and read.budget == Budget(minutes=5) and read.directory == program
    assert is_program(program) and not is_program(program.parent)


def test_what_a_person_writes(program):
    replaced(program, "[goal]\n", "[goal]\naccuracy = 0.98\n[goal.classes.cat]\nrecall = 0.9\n")
    replaced(program, 'name = "convnet2d"\n', 'name = "convnet2d"\nwidth = [16, 32]\ndepth = 2\n')
    replaced(program, "minutes = 5\n", "steps = 100\nmacs = 1_000_000\nweight_bytes = 4e5\n")
    replaced(program, "[train]\n", '[train]\naugment = ["shift", "flip"]\nlearning_rate = 0.1\n')
    read = read_program(program)
    assert read.goals == (Goal("accuracy", 0.98), Goal("recall", 0.9, label="cat"))
    assert read.settings == {"width": choice(16, 32), "depth": 2}
    assert read.recipe == {"augment": ["shift", "flip"], "learning_rate": 0.1}
    assert read.budget == Budget(steps=100, macs=1_000_000, weight_bytes=400_000)


def test_overrides(program):
    read = read_program(
        program,
        overrides={
            "skeleton.width": "[16, 32]",
            "train.learning_rate": "0.1",
            "budget.minutes": "2",
            "goal.accuracy": "0.98",
            "goal.classes.cat.recall": "0.9",
            "input.height": "6",
        },
    )
    assert read.settings == {"width": choice(16, 32)} and read.recipe == {"learning_rate": 0.1} and read.budget.minutes == 2
    assert read.goals == (Goal("accuracy", 0.98), Goal("recall", 0.9, label="cat"))
    assert read.examples.inputs[0].shape == (40, 6, 12, 1)
    assert read_program(program).budget.minutes == 5


def test_types_may_be_written_with_a_capital(program):
    replaced(program, 'type = "image"', 'type = "Image"')
    assert read_program(program).signature.input == Image(12, 12, 1)


def line_of(program, part):
    return next(number for number, line in enumerate((program / "tacit.toml").read_text().split("\n"), 1) if part in line)


def test_every_mistake_is_named_with_its_line(program):
    replaced(program, "height = 12", "hight = 12")
    replaced(program, "validation = 0.1", "validation = 1.5")
    replaced(program, "minutes = 5", 'minuets = 5\nmacs = "many"')
    replaced(program, "[skeleton]", "[skeletn]")
    replaced(program, "[goal]", '[goal]\naccuracy = "high"\n[goal.classes.cat]\nrecall = "low"')
    replaced(program, "[train]", "[train]\nlearning_rate = {a = 1}")
    with pytest.raises(ConfigError) as caught:
        read_program(program, overrides={"minutes": "3", "budget.steps": "1.5"})

    def at(part):
        return f"  - tacit.toml:{line_of(program, part)}: "

    assert str(caught.value).split("\n") == [
        f"expected settings that are understood - at `{program / 'tacit.toml'}` (10 problems)",
        "  - --set minutes=3: expected section.key=value, such as budget.minutes=2",
        at("validation = 1.5") + "expected a fraction from 0 up to, not including, 1 for `validation` in `[split]`, got 1.5",
        at("[skeletn]") + "unknown section `[skeletn]`; did you mean `skeleton`?",
        at("accuracy = ") + 'expected a number for `accuracy` in `[goal]`, got "high"',
        at("minuets") + "unknown key `minuets` in `[budget]`; did you mean `minutes`?",
        at("many") + 'expected a whole number above 0 for `macs` in `[budget]`, got "many"',
        at("[budget]") + "expected a whole number above 0 for `steps` in `[budget]`, got 1.5",
        at("learning_rate = {")
        + "expected a number, a text, true or false, or a list of them for `learning_rate` in `[train]`, got {a = 1}",
        at("recall = ") + 'expected a number for `recall` in `[goal.classes.cat]`, got "low"',
        at("type = ") + "expected the fields of the type `image` (2 problems)",
        "      - unknown field `hight`, did you mean `height`?",
        "      - missing field `height`",
    ]


def test_an_unknown_type(program):
    replaced(program, 'type = "image"', 'type = "imge"')
    with pytest.raises(ConfigError) as caught:
        read_program(program)
    line = line_of(program, "imge")
    assert f"  - tacit.toml:{line}: expected a known type, got `imge`, did you mean `image`?" in str(caught.value)


def test_goals_that_cannot_be_measured_are_named(program):
    replaced(program, "[goal]", "[goal]\nacuracy = 0.9\nr2 = 0.5\nrecall = 0.9\n[goal.classes.cta]\nrecall = 0.9")
    with pytest.raises(ConfigError) as caught:
        read_program(program)
    text = str(caught.value)
    line = line_of(program, "acuracy")
    assert f"tacit.toml:{line}: expected a known metric, got `acuracy`; did you mean `accuracy`?" in text
    assert f"tacit.toml:{line + 1}: expected an output of the type number" in text
    assert f"tacit.toml:{line + 2}: expected the name of one class, got none - at the metric `recall`" in text
    assert f"tacit.toml:{line + 4}: expected a known class, got `cta` - at the metric `recall`; did you mean `cat`?" in text
    assert "(4 problems)" in text


def test_input_and_output_exchanged(program):
    replaced(program, 'type = "class"\nnames = ["cat", "dog"]', 'type = "series"\nchannels = 1\nsteps = 2')
    with pytest.raises(ConfigError, match='expected an output type, got "series"'):
        read_program(program)


def test_a_missing_section(program):
    path = program / "tacit.toml"
    path.write_text('[output]\ntype = "class"\nnames = ["cat", "dog"]\n')
    with pytest.raises(ConfigError, match=r"expected a section `\[input\]` with a `type`"):
        read_program(program)


def test_a_file_that_is_no_toml(program):
    replaced(program, "[train]", "[train]\nlearning rate = 0.1")
    with pytest.raises(ConfigError) as caught:
        read_program(program)
    assert f"line {line_of(program, 'learning rate')}" in str(caught.value)


def test_a_newer_format(program):
    replaced(program, "format = 1", "format = 2")
    with pytest.raises(ConfigError, match="expected 1 \\(the format of this release; a newer tacit wrote another\\) for `format`"):
        read_program(program)


def test_no_program(tmp_path):
    with pytest.raises(ConfigError) as caught:
        read_program(tmp_path)
    assert str(caught.value) == (
        f"expected a program directory with a `tacit.toml`, there is none - at `{tmp_path}`\ntry: tacit new DIR --from {tmp_path}"
    )


def test_values_of_overrides():
    assert [parse_value(text) for text in ("1", "0.5", "true", '"a"', "a b", "[1, 2]", "1\ny = 2", "")] == [
        *(1, 0.5, True, "a", "a b", [1, 2], "1\ny = 2"),
        "",
    ]


def test_overrides_leave_the_document_alone():
    document = {"budget": {"minutes": 5}, "goal": {"classes": {"a": {"recall": 0.5}}}}
    changed, problems = apply_overrides(document, {"budget.minutes": "1", "goal.classes.a.recall": "0.9", "goal.classes.a.b.recall": "1"})
    assert problems == [] and document == {"budget": {"minutes": 5}, "goal": {"classes": {"a": {"recall": 0.5}}}}
    assert changed == {"budget": {"minutes": 1}, "goal": {"classes": {"a": {"recall": 0.9}, "a.b": {"recall": 1}}}}


def test_minutes_given_on_the_command_line_take_the_place_of_steps():
    document = {"budget": {"steps": 400, "macs": 10}}
    assert apply_overrides(document, {"budget.minutes": "2"})[0]["budget"] == {"minutes": 2, "macs": 10}
    assert apply_overrides(document, {"budget.minutes": "2", "budget.steps": "5"})[0]["budget"] == {"minutes": 2, "steps": 5, "macs": 10}


def test_augmentation_can_be_turned_off_but_a_setting_needs_a_value(program):
    replaced(program, "[train]\n", "[train]\naugment = []\n")
    assert read_program(program).recipe == {"augment": []}
    with pytest.raises(ConfigError, match="expected a number, a text, true or false, or a list of them for `width`"):
        read_program(program, overrides={"skeleton.width": "[]"})
