"""Data sets by name: the folder of the person first, else fetched; never torn, never wrong."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tacit.domains.data import DataSource, Download
from tacit.ground.errors import InputError, TacitError
from tacit.ground.progress import Reporter

CONTENT = {"/a.bin": b"first" * 1000, "/sub/b.bin": bytes(range(256)) * 9000}
PAGE = "https://example.org/things"


class Handler(BaseHTTPRequestHandler):
    """Serve `CONTENT`; of what `server.cut` names only the first half, and of what `server.slow` names that much and then nothing."""

    def do_GET(self):
        self.server.asked.append(self.path)
        content = CONTENT.get(self.path)
        if content is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        half = self.path in (self.server.cut, self.server.slow)
        self.wfile.write(content[: len(content) // 2] if half else content)
        if self.path == self.server.slow:
            self.wfile.flush()
            self.server.halfway.set()
            self.server.ending.wait(30)

    def log_message(self, *words):
        pass


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as serving:
        serving.asked, serving.cut, serving.slow = [], None, None
        serving.halfway, serving.ending = threading.Event(), threading.Event()
        threading.Thread(target=serving.serve_forever, args=(0.01,), daemon=True).start()
        yield serving
        serving.ending.set()
        serving.shutdown()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.delenv("TACIT_DATA", raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tacit" / "data" / "things"


def source(server, **changed: Download) -> DataSource:
    at = f"http://127.0.0.1:{server.server_address[1]}"
    files = {
        "a.bin": Download(f"{at}/a.bin", sha256=hashlib.sha256(CONTENT["/a.bin"]).hexdigest(), bytes=len(CONTENT["/a.bin"])),
        "b.bin": Download(f"{at}/sub/b.bin", md5=hashlib.md5(CONTENT["/sub/b.bin"]).hexdigest().upper(), bytes=len(CONTENT["/sub/b.bin"])),
    }
    return DataSource("things", "some things", "CC0", PAGE, files | changed, packs=("a.npz",))


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_folder_of_the_person_comes_first(server, tmp_path, monkeypatch):
    monkeypatch.setenv("TACIT_DATA", str(tmp_path))
    (tmp_path / "things").mkdir()
    (tmp_path / "things/a.npz").write_bytes(b"x")
    assert source(server).folder() == tmp_path / "things" and server.asked == []
    (tmp_path / "things/a.npz").unlink()
    assert source(server).folder() != tmp_path / "things", "it lacks what it has to hold"


def test_a_set_is_fetched_once(server, cache):
    told: list[tuple[float, str]] = []
    left: list[float] = []
    notes: list[str] = []

    class Told(Reporter):
        def progress(self, fraction, seconds_left, message=""):
            told.append((fraction, message))
            left.append(seconds_left)

        def note(self, text):
            notes.append(text)

    assert source(server).folder(reporter=Told()) == cache
    assert files_of(cache) == {"a.bin": CONTENT["/a.bin"], "b.bin": CONTENT["/sub/b.bin"]}
    assert [fraction for fraction, _ in told] == sorted(fraction for fraction, _ in told) and told[-1] == (1.0, "b.bin")
    assert min(left) == left[-1] == 0
    assert notes == [f"some things, licence: CC0 - {PAGE}"]
    server.shutdown()
    assert source(server).folder() == cache and len(server.asked) == 2


def test_a_file_that_is_not_the_right_one_is_refused_and_not_kept(server, cache):
    at = f"http://127.0.0.1:{server.server_address[1]}/a.bin"
    digits = hashlib.sha256(CONTENT["/a.bin"]).hexdigest()
    with pytest.raises(TacitError) as refused:
        source(server, **{"a.bin": Download(at, sha256="0" * 64)}).folder()
    assert str(refused.value) == (
        f"expected a file with sha256 {'0' * 64}, got {digits} (5,000 bytes) - at {at}\n"
        "the file was changed at its source, or on its way here\n"
        "try: fetch it in another way and set TACIT_DATA; nothing was kept"
    )
    assert files_of(cache) == {}


@pytest.mark.parametrize("trouble", ["cut", "gone", "closed"])
def test_when_the_network_fails_what_was_fetched_is_kept_and_the_rest_is_named(server, cache, trouble):
    things = source(server)
    if trouble == "cut":
        server.cut = "/sub/b.bin"
    elif trouble == "gone":
        at = things.files["b.bin"].url.replace("b.bin", "c.bin")
        things = source(server, **{"b.bin": Download(at, md5="0" * 32)})
    else:
        server.shutdown()
        server.server_close()
    with pytest.raises(InputError) as refused:
        things.folder()
    lines = str(refused.value).splitlines()
    name = "a.bin" if trouble == "closed" else "b.bin"
    assert lines[0].startswith(f"expected the data set `things` (some things), got none: could not fetch `{name}` - at http://127.0.0.1:")
    said = {"cut": "the connection ended after 1,152,000 of 2,304,000 bytes", "gone": "Not Found", "closed": "refused"}[trouble]
    assert lines[1].startswith("TACIT_DATA is not set; the network says:") and said in lines[1]
    assert lines[2].startswith("try: the same command when the network is there") and PAGE in lines[2]
    assert list(files_of(cache)) == ([] if trouble == "closed" else ["a.bin"])
    if trouble == "cut":
        server.cut = None
        assert source(server).folder() == cache and server.asked == ["/a.bin", "/sub/b.bin", "/sub/b.bin"]


def test_a_process_that_is_killed_leaves_no_file_that_is_torn(server, cache):
    server.slow = "/sub/b.bin"
    things = source(server)
    script = f"import tacit\nfrom tacit.domains.data import DataSource, Download\n{things!r}.folder()"
    process = subprocess.Popen([sys.executable, "-c", script])
    assert server.halfway.wait(30)
    until = time.monotonic() + 30
    while not any(name.endswith(".part") for name in files_of(cache)) and time.monotonic() < until:
        time.sleep(0.01)
    process.kill()
    process.wait(30)
    assert {name for name in files_of(cache) if not name.startswith(".")} == {"a.bin"}
    assert any(name.endswith(".part") for name in files_of(cache))
    server.slow = None
    source(server).folder()
    assert files_of(cache) == {"a.bin": CONTENT["/a.bin"], "b.bin": CONTENT["/sub/b.bin"]}, "what was left over is gone"


def test_a_set_that_can_t_be_fetched_says_where_it_is_had(tmp_path, monkeypatch):
    things = DataSource("things", "some things", "CC0", PAGE, packs=("a.npz", "b.npz"))
    fix = f"try: set TACIT_DATA to a folder that holds things/ with a.npz, b.npz; see {PAGE}"

    def said() -> list[str]:
        with pytest.raises(InputError) as refused:
            things.folder()
        return str(refused.value).splitlines()

    assert said() == ["expected the data set `things` (some things), got none", "TACIT_DATA is not set", fix]
    monkeypatch.setenv("TACIT_DATA", str(tmp_path))
    assert said()[1] == f"TACIT_DATA holds no folder `things` - at `{tmp_path}`"
    (tmp_path / "things").mkdir()
    (tmp_path / "things/a.npz").write_bytes(b"")
    assert said()[1] == f"`{tmp_path / 'things'}` lacks b.npz"


@pytest.mark.parametrize("wrong", [{"url": "https://example.org/a"}, {"url": "ftp://example.org/a", "md5": "0" * 32}])
def test_a_download_has_a_checksum_and_an_address_on_the_web(wrong):
    with pytest.raises(ValueError, match="expected"):
        Download(**wrong)
