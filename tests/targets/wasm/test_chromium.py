"""Every page in Chromium: a person's input gives Python's answer, nothing is loaded, nothing is complained about."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

import tacit_programs.digits as digits
from tacit.binary.binary import Binary
from tacit.binary.probes import record_probes
from tacit.ir.graph import Graph
from tacit.signature.audio import Audio
from tacit.signature.base import Joint, Signature
from tacit.signature.image import Image
from tacit.signature.outputs import Class, Labels, Number
from tacit.signature.row import Row
from tacit.signature.series import Series
from tacit.signature.text import Text
from tacit.targets.target import Options, Source
from tacit.targets.wasm.target import WasmTarget
from tests.targets.wasm.chromium import Browser, chromium, scores_in_page
from tests.targets.wasm.small_sources import small_graph
from tests.targets.wasm.test_reading import photographs, wav

pytestmark = pytest.mark.system
ROOT = Path(__file__).resolve().parents[3]
GREY = Image(28, 28, 1) >> Class("zero", "one", "two", "three")
COLOUR = Image(32, 48, 3, fit="pad") >> Number(mean=10.0, scale=3.0, unit="kg")
SOUND = Audio(8000, 6000) >> Class("yes", "no", "up", "down")
TEXT = Text(24, 5000) >> Labels("urgent", "invoice", "private")
SERIES = Series(3, 20, fit="last") >> Number(unit="m")
ROW = Row(numbers=("age", "height"), categories=(("city", ("Rome", "Oslo")), ("sex", ("f", "m", "x"))), fill=(40.0, 1.7)) >> Class("a", "b")
MANY = Row(numbers=("n",), categories=(("big", tuple(f"v{at}" for at in range(300))),)) >> Class(tuple(f"c{at}" for at in range(40)))
PRODUCT = Image(8, 8, 1) * Row(categories=(("city", ("Rome", "Oslo")),)) >> Joint((Class("a", "b"), Number()), ("kind", "price"))


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all pages; its microphone plays a word-like sound, its camera a test picture."""
    folder = tmp_path_factory.mktemp("chromium")
    time = np.arange(48000 * 2) / 48000
    sound = 12000 * np.sin(2 * np.pi * 440 * time) * np.exp(-((time - 1) ** 2) * 20)
    (folder / "sound.wav").write_bytes(wav(sound.astype("<i2"), 48000))
    with chromium(folder / "profile", f"--use-file-for-fake-audio-capture={folder / 'sound.wav'}") as started:
        yield started


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Signature], tuple[Binary, Path]]:
    """Build the page of a signature once; gives the program and its page."""
    built: dict[str, tuple[Binary, Path]] = {}

    def page(signature: Signature) -> tuple[Binary, Path]:
        if str(signature) not in built:
            folder = tmp_path_factory.mktemp("page")
            bare = Binary({"main": small_graph(signature)}, signature)
            evidence = {"name": f"a {signature.input.kind}", "probes": record_probes(bare, some_arrays(signature)), **EVIDENCE}
            WasmTarget().write(Source("small", bare.graphs, signature, bare.digest, evidence), folder, Options())
            built[str(signature)] = (bare, folder / "small.html")
        return built[str(signature)]

    return page


EVIDENCE: dict[str, Any] = {
    "scores": {
        "test": {
            "count": 386,
            "accuracy": 0.989,
            "macro_f1": 0.988,
            "per_class": {"a": {"precision": 1, "recall": 0.9, "f1": 0.95, "count": 40}},
        },
        "validation": {"count": 139, "accuracy": 0.993},
    },
    "goals": [{"metric": "accuracy", "threshold": 0.95, "split": "test", "label": None, "value": 0.989, "met": True}],
    "costs": {"macs": 1234567},
    "labels": {"counts": {"train": 1272, "validation": 139, "test": 386}, "commit": None},
}


def some_arrays(signature: Signature) -> list[np.ndarray]:
    random = np.random.default_rng(5)
    found = []
    for spec in signature.input.arrays:
        if spec.name.endswith("categories"):
            found.append(random.integers(0, 3, (4, *spec.shape)).astype(np.int32))
        elif spec.name.endswith("present"):
            found.append(np.ones((4, *spec.shape), np.uint8))
        else:
            most = spec.limit or (256 if spec.dtype == "uint8" else 3000)
            found.append(random.integers(0, most, (4, *spec.shape)).astype(spec.dtype))
    return found


