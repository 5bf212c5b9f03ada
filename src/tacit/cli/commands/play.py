"""`tacit play NAME`: play with a domain program in the terminal, or let another program do so over a protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from tacit.ground.errors import ConfigError, InputError, UnknownName
from tacit.ground.tables import did_you_mean, resolve

#: What lets typer hand on the options of the program.
SETTINGS = {"ignore_unknown_options": True, "allow_extra_args": True}


def command(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The domain program.", metavar="NAME")],
    options: Annotated[bool, typer.Option("--options", help="List the options that NAME has of its own.")] = False,
) -> int:
    """Play with a domain program, which has options of its own."""
    program = resolve("tacit.domains.program:domain_program")(name)
    if not hasattr(program, "play"):
        raise InputError(f"expected a program to play with, {program.name} has nothing to play", fix="tacit play go")
    known: Mapping[str, str] = program.play_options
    if options:
        print("\n".join(f"--{option:16}{text}" for option, text in known.items()))
        return 0
    return play(program, parse_options(context.args, known, name=program.name))


def play(program: Any, options: Mapping[str, str]) -> int:
    """Hand over to the program; it has stdin and stdout for itself."""
    with resolve("tacit.cli.progress:watch")() as reporter:
        code: int = program.play(options, reporter=reporter)
    return code


def parse_options(words: Sequence[str], known: Mapping[str, str], *, name: str = "it") -> dict[str, str]:
    """Turn ``--size 9 --gtp`` into ``{"size": "9", "gtp": ""}``; ``--size=9`` is the same.

    Raises: UnknownName that suggests the nearest option, ConfigError for a word that belongs to none.

    >>> parse_options(["--size", "9", "--gtp", "--file=a.tacit"], {"size": "", "gtp": "", "file": ""})
    {'size': '9', 'gtp': '', 'file': 'a.tacit'}
    """
    found: dict[str, str] = {}
    waiting: str | None = None
    for word in words:
        if word.startswith("--"):
            option, equals, value = word[2:].partition("=")
            if option not in known:
                fix = did_you_mean(option, list(known)) if known else "leave it out"
                raise UnknownName(f"expected an option of {name}, got `--{option}`", fix=f"{fix}; tacit play {name} --options lists them")
            found[option] = value
            waiting = None if equals else option
        elif waiting is None:
            raise ConfigError(f"expected an option of {name}, got `{word}`", fix=f"tacit play {name} --options")
        else:
            found[waiting], waiting = word, None
    return found
