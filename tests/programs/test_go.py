"""Go: known positions, C against NumPy, GTP with lines that make no sense, SGF there and back, and a person at the terminal."""

import io
import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tacit
from tacit.acting.meeting import program_of_examples
from tacit.environments.game import random_moves
from tacit.environments.game_check import check_game
from tacit_programs.go import Go, Go5, Go7, Go9, show
from tacit_programs.go.gtp import Engine, handicap_points, serve
from tacit_programs.go.native import library
from tacit_programs.go.opponents import GtpProgram, Played, Tally, openings, play_game, play_match
from tacit_programs.go.players import EMBEDDED, Players, fits
from tacit_programs.go.predecessor import gnugo_command, gnugo_rules, plain_uct
from tacit_programs.go.program import PROGRAM
from tacit_programs.go.session import IllegalMove, Session, move_of, result_of
from tacit_programs.go.sgf import Record, load_sgf, read_sgf, record_of, save_sgf, write_sgf
from tacit_programs.go.shape import names_of
from tacit_programs.go.terminal import Table

#: Both ways to have the rules: C, and NumPy.
BOTH = pytest.mark.parametrize("compiled", [True, False], ids=["c", "numpy"])


def placed(drawing, *, turn=0, **rules):
    """Give a game and a position as it is drawn: X black, O white, rows from the top."""
    rows = drawing.split()
    points = {sign: [n for n, letter in enumerate("".join(rows)) if letter == sign] for sign in "XO"}
    game = Go(len(rows), **rules)
    return game, game.placed(points["X"], points["O"], turn=turn)


def board_after(game, position, *moves):
    """Play moves by name, and draw the board."""
    for name in moves:
        move = move_of(game.size, name)
        assert game.legal(position)[0, move], name
        position = game.play(position, np.array([move]))
    board = game.shape.board(position)[0].reshape(game.size, -1)
    return position, " ".join("".join(".XO"[stone] for stone in row) for row in board)


def legal(game, position, name):
    return bool(game.legal(position)[0, move_of(game.size, name)])


# --- the rules


@BOTH
def test_stones_without_liberties_are_taken(compiled):
    game, position = placed(".XO. XOOX .XX. ....", compiled=compiled)
    assert board_after(game, position, "D4")[1] == ".X.X X..X .XX. ...."
    game, position = placed("O.OX XOX. .... ....", compiled=compiled)  # a move that takes two chains at once and lives by that
    assert board_after(game, position, "B4")[1] == ".X.X XOX. .... ...."


@BOTH
def test_a_stone_may_not_be_taken_back_at_once(compiled):
    game, position = placed(".XO. XO.O .XO. ....", compiled=compiled)
    position, drawn = board_after(game, position, "C3")
    assert drawn == ".XO. X.XO .XO. ...."
    assert not legal(game, position, "B3") and game.encode(position)[0, 2].sum() == 2  # and a single stone in the corner would be suicide
    position, _ = board_after(game, position, "D1", "A1")
    assert legal(game, position, "B3")


@BOTH
def test_suicide_is_as_the_rules_say(compiled):
    game, position = placed(".OX OOX XX.", turn=1, compiled=compiled)
    _, after = board_after(game, position, "A3")
    assert after == "..X ..X XX."  # three of one's own
    assert not legal(Go(3, suicide=False, compiled=compiled), Go(3, suicide=False, compiled=compiled).marked(position), "A3")
    game, position = placed(".X. X.X .X.", turn=1, compiled=compiled)
    assert not legal(game, position, "B2") and not legal(game, position, "A1")  # a single stone leaves the board as it was


