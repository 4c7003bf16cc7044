"""Asking a release by its private route, in through the same door as its users."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from surefoot.adapters.envoy.routing import ANSWERED_BY, PRIVATE_HEADER
from surefoot.domain.manifest import Address

__all__ = ["Answer", "Ask", "asker"]

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 -- where to ask, not to listen
_FIRST_ERROR = 500


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: a status, and the cluster that gave it; None when nothing came."""

    status: int | None = None
    cluster: str | None = None

    @property
    def good(self) -> bool:
        """Whether a release answered, and not with an error of its own."""
        return self.status is not None and self.status < _FIRST_ERROR


Ask = Callable[[str], Awaitable[Answer]]


@asynccontextmanager
async def asker(listen: Address, token: str, answer_s: float) -> AsyncIterator[Ask]:
    """A function that asks a path with this token; an answer may take `answer_s` seconds."""
    base = f"http://{Address(_EVERYWHERE.get(listen.host, listen.host), listen.port)}"
    time_limit = aiohttp.ClientTimeout(total=answer_s)
    async with aiohttp.ClientSession(
        timeout=time_limit, headers={PRIVATE_HEADER: token}
    ) as session:

        async def ask(path: str) -> Answer:
            try:
                async with session.get(base + path, allow_redirects=False) as answer:
                    await answer.read()
                    return Answer(answer.status, answer.headers.get(ANSWERED_BY))
            except (aiohttp.ClientError, OSError):
                return Answer()

        yield ask
