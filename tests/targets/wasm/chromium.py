"""Chromium through its WebDriver, with the standard library alone (https://www.w3.org/TR/webdriver2/)."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the key that the specification gives references to elements
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--hide-scrollbars", "--disable-dev-shm-usage"),
    *("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"),
)


class Browser:
    """One page at a time; what it asks of the network and what it says on the console is kept."""

    def __init__(self, address: str, session: str) -> None:
        self._base = f"{address}/session/{session}"

    def open(self, page: Path) -> None:
        """Open a file and wait until it says that it is ready."""
        self.log("performance")
        self._call("POST", "/url", {"url": page.resolve().as_uri()})
        self.wait("document.documentElement.dataset.ready !== undefined || document.querySelector('.problem:not([hidden])') !== null")

    def run(self, script: str, *arguments: Any) -> Any:
        """Run the body of a function in the page and give what it returns; a promise is waited for."""
        return self._call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def wait(self, condition: str, *, seconds: float = 30.0) -> None:
        """Wait until an expression is true."""
        end = time.monotonic() + seconds
        while not self.run(f"return Boolean({condition})"):
            if time.monotonic() > end:
                raise AssertionError(f"waited {seconds:g} seconds for: {condition}")
            time.sleep(0.05)

    def settle(self) -> None:
        """Wait until what was given is drawn: two frames of the screen."""
        self.run("return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def text(self, selector: str) -> str:
        """Give the visible text of the first element that fits."""
        found = self.run("const found = document.querySelector(arguments[0]); return found === null ? null : found.innerText", selector)
        if found is None:
            raise AssertionError(f"no element fits {selector}")
        return found

    def find(self, selector: str) -> str:
        """Give the reference of an element."""
        return self._call("POST", "/element", {"using": "css selector", "value": selector})[_ELEMENT]

    def type(self, selector: str, text: str) -> None:
        """Type into an element; into a field for files this gives a path."""
        self._call("POST", f"/element/{self.find(selector)}/value", {"text": text})

    def click(self, selector: str) -> None:
        """Click on an element."""
        self._call("POST", f"/element/{self.find(selector)}/click", {})

    def drag(self, points: list[tuple[float, float]]) -> None:
        """Press a mouse button at the first point (of the window), move along the others, let go."""
        moves = [{"type": "pointerMove", "duration": 0 if at == 0 else 8, "x": round(x), "y": round(y)} for at, (x, y) in enumerate(points)]
        steps = [moves[0], {"type": "pointerDown", "button": 0}, *moves[1:], {"type": "pointerUp", "button": 0}]
        pointer = {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": steps}
        self._call("POST", "/actions", {"actions": [pointer]})

    def emulate(self, command: str, **parameters: Any) -> Any:
        """Send a command of the DevTools protocol."""
        return self._call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def resize(self, width: int, height: int, *, scale: float = 1.0, dark: bool = False) -> None:
        """Give the page a size, a density and a colour scheme."""
        self.emulate("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=width < 600)
        self.emulate("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def screenshot(self, path: Path) -> None:
        """Save a picture of the whole page."""
        size = self.emulate("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        picture = self.emulate("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(picture["data"]))

    def log(self, kind: str) -> list[dict[str, Any]]:
        """Give what was logged since the last call: ``browser`` (the console) or ``performance`` (DevTools events)."""
        return self._call("POST", "/se/log", {"type": kind})

    def complaints(self) -> list[str]:
        """Give the warnings and errors on the console."""
        return [entry["message"] for entry in self.log("browser") if entry["level"] in ("WARNING", "SEVERE")]

    def requests(self) -> list[str]:
        """Give the addresses that pages from files asked for; they themselves and what they made (data:, blob:) are left out."""
        events = [json.loads(entry["message"])["message"] for entry in self.log("performance")]
        sent = [event["params"] for event in events if event["method"] == "Network.requestWillBeSent"]
        asked = [one["request"]["url"] for one in sent if one["documentURL"].startswith("file:")]
        return [url for url in asked if not url.startswith(("data:", "blob:")) and not url.endswith(".html")]

    def _call(self, method: str, path: str, content: dict[str, Any]) -> Any:
        return _call(method, self._base + path, content)


@contextmanager
def chromium(profile: Path, *flags: str) -> Iterator[Browser]:
    """Start Chromium with a new profile and stop it at the end."""
    driver = shutil.which("chromedriver")
    if driver is None:
        raise AssertionError("expected chromedriver on the path; try: apt-get install chromium chromium-driver")
    process = subprocess.Popen([driver, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        address = f"http://127.0.0.1:{_port(process)}"
        options = {"args": [*_FLAGS, f"--user-data-dir={profile}", *flags]}
        wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}
        session = _call("POST", f"{address}/session", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]
        try:
            yield Browser(address, session)
        finally:
            _call("DELETE", f"{address}/session/{session}", None)
    finally:
        process.terminate()
        process.wait(timeout=20)


def _port(process: subprocess.Popen[str]) -> int:
    for line in process.stdout or ():
        if "started successfully on port" in line:
            return int(line.rstrip(".\n").rsplit(" ", 1)[1])
    raise AssertionError("chromedriver did not start")


def _call(method: str, url: str, content: dict[str, Any] | None) -> Any:
    data = None if content is None else json.dumps(content).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)["value"]
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{method} {url}: {error.read().decode()[:2000]}") from None


def scores_in_page(browser: Browser, program: Path, module: Path, images: np.ndarray) -> np.ndarray:
    """uint32[example, score]: the bits of the scores that NAME.mjs gives in the browser, for uint8[example, ...] inputs."""
    script = """
      const [program, module, images, count] = arguments;
      const bytes = (base64) => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
      return import(`data:text/javascript;base64,${program}`).then(async ({ load }) => {
        const net = await load(bytes(module));
        const all = bytes(images);
        const size = all.length / count;
        return Array.from({ length: count }, (_, at) => [...new Uint32Array(net.run(all.subarray(at * size, (at + 1) * size))[0].buffer)]);
      });"""
    contents = [program.read_bytes(), module.read_bytes(), np.ascontiguousarray(images).tobytes()]
    browser.emulate("Page.navigate", url="about:blank")
    found = browser.run(script, *(base64.b64encode(content).decode() for content in contents), len(images))
    return np.array(found, np.uint32)
