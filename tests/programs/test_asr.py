"""The recogniser of digits: its data, its predecessor, the network on what a microphone gives, and sequences from a table to int8 C."""

import csv
from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pytest

import tacit
from tacit_programs.asr import DIGITS, SPEAKERS, Recording, cepstra, embedded, make_strings, markov, wav_bytes
from tacit_programs.asr.predecessor import choose, heard, predecessor, recognise, wrong
from tacit_programs.asr.program import PROGRAM, STRINGS, string_rows, word_rows
from tacit_programs.asr.strings import LONGEST, MOST

RATE = 8000


# --- data ------------------------------------------------------------------------------------------------------------


def test_the_embedded_part_has_every_speaker_and_digit():
    recordings = embedded()
    assert len(recordings) == 240
    counts = {(one.speaker, one.digit, one.take) for one in recordings}
    assert counts == set(product(SPEAKERS, DIGITS, (0, 5, 6, 7)))
    assert sum(one.official_test for one in recordings) == 60
    assert all(800 < len(one.sound) < 20_000 and np.abs(one.sound).max() > 300 for one in recordings)


def marked():
    """Recordings that can be told apart in a string: each is a level of its own, of one speaker and digit per take."""
    return [
        Recording(np.full(400, 100 + take, np.int16), digit, speaker, take)
        for speaker in SPEAKERS
        for digit in DIGITS
        for take in range(50)
    ]


def test_strings_are_made_again_from_their_seed_and_stay_within_limits():
    first, again, other = (make_strings(embedded(), 40, seed=seed) for seed in (3, 3, 4))
    assert all(np.array_equal(one.sound, two.sound) and one.digits == two.digits for one, two in zip(first, again, strict=True))
    assert [one.digits for one in first] != [one.digits for one in other]
    lengths = {len(one.digits) for one in make_strings(embedded(), 120, seed=0)}
    assert lengths == {0, 3, 4, 5, 6, MOST}
    assert all(len(one.sound) <= LONGEST and one.sound.dtype == np.int16 for one in first)


@pytest.mark.parametrize("data", STRINGS)
def test_test_strings_are_of_test_recordings_alone(data, monkeypatch):
    used = {}

    def keep(recordings, count, *, seed):
        used[seed] = {one.take for one in recordings}
        return make_strings(recordings, 1, seed=seed)

    monkeypatch.setattr("tacit_programs.asr.program.make_strings", keep)
    splits = {split for _, _, _, split in string_rows(marked(), data)}
    assert used[2] == set(range(5))
    assert not used[0] & used[2]
    if data == "fsdd-strings":
        assert splits == {"train", "validation", "test"}
        assert used[1] == set(range(5, 10))
        assert used[0] == set(range(10, 50))


def test_a_speaker_is_left_out_whole():
    rows = list(word_rows(marked(), "fsdd-without-theo"))
    assert {speaker for _, _, speaker, split in rows if split == "test"} == {"theo"}
    assert {speaker for _, _, speaker, split in rows if split == "train"} == set(SPEAKERS) - {"theo"}
    official = list(word_rows(marked(), "fsdd"))
    assert sum(split == "test" for *_, split in official) == 300


# --- the predecessor -------------------------------------------------------------------------------------------------


def small_models(*, silent):
    generator = np.random.default_rng(0)
    states = 2 * 2 + 3 * silent
    mixtures = markov.Mixtures(generator.normal(size=(states, 2, 3)), np.full((states, 2, 3), 0.5), np.full((states, 2), 0.5))
    return markov.Models(2, 2, silent, mixtures, generator.uniform(0.3, 0.8, states))


def by_hand(models, each, row):
    """Give the score of the best way through a row of states, each kept or left, by trying all."""
    best = -np.inf
    for cuts in product(range(2), repeat=len(each) - 1):
        places = np.concatenate([[0], np.cumsum(cuts)])
        if places[-1] != len(row) - 1:
            continue
        path = [row[place] for place in places]
        moves = sum(np.log(1 - models.stays[a]) if moved else np.log(models.stays[a]) for a, moved in zip(path, cuts, strict=False))
        best = max(best, float(each[np.arange(len(each)), path].sum()) + moves)
    return best


def test_scores_and_alignments_are_those_of_the_best_path():
    models = small_models(silent=False)
    sounds = [np.random.default_rng(seed).normal(size=(length, 3)).astype(np.float32) for seed, length in ((1, 5), (2, 8))]
    scores = markov.score(models, sounds)
    for sound, own in zip(sounds, scores, strict=True):
        each = models.mixtures.log_likelihoods(sound)
        assert own == pytest.approx([by_hand(models, each, models.states_of(word)) for word in range(2)], rel=1e-5)
        for word in range(2):
            (path,) = markov.align(models, [sound], [[word]])
            assert path[0] == models.states_of(word)[0]
            assert path[-1] == models.states_of(word)[-1]
            moves = sum(np.log(1 - models.stays[a]) if a != b else np.log(models.stays[a]) for a, b in pairwise(path))
            assert each[np.arange(len(path)), path].sum() + moves == pytest.approx(own[word], rel=1e-5)


def test_the_loop_of_words_finds_what_was_laid_end_to_end():
    models = small_models(silent=True)
    means = models.mixtures.means[:, 0]
    models = replace(models, mixtures=replace(models.mixtures, variances=np.full((7, 2, 3), 0.05)))
    row = [*models.states_of(2), *models.states_of(1), *models.states_of(0), *models.states_of(2), *models.states_of(0)]
    sound = np.repeat(means[row], 3, axis=0).astype(np.float32)
    assert markov.decode(models, [sound, sound[:9]], penalty=1.0) == [[1, 0, 0], []]
    assert markov.decode(models, [sound], penalty=1e4) == [[]]
    (path,) = markov.align(models, [sound], [[1, 0, 0]])
    assert path.tolist() == np.repeat(row, 3).tolist()


