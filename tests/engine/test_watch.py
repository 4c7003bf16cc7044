"""The one-second watch of a service: what it takes from a look, and to where."""

import random
from pathlib import Path

from surefoot.analysis.history import Source
from surefoot.analysis.ticks import Arm, RatioTick
from surefoot.engine.watch import Watch
from surefoot.ports import Metered


def look(dice: random.Random, second: int) -> Metered:
    """A live release of two instances, one of which fails twice as often as the other."""
    halves = tuple(
        RatioTick(second, "errors", arm, sum(dice.random() < p for _ in range(100)), 100)
        for arm, p in ((Arm.CANARY, 0.2), (Arm.BASELINE, 0.1))
    )
    both = RatioTick(second, "errors", Arm.BASELINE, sum(one.bad for one in halves), 200)
    return Metered((both,), halves=halves, baseline_answered=200)


def test_instances_of_the_live_release_teach_how_much_its_figures_scatter(tmp_path: Path):
    """What they differ by is noise, of which their sum tells nothing."""
    dice, watch = random.Random(5), Watch(tmp_path)
    for second in range(200):
        watch.feed(look(dice, second), (), float(second))
    assert watch.history.learnt_from("errors") is Source.INSTANCES
    assert watch.history.phi("errors") > 5
