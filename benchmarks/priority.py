"""What a build that takes all it can get does to users' requests.

    python benchmarks/priority.py --seconds 10 --rounds 6

A small service behind Envoy is asked open loop, at an even pace, in three ways in turn: with
nothing beside it, with a build as Surefoot runs it, and with the same build at the priority of
everything else. The build burns twice as many processes as there are cores and writes to the disk
all the time. A request's time counts from the moment at which it was due, so that none hides
behind a slow one.
"""

import argparse
import asyncio
import os
import platform
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

from surefoot.adapters.commands import CommandChecks
from surefoot.ports import CommandSpec

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "e2e"))

from world import Service, World

RATE = 100
SETTLE_S = 1.0
BUILD = """
import os, sys, time
others = 2 * os.cpu_count() - 1
for _ in range(others):
    if os.fork() == 0:
        others = 0
        break
end = time.monotonic() + float(sys.argv[1])
with open(f"burnt-{os.getpid()}", "wb") as file:
    while time.monotonic() < end:
        sum(range(100_000))
        file.seek(0)
        file.write(bytes(100_000))
        file.flush()
for _ in range(others):
    os.wait()
"""
WAYS = {
    "nothing beside it": None,
    "a build beside it, standing back (as shipped)": True,
    "the same build at everybody's priority": False,
}


async def one(
    port: int, due: float, pool: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]
) -> float:
    """Seconds from when a request was due to the end of its answer."""
    reader, writer = pool.pop() if pool else await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n")
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = next(line for line in head.split(b"\r\n") if line.startswith(b"content-length"))
    await reader.readexactly(int(length.split(b":")[1]))
    pool.append((reader, writer))
    return time.monotonic() - due


async def asked(port: int, seconds: float) -> list[float]:
    """The times of all requests of so many seconds."""
    pool: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    began = time.monotonic()
    running = []
    for index in range(int(seconds * RATE)):
        due = began + index / RATE
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        running.append(asyncio.create_task(one(port, due, pool)))
    times = await asyncio.gather(*running)
    for _, writer in pool:
        writer.close()
    return times


def burnt() -> float:
    """Processor seconds of all builds that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


async def measured(
    port: int, seconds: float, *, stands_back: bool | None
) -> tuple[list[float], float]:
    """One round in one of the ways: times of requests, and the cores that the build had."""
    if stands_back is None:
        return await asked(port, seconds), 0.0
    with tempfile.TemporaryDirectory(prefix="sf-build-") as folder:
        lasts, before = seconds + 2 * SETTLE_S, burnt()
        argv = (sys.executable, "-c", BUILD, str(lasts))
        spec = CommandSpec(argv, Path(folder), 10 * seconds, stands_back=stands_back)
        build = asyncio.create_task(CommandChecks().run(spec))
        await asyncio.sleep(SETTLE_S)
        times = await asked(port, seconds)
        finished = await build
        if not finished.ok:
            sys.exit(f"the build did not end well: {finished.said}")
    return times, (burnt() - before) / lasts


def main() -> None:
    """Measure each way in turn, round after round."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=6)
    told = parser.parse_args()
    print(
        f"{os.cpu_count()} cores, Linux {platform.release()}, Python {platform.python_version()}, "
        f"load {os.getloadavg()[0]:.1f} at the start; {RATE} requests/s, "
        f"{told.rounds} rounds of {told.seconds:.0f} s for each way"
    )
    times: dict[str, list[list[float]]] = {way: [] for way in WAYS}
    cores: dict[str, list[float]] = {way: [] for way in WAYS}
    world = World()
    try:
        world.up()
        shop = Service(world, "priority")
        shop.write_manifest()
        shop.commit("as it runs today", seconds=0.002)
        shop.adopt()
        for _ in range(told.rounds):
            for way, stands_back in WAYS.items():
                told_times, had = asyncio.run(
                    measured(shop.port, told.seconds, stands_back=stands_back)
                )
                times[way].append(told_times)
                cores[way].append(had)
    finally:
        world.end()
    print(f"{'milliseconds':46} {'p50':>7} {'p99':>7} {'p99 by round':>18} {'cores it had':>13}")
    for way, rounds in times.items():
        every = [1000 * seconds for one_round in rounds for seconds in one_round]
        p99s = sorted(statistics.quantiles(one_round, n=100)[98] * 1000 for one_round in rounds)
        middle, p99 = statistics.median(every), statistics.quantiles(every, n=100)[98]
        spread, had = f"{p99s[0]:.0f} to {p99s[-1]:.0f}", statistics.median(cores[way])
        print(f"{way:46} {middle:7.2f} {p99:7.2f} {spread:>18} {had:13.2f}")


if __name__ == "__main__":
    main()
