"""``python -m tacit_programs DIR [NAME ...]``: begin each program with its embedded data, compile it in few steps, run it on one example.

A trial that everything is there, for a machine without a network; what comes out is far too little trained to be good.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import tacit

#: What is asked of a command, and its exit code when all went well and the goal was not met.
TACIT = (sys.executable, "-m", "tacit.cli.main")
DONE, NOT_MET = 0, 1
EXAMPLES = (".png", ".jpg", ".wav")
#: A game is measured by whole games, so few of them, little thought about.
FEW = ("--set", "game.games=2", "--set", "train.evaluations=4", "--set", "train.games=8")
#: The place of an address among the embedded ones.
LOOKUP = "import sys; from tacit_programs.index import load; print(load(sys.argv[1]).lookup(3232235777))"


@dataclass(frozen=True)
class Trial:
    """How a program is tried: words after ``tacit compile``, then those after ``tacit`` (or ``python``), with what is typed there.

    ``{made}`` is the file that was compiled, ``{example}`` the picture or recording that lies in the program directory.
    """

    compiling: Sequence[str]
    running: Sequence[str]
    typed: str = ""


TRIALS: Mapping[str, Trial] = {
    "digits": Trial(("--steps", "20"), ("run", "{made}", "{example}")),
    "connect-four": Trial(("--steps", "8", *FEW), ("inspect", "{made}")),
    "vision": Trial(("--steps", "8"), ("run", "{made}", "{example}")),
    "asr": Trial(("--steps", "8"), ("run", "{made}", "{example}")),
    "go": Trial(("--steps", "8", *FEW), ("play", "go", "--file", "{made}", "--gtp"), "genmove black\n"),
    "index": Trial((), ("python", "-c", LOOKUP, "{made}")),
}


def main(words: Sequence[str]) -> int:
    """Try the programs that are named, or all; give 1 when one of them failed."""
    if not words:
        print("usage: python -m tacit_programs DIR [NAME ...]", file=sys.stderr)
        return 2
    folder, names = Path(words[0]), list(words[1:]) or list(TRIALS)
    folder.mkdir(parents=True, exist_ok=True)
    failed = [name for name in names if not tried(name, folder)]
    print(f"{len(names) - len(failed)} of {len(names)} programs ran" + (f"; failed: {', '.join(failed)}" if failed else ""))
    return 1 if failed else 0


def tried(name: str, folder: Path) -> bool:
    """Begin, compile and run a program; tell whether all went well."""
    try:
        tacit.domain_program(name)
    except tacit.TacitError as error:
        print(f"error: {error}", file=sys.stderr)
        return False
    trial = TRIALS[name]
    compiled = said("compile", str(folder / name), "--like", name, *trial.compiling, allowed=(DONE, NOT_MET))
    if compiled is None:
        return False
    examples = [path for path in sorted((folder / name).iterdir()) if path.suffix in EXAMPLES]
    places = {"made": compiled.strip().splitlines()[-1], "example": str(next(iter(examples), "no-example"))}
    answer = said(*(word.format(**places) for word in trial.running), typed=trial.typed)
    print(f"== {name}: {answer.strip().splitlines()[-1] if answer and answer.strip() else 'no answer'}", flush=True)
    return bool(answer)


def said(*words: str, typed: str = "", allowed: Sequence[int] = (DONE,)) -> str | None:
    """Run ``tacit``, or ``python``, without the data sets of this machine; give what it said, or None when it failed."""
    command = [sys.executable, *words[1:]] if words[0] == "python" else [*TACIT, *words]
    print("$ " + shlex.join(words if words[0] == "python" else ["tacit", *words]), flush=True)
    plain = {name: value for name, value in os.environ.items() if name != "TACIT_DATA"}
    done = subprocess.run(command, input=typed, stdout=subprocess.PIPE, text=True, env=plain, check=False)
    return done.stdout if done.returncode in allowed else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
