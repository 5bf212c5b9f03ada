"""``python -m tacit_programs.go gtp [FILE]``: an engine for Go programs and boards on a screen; ``play [FILE]`` for a terminal."""

from __future__ import annotations

import sys

import tacit
from tacit_programs.go.program import PROGRAM

_USAGE = "usage: python -m tacit_programs.go gtp|play [FILE.tacit] [--size N] [--komi N] [--evaluations N]"


def main(words: list[str]) -> int:
    """Do what the command line says; give the exit code."""
    if not words or words[0] not in ("gtp", "play"):
        print(_USAGE, file=sys.stderr)
        return 2
    options = {"gtp": ""} if words[0] == "gtp" else {}
    rest = words[1:]
    if rest and not rest[0].startswith("--"):
        options["file"] = rest.pop(0)
    for name, value in zip(rest[::2], [*rest[1::2], None], strict=False):
        if name.removeprefix("--") not in PROGRAM.play_options or value is None:
            print(_USAGE, file=sys.stderr)
            return 2
        options[name.removeprefix("--")] = value
    try:
        return PROGRAM.play(options, reporter=tacit.Reporter())
    except tacit.TacitError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
