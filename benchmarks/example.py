"""The record of one simulated rollout, as Surefoot would keep it: the example of docs/verdicts.md.

    python benchmarks/example.py harmless | surefoot judge - --explain
    python benchmarks/example.py harmful | surefoot judge - --explain

100 requests a second, 1 % of them bad; the harmful change makes it 4 %. The seed is fixed.
"""

import sys
from collections.abc import Iterator
from dataclasses import replace

from simulated import Dice, World, decided, plan_for, second

from surefoot.analysis.judge import Judge
from surefoot.analysis.record import plan_to_json, row_to_json
from surefoot.analysis.ticks import ShareRow

SEED = "docs/verdicts.md"
HARMLESS = World(100, 0.01)
WORLDS = {"harmless": HARMLESS, "harmful": replace(HARMLESS, canary_p=0.04)}


def record(world: World, seed: str = SEED) -> Iterator[str]:
    """Line by line: the plan, fixed beforehand, then each second until there is a verdict."""
    dice = Dice(seed)
    plan = plan_for(world, dice, None)
    yield plan_to_json(plan)
    judge, step, t = Judge(plan), 0, 0
    shares = [ShareRow(0, plan.steps[0])]
    while not decided(judge.reading):
        t += 1
        for row in (*shares, *second(world, dice, t, plan.steps[step])):
            judge.feed(row)
            yield row_to_json(row)
        judge.close_tick()
        shares = []
        if judge.reading.gate and step + 1 < len(plan.steps):
            step += 1
            shares = [ShareRow(t + 0.5, plan.steps[step])]


def main() -> None:
    """Write the record that was asked for."""
    for line in record(WORLDS[sys.argv[1]]):
        print(line)


if __name__ == "__main__":
    main()
