"""A small service whose behaviour is in `behaviour.json` beside it; standard library only.

It answers on $PORT over HTTP/1.1 with keep-alive, and counts what it does on /metrics.
"""

import asyncio
import json
import os
import random
import sys
from pathlib import Path

BEHAVIOUR = json.loads((Path(__file__).parent / "behaviour.json").read_text())
DICE = random.Random(BEHAVIOUR.get("seed", 1))
RELEASE = os.environ.get("SUREFOOT_RELEASE", "")
COUNTS = {"ok": 0, "error": 0}
TEXTS = {200: "OK", 404: "Not Found", 500: "Internal Server Error", 503: "Service Unavailable"}


def answer(path):
    """Status and body for a path."""
    if path == "/healthz":
        return (503, "not yet") if BEHAVIOUR.get("never_healthy") else (200, "well")
    if path == "/metrics":
        rows = [f'checkout_total{{outcome="{key}"}} {count}' for key, count in COUNTS.items()]
        return 200, "# TYPE checkout_total counter\n" + "\n".join(rows) + "\n"
    if path == "/release":
        return 200, RELEASE
    failed = DICE.random() < BEHAVIOUR.get("checkout_errors", 0.0)
    COUNTS["error" if failed else "ok"] += 1
    return (500, "no") if DICE.random() < BEHAVIOUR.get("errors", 0.0) else (200, "yes")


async def converse(reader, writer):
    """Answer requests on one connection until it closes."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            path = head.split(b" ", 2)[1].decode("latin-1")
            if path not in {"/healthz", "/metrics"}:
                await asyncio.sleep(BEHAVIOUR.get("seconds", 0.005))
            status, body = answer(path)
            data = body.encode()
            head = f"HTTP/1.1 {status} {TEXTS[status]}\r\nContent-Length: {len(data)}\r\n"
            writer.write(f"{head}Release: {RELEASE}\r\n\r\n".encode() + data)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def first_user():
    """Wait until somebody but a health check has asked something."""
    while sum(COUNTS.values()) < BEHAVIOUR.get("die_after_requests", 40):  # noqa: ASYNC110 -- it is no more than a counter
        await asyncio.sleep(0.05)


async def main():
    """Serve, or not, as the behaviour says."""
    if BEHAVIOUR.get("exit_at_start"):
        sys.exit("this release cannot find its database")
    server = await asyncio.start_server(converse, "127.0.0.1", int(os.environ["PORT"]))
    async with server:
        if "die_after_s" in BEHAVIOUR:
            await first_user()
            await asyncio.sleep(BEHAVIOUR["die_after_s"])
            os.kill(os.getpid(), 9)
        await asyncio.Event().wait()


asyncio.run(main())
