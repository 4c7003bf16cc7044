"""The recorder: a real program in a real pseudo-terminal, and what is made of what it showed."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree as ET

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "record_demo.py"
SVG = "{http://www.w3.org/2000/svg}"
LIVELY = """
import time
from rich.console import Console
from rich.live import Live
from rich.text import Text
console = Console(highlight=False)
console.print(Text("The header", style="bold"))
with Live(console=console, auto_refresh=False, transient=True) as live:
    for n in range(6):
        live.update(Text(f"line {n}\\nshare {n * 10} %\\n  waiting <for> it"), refresh=True)
        time.sleep(0.3)
    live.update(Text("WORSE after 4 s", style="bold red"), refresh=True)
    time.sleep(0.3)
    live.update(Text(), refresh=True)
    live.console.print("2 restored")
console.print("The end: äöü")
"""


@pytest.fixture(scope="module")
def recorder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("record_demo", SCRIPT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["record_demo"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def frames(recorder: ModuleType) -> list[Any]:
    code, seen = recorder.record([sys.executable, "-c", LIVELY])
    assert code == 0
    return list(seen)


def shown(frame: Any) -> list[str]:
    return [line for line in frame.lines() if line]


def test_every_screen_that_was_shown_is_seen(frames: list[Any]) -> None:
    """Live blocks replace one another, and what is printed above them stays."""
    seen = [shown(frame) for frame in frames]
    assert ["The header", "line 3", "share 30 %", "  waiting <for> it"] in seen
    assert ["The header", "WORSE after 4 s"] in seen
    assert seen[-1] == ["The header", "2 restored", "The end: äöü"]


def test_only_figures_changing_is_no_news(recorder: ModuleType, frames: list[Any]) -> None:
    """Stretches with nothing but new figures are cut; lines of news and the end are kept."""
    kept = [shown(frame) for frame in recorder.told(frames)]
    assert sum("waiting" in "".join(lines) for lines in kept) == 1
    assert ["The header", "WORSE after 4 s"] in kept
    assert kept[-1] == ["The header", "2 restored", "The end: äöü"]


def test_the_picture_is_drawn_from_the_screens(recorder: ModuleType, frames: list[Any]) -> None:
    """The SVG is well-formed, small, and has every row that was shown, with its colour."""
    drawn = recorder.picture(recorder.told(frames))
    root = ET.fromstring(drawn)
    texts = {text.text: text for text in root.iter(f"{SVG}text")}
    assert {"The header", "waiting <for> it", "2 restored", "The end: äöü"} <= texts.keys()
    assert texts["WORSE after 4 s"].get("class") == "b r"
    assert len(drawn) < 20_000


def test_the_cast_plays_to_the_same_screen(recorder: ModuleType, frames: list[Any]) -> None:
    """What the asciicast writes, a terminal shows as the last screen of the run."""
    head, *events = [json.loads(line) for line in recorder.cast(recorder.told(frames)).splitlines()]
    assert (head["version"], head["width"], head["height"]) == (2, 100, 30)
    grid = recorder.Grid()
    for _, kind, written in events:
        assert kind == "o"
        grid.feed(written)
    assert shown(grid.frame(0.0)) == shown(frames[-1])


def test_text_beyond_the_last_column_and_row_wraps_and_scrolls(recorder: ModuleType) -> None:
    """As a terminal does."""
    grid = recorder.Grid()
    grid.feed("x" * 101 + "\r\n" + "\r\n".join(str(n) for n in range(40)))
    assert shown(grid.frame(0.0)) == [str(n) for n in range(10, 40)]


def test_an_escape_sequence_in_two_parts_is_one(recorder: ModuleType) -> None:
    """A read may end anywhere."""
    grid = recorder.Grid()
    grid.feed("a\x1b[3")
    grid.feed("1mb\x1b[0mc")
    assert shown(grid.frame(0.0)) == ["abc"]
    assert [cell.style for cell in grid.frame(0.0).rows[0][:3]] == [(), (31,), ()]
