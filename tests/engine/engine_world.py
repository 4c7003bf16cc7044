"""A whole installation in memory: one home, its production, and daemons that come and go."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from surefoot.domain.change import Change, Intent, Person
from surefoot.domain.lifecycle import EXPOSED, FINAL, LIVE, Phase
from surefoot.engine.control import Health, ShipOrder
from surefoot.engine.desk import Desk
from surefoot.engine.driver import Driver
from surefoot.engine.run import Outside, ServiceRun
from surefoot.engine.status import ChangeStatus
from surefoot.engine.waking import wake_up
from surefoot.ports import Entry
from surefoot.testing import (
    Behaviour,
    MemoryChecks,
    MemoryKeeper,
    MemoryNotifier,
    MemoryPrograms,
    MemoryScm,
    MemoryStore,
    MemoryTarget,
    MemoryTraffic,
    Production,
    SimulatedTelemetry,
    VirtualClock,
)

ANA = Person("Ana", "ana@example.org")
BO = Person("Bo", "bo@example.org")
CY = Person("Cy", "cy@example.org")
LEASE_S = 10.0
SETTLED = {*FINAL, *LIVE}


@dataclass(slots=True)
class Daemon:
    """One control plane: it ends, and what stands on the ports goes on."""

    driver: Driver
    desk: Desk
    telemetry: SimulatedTelemetry


def manifest(service: str, port: int, more: str = "") -> str:
    """A manifest; `more` is added behind it."""
    return f"""
[service]
name = "{service}"
listen = "127.0.0.1:{port}"

[release]
run = ["serve"]
build = ["build"]
health = "/healthz"
metrics = "/metrics"

[checks.unit]
run = ["unit"]

