"""Domain programs that only tests know."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tacit.domains.data import DataSource
from tacit.domains.standing import Standing
from tacit.ground.errors import InputError


@dataclass
class Imagined:
    """A program that counts what is asked of it; `fails` is raised after the first row, or by `write`."""

    name: str = "imagined"
    title: str = "something imagined"
    sets: dict[str, DataSource | None] = field(
        default_factory=lambda: {"small": None, "large": DataSource("large", "large", "CC0", "page")}
    )
    fails: Exception | None = None
    asked: list[dict[str, object]] = field(default_factory=list)

    def write(self, directory: Path, data: str, *, reporter) -> Path:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "settings.txt").write_text(data)
        if self.fails is not None:
            raise self.fails
        source = self.sets[data]
        if source is not None:
            source.folder(reporter=reporter)
        return directory

    def standings(self, data, **options):
        self.asked.append({"data": data, **options})
        yield Standing("old way", "predecessor", "accuracy", 0.5, made_in=1.5, microseconds=2.0, bytes=10)
        if self.fails is not None:
            raise self.fails
        yield Standing("new way", "program", "accuracy", 0.9, macs=7)


class OwnWay(Imagined):
    """A program that compiles in its own way, and can be played with."""

    play_options = {"size": "Side of the board."}  # noqa: RUF012

    def compile(self, directory, *, minutes, steps, seed, resume, output, reporter) -> Path:
        path = output or directory / "made.bin"
        path.write_text(f"{minutes} {steps} {seed} {resume}")
        return path

    def play(self, options, *, reporter) -> int:
        print(dict(options))
        return 0


class Refusing(Imagined):
    """A program that can't be written."""

    def write(self, directory, data, *, reporter):
        super().write(directory, data, reporter=reporter)
        raise InputError("expected more")


PLAIN, OWN, BROKEN, REFUSING = (
    Imagined(),
    OwnWay("own-way"),
    Imagined("broken", fails=ZeroDivisionError("by zero")),
    Refusing("refusing"),
)
