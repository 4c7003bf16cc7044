"""The shop's pages. What stands behind them is slow as real things are, and fails now and then."""

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable

from .meters import Meters
from .prices import CATALOGUE, total
from .server import Answer, Request

FAILS = 0.01  # of all questions to what stands behind the shop
TAKES_S, SPREAD = 0.05, 0.5  # median and sigma of its answer time, which is lognormal


class BackendError(Exception):
    """What stands behind the shop did not answer; ask again."""


class Shop:
    """One shop with its meters."""

    def __init__(self, fails: float = FAILS) -> None:
        self._fails = fails
        self._dice = random.Random(1)
        self._meters = Meters()
        self._pages: dict[str, Callable[[Request], Awaitable[Answer]]] = {
            "/": self._page,
            "/catalogue": self._catalogue,
            "/checkout": self._checkout,
        }

    async def answer(self, request: Request) -> Answer:
        """The page for a request, counted by how it ended."""
        if request.path == "/healthz":
            return Answer(200, "well", "text/plain")
        if request.path == "/metrics":
            return Answer(200, self._meters.page(), "text/plain")
        page = self._pages.get(request.path)
        if page is None:
            return Answer(404, '{"error": "no such page"}')
        outcome = "error"
        try:
            answer = await page(request)
            outcome = "ok"
        finally:
            self._meters.count(request.path.strip("/") or "page", outcome)
        return answer

    async def _backend(self) -> None:
        await asyncio.sleep(TAKES_S * self._dice.lognormvariate(0.0, SPREAD))
        if self._dice.random() < self._fails:
            raise BackendError

    async def _page(self, _: Request) -> Answer:
        await self._backend()
        return Answer(200, "<h1>Tea, mugs, cake and books</h1>", "text/html")

    async def _catalogue(self, _: Request) -> Answer:
        await self._backend()
        return Answer(200, json.dumps(CATALOGUE))

    async def _checkout(self, request: Request) -> Answer:
        started = time.perf_counter()
        order = json.loads(request.body)
        await self._backend()
        bill = {"total": total(order["items"], order.get("code"))}
        self._meters.took(time.perf_counter() - started)
        return Answer(200, json.dumps(bill))
