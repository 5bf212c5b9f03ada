"""Speech recognition as a domain program: single digits, digits of a voice never heard, and strings of digits without boundaries."""

from __future__ import annotations

import csv
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import tacit
from tacit_programs.asr.predecessor import predecessor
from tacit_programs.asr.recordings import FSDD, SPEAKERS, Recording, embedded, wav_bytes, whole
from tacit_programs.asr.strings import make_strings

_HERE = Path(__file__).parent
#: Strings made for training, validation and test: of the embedded recordings, of all.
STRINGS = {"small-strings": (400, 0, 60), "fsdd-strings": (2000, 300, 300)}
#: Takes of the official training split from which validation strings are made, and no training string.
HELD = range(5, 10)
Row = tuple[bytes, str, str, str]


class SpeechProgram:
    """What was said: a digit, or a string of them."""

    name = "asr"
    title = "speech recognition: spoken digits, alone or in strings, with the spectrum inside the binary"
    sets: Mapping[str, tacit.DataSource | None] = {
        "small": None,
        "small-strings": None,
        "fsdd": FSDD,
        "fsdd-strings": FSDD,
        **{f"fsdd-without-{speaker}": FSDD for speaker in SPEAKERS},
    }

    predecessor = staticmethod(predecessor)

    def write(self, directory: Path, data: str, *, reporter: tacit.Reporter) -> Path:
        """Make a program directory of recordings as WAV files. Raises: InputError when it is there already, or the set can't be had."""
        recordings = embedded() if data.startswith("small") else whole(reporter=reporter)
        rows = string_rows(recordings, data) if data in STRINGS else word_rows(recordings, data)

        def finish(building: Path) -> None:
            shutil.copyfile(_HERE / ("strings.toml" if data in STRINGS else "tacit.toml"), building / "tacit.toml")
            shutil.copyfile(_HERE / "README.md", building / "README.md")
            spoken = next(one for one in recordings if one.official_test)  # to run the binary on
            (building / "recording.wav").write_bytes(wav_bytes(spoken.sound))

        with tempfile.TemporaryDirectory() as temporary:
            table = write_table(rows, Path(temporary))
            made: Path = tacit.new(directory, source=table, label="label", group="speaker", name="asr", finish=finish, reporter=reporter)
            return made


def word_rows(recordings: Sequence[Recording], data: str) -> Iterator[Row]:
    """Give (WAV, digit, speaker, split) of every recording: the official split, or one speaker for testing and the others for training."""
    unseen = data.removeprefix("fsdd-without-") if data.startswith("fsdd-without-") else None
    for one in recordings:
        test = one.official_test if unseen is None else one.speaker == unseen
        yield wav_bytes(one.sound), one.digit, one.speaker, "test" if test else "train"


def string_rows(recordings: Sequence[Recording], data: str) -> Iterator[Row]:
    """Make strings: those for testing of the official test recordings alone, the others of others alone, each part from its own seed."""
    train, validation, test = STRINGS[data]
    parts = [
        ("train", train, [one for one in recordings if not one.official_test and not (validation and one.take in HELD)]),
        ("validation", validation, [one for one in recordings if one.take in HELD]),
        ("test", test, [one for one in recordings if one.official_test]),
    ]
    for seed, (split, count, own) in enumerate(parts):
        for spoken in make_strings(own, count, seed=seed) if count else ():
            yield wav_bytes(spoken.sound), " ".join(spoken.digits) or "[]", spoken.speaker, split


def write_table(rows: Iterator[Row], folder: Path) -> Path:
    """Write WAV files and a table that names them, what a person with recordings has; give the table."""
    table = folder / "recordings.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "label", "speaker", "split"))
        for number, (sound, label, speaker, split) in enumerate(rows):
            (folder / f"{number:05}.wav").write_bytes(sound)
            writer.writerow((f"{number:05}.wav", label, speaker, split))
    return table


PROGRAM = SpeechProgram()