@BOTH
def test_no_board_comes_twice(compiled):
    """Three kos in a ring: by the rule of the last move alone the ring could be gone round for ever."""
    game = Go(2, compiled=compiled)
    position, drawn = board_after(game, game.start(1), "A1", "B1", "A2", "B2")
    assert drawn == ".O .O"  # white's last stone took two
    position, drawn = board_after(game, position, "A2", "A1")
    assert drawn == ".O OO"
    position, drawn = board_after(game, position, "A2")
    assert drawn == "X. .."
    seen = set()
    random = np.random.default_rng(0)
    for _ in range(30):
        walk, boards = game.start(1), [b"\0" * 4]
        while not game.ended(walk)[0]:
            move = random_moves(game, walk, random)
            walk = game.play(walk, move)
            if move[0] < 4:
                boards.append(game.shape.board(walk)[0].tobytes())
        assert len(set(boards)) == len(boards)
        seen |= set(boards)
    assert len(seen) > 20


def test_a_known_number_of_boards_and_games():
    """Count the legal boards of 2x2 (57, Tromp and Farneback 2007) that play reaches, and those of the first moves on 3x3."""
    game = Go(2)
    reached, edge = {bytes(4)}, game.start(1)
    for _ in range(8):
        moves = [(row, move) for row in range(len(edge)) for move in np.flatnonzero(game.legal(edge)[row])]
        edge = game.play(edge[[row for row, _ in moves]], np.array([move for _, move in moves]))
        reached |= {board.tobytes() for board in game.shape.board(edge)}
        edge = edge[~game.ended(edge)]
        edge = edge[np.random.default_rng(0).permutation(len(edge))[:4000]]
    assert len(reached) == 57
    counts, edge = [], Go(3).start(1)
    for _ in range(3):
        moves = [(row, move) for row in range(len(edge)) for move in np.flatnonzero(Go(3).legal(edge)[row])]
        edge = Go(3).play(edge[[row for row, _ in moves]], np.array([move for _, move in moves]))
        edge = edge[~Go(3).ended(edge)]
        counts.append(len(edge))
    assert counts == [10, 81 + 9, 72 * 8 + 9 * 8 + 9 * 9]  # by hand: with a pass each, less those with which the game is over


@BOTH
def test_the_area_is_counted_with_all_stones_alive(compiled):
    game, position = placed("XX.OO XX.OO XX.OO XX.OO XXXO.", compiled=compiled)
    assert game.score(position)[0] == 11 - 10 - 0.5  # the middle column touches both and is nobody's, E1 is white's
    assert result_of(float(game.score(position)[0])) == "B+0.5"
    after, _ = board_after(game, position, "pass")
    assert np.isnan(game.outcome(after)[0])
    after, _ = board_after(game, after, "pass")
    assert np.isclose(game.outcome(after)[0], 0.7 + 0.3 * 0.5 / 25)
    assert np.isclose(Go(5, komi=30, compiled=compiled).outcome(after)[0], -1.0)  # never beyond


@BOTH
def test_it_keeps_the_protocol(compiled):
    check_game(Go(3, compiled=compiled))
    if compiled:
        check_game(Go(5, suicide=False), seed=1)
    copied = pickle.loads(pickle.dumps(Go5(compiled=compiled)))
    assert copied == Go5(compiled=compiled) and len(pickle.dumps(copied)) < 500


def test_sizes_and_names():
    assert [(game.size, game.longest, game.name) for game in (Go5(), Go7(), Go9())] == [(5, 75, "go-5"), (7, 147, "go-7"), (9, 243, "go-9")]
    assert Go(19).moves[0] == "A19" and Go(19).moves[-2:] == ("T1", "pass") and "I5" not in Go(19).moves
    with pytest.raises(ValueError, match="2 to 19 lines, got 20"):
        Go(20)
    assert show(Go(3), Go(3).placed([4], [0])[0], last=4).splitlines() == ["   A B C", " 3 O . .", " 2 .(X).", " 1 . . ."]


