"""The record of one simulated rollout, as Surefoot would keep it: the example of docs/verdicts.md.

    python benchmarks/example.py harmless | surefoot judge - --explain
    python benchmarks/example.py harmful | surefoot judge - --explain

100 requests a second, 1 % of them bad; the harmful change makes it 4 %. The seed is fixed.
"""

import sys
from dataclasses import replace

from simulated import Dice, World, decided, plan_for, watch

from surefoot.analysis.record import plan_to_json, row_to_json
from surefoot.analysis.ticks import Row

SEED = "docs/verdicts.md"
HARMLESS = World(100, 0.01)
WORLDS = {"harmless": HARMLESS, "harmful": replace(HARMLESS, canary_p=0.04)}


def record(world: World, seed: str = SEED) -> list[str]:
    """Line by line: the plan, fixed beforehand, then each second until there is a verdict."""
    dice = Dice(seed)
    plan = plan_for(world, dice, None)
    told: list[Row] = []
    for reading, _ in watch(world, dice, plan, told=told):
        if decided(reading):
            break
    return [plan_to_json(plan), *map(row_to_json, told)]


def main() -> None:
    """Write the record that was asked for."""
    for line in record(WORLDS[sys.argv[1]]):
        print(line)


if __name__ == "__main__":
    main()
