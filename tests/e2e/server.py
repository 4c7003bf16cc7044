"""A small service whose behaviour is in `behaviour.json` beside it; standard library only.

It answers on $PORT over HTTP/1.1 with keep-alive, and counts what it does on /metrics. Keys of the
behaviour:

seconds, spread     how long an answer takes, and the sigma of its lognormal spread
errors              the fraction of answers that are 500; checkout_errors counts them on its page
complains           what it prints for each answer that is 500
errors_of_customer  the X-Customer that gets nothing but 500
errors_grow         answers that are 500 grow by this fraction a second, from a minute after `met`
never_healthy       the health path answers 503
exit_at_start       it ends at once; start_s: it listens only after so many seconds
met                 how many requests of users it takes for the keys below to begin, 10 at first
die_after_s         it kills itself; hangs: it answers nothing any more, "users" or "all"
cold_s              its answers take 0.3 s for so long; leak_mb: what each request keeps for ever
deaf_page           /metrics answers nothing any more; no_page: it has none of its metrics
database            a file: while it is there, every answer is 500
shouts_mb           megabytes that it writes to its output each second
stubborn            it ignores SIGTERM, and so does its child; lingers: the seconds that one lives
"""

import asyncio
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

BEHAVIOUR = json.loads((Path(__file__).parent / "behaviour.json").read_text())
DICE = random.Random(BEHAVIOUR.get("seed", 1))
RELEASE = os.environ.get("SUREFOOT_RELEASE", "")
COUNTS = {"ok": 0, "error": 0}
TEXTS = {200: "OK", 404: "Not Found", 500: "Internal Server Error", 503: "Service Unavailable"}
ASKED = []
BEGUN = []  # with those that have no answer yet
KEPT = []
MET = {}


def met_for():
    """Seconds since enough users were met; negative before."""
    if sum(COUNTS.values()) >= BEHAVIOUR.get("met", 10):
        MET.setdefault("at", time.monotonic())
    return time.monotonic() - MET["at"] if MET else -1.0


def failing(headers):
    """Whether this answer to a user is an error."""
    grown = BEHAVIOUR.get("errors_grow", 0.0) * max(0.0, met_for() - 60)
    return (
        DICE.random() < BEHAVIOUR.get("errors", 0.0) + grown
        or headers.get("x-customer") == BEHAVIOUR.get("errors_of_customer", "nobody")
        or ("database" in BEHAVIOUR and Path(BEHAVIOUR["database"]).exists())
    )


def told(path, headers, body):
    """What the paths that tell something say; None for any other."""
    if path == "/healthz":
        return (503, "not yet") if BEHAVIOUR.get("never_healthy") else (200, "well")
    if path == "/metrics" and BEHAVIOUR.get("no_page"):
        return 200, "# TYPE something_else counter\nsomething_else 1\n"
    if path == "/metrics":
        rows = [f'checkout_total{{outcome="{key}"}} {count}' for key, count in COUNTS.items()]
        return 200, "# TYPE checkout_total counter\n" + "\n".join(rows) + "\n"
    facts = {
        "/release": RELEASE,
        "/pid": f"{RELEASE} {os.getpid()}",
        "/headers": json.dumps(headers),
        "/environment": json.dumps(dict(os.environ)),
        "/asked": json.dumps(ASKED),
        "/begun": json.dumps(BEGUN),
        "/upload": str(body),
    }
    return (200, facts[path]) if path in facts else None


def answer(path, headers, body):
    """Status and body for a path."""
    ASKED.append(path)
    del ASKED[:-1000]
    if known := told(path, headers, body):
        return known
    failed = DICE.random() < BEHAVIOUR.get("checkout_errors", 0.0)
    COUNTS["error" if failed else "ok"] += 1
    if met_for() >= 0 and "leak_mb" in BEHAVIOUR:
        leak(BEHAVIOUR["leak_mb"])
    if not failing(headers):
        return 200, "yes"
    if "complains" in BEHAVIOUR:
        print(BEHAVIOUR["complains"], flush=True)
    return 500, "no"


def leak(megabytes):
    """Keep memory for ever, up to a limit at which the kernel would end it."""
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
    try:
        KEPT.append(bytearray(megabytes << 20))
    except MemoryError:
        os.kill(os.getpid(), signal.SIGKILL)