def percent(share: float) -> str:
    if 0.9995 < share < 1:
        return "> 99.9 %"
    return "< 0.1 %" if 0 < share < 0.0005 else f"{100 * share:.1f} %"


def answered(browser: Browser, binary: Binary, value: Any) -> None:
    """Hold what the page shows against what Python says of the same value."""
    output, scores = binary.signature.output, binary.scores(value)
    browser.wait("document.querySelector('.winner').textContent !== '–'")
    shown = browser.text(".winner")
    answer = binary(value)
    if isinstance(output, Number):
        number, _, unit = shown.replace(",", "").partition(" ")
        assert (float(number), unit) == (pytest.approx(answer, rel=2e-5), output.unit)
        return
    assert shown == (answer if isinstance(output, Class) else ", ".join(answer) or "none")
    rows = browser.run(
        "return [...document.querySelectorAll('.bars li')].map((row) => [...row.children].map((child) => child.textContent))"
    )
    shares = dict(zip(output.names, map(float, output.probabilities(scores)), strict=True))
    for name, _, share in rows:
        near = {percent(shares[name] + shift) for shift in (-1e-5, 0, 1e-5)}
        assert share in near, (name, share, shares[name])


def nothing_else(browser: Browser) -> None:
    """No request but the page itself, and no warning or error on the console."""
    assert browser.requests() == []
    assert browser.complaints() == []


def read_pixels(browser: Browser, kind: Image) -> np.ndarray:
    """uint8[row, column, channel] of the canvas that shows what the program reads."""
    browser.settle()
    script = """
      const canvas = document.querySelector('.seen');
      const context = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', { willReadFrequently: true });
      context.drawImage(canvas, 0, 0);
      return [...context.getImageData(0, 0, canvas.width, canvas.height).data];"""
    rgba = np.array(browser.run(script), np.uint8).reshape(kind.height, kind.width, 4)
    return rgba[:, :, : kind.channels]


def give(browser: Browser, path: Path) -> None:
    """Give a file to the first field for files (a driver types into what can be seen alone)."""
    browser.run("document.querySelector('input[type=file]').classList.remove('unseen')")
    browser.type("input[type=file]", str(path))


def press(browser: Browser, text: str) -> None:
    """Press the button whose text begins so."""
    browser.run("[...document.querySelectorAll('button')].find((button) => button.textContent.startsWith(arguments[0])).click()", text)


# Pictures


def saved(picture: Pillow.Image, path: Path, **options: Any) -> Path:
    picture.save(path, **options)
    return path


def test_pictures_are_read_as_in_python(browser, pages, tmp_path):
    """Pictures without loss: every byte. Transparent ones: at most one level, for a canvas blends in other steps than Pillow."""
    binary, page = pages(GREY)
    browser.open(page)
    browser.click("input[value=open]")
    photograph = photographs()[0]
    clear = photograph.convert("RGBA")
    clear.putalpha(Pillow.linear_gradient("L").resize(clear.size))
    rotated = Pillow.Exif()
    rotated[0x0112] = 6
    exact = [
        digits.PICTURE,
        saved(photograph, tmp_path / "photograph.png"),
        saved(photograph.convert("L"), tmp_path / "grey.png"),
        saved(photograph.quantize(50), tmp_path / "palette.png"),
        saved(photograph.resize((28, 28)), tmp_path / "same.png"),
        saved(photograph, tmp_path / "rotated.png", exif=rotated),
        saved(photograph, tmp_path / "photograph.webp", lossless=True),
        saved(photograph, tmp_path / "photograph.bmp"),
    ]
    for path in exact:
        give(browser, path)
        browser.wait("document.querySelector('.opened:not([hidden])') !== null")
        answered(browser, binary, path)
        assert np.array_equal(read_pixels(browser, binary.signature.input), binary.inputs(path)[0]), path.name
        browser.click("input[value=draw]")
        browser.click("input[value=open]")
    give(browser, saved(clear, tmp_path / "clear.png"))
    browser.wait("document.querySelector('.opened:not([hidden])') !== null")
    difference = read_pixels(browser, binary.signature.input).astype(int) - binary.inputs(tmp_path / "clear.png")[0].astype(int)
    assert np.abs(difference).max() <= 1
    nothing_else(browser)


