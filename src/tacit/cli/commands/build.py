"""`tacit build FILE --target TARGET -o DIR`: the binary as C, ONNX, WebAssembly or NumPy.

Exit codes: 0 when what was built computes what the interpreter does, 1 when it was written and does not, 2 when nothing was written.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tacit.cli.output import emit, show
from tacit.ground.tables import resolve


def command(
    file: Annotated[Path, typer.Argument(help="A `.tacit` file, or a program directory with one.", metavar="FILE|DIR")],
    target: Annotated[str, typer.Option("--target", help="numpy, onnx, c or wasm.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder to write: a new one, or a former build.", metavar="DIR")],
    int8: Annotated[bool, typer.Option("--int8", help="8-bit integers, the same bits on every machine.")] = False,
    program: Annotated[
        Path | None, typer.Option("--in", help="The program directory whose examples the build is held against.", metavar="DIR")
    ] = None,
    allow_drop: Annotated[float, typer.Option(help="Points that int8 may lose on the test examples.", metavar="POINTS")] = 0.3,
    triple: Annotated[
        str | None, typer.Option(help="For c: another machine, as zig names it (aarch64-linux-musl), or cortex-m7.", metavar="TRIPLE")
    ] = None,
    isa: Annotated[str, typer.Option(help="For c: the instruction set (native, avx2, neon, scalar ...).")] = "native",
    tune: Annotated[bool, typer.Option("--tune", help="For c: measure tile sizes on this machine.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> int:
    """Build for a target and hold it against the interpreter."""
    with resolve("tacit.cli.progress:watch")() as reporter:
        built = resolve("tacit.builder:build")(
            file,
            target,
            folder=output,
            int8=int8,
            program=program,
            allow_drop=allow_drop,
            isa=isa,
            triple=triple,
            tune=tune,
            reporter=reporter,
        )
    if as_json:
        emit(built.to_json())
    else:
        show(resolve("tacit.instruments.build_report:parts")(built))
    return 0 if built.met else 1