@pytest.mark.skipif(library() is None, reason="there is no compiler")
@settings(max_examples=6, deadline=None)
@given(size=st.sampled_from([2, 3, 4, 5]), suicide=st.booleans(), seed=st.integers(0, 2**31), pace=st.integers(1, 9))
def test_c_and_numpy_give_the_same_to_the_last_bit(size, suicide, seed, pace):
    fast, plain = Go(size, suicide=suicide), Go(size, suicide=suicide, compiled=False)
    random = np.random.default_rng(seed)
    ours, theirs = fast.start(5), plain.start(5)
    for ply in range(fast.longest):
        assert np.array_equal(ours, theirs)
        if ply % pace == 0:
            assert np.array_equal(fast.encode(ours), plain.encode(theirs)) and np.array_equal(fast.score(ours), plain.score(theirs))
        if ply == 2 * pace:
            seeds = random.integers(0, 2**63, len(ours)).astype(np.uint64)
            assert np.array_equal(fast.playouts(ours, seeds), plain.playouts(theirs, seeds))
        going = np.isnan(fast.outcome(ours))
        assert np.array_equal(going, np.isnan(plain.outcome(theirs)))
        ours, theirs = ours[going], theirs[going]
        if not len(ours):
            break
        moves = random_moves(fast, ours, random)
        ours, theirs = fast.play(ours, moves), plain.play(theirs, moves)


@pytest.mark.skipif(library() is None, reason="there is no compiler")
def test_a_rule_that_differs_is_found():
    fast, plain = Go(5), Go(5, compiled=False, suicide=False)
    _, position = placed(".OX.. OOX.. XX... ..... .....", turn=1)
    assert not np.array_equal(fast.marked(position), plain.marked(position))


def test_random_games_fill_no_eyes():
    game, position = placed(".X.XO XXXXO OOOOO O.O.O OOOOO", turn=0)
    scores = game.playouts(position.repeat(50, axis=0), np.arange(50, dtype=np.uint64))
    assert len(set(scores.tolist())) == 1  # both live with two eyes: nobody can do anything
    assert np.isclose(scores[0], -(0.7 + 0.3 * (25 - 2 * 8 + 0.5) / 25))
    empty = Go(5).playouts(Go(5).start(200), np.arange(200, dtype=np.uint64))
    assert -0.3 < empty.mean() < 0.5 and len(set(empty.tolist())) > 5


# --- names, sessions, SGF


@pytest.mark.parametrize("text", ["", "I5", "A0", "F1", "A6", "AA1", "5A", "A-1", "A1x", "ä1", "A99999999999", "resign"])
def test_a_name_that_is_no_move_is_refused(text):
    with pytest.raises(tacit.TacitError, match="expected a point from A1 to E5 or `pass`"):
        move_of(5, text)


def test_a_session_refuses_and_takes_back():
    session = Session(Go(5, suicide=False))
    session.play(0, 12)
    for move, reason in ((12, "there is a stone"),):
        with pytest.raises(IllegalMove, match=reason):
            session.play(1, move)
    session.play(0, 0)  # white is passed over
    assert session.turn == 1 and not session.ended
    assert session.undo() and session.undo() and not session.undo()
    game, position = placed(".XO. XO.O .XO. ....")
    session = Session(game, position)
    session.play(0, move_of(4, "C3"))
    with pytest.raises(IllegalMove, match="the board was so before"):
        session.play(1, move_of(4, "B3"))
    game, position = placed(".X. X.X .X.", turn=1, suicide=False)
    with pytest.raises(IllegalMove):
        Session(game, position).play(1, 4)


TRICKY = r"""
 some words before (;GM[1]FF[4]CA[UTF-8]SZ[5]KM[0.5]PB[a \] b \\ c \: d]PW[two
lines \
joined]C[(;B[aa\])]
;B[cc];W[];B[bb](;W[dd];B[tt])(;W[ee](;B[aa])(;B[ab])))(;GM[1]SZ[9])"""


