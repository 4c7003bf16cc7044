"""Which worlds are simulated: a grid of harms, the same without harm, and the stresses."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from verdicts import information_bound

from rivals.worlds import World

RATES = (0.001, 0.01)
SHARES = (0.01, 0.1, 0.5)
REQUESTS = (10, 100, 1000)
HALF_BROKEN = 0.5
WATCH = 4 * 3600
STRESS_WATCH = 2 * 3600

Kind = Literal["harm", "null", "stress", "late"]


@dataclass(frozen=True, slots=True)
class Cell:
    """A world and how to read it: in a "null" and a "stress" every BAD is wrong."""

    kind: Kind
    name: str
    world: World

    @property
    def bound(self) -> float:
        """Seconds that any test of level 1 % needs on average to see the harm."""
        world = self.world
        harmed = world.canary_p if world.canary_p is not None else world.p
        return information_bound(world.p, harmed, world.steps[0], world.rps)

    @property
    def healthy(self) -> World:
        """The same world without harm."""
        return replace(self.world, canary_p=None)


def grid(requests: Sequence[int] = REQUESTS) -> list[Cell]:
    """Two error rates, three harms, three shares, three rates of requests; and without harm."""
    found = []
    for p in RATES:
        harms = {"2x": 2 * p, "5x": 5 * p, "half broken": HALF_BROKEN}
        for share in SHARES:
            for rps in requests:
                healthy = World(rps, p, ((0, share),), WATCH)
                found.append(Cell("null", _place(healthy), healthy))
                for harm, canary_p in harms.items():
                    world = replace(healthy, canary_p=canary_p)
                    found.append(Cell("harm", f"{_place(world)}, {harm}", world))
    return found


def _place(world: World) -> str:
    return f"{world.p:.1%}, share {world.steps[0]:.0%}, {world.rps:g}/s"


def stresses() -> list[Cell]:
    """What breaks tests, at 100 requests/s, 1 % errors, a tenth of the traffic, for two hours."""
    calm = World(100, 0.01, ((0, 0.1),), STRESS_WATCH)
    ramp = ((0, 0.05), (2400, 0.2), (4800, 0.5))
    cells = [
        Cell("stress", "steady", calm),
        Cell("stress", "ramp, drift and shocks", replace(calm, shares=ramp, drifts=True)),
        Cell("stress", "bursts of 5", replace(calm, bursts=True)),
        Cell("stress", "slow noise, share 10%", replace(calm, noise=0.3)),
        Cell("stress", "slow noise, share 50%", replace(calm, noise=0.3, shares=((0, 0.5),))),
        Cell("stress", "cold start, 60 s of 5x", replace(calm, canary_p=0.05, harm_until=60)),
    ]
    cells += [
        Cell("late", f"3x from minute {m}", replace(calm, canary_p=0.03, harm_from=60 * m))
        for m in (0, 30, 90)
    ]
    return [
        *cells,
        Cell("late", "3x at once, in bursts", replace(calm, canary_p=0.03, bursts=True)),
    ]
