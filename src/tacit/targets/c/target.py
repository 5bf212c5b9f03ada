"""The target ``c``: a folder that a firmware engineer can put into a project."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from tacit.ground.errors import TacitError
from tacit.ground.progress import Reporter
from tacit.targets.c.boundary import entry_of
from tacit.targets.c.emit import emit_c, function_name
from tacit.targets.c.foreign import emulator_of, run_foreign, under
from tacit.targets.c.isa import Isa, isa_named
from tacit.targets.c.library import Library, build_library
from tacit.targets.c.machine import native_isa, runs_here
from tacit.targets.c.project import Project
from tacit.targets.c.stack import Stack, compile_object
from tacit.targets.c.toolchain import Machine, isa_of, machine_named, need_compiler
from tacit.targets.c.tuning import Tuner
from tacit.targets.target import Options, Source

_MADE_FOR = "machine.json"


class CTarget:
    """Write C and its weights; compile and call them."""

    def check(self, options: Options) -> None:
        """Refuse options that are not known, before any work. Raises: UnknownName, MissingPackage."""
        machine = None if options.triple is None else machine_named(options.triple)
        isa_of(options.isa, machine)
        need_compiler(machine)

    def write(self, source: Source, folder: Path, options: Options) -> None:
        """Write the program, an example and what builds them; with a triple also ``libNAME.a`` for that machine.

        Raises: UnknownName, MissingPackage, TacitError.
        """
        machine = None if options.triple is None else machine_named(options.triple)
        isa = isa_of(options.isa, machine)
        generated = emit_c(source, isa, tuner=_tuner(source, isa, machine) if options.tune else None)
        _write(folder, generated.files)
        stack = _compiled(source, folder, isa, machine)
        made_for = {
            "isa": isa.name,
            "machine": None if machine is None else asdict(machine),
            "stack": None if stack is None else stack.to_json(),
        }
        _write(folder, Project(source, generated, isa, machine, stack).files())
        _write(folder, {_MADE_FOR: json.dumps(made_for, indent=1) + "\n"})

    def runs_on(self, source: Source, folder: Path) -> str:
        """Say on what `run` runs."""
        made = _made_for(folder)
        here = f"this machine ({made.isa.name if runs_here(made.isa) else f'{native_isa().name}, for it has no {made.isa.name}'})"
        if made.machine is None:
            return here
        emulator = emulator_of(made.machine, made.isa)
        if emulator is not None:
            return f"{made.machine.title} {under(emulator)}"
        wanted = f" without {made.machine.emulator[0]}" if made.machine.emulator else ""
        return f"{here}, for code for {made.machine.title} can't run on it{wanted}"

    def run(self, source: Source, folder: Path, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Compile what was written and call it; what is for another machine runs under qemu-user, or else is compiled for this one."""
        made = _made_for(folder)
        emulator = None if made.machine is None else emulator_of(made.machine, made.isa)
        if made.machine is not None and emulator is not None:
            compiler = need_compiler(made.machine)
            return run_foreign(source, folder, arrays, compiler=compiler, isa=made.isa, machine=made.machine, emulator=emulator)
        files: dict[str, str | bytes] = {name: (folder / name).read_bytes() for name in _generated_names(source)}
        isa = made.isa
        if not runs_here(isa):
            isa = native_isa()
            files = dict(emit_c(source, isa).files)
        outputs = _run_here(source, files, isa, arrays)
        if outputs is None:
            raise TacitError("expected the C to take what the interpreter takes, got a refusal", fix="report this")
        return outputs


def _generated_names(source: Source) -> tuple[str, str, str]:
    return f"{source.name}.h", f"{source.name}.c", f"{source.name}_weights.bin"


def _run_here(source: Source, files: Mapping[str, str | bytes], isa: Isa, arrays: Sequence[np.ndarray]) -> list[np.ndarray] | None:
    entry = entry_of("main", source.graphs["main"])
    plain = [np.ascontiguousarray(array, dtype) for array, dtype in zip(arrays, entry.dtypes, strict=True)]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        for file, content in files.items():
            (folder / file).write_bytes(content if isinstance(content, bytes) else content.encode())
        path = folder / "built.so"
        build_library(path, name=source.name, graphs=source.graphs, sources=folder, compiler=need_compiler(), isa=isa)
        return Library(path, source.graphs).functions["main"](plain)


@dataclass(frozen=True)
class _MadeFor:
    isa: Isa
    machine: Machine | None


def _made_for(folder: Path) -> _MadeFor:
    """Read what `write` noted."""
    noted = json.loads((folder / _MADE_FOR).read_text(encoding="utf-8"))
    machine = noted["machine"]
    known = None if machine is None else Machine(machine["triple"], machine["processor"], tuple(machine["emulator"]))
    return _MadeFor(isa_named(noted["isa"]), known)


def _tuner(source: Source, isa: Isa, machine: Machine | None) -> Tuner:
    """Make what measures kernels. Raises: TacitError where they can't run; MissingPackage without a compiler."""
    if machine is not None or not runs_here(isa):
        where = f"the instruction set {isa.name}" if machine is None else machine.title
        raise TacitError(
            f"expected --tune with code for this machine, got {where}", fix="leave out --tune: sizes of tiles are estimated then"
        )
    return Tuner(need_compiler(None), isa, source.integer, Reporter())


def _write(folder: Path, files: Mapping[str, str | bytes]) -> None:
    for name, content in files.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def _compiled(source: Source, folder: Path, isa: Isa, machine: Machine | None) -> Stack | None:
    """Compile what was written and give its stack; for another machine keep the static library, for the person may have no compiler."""
    compiler = need_compiler(machine)
    flags = compiler.flags(isa, integer=source.integer, machine=machine)
    entries = [function_name(source.name, entry) for entry in source.graphs]
    with tempfile.TemporaryDirectory() as name:
        built = Path(name) / f"{source.name}.o"
        try:
            stack = compile_object(compiler, flags, name=source.name, folder=folder, output=built, entries=entries)
        except TacitError:
            if machine is not None or runs_here(isa):
                raise
            return None  # an instruction set that the compiler here does not know is somebody else's to compile for
        if machine is not None:
            archiver = type(compiler)((compiler.command[0], "ar"), zig=True)
            archiver.compile(["rcs", (folder / f"lib{source.name}.a").resolve(), built], folder=folder)
    return stack
