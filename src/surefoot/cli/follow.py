"""To follow a change until there is nothing more to follow. Leaving never changes anything."""

import sys
import time
from contextlib import AbstractContextManager
from pkgutil import resolve_name
from types import TracebackType
from typing import Any, Protocol, Self

from surefoot.cli import words
from surefoot.cli.client import Daemon
from surefoot.cli.errors import Left, Unreachable
from surefoot.cli.output import note, show
from surefoot.cli.views import ChangeView, view

__all__ = ["LOOK_S", "follow", "to_its_end"]

LOOK_S = 0.3
QUIET_S = 10.0  # plain lines: how often a changed sentence alone is worth a line
PATIENCE_S = 30.0  # how long a daemon may be away, as when it starts anew


class Screen(AbstractContextManager["Screen"], Protocol):
    """Where the state of a change is shown as it goes."""

    def show(self, change: ChangeView) -> None:
        """This is how it stands now."""


class PlainLines:
    """One line whenever something worth a line has changed; for logs, pipes and programs."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._started = time.monotonic()
        self._shown_at = 0.0
        self._key: tuple[object, ...] = ()
        self._line = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing is left open."""

    def show(self, change: ChangeView) -> None:
        """Print a line if there is news."""
        if self._quiet:
            return
        if not self._key:
            forecast = [f"  {change.forecast}"] if change.forecast else []
            show(None, [words.heading(change), *forecast], as_json=False)
        now = time.monotonic()
        key, line = words.progress_key(change), words.progress_line(change)
        news = key != self._key or (line != self._line and now - self._shown_at >= QUIET_S)
        if news:
            self._key, self._line, self._shown_at = key, line, now
            show(None, [f"{now - self._started:6.0f} s  {line}"], as_json=False)


def follow(daemon: Daemon, service: str | None, number: int, *, as_json: bool) -> int:
    """Show a change until it has an exit code, say how it ended, and return the code.

    Number 0 needs its service; any other is found without. Raises as `to_its_end`.
    """
    raw = to_its_end(daemon, service, number, as_json=as_json)
    change = view(raw, ChangeView)
    show(raw, words.ending(change), as_json=as_json)
    return change.exit_code or 0


def to_its_end(
    daemon: Daemon, service: str | None, number: int, *, as_json: bool
) -> dict[str, Any]:
    """Show a change until it has an exit code; returns it as the API gave it last.

    Raises:
        Left: the person pressed Ctrl-C.
        Unreachable: the daemon stayed away for `PATIENCE_S`.
    """
    try:
        with _screen(as_json=as_json) as screen:
            return _watch(daemon, service, number, screen)
    except KeyboardInterrupt:
        raise Left(number) from None


def _watch(daemon: Daemon, service: str | None, number: int, screen: Screen) -> dict[str, Any]:
    away_since: float | None = None
    while True:
        try:
            raw = daemon.get(f"/v1/changes/{number}", service=service)
        except Unreachable:
            now = time.monotonic()
            if away_since is None:
                away_since = now
                note(f"Surefoot does not answer; asking again for {PATIENCE_S:.0f} s.")
            if now - away_since >= PATIENCE_S:
                raise
        else:
            away_since = None
            change = view(raw, ChangeView)
            screen.show(change)
            if change.exit_code is not None:
                return raw
        time.sleep(LOOK_S)


def _screen(*, as_json: bool) -> Screen:
    if as_json or not sys.stdout.isatty():
        return PlainLines(quiet=as_json)
    # Rich is slow to load and of no use but on a terminal.
    live: Screen = resolve_name("surefoot.cli.live:LiveBlock")()
    return live
