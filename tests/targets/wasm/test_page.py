"""The page as text: one script without imports, data that can't break out of it, a policy that fits, facts from the evidence."""

from __future__ import annotations

import base64
import collections
import hashlib
import html
import json
import re
from importlib.resources import files
from typing import Any

import numpy as np
import pytest

from tacit.signature.image import Image
from tacit.signature.outputs import Class, Labels, Number
from tacit.signature.row import Row
from tacit.signature.series import Series
from tacit.signature.text import Text
from tacit.targets.wasm.compilation import Modules
from tacit.targets.wasm.description import describe_evidence, describe_program
from tacit.targets.wasm.page import bundle, es_module, page, template
from tests.targets.wasm.small_sources import expected_scores, small_source

WEIGHTS = bytes(range(64))
MODULES = Modules(b"head" + WEIGHTS + b"tail", b"other" + WEIGHTS + b"end", WEIGHTS, {"main": 128})
DIGITS = Image(8, 8, 1) >> Class("0", "1")


def top_level_names(script: str) -> list[str]:
    return re.findall(r"^(?:async )?(?:function|const|let|class) (\w+)", script, re.MULTILINE)


def data_of(text: str) -> dict:
    return json.loads(re.search(r'<script type="application/json" id="page">(.*?)</script>', text, re.DOTALL)[1])


def test_the_script_stands_alone():
    script = bundle("main.mjs")
    assert not re.search(r"^(import|export) ", script, re.MULTILINE)
    names = collections.Counter(top_level_names(script))
    assert [name for name, count in names.items() if count > 1] == []


def test_every_file_is_used_and_has_short_lines():
    script = bundle("main.mjs")
    root = files("tacit.targets.wasm") / "web"
    for folder in (root, root / "reading", root / "views"):
        for path in folder.iterdir():
            if path.name.endswith(".mjs"):
                names = top_level_names(re.sub(r"^export ", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE))
                assert max(map(len, path.read_text(encoding="utf-8").splitlines())) <= 140, path.name
                assert names and set(names) <= set(top_level_names(script)), path.name


def test_nothing_of_the_network_is_named():
    text = page(small_source(DIGITS), MODULES)
    assert "http:" not in text and "https:" not in text and "src=" not in text and '<link rel="icon" href="data:,">' in text


def test_the_policy_fits_script_and_style():
    text = page(small_source(DIGITS), MODULES)
    policy = html.unescape(re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)[1])
    for content in (
        re.search(r'<script type="module">(.*?)</script>', text, re.DOTALL)[1],
        re.search(r"<style>(.*?)</style>", text, re.DOTALL)[1],
    ):
        assert f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'" in policy
    assert "default-src 'none'" in policy and "unsafe-inline" not in policy and "connect-src" not in policy


def test_names_can_not_break_out_of_the_page():
    nasty = "</script><script>alert(1)</script>"
    source = small_source(Image(8, 8, 1) >> Class(nasty, "@page@ \u2028 & \" '"), evidence={"name": nasty})
    text = page(source, MODULES)
    assert text.count("<script") == 2 and "alert(1)</script>" not in text
    assert data_of(text)["title"] == nasty
    assert json.loads(re.search(r"^const program = (.*);$", text, re.MULTILINE)[1])["signature"]["output"]["names"][0] == nasty


def test_weights_stand_once():
    pieces = data_of(page(small_source(DIGITS), MODULES))["pieces"]
    decoded = [[WEIGHTS if piece is None else base64.b64decode(piece) for piece in pieces[kind]] for kind in ("vectors", "plain")]
    assert [b"".join(parts) for parts in decoded] == [MODULES.vectors, MODULES.plain]
    assert base64.b64decode(pieces["weights"]) == WEIGHTS


def test_weights_that_differ_stand_twice():
    modules = Modules(b"one", b"two", WEIGHTS, {"main": 128})
    pieces = data_of(page(small_source(DIGITS), modules))["pieces"]
    assert [base64.b64decode(pieces[kind][0]) for kind in ("vectors", "plain")] == [b"one", b"two"] and pieces["weights"] == ""


def test_the_module_holds_its_program():
    source = small_source(Text(3, 50, 2) >> Number(unit="EUR"))
    text = es_module(source)
    program = json.loads(re.search(r"^export const program = (.*);$", text, re.MULTILINE)[1])
    assert program == json.loads(json.dumps(describe_program(source)))
    assert program["entries"]["main"]["inputs"] == [{"name": "pieces", "dtype": "int32", "shape": [3, 2], "limit": 50}]
    assert "null; // @program@" not in text


