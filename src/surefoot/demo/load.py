"""Customers: an open-loop load, each request at its own moment whether others are answered or not.

Runs as a process of its own, `python -m surefoot.demo.load --port 8080 --counts FILE`, against this
machine only. Nothing is asked twice: what gets no answer is counted as *unanswered*.
"""

import argparse
import asyncio
import contextlib
import json
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Counts", "Customers", "main", "orders"]

HOST = "127.0.0.1"
LONGEST_S = 540.0
PATIENCE_S = 10.0  # a customer who waits longer than this has gone away
LATE_S = 1.0  # a generator that lags more than this says so by its pace, not by a burst
LAST_ANSWERS_S = 2.0
WRITE_EVERY_S = 0.25
CHECKOUTS = 0.5  # of all requests
WITH_CODE = 0.2  # of the checkouts
WITH_GIFT_WRAP = 0.3  # likewise
ITEMS = ("tea", "mug", "cake", "book")
STATUS = slice(9, 12)  # of "HTTP/1.1 200 OK"


@dataclass(slots=True)
class Counts:
    """What customers saw. `statuses` by HTTP status; `unanswered` got none at all."""

    sent: int = 0
    unanswered: int = 0
    statuses: Counter[str] = field(default_factory=Counter)

    @property
    def open(self) -> int:
        """Requests that still wait for their answer."""
        return self.sent - self.unanswered - self.statuses.total()

    def write(self, to: Path) -> None:
        """Replace the file, so that a reader finds it whole."""
        staged = to.with_suffix(".new")
        staged.write_text(
            json.dumps(
                {"sent": self.sent, "unanswered": self.unanswered, "statuses": self.statuses}
            )
        )
        staged.replace(to)


def orders(dice: random.Random) -> Iterator[bytes]:
    """Requests without end: half are checkouts, a fifth of those come with a discount code."""
    while True:
        if dice.random() < CHECKOUTS:
            order: dict[str, object] = {"items": dice.choices(ITEMS, k=2)}
            if dice.random() < WITH_CODE:
                order["code"] = "SPRING"
            if dice.random() < WITH_GIFT_WRAP:
                order["gift_wrap"] = True
            yield _request("POST", "/checkout", json.dumps(order).encode())
        else:
            yield _request("GET", dice.choice(["/", "/catalogue"]))


def _request(method: str, path: str, body: bytes = b"") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nhost: shop.example\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


class _Connection(asyncio.Protocol):
    """A kept connection; free between an answer and the next request."""

    def __init__(self, customers: "Customers") -> None:
        self._customers = customers
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport
            self._customers.came(self)

    @property
    def usable(self) -> bool:
        """Whether the next request can be sent on it."""
        return self._transport is not None and not self._transport.is_closing()

    def leave(self) -> None:
        """Hang up."""
        if self._transport:
            self._transport.close()

    def ask(self, request: bytes) -> None:
        """Send one request; the answer frees this connection."""
        if self._transport is None:
            self._customers.answered(None)
            return
        loop = asyncio.get_running_loop()
        self._patience = loop.call_later(PATIENCE_S, self._transport.abort)
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, complete, rest = self._buffer.partition(b"\r\n\r\n")
        if not complete or len(rest) < _length(head):
            return
        self._buffer = b""
        self._settle(head[STATUS].decode())
        if b"\r\nconnection: close" in head.lower():
            self.leave()
        else:
            self._customers.free(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 -- asyncio names it
        if self._patience:
            self._settle(None)
        self._customers.gone(self)

    def _settle(self, status: str | None) -> None:
        if self._patience:
            self._patience.cancel()
            self._patience = None
        self._customers.answered(status)


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


class Customers:
    """Sends `per_second` requests on average, at random moments (a Poisson process)."""

    def __init__(self, port: int, per_second: float, seed: int = 1) -> None:
        self.counts = Counts()
        self._port = port
        self._per_second = per_second
        self._dice = random.Random(seed)
        self._free: list[_Connection] = []
        self._connections: set[_Connection] = set()
        self._all_gone = asyncio.Event()
        self._opening: set[asyncio.Task[None]] = set()
        self._all_answered = asyncio.Event()

    async def come(self, until: asyncio.Event) -> None:
        """Send until told to stop."""
        requests = orders(self._dice)
        due = time.monotonic()
        while not until.is_set():
            due = max(due + self._dice.expovariate(self._per_second), time.monotonic() - LATE_S)
            # Sleeping is coarse; whatever became due meanwhile is sent at once.
            wait = due - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
            self._send(next(requests))

    async def leave(self, within_s: float) -> None:
        """Take the last answers, then hang up; whoever waits longer than this leaves without."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._all_answered.wait(), within_s)
        for connection in self._connections:
            connection.leave()
        if self._connections:
            await self._all_gone.wait()

    def _send(self, request: bytes) -> None:
        self.counts.sent += 1
        self._all_answered.clear()
        while self._free:
            connection = self._free.pop()
            if connection.usable:
                connection.ask(request)
                return
        task = asyncio.ensure_future(self._open(request))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _open(self, request: bytes) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(PATIENCE_S):
                _, connection = await loop.create_connection(
                    lambda: _Connection(self), HOST, self._port
                )
        except OSError:  # TimeoutError is one
            self.answered(None)
            return
        connection.ask(request)

    def answered(self, status: str | None) -> None:
        """One request is over; without a status it never got an answer."""
        if status is None:
            self.counts.unanswered += 1
        else:
            self.counts.statuses[status] += 1
        if not self.counts.open:
            self._all_answered.set()

    def free(self, connection: _Connection) -> None:
        """This connection can take the next request."""
        self._free.append(connection)

    def came(self, connection: _Connection) -> None:
        """A connection was made."""
        self._connections.add(connection)
        self._all_gone.clear()

    def gone(self, connection: _Connection) -> None:
        """A connection is closed."""
        self._connections.discard(connection)
        if not self._connections:
            self._all_gone.set()


async def _run(customers: Customers, counts: Path, seconds: float) -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, told.set)
    loop.call_later(seconds, told.set)
    coming = asyncio.create_task(customers.come(told))
    while not coming.done():
        customers.counts.write(counts)
        await asyncio.wait({coming}, timeout=WRITE_EVERY_S)
    await coming
    await customers.leave(LAST_ANSWERS_S)
    customers.counts.write(counts)


def main() -> None:
    """Read the arguments and let the customers come."""
    parser = argparse.ArgumentParser(description="customers of the demo's shop, on this machine")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--counts", type=Path, required=True)
    parser.add_argument("--per-second", type=float, default=200.0)
    parser.add_argument("--seconds", type=float, default=LONGEST_S)
    given = parser.parse_args()
    customers = Customers(given.port, given.per_second)
    asyncio.run(_run(customers, given.counts, min(given.seconds, LONGEST_S)))


if __name__ == "__main__":
    main()
