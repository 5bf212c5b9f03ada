"""The programs that go into a meld: opened, with their own examples and the state in which they were trained where these are there."""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from tacit.binary.binary import MAIN, Binary
from tacit.binary.loading import load
from tacit.directory.reading import compiled_in, is_program, program_name, read_program
from tacit.ground.errors import ConfigError, InputError, TacitError, raise_all
from tacit.ground.progress import Reporter
from tacit.lowering.lower import lower_module
from tacit.passes.pipeline import optimise
from tacit.program import Program
from tacit.search.rebuilding import rebuilt
from tacit.search.trained import load_trained
from tacit.signature.base import Signature

#: What a part may be given as.
Given = Binary | str | os.PathLike[str] | tuple[Binary, Program] | tuple[nn.Module, Program | Signature]


@dataclass(frozen=True, eq=False)
class Part:
    """A program to be melded.

    program: where its own examples are; None when there is none. network: in the form in which it was trained; None when that is gone,
    and its instructions have to do.
    """

    name: str
    binary: Binary
    program: Program | None = None
    network: nn.Module | None = None

    def __deepcopy__(self, _memo: object) -> Part:
        """Give itself: who copies a network that knows its parts does not mean their examples."""
        return self

    @property
    def signature(self) -> Signature:
        """What it takes and gives."""
        return self.binary.signature


def open_parts(given: Sequence[Given], reporter: Reporter) -> list[Part]:
    """Open what a person names: `.tacit` files, program directories, binaries, or pairs of a binary and its program.

    A PyTorch module is given with its program or its signature; it takes the arrays of that, batch first, and gives the scores. A file's
    program is the directory that it lies in, when that has its signature. Raises: InputError that names everything that can't be melded;
    FormatError, LoweringError.
    """
    if len(given) < 2:
        raise InputError(f"expected at least two programs to meld, got {len(given)}", fix="tacit meld A.tacit B.tacit --in DIR -o FILE")
    opened: list[Part] = []
    problems: list[str] = []
    for place, item in enumerate(given):
        try:
            opened.append(_opened(item, place, reporter))
        except TacitError as error:
            problems.append(str(error).replace("\n", "\n    "))
    seen: dict[str, str] = {}
    for part in opened:
        if part.binary.digest in seen:
            problems.append(
                f"`{part.name}` is the same program as `{seen[part.binary.digest]}`: named once, it is used for every input of its type"
            )
        if set(part.binary.graphs) != {"main"}:
            entries = ", ".join(f"`{name}`" for name in part.binary.graphs)
            problems.append(f"`{part.name}` has several entry points ({entries}): `tacit meld --split` takes it apart first")
        seen[part.binary.digest] = part.name
    raise_all(problems, heading="expected programs that can be melded")
    names = _different([part.name for part in opened])
    return [Part(name, part.binary, part.program, part.network) for name, part in zip(names, opened, strict=True)]


def _opened(given: Given, place: int, reporter: Reporter) -> Part:
    if isinstance(given, tuple):
        made, about = given
        if isinstance(made, nn.Module):
            return _of_module(made, about, place)
        if not isinstance(about, Program):
            raise InputError("expected a binary with its program, or a PyTorch module with its signature", fix="give the binary alone")
        return _part(made, about, about.name, reporter)
    if isinstance(given, Binary):
        return _part(given, None, str(given.evidence.get("name") or f"part{place + 1}"), reporter)
    path = Path(given)
    if is_program(path):
        directory, path = path, compiled_in(path, program_name(path))
    else:
        directory = path.absolute().parent
    binary = load(path)
    if not is_program(directory):
        directory = Path(str(path.with_suffix("")) if path.suffix == ".tacit" else "")
    return _part(binary, _program_of(directory, binary, reporter), str(binary.evidence.get("name") or path.stem), reporter)


def _of_module(module: nn.Module, about: Program | Signature, place: int) -> Part:
    """Make a part of a PyTorch module. Raises: LoweringError."""
    program = about if isinstance(about, Program) else None
    signature = about.signature if isinstance(about, Program) else about
    graph = optimise(lower_module(copy.deepcopy(module).cpu().eval(), signature.input.arrays).graph)
    name = program.name if program is not None else f"{type(module).__name__}{place + 1}"
    return Part(identifier(name), Binary({MAIN: graph}, signature, evidence={"name": name}), program, module)


def _program_of(directory: Path, binary: Binary, reporter: Reporter) -> Program | None:
    """Give the program of a binary when a directory holds it: one of its signature."""
    if not is_program(directory):
        return None
    program = read_program(directory, reporter=reporter)
    return program if program.signature.to_json() == binary.signature.to_json() else None


def _part(binary: Binary, program: Program | None, name: str, reporter: Reporter) -> Part:
    """Make a part, and say what is lost when its program or its training state is gone."""
    network: nn.Module | None = None
    if program is not None and program.directory is not None:
        with suppress(ConfigError):
            trained = load_trained(program.directory, binary.digest)
            network = None if trained is None else rebuilt(trained, program)
    if program is None:
        reporter.note(f"`{name}` has no program directory beside it: it is lifted from its instructions, and its own goal can't be kept")
    elif network is None:
        reporter.note(f"`{name}` has no training state any more: it is lifted from its instructions")
    return Part(identifier(name), binary, program, network)


def identifier(name: str) -> str:
    """Make a name that an entry point can have.

    >>> identifier("signs 0-9")
    'signs_0_9'
    """
    return re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_").lower() or "part"


def _different(names: Sequence[str]) -> list[str]:
    found: list[str] = []
    for name in names:
        free, number = name if name != "main" else "main_part", 2
        while free in found:
            free, number = f"{name}_{number}", number + 1
        found.append(free)
    return found


def own_metric(part: Part) -> Any:
    """Give the first goal of a part's own program."""
    return part.program.goals[0] if part.program is not None and part.program.goals else None
