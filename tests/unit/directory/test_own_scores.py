import pytest

from tacit.directory.making import new_program
from tacit.directory.reading import read_program
from tacit.goals.goal import Goal
from tacit.ground.errors import ConfigError

TEXT = """\
raise SystemExit("reading a program must not run its files")


def profit(scores, targets):
    return 1.0


def odd(scores, x):
    return 1.0
"""


@pytest.fixture
def program(folder, classes, tmp_path):
    made = new_program(tmp_path / "pets", source=folder(classes("cat", "dog", each=20)))
    (made / "goal.py").write_text(TEXT)
    return made


def goal(program, *lines):
    path = program / "tacit.toml"
    path.write_text(path.read_text().replace("[goal]\n", "\n".join(["[goal]", *lines, ""]), 1))
    return program


def test_a_score_of_ones_own_comes_first_and_nothing_runs(program):
    read = read_program(goal(program, 'score = "goal.py:profit"', "threshold = 0.5", 'better = "lower"', "accuracy = 0.9"))
    own, metric = read.goals
    assert (own.metric, own.threshold, own.lower_is_better, str(own.score)) == ("profit", 0.5, True, "goal.py:profit")
    assert metric == Goal("accuracy", 0.9)
    assert read.evolution is None and read.budget.generations is None


def test_settings_of_evolution_and_its_budget(program):
    read = read_program(program, overrides={"evolution.population": "32", "budget.generations": "50"})
    assert read.evolution == {"population": 32} and read.budget.generations == 50


def test_everything_that_is_wrong_is_said_at_once(program):
    with pytest.raises(ConfigError) as caught:
        read_program(goal(program, 'score = "goal.py:odd"', 'better = "best"', "accurcy = 1"))
    text = str(caught.value)
    assert "3 problems" in text
    for part in ("expected `targets` and `inputs` beside `scores`, got `x`", '"higher" or "lower"', "did you mean `accuracy`"):
        assert part in text, text
