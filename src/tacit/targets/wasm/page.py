"""Putting the page together: one HTML file with its style, its script and the program inside, which may reach nothing else."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from tacit.targets.target import Source
from tacit.targets.wasm.compilation import Modules
from tacit.targets.wasm.description import describe_evidence, describe_program

_WEB = files("tacit.targets.wasm") / "web"
_IMPORT = re.compile(r'^import \{[^}]*\} from "(?P<path>\.[^"]+)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|const|class)\b)", re.MULTILINE)
_PROGRAM = "export const program = null; // @program@\n"


def template(path: str) -> str:
    """Give a file of `web/`, ``module.mjs`` or ``views/dom.mjs``."""
    return _WEB.joinpath(*path.split("/")).read_text(encoding="utf-8")


def es_module(source: Source) -> str:
    """Give the text of NAME.mjs."""
    return template("module.mjs").replace(_PROGRAM, f"export const program = {_json(describe_program(source))};\n")


def page(source: Source, modules: Modules) -> str:
    """Give the text of NAME.html."""
    evidence = describe_evidence(source)
    script = f"\n{bundle('main.mjs', {'module.mjs': es_module(source)})}"
    style = f"\n{template('page.css')}"
    sizes = {"vectors": modules.vectors, "plain": modules.plain, "weights": modules.weights}
    data = {
        **evidence,
        "bytes": {**{name: len(content) for name, content in sizes.items()}, "arena": sum(modules.arena_bytes.values())},
        "pieces": _pieces(modules),
    }
    values = {
        "policy": html.escape(_policy(script, style)),
        "title": html.escape(evidence["title"]),
        "summary": html.escape(evidence["summary"]),
        "style": style,
        "page": _json(data),
        "script": script,
    }
    return re.sub(r"@(\w+)@", lambda match: values[match[1]], template("page.html"))


def bundle(main: str, instead: Mapping[str, str] | None = None) -> str:
    """Join a file of `web/` with all that it imports into one script, each file once and after what it needs.

    All of them share one scope, so their names differ. `instead`: texts that stand for files.
    """
    order: dict[str, str] = {}

    def visit(path: str) -> None:
        if path in order:
            return
        text = (instead or {}).get(path) or template(path)
        order[path] = ""  # holds the place against a circle
        for match in _IMPORT.finditer(text):
            visit(_resolved(path, match["path"]))
        del order[path]
        order[path] = _EXPORT.sub("", _IMPORT.sub("", text))

    visit(main)
    return "\n".join(order.values())


def _resolved(origin: str, path: str) -> str:
    parts = origin.split("/")[:-1]
    for part in path.split("/"):
        if part == "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)


def _pieces(modules: Modules) -> dict[str, Any]:
    """Give both modules in base64; the weights, which are the same in both, stand once, and None marks their place."""
    weights = modules.weights
    shared = len(weights) > 0 and weights in modules.vectors and weights in modules.plain
    return {
        "weights": _base64(weights) if shared else "",
        "vectors": _cut(modules.vectors, weights) if shared else [_base64(modules.vectors)],
        "plain": _cut(modules.plain, weights) if shared else [_base64(modules.plain)],
    }


def _cut(module: bytes, weights: bytes) -> list[str | None]:
    head, _, tail = module.partition(weights)
    return [_base64(head), None, _base64(tail)]


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _policy(script: str, style: str) -> str:
    """Allow this script and this style, what they make themselves, and no network."""
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src '{_hash(script)}' 'wasm-unsafe-eval' data:",  # data: is the page's own recorder of sound
            f"style-src '{_hash(style)}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


def _hash(text: str) -> str:
    return f"sha256-{_base64(hashlib.sha256(text.encode()).digest())}"


def _json(value: Any) -> str:
    """Write JSON that may stand in a script: no `<` in it can end the element, and no separator can end a line."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
