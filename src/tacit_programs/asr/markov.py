"""Left-to-right hidden Markov models of words: Viterbi training on whole utterances, and decoding over a loop of all words.

Each word has the same number of states, silence has three; a state is kept or left for the next one. An utterance is a row of models with
silence allowed around and between its words. Models and alignments are found in turns: frames are given to states by the best path, the
states' mixtures are fitted to them, split, and so on. Sources: Rabiner 1989, "A tutorial on hidden Markov models"; Young, Russell and
Thornton 1989, "Token passing", for the loop of words.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tacit_programs.asr.mixtures import Mixtures, fit_mixtures

SILENCE = 3  # states
_NEVER = np.float32(-1e30)
_AT_ONCE = 200  # utterances
_REALIGNED = 3


@dataclass(frozen=True, eq=False)
class Models:
    """words: how many. states: of each. silent: whether there is a model of silence behind them. stays: float64[state], probabilities."""

    words: int
    states: int
    silent: bool
    mixtures: Mixtures
    stays: np.ndarray

    @property
    def count(self) -> int:
        """All states."""
        return self.words * self.states + SILENCE * self.silent

    def states_of(self, word: int) -> list[int]:
        """Give the states of a word; the word behind the last is silence."""
        first = word * self.states
        return list(range(first, first + (self.states if word < self.words else SILENCE)))


def train(
    utterances: Sequence[np.ndarray], spoken: Sequence[Sequence[int]], *, words: int, states: int, parts: int, silent: bool = False
) -> Models:
    """Train models on utterances float32[frame, feature] and the words spoken in each.

    parts: of each mixture, a power of two. silent: there is silence around and between words; else each utterance is its words alone.
    """
    models = Models(
        words, states, silent, _first(utterances, spoken, words, states, silent), np.full(words * states + SILENCE * silent, 0.7)
    )
    frames = np.concatenate(utterances)
    while True:
        for _ in range(_REALIGNED):
            given = np.concatenate(align(models, utterances, spoken))
            models = _reestimated(models, frames, given, split=False)
        if models.mixtures.shares.shape[1] >= parts:
            return models
        models = _reestimated(models, frames, np.concatenate(align(models, utterances, spoken)), split=True)


def more_parts(models: Models, utterances: Sequence[np.ndarray], spoken: Sequence[Sequence[int]]) -> Models:
    """Double the parts of every mixture and train on."""
    frames = np.concatenate(utterances)
    models = _reestimated(models, frames, np.concatenate(align(models, utterances, spoken)), split=True)
    for _ in range(_REALIGNED):
        models = _reestimated(models, frames, np.concatenate(align(models, utterances, spoken)), split=False)
    return models


def _first(utterances: Sequence[np.ndarray], spoken: Sequence[Sequence[int]], words: int, states: int, silent: bool) -> Mixtures:
    """Give each state an equal part of the utterance; silence gets the quietest tenth (the first feature is a level)."""
    given = []
    for frames, said in zip(utterances, spoken, strict=True):
        row = np.array([word * states + state for word in said for state in range(states)] or [0])
        own = row[np.minimum(np.arange(len(frames)) * len(row) // len(frames), len(row) - 1)]
        if silent:
            quiet = frames[:, 0] <= np.quantile(frames[:, 0], 0.1) if said else np.ones(len(frames), bool)
            own = np.where(quiet, words * states + np.arange(len(frames)) % SILENCE, own)
        given.append(own)
    return fit_mixtures(np.concatenate(utterances), np.concatenate(given), words * states + SILENCE * silent)


def _reestimated(models: Models, frames: np.ndarray, given: np.ndarray, *, split: bool) -> Models:
    mixtures = fit_mixtures(frames, given, models.count, before=models.mixtures, split=split)
    stayed = np.bincount(given[1:][given[1:] == given[:-1]], minlength=models.count)
    taken = np.bincount(given, minlength=models.count)
    return replace(models, mixtures=mixtures, stays=np.clip((stayed + 2.0) / (taken + 4.0), 0.05, 0.98))


def align(models: Models, utterances: Sequence[np.ndarray], spoken: Sequence[Sequence[int]]) -> list[np.ndarray]:
    """Give the state of every frame, int64[frame] per utterance, on the best path through its words."""
    found: list[np.ndarray] = [np.empty(0)] * len(utterances)
    for some in _batches(utterances):
        rows, skips = zip(*(_row(models, spoken[place]) for place in some), strict=True)
        paths = _aligned(models, [utterances[place] for place in some], rows, skips)
        for place, path in zip(some, paths, strict=True):
            found[place] = path
    return found


def score(models: Models, utterances: Sequence[np.ndarray]) -> np.ndarray:
    """Give float64[utterance, word]: the log likelihood of the best path through each word alone."""
    scores = np.zeros((len(utterances), models.words))
    stay, go = np.log(models.stays), np.log(1 - models.stays)
    inside = models.words * models.states
    for some in _batches(utterances):
        each, lengths = _padded(models, [utterances[place] for place in some])
        best = np.full((len(some), models.words, models.states), _NEVER)
        best[:, :, 0] = each[:, 0, :inside].reshape(len(some), models.words, models.states)[:, :, 0]
        keep, leave = (values[:inside].reshape(models.words, models.states) for values in (stay, go))
        for time in range(1, each.shape[1]):
            moved = np.concatenate([np.full((*best.shape[:2], 1), _NEVER), (best + leave)[:, :, :-1]], axis=2)
            now = np.maximum(best + keep, moved) + each[:, time, :inside].reshape(best.shape)
            best = np.where((time < lengths)[:, None, None], now, best)
        scores[some] = best[:, :, -1]
    return scores


def decode(models: Models, utterances: Sequence[np.ndarray], *, penalty: float) -> list[list[int]]:
    """Give the words of each utterance, by the best path over a loop of all words and silence; `penalty` is paid for each word."""
    found: list[list[int]] = [[]] * len(utterances)
    for some in _batches(utterances):
        each, lengths = _padded(models, [utterances[place] for place in some])
        for place, words in zip(some, _looped(models, each, lengths, penalty), strict=True):
            found[place] = words
    return found


def _looped(models: Models, each: np.ndarray, lengths: np.ndarray, penalty: float) -> Iterable[list[int]]:
    count, steps, states = each.shape
    firsts = np.arange(models.words + models.silent) * models.states
    lasts = np.append(firsts[: models.words] + models.states - 1, [states - 1] * models.silent)
    stay, go = np.log(models.stays).astype(np.float32), np.log(1 - models.stays).astype(np.float32)
    entry = np.where(np.arange(len(firsts)) < models.words, -penalty, 0.0).astype(np.float32)
    rows = np.arange(count)
    best = np.full((count, states), _NEVER, np.float32)
    best[:, firsts] = each[:, 0, firsts] + entry
    moved_in = np.zeros((count, steps, states), bool)
    came_from = np.zeros((count, steps), np.int16)  # the last state through which the hub was reached
    for time in range(1, steps):
        leaving = best + go
        source = leaving[:, lasts].argmax(axis=1)
        came_from[:, time] = lasts[source]
        arriving = np.concatenate([np.full((count, 1), _NEVER, np.float32), leaving[:, :-1]], axis=1)
        arriving[:, firsts] = leaving[rows, lasts[source]][:, None] + entry
        staying = best + stay
        moved_in[:, time] = arriving > staying
        now = np.maximum(arriving, staying) + each[:, time]
        best = np.where((time < lengths)[:, None], now, best)
    starts = set(firsts.tolist())
    for row in range(count):
        state = int(lasts[best[row, lasts].argmax()])
        words = [] if state >= models.words * models.states else [state // models.states]
        for time in range(int(lengths[row]) - 1, 0, -1):
            if not moved_in[row, time, state]:
                continue
            if state in starts:
                state = int(came_from[row, time])
                if state < models.words * models.states:
                    words.append(state // models.states)
            else:
                state -= 1
        yield words[::-1]


def _row(models: Models, said: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Give the states of an utterance in order, and for each how many places before it the path may also have come from (0: none)."""
    pause = models.states_of(models.words) if models.silent else []
    row, skips = list(pause), [0] * len(pause)
    for word in said:
        own = models.states_of(word)
        row += own
        skips += [len(pause) + 1 if len(row) > len(own) else 0] + [0] * (len(own) - 1)
        row += pause
        skips += [0] * len(pause)
    return np.array(row), np.array(skips)


