"""`tacit --version`."""

from __future__ import annotations

from importlib import metadata

import typer


def print_version(wanted: bool) -> None:
    """Print the version and stop."""
    if wanted:
        typer.echo(f"tacit {metadata.version('tacit')}")
        raise typer.Exit