@pytest.mark.parametrize("quality", [50, 90])
@pytest.mark.parametrize("scale", [1, 4])
def test_photographs_are_read_as_in_python(browser, pages, tmp_path, quality, scale):
    """JPEG: every byte, but for large ones that Python decodes at a reduced size, which moves levels by less than 1 of 255 in the mean."""
    binary, page = pages(COLOUR)
    kind = binary.signature.input
    for number, photograph in enumerate(photographs()):
        larger = photograph.resize((photograph.width * scale, photograph.height * scale))
        path = saved(larger, tmp_path / f"{number}.jpg", quality=quality)
        browser.open(page)
        browser.click("input[value=open]")
        give(browser, path)
        browser.wait("document.querySelector('.opened:not([hidden])') !== null")
        found = read_pixels(browser, kind)
        with Pillow.open(path) as whole:
            whole.load()
            assert np.array_equal(found, kind.read(whole)[0])
        assert np.abs(found.astype(int) - kind.read(path)[0].astype(int)).mean() < 1.0
    nothing_else(browser)


def test_what_is_no_picture(browser, pages, tmp_path):
    _, page = pages(GREY)
    (tmp_path / "notes.png").write_text("not a picture")
    browser.open(page)
    browser.click("input[value=open]")
    give(browser, tmp_path / "notes.png")
    browser.wait("document.querySelector('.problem:not([hidden])') !== null")
    assert "expected a picture, got “notes.png”" in browser.text(".problem:not([hidden])")
    assert browser.text(".winner") == "–"


def test_drawing_with_the_mouse_and_clearing(browser, pages):
    binary, page = pages(GREY)
    browser.resize(1100, 900)
    browser.open(page)
    browser.click("input[value=draw]")
    assert browser.text(".winner") == "–"
    box = browser.run(
        "const box = document.querySelector('.sheet').getBoundingClientRect(); return [box.left, box.top, box.width, box.height]"
    )
    browser.drag([(box[0] + box[2] * x, box[1] + box[3] * y) for x, y in [(0.3, 0.2), (0.7, 0.2), (0.4, 0.8)]])
    browser.wait("document.querySelector('.winner').textContent !== '–'")
    drawn = read_pixels(browser, binary.signature.input)
    assert 10 < (drawn > 128).sum() < 600 or 10 < (drawn < 128).sum() < 600
    answered(browser, binary, drawn)
    press(browser, "Clear")
    browser.wait("document.querySelector('.winner').textContent === '–'")
    nothing_else(browser)


def test_drawing_with_the_keyboard(browser, pages):
    binary, page = pages(GREY)
    browser.open(page)
    browser.click("input[value=draw]")
    shift, down, right = "\ue008", "\ue015", "\ue014"
    browser.type(".sheet", right * 2 + shift + down * 6 + right * 6)
    answered(browser, binary, read_pixels(browser, binary.signature.input))
    browser.type(".sheet", "\ue017")
    browser.wait("document.querySelector('.winner').textContent === '–'")
    nothing_else(browser)


def test_the_camera(browser, pages):
    _, page = pages(COLOUR)
    browser.open(page)
    browser.click("input[value=camera]")
    press(browser, "Start the camera")
    browser.wait("document.querySelector('.winner').textContent !== '–'")
    press(browser, "Hold this picture")
    binary, _ = pages(COLOUR)
    answered(browser, binary, read_pixels(browser, binary.signature.input))
    assert browser.run("return document.querySelector('video').hidden")
    nothing_else(browser)


# Sounds


@pytest.mark.parametrize(("rate", "seconds"), [(8000, 0.75), (8000, 0.3), (44100, 2.0), (48000, 0.5), (16000, 5.0)])
def test_sounds_are_read_as_in_python(browser, pages, tmp_path, rate, seconds):
    binary, page = pages(SOUND)
    random = np.random.default_rng(rate)
    count = int(rate * seconds)
    samples = 8000 * random.normal(size=(count, 2)) * np.exp(-(((np.arange(count) / count - 0.6) * 6) ** 2))[:, None]
    (tmp_path / "a.wav").write_bytes(wav(np.clip(samples, -32768, 32767).astype("<i2"), rate))
    browser.open(page)
    give(browser, tmp_path / "a.wav")
    answered(browser, binary, tmp_path / "a.wav")
    nothing_else(browser)


def test_recording(browser, pages):
    _, page = pages(SOUND)
    browser.open(page)
    browser.click(".record")
    browser.wait("document.querySelector('.record').textContent === 'Stop'")
    browser.wait("document.querySelector('.record').textContent === 'Record'")  # it stops by itself
    assert browser.text(".winner") in ("yes", "no", "up", "down")
    assert not browser.run(
        "return [...document.querySelectorAll('button')].find((button) => button.textContent.startsWith('Play')).disabled"
    )
    nothing_else(browser)


