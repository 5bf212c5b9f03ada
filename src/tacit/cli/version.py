"""`tacit --version`."""

from __future__ import annotations

import typer

from tacit.ground.tables import resolve


def print_version(wanted: bool) -> None:
    """Print the version and stop."""
    if wanted:
        typer.echo(f"tacit {resolve('tacit:__version__')}")
        raise typer.Exit
