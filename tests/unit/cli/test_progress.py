from __future__ import annotations

import io

from rich.console import Console

from tacit.cli import progress
from tacit.cli.output import coloured
from tacit.cli.screen import draw
from tacit.instruments.layout import Grid


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_lines_come_now_and_then(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    stream = io.StringIO()
    with progress.watch(stream) as reporter:
        reporter.phase("training")
        for second in range(25):
            now[0] = float(second)
            reporter.progress(second / 100, 100.0 - second, "accuracy 0.9")
        reporter.note("done")
    assert stream.getvalue().splitlines() == [
        "training",
        "training 10%, 1:30 left, accuracy 0.9",
        "training 20%, 1:20 left, accuracy 0.9",
        "done",
    ]


def test_a_terminal_gets_a_bar_that_goes_away(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = Terminal()
    with progress.watch(stream) as reporter:
        assert isinstance(reporter, progress.Bar)
        reporter.progress(0.1, None)
        reporter.phase("training")
        reporter.progress(0.5, 83.0, "accuracy [0.9]")
        reporter.note("a note with [brackets]")
    assert "a note with [brackets]" in stream.getvalue()


def test_no_color_and_pipes_get_plain_lines(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert coloured(Terminal()) and not coloured(io.StringIO())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not coloured(Terminal())


def test_a_grid_is_drawn_with_its_brackets():
    console = Console(file=io.StringIO(), width=80, record=True, force_terminal=True)
    draw(["first [line]", Grid("checks", ("name", "share", ""), (("a [b]", "0.5", "met"), ("c", "1", "NOT MET")))], console=console)
    text = console.export_text()
    assert "first [line]" in text and "a [b]" in text and "NOT MET" in text
