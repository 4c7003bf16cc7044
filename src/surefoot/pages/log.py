"""The log: changes, newest first, and what served users at a given time."""

from collections.abc import Mapping
from datetime import UTC, datetime

from surefoot.domain.errors import Refused
from surefoot.domain.lifecycle import Phase
from surefoot.engine.control import Control
from surefoot.pages.mood import Mood
from surefoot.pages.page import Page
from surefoot.pages.rendering import render
from surefoot.ports import LogQuery

__all__ = ["LogPage"]

AT_REST_S = 30.0
SHOWN, MOST = 50, 1_000
FILTERS = ("service", "author", "outcome", "path", "at", "limit")


class LogPage:
    """Makes the log as it is now."""

    def __init__(self, control: Control) -> None:
        """Take whom to ask."""
        self._control = control

    async def make(self, asked: Mapping[str, str]) -> Page:
        """The page with these filters. Raises `Refused` for what cannot be read."""
        told = {name: asked.get(name, "").strip() for name in FILTERS}
        limit = _limit(told["limit"])
        query = LogQuery(
            service=told["service"] or None,
            author=told["author"] or None,
            outcome=told["outcome"] or None,
            path=told["path"] or None,
            serving_at=_moment(told["at"]),
            limit=limit,
        )
        changes = await self._control.log(query)
        services = [one.name for one in await self._control.services()]
        more = min(limit * 2, MOST) if len(changes) == limit < MOST else None
        values = {
            "told": told,
            "changes": changes,
            "services": services,
            "outcomes": [str(phase) for phase in Phase],
            "more": more,
            "now": self._control.now(),
        }
        parts = {part: render(f"log/{part}.html", **values) for part in ("filters", "changes")}
        return Page("", "Log", ("The log of changes",), Mood.SETTLED, parts, AT_REST_S)


def _limit(text: str) -> int:
    if not text:
        return SHOWN
    if not (text.isdecimal() and len(text) < 5 and 0 < int(text) <= MOST):  # noqa: PLR2004 -- digits of 1000
        raise Refused(f"'{text[:20]}' is no number of changes.", cure=f"Ask for 1 to {MOST}.")
    return int(text)


def _moment(text: str) -> float | None:
    """A time as a browser's own input gives it, in UTC; or None."""
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise Refused(
            f"'{text[:40]}' is no time.", cure="Write it as 2026-11-23T17:52, in UTC."
        ) from None
