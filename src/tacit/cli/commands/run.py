"""`tacit run FILE INPUT...`: what the program says about an input; `tacit run FILE` lets one that acts act."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tacit.cli.native import serve
from tacit.cli.output import emit, show
from tacit.ground.errors import InputError
from tacit.ground.tables import resolve


def command(
    file: Annotated[Path, typer.Argument(help="A `.tacit` file.", metavar="FILE")],
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            help="Paths; text or @path; key=value pairs, a JSON object or a CSV file for rows; - for stdin. None: act, where it can.",
            metavar="INPUT...",
        ),
    ] = None,
    scores: Annotated[bool, typer.Option("--scores", help="Print the numbers behind each answer as well.")] = False,
    native: Annotated[
        bool | None,
        typer.Option("--native/--interpreted", help="Run machine code, or the interpreter; by default what is faster in all."),
    ] = None,
    entry: Annotated[
        str | None,
        typer.Option(help="Another entry point than main, such as a part of a meld: `tacit inspect` lists them.", metavar="NAME"),
    ] = None,
    episodes: Annotated[int, typer.Option(min=1, help="For a program that acts: fresh episodes, or games against each opponent.")] = 10,
    seed: Annotated[int, typer.Option(help="For a program that acts: the seed of its episodes.")] = 1,
    stream: Annotated[
        bool, typer.Option("--stream", help="Hear a sound of any length as a stream: an answer and its second per line, as they come.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> int:
    """Run a program: one answer per line.

    With several inputs each answer stands after the name of its input. A program that acts in an environment or plays a game does so when
    there is no input, and tells its returns or results.
    """
    binary = resolve("tacit.binary.loading:load")(file)
    if entry is not None and entry != "main":
        if not inputs:
            raise InputError(f"expected an input for the entry point `{entry}`, got none", fix=f"tacit run FILE --entry {entry} INPUT")
        if entry not in binary.signatures:
            return _run_bare(binary.entry(entry), inputs, as_json=as_json)
        binary = binary.alone(entry)
    if stream:
        return _hear(binary, inputs or [], scores=scores, native=native, as_json=as_json)
    if not inputs:
        return _act(binary, episodes=episodes, seed=seed, as_json=as_json)
    given = resolve("tacit.cli.arguments:read_arguments")(inputs, binary.signature.input)
    arrays = binary.signature.input.read_all([item.value for item in given], names=[_shortened(item.name) for item in given])
    serve(binary, native=native, examples=len(given))
    answers = resolve("tacit.binary.drivers:DRIVERS").get(binary.driver)(binary, arrays)
    numbers = binary.run(arrays)[0].reshape(len(given), -1).tolist() if scores else None
    named = _names(binary.signature.output)
    if as_json:
        emit(
            [
                {"input": item.name, "answer": answer} | ({"scores": _by_name(numbers[row], named)} if numbers else {})
                for row, (item, answer) in enumerate(zip(given, answers, strict=True))
            ]
        )
        return 0
    for row, (item, answer) in enumerate(zip(given, answers, strict=True)):
        line = f"{item.name}: {_spell(answer)}" if len(given) > 1 else _spell(answer)
        print(line + ("\t" + _spell_scores(numbers[row], named) if numbers else ""))
    return 0


def _hear(binary: Any, inputs: list[str], *, scores: bool, native: bool | None, as_json: bool) -> int:
    """Hear WAV files as streams; in constant memory without `--json`, which has to end its document first."""
    if not inputs or scores:
        got = "--scores" if inputs else "none"
        raise InputError(f"expected WAV files to hear and no more beside --stream, got {got}", fix="tacit run FILE --stream SOUND.wav")
    serve(binary, native=native, examples=1)
    listen = resolve("tacit.binary.streaming:listen")
    if as_json:
        emit([{"input": name, "second": heard.second, "answer": heard.answer} for name in inputs for heard in listen(binary, name)])
        return 0
    for name in inputs:
        for heard in listen(binary, name):
            print(f"{name + ': ' if len(inputs) > 1 else ''}{heard.second:.2f}\t{_spell(heard.answer)}", flush=True)
    return 0


def _run_bare(entry: Any, inputs: list[str], *, as_json: bool) -> int:
    """Run an entry point that is there for drivers and has no types: `.npy` files in, one for each of its inputs, numbers out."""
    arrays = resolve("tacit.cli.arguments:read_arrays")(inputs, entry.graph.of_kind("input"))
    outputs = {buffer.name: found[0] for buffer, found in zip(entry.graph.of_kind("output"), entry(arrays), strict=True)}
    if as_json:
        emit({name: array.tolist() for name, array in outputs.items()})
        return 0
    for name, array in outputs.items():
        print(f"{name}: {' '.join(f'{value:.6g}' for value in array.ravel())}")
    return 0


def _act(binary: Any, *, episodes: int, seed: int, as_json: bool) -> int:
    """Let a program act; a program of examples is refused, since there is nothing to run it on."""
    if not binary.evidence.get("acting"):
        raise InputError(f"expected an input, {binary.signature.input.describe()}, got none", fix="tacit run FILE INPUT")
    with resolve("tacit.cli.progress:watch")() as reporter:
        reporter.phase("acting")
        block = resolve("tacit.acting.measuring:measure_again")(binary, episodes=episodes, seed=seed, reporter=reporter)
    if as_json:
        emit(block)
    else:
        show([resolve("tacit.instruments.evidence:acting_grid")(block)])
    return 0


def _shortened(name: str) -> str:
    return name if len(name) <= 200 else f"{name[:200]}..."


def _names(output: Any) -> tuple[str, ...] | None:
    names = getattr(output, "names", None)
    return names if names is not None and len(names) == output.width else None


def _by_name(row: list[float], names: tuple[str, ...] | None) -> Any:
    return dict(zip(names, row, strict=True)) if names else row


def _spell_scores(row: list[float], names: tuple[str, ...] | None) -> str:
    return (
        " ".join(f"{name}={value:.4g}" for name, value in zip(names, row, strict=True))
        if names
        else " ".join(f"{value:.6g}" for value in row)
    )


def _spell(answer: Any) -> str:
    if isinstance(answer, float):
        return f"{answer:.6g}"
    if isinstance(answer, list | tuple):
        return ", ".join(map(_spell, answer))
    if isinstance(answer, dict):
        return ", ".join(f"{name}={_spell(value)}" for name, value in answer.items())
    return str(answer)
