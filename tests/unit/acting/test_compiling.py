"""Programs that act become binaries whose returns and games were measured on what is shipped, and can be measured again."""

import time

import gymnasium
import numpy as np
import pytest
import torch

import tacit
from tacit.acting.measuring import measure_again, player_of, shares_of, wilson
from tacit.acting.meeting import program_of_examples
from tacit.attribution.making import write_features
from tacit.ground.errors import BudgetError, ConfigError, InputError, UnknownName
from tacit.instruments.layout import plain
from tacit.instruments.testing import test as check
from tacit.search.players import Match, RandomPlayer, match
from tests.unit.environments.tic_tac_toe import TicTacToe, after

SMALL = {"lanes": 4, "horizon": 64, "passes": 4, "batch": 64, "looks": 2}
QUICK = {"evaluations": 8, "games": 16, "batch": 64}


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def pole(**changes):
    given = {
        "environment": "CartPole-v1",
        "recipe": SMALL,
        "budget": tacit.Budget(steps=1024),
        "episodes": 5,
        "goals": (tacit.Goal("return", 5),),
        **changes,
    }
    return tacit.Program("pole", **given)


def board(**changes):
    given = {
        "game": TicTacToe(),
        "recipe": QUICK,
        "budget": tacit.Budget(steps=32),
        "episodes": 10,
        "settings": {"width": 8, "depth": 1},
        **changes,
    }
    return tacit.Program("board", **given)


@pytest.fixture(scope="module")
def acting():
    torch.set_num_threads(1)
    return tacit.compile(pole())


@pytest.fixture(scope="module")
def playing():
    torch.set_num_threads(1)
    goals = (tacit.Goal("non_loss_rate", 0.0, label="random"), tacit.Goal("win_rate", 1.1))
    return tacit.compile(board(goals=goals))


def message(work, error=ConfigError):
    with pytest.raises(error) as caught:
        work()
    return str(caught.value)


def test_the_same_steps_and_seed_give_the_same_bytes(acting):
    assert tacit.compile(pole()).to_bytes() == acting.to_bytes()
    assert tacit.compile(pole(), seed=1) != acting


def test_the_evidence_tells_returns_with_their_spread(acting):
    block = acting.evidence["scores"]["test"]
    assert block["count"] == 5 and block["return_least"] <= block["return"] <= block["return_greatest"]
    assert block["return_standard_error"] == pytest.approx(block["return_deviation"] / 5**0.5)
    assert acting.evidence["goals"][0]["value"] == block["return"] and acting.evidence["run"]["steps"] == 1024
    assert acting.evidence["acting"]["id"] == "CartPole-v1"
    words = plain(tacit.report(acting).parts())
    assert "5 fresh episodes" in words and "took 1024 steps" in words and "examples" not in words
    card = tacit.card(acting)
    assert "found by acting in the environment `CartPole-v1`" in card and "test split" not in card and "- type: return" in card


def test_the_file_alone_is_enough_to_measure_it_again(acting, tmp_path):
    loaded = tacit.load(acting.save(tmp_path / "pole.tacit"))
    assert measure_again(loaded) == acting.evidence["scores"]["test"]
    assert measure_again(loaded, episodes=3, seed=9)["count"] == 3
    verdict = check(loaded)
    assert verdict.met and [found.kind for found in verdict.checks] == ["goal", "probe"]
    assert loaded((0.0, 0.0, 0.1, 0.0)) in ("0", "1")


def test_a_goal_that_is_not_met_is_seen_again(acting):
    strict = tacit.Binary(acting.graphs, acting.signature, evidence={**acting.evidence, "goals": [{"metric": "return", "threshold": 1e9}]})
    assert not check(strict).met


def test_an_environment_without_an_id_needs_its_program(acting):
    made = tacit.compile(pole(environment=lambda: gymnasium.make("CartPole-v1")))
    assert made == acting and made.evidence["acting"]["id"] is None
    verdict = check(made)
    assert "not measured again: expected an environment with an id" in verdict.notes[0] and verdict.met
    assert check(made, against=pole()).met


def test_a_file_does_not_choose_what_code_runs(acting):
    for place in ({"kind": "environment", "id": "os:system"}, {"kind": "game", "id": "os:abort"}):
        changed = tacit.Binary(acting.graphs, acting.signature, evidence={"acting": place})
        assert "is not" in message(lambda binary=changed: measure_again(binary)) or "none in the file" in message(
            lambda binary=changed: measure_again(binary)
        )


def test_continuous_actions_are_numbers_in_their_own_unit():
    program = tacit.Program("swing", environment="Pendulum-v1", recipe=SMALL, budget=tacit.Budget(steps=512), episodes=2)
    binary = tacit.compile(program)
    assert isinstance(binary((1.0, 0.0, 0.0)), float) and -2000 < binary.evidence["scores"]["test"]["return"] < 0


def test_a_game_is_held_to_its_goals(playing):
    against = playing.evidence["scores"]["test"]["against"]
    assert set(against) == {"random", "uct"} and against["random"]["games"] == 10
    rows = playing.evidence["goals"]
    assert [(row["label"], row["met"]) for row in rows] == [("random", True), ("uct", False)]
    words = plain(tacit.report(playing).parts())
    assert "non_loss_rate against random" in words and "10 games against each" in words and "took 32 games" in words
    assert "by playing the game `tic-tac-toe` against itself" in tacit.card(playing)


