"""``python -m tacit_programs.digits DIR``: unpack the embedded digits as a program directory."""

from __future__ import annotations

import sys
from pathlib import Path

import tacit
from tacit_programs.digits.unpacking import unpack


def main() -> int:
    """Unpack into the folder that is named on the command line; give the exit code."""
    if len(sys.argv) != 2:
        print("usage: python -m tacit_programs.digits DIR", file=sys.stderr)
        return 2
    try:
        directory = unpack(Path(sys.argv[1]))
    except tacit.TacitError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(f"the digits as a program directory: {directory}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
