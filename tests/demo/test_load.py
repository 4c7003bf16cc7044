"""The demo's customers, against real sockets."""

import asyncio
import contextlib
import json
import random
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

from surefoot.demo.load import Customers, orders
from surefoot.demo.shop.server import Answer, Connection, Handler, Request


async def well(_: Request) -> Answer:
    return Answer(200, "{}")


async def slow(_: Request) -> Answer:
    await asyncio.sleep(0.5)
    return Answer(200, "{}")


async def broken(_: Request) -> Answer:
    return Answer(500, "{}")


class Counted(Connection):
    """A connection whose end can be waited for."""

    def __init__(self, handler: Handler, ended: asyncio.Semaphore) -> None:
        super().__init__(handler)
        self._ended = ended

    def connection_lost(self, _: Exception | None) -> None:
        self._ended.release()


@contextlib.asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[int]:
    """Serve on a port of its own, and see every connection end."""
    made: list[Counted] = []
    ended = asyncio.Semaphore(0)

    def connection() -> Counted:
        made.append(Counted(handler, ended))
        return made[-1]

    server = await asyncio.get_running_loop().create_server(connection, "127.0.0.1", 0)
    yield port_of(server)
    server.close()
    async with asyncio.timeout(15):
        for _ in made:
            await ended.acquire()


def port_of(server: asyncio.Server) -> int:
    return int(server.sockets[0].getsockname()[1])


async def come(customers: Customers, seconds: float) -> float:
    """Let them come for so long, wait for the last answers; returns the seconds they came."""
    told = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, told.set)
    began = time.monotonic()
    await customers.come(told)
    took = time.monotonic() - began
    await customers.leave(within_s=15)
    return took


async def test_it_holds_its_pace() -> None:
    """200 requests a second are sent within ten in a hundred, and each is answered once."""
    async with serving(well) as port:
        customers = Customers(port, 200.0)
        took = await come(customers, 4.0)
        assert 180 <= customers.counts.sent / took <= 220
        assert customers.counts.statuses == {"200": customers.counts.sent}


async def test_slow_answers_do_not_slow_it_down() -> None:
    """The load is open-loop: it sends at its pace whether others have been answered or not."""
    async with serving(slow) as port:
        customers = Customers(port, 200.0)
        took = await come(customers, 2.0)
        assert 170 <= customers.counts.sent / took <= 230
        assert customers.counts.statuses["200"] == customers.counts.sent


async def test_answers_are_counted_by_status() -> None:
    """A 500 is an answer, not a failure of the connection."""
    async with serving(broken) as port:
        customers = Customers(port, 200.0)
        await come(customers, 0.5)
        assert customers.counts.statuses == {"500": customers.counts.sent}
        assert customers.counts.unanswered == 0


async def test_a_refused_connection_is_a_request_without_an_answer() -> None:
    """Nobody listens: everything that was sent is counted as unanswered."""
    async with serving(well) as port:
        pass
    customers = Customers(port, 200.0)
    await come(customers, 0.5)
    assert customers.counts.unanswered == customers.counts.sent > 0


async def test_a_connection_closed_on_a_request_is_one_without_an_answer() -> None:
    """A server that hangs up while it is asked has not answered, and is not asked again."""
    hung_up = 0

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal hung_up
        await reader.read(1)
        hung_up += 1
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    customers = Customers(port_of(server), 200.0)
    await come(customers, 0.5)
    assert customers.counts.unanswered == customers.counts.sent == hung_up > 0
    server.close()


def test_half_are_checkouts_and_a_fifth_of_those_have_a_code() -> None:
    """The mix is what the storyboard says it is."""
    source = orders(random.Random(3))
    requests = [next(source) for _ in range(4000)]
    bodies = [
        json.loads(one.partition(b"\r\n\r\n")[2]) for one in requests if one.startswith(b"POST")
    ]
    assert 0.45 < len(bodies) / len(requests) < 0.55
    assert 0.16 < sum("code" in body for body in bodies) / len(bodies) < 0.24
    assert sum("gift_wrap" in body for body in bodies) > 0


async def test_as_a_process_it_writes_its_counts_and_ends_in_time(tmp_path: Path) -> None:
    """`python -m surefoot.demo.load` stops by itself, and its file tells what customers saw."""
    async with serving(well) as port:
        counts = tmp_path / "counts.json"
        load = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "surefoot.demo.load", "--port", str(port)),
            *("--counts", str(counts), "--per-second", "50", "--seconds", "1"),
        )
        assert await asyncio.wait_for(load.wait(), 60) == 0
        said = json.loads(counts.read_text())
        assert said["sent"] == said["statuses"]["200"] > 0
        assert said["unanswered"] == 0
