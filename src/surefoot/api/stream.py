"""The ledger as server-sent events: each entry once, in order, resumable by its number.

The format is that of the HTML Standard, section 9.2. A line that begins with a colon is a comment:
it keeps proxies from closing a quiet stream, and finds out that nobody reads any more.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import nullcontext

import msgspec
from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse

from surefoot.api.operations import Call
from surefoot.api.wire import Followed
from surefoot.ports import Entry

__all__ = ["HEARTBEAT_S", "STREAM_MEDIA", "TOKEN_LOOK_S", "events"]

STREAM_MEDIA = "text/event-stream"
HEARTBEAT_S = 10.0
LONGEST_NUMBER = 16  # digits of 2**53; thousands of them Python would not read
TOKEN_LOOK_S = 2.0  # a closed token must not leave a stream open for longer than 5 s


async def events(call: Call[Followed]) -> Response:
    """Answer with a stream that ends when its reader leaves or its token is revoked."""
    return StreamingResponse(
        _written(call, _starting_point(call)),
        media_type=STREAM_MEDIA,
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


def _starting_point(call: Call[Followed]) -> int:
    resumed = call.request.headers.get("last-event-id", "")
    if not resumed:
        return call.asked.after
    if not resumed.isdecimal() or len(resumed) > LONGEST_NUMBER or int(resumed) > 2**53:
        raise HTTPException(422, "Last-Event-ID must be the number of a ledger entry.")
    return int(resumed)


async def _written(call: Call[Followed], after: int) -> AsyncIterator[bytes]:
    """The stream's bytes; whoever follows one change is seen on its page for as long."""
    number, presence = call.asked.change, call.request.app.state.presence
    with nullcontext() if number is None else presence.of(number, call.by, call.asked.service):
        async for part in _entries(call, after):
            yield part


async def _entries(call: Call[Followed], after: int) -> AsyncIterator[bytes]:
    """It always waits for one entry, and looks up in between."""
    loop = asyncio.get_running_loop()
    looked_at = written_at = loop.time()
    entries = call.control.follow(after)
    coming = asyncio.ensure_future(anext(entries, None))
    yield b": the ledger follows\n\n"
    try:
        while True:
            await asyncio.wait({coming}, timeout=TOKEN_LOOK_S)
            if loop.time() - looked_at >= TOKEN_LOOK_S:
                looked_at = loop.time()
                if await call.request.scope["credential"].person(call.control) is None:
                    return
            if coming.done():
                entry = coming.result()
                if entry is None:
                    return
                coming = asyncio.ensure_future(anext(entries, None))
                if _wanted(entry, call.asked):
                    written_at = loop.time()
                    yield _event(entry)
            if loop.time() - written_at >= HEARTBEAT_S:
                written_at = loop.time()
                yield b": still here\n\n"
    finally:
        coming.cancel()  # this ends the ledger's own iterator too


def _wanted(entry: Entry, asked: Followed) -> bool:
    of_service = asked.service is None or entry.service == asked.service
    return of_service and (asked.change is None or entry.change == asked.change)


def _event(entry: Entry) -> bytes:
    # JSON has no line break of its own, so one data line is enough.
    return b"id: %d\ndata: %s\n\n" % (entry.seq, msgspec.json.encode(entry))
