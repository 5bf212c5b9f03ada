"""What every source says about an example at a revision, and which examples are in dispute there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from tacit.examples.label_files import EDITS, LABELS
from tacit.examples.records import Record, label_key
from tacit.history.finding_changes import working_content
from tacit.history.git import Repository
from tacit.history.lines import annotator_of, find_lines, is_labels, may_hold, parse, source_of

#: Source -> its record, imports before annotators.
Opinions = dict[str, Record]


def disputes_at(repository: Repository, ids: Iterable[str], revision: str | None = None) -> dict[str, Opinions]:
    """Give those of the examples about which sources say different things, sorted by id. revision None: the working tree.

    Reads only the shards that may hold them, and nothing at all while there is one source.
    """
    wanted = set(ids)
    under = repository.path(LABELS)
    if revision is None:
        listing: dict[str, str] = dict.fromkeys([*repository.tracked(under), *repository.untracked(under)], "")
    else:
        listing = repository.files(revision, under)
    files = {path: repository.relative(path) for path in listing if is_labels(path)}
    if not wanted or len({_source(file) for file in files.values()}) < 2:
        return {}
    found: defaultdict[str, Opinions] = defaultdict(dict)
    names = {path: {name for name in wanted if may_hold(file, name)} for path, file in files.items()}
    asked = sorted((path for path in files if names[path]), key=lambda path: _turn(files[path]))
    with repository.blobs() as blobs:
        stored = blobs.read_many(listing[path] for path in asked if revision is not None)
        for path in asked:
            content = working_content(repository, path) if revision is None else next(stored)
            for name, _, line in find_lines(content, names[path]):
                record = parse(line, "", [])
                if record is not None:
                    found[name][_source(files[path])] = record
    return {name: said for name, said in sorted(found.items()) if len({label_key(record.label) for record in said.values()}) > 1}


def _source(file: str) -> str:
    return source_of(file).removesuffix(f"/{EDITS}")


def _turn(file: str) -> tuple[bool, bool, str]:
    """Order files: imports, then what people changed in them, then annotators."""
    source = source_of(file)
    return (annotator_of(source) is not None, source.endswith(f"/{EDITS}"), file)
