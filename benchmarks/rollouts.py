"""Figures of whole rollouts on real parts: git, Envoy, processes, load over loopback.

    python benchmarks/rollouts.py --exposures 10 --undos 20 --detections 5 --slots 3

Every change is a real commit of a small service in a repository of its own. Times are taken from
the ledger's stamps; requests are sent open loop, at an even pace, and none is asked twice.
"""

import argparse
import asyncio
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "e2e"))

from world import BO, Load, Service, World

RATE = 200


def machine() -> str:
    """What it was measured on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GiB, Linux {platform.release()}, "
        f"Python {platform.python_version()}, load {os.getloadavg()[0]:.1f} at the start"
    )


def row(name: str, values: Sequence[float], unit: str = "s") -> None:
    """One figure: median, nine in ten, most."""
    ordered = sorted(values)
    if not ordered:
        print(f"{name:52} none")
        return
    nine = ordered[min(len(ordered) - 1, int(0.9 * len(ordered)))]
    median = statistics.median(ordered)
    print(
        f"{name:52} n={len(ordered):3}  median {median:8.3f} {unit}"
        f"  p90 {nine:8.3f}  max {ordered[-1]:8.3f}"
    )


def exposures(shop: Service, count: int) -> None:
    """Commit to first exposure: no build, trivial check, review given at once."""
    totals, ready, queued = [], [], []
    for index in range(count):
        began = time.time()
        shop.commit(f"exposure {index}", seed=index, seconds=0.005)
        number = shop.ship()
        status = shop.until(number, {"rolling_out", "verifying"}, 60)
        totals.append(status["exposed_at"] - began)
        ready.append(status["times"]["getting_ready_s"])
        queued.append(status["times"]["queued_s"] or 0.0)
        shop.world.post(f"/v1/changes/{number}/undo", {"because": "measured"}, BO)
        shop.until(number, "restored", 60)
        shop.git("reset", "--quiet", "--hard", "HEAD~1")
    row("commit (git included) to first exposure", totals)
    row("  of which getting ready", ready)
    row("  of which queued", queued)


async def _ask_for(port: int, seconds: float, rate: int) -> list[tuple[float, str]]:
    """Which release answered, for requests by the time at which they were started."""
    answers: list[tuple[float, str]] = []
    pool: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def one() -> None:
        began = time.time()
        try:
            pair = pool.pop() if pool else await asyncio.open_connection("127.0.0.1", port)
            reader, writer = pair
            writer.write(b"GET /release HTTP/1.1\r\nHost: shop.example\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head.lower().split(b"\r\n")
            length = next(int(v.split(b":")[1]) for v in lines if v.startswith(b"content-length"))
            body = await reader.readexactly(length)
            status = head.split(b" ")[1]
            answers.append((began, body.decode() if status == b"200" else f"!{status.decode()}"))
            pool.append(pair)
        except (OSError, asyncio.IncompleteReadError):
            answers.append((began, "!none"))

    tasks = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        tasks.append(asyncio.create_task(one()))
        await asyncio.sleep(1 / rate)
    await asyncio.gather(*tasks)
    for _, writer in pool:
        writer.close()
    return answers


def undos(shop: Service, count: int) -> None:
    """From the order to undo to the last request that was *started* on the bad release."""
    last_started, ordered_to_back, failed, asked = [], [], 0, 0
    for index in range(count):
        shop.commit(f"undo {index}", seed=index, seconds=0.005)
        number = shop.ship()
        shop.until(number, {"rolling_out", "verifying"}, 60)
        time.sleep(1.0)

        async def switch(number: int = number) -> tuple[float, list[tuple[float, str]]]:
            asking = asyncio.create_task(_ask_for(shop.port, 2.5, RATE))
            await asyncio.sleep(1.0)
            ordered = time.time()
            path, body = f"/v1/changes/{number}/undo", {"because": "measured"}
            await asyncio.to_thread(shop.world.post, path, body, BO)
            return ordered, await asking

        ordered, answers = asyncio.run(switch())
        met = [began for began, who in answers if who == str(number)]
        last_started.append(max(0.0, max(met, default=ordered) - ordered))
        failed += sum(who.startswith("!") for _, who in answers)
        asked += len(answers)
        status = shop.until(number, "restored", 60)
        ordered_to_back.append(status["times"]["undo_s"])
        shop.git("reset", "--quiet", "--hard", "HEAD~1")
    row("undo ordered to last request started on it", last_started)
    row("undo decided to share read back as zero", ordered_to_back)
    print(f"{'requests failed by switching there and back':52} {failed} of {asked}")


def detections(shop: Service, count: int, errors: float, name: str) -> None:
    """From first exposure to the verdict *worse*, at a share of a tenth."""
    times, harmed = [], []
    for index in range(count):
        shop.commit(f"{name} {index}", errors=errors, seed=index)
        number = shop.ship()
        status = shop.until(number, "restored", 240)
        times.append(status["times"]["exposed_to_verdict_s"])
        harmed.append(float(status["harmed"]["harmed"]))
        back = shop.git("rev-parse", "HEAD~1")
        shop.git("reset", "--quiet", "--hard", back)
        resume(shop, number)
    row(f"{name}: first exposure to worse", times)
    row(f"{name}: requests harmed", harmed, " ")


def resume(shop: Service, number: int) -> None:
    """A harmless fix opens the lane again: it is shipped as the fix, accepted, and built upon."""
    shop.commit(f"mend {number}", errors=0.01, seed=number + 1000)
    fix = shop.ship(fixes=number)
    shop.until(fix, {"rolling_out", "verifying"}, 120)
    shop.world.post(f"/v1/changes/{fix}/accept", {"because": "only a benchmark"}, BO)
    shop.until(fix, "accepted", 60)


def slots(shop: Service, count: int, name: str, behaviour: dict[str, Any]) -> None:
    """First exposure to *verified* for a harmless change."""
    times = []
    for index in range(count):
        shop.commit(f"{name} {index}", seed=index + 50, **behaviour)
        number = shop.ship()
        status = shop.until(number, "verified", 900)
        times.append(status["times"]["exposed_to_verdict_s"])
    row(f"slot, {name}", times)


def with_service(
    world: World, name: str, behaviour: dict[str, Any], run: Callable[[Service], None]
) -> None:
    """A service of its own under load, watched long enough for phi to be learnt."""
    shop = Service(world, name)
    shop.write_manifest(declared=False)
    shop.commit("as it runs today", **behaviour)
    shop.adopt()
    users = Load(shop.port, RATE)
    try:
        shop.history(200)
        run(shop)
    finally:
        print(f"{'all answers by status':52} {dict(users.end())}")


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exposures", type=int, default=10)
    parser.add_argument("--undos", type=int, default=20)
    parser.add_argument("--detections", type=int, default=5)
    parser.add_argument("--slots", type=int, default=2)
    asked = parser.parse_args()
    print(f"{machine()}; {RATE} requests/s")
    world = World()
    try:
        world.up()

        def usual(shop: Service) -> None:
            exposures(shop, asked.exposures)
            undos(shop, asked.undos)
            slots(shop, asked.slots, "harmless, 1 % errors", {"errors": 0.01})
            detections(shop, asked.detections, 0.2, "a fifth failing")
            detections(shop, asked.detections, 1.0, "all failing")

        with_service(world, "usual", {"errors": 0.01}, usual)

        def calm(shop: Service) -> None:
            slots(shop, asked.slots, "harmless, no errors at all", {"seconds": 0.005})

        with_service(world, "calm", {}, calm)
    finally:
        world.end()


if __name__ == "__main__":
    main()
