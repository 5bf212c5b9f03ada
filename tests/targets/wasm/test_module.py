"""The ES module in Node: the bits of wasmtime, and arrays that are refused."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tacit.signature.outputs import Class
from tacit.signature.row import Row
from tacit.targets.target import Options, Source
from tacit.targets.wasm.target import WasmTarget
from tests.targets.wasm.node import HERE, node
from tests.targets.wasm.small_sources import small_source

pytestmark = pytest.mark.system
ROW = Row(numbers=("age", "height"), categories=(("city", ("Rome", "Oslo")), ("sex", ("f", "m", "x"))))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Source, Path]]:
    source, folder = small_source(ROW >> Class("a", "b", "c"), name="people"), tmp_path_factory.mktemp("people")
    WasmTarget().write(source, folder, Options())
    yield source, folder


def run(folder: Path, inputs: list[Any], *code: str) -> dict[str, Any]:
    command = [node(), str(HERE / "running.mjs"), (folder / "people.mjs").as_uri(), *code]
    done = subprocess.run(command, input=json.dumps(inputs), capture_output=True, text=True, check=True, timeout=60)
    return json.loads(done.stdout)


@pytest.mark.parametrize("code", [(), ("people.wasm",), ("people_plain.wasm",)])
def test_scores_have_the_bits_of_wasmtime(built, code):
    source, folder = built
    random = np.random.default_rng(3)
    arrays = [random.normal(40, 20, (50, 2)).astype(np.float32), random.integers(0, 2, (50, 2)), random.integers(0, 3, (50, 2))]
    arrays = [arrays[0], arrays[1].astype(np.uint8), arrays[2].astype(np.int32)]
    expected = WasmTarget().run(source, folder, arrays)[0]
    found = run(folder, [[array[row].tolist() for array in arrays] for row in range(50)], *code)
    assert found["vectors"] is True and found["entries"] == ["main"] and found["name"] == "people"
    bits = np.array([answer[0] for answer in found["answers"]], np.uint32)
    assert np.array_equal(bits, expected.view(np.uint32))


def test_what_is_refused(built):
    right = [[30, 170], [1, 1], [2, 3]]
    cases = {
        "RangeError: expected 3 arrays, got 2": right[:2],
        "RangeError: expected 2 numbers for `numbers`, got 3": [[1, 2, 3], *right[1:]],
        "RangeError: expected whole numbers of 0 to 2 for `categories`, got 3 - at 0": [*right[:2], [3, 0]],
        "RangeError: expected whole numbers of 0 to 3 for `categories`, got 4 - at 1": [*right[:2], [0, 4]],
        "RangeError: expected whole numbers of 0 to 2 for `categories`, got -1 - at 0": [*right[:2], [-1, 0]],
        "RangeError: expected whole numbers of 0 to 2 for `categories`, got 0.5 - at 0": [*right[:2], [0.5, 0]],
        "RangeError: expected 2 numbers for `categories`, got undefined": [*right[:2], 5],
    }
    assert run(built[1], list(cases.values()))["answers"] == list(cases)
    assert isinstance(run(built[1], [right])["answers"][0], list)


def test_the_example_of_the_readme_runs(built):
    readme = (built[1] / "README.md").read_text(encoding="utf-8")
    script = readme.split("```js\n")[1].split("```")[0]
    (built[1] / "example.mjs").write_text(script, encoding="utf-8")
    done = subprocess.run([node(), "example.mjs"], cwd=built[1], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() in ("a", "b", "c")