def test_sgf_is_read_down_the_main_line():
    record = read_sgf(TRICKY)
    assert record.size == 5 and record.komi == 0.5
    assert record.moves == ((0, 12), (1, 25), (0, 6), (1, 18), (0, 25))
    assert record.about["PB"] == r"a ] b \ c : d" and record.about["PW"] == "two\nlines joined" and record.about["C"] == "(;B[aa])"
    session = record.replay()
    assert session.turn == 1 and session.game.passes(session.position)[0] == 1
    assert read_sgf(write_sgf(record)) == record


def test_placed_stones_and_who_begins():
    record = read_sgf("(;SZ[9]AB[aa:bb][ii]AW[cc]AE[ab]KM[6.5];W[ee])")
    assert record.black == (0, 1, 10, 80) and record.white == (20,) and record.turn == 1
    assert read_sgf(write_sgf(record)) == record
    assert read_sgf("(;SZ[9]AB[aa][cc])").turn == 1 and read_sgf("(;SZ[9]PL[W])").turn == 1 and read_sgf("(;SZ[9])").turn == 0


@settings(max_examples=25, deadline=None)
@given(
    size=st.integers(2, 19), seed=st.integers(0, 2**31), text=st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=30)
)
def test_sgf_there_and_back(size, seed, text):
    session, random = Session(Go(size, komi=float(seed % 15) / 2)), np.random.default_rng(seed)
    for _ in range(seed % 12):
        if not session.ended:
            session.play(session.turn, int(random_moves(session.game, session.position, random)[0]))
    record = record_of(session, GC=text, PB="x")
    again = read_sgf(write_sgf(record))
    assert again == record and np.array_equal(again.replay().position, session.position)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "begins with `(;`"),
        ("(;GM[2])", "expected a game of Go"),
        ("(;SZ[20])", "2 to 19, got SZ[20]"),
        ("(;SZ[5:7])", "got SZ[5:7]"),
        ("(;SZ[5];B[ff])", "from aa to ee, got [ff]"),
        ("(;SZ[5];B[a])", "got [a]"),
        ("(;SZ[5]KM[x])", "points in KM"),
        ("(;SZ[5];B[aa]", "expected `)`"),
        ("(B[aa])", "expected `;` before"),
        ("(;[aa])", "expected a name before"),
        ("(;SZ[5]B[aa)", "expected `;`, `(`, `)` or a property"),
        ("(;SZ[5];B[aa];AB[bb])", "before the first move only"),
        ("()", "at least one node"),
    ],
)
def test_sgf_that_makes_no_sense_is_refused(text, said):
    with pytest.raises(tacit.TacitError) as refused:
        read_sgf(text, where="game.sgf")
    assert said in str(refused.value) and "game.sgf" in str(refused.value) and "try: " in str(refused.value)


def test_sgf_files(tmp_path):
    record = Record(5, 0.5, ((0, 12), (1, 13)))
    save_sgf(record, tmp_path / "game.sgf")
    assert load_sgf(tmp_path / "game.sgf") == record
    with pytest.raises(tacit.TacitError, match="expected an SGF file"):
        load_sgf(tmp_path / "none.sgf")
    with pytest.raises(tacit.TacitError, match="could not write"):
        save_sgf(record, tmp_path / "none" / "game.sgf")
    with pytest.raises(IllegalMove):
        Record(5, 0.5, ((0, 12), (1, 12))).replay()


#: Black takes a corner and white lives on the side; the result was counted by hand.
KNOWN = "(;GM[1]FF[4]SZ[5]KM[0.5];B[cc];W[bb];B[cb];W[bc];B[bd];W[ca];B[da];W[ba];B[ad];W[cd];B[dd];W[ac];B[dc];W[cd];B[];W[])"


def test_a_known_game_is_replayed():
    session = read_sgf(KNOWN.replace(";W[cd];B[];W[]", "")).replay()
    assert session.position[0, 0] & np.uint64(0xFFFF) == 13
    drawn = show(session.game, session.position[0]).splitlines()
    assert drawn[1:] == [" 5 . O O X .", " 4 . O X . .", " 3 O O X X .", " 2 X X O X .", " 1 . . . . ."]


