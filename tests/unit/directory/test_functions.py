import pickle

import pytest

from tacit.directory.functions import find_function
from tacit.goals.goal import Goal
from tacit.goals.own import asks_for, identity, score_binary
from tacit.ground.errors import ConfigError, InputError


def write(folder, text, name="goal.py"):
    (folder / name).write_text(text)
    return folder


def test_nothing_of_the_file_runs_before_the_function_is_called(tmp_path):
    write(tmp_path, "from pathlib import Path\nPath(__file__).with_name('ran').touch()\ndef score(binary, seed, x=1):\n    return 0.5\n")
    function = find_function(tmp_path, "goal.py:score")
    goal = Goal(score=function)
    assert goal.metric == "score" and asks_for(goal) == ("binary", "seed")
    assert not (tmp_path / "ran").exists()
    assert score_binary(goal, None, None, seed=3) == 0.5
    assert (tmp_path / "ran").exists()


def test_it_pickles_and_its_identity_is_the_text_of_the_file(tmp_path):
    write(tmp_path, "STEP = 2\ndef score(binary):\n    return STEP * binary\n")
    function = find_function(tmp_path, "goal.py:score")
    again = pickle.loads(pickle.dumps(function))
    assert again(4) == function(4) == 8 and identity(again) == identity(function)
    write(tmp_path, "STEP = 3\ndef score(binary):\n    return STEP * binary\n")
    other = find_function(tmp_path, "goal.py:score")
    assert identity(other) != identity(function) and other(4) == 12


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("goal.py", "expected `file.py:function`, got `goal.py`"),
        ("gaol.py:score", "there is no `gaol.py`"),
        ("goal.py:scroe", "there is no `scroe`"),
        ("../goal.py:score", "within the program directory"),
        (3, "got `3`"),
    ],
)
def test_what_is_not_there_is_said(tmp_path, reference, said):
    (tmp_path / "program").mkdir()
    write(tmp_path, "def score(binary): return 1\n")
    write(tmp_path / "program", "def score(binary): return 1\n")
    with pytest.raises(ConfigError) as caught:
        find_function(tmp_path / "program", reference)
    assert said in str(caught.value)


def test_near_names_are_suggested(tmp_path):
    write(tmp_path, "def score(binary): return 1\n")
    with pytest.raises(ConfigError, match="did you mean `score`"):
        find_function(tmp_path, "goal.py:scor")
    with pytest.raises(ConfigError, match=r"did you mean `goal\.py`"):
        find_function(tmp_path, "goals.py:score")


def test_a_file_that_is_no_python_is_refused_with_its_line(tmp_path):
    write(tmp_path, "x = 1\ndef score(binary:\n")
    with pytest.raises(ConfigError, match="line 2"):
        find_function(tmp_path, "goal.py:score")


def test_a_file_that_does_not_run_says_why(tmp_path):
    write(tmp_path, "import not_there_at_all\ndef score(binary): return 1\n")
    with pytest.raises(InputError, match="ModuleNotFoundError") as caught:
        find_function(tmp_path, "goal.py:score")(None)
    assert "not_there_at_all" in str(caught.value) and "try:" in str(caught.value)
