"""The model card: written from the evidence alone, so it can't say what was not measured.

Front matter as the Hugging Face Hub reads it
(https://github.com/huggingface/hub-docs/blob/main/modelcard.md, the fields `license`, `library_name`, `tags`, `model-index`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tacit.binary.binary import Binary
from tacit.ground.files import write_atomic
from tacit.instruments.evidence import block_of, classes_grid, goal_rows, numbers_of, scores_grid
from tacit.instruments.layout import Grid, count, size

_TASKS = {
    ("image", "class"): "image-classification",
    ("audio", "class"): "audio-classification",
    ("audio", "symbols"): "automatic-speech-recognition",
    ("text", "class"): "text-classification",
    ("row", "class"): "tabular-classification",
    ("row", "number"): "tabular-regression",
    ("series", "number"): "time-series-forecasting",
}


def card(binary: Binary, *, license: str | None = None) -> str:
    """Give the model card as Markdown with YAML front matter. Costs nothing: it reads the evidence, it runs nothing."""
    name = str(binary.evidence.get("name") or "binary")
    blocks = [
        _front_matter(binary, name, license),
        f"# {name}",
        f"A program {_source(binary.evidence)} by Tacit: it takes {binary.signature.input.describe()} "
        f"and gives {binary.signature.output.describe()}. It is a straight line of two operations, so it takes the same time "
        "and memory for every input.",
        _usage(name),
        *_scores(binary.evidence),
        *_goals(binary.evidence),
        *_costs(binary.evidence),
        *_origin(binary),
    ]
    return "\n\n".join(blocks) + "\n"


def write_card(binary: Binary, path: Path, *, license: str | None = None) -> Path:
    """Write the card beside the binary, ``digits.tacit`` to ``digits.md``; give its path. Raises: TacitError."""
    target = path.with_suffix(".md")
    write_atomic(target, card(binary, license=license))
    return target


def _source(evidence: Mapping[str, Any]) -> str:
    """Say what it was made from."""
    acting = evidence.get("acting") or {}
    if acting.get("kind") == "environment":
        return f"found by acting in the environment `{acting.get('name')}`"
    return f"found by playing the game `{acting.get('name')}` against itself" if acting.get("kind") == "game" else "compiled from examples"


def _front_matter(binary: Binary, name: str, license: str | None) -> str:
    acts = bool(binary.evidence.get("acting"))
    task = "reinforcement-learning" if acts else _TASKS.get((binary.signature.input.kind, binary.signature.output.kind))
    scores = numbers_of(block_of(binary.evidence, "test"))
    lines = ["---", f"license: {license or 'other'}", "library_name: tacit"]
    lines += [f"pipeline_tag: {task}"] if task else []
    lines += ["tags:", "- tacit", "- software-2.0", f"- {binary.signature.input.kind}"]
    if scores:
        lines += ["metrics:", *(f"- {metric}" for metric in scores), "model-index:", f"- name: {_quote(name)}", "  results:", "  - task:"]
        lines += [
            f"      type: {task or 'other'}",
            "    dataset:",
            f"      name: {_quote(name)}",
            f"      type: {_quote(name)}",
            "      split: test",
        ]
        lines += ["    metrics:"]
        for metric, value in scores.items():
            lines += [f"    - type: {metric}", f"      value: {value:.6g}"]
    return "\n".join([*lines, "---"])


def _quote(text: str) -> str:
    """Write a YAML string: a JSON string is one."""
    return json.dumps(text, ensure_ascii=False)


def _usage(name: str) -> str:
    return f'```python\nimport tacit\n\nprogram = tacit.load("{name}.tacit")\nanswer = program(value)\n```'


def _scores(evidence: Mapping[str, Any]) -> Iterator[str]:
    scores = scores_grid({split: block_of(evidence, split) for split in ("validation", "test")})
    if scores is not None:
        yield "## Scores"
        yield markdown(scores)
        if evidence.get("acting"):
            yield "Measured on the binary itself, once, by episodes or games that were neither learnt from nor chosen by."
        elif block_of(evidence, "test"):
            yield "The test split was scored once, after the program was chosen on the validation split."
    classes = classes_grid(block_of(evidence, "test"), title="")
    if classes is not None:
        yield "## Per class, on the test split"
        yield markdown(classes)


def _goals(evidence: Mapping[str, Any]) -> Iterator[str]:
    rows = goal_rows(evidence.get("goals"))
    if rows:
        yield "## Goals"
        yield markdown(Grid("", ("goal", "threshold", "measured", ""), tuple(row.cells() for row in rows)))


def _costs(evidence: Mapping[str, Any]) -> Iterator[str]:
    costs = evidence.get("costs") or {}
    known = {
        "multiply-accumulates per call": count(costs["macs"]) if "macs" in costs else None,
        "instructions per call": str(costs["instructions"]) if "instructions" in costs else None,
        "weights": size(costs["weight_bytes"]) if "weight_bytes" in costs else None,
        "working memory": size(costs["arena_bytes"]) if "arena_bytes" in costs else None,
    }
    rows = tuple((name, text) for name, text in known.items() if text is not None)
    if rows:
        yield "## Cost"
        yield markdown(Grid("", ("what", "how much"), rows))
        yield "The same for every input: no branch depends on data, nothing is allocated while it runs."
    lowering = evidence.get("lowering") or {}
    if lowering.get("max_relative_error") is not None:
        yield f"Greatest relative difference from the network that was trained: {lowering['max_relative_error']:.2g}."
    for item in lowering.get("approximations") or []:
        yield f"Approximated: {item if isinstance(item, str) else json.dumps(item, ensure_ascii=False)}."


def _origin(binary: Binary) -> Iterator[str]:
    evidence = binary.evidence
    labels, run, versions = (evidence.get(key) or {} for key in ("labels", "run", "versions"))
    facts = {
        "digest of the program": f"`{binary.digest}`",
        **_place(evidence.get("acting") or {}),
        "digest of the labels": f"`{labels['digest']}`" if labels.get("digest") else None,
        "commit of the labels": f"`{labels['commit']}`" if labels.get("commit") else None,
        "examples": ", ".join(f"{number} {split}" for split, number in (labels.get("counts") or {}).items()) or None,
        "seed": run.get("seed"),
        str(run.get("unit") or "steps"): run.get("steps"),
        "seconds": f"{run['seconds']:.1f}" if isinstance(run.get("seconds"), int | float) else None,
        "device": run.get("device"),
        "versions": ", ".join(f"{package} {version}" for package, version in versions.items()) or None,
        "repeat": f"`{run['repeat']}`" if run.get("repeat") else None,
    }
    yield "## Where it comes from"
    yield markdown(Grid("", ("what", "value"), tuple((name, str(value)) for name, value in facts.items() if value is not None)))


def _place(acting: Mapping[str, Any]) -> dict[str, str | None]:
    """Name where a program acts, and by how much it was measured."""
    if not acting:
        return {}
    kind = str(acting.get("kind"))
    measured = (
        f"{acting.get('episodes')} {'episodes' if kind == 'environment' else 'games against each opponent'}, seed {acting.get('seed')}"
    )
    return {kind: f"`{acting.get('id') or acting.get('name')}`", "measured by": measured}


def markdown(grid: Grid) -> str:
    """Write a grid as a Markdown table; a bar within a cell is escaped."""
    right = ["---:" if grid.numeric(column) else "---" for column in range(len(grid.columns))]
    rows = [grid.columns, tuple(right), *grid.rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in rows)
