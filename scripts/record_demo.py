"""`make recording`: the demo's real output as an animated picture and a cast, never typed.

Runs `surefoot demo` in a pseudo-terminal of 100 x 30, keeps what the terminal showed, and writes
`docs/demo.svg` and `docs/demo.cast` (asciicast v2). Stretches in which only figures change are
shown faster; the seconds on the screen are those of the run.
"""

# ruff: noqa: INP001, TID251 -- a script, not a package; it times a real run

import codecs
import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from xml.sax.saxutils import escape

__all__ = ["Cell", "Frame", "Grid", "cast", "main", "picture", "record", "told"]

COLUMNS, ROWS = 100, 30
DOCS = Path(__file__).resolve().parent.parent / "docs"
LOOK_S = 0.1  # what is written within this belongs together
FIGURES_EVERY_S = 4.0  # of the run, where only figures change
FIGURES_S, LAST_S = 0.3, 8.0  # of the recording: how long a frame stays
NEWS_S = (0.6, 2.0)  # likewise; between these, as long as it stayed
LARGEST = 300_000  # bytes
ESCAPE = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])")
WIDTH, HEIGHT = 8, 17  # of a cell, in pixels
COLOURS = {31: "r", 32: "g", 33: "y", 34: "u", 35: "m", 36: "c"}
STYLE = (
    ":root{color-scheme:dark}text{font:13px ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',"
    "monospace;fill:#d4d4d4;white-space:pre}.b{font-weight:bold}.d{opacity:.6}.r{fill:#f4605f}"
    ".g{fill:#6ac46a}.y{fill:#e0b040}.u{fill:#6aa0f0}.m{fill:#d080d0}.c{fill:#50c0c0}"
)


@dataclass(frozen=True, slots=True)
class Cell:
    """A character on the screen, and its SGR parameters such as `1;31`."""

    text: str = " "
    style: tuple[int, ...] = ()


Row = tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Frame:
    """What the screen showed from `at` on, in seconds since the beginning."""

    at: float
    rows: tuple[Row, ...]

    def lines(self) -> tuple[str, ...]:
        """Its rows as text."""
        return tuple("".join(cell.text for cell in row).rstrip() for row in self.rows)


