"""From what a finished run left to its network, ready to train on: whatever widths resize has given it."""

from __future__ import annotations

import numpy as np
from torch import nn

from tacit.program import Program
from tacit.search.columns import seed_of
from tacit.search.trained import Trained
from tacit.skeletons.reshaping import fit_shapes
from tacit.skeletons.table import network_for, skeleton_for


def rebuilt(trained: Trained, program: Program) -> nn.Module:
    """Give the network of a kept run in the form in which it is trained, in evaluation mode.

    Raises: ConfigError when the kept tensors are not those of the program's skeleton.
    """
    skeleton = skeleton_for(program.signature, program.skeleton)
    few = tuple(np.asarray(array[:2]) for array in program.examples.inputs)
    network = network_for(skeleton, program.signature, trained.values["settings"], inputs=few, seed=seed_of(0, "rebuilt") % 2**31)
    return fit_shapes(network, trained.network).eval()
