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
from collections.abc import Iterator
from dataclasses import replace
from math import inf
from pathlib import Path

from surefoot.adapters.store import SqliteStore
from surefoot.analysis.history import History
from surefoot.analysis.plan import JudgePlan, MetricPlan, Rules, plan_from_history
from surefoot.analysis.ticks import Arm, LatencyTick, RatioTick, Row
from surefoot.domain.change import Change
from surefoot.domain.lane import lane_of
from surefoot.domain.lifecycle import Phase
from surefoot.engine.watch import Watch
from surefoot.ports import Metered, NewEntry, Saved
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


async def ledger(length: int) -> None:
    """What a ledger of so many changes costs: at the start of a daemon, and for who asks."""
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder) / "ledger.db")
        await store.open()
        for first in range(1, length + 1, 1000):
            numbers = range(first, min(first + 1000, length + 1))
            changes = tuple(settled(number) for number in numbers)
            entries = tuple(
                NewEntry(float(number), "shop", number, kind, f"{number} is {kind}.")
                for number in numbers
                for kind in ("proposed", "getting_ready", "queued", "rolling_out", "verified")
            )
            await store.save(Saved(changes=changes, entries=entries))
        size = (Path(folder) / "ledger.db").stat().st_size / length
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.process_time()
        known = await store.changes("shop")
        read = time.process_time() - began
        memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        began = time.process_time()
        lane = lane_of("shop", known, None)
        lane_s = time.process_time() - began
        began = time.process_time()
        told = 0
        for number in random.Random(1).sample(range(1, length + 1), 100):
            told += len(await store.entries(0, 100, "shop", number))
        story = (time.process_time() - began) / 100
        await store.close()
    print(
        f"{len(known):,} changes, {told // 100} entries each, {size:,.0f} bytes a change: read at "
        f"the start in {read:.1f} s ({memory:.0f} MB); the lane in {lane_s * 1e3:.0f} ms, on "
        f"{lane.live and lane.live.number}; the story of one in {story * 1e3:.1f} ms"
    )


def settled(number: int) -> Change:
    """A change of the past."""
    phase = Phase.RESTORED if number % 10 == 0 else Phase.VERIFIED
    change: Change = a_change(number, phase)
    return replace(change, stamps=replace(change.stamps, live_at=float(number)))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else "")
    parser.add_argument("--rollouts", type=int, default=200)
    parser.add_argument("--queue", type=int, default=10_000)
    parser.add_argument("--ledger", type=int, default=100_000)
    asked = parser.parse_args()
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores")
    watching(asked.rollouts, 20)
    asyncio.run(ledger(asked.ledger))
    loop = VirtualLoop()
    loop.run_until_complete(queue(asked.queue))
    loop.close()


if __name__ == "__main__":
    main()