class Grid:
    """A terminal, as far as rich uses one: text, colours, cursor moves, erasing, scrolling."""

    def __init__(self) -> None:
        self._rows = [self._blank() for _ in range(ROWS)]
        self._row = self._column = 0
        self._style: tuple[int, ...] = ()
        self._rest = ""

    def feed(self, text: str) -> None:
        """Take what was written; an escape sequence may come in two parts."""
        text, self._rest = self._rest + text, ""
        position = 0
        while position < len(text):
            if text[position] != "\x1b":
                self._put(text[position])
                position += 1
                continue
            found = ESCAPE.match(text, position)
            if found is None:
                self._rest = text[position:]
                return
            self._obey(found[2], [int(one) for one in found[1].split(";") if one.isdigit()])
            position = found.end()

    def frame(self, at: float) -> Frame:
        """What is to be seen now."""
        return Frame(at, tuple(tuple(row) for row in self._rows))

    @staticmethod
    def _blank() -> list[Cell]:
        return [Cell()] * COLUMNS

    def _put(self, letter: str) -> None:
        if letter == "\r":
            self._column = 0
        elif letter == "\n":
            self._down()
        elif letter >= " ":
            if self._column == COLUMNS:
                self._column = 0
                self._down()
            self._rows[self._row][self._column] = Cell(letter, self._style)
            self._column += 1

    def _down(self) -> None:
        if self._row + 1 < ROWS:
            self._row += 1
        else:
            self._rows = [*self._rows[1:], self._blank()]

    def _obey(self, order: str, numbers: Sequence[int]) -> None:
        steps = numbers[0] if numbers else 1
        if order == "m":
            self._dress(numbers or [0])
        elif order == "A":
            self._row = max(0, self._row - steps)
        elif order == "B":
            self._row = min(ROWS - 1, self._row + steps)
        elif order == "G":
            self._column = steps - 1
        elif order == "H":
            self._row, self._column = (
                (numbers[0] - 1, numbers[1] - 1) if len(numbers) > 1 else (0, 0)
            )
        elif order == "K":
            start = 0 if numbers[:1] == [2] else self._column
            self._rows[self._row][start:] = self._blank()[start:]
        elif order == "J":
            first = 0 if numbers[:1] == [2] else self._row
            self._rows[first:] = [self._blank() for _ in range(first, ROWS)]

    def _dress(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            if number == 0:
                self._style = ()
            elif number in {1, 2} or number in COLOURS:
                self._style = (*self._style, number)


def record(argv: Sequence[str]) -> tuple[int, list[Frame]]:
    """Run a command in a pseudo-terminal; returns its exit code and every screen it showed."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    environment = {**os.environ, "TERM": "xterm", "LANG": "C.UTF-8"}
    environment.pop("COLUMNS", None)
    environment.pop("LINES", None)
    process = subprocess.Popen(
        list(argv), stdin=slave, stdout=slave, stderr=slave, env=environment, close_fds=True
    )
    os.close(slave)
    began = time.monotonic()
    grid = Grid()
    frames: list[Frame] = []
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for data in _written(master):
        grid.feed(decoder.decode(data))
        frame = grid.frame(time.monotonic() - began)
        if not frames or frame.rows != frames[-1].rows:
            frames.append(frame)
    os.close(master)
    return process.wait(), frames


def _written(master: int) -> Iterator[bytes]:
    """What a command writes, in pieces that belong together."""
    piece = b""
    while True:
        ready = select.select([master], [], [], LOOK_S)[0]
        if not ready:
            if piece:
                yield piece
                piece = b""
            continue
        try:
            data = os.read(master, 65536)
        except OSError:  # Linux' way to say that the other end is closed
            data = b""
        if not data:
            yield piece
            return
        piece += data


def told(frames: Sequence[Frame]) -> list[Frame]:
    """The frames worth showing, at the times of the recording."""
    kept: list[Frame] = []
    at = seen_at = 0.0
    for frame in frames:
        news = not kept or _without_figures(frame) != _without_figures(kept[-1])
        if not news and frame.at - seen_at < FIGURES_EVERY_S:
            continue
        if kept:
            at += min(max(frame.at - seen_at, NEWS_S[0]), NEWS_S[1]) if news else FIGURES_S
        seen_at = frame.at
        kept.append(Frame(at, frame.rows))
    if frames and kept[-1].rows != frames[-1].rows:
        kept.append(Frame(at + FIGURES_S, frames[-1].rows))
    return kept


def _without_figures(frame: Frame) -> list[str]:
    """What is news: figures, bars and padding are not."""
    return [re.sub(r"[\d.,█·\s]+|no data", " ", line) for line in frame.lines()]


def picture(frames: Sequence[Frame]) -> str:
    """An SVG that plays the frames for ever: a strip of them, moved behind a window."""
    names: dict[Row, str] = {}
    strip = []
    for number, frame in enumerate(frames):
        uses = []
        for line, row in enumerate(frame.rows):
            if any(cell.text != " " for cell in row):
                name = names.setdefault(row, f"a{len(names)}")
                uses.append(f'<use href="#{name}" y="{(line + 1) * HEIGHT}"/>')
        strip.append(f'<g transform="translate({number * COLUMNS * WIDTH})">{"".join(uses)}</g>')
    total = frames[-1].at + LAST_S
    moves = "".join(
        f"{100 * frame.at / total:.3f}%{{transform:translateX(-{number * COLUMNS * WIDTH}px)}}"
        for number, frame in enumerate(frames)
    )
    rows = "".join(f'<g id="{name}">{_drawn(row)}</g>' for row, name in names.items())
    width, height = COLUMNS * WIDTH + 24, ROWS * HEIGHT + 24
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}">'
        f"<title>surefoot demo, recorded</title><style>{STYLE}@keyframes play{{{moves}}}"
        f".s{{animation:play {total:.1f}s step-end infinite}}</style><defs>{rows}</defs>"
        f'<rect width="100%" height="100%" rx="8" fill="#16181c"/>'
        f'<svg x="12" y="8" width="{COLUMNS * WIDTH}" height="{ROWS * HEIGHT + 8}">'
        f'<g class="s">{"".join(strip)}</g></svg></svg>\n'
    )


def _drawn(row: Row) -> str:
    parts = []
    column = 0
    for style, cells in groupby(row, key=lambda cell: cell.style):
        text = "".join(cell.text for cell in cells)
        if text.strip():
            lead = len(text) - len(text.lstrip())
            shown = text.strip()
            names = " ".join({1: "b", 2: "d", **COLOURS}[number] for number in style)
            dress = f' class="{names}"' if names else ""
            parts.append(
                f'<text x="{(column + lead) * WIDTH}" textLength="{len(shown) * WIDTH}"{dress}>'
                f"{escape(shown)}</text>"
            )
        column += len(text)
    return "".join(parts)


def cast(frames: Sequence[Frame]) -> str:
    """The same frames as an asciicast, each as the rows that changed."""
    head = {"version": 2, "width": COLUMNS, "height": ROWS, "title": "surefoot demo"}
    lines = [json.dumps(head)]
    before: tuple[Row, ...] = ((),) * ROWS
    for frame in frames:
        written = "".join(
            f"\x1b[{number + 1};1H\x1b[2K{_written_row(row)}"
            for number, (row, old) in enumerate(zip(frame.rows, before, strict=True))
            if row != old
        )
        lines.append(json.dumps([round(frame.at, 2), "o", written], ensure_ascii=False))
        before = frame.rows
    return "\n".join(lines) + "\n"


def _written_row(row: Row) -> str:
    parts = []
    for style, cells in groupby(row, key=lambda cell: cell.style):
        codes = ";".join(str(number) for number in (0, *style))
        parts.append(f"\x1b[{codes}m" + "".join(cell.text for cell in cells))
    return "".join(parts).rstrip()


def main() -> int:
    """Record a run; write nothing when it did not end as it should."""
    code, frames = record([sys.executable, "-m", "surefoot", "demo"])
    if code != 0:
        sys.stderr.write("\n".join(frames[-1].lines()) + f"\nThe demo ended with {code}.\n")
        return 1
    shown = told(frames)
    drawn = picture(shown)
    if len(drawn.encode()) > LARGEST:
        sys.stderr.write(f"The picture has {len(drawn.encode())} bytes; {LARGEST} are allowed.\n")
        return 1
    (DOCS / "demo.svg").write_text(drawn, encoding="utf-8")
    (DOCS / "demo.cast").write_text(cast(shown), encoding="utf-8")
    sys.stdout.write(f"{len(shown)} frames of {len(frames)}, {len(drawn.encode())} bytes.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
