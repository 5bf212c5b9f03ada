"""The command line: `tacit VERB ...`.

This file and the commands import nothing heavy: every verb is reached through its ``module:attribute`` when it is called,
so that `tacit --help` answers at once and `tacit run` never meets torch. Exit codes: 0 done, 1 a goal or check is not met,
2 wrong usage or input, 130 interrupted.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any

import typer

from tacit.cli.commands import (
    bisect,
    blame,
    build,
    check,
    compile,
    diff,
    inspect,
    labels,
    labels_history,
    lint,
    media,
    meld,
    new,
    play,
    resize,
    run,
    scoreboard,
    test,
)
from tacit.cli.output import fail, say
from tacit.cli.version import print_version
from tacit.ground.errors import TacitError, UnknownName
from tacit.ground.tables import did_you_mean

#: Name of a command -> the function, in the order of `tacit --help`.
COMMANDS: dict[str, Callable[..., int]] = {
    "new": new.command,
    "compile": compile.command,
    "run": run.command,
    "inspect": inspect.command,
    "test": test.command,
    "diff": diff.command,
    "bisect": bisect.command,
    "lint": lint.command,
    "blame": blame.command,
    "build": build.command,
    "resize": resize.command,
    "meld": meld.command,
    "scoreboard": scoreboard.command,
    "play": play.command,
    "check": check.command,
}

#: Name of a command -> settings of its own, for one that hands options on.
CONTEXTS: dict[str, dict[str, bool]] = {"play": play.SETTINGS}

#: Name of a group of commands -> its commands, `tacit GROUP COMMAND`, and a line of help.
GROUPS: dict[str, tuple[str, dict[str, Callable[..., int]]]] = {
    "labels": (
        "Set, bring in and give away labels; see what changed.",
        {
            "set": labels.set_command,
            "import": labels.import_command,
            "export": labels.export_command,
            "pack": labels.pack_command,
            "status": labels_history.status,
            "diff": labels_history.diff,
            "log": labels_history.log,
            "merge": labels_history.merge,
        },
    ),
    "media": (
        "Carry media to where everybody reaches them, and from there.",
        {"push": media.push, "pull": media.pull, "verify": media.verify},
    ),
}

INTERRUPTED = 130
#: The base of all errors of usage, whichever library of commands typer stands on.
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]

app = typer.Typer(
    name="tacit",
    help="Turn examples and a goal into a small, portable, tested program.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", help="Print the version.", callback=print_version, is_eager=True),
) -> None:
    """Turn examples and a goal into a small, portable, tested program."""


def _guarded(function: Callable[..., int]) -> Callable[..., int]:
    """Answer Ctrl-C and a closed pipe here: typer would give each an exit code of its own."""

    @functools.wraps(function)
    def guarded(*arguments: Any, **options: Any) -> int:
        try:
            code = function(*arguments, **options)
            sys.stdout.flush()
            return code
        except KeyboardInterrupt:
            say("interrupted")
            return INTERRUPTED
        except BrokenPipeError:  # `tacit run ... | head`: the reader has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0

    return guarded


for _name, _function in COMMANDS.items():
    app.command(_name, context_settings=CONTEXTS.get(_name))(_guarded(_function))

for _name, (_help, _commands) in GROUPS.items():
    _group = typer.Typer(help=_help, rich_markup_mode=None, pretty_exceptions_enable=False)
    for _verb, _function in _commands.items():
        _group.command(_verb)(_guarded(_function))
    app.add_typer(_group, name=_name, no_args_is_help=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code; a mistake of the caller becomes a message, never a traceback."""
    # Threads that wait by spinning ruin each other on a busy machine: 131 s for what takes 10 s when they sleep.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    code = _run(list(sys.argv[1:] if arguments is None else arguments) or ["--help"])
    if arguments is None:  # the work is done and this process ends now; a late Ctrl-C must not break into that
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    return code


def _run(given: list[str]) -> int:
    as_json = "--json" in given
    usage = f"tacit {given[0]} --help" if given[0] in COMMANDS or given[0] in GROUPS else "tacit --help"
    try:
        _refuse_unknown(given)
        code = app(given, prog_name="tacit", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except TacitError as error:
        return fail(error, as_json=as_json, otherwise=usage)
    except _UsageError as error:
        return fail(_explain(error, usage), as_json=as_json, otherwise=usage)
    except KeyboardInterrupt:
        return INTERRUPTED


def _refuse_unknown(given: Sequence[str]) -> None:
    """Raise an error that suggests the nearest command."""
    if not given or given[0].startswith("-") or given[0] in COMMANDS:
        return
    if given[0] not in GROUPS:
        raise UnknownName(f"expected a command, got `{given[0]}`", fix=did_you_mean(given[0], [*COMMANDS, *GROUPS]))
    known = GROUPS[given[0]][1]
    if given[1:] and not given[1].startswith("-") and given[1] not in known:
        raise UnknownName(f"expected a command of `tacit {given[0]}`, got `{given[1]}`", fix=did_you_mean(given[1], list(known)))


def _explain(error: Exception, usage: str) -> TacitError:
    """Turn an error of usage into one of the house."""
    message = str(getattr(error, "message", error)).rstrip(".")
    formatted = getattr(error, "format_message", None)
    near = getattr(error, "possibilities", None)
    if near:
        return TacitError(message, fix=f"did you mean `{sorted(near)[0]}`?")
    return TacitError(str(formatted() if formatted else message).rstrip("."), fix=usage)


if __name__ == "__main__":
    sys.exit(main())