{more}
"""


NO_REVIEW = '[team]\nreview = "off"\n'
OWN = """
[metrics.checkout_errors]
kind = "ratio"
bad = 'checkout_total{outcome="error"}'
total = 'checkout_total'
"""


class World:
    """The installation, and what its people do. Time passes only through `live` and `until`."""

    def __init__(self, home: Path, seed: int = 7) -> None:
        home.mkdir(parents=True)
        self.home = home
        self.clock = VirtualClock()
        self.dice = Random(seed)
        self.production = Production(self.clock, self.dice.random)
        self.store = MemoryStore(self.clock)
        self.scm = MemoryScm(self.clock)
        self.checks = MemoryChecks(self.clock)
        self.programs = MemoryPrograms(self.clock)
        self.notifier = MemoryNotifier(self.clock)
        self.target = MemoryTarget(self.production, self.clock)
        self.keeper = MemoryKeeper(self.production, self.clock)
        self.tips: dict[str, str] = {}
        self.daemon: Daemon | None = None

    # --- the control plane ---------------------------------------------------------------------

    async def up(self) -> None:
        """A daemon starts over what is there."""
        epoch = await self.store.next_epoch()
        telemetry = SimulatedTelemetry(self.production, self.clock)
        traffic = MemoryTraffic(self.keeper, self.clock, epoch)
        outside = Outside(
            clock=self.clock,
            store=self.store,
            scm=self.scm,
            checks=self.checks,
            programs=self.programs,
            target=self.target,
            traffic=traffic,
            telemetry=telemetry,
            notifier=self.notifier,
        )
        heard: list[Desk] = []

        def hear(entry: Entry) -> None:
            for desk in heard:
                desk.hear(entry)

        driver = Driver(outside, self.home, hear)
        desk = Desk(driver, Health("test", 1, epoch, str(self.home)), lambda: None)
        heard.append(desk)
        await traffic.start()
        await wake_up(driver)
        self.daemon = Daemon(driver, desk, telemetry)

    async def end(self) -> None:
        """The daemon is gone from one moment to the next; nothing is given back by it."""
        if self.daemon:
            await self.daemon.driver.stop()
        self.daemon = None

    @property
    def desk(self) -> Desk:
        assert self.daemon
        return self.daemon.desk

    def run(self, service: str = "shop") -> ServiceRun:
        assert self.daemon
        return self.daemon.driver.runs[service]

    # --- people --------------------------------------------------------------------------------

    async def open(
        self,
        service: str = "shop",
        *,
        per_s: float = 200.0,
        more: str = NO_REVIEW,
        port: int = 8080,
    ) -> None:
        """A service with a live release that has been watched for two minutes."""
        text = manifest(service, port, more)
        first = self.scm.commit(service, "first", {"app.py": "1\n"}, by=ANA)
        described = {"surefoot.toml": text}
        self.tips[service] = self.scm.commit(service, "describe it", described, by=ANA, on=first)
        await self.desk.register(service, "", text, ANA)
        order = ShipOrder(service, self.tips[service], Intent("first"), adopt=True)
        await self.desk.ship(order, ANA)
        await self.until(lambda: self.change(0, service).phase is Phase.ADOPTED, within=60)
        self.production.ask(service, per_s)
        await self.live(120)

    def commit(
        self,
        subject: str,
        *,
        service: str = "shop",
        by: Person = ANA,
        on: str | None = None,
        files: dict[str, str] | None = None,
        trailers: tuple[tuple[str, str], ...] = (),
    ) -> str:
        """A commit on the tip of a service, which becomes its tip."""
        files = files or {"app.py": f"{subject}\n"}
        tip = self.scm.commit(
            service, subject, files, by=by, on=on or self.tips[service], trailers=trailers
        )
        self.tips[service] = tip
        return tip

    async def ship(
        self,
        subject: str = "a change",
        behaviour: Behaviour | None = None,
        *,
        service: str = "shop",
        fixes: int | None = None,
        again: int | None = None,
        by: Person = ANA,
        revision: str | None = None,
        forward_only: bool = False,
    ) -> int:
        """Commit something that behaves so, and ship it; returns its number."""
        if again is not None:
            revision = self.change(again, service).revision
        revision = revision or self.commit(subject, service=service, by=by)
        intent = Intent(subject, fixes=fixes, again=again, forward_only=forward_only)
        order = ShipOrder(service, revision, intent, adopt=False)
        status = await self.desk.ship(order, by)
        if behaviour:
            self.production.behave(service, status.number, behaviour)
        return status.number

    async def undo(self, number: int, by: Person = BO) -> ChangeStatus:
        """An order to undo."""
        return await self.desk.undo(number, by, "looks odd")

    # --- time ----------------------------------------------------------------------------------

    async def live(self, seconds: float) -> None:
        """Let time pass; what must always be true is looked at in every second."""
        until = self.clock.boottime() + seconds
        while self.clock.boottime() < until:
            await self.clock.sleep(min(1.0, until - self.clock.boottime()))
            self.check()

    async def until(self, holds: Callable[[], bool], *, within: float) -> float:
        """Let time pass until something holds; returns the seconds. Fails when it never does."""
        began = self.clock.boottime()
        while not holds():
            waited = self.clock.boottime() - began
            assert waited <= within, f"not within {within} s: {self.told()}"
            await self.live(0.5)
        return self.clock.boottime() - began

    async def until_phase(self, number: int, *phases: Phase, within: float) -> float:
        """Let time pass until a change is in one of these phases."""
        return await self.until(lambda: self.change(number).phase in phases, within=within)

    async def until_settled(self, number: int, within: float = 1200.0) -> Change:
        """Let time pass until a change is over or live."""
        await self.until_phase(number, *SETTLED, within=within)
        return self.change(number)

    # --- what is true --------------------------------------------------------------------------

    def change(self, number: int, service: str | None = None) -> Change:
        """A change as the daemon has it."""
        assert self.daemon
        found = [
            run.changes[number]
            for run in self.daemon.driver.runs.values()
            if number in run.changes and service in {None, run.name}
        ]
        assert len(found) == 1, f"{len(found)} changes {number}"
        return found[0]

    def share(self, number: int, service: str = "shop") -> float:
        """The part of the users that meet a change at this moment."""
        routes = self.keeper.routes(service)
        if routes is None:
            return 0.0
        if routes.candidate == number:
            return routes.share
        return 1.0 - routes.share if routes.live == number else 0.0

    async def ledger(self, number: int, service: str = "shop") -> list[Entry]:
        """The ledger of one change."""
        return list(await self.store.entries(0, 10_000, service, number))

    def told(self) -> str:
        """Every change in a line, for a failing test's message."""
        if self.daemon is None:
            return "no daemon"
        return "; ".join(
            f"{change.service} {change.number} {change.phase}: {change.because}"
            for run in self.daemon.driver.runs.values()
            for change in run.changes.values()
        )

    def check(self) -> None:
        """What must be true in every second."""
        for service in self.tips:
            self._check_service(service)

    def _check_service(self, service: str) -> None:
        kept = {key[1]: one for key, one in self.store._changes.items() if key[0] == service}
        climbing = {Phase.ROLLING_OUT, Phase.VERIFYING}
        exposed = [number for number, one in kept.items() if one.phase in climbing]
        assert len(exposed) <= 1, f"the lane of {service} is held twice: {exposed}"
        routes = self.keeper.routes(service)
        if routes is None or not routes.share:
            return
        assert routes.candidate is not None
        assert routes.candidate == routes.change
        left = self.keeper.lease_left(service)
        assert left is not None
        assert 0 < left <= LEASE_S
        phase = kept[routes.candidate].phase
        assert phase in EXPOSED | LIVE, (
            f"users meet {routes.candidate} of {service}, which is {phase}"
        )
