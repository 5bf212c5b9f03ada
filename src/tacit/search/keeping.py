"""What a finished run keeps in its program directory for the next one: a warm start, lint and blame go on from it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict

import numpy as np
import torch

from tacit.binary.binary import Binary
from tacit.examples.examples import Examples
from tacit.ground.errors import TacitError
from tacit.program import Program
from tacit.search.search import Found
from tacit.search.trained import Trained, save_trained
from tacit.search.warm import Start, skeleton_name


def keep_trained(program: Program, binary: Binary, found: Found, learnt: Examples, start: Start | None) -> None:
    """Keep the weights in the form in which they are trained in the program directory; without one there is nowhere to.

    learnt: the examples that the weights have learnt from. A full disk must not cost the binary, so it is no error.
    """
    if program.directory is None or (start is not None and start.digest == binary.digest):
        return  # nothing that was trained was better: what is kept stays as it is
    values = {
        "ids": learnt.ids.tolist(),
        "held": np.setdiff1d(program.examples.split("validation").ids, learnt.ids).tolist(),
        "skeleton": skeleton_name(program),
        "settings": found.settings,
        "recipe": asdict(found.recipe),
        "seed": binary.evidence["run"]["seed"],
        "labels": program.examples.labels_digest,
        "commit": binary.evidence["labels"]["commit"],
        "signature": program.signature.to_json(),
        "augmented": bool(found.training.augmented),
        "steps": found.training.progress.step if start is None else start.full,
        "also_seen": [] if start is None else sorted(start.seen - set(learnt.ids.tolist())),
        **({} if start is None else start.remade),
    }
    targets = torch.from_numpy(np.array(learnt.targets))
    trained = Trained(binary.digest, found.training.weights(), {**found.training.dynamics.averages(), "targets": targets}, values)
    with suppress(TacitError):
        save_trained(program.directory, trained)