async def take_time(path):
    """As long as an answer takes."""
    since = met_for()
    hangs = BEHAVIOUR.get("hangs")
    if since >= 0 and (hangs == "all" or (hangs and path not in {"/healthz", "/metrics"})):
        await asyncio.Event().wait()
    if path == "/metrics" and since >= 0 and BEHAVIOUR.get("deaf_page"):
        await asyncio.Event().wait()
    if path in {"/healthz", "/metrics"}:
        return
    seconds = BEHAVIOUR.get("seconds", 0.005) * DICE.lognormvariate(0, BEHAVIOUR.get("spread", 0))
    await asyncio.sleep(0.3 if 0 <= since < BEHAVIOUR.get("cold_s", 0) else seconds)


async def read_request(reader):
    """Method, path, headers in lower case, and the length of a body, which is read and let go."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip("\r\n").split("\r\n")
    method, path, _ = first.split(" ", 2)
    BEGUN.append(path)
    del BEGUN[:-1000]
    pairs = (line.partition(":") for line in lines)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    length = 0
    if headers.get("transfer-encoding") == "chunked":
        while size := int(await reader.readuntil(b"\r\n"), 16):
            await reader.readexactly(size + 2)
            length += size
        await reader.readuntil(b"\r\n")
    else:
        left = length = int(headers.get("content-length", 0))
        while left:
            left -= len(await reader.readexactly(min(left, 1 << 16)))
    return method, path, headers, length


async def tell_events(writer, seconds):
    """An event stream: the time it has lasted, ten times a second, and a word at its end."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
    for n in range(seconds * 10):
        writer.write(f"data: {n / 10}\n\n".encode())
        await writer.drain()
        await asyncio.sleep(0.1)
    writer.write(b"data: end\n\n")
    await writer.drain()


async def echo(reader, writer):
    """What is left of a WebSocket after its handshake: lines come back with the release."""
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    )
    while line := await reader.readline():
        writer.write(RELEASE.encode() + b": " + line)
        await writer.drain()


async def converse(reader, writer):
    """Answer requests on one connection until it closes."""
    try:
        while True:
            method, path, headers, body = await read_request(reader)
            path, _, seconds = path.partition("?")
            if path == "/events":
                return await tell_events(writer, int(seconds))
            if path == "/socket":
                return await echo(reader, writer)
            if path == "/slow":
                await asyncio.sleep(float(seconds))
            await take_time(path)
            status, text = answer(path, headers, body)
            data = text.encode()
            head = f"HTTP/1.1 {status} {TEXTS[status]}\r\nContent-Length: {len(data)}\r\n"
            head += f"Release: {RELEASE}\r\n\r\n"
            writer.write(head.encode() + (b"" if method == "HEAD" else data))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def shout():
    """Write a tenth of `shouts_mb` ten times a second, as a debug log left on would."""
    line = b"nobody reads this, and it never ends " * 27 + b"\n"
    while True:
        os.write(1, line * (BEHAVIOUR["shouts_mb"] * 100))
        await asyncio.sleep(0.1)


async def main():
    """Serve, or not, as the behaviour says."""
    if BEHAVIOUR.get("exit_at_start"):
        sys.exit("this release cannot find its database")
    await asyncio.sleep(BEHAVIOUR.get("start_s", 0))
    server = await asyncio.start_server(converse, "127.0.0.1", int(os.environ["PORT"]))
    shouting = asyncio.create_task(shout()) if "shouts_mb" in BEHAVIOUR else None
    async with server:
        if "die_after_s" in BEHAVIOUR:
            await die()
        await (shouting or asyncio.Event().wait())


async def die():
    """Kill itself, some time after users were met."""
    while met_for() < BEHAVIOUR["die_after_s"]:  # noqa: ASYNC110 -- it is no more than a counter
        await asyncio.sleep(0.05)
    os.kill(os.getpid(), signal.SIGKILL)


def grow_odd():
    """Ignore what asks it to end, and have a child that does so too."""
    if BEHAVIOUR.get("stubborn"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "lingers" in BEHAVIOUR:
        subprocess.Popen(["sleep", str(BEHAVIOUR["lingers"])])


if __name__ == "__main__":
    grow_odd()
    asyncio.run(main())
