"""Vision as a domain program: `tacit new DIR --like vision`, and `tacit scoreboard vision` beside engineered features."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import tacit
from tacit_programs.vision.hands import PHOTO
from tacit_programs.vision.predecessor import predecessor
from tacit_programs.vision.sets import SETS
from tacit_programs.vision.settings import with_settings

_HERE = Path(__file__).parent


class VisionProgram:
    """What a photo shows."""

    name = "vision"
    title = "photos in a folder per class; hand signs are embedded"
    sets: Mapping[str, tacit.DataSource | None] = {name: pictures.source for name, pictures in SETS.items()}

    predecessor = staticmethod(predecessor)

    def write(self, directory: Path, data: str, *, reporter: tacit.Reporter) -> Path:
        """Make the program directory as `tacit new` would, with the settings that the data set is known to need.

        Raises: InputError when something is there already, or the data set can't be had.
        """
        pictures = SETS[data]
        folder = None if pictures.source is None else pictures.source.folder(reporter=reporter)

        def finish(building: Path) -> None:
            toml = building / "tacit.toml"
            toml.write_text(with_settings(toml.read_text(encoding="utf-8"), pictures.settings), encoding="utf-8")
            shutil.copyfile(_HERE / "README.md", building / "README.md")
            if folder is None:
                for name in ("tacit.toml", "tests.toml"):
                    shutil.copyfile(_HERE / name, building / name)
                shutil.copyfile(PHOTO, building / PHOTO.name)

        with tempfile.TemporaryDirectory() as temporary:
            source = pictures.unpack(folder, Path(temporary))
            return tacit.new(Path(directory), source=source, label=pictures.label, name=data, finish=finish, reporter=reporter)


PROGRAM = VisionProgram()