def test_what_is_no_sound(browser, pages, tmp_path):
    _, page = pages(SOUND)
    (tmp_path / "a.wav").write_bytes(wav(np.ones(10, "<i2"), 8000)[:50])
    browser.open(page)
    give(browser, tmp_path / "a.wav")
    browser.wait("document.querySelector('.problem:not([hidden])') !== null")
    assert "expected a WAV file, got a damaged one" in browser.text(".problem:not([hidden])")


# Texts, series, rows, several inputs


@pytest.mark.parametrize("text", ["Free entry! Call 07781 482378 NOW", "Don't pay £1,000.50!!!", "你好, мир, नमस्ते ǅ ﬁn"])
def test_texts_are_read_as_in_python(browser, pages, text):
    binary, page = pages(TEXT)
    browser.open(page)
    browser.type("textarea", text)
    answered(browser, binary, text)
    nothing_else(browser)


def test_series_are_read_as_in_python(browser, pages, tmp_path):
    binary, page = pages(SERIES)
    values = np.random.default_rng(0).normal(size=(3, 31)).astype(np.float32)
    (tmp_path / "a.csv").write_text("x,y,z\n" + "\n".join(",".join(map(repr, map(float, row))) for row in values.T))
    np.save(tmp_path / "a.npy", values[:, :9])
    for path in (tmp_path / "a.csv", tmp_path / "a.npy"):
        browser.open(page)
        give(browser, path)
        answered(browser, binary, path)
    browser.open(page)
    browser.type("textarea", "1,2,3\n4,5,6\n")
    answered(browser, binary, np.array([[1, 4], [2, 5], [3, 6]], np.float32))
    browser.type("textarea", "7,8")
    assert browser.text(".winner") == "–" and "line 3: expected 3 columns, got 2" in browser.text(".problem:not([hidden])")
    nothing_else(browser)


def test_rows_are_read_as_in_python(browser, pages):
    binary, page = pages(ROW)
    browser.open(page)
    answered(browser, binary, {"age": None, "height": None, "city": None, "sex": None})
    fill(browser, {"age": " 1,042 ", "height": "1.8", "city": "Oslo", "sex": "x"})
    answered(browser, binary, {"age": 1042, "height": 1.8, "city": "Oslo", "sex": "x"})
    fill(browser, {"age": "old"})
    assert browser.text(".winner") == "–" and browser.text(".problem:not([hidden])") == "expected a number, got “old”"
    nothing_else(browser)


def test_many_choices_and_classes(browser, pages):
    binary, page = pages(MANY)
    browser.open(page)
    fill(browser, {"n": "3", "big": "v217"})
    answered(browser, binary, {"n": 3, "big": "v217"})
    assert browser.run("return document.querySelectorAll('.bars li').length") == 10
    nothing_else(browser)


def fill(browser: Browser, cells: dict[str, str]) -> None:
    """Fill in fields by the text of their labels, as a screen reader finds them."""
    script = """
      const label = [...document.querySelectorAll('label')].find((one) => one.textContent === arguments[0]);
      const field = document.getElementById(label.htmlFor);
      field.value = arguments[1];
      field.dispatchEvent(new Event(field.tagName === 'SELECT' ? 'change' : 'input', { bubbles: true }));"""
    for name, text in cells.items():
        browser.run(script, name, text)


def test_several_inputs_and_outputs(browser, pages, tmp_path):
    binary, page = pages(PRODUCT)
    path = saved(photographs()[1], tmp_path / "a.png")
    browser.open(page)
    fill(browser, {"city": "Oslo"})
    assert browser.run("return [...document.querySelectorAll('.winner')].map((one) => one.textContent)") == ["–", "–"]
    browser.click("input[value=open]")
    give(browser, path)
    browser.wait("document.querySelector('.winner').textContent !== '–'")
    expected = binary((path, {"city": "Oslo"}))
    shown = browser.run("return [...document.querySelectorAll('.winner')].map((one) => one.textContent)")
    assert shown[0] == expected["kind"] and float(shown[1].replace(",", "")) == pytest.approx(expected["price"], rel=2e-5)
    nothing_else(browser)


# The page itself