def _aligned(
    models: Models, utterances: Sequence[np.ndarray], rows: Sequence[np.ndarray], skips: Sequence[np.ndarray]
) -> Iterable[np.ndarray]:
    each, lengths = _padded(models, utterances)
    count, steps, _ = each.shape
    sizes = np.array([len(row) for row in rows])
    wide = int(sizes.max())
    states = np.stack([np.pad(row, (0, wide - len(row))) for row in rows])
    skip = np.stack([np.pad(jumps, (0, wide - len(jumps))) for jumps in skips])
    stay, go = np.log(models.stays).astype(np.float32)[states], np.log(1 - models.stays).astype(np.float32)[states]
    place = np.arange(wide)
    allowed = (skip > 0) & (place >= skip)
    before = np.where(allowed, place - skip, 0)
    pause = SILENCE if models.silent else 0
    start = (place == 0) | ((place == pause) & (sizes > pause)[:, None])
    best = np.where(start, np.take_along_axis(each[:, 0], states, 1), _NEVER)
    ways = np.zeros((count, steps, wide), np.int8)
    for time in range(1, steps):
        leaving = best + go
        moved = np.concatenate([np.full((count, 1), _NEVER, np.float32), leaving[:, :-1]], axis=1)
        jumped = np.where(allowed, np.take_along_axis(leaving, before, 1), _NEVER)
        options = np.stack([best + stay, moved, jumped])
        ways[:, time] = options.argmax(axis=0)
        now = options.max(axis=0) + np.take_along_axis(each[:, time], states, 1)
        best = np.where((time < lengths)[:, None], now, best)
    for row in range(count):
        last = int(sizes[row]) - 1
        at = last if not pause or last < pause or best[row, last] >= best[row, last - pause] else last - pause
        path = np.empty(int(lengths[row]), np.int64)
        for time in range(len(path) - 1, -1, -1):
            path[time] = states[row, at]
            way = ways[row, time, at]
            at -= 1 if way == 1 else int(skip[row, at]) if way == 2 else 0
        yield path


def _batches(utterances: Sequence[np.ndarray]) -> Iterable[np.ndarray]:
    """Give places of utterances of like length, so that little is padded."""
    order = np.argsort([len(frames) for frames in utterances], kind="stable")
    return (order[start : start + _AT_ONCE] for start in range(0, len(order), _AT_ONCE))


def _padded(models: Models, utterances: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Give the log likelihoods float32[utterance, frame, state] and the lengths int64[utterance]."""
    lengths = np.array([len(frames) for frames in utterances])
    each = models.mixtures.log_likelihoods(np.concatenate(utterances))
    padded = np.zeros((len(utterances), int(lengths.max()), each.shape[1]), np.float32)
    padded[np.arange(padded.shape[1]) < lengths[:, None]] = each
    return padded, lengths
