"""A page of HTTP/1.1: keep-alive connections, one request at a time on each."""

import asyncio
import re
import sys
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

LENGTH = re.compile(rb"^content-length:\s*(\d+)", re.IGNORECASE | re.MULTILINE)
REASONS = {200: "OK", 404: "Not Found", 500: "Internal Server Error"}


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody asks for."""

    method: str
    path: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What they get."""

    status: int
    text: str
    kind: str = "application/json"

    def __bytes__(self) -> bytes:
        """The answer as it goes over the wire."""
        body = self.text.encode()
        head = (
            f"HTTP/1.1 {self.status} {REASONS[self.status]}\r\n"
            f"content-type: {self.kind}\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


Handler = Callable[[Request], Awaitable[Answer]]


class Connection(asyncio.Protocol):
    """One connection. A handler that raises has answered 500."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._buffer = b""
        self._task: asyncio.Task[Answer] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody came."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def data_received(self, data: bytes) -> None:
        """A part of a request, a whole one, or several."""
        self._buffer += data
        self._next()

    def _next(self) -> None:
        head, complete, rest = self._buffer.partition(b"\r\n\r\n")
        if self._task or not complete:
            return
        found = LENGTH.search(head)
        length = int(found[1]) if found else 0
        if len(rest) < length:
            return
        self._buffer = rest[length:]
        method, path, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
        self._task = asyncio.ensure_future(self._ask(Request(method, path, rest[:length])))
        self._task.add_done_callback(self._done)

    async def _ask(self, request: Request) -> Answer:
        return await self._handler(request)

    def _done(self, task: asyncio.Task[Answer]) -> None:
        self._task = None
        if task.cancelled() or self._transport is None or self._transport.is_closing():
            return
        trouble = task.exception()
        if trouble is None:
            answer = task.result()
        else:
            sys.stderr.write("".join(traceback.format_exception_only(trouble)))
            answer = Answer(500, '{"error": "sorry"}')
        self._transport.write(bytes(answer))
        self._next()
