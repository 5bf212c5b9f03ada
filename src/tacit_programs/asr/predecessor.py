"""The way of Software 1.0 that this program replaces: cepstra and hidden Markov models with Gaussian mixtures.

Both numbers, of states and of parts of a mixture, are chosen on validation, for strings also the penalty of a word. It hears what the
network hears, less the silence in which that stands.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

import tacit
from tacit_programs.asr import markov
from tacit_programs.asr.cepstra import cepstra

STATES = (6, 8)
PARTS = 8  # at most; 1, 2, 4 ... are tried
PENALTIES = (0.0, 10.0, 20.0, 40.0, 60.0, 80.0, 120.0)


@dataclass(frozen=True, eq=False)
class Heard:
    """What the predecessor learns from or is asked: cepstra of each sound, and the words in it."""

    utterances: list[np.ndarray]
    spoken: list[list[int]]


@dataclass(frozen=True, eq=False)
class Chosen:
    """Models, the penalty of a word in strings, the share of wrong words on validation, and how many pairs were tried."""

    models: markov.Models
    penalty: float
    errors: float
    tried: int


def heard(examples: tacit.Examples) -> Heard:
    """Turn examples of sounds into cepstra and words."""
    output = examples.signature.output
    sounds = [np.trim_zeros(sound) for sound in examples.inputs[0]]
    names = [str(output.label(target)).split() for target in examples.targets]
    places = {name: place for place, name in enumerate(output.names)}  # type: ignore[attr-defined]
    utterances = [cepstra(sound) if len(sound) else cepstra(np.zeros(1, np.int16)) for sound in sounds]
    return Heard(utterances, [[places[name] for name in row] for row in names])


def choose(train: Heard, validation: Heard, *, words: int, silent: bool, reporter: tacit.Reporter) -> Chosen:
    """Try numbers of states and parts; give the models with the fewest errors on validation, of equals the smaller ones."""
    best: Chosen | None = None
    tried = 0
    for states in STATES:
        models = markov.train(train.utterances, train.spoken, words=words, states=states, parts=1, silent=silent)
        while True:
            tried += 1
            penalties = PENALTIES if silent else (0.0,)
            errors = {penalty: wrong(recognise(models, validation.utterances, penalty=penalty), validation.spoken) for penalty in penalties}
            penalty = min(errors, key=lambda one: errors[one])
            if best is None or errors[penalty] < best.errors:
                best = Chosen(models, penalty, errors[penalty], tried)
            parts = models.mixtures.shares.shape[1]
            reporter.progress(min(1.0, tried / (4 * len(STATES))), None, f"{states} states, {parts} parts: {errors[penalty]:.4f} wrong")
            if parts >= PARTS:
                break
            models = markov.more_parts(models, train.utterances, train.spoken)
    if best is None:
        raise tacit.TacitError("expected sounds to learn from, got none")
    return Chosen(best.models, best.penalty, best.errors, tried)


def recognise(models: markov.Models, utterances: Sequence[np.ndarray], *, penalty: float) -> list[list[int]]:
    """Give the words of each utterance; one where there is no model of silence."""
    if models.silent:
        return markov.decode(models, utterances, penalty=penalty)
    return [[int(word)] for word in markov.score(models, utterances).argmax(axis=1)]


def wrong(given: Sequence[Sequence[int]], spoken: Sequence[Sequence[int]]) -> float:
    """Give the word error rate: edits by words that were said."""
    words = [str(word) for word in range(1 + max(max(row, default=0) for row in (*given, *spoken)))]
    output = tacit.Symbols(words, steps=2 * max(map(len, (*given, *spoken))) + 1)
    return sum(sum(output.edits(list(said), list(heard))) for heard, said in zip(given, spoken, strict=True)) / sum(map(len, spoken))


def predecessor(examples: tacit.Examples, *, reporter: tacit.Reporter) -> tacit.Standing:
    """Choose models on validation, train them on train and validation, score them once on test."""
    begun = time.process_time()
    parts = {name: heard(examples.split(name)) for name in ("train", "validation", "test")}
    silent = examples.signature.output.kind == "symbols"
    words = len(examples.signature.output.names)  # type: ignore[attr-defined]
    chosen = choose(parts["train"], parts["validation"], words=words, silent=silent, reporter=reporter)
    models = chosen.models
    shape = models.mixtures.shares.shape[1]
    learnt = Heard(*(getattr(parts["train"], name) + getattr(parts["validation"], name) for name in ("utterances", "spoken")))
    final = markov.train(learnt.utterances, learnt.spoken, words=words, states=models.states, parts=shape, silent=silent)
    made_in = time.process_time() - begun
    errors = wrong(recognise(final, parts["test"].utterances, penalty=chosen.penalty), parts["test"].spoken)
    one = [np.trim_zeros(examples.split("test").inputs[0][0])]
    microseconds = tacit.time_per_answer(lambda: recognise(final, [cepstra(sound) for sound in one], penalty=chosen.penalty))
    numbers = final.mixtures.means.size + final.mixtures.variances.size + final.mixtures.shares.size + final.stays.size
    note = f"{models.states} states a word, mixtures of {shape}" + (f", penalty {chosen.penalty:g}" if silent else "")
    return tacit.Standing(
        contestant="MFCC + GMM-HMM",
        kind="predecessor",
        metric="symbol_error_rate" if silent else "accuracy",
        score=errors if silent else 1.0 - errors,
        higher_is_better=not silent,
        made_in=made_in,
        microseconds=microseconds,
        bytes=4 * numbers,
        macs=None,
        note=f"{note}, of {chosen.tried} pairs by validation",
    )
