"""What is resized: a binary, the program that it was compiled from, and the weights in the form in which they are trained."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from tacit.binary.binary import MAIN, Binary
from tacit.binary.loading import load
from tacit.directory.beside import program_beside
from tacit.directory.reading import compiled_in, is_program, program_name, read_program
from tacit.examples.examples import Examples
from tacit.ground.errors import ConfigError, InputError, raise_all
from tacit.ground.progress import Reporter
from tacit.program import Program
from tacit.search.columns import columns
from tacit.search.rebuilding import rebuilt
from tacit.search.trained import Trained, load_trained
from tacit.search.warm import skeleton_name

#: Training examples on which channels are compared and weights are fitted.
LOOKED_AT = 4096
_SHOWN = 5


@dataclass(frozen=True, eq=False)
class Original:
    """A binary with all that resizing needs. learnt: the examples that its weights have seen; held: validation examples they haven't."""

    binary: Binary
    program: Program
    trained: Trained
    network: nn.Module
    learnt: Examples
    held: Examples

    def some(self) -> list[Tensor]:
        """Give inputs of `LOOKED_AT` learnt examples, spread evenly, as the network takes them."""
        rows = np.unique(np.linspace(0, len(self.learnt) - 1, LOOKED_AT).round().astype(np.int64))
        return list(columns(self.learnt, torch.device("cpu")).rows(torch.from_numpy(rows))[0])


def original_of(binary: Binary | str | PathLike[str], program: Program | str | PathLike[str] | None, *, reporter: Reporter) -> Original:
    """Open what is to be resized.

    binary: in memory, its file, or the program directory that it was compiled in. program: default: the program directory that the
    file lies in or beside. Raises: InputError, FormatError; ConfigError naming every reason why it can't be resized.
    """
    file = None if isinstance(binary, Binary) else Path(binary)
    if file is not None and is_program(file):
        file = compiled_in(file, program_name(file))
    loaded = binary if isinstance(binary, Binary) else load(file or "")
    found = _program(loaded, file, program, reporter)
    trained = None if found.directory is None else load_trained(found.directory, loaded.digest)
    if trained is None:
        raise ConfigError(
            f"expected the weights of {loaded.digest[:12]} as they were trained, they are not kept - at `{found.directory or found.name}`",
            cause="a binary holds its network with batch norms folded away and shapes fixed, from which training can't go on",
            fix=f"tacit compile {found.directory or 'DIR'}, which keeps them, and then resize what it made",
        )
    problems = _misfits(loaded, found, trained)
    raise_all(
        problems, heading=f"expected a program that fits {loaded.digest[:12]}", fix=f"tacit compile {found.directory}", error=ConfigError
    )
    seen = np.isin(found.examples.ids, np.array(trained.values["ids"], found.examples.ids.dtype))
    train, validation = found.examples.splits == "train", found.examples.splits == "validation"
    learnt = found.examples.take(train | (validation & seen))
    if not len(learnt):
        raise InputError("expected training examples, got none", fix="--in DIR of the examples that it learned from")
    return Original(loaded, found, trained, rebuilt(trained, found), learnt, found.examples.take(validation & ~seen))


def _program(binary: Binary, file: Path | None, program: Program | str | PathLike[str] | None, reporter: Reporter) -> Program:
    if isinstance(program, Program):
        return program
    name = str(binary.evidence.get("name") or "") or None
    directory = Path(program) if program is not None else None if file is None else program_beside(file, name)
    if directory is None:
        raise InputError(
            "expected the program directory that the binary was compiled from, got none in or beside its folder",
            cause="its examples say which channels matter, and teach the smaller network",
            fix="--in DIR",
        )
    reporter.phase("reading examples")
    return read_program(directory, reporter=reporter)


def _misfits(binary: Binary, program: Program, trained: Trained) -> list[str]:
    """Name every reason why a program is not the one that a binary was compiled from, or why its scores would not be honest."""
    values, examples = trained.values, program.examples
    problems = []
    if binary.signature != program.signature:
        problems.append(f"its types are {binary.signature}, those of the program {program.signature}")
    if set(binary.graphs) != {MAIN}:
        problems.append(f"it has the entry points {', '.join(binary.graphs)}: one that is alone can be resized")
    missing = [name for name in ("ids", "settings", "recipe", "steps", "augmented", "skeleton") if name not in values]
    if missing:
        problems.append(f"its run was kept by an earlier release, without its {', '.join(missing)}")
        return problems
    if values["skeleton"] != skeleton_name(program):
        problems.append(f"its skeleton is `{values['skeleton']}`, now it is `{skeleton_name(program)}`")
    seen, learning = {*values["ids"], *values.get("also_seen", ())}, set(examples.ids[examples.splits != "test"].tolist())
    leaked = [one for one in examples.ids.tolist() if one in seen and one not in learning]
    if leaked:
        shown = ", ".join(leaked[:_SHOWN]) + (" ..." if len(leaked) > _SHOWN else "")
        problems.append(f"{len(leaked)} test examples were learnt from by it ({shown}): its scores would not be honest")
    return problems