def test_mixtures_score_all_states_at_once():
    mixtures = small_models(silent=True).mixtures
    frames = np.random.default_rng(5).normal(size=(6, 3)).astype(np.float32)
    each = mixtures.log_likelihoods(frames)
    gaussians = np.exp(-0.5 * ((frames[:, None, None] - mixtures.means) ** 2 / mixtures.variances).sum(axis=3))
    norm = np.sqrt((2 * np.pi * mixtures.variances).prod(axis=2))
    assert np.allclose(each, np.log((mixtures.shares * gaussians / norm).sum(axis=2)), atol=1e-4)


def test_cepstra_do_not_hear_how_loud_a_sound_is():
    sound = embedded()[7].sound
    assert np.allclose(cepstra.cepstra(sound), cepstra.cepstra((sound * 0.5).astype(np.int16)), atol=1.5)
    assert cepstra.cepstra(np.zeros(10, np.int16)).shape == (1, 39)


# --- the network -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    return tacit.read(PROGRAM.write(tmp_path_factory.mktemp("asr") / "words", "small", reporter=tacit.Reporter()))


@pytest.fixture(scope="module")
def binary(words):
    settings, recipe = {"width": 16, "depth": 0}, {**words.recipe, "augment": ("shift", "gain")}
    return tacit.compile(replace(words, settings=settings, recipe=recipe, budget=tacit.Budget(steps=120)))


def test_both_know_the_digits_of_the_embedded_test_split(words, binary, monkeypatch):
    monkeypatch.setattr("tacit_programs.asr.predecessor.STATES", (6,))
    monkeypatch.setattr("tacit_programs.asr.predecessor.PARTS", 2)
    standing = predecessor(words.examples, reporter=tacit.Reporter())
    assert (standing.kind, standing.metric) == ("predecessor", "accuracy")
    assert standing.score >= 0.9
    assert 0.6 <= binary.evidence["scores"]["test"]["accuracy"] <= 1.0
    row = tacit.standing_of(binary, contestant="asr", metric="accuracy")
    assert row.macs > 1e6


def test_what_a_microphone_gives_is_heard_as_well(binary):
    recordings = [one for one in embedded() if one.official_test]
    plain = binary([wav_bytes(one.sound) for one in recordings])
    fast = [np.interp(np.arange(len(one.sound) * 441 // 80) * 80 / 441, np.arange(len(one.sound)), one.sound / 32768) for one in recordings]

    def agreeing(values):
        return np.mean([a == b for a, b in zip(plain, binary(values), strict=True)])

    assert agreeing([(44100, sound) for sound in fast]) >= 0.8
    assert agreeing([np.stack([one.sound, one.sound], axis=1) for one in recordings]) == 1.0
    assert (
        agreeing([np.clip(one.sound * (65536.0 / max(1, np.abs(one.sound).max())), -32768, 32767).astype(np.int16) for one in recordings])
        >= 0.6
    )


def test_words_are_heard_in_a_stream_and_silence_is_none(binary):
    recordings = [one for one in embedded() if one.official_test][::7]
    pause = np.zeros(RATE, np.int16)
    stream = np.concatenate([part for one in recordings for part in (pause, one.sound)] + [pause])
    once = list(tacit.listen(binary, [stream]))
    assert list(tacit.listen(binary, np.array_split(stream, 501))) == once
    assert len(once) == len(recordings)
    right = np.mean([one.answer == binary(recording.sound) for one, recording in zip(once, recordings, strict=True)])
    assert right >= 0.7
    assert list(tacit.listen(binary, [pause] * 5)) == []


def test_sequences_go_from_a_table_to_int8_c(tmp_path):
    with (tmp_path / "spoken.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("path", "text"))
        for number, one in enumerate(make_strings(embedded(), 24, seed=1)):
            (tmp_path / f"{number}.wav").write_bytes(wav_bytes(one.sound[:6400]))
            table.writerow((f"{number}.wav", " ".join(one.digits) or "[]"))
    program = tacit.read(tacit.new(tmp_path / "program", source=tmp_path / "spoken.csv", label="text"))
    assert program.signature.output == tacit.Symbols(DIGITS, steps=20)
    binary = tacit.compile(replace(program, settings={"width": 8, "depth": 0}, budget=tacit.Budget(steps=3)))
    assert set(binary.evidence["scores"]["test"]) == {"count", "symbol_error_rate", "exact_match", "edits"}
    made = tacit.build(binary, "c", folder=tmp_path / "c", int8=True, program=program, allow_drop=100)
    assert made.parity.differing == 0
    silence = binary(np.zeros(6400, np.int16))
    assert isinstance(silence, str)


def test_wrong_counts_edits_by_words():
    assert wrong([[1, 2], [3], []], [[1, 2, 4], [5], []]) == pytest.approx(2 / 4)


@pytest.mark.system
def test_the_predecessor_reads_strings(tmp_path, monkeypatch):
    monkeypatch.setattr("tacit_programs.asr.predecessor.PARTS", 2)
    program = tacit.read(PROGRAM.write(tmp_path / "strings", "small-strings", reporter=tacit.Reporter()))
    parts = {name: heard(program.examples.split(name)) for name in ("train", "validation", "test")}
    chosen = choose(parts["train"], parts["validation"], words=10, silent=True, reporter=tacit.Reporter())
    errors = wrong(recognise(chosen.models, parts["test"].utterances, penalty=chosen.penalty), parts["test"].spoken)
    assert errors <= 0.15