# --- GTP


def engine(size=5, player=None):
    return Engine(lambda game: player or plain_uct(game, 8), Session(Go(size)))


def test_gtp_says_what_it_can():
    one = engine()
    assert one.answer("protocol_version\n") == "= 2\n\n" and one.answer("7 name") == "=7 tacit\n\n"
    commands = one.answer("list_commands")[2:].split()
    needed = "protocol_version name version known_command list_commands quit boardsize clear_board komi play genmove undo showboard"
    assert set(needed.split()) | {"final_score", "time_settings", "time_left", "fixed_handicap"} <= set(commands)
    assert all(one.answer(f"known_command {name}") == "= true\n\n" for name in commands)
    assert one.answer("known_command fly") == "= false\n\n"


def test_gtp_plays_a_game():
    one = engine()
    assert one.answer("komi 6.5") == "=\n\n" and one.answer("play B c3") == "=\n\n" and one.answer("play white D3") == "=\n\n"
    assert one.answer("genmove b")[2:].strip() in names_of(5)
    assert one.answer("undo") == "=\n\n" and len(one.session.moves) == 2
    assert "X)" in one.answer("showboard") or "O)" in one.answer("showboard")
    assert one.answer("final_score") == "= W+6.5\n\n"
    assert one.answer("play w pass") == "=\n\n" and one.answer("play b PASS") == "=\n\n" and one.session.ended
    assert one.answer("genmove w") == "= pass\n\n"
    assert one.answer("clear_board") == "=\n\n" and one.session.moves == [] and one.session.game.komi == 6.5
    assert one.answer("boardsize 9") == "=\n\n" and one.answer("fixed_handicap 2") == "= C3 G7\n\n"
    assert one.session.turn == 1 and one.answer("final_status_list alive") == "= G7\nC3\n\n"
    assert one.answer("time_settings 0 5 1") == "=\n\n" and one.answer("time_left w 30 0") == "=\n\n"
    assert one.answer("clear_board") == "=\n\n" and one.answer("set_free_handicap A1 B2") == "= A1 B2\n\n"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("fly", "? unknown command\n\n"),
        ("3 fly", "?3 unknown command\n\n"),
        ("4", "?4 empty command\n\n"),
        ("play b", "? syntax error\n\n"),
        ("play red C3", "? syntax error\n\n"),
        ("play b 33", "? syntax error\n\n"),
        ("play b Z9", "? illegal move\n\n"),
        ("play w C3", "? illegal move\n\n"),
        ("boardsize", "? syntax error\n\n"),
        ("boardsize nine", "? syntax error\n\n"),
        ("boardsize 1", "? unacceptable size\n\n"),
        ("boardsize 25", "? unacceptable size\n\n"),
        ("komi nan", "? syntax error\n\n"),
        ("komi 1e9", "? syntax error\n\n"),
        ("genmove", "? syntax error\n\n"),
        ("genmove x", "? syntax error\n\n"),
        ("fixed_handicap 5", "? invalid number of stones\n\n"),
        ("set_free_handicap A1 A1", "? bad vertex list\n\n"),
        ("time_left b x 0", "? syntax error\n\n"),
        ("loadsgf none.sgf", "? expected an SGF file - at `none.sgf`\n\n"),
        ("# a comment", ""),
        (" \t ", ""),
        ("x" * 5000, "? line too long\n\n"),
    ],
)
def test_gtp_answers_what_makes_no_sense(line, said):
    one = engine()
    one.answer("play b C3")
    assert one.answer(line) == said


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.one_of(st.text(max_size=40), st.sampled_from(["play b a1", "undo", "play w pass", "showboard", "boardsize 3", "7 x #"])))
)
def test_gtp_never_ends_by_itself(lines):
    one = engine()
    for line in lines:
        said = one.answer(line)
        assert said == "" or (said[0] in "=?" and said.endswith("\n\n") and "\n\n" not in said[:-2])
        assert not one.quitting or "quit" in line


