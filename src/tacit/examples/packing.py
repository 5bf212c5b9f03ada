"""Where the records of an import go: text as long as it is quick to read, chunks above; and the way from one to the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tacit.examples import chunks
from tacit.examples.label_files import ANNOTATORS, CHUNKS, LABELS, LabelFile, label_files
from tacit.examples.media_lists import write_media_list
from tacit.examples.reading import read_file, replaced_by
from tacit.examples.records import Record
from tacit.examples.writing import write_attributes, write_labels
from tacit.ground.digests import example_id
from tacit.ground.errors import InputError, raise_all
from tacit.ground.files import write_atomic


def write_import(directory: Path, name: str, records: Sequence[Record]) -> list[Path]:
    """Write the records of an import below ``labels/<name>/``: as text, or as chunks when there are more than `CHUNKED_ABOVE`.

    Gives the files written below `labels/`.
    """
    if len(records) <= chunks.CHUNKED_ABOVE:
        return write_labels(directory, name, records)
    manifest = chunks.write_chunks(directory, records)
    path = directory / LABELS / name / CHUNKS
    write_atomic(path, manifest.text())
    return [path]


def pack_import(directory: Path, name: str) -> int:
    """Move the records of a text import into chunks; give how many. Whoever calls this holds the lock (`writing`).

    First the chunks are written, then a manifest that names the shards which it replaces, then the shards are removed; killed in
    between, `finish_packing` does what is left, and until then the shards are read or left aside as a whole.
    An import that has moved already stays as it is. Raises: InputError when there is no such import or its files are not sound.
    """
    folder = directory / LABELS / name
    files = [file for file in label_files(directory) if file.source == name]
    shards = [file for file in files if file.kind == "import"]
    moved = [file for file in files if file.kind == "chunks"]
    if moved and not shards:  # killed after the last step, or asked for twice
        write_media_list(directory, name, [])
        write_attributes(directory)
        return sum(chunk.records for chunk in chunks.read_manifest(moved[0].path, moved[0].shown, []).chunks)
    if not shards or name.startswith(ANNOTATORS) or not folder.is_dir():
        there = sorted({file.source for file in label_files(directory) if file.kind == "import"})
        raise InputError(f"expected an import - at `{folder}`", fix=f"give one of: {', '.join(there) or 'there is none'}")
    problems = [f"{file.shown}: there are chunks already; the text files beside it are another import's to hold" for file in moved]
    records = _records(directory, shards, problems)
    raise_all(problems, heading=f"expected sound labels - at `{folder}`", fix="resolve the places named", most=100)
    manifest = chunks.write_chunks(directory, records)
    replaces = {file.path.relative_to(folder).as_posix(): example_id(file.path.read_bytes()) for file in shards}
    write_atomic(folder / CHUNKS, replace(manifest, replaces=replaces).text())
    finish_packing(directory)
    write_media_list(directory, name, [])
    write_attributes(directory)
    return len(records)


def _records(directory: Path, shards: Sequence[LabelFile], problems: list[str]) -> list[Record]:
    found: dict[str, Record] = {}
    for file in shards:
        lines = read_file(directory, file, problems)
        for record, number in zip(lines.records, lines.numbers, strict=True):
            if found.setdefault(record.id, record) is not record:
                problems.append(f"{file.shown}:{number}: example {record.id} stands in `{file.source}` twice")
    return list(found.values())


def finish_packing(directory: Path) -> None:
    """Remove the shards that manifests have taken the place of and nobody has changed since; only for who holds the lock."""
    for file in label_files(directory):
        if file.kind != "chunks":
            continue
        manifest = chunks.read_manifest(file.path, file.shown, [])
        if manifest.replaces:
            for path, same in replaced_by(file).items():
                if same:
                    path.unlink()
            write_atomic(file.path, replace(manifest, replaces={}).text())
