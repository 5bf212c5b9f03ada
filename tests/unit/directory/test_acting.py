"""`[environment]` and `[game]` of a tacit.toml."""

import pytest

from tacit.directory.reading import read_outline, read_program
from tacit.ground.errors import ConfigError
from tacit.signature.outputs import Class
from tacit.signature.vector import Vector


@pytest.fixture
def program(tmp_path):
    def write(text, **files):
        (tmp_path / "tacit.toml").write_text(text)
        for name, content in files.items():
            (tmp_path / f"{name}.py").write_text(content)
        return tmp_path

    return write


def message(work):
    with pytest.raises(ConfigError) as caught:
        work()
    return str(caught.value)


def test_an_id_is_all_that_is_needed(program):
    read = read_program(program('[environment]\nid = "CartPole-v1"\n'))
    assert read.signature == Vector(4) >> Class("0", "1") and read.acts and not len(read.examples) and read.goals == ()


def test_goals_options_and_types_are_read(program):
    text = """
[environment]
id = "CartPole-v1"
episodes = 20
[environment.options]
max_episode_steps = 50
[input]
type = "vector"
size = 4
names = ["place", "speed", "angle", "turn"]
[output]
type = "class"
names = ["left", "right"]
[goal]
return = 45
"""
    read = read_program(program(text), overrides={"train.lanes": "4"})
    assert read.signature.output == Class("left", "right") and read.episodes == 20 and read.recipe == {"lanes": 4}
    assert [(goal.metric, goal.threshold) for goal in read.goals] == [("return", 45.0)]
    assert read.options == {"max_episode_steps": 50}


def test_functions_and_rules_of_the_directory_are_found(program):
    folder = program(
        '[environment]\nmake = "env.py:make"\n',
        env="import gymnasium\n\n\ndef make():\n    return gymnasium.make('CartPole-v1')\n",
    )
    assert read_program(folder).environment.name == "make"
    text = '[game]\nrules = "rules.py:Own"\ngames = 10\n[goal.against.random]\nnon_loss_rate = 0.9\n[goal]\nwin_rate = 0.5\n'
    folder = program(text, rules="from tests.unit.environments.tic_tac_toe import TicTacToe\n\n\nclass Own(TicTacToe):\n    pass\n")
    read = read_program(folder)
    assert read.game.name == "tic-tac-toe" and read.episodes == 10
    assert [(goal.metric, goal.label) for goal in read.goals] == [("win_rate", None), ("non_loss_rate", "random")]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('[environment]\nid = "CartPole-v1"\n[goal]\naccuracy = 1\n', "tacit.toml:4: `accuracy` is not measured in an environment"),
        ("[environment]\nepisodes = 0\n", "tacit.toml:2: expected a whole number above 0 for `episodes`"),
        ("[environment]\nepisodes = 5\n", "tacit.toml:1: expected `id` or `make` in `[environment]`"),
        ('[environment]\nid = "a"\n[game]\nrules = "a:b"\n', "tacit.toml:3: expected `[environment]` or `[game]`, got both"),
        ('[environment]\nmake = "env.py:make"\n', "tacit.toml:2: expected a file of the program directory, there is no `env.py`"),
        ('[game]\nrules = "rules"\n', "tacit.toml:2: expected `file.py:name` or `module:name`, got `rules`"),
        ('[game]\nrules = "a:b"\n[goal.against.gnu]\nwin_rate = 1\n', "tacit.toml:4: expected a known opponent, got `gnu`"),
        ('[game]\nrules = "a:b"\n[goal.against]\nuct = 1\n', "expected sections such as `[goal.against.uct]` with numbers"),
    ],
)
def test_mistakes_are_named_with_their_line(program, text, wanted):
    assert wanted in message(lambda: read_program(program(text)))


def test_who_asks_for_labels_is_told_that_there_are_none(program):
    assert "this one learns by acting" in message(lambda: read_outline(program('[environment]\nid = "CartPole-v1"\n')))
