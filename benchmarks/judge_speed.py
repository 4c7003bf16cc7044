"""How many metric-ticks a second the judge takes on one core: `python benchmarks/judge_speed.py`.

A tick is one row: one metric, one arm, one second. T1 is a ratio, T2 a latency with 12 bounds (and
+Inf). The rows are made beforehand, so that the judge alone is timed, by the processor time of this
process; the two take turns, so that a busy machine slows both alike. To reach: 100,000 and 20,000.
"""

import argparse
import os
import platform
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf

from simulated import ERRORS, LATENCY, Dice, World, history_of, second

from surefoot.analysis.history import History
from surefoot.analysis.judge import Judge
from surefoot.analysis.plan import JudgePlan, Rules, plan_from_history
from surefoot.analysis.ticks import LatencyTick, Row, ShareRow

SECONDS = 5000
SHARE = 0.1
OUT_OF_REACH = 1e-300
WORLD = World(200, 0.01)
TWELVE = (0.075, 0.1, 0.12, 0.15, 0.18, 0.2, 0.24, 0.3, 0.36, 0.43, 2.0, 2.4)  # seconds


@dataclass(frozen=True, slots=True)
class Work:
    """A plan, its rows, and the ticks a second to reach."""

    name: str
    plan: JudgePlan
    rows: Sequence[Row]
    goal: int

    def ticks_per_second(self) -> float:
        """Judge all rows once; *verified* is out of reach, so that each tick asks for it."""
        judge = Judge(replace(self.plan, time_limit=2.0 * SECONDS, alpha_ok=OUT_OF_REACH))
        judge.feed(ShareRow(0, SHARE))
        started = time.process_time()
        for row in self.rows:
            judge.feed(row)
        return len(self.rows) / (time.process_time() - started)


def of_twelve(row: LatencyTick) -> LatencyTick:
    """The same answers in 12 buckets and +Inf."""
    return replace(row, le={bound: row.le[bound] for bound in (*TWELVE, inf)})


def ratio_work(dice: Dice) -> Work:
    """T1: errors, gross guard included."""
    world = replace(WORLD, latency=False)
    rows = [row for t in range(1, SECONDS + 1) for row in second(world, dice, t, SHARE)]
    plan = plan_from_history(history_of(world, dice), (ERRORS,), Rules())
    return Work("T1, a ratio", plan, rows, 100_000)


def latency_work(dice: Dice) -> Work:
    """T2: a latency."""
    history = History()
    for t in range(600):
        for row in second(WORLD, dice, t, 0.0):
            if isinstance(row, LatencyTick):
                history.feed(of_twelve(row))
    every = (row for t in range(1, SECONDS + 1) for row in second(WORLD, dice, t, SHARE))
    rows = [of_twelve(row) for row in every if isinstance(row, LatencyTick)]
    plan = plan_from_history(history, (LATENCY,), Rules())
    judged = len(plan.metrics[0].bounds)
    return Work(f"T2, a latency of 12 bounds ({judged} judged)", plan, rows, 20_000)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=11, help="times that each is measured")
    told = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    dice = Dice("speed")
    both = (ratio_work(dice), latency_work(dice))
    found: dict[str, list[float]] = {work.name: [] for work in both}
    for _ in range(told.rounds):
        for work in both:
            found[work.name].append(work.ticks_per_second())
    for work in both:
        rates = found[work.name]
        median = statistics.median(rates)
        said = f"median {median:,.0f} ticks/s ({min(rates):,.0f} to {max(rates):,.0f})"
        print(f"{work.name:<42} {said}, to reach {work.goal:,}")


if __name__ == "__main__":
    main()
