"""Figures of whole rollouts on real parts: git, Envoy, processes, load over loopback.

    python benchmarks/rollouts.py --exposures 10 --undos 100 --slots 6 --detections 20
    python benchmarks/rollouts.py --faults 20 --slower 5

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
from collections import Counter
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
    """One figure: median, nine in ten, 99 in 100, most."""
    ordered = sorted(values)
    if not ordered:
        return
    nine, ninety_nine = (ordered[min(len(ordered) - 1, int(q * len(ordered)))] for q in (0.9, 0.99))
    print(
        f"{name:52} n={len(ordered):3}  median {statistics.median(ordered):8.3f} {unit}"
        f"  p90 {nine:8.3f}  p99 {ninety_nine:8.3f}  max {ordered[-1]:8.3f}",
        flush=True,
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
    if not count:
        return
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


def detections(shop: Service, count: int, name: str, behaviour: dict[str, Any]) -> None:
    """What becomes of changes that behave so: from first exposure, at a share of a tenth."""
    times, harmed, ends = [], [], Counter[str]()
    for index in range(count):
        shop.commit(f"{name} {index}", **{"seed": index, **behaviour})
        number = shop.ship()
        status = shop.until(number, {"restored", "verified"}, 960)
        ends[f"{status['phase']} {status['worse'] or ''}".strip()] += 1
        if status["phase"] == "restored":
            times.append(status["times"]["exposed_to_verdict_s"])
            harmed.append(float(status["harmed"]["harmed"]))
        go_on(shop, number)
    row(f"{name}: first exposure to worse", times)
    row(f"{name}: requests harmed", harmed, " ")
    if ends:
        print(f"{name + ': ended as':52} {dict(ends)}", flush=True)


def go_on(shop: Service, number: int) -> None:
    """Back to the release before this one, with the lane open again."""
    if shop.change(number)["phase"] == "verified":
        shop.world.post(f"/v1/services/{shop.name}/undo", {"because": "measured"}, BO)
        shop.until(number, "restored", 60)
    shop.git("reset", "--quiet", "--hard", "HEAD~1")
    shop.world.post(f"/v1/services/{shop.name}/resume", {"because": "measured"}, BO)


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
    world: World,
    name: str,
    behaviour: dict[str, Any],
    measure: Callable[[Service, argparse.Namespace], None],
    asked: argparse.Namespace,
) -> None:
    """A service of its own under load, watched long enough for phi to be learnt."""
    shop = Service(world, name)
    shop.write_manifest(declared=False)
    shop.commit("as it runs today", **behaviour)
    shop.adopt()
    users = Load(shop.port, RATE)
    try:
        shop.history(200)
        measure(shop, asked)
    finally:
        print(f"{'all answers by status':52} {dict(users.end())}")


def usual(shop: Service, asked: argparse.Namespace) -> None:
    """A service that answers one request in a hundred with an error."""
    exposures(shop, asked.exposures)
    undos(shop, asked.undos)
    slots(shop, asked.slots, "harmless, 1 % errors", {"errors": 0.01})
    detections(shop, asked.detections, "a fifth failing", {"errors": 0.2})
    detections(shop, asked.detections, "all failing", {"errors": 1.0})


def calm(shop: Service, asked: argparse.Namespace) -> None:
    """A service without errors, and changes that do not answer at all, or end."""
    slots(shop, asked.slots, "harmless, no errors at all", {})
    detections(shop, asked.faults, "hangs", {"hangs": "all"})
    detections(shop, asked.faults, "hangs, its health path answers", {"hangs": "users"})
    detections(shop, asked.faults, "kills itself after 3 s", {"die_after_s": 3})
    detections(shop, asked.faults, "keeps 20 MB a request", {"leak_mb": 20})


def slow(shop: Service, asked: argparse.Namespace) -> None:
    """A service of 40 ms, and changes that take longer."""
    for percent in (25, 10):
        seconds = round(0.04 * (1 + percent / 100), 6)
        behaviour = {"seconds": seconds, "spread": 0.1}
        detections(shop, asked.slower, f"{percent} % slower", behaviour)


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exposures", type=int, default=0)
    parser.add_argument("--undos", type=int, default=0)
    parser.add_argument("--slots", type=int, default=0)
    parser.add_argument("--detections", type=int, default=0)
    parser.add_argument("--faults", type=int, default=0)
    parser.add_argument("--slower", type=int, default=0)
    asked = parser.parse_args()
    if not any(vars(asked).values()):
        parser.error("say what to measure, for example --undos 20")
    print(f"{machine()}; {RATE} requests/s")
    world = World()
    try:
        world.up()
        if asked.exposures + asked.undos + asked.slots + asked.detections:
            with_service(world, "usual", {"errors": 0.01}, usual, asked)
        if asked.slots + asked.faults:
            with_service(world, "calm", {}, calm, asked)
        if asked.slower:
            with_service(world, "slow", {"seconds": 0.04, "spread": 0.1}, slow, asked)
    finally:
        world.end()


if __name__ == "__main__":
    main()