@pytest.mark.parametrize("signature", [GREY, COLOUR, SOUND, TEXT, SERIES, ROW, MANY, PRODUCT], ids=lambda one: one.input.kind)
@pytest.mark.parametrize("width", [320, 390, 1100])
def test_nothing_sticks_out_and_everything_has_a_name(browser, pages, signature, width):
    _, page = pages(signature)
    browser.resize(width, 800, dark=width == 390)
    browser.open(page)
    assert browser.run("return document.documentElement.scrollWidth") <= width
    nodes = browser.emulate("Accessibility.getFullAXTree")["nodes"]
    named = {"button", "textbox", "combobox", "radio", "checkbox", "slider", "image", "img", "status"}
    roles = [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes if not node.get("ignored")]
    assert [role for role, name in roles if role in named - {"status"} and not name.strip()] == []
    assert [role for role, _ in roles].count("main") == 1
    nothing_else(browser)


@pytest.mark.parametrize("signature", [GREY, COLOUR, SOUND, SERIES, ROW], ids=lambda one: one.input.kind)
def test_examples_give_the_recorded_answer(browser, pages, signature):
    binary, page = pages(signature)
    browser.open(page)
    for at, arrays in enumerate(zip(*some_arrays(signature), strict=True)):
        browser.run("document.querySelectorAll('.example')[arguments[0]].click()", at)
        scores = binary.run([array[None] for array in arrays])[0][0]
        shown = browser.text(".winner").replace(",", "")
        expected = signature.output.decode(scores.reshape(-1))
        if isinstance(expected, float):
            assert float(shown.split(" ")[0]) == pytest.approx(expected, rel=2e-5)
        else:
            assert shown == expected
    nothing_else(browser)


def test_facts(browser, pages):
    binary, page = pages(GREY)
    browser.open(page)
    tiles = browser.text(".tiles")
    assert "98.9 %" in tiles and "accuracy on test" in tiles and "32-bit floats" in tiles and ("µs" in tiles or "ms" in tiles)
    assert browser.text(".facts > .hint").startswith("Self-check: 4 recorded inputs give the recorded scores")
    browser.run("for (const part of document.querySelectorAll('details')) part.open = true")
    facts = browser.text(".facts")
    assert binary.digest in facts and "1,234,567" in facts and "met" in facts and "1,272 train, 139 validation, 386 test" in facts


def test_an_engine_without_vectors(browser, pages):
    binary, page = pages(ROW)
    script = browser.emulate("Page.addScriptToEvaluateOnNewDocument", source="WebAssembly.validate = () => false")
    try:
        browser.open(page)
        answered(browser, binary, {"age": None, "height": None, "city": None, "sex": None})
        browser.run("for (const part of document.querySelectorAll('details')) part.open = true")
        assert "not in this browser: the plain module is used" in browser.text(".facts")
    finally:
        browser.emulate("Page.removeScriptToEvaluateOnNewDocument", identifier=script["identifier"])


def test_the_page_can_not_reach_the_network(browser, pages):
    _, page = pages(ROW)
    browser.open(page)
    assert browser.run("return fetch('http://127.0.0.1:9/').then(() => 'sent', (error) => error.name)") == "TypeError"
    complaints = browser.complaints()
    assert any("Content Security Policy" in complaint for complaint in complaints)
    assert browser.requests() == []


def test_a_complaint_and_a_request_are_seen(browser, tmp_path):
    """The checkers themselves: a page that asks for a picture and says an error."""
    picture = io.BytesIO()
    photographs()[0].resize((2, 2)).save(picture, "PNG")
    page = tmp_path / "bad.html"
    page.write_text("<html data-ready><img src='http://127.0.0.1:9/a.png'><script>console.error('no')</script></html>")
    browser.open(page)
    browser.wait("document.images[0].complete")
    assert browser.requests() == ["http://127.0.0.1:9/a.png"]
    assert any("no" in complaint for complaint in browser.complaints())


def test_the_module_has_the_bits_of_wasmtime(browser, pages):
    """NAME.mjs with both modules, in Chromium, on the real digits."""
    binary, page = pages(Image(8, 8, 1) >> Class(digits.CLASSES))
    graph = binary.graphs["main"]
    assert isinstance(graph, Graph)
    images = digits.load_digits().images[:1000, :, :, None]
    source = Source("small", binary.graphs, binary.signature, binary.digest)
    expected = WasmTarget().run(source, page.parent, [images])[0]
    for name in ("small.wasm", "small_plain.wasm"):
        found = scores_in_page(browser, page.parent / "small.mjs", page.parent / name, images)
        assert np.array_equal(found, expected.view(np.uint32).reshape(found.shape))
