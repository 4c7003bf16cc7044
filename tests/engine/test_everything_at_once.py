"""Any faults at any moments, three services, twelve changes: every promise holds afterwards."""

from random import Random

import pytest
from engine_world import BO, SETTLED, World

from surefoot.domain.errors import SurefootError
from surefoot.domain.lifecycle import EXPOSED, TABLE, UNEXPOSED, Phase
from surefoot.testing import Behaviour

SERVICES = ("shop", "desk", "mail")
CHANGES = 12
ORDERS = ("route", "give_back", "renew", "seen", "serve")


class Chaos:
    """Who does something to the world every few seconds, as the dice fall."""

    def __init__(self, world: World, dice: Random) -> None:
        self.world = world
        self.dice = dice
        self.shipped: dict[int, str] = {}

    async def act(self) -> None:
        """Any one thing that can go wrong, or that a person may do."""
        things = [
            self.kill,
            self.lock_store,
            self.fail_keeper,
            self.blind,
            self.step_clock,
            self.die,
            self.undo,
            self.hold,
        ]
        await self.dice.choice(things)()

    async def kill(self) -> None:
        """kill -9 of the daemon, and another one after a while."""
        await self.world.end()
        await self.world.live(self.dice.choice([0.0, 0.5, 3.0, 12.0]))
        self.world.store.faults.heal()
        self.world.keeper.faults.heal()
        await self.world.up()

    async def lock_store(self) -> None:
        """Nothing can be written down for a while."""
        self.world.store.faults.fail_for(self.dice.uniform(0, 60), "save")

    async def fail_keeper(self) -> None:
        """The keeper or the proxy is away for a moment."""
        self.world.keeper.faults.fail_for(self.dice.uniform(0, 8), self.dice.choice(ORDERS))

    async def blind(self) -> None:
        """Nothing is known of anything for a while."""
        telemetry = self.world.daemon.telemetry
        telemetry.unknown = True
        await self.world.live(self.dice.uniform(0, 40))
        telemetry.unknown = False

    async def step_clock(self) -> None:
        """Somebody sets the host's clock."""
        self.world.clock.set_wall(self.dice.uniform(-300, 300))

    async def die(self) -> None:
        """A release is killed; its supervisor brings it back."""
        service = self.dice.choice(SERVICES)
        running = await self.world.target.running(service)
        self.world.target.die(service, self.dice.choice(running))

    async def undo(self) -> None:
        """Somebody has second thoughts."""
        if self.shipped:
            await self.world.undo(self.dice.choice(list(self.shipped)))

    async def hold(self) -> None:
        """Somebody wants to look first."""
        service = self.dice.choice(SERVICES)
        await self.world.desk.hold(service, BO, "a look at it")
        await self.world.live(self.dice.uniform(0, 20))
        await self.world.desk.resume(service, BO, "seen")

    async def ship(self) -> None:
        """The next change of each service whose last one has ended."""
        for service in SERVICES:
            run = self.world.run(service)
            waits = [one for one in run.changes.values() if one.phase in UNEXPOSED | EXPOSED]
            if len(waits) > 1 or len(self.shipped) >= CHANGES:
                continue
            bad = self.dice.random() < 0.25
            fixes = run.lane.harmful[-1].number if run.lane.harmful else None
            behaviour = Behaviour(errors=0.3) if bad else None
            number = await self.world.ship("more", behaviour, service=service, fixes=fixes)
            self.shipped[number] = service


@pytest.mark.parametrize("seed", range(2))
async def test_any_faults_at_any_moments(world: World, seed: int):
    """Looked at in every second by the world itself, and at the end over the whole ledger."""
    dice = Random(seed)
    for port, service in enumerate(SERVICES, 8080):
        await world.open(service, port=port, per_s=60)
    chaos = Chaos(world, dice)
    while len(chaos.shipped) < CHANGES:
        for thing in (chaos.ship, chaos.act):
            try:
                await thing()
            except SurefootError:  # a refusal, or what it needs is away: somebody tries again
                continue
        await world.live(dice.uniform(0, 15))
    world.store.faults.heal()
    world.keeper.faults.heal()
    await world.live(600)
    for number, service in chaos.shipped.items():
        change = world.change(number)
        assert change.phase in SETTLED or change.wait, world.told()
        kept = world.store._changes[service, number]
        assert (kept.phase, kept.stamps) == (change.phase, change.stamps)
        await follows(world, number, service)


async def follows(world: World, number: int, service: str) -> None:
    """The ledger has each move of a change, and each is legal."""
    phase = Phase.PROPOSED
    for entry in await world.ledger(number, service):
        if "to" in entry.data:
            assert entry.data["from"] == phase, f"{number}: {entry}"
            assert entry.data["to"] in TABLE[phase].values(), f"{number}: {entry}"
            phase = entry.data["to"]
    assert phase == world.change(number).phase
