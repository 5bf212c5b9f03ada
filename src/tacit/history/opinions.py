"""What every source says about an example at a revision, and which examples are in dispute there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from tacit.examples.label_files import EDITS, LABELS
from tacit.examples.records import label_key
from tacit.history.changes import working_content
from tacit.history.git import Repository
from tacit.history.lines import find_lines, is_labels, may_hold, parse, source_of


def disputes_at(repository: Repository, ids: Iterable[str], revision: str | None = None) -> dict[str, dict[str, Any]]:
    """Give those of the examples about which sources say different things, as id -> {source: label}. None: the working tree.

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
    found: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    names = {path: {name for name in wanted if may_hold(file, name)} for path, file in files.items()}
    asked = sorted((path for path in files if names[path]), key=lambda path: (f"/{EDITS}/" in path, path))  # edits after what they edit
    with repository.blobs() as blobs:
        contents = (
            (working_content(repository, path) for path in asked) if revision is None else blobs.read_many(map(listing.__getitem__, asked))
        )
        for path, content in zip(asked, contents, strict=True):
            for name, _, line in find_lines(content, names[path]):
                record = parse(line, "", [])
                if record is not None:
                    found[name][_source(files[path])] = record.label
    return {name: said for name, said in sorted(found.items()) if len(set(map(label_key, said.values()))) > 1}


def _source(file: str) -> str:
    return source_of(file).removesuffix(f"/{EDITS}")