def test_a_game_of_ones_own_is_measured_with_its_program(playing):
    assert "not measured again: expected a game that is installed" in check(playing).notes[0]
    verdict = check(playing, against=board(goals=(tacit.Goal("non_loss_rate", 0.0, label="random"),)))
    assert verdict.met and verdict.scores["test"]["against"]["random"] == playing.evidence["scores"]["test"]["against"]["random"]


def test_a_binary_with_a_search_is_a_player(playing):
    game = TicTacToe()
    player = player_of(playing, game, 60)
    assert game.moves[int(player(after("a", "d", "b", "e"))[0])] == "c"
    random = RandomPlayer(game, np.random.default_rng(0))
    assert (match(game, player, random, 20, seed=0).outcomes >= 0).mean() > 0.8
    assert playing(game.encode(game.start(1))[0]) in game.moves


def test_a_player_of_another_game_is_refused(acting):
    assert "expected a binary for tic-tac-toe ((2, 3, 3), 9 moves)" in message(lambda: player_of(acting, TicTacToe(), 8))


def test_shares_come_with_intervals():
    shares = shares_of(Match(np.array([1, 1, 1, 0, -1, 1], np.float32), np.array([True, False] * 3)))
    assert (shares["wins"], shares["draws"], shares["losses"]) == (4, 1, 1)
    assert shares["win_rate_beginning"] == pytest.approx(2 / 3) and shares["non_loss_rate"] == pytest.approx(5 / 6)
    assert wilson(0, 10)[0] == 0.0 and wilson(10, 10)[1] == 1.0


def test_the_size_keeps_within_the_budget():
    small = tacit.compile(pole(budget=tacit.Budget(steps=256, macs=2000)))
    assert small.evidence["costs"]["macs"] <= 2000 and small.evidence["run"]["settings"] == {"width": 32}
    assert "got none among 2" in message(lambda: tacit.compile(pole(budget=tacit.Budget(steps=256, macs=10))), BudgetError)


def test_what_can_not_be_learnt_is_refused_before_a_run():
    assert "`accuracy` is not measured in an environment" in message(lambda: tacit.compile(pole(goals=(tacit.Goal("accuracy"),))))
    assert "expected a known opponent, got `gnu`" in message(lambda: tacit.compile(board(goals=(tacit.Goal("win_rate", label="gnu"),))))
    assert "`train.lane` is not known: did you mean `lanes`?" in message(lambda: tacit.compile(pole(recipe={"lane": 3})))
    assert "expected one value for `skeleton.width`" in message(lambda: tacit.compile(pole(settings={"width": tacit.choice(8, 16)})))
    assert "did you mean `evolution`?" in message(lambda: tacit.compile(pole(recipe={"search": "evolutoin"})), UnknownName)
    assert "expected a way to learn from a game" in message(lambda: tacit.compile(board(recipe={"search": "policy_gradient"})))

    class Wrong(TicTacToe):
        longest = 4

    assert "`longest`: a game goes on after 4 moves" in message(lambda: tacit.compile(board(game=Wrong())), InputError)


def test_a_program_needs_something_to_learn_from():
    assert "got none of them - at the program `nothing`" in message(lambda: tacit.Program("nothing"))
    assert "got environment and game" in message(lambda: tacit.Program("both", environment="CartPole-v1", game=TicTacToe()))
    assert len(pole().examples) == 0 and pole().acts


def test_a_run_that_had_ended_goes_on_from_its_end(tmp_path):
    half = pole(budget=tacit.Budget(steps=512))
    tacit.compile(half, run_directory=tmp_path)
    notes = []

    class Told(tacit.Reporter):
        def note(self, text):
            notes.append(text)

    again = tacit.compile(half, run_directory=tmp_path, resume=True, reporter=Told())
    assert "going on after 512 steps" in notes and again == tacit.compile(half)


def test_what_needs_examples_says_so(acting):
    assert "learns by acting - at the features for blame" in message(lambda: write_features(pole(), acting))
    assert "expected a program with labels for a warm start" in message(lambda: tacit.compile(pole(), warm="auto"))


def test_what_it_meets_are_examples_for_builds(acting, tmp_path):
    met = program_of_examples(acting, pole())
    assert not met.acts and set(met.examples.splits) == {"train", "test"} and met.goals == (tacit.Goal("accuracy"),)
    test = met.examples.split("test")
    assert np.array_equal(acting.evaluate(test).argmax(axis=1), test.targets)
    built = tacit.build(acting, "numpy", folder=tmp_path / "out", int8=True, allow_drop=20, program=pole())
    assert built.met and "labelled by what it did" in built.notes[-1] and (built.integers is not None)


def test_a_budget_by_the_clock_keeps_time_for_measuring():
    begun = time.monotonic()
    made = tacit.compile(board(budget=tacit.Budget(minutes=0.05)))
    assert made.evidence["run"]["seconds"] < 30 and time.monotonic() - begun < 60
    assert made.evidence["run"]["steps"] >= 16 and "--repeat" in made.evidence["run"]["repeat"]