def test_limits_of_indices_are_those_of_their_own_table():
    row = Row(numbers=("age",), categories=(("city", ("Rome", "Oslo")), ("sex", ("f", "m", "x", "y"))))
    inputs = describe_program(small_source(row >> Labels("a", "b")))["entries"]["main"]["inputs"]
    assert [one.get("limit") for one in inputs] == [None, None, [3, 5]]
    assert [one["dtype"] for one in inputs] == ["float32", "float32", "int32"]


def test_facts_of_the_evidence():
    block = {"count": 3, "accuracy": 0.5, "log_loss": None, "per_class": {"0": {"precision": 0.1, "recall": 0.2, "f1": 0.3, "count": 2}}}
    goals = [{"metric": "accuracy", "threshold": 0.4, "split": "test", "label": None, "value": 0.5, "met": True}]
    labels = {"counts": {"train": 1200, "test": 3}, "commit": "0123456789abcdef0123"}
    costs = {"macs": 640}
    source = small_source(
        DIGITS, evidence={"name": "my digits", "scores": {"test": block, "train": block}, "goals": goals, "labels": labels, "costs": costs}
    )
    facts = describe_evidence(source)
    assert facts["title"] == "my digits" and facts["macs"] == 640
    assert [split["name"] for split in facts["scores"]] == ["train", "test"]
    assert facts["scores"][1] == {"name": "test", "count": 3, "metrics": [["accuracy", 0.5]], "classes": [["0", 0.1, 0.2, 2]]}
    assert facts["goals"] == goals
    assert facts["labels"] == "1,200 train, 3 test, commit 0123456789abcdef0123"


@pytest.mark.parametrize("evidence", [{}, {"scores": 3, "goals": [1], "labels": [], "costs": "x", "probes": 7}, {"scores": {"test": None}}])
def test_evidence_of_another_form_is_left_out(evidence):
    facts = describe_evidence(small_source(Series(1, 3) >> Number(), evidence=evidence))
    assert [facts[key] for key in ("scores", "goals", "labels", "macs", "probes")] == [[], [], None, None, []]


def test_probes_that_do_not_fit_are_left_out():
    array = {"dtype": "int32", "shape": [2, 1], "data": base64.b64encode(np.array([1, 4], "<i4").tobytes()).decode()}
    right = {"inputs": [array], "scores": [0.5]}
    wrong: list[Any] = [
        {"inputs": [array]},
        {"inputs": [array, array], "scores": [0.5]},
        {"inputs": [array], "scores": [0.5, 1.0]},
        {"inputs": [{**array, "dtype": "uint8"}], "scores": [0.5]},
        {"inputs": [{**array, "data": "AAAA"}], "scores": [0.5]},
        {"inputs": [{**array, "data": "?"}], "scores": [0.5]},
        {"inputs": [{**array, "data": base64.b64encode(np.array([1, 5], "<i4").tobytes()).decode()}], "scores": [0.5]},
        {"inputs": [array], "scores": [float("nan")]},
        None,
    ]
    source = small_source(Text(2, 5, 1) >> Number(), evidence={"probes": [right, *wrong]})
    assert describe_evidence(source)["probes"] == [right]


def test_summaries_are_plain():
    assert describe_evidence(small_source(Text(3, 50) >> Class("a", "b")))["summary"] == "From a text to one of 2 classes: a, b."
    both = Series(1, 3) * Row(numbers=("age",)) >> Number()
    assert describe_evidence(small_source(both))["summary"] == "From a series of 1 channel over 3 steps and a row of 1 column to a number."


def test_small_sources_see_every_element():
    source = small_source(Image(2, 2, 1) * Text(2, 5, 1) >> Number())
    random = np.random.default_rng(0)
    arrays = [random.integers(0, 256, (1, 2, 2, 1)).astype(np.float32), np.array([[[1], [2]]], np.int32)]
    before = expected_scores(source, arrays)
    for array in arrays:
        for at in np.ndindex(array.shape):
            array[at] += 1
            assert not np.array_equal(expected_scores(source, arrays), before)
            array[at] -= 1


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2, section 1.4.3) of #rrggbb."""
    levels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [level / 12.92 if level <= 0.04045 else ((level + 0.055) / 1.055) ** 2.4 for level in levels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(scheme):
    style = template("page.css")
    light, dark = re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    colours = dict(re.findall(r"--([\w-]+): (#\w{6});", light if scheme == "light" else dark))
    pairs = [(text, ground) for text in ("text", "soft", "problem") for ground in ("card", "ground", "field")]
    pairs += [("on-accent", "accent"), ("accent", "card"), ("text", "accent-soft"), ("card", "problem")]
    assert {pair: ratio for pair in pairs if (ratio := contrast(colours[pair[0]], colours[pair[1]])) < 4.5} == {}


def test_contrast_is_seen_to_be_low():
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#999999", "#ffffff") < 4.5