def test_gtp_survives_a_player_that_fails():
    def failing(positions):
        raise RuntimeError("no idea")

    assert engine(player=failing).answer("genmove b") == "? internal error: RuntimeError: no idea\n\n"


def test_gtp_saves_and_loads(tmp_path):
    one = engine()
    one.answer("play b C3")
    assert one.answer(f"printsgf {tmp_path / 'game.sgf'}") == "=\n\n" and ";B[cc]" in one.answer("printsgf")
    other = engine(9)
    assert other.answer(f"loadsgf {tmp_path / 'game.sgf'}") == "=\n\n" and other.session.game.size == 5
    assert other.session.moves == [(0, 12)]
    assert other.answer(f"loadsgf {tmp_path / 'game.sgf'} 1") == "=\n\n" and other.session.moves == []


def test_gtp_is_served_until_quit():
    output = io.StringIO()
    serve(engine(), ["1 name\n", "\n", "2 quit\n", "3 name\n"], output)
    assert output.getvalue() == "=1 tacit\n\n=2\n\n"
    assert handicap_points(5) == [] and len(handicap_points(9)) == 9 and len(handicap_points(8)) == 4


def test_gtp_over_pipes_and_a_match_against_oneself():
    command = [sys.executable, "-m", "tacit_programs.go", "gtp", "--size", "3", "--evaluations", "8"]
    game = Go(3)
    with GtpProgram(command) as other:
        assert other.ask("name") == "tacit"
        with pytest.raises(tacit.TacitError, match=r"expected .* to accept `fly`, got `. unknown command`"):
            other.ask("fly")
        played = play_game(game, plain_uct(game, 8), other, [4, 0], 0)
    assert played.opening == ("B2", "A3") and played.how == "score" and played.won == np.sign(played.score)
    with pytest.raises(tacit.TacitError, match="it has ended"):
        other.ask("name")
    with pytest.raises(tacit.TacitError, match="could not start"):
        GtpProgram(["no-such-engine"])


def test_openings_differ_and_a_tally_counts_colours_apart():
    found = openings(Go(5), 20, seed=1)
    assert len(set(found)) == 20 and found == openings(Go(5), 20, seed=1) and all(len(opening) == 2 for opening in found)
    with pytest.raises(tacit.TacitError, match="expected 9 different openings"):
        openings(Go(2), 9, moves=1)
    games = [Played(n % 2, ("A1",), ("pass", "pass"), 0.5, "score" if n else "resignation", 1 if n < 3 else -1) for n in range(8)]
    counted = Tally(tuple(games)).shares()
    assert counted["all"]["wins"] == 3 and counted["as black"]["wins"] == 2 and counted["as white"]["win rate"] == 0.25
    assert counted["ended by"] == {"score": 7, "resignation": 1, "illegal move": 0}


# --- a person


def test_a_person_plays_in_a_terminal(tmp_path):
    output = io.StringIO()
    lines = ["c3", "z9", "c3", "undo", "undo", "think", "hint", "help", f"save {tmp_path / 'game.sgf'}", "pass", "pass", "quit"]
    assert Table(Go(3), lambda game: plain_uct(game, 30), output).play(lines) == 0
    said = output.getvalue()
    assert "expected a point from A1 to C3" in said and "There is nothing to take back." in said and "I would play" in said
    assert (tmp_path / "game.sgf").is_file() and "white plays" in said
    output = io.StringIO()
    assert Table(Go(3), lambda game: plain_uct(game, 30), output, person=1).play(["resign"]) == 0
    assert "black plays" in output.getvalue() and "black wins: B+R." in output.getvalue()


