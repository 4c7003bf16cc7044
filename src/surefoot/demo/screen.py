"""Where the story is shown: one live block on a terminal, a line for each event elsewhere."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from surefoot.demo import words
from surefoot.demo.client import Change

__all__ = ["Plain", "Scene", "Screen", "Terminal", "block", "chosen"]

BAR = 40
NOTES = 8
FRAMES_PER_S = 8
WORD_STYLES = {"verified": "bold green", "restored": "bold", "restoring": "bold red"}


@dataclass(frozen=True, slots=True)
class Scene:
    """What is so at this moment. `waiting_for` is why nothing else happens, for `left_s` more."""

    waiting_for: str
    traffic: str
    left_s: float | None = None
    change: Change | None = None


class Screen(Protocol):
    """Where the story is shown."""

    def begin(self, header: Sequence[str]) -> None:
        """The static header."""

    def note(self, text: str) -> None:
        """Something happened in the present chapter."""

    def show(self, scene: Scene) -> None:
        """What is so now."""

    def alone(self, text: str, for_s: float) -> None:
        """One line by itself for this long."""

    def past(self, text: str) -> None:
        """The present chapter is over; this line is what stays of it."""

    def table(self, rows: Sequence[Sequence[str]]) -> None:
        """The figures, a head and then a row for each change; the story is over."""

    def say(self, lines: Sequence[str]) -> None:
        """What there is to say after the story."""

    def close(self) -> None:
        """Leave the terminal as it was."""


class Plain:
    """A line for each event, with the seconds since the beginning in front."""

    def __init__(self, to: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._to = to
        self._clock = clock
        self._began = clock()
        self._waiting_for = ""

    def begin(self, header: Sequence[str]) -> None:
        """The static header."""
        for line in header:
            self._line(line)

    def note(self, text: str) -> None:
        """Something happened."""
        self._line(f"[{self._clock() - self._began:3.0f} s] {text}")

    def show(self, scene: Scene) -> None:
        """Only a new reason to wait is an event."""
        if scene.waiting_for != self._waiting_for:
            self._waiting_for = scene.waiting_for
            self.note(f"waiting for {scene.waiting_for}")

    def alone(self, text: str, for_s: float) -> None:
        """One line; what is read later needs no pause."""
        del for_s
        self.note(text)

    def past(self, text: str) -> None:
        """What stays of a chapter."""
        self.note(text)

    def table(self, rows: Sequence[Sequence[str]]) -> None:
        """The figures."""
        widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
        self._line("")
        for row in rows:
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self._line("  ".join(cells).rstrip())

    def say(self, lines: Sequence[str]) -> None:
        """What there is to say after the story."""
        for line in lines:
            self._line(line)

    def close(self) -> None:
        """Nothing to leave."""

    def _line(self, text: str) -> None:
        print(text, file=self._to, flush=True)


class Terminal:
    """A header, past chapters as one line each, and one live block below them."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._notes: list[str] = []
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._drawn_at = 0.0

    def begin(self, header: Sequence[str]) -> None:
        """The static header."""
        first, *rest = header
        self._console.print(Text(first, style="bold"))
        for line in rest:
            self._console.print(Text(line, style="dim"))
        self._console.print()
        self._live.start()

    def note(self, text: str) -> None:
        """Something happened in the present chapter."""
        self._notes.append(text)

    def show(self, scene: Scene) -> None:
        """Draw the live block, not more often than an eye can follow."""
        if time.monotonic() - self._drawn_at < 1 / FRAMES_PER_S:
            return
        self._drawn_at = time.monotonic()
        self._live.update(block(scene, self._notes), refresh=True)

    def alone(self, text: str, for_s: float) -> None:
        """One line by itself for this long."""
        self._live.update(Text(f"\n  {text}\n", style="bold red"), refresh=True)
        time.sleep(for_s)
        self._notes.append(text)

    def past(self, text: str) -> None:
        """The present chapter is over; this line is what stays of it."""
        self._notes.clear()
        self._live.update(Text(), refresh=True)
        self._live.console.print(_marked(text))

    def table(self, rows: Sequence[Sequence[str]]) -> None:
        """The figures."""
        self.close()
        head, *body = rows
        drawn = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
        for title in head:
            drawn.add_column(title, no_wrap=True)
        for row in body:
            drawn.add_row(*(Text(cell) for cell in row))
        self._console.print()
        self._console.print(drawn)

    def say(self, lines: Sequence[str]) -> None:
        """What there is to say after the story."""
        self.close()
        for line in lines:
            self._console.print(Text(line))

    def close(self) -> None:
        """Leave the terminal as it was."""
        self._live.stop()


def block(scene: Scene, notes: Sequence[str]) -> RenderableType:
    """The live block: who meets what, what is known, what happened, what it waits for."""
    parts: list[RenderableType] = [Text()]
    change = scene.change
    if change is not None:
        state = change.phase.replace("_", " ")
        title = Text(f"  {change.number}  {change.why}  ", style="bold")
        title.append(state.upper(), style=WORD_STYLES.get(change.phase, "bold yellow"))
        parts += [title, *_shares(change), Text(f"     {change.because or change.sentence}")]
    parts += [Text(f"     · {note}", style="dim") for note in notes[-NOTES:]]
    left = "" if scene.left_s is None else f", {scene.left_s:.0f} s more"
    waiting_for = Text(f"  waiting for {scene.waiting_for}{left}")
    parts += [Text(), waiting_for, Text(f"  {scene.traffic}", "dim")]
    return Group(*parts)


def _shares(change: Change) -> list[Text]:
    if not change.share:
        return []
    old, new = words.arms(words.errors(change.verdict))
    base = "" if change.base_number is None else str(change.base_number)
    return [
        _bar(f"old {base:>2}", 1 - change.share, old),
        _bar(f"new {change.number:>2}", change.share, new),
        Text(f"     {words.evidence(change.verdict)}"),
    ]


def _bar(name: str, share: float, said: str) -> Text:
    full = round(BAR * share)
    return Text(f"     {name} {'█' * full}{'·' * (BAR - full)} {100 * share:3.0f} %  {said}")


def _marked(text: str) -> Text:
    mark, _, rest = text.partition(" ")
    styles = {"✓": "green", "↩": "bold", "!": "bold red"}
    return Text.assemble((mark, styles.get(mark, "")), " ", rest)


def chosen(to: TextIO) -> Screen:
    """A live block where somebody looks, lines where something reads."""
    return Terminal(Console(file=to, highlight=False)) if to.isatty() else Plain(to)
