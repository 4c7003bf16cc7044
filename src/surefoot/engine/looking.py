"""Where questions about services and changes are answered, of today's and of any that ever was."""

import asyncio
from collections.abc import Hashable, Sequence

from surefoot.domain.change import Change
from surefoot.domain.errors import NotFound, OutsideFailed
from surefoot.domain.lane import live_until
from surefoot.domain.lifecycle import Phase
from surefoot.engine.driver import Driver
from surefoot.engine.excerpts import COMPARED, diff_status, output_status
from surefoot.engine.memory import known
from surefoot.engine.run import ServiceRun
from surefoot.engine.status import ChangeStatus, DiffStatus, OutputStatus, ServiceStatus
from surefoot.engine.telling import change_status, service_status, slot, waits
from surefoot.ports import LogQuery

__all__ = ["Looker"]

SLOT_KEPT_S = 10.0
Place = tuple[ServiceRun, Change]


class Looker:
    """Answers from what the driver holds; the store is only asked for what that cannot tell."""

    def __init__(self, driver: Driver) -> None:
        """Take the driver."""
        self.driver = driver
        self.outside = driver.outside
        self._slots: dict[Hashable, tuple[float, float]] = {}

    def run(self, name: str) -> ServiceRun:
        """A service by its name. Raises `NotFound`."""
        try:
            return self.driver.runs[name]
        except KeyError:
            raise NotFound(
                f"There is no service '{name}'.", cure="`surefoot status` lists them."
            ) from None

    async def service(self, run: ServiceRun) -> ServiceStatus:
        """Everything a person may ask of a service."""
        return service_status(run, await self._share(run), self.outside.clock.now())

    async def find(self, number: int, service: str | None = None) -> Place:
        """A change and where it belongs. Raises `NotFound`."""
        runs = [self.run(service)] if service else list(self.driver.runs.values())
        found = [(run, run.changes[number]) for run in runs if number in run.changes]
        adopted = number == 0  # the one number that every service may have
        if not found or (adopted and len(found) < len(runs)):
            held = {run.name for run, _ in found}
            asked = self._places(await self.outside.store.find(number, service))
            found += [(run, change) for run, change in asked if run.name not in held]
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(run.name for run, _ in found)
            raise NotFound(
                f"Several services have a {number}: {names}.", cure="Name one with --service."
            )
        raise NotFound(f"There is no change {number}.", cure="`surefoot log` lists them.")

    def _places(self, changes: Sequence[Change]) -> list[Place]:
        runs = self.driver.runs
        return [(runs[one.service], one) for one in changes if one.service in runs]

    async def now(self, run: ServiceRun, change: Change) -> Change:
        """A change as it is at this moment, whatever happened since it was found."""
        return await known(self.outside, run, change.number) or change

    async def log(self, query: LogQuery) -> tuple[ChangeStatus, ...]:
        """Changes, newest first."""
        return await self._statuses(self._places(await self.outside.store.log(query)))

    async def status(self, run: ServiceRun, change: Change) -> ChangeStatus:
        """Everything a person may ask of a change."""
        (status,) = await self._statuses([(run, change)])
        return status

    async def output(self, run: ServiceRun, change: Change) -> OutputStatus:
        """What a change prints, beside its baseline. Thousands of lines, so not in the loop."""
        target, beside = self.outside.target, await self._beside(run, change)
        own = await target.said(run.name, change.number, COMPARED)
        other = () if beside is None else await target.said(run.name, beside, COMPARED)
        return await asyncio.to_thread(output_status, change, beside, own, other)

    async def diff(self, run: ServiceRun, change: Change) -> DiffStatus:
        """What a change alters."""
        base, scm = change.base, self.outside.scm
        patch = await scm.diff(run.name, base, change.revision, run.record.folder)
        return await asyncio.to_thread(diff_status, change, patch)

    async def _beside(self, run: ServiceRun, change: Change) -> int | None:
        """The release that a change is or was compared with: what it stands on, and that runs."""
        lane = run.lane
        if lane.exposed and lane.live and lane.exposed.number == change.number:
            return lane.live.number
        number = change.base_number
        while number is not None:
            base = await known(self.outside, run, number)
            if base is None or base.phase is not Phase.APPLIED:
                break
            number = base.base_number
        return number

    async def _statuses(self, places: Sequence[Place]) -> tuple[ChangeStatus, ...]:
        current = [(run, run.changes.get(change.number, change)) for run, change in places]
        lived = [change for run, change in current if _was_followed(run, change)]
        left = await self.outside.store.live_until(lived) if lived else ()
        until = {(c.service, c.number): at for c, at in zip(lived, left, strict=True)}
        now = self.outside.clock.now()
        return tuple(
            [
                change_status(
                    run,
                    change,
                    await self._share_of(run, change),
                    until.get((change.service, change.number), live_until((), change)),
                    self._slot(run, change, now),
                    now,
                )
                for run, change in current
            ]
        )

    def _slot(self, run: ServiceRun, change: Change, now: float) -> float:
        """How long its exposure will take; a while old, and one for all that are judged alike.

        Pages ask each second, of hundreds that wait, in the loop that also watches.
        """
        if not waits(run, change):
            return 0.0
        plan = change.number if change.number in run.plans else None
        own = run.manifest_of(change.number).metrics
        alike = (run.name, plan, own, change.intent.watch, change.intent.expect)
        known = self._slots.get(alike)
        if known is None or not 0 <= now - known[0] < SLOT_KEPT_S:
            fresh = {key: one for key, one in self._slots.items() if now - one[0] < SLOT_KEPT_S}
            known = now, slot(run, change)
            self._slots = fresh | {alike: known}
        return known[1]

    async def _share_of(self, run: ServiceRun, change: Change) -> float:
        exposed, live = run.lane.exposed, run.lane.live
        if exposed and exposed.number == change.number:
            return await self._share(run)
        if live and live.number == change.number:
            return 1.0 - await self._share(run)
        return 0.0

    async def _share(self, run: ServiceRun) -> float:
        """What the proxy says now; what was last ordered when it does not answer."""
        exposed = run.lane.exposed
        if exposed is None:
            return 0.0
        try:
            routes = (await self.outside.traffic.seen(run.name)).routes
        except OutsideFailed:
            return exposed.steps[exposed.step] if exposed.steps else 0.0
        if routes is None or routes.candidate != exposed.number:
            return 1.0 if routes and routes.live == exposed.number else 0.0
        return routes.share


def _was_followed(run: ServiceRun, change: Change) -> bool:
    """Whether users went on to a later one: when that was only the store may know."""
    stamps, live = change.stamps, run.lane.live
    served = stamps.live_at is not None and stamps.left_at is None
    return served and not (live and live.number == change.number)
