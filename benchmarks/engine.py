"""What the engine costs: watched rollouts, a long queue, a long ledger.

    python benchmarks/engine.py

Processor time of one core, whatever else the machine does. Watching goes through the same code as
in a daemon, the evidence file included; the queue is that of a real engine on in-memory ports, in
virtual time; the ledger is a real SQLite file.
"""

import argparse
import asyncio
import os
import platform
import random
import resource
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from math import inf
from multiprocessing import get_context
from pathlib import Path

from surefoot.adapters.store import SqliteStore
from surefoot.analysis.history import History
from surefoot.analysis.plan import JudgePlan, MetricPlan, Rules, plan_from_history
from surefoot.analysis.ticks import Arm, LatencyTick, RatioTick, Row
from surefoot.domain.change import Change
from surefoot.domain.lifecycle import Phase
from surefoot.domain.retention import that_matter
from surefoot.engine.watch import Watch
from surefoot.ports import LogQuery, Metered, NewEntry, Saved
from surefoot.testing import VirtualLoop

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "engine"))
sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "domain"))

from engine_world import BO, World
from people import a_change

BOUNDS = (0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, inf)
METRICS = (
    MetricPlan("errors", "ratio", group="errors"),
    MetricPlan("latency", "latency", group="latency"),
    *(MetricPlan(f"own_{index}", "ratio") for index in range(8)),
)


def second(dice: random.Random, t: float) -> Iterator[Row]:
    """What both arms of one service did in a second: ten metrics."""
    for arm, asked in ((Arm.CANARY, 20), (Arm.BASELINE, 180)):
        for metric in METRICS:
            if metric.kind == "latency":
                cut = sorted(dice.randrange(asked + 1) for _ in BOUNDS[:-1])
                yield LatencyTick(
                    t, metric.name, arm, dict(zip(BOUNDS, (*cut, asked), strict=True))
                )
            else:
                yield RatioTick(t, metric.name, arm, dice.random() < 0.01 * asked, asked)


def plan(dice: random.Random) -> JudgePlan:
    """A plan from ten minutes of the baseline."""
    history = History()
    for t in range(600):
        for row in second(dice, float(t)):
            if isinstance(row, RatioTick | LatencyTick) and row.arm is Arm.BASELINE:
                history.feed(row)
    return plan_from_history(history, METRICS, Rules(steps=(0.1, 0.5)))


def watching(rollouts: int, seconds: int) -> None:
    """The part of one core that so many rollouts with ten metrics take, once a second."""
    dice = random.Random(1)
    judged = plan(dice)
    with tempfile.TemporaryDirectory() as folder:
        watches = [Watch(Path(folder) / str(index)) for index in range(rollouts)]
        for number, watch in enumerate(watches):
            watch.begin(number, judged, 0.0)
            watch.shared(number, 0.1, 0.0)
        rows = [tuple(second(dice, float(t))) for t in range(1, seconds + 1)]
        began = time.process_time()
        for t, each in enumerate(rows, 1):
            for watch in watches:
                watch.feed(Metered(each, canary_answered=20, baseline_answered=180), (), float(t))
        part = (time.process_time() - began) / seconds
    print(f"{rollouts} rollouts x {len(METRICS)} metrics at 1 Hz: {part:.1%} of one core")