def test_options_are_checked():
    for options, said in (
        ({"size": "40"}, "expected a whole number from 2 to 19, got `40` - at `--size`"),
        ({"komi": "many"}, "at `--komi`"),
        ({"evaluations": "0"}, "at `--evaluations`"),
        ({"colour": "green"}, "expected black or white"),
        ({"file": "none.tacit"}, "none.tacit"),
    ):
        with pytest.raises(tacit.TacitError) as refused:
            PROGRAM.play(options, reporter=tacit.Reporter())
        assert said in str(refused.value)
    done = subprocess.run([sys.executable, "-m", "tacit_programs.go", "fly"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2 and done.stderr.startswith("usage: ")


@pytest.mark.parametrize(("data", "size"), [("5x5", 5), ("7x7", 7), ("9x9", 9)])
def test_a_directory_is_read(tmp_path, data, size):
    program = tacit.read(PROGRAM.write(tmp_path / "go", data, reporter=tacit.Reporter()))
    assert program.game.size == size and program.name == f"go-{size}"
    with pytest.raises(tacit.TacitError, match="expected an empty folder"):
        PROGRAM.write(tmp_path / "go", data, reporter=tacit.Reporter())


@pytest.mark.skipif(not EMBEDDED.exists(), reason="no network is shipped")
def test_the_network_that_is_shipped_begins_in_the_centre_and_takes_what_it_can():
    assert EMBEDDED.stat().st_size < 400_000
    player = Players(evaluations=64)(Go5())
    assert Go5().moves[int(player(Go5().start(1))[0])] == "C3"
    game, position = placed(".XO.. XO.O. .XO.. ..... .....")
    assert fits(tacit.load(EMBEDDED), game) and game.legal(position)[0, player(position)[0]]


@pytest.mark.skipif(not EMBEDDED.exists(), reason="no network is shipped")
def test_what_a_network_meets_are_examples_of_what_it_prefers():
    binary = tacit.load(EMBEDDED)
    met = program_of_examples(binary, tacit.Program("go-5", game=Go5()))
    train, test = met.examples.split("train"), met.examples.split("test")
    assert min(len(train), len(test)) > 500 and not set(train.ids) & set(test.ids) and met.game is None
    scores = binary.run([test.inputs[0][:50]])[0].reshape(50, -1)
    assert np.array_equal(scores.argmax(axis=1), test.targets[:50].reshape(-1))


# --- with GNU Go


@pytest.mark.system
def test_a_match_against_gnugo():
    game = gnugo_rules(Go5())
    told = []
    tally = play_match(game, plain_uct(game, 60), gnugo_command(level=0), games=2, told=told.append)
    assert len(told) == 2 and len(tally.games) == 2 and tally.shares()["ended by"]["illegal move"] == 0
    for played in tally.games:
        record = Record(5, 0.5, tuple((n % 2, move_of(5, name)) for n, name in enumerate([*played.opening, *played.moves])))
        assert np.isclose(game.score(record.replay(game).position)[0], played.score)


@pytest.mark.system
@pytest.mark.parametrize("size", [5, 9])
def test_the_rules_are_those_of_gnugo(size):
    """Every move that is legal here, and no other, is legal there, all through some random games."""
    game, random = gnugo_rules(Go(size)), np.random.default_rng(size)
    with GtpProgram(gnugo_command(level=0)) as other:
        for _ in range(2):
            for line in (f"boardsize {size}", "clear_board", f"komi {game.komi:g}"):
                other.ask(line)
            session = Session(game)
            while not session.ended and len(session.moves) < 60:
                colour = ("black", "white")[session.turn]
                theirs = set(other.ask(f"all_legal {colour}").split()) - {"PASS"}
                ours = {names_of(size)[move] for move in np.flatnonzero(game.legal(session.position)[0, :-1])}
                assert ours == theirs, (session.moves, ours ^ theirs)
                move = int(random_moves(game, session.position, random)[0])
                other.ask(f"play {colour} {names_of(size)[move]}")
                session.play(session.turn, move)