async def queue(length: int) -> None:
    """What a long queue costs, and what it costs to join it."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder) / "home")
        await world.up()
        await world.open()
        await world.desk.hold("shop", BO, "measured")
        joined = 0.0
        for index in range(length):
            began = time.process_time()
            await world.ship(f"change {index}")
            joined = time.process_time() - began
        await world.live(10)
        began = time.process_time()
        run = world.run()
        for _ in range(10):
            await world.daemon.driver.advance(run)
        look = (time.process_time() - began) / 10
        print(
            f"{len(run.lane.waiting):,} changes wait: a look takes {look * 1e3:.0f} ms, "
            f"the last one joined in {joined * 1e3:.0f} ms"
        )
        await world.end()


class LongWorld(World):  # type: ignore[misc]  # the tests' own has no types here
    """An installation whose store is a real file. What is always true is for tests to see to."""

    def keep_in(self, store: SqliteStore) -> None:
        """Use this store from now on."""
        self.store = store

    def check(self) -> None:
        """Look at nothing."""


async def ledger(length: int) -> None:
    """What a ledger of so many changes costs: at the start of a daemon, for each move, and asked.

    Processor time of all threads. A daemon that was upgraded reads everything once, in a process of
    its own here, so that its memory does not count for what comes afterwards.
    """
    with tempfile.TemporaryDirectory() as folder:
        world = LongWorld(Path(folder) / "home")
        store = SqliteStore(Path(folder) / "ledger.db")
        await store.open()
        world.keep_in(store)
        await world.up()
        await world.open()
        first = world.change(0)
        await world.end()
        none = await start(world)
        await world.end()
        for begin in range(1, length + 1, 1000):
            numbers = range(begin, min(begin + 1000, length + 1))
            await store.save(past(first, numbers))
        size = (Path(folder) / "ledger.db").stat().st_size / length
        upgraded = get_context("spawn").Process(target=upgrade, args=(Path(folder) / "ledger.db",))
        upgraded.start()
        upgraded.join()
        before = resident()
        many = await start(world)
        print(
            f"a daemon starts over {length:,} changes ({size:,.0f} bytes each) in {many:.2f} s, "
            f"over none in {none:.2f} s; it holds {len(world.run().changes)} of them, which takes "
            f"{resident() - before:.0f} MB"
        )
        await asked(world, length)
        await world.end()
        await store.close()


def upgrade(path: Path) -> None:
    """What the first start after an upgrade does more: read all, and lay aside what is settled."""
    began = time.process_time()
    asyncio.run(lay_all_aside(path))
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"the first time after an upgrade: {time.process_time() - began:.1f} s, {most:.0f} MB")


async def lay_all_aside(path: Path) -> None:
    """As a daemon does it when its first look is over."""
    store = SqliteStore(path)
    await store.open()
    changes = await store.changes("shop")
    matter = that_matter(changes)
    began = time.perf_counter()
    await store.archive("shop", {one.number for one in changes} - matter)
    took = time.perf_counter() - began
    await store.close()
    print(f"{len(changes) - len(matter):,} changes are laid aside in {took:.1f} s")


def past(first: Change, numbers: range) -> Saved:
    """A thousand settled changes, each tenth of which was restored, and their story."""
    stamps = first.stamps
    changes = []
    for number in numbers:
        at = (stamps.live_at or 0.0) + number / 1e4
        restored = number % 10 == 0
        changes.append(
            replace(
                a_change(number, Phase.RESTORED if restored else Phase.VERIFIED),
                stamps=replace(stamps, live_at=at, given_back_at=at if restored else None),
                revision=first.revision,
                parts=first.parts,
            )
        )
    entries = (
        NewEntry(float(number), "shop", number, kind, f"{number} is {kind}.")
        for number in numbers
        for kind in ("proposed", "getting_ready", "queued", "rolling_out", "verified")
    )
    return Saved(changes=tuple(changes), entries=tuple(entries))


async def start(world: World) -> float:
    """Seconds until a daemon has read what it needs and decided once, put away included."""
    began = time.process_time()
    await world.up()
    await world.clock.sleep(1.0)
    while world.run().jobs:
        await world.clock.sleep(0.1)
    return time.process_time() - began


async def asked(world: World, length: int) -> None:
    """What people ask for, and what a move of a new change costs."""
    numbers = random.Random(1).sample(range(1, length + 1), 50)
    log = await mean(10, lambda _: world.desk.log(LogQuery(limit=50)))
    rare = await mean(3, lambda _: world.desk.log(LogQuery(author="nobody")))
    one = await mean(50, lambda turn: world.desk.change(numbers[turn]))
    story = await mean(50, lambda turn: world.store.entries(0, 100, "shop", numbers[turn]))
    print(
        f"asked of it: the last 50 changes {log * 1e3:.1f} ms, those of an author who wrote none "
        f"{rare * 1e3:.0f} ms, one old change {one * 1e3:.1f} ms, its story {story * 1e3:.1f} ms"
    )
    run = world.run()

    async def move(turn: int) -> None:
        change = replace(a_change(length + 1), step=turn)
        await world.store.save(Saved(changes=(change,)))
        run.changes[change.number] = change
        run.lane.head()
        that_matter(tuple(run.changes.values()))

    print(f"a move: {await mean(50, move) * 1e3:.1f} ms, lane and what is held included")


async def mean(times: int, work: Callable[[int], Awaitable[object]]) -> float:
    """Seconds of processor time, over so many turns of it."""
    began = time.process_time()
    for turn in range(times):
        await work(turn)
    return (time.process_time() - began) / times


def resident() -> float:
    """Megabytes that this process has in memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else "")
    parser.add_argument("--rollouts", type=int, default=200)
    parser.add_argument("--queue", type=int, default=10_000)
    parser.add_argument("--ledger", type=int, default=100_000)
    asked = parser.parse_args()
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores")
    watching(asked.rollouts, 20)
    loop = VirtualLoop()
    loop.run_until_complete(ledger(asked.ledger))
    loop.run_until_complete(queue(asked.queue))
    loop.close()


if __name__ == "__main__":
    main()
