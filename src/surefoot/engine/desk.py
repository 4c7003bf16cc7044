"""Where orders arrive: undo, ship, accept, approve and the rest, each with the person behind it.

An order is written down with the state that it changes, in one transaction, and wakes the driver.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from surefoot.config.manifest import parse_manifest
from surefoot.domain.change import (
    Approval,
    Change,
    Order,
    PartOf,
    PartState,
    Person,
    WaitCause,
)
from surefoot.domain.errors import NotAllowed, NotFound, OutsideFailed, Refused
from surefoot.domain.lifecycle import EXPOSED, FINAL, LIVE, UNEXPOSED, Phase
from surefoot.domain.manifest import Address
from surefoot.domain.text import span, without_password
from surefoot.engine.answers import Answers
from surefoot.engine.control import Health, ShipOrder
from surefoot.engine.drill import order_of
from surefoot.engine.driver import Driver
from surefoot.engine.memory import known
from surefoot.engine.planning import plan_for
from surefoot.engine.run import ServiceRun
from surefoot.engine.shipping import Proposal, propose, refuse_distant_upstream, refuse_drill
from surefoot.engine.status import (
    ChangeStatus,
    PlanStatus,
    ServiceStatus,
)
from surefoot.engine.telling import (
    commits_of,
    in_short,
    in_words,
    size_of,
    way_back,
)
from surefoot.engine.watch import Watch
from surefoot.ports import NewEntry, Saved, ServiceRecord

__all__ = ["Desk"]

JUST_RESTORED_S = 60.0


@dataclass(frozen=True, slots=True)
class _Move:
    """A change as an order left it, and the order in words."""

    change: Change
    kind: str
    says: str


class Desk(Answers):
    """Implements `Control` on top of the driver."""

    def __init__(self, driver: Driver, health: Health, stop: Callable[[], None]) -> None:
        """Take the driver, who we are, and what ends the daemon."""
        super().__init__(driver, health)
        self._stop = stop
        self.ends_all = False

    # --- services ------------------------------------------------------------------------------

    async def register(self, source: str, folder: str, manifest: str, by: Person) -> ServiceStatus:
        """Know a service by its manifest's text and its source; again is the same."""
        parsed = parse_manifest(manifest, place="surefoot.toml", folder=folder)
        refuse_distant_upstream(parsed)
        async with self.driver.numbering:
            run = self.driver.runs.get(parsed.name)
            if run is None:
                run = await self._add_service(source, folder, manifest, by)
            elif run.record.source != source:
                await self._move_source(run, source, by)
        return await self.look.service(run)

    async def _move_source(self, run: ServiceRun, source: str, by: Person) -> None:
        """The same service from another place; its history is checked by every `ship`."""
        await self.outside.scm.init(run.name, source)
        async with run.turn:
            record = replace(run.record, source=source)
            says = f"{run.name} comes from {without_password(source)} now."
            await self._write_record(run, record, "service", says, by)

    async def _add_service(self, source: str, folder: str, manifest: str, by: Person) -> ServiceRun:
        parsed = parse_manifest(manifest, place="surefoot.toml", folder=folder)
        for other in self.driver.runs.values():
            if other.manifest.listen == parsed.listen:
                raise Refused(
                    f"{other.name} already listens on {parsed.listen}.",
                    cure="Give this service another `listen` in surefoot.toml.",
                )
        await self.outside.scm.init(parsed.name, source)
        record = ServiceRecord(parsed.name, source, folder, manifest)
        says = f"{parsed.name} is known, from {without_password(source)}."
        await self.driver.save(
            Saved(
                services=(record,), entries=(self._entry(record.name, None, "service", says, by),)
            )
        )
        run = ServiceRun(record, parsed, Watch(self.evidence_folder(parsed.name)))
        self.driver.add(run)
        return run

    def evidence_folder(self, service: str) -> Path:
        """Where the evidence of a service's changes is kept."""
        return self.driver.home / "services" / service / "evidence"

    # --- shipping ------------------------------------------------------------------------------

    async def plan(self, order: ShipOrder, by: Person) -> PlanStatus:
        """What `ship` would do. Changes nothing. Raises `Refused` as `ship` would."""
        run = self.look.run(order.service)
        proposal = await self._proposed(run, order, by, await self._next_number())
        change, manifest = proposal.change, proposal.manifest
        plan = plan_for(run, change, manifest)
        reviewers = [str(one) for one in manifest.members if change.may_approve(one)]
        return PlanStatus(
            service=run.name,
            revision=change.revision,
            base=change.base,
            base_number=change.base_number,
            size=size_of(change),
            files=change.diff.files,
            commits=commits_of(change),
            checks=tuple(check.name for check in manifest.checks),
            review=manifest.review.value,
            reviewers=tuple(reviewers),
            metrics=tuple(metric.name for metric in plan.metrics if metric.required),
            steps=plan.steps,
            forecast=in_words(plan),
            undo=way_back(run.lane, change),
            position=1 + sum(not one.placebo for one in run.lane.waiting),
            warnings=proposal.warnings,
        )

    async def ship(self, order: ShipOrder, by: Person) -> ChangeStatus:
        """Take a change on its way. Raises `Refused` with the cure."""
        run = self.look.run(order.service)
        async with run.shipping:  # a remote that does not answer holds up its own service alone
            proposal = await self._proposed(run, order, by, 0)
            async with self.driver.numbering:
                first = order.adopt and await known(self.outside, run, 0) is None
                number = 0 if first else await self._next_number()
                change = replace(proposal.change, number=number)
                says = f"{by.name} ships {in_short(change)}"
                async with run.turn:
                    run.manifests[number], run.texts[number] = proposal.manifest, proposal.text
                    also = self._taken_along(run, change, proposal.carried, by)
                    await self._write_all(run, (_Move(change, "proposed", says), *also), by)
        return await self.look.status(run, change)

    async def _proposed(
        self, run: ServiceRun, order: ShipOrder, by: Person, number: int
    ) -> Proposal:
        """What may be shipped. Raises `Refused` for all that may not be."""
        _not_parked(run)
        proposal = await propose(run, order, by, number, self.outside)
        if run.lane.live is None:
            await self._refuse_taken(proposal.manifest.listen)
        return proposal

    def _taken_along(
        self, run: ServiceRun, change: Change, carried: tuple[Change, ...], by: Person
    ) -> Iterator[_Move]:
        """What a fix carries shares its outcome; what it is a rebase of makes room for it."""
        number = change.number
        held = {one.number for one in carried}
        for one in run.lane.waiting:
            if one.number in held:
                riding = replace(one, carried_by=number)
                yield _Move(riding, "carried", f"{one.number} is carried by {number}.")
        for one in run.lane.waiting:
            stranded = one.wait is not None and one.wait.cause is WaitCause.REBASE
            if stranded and one.diff.identity == change.diff.identity:
                because = f"{number} is the same on its new base"
                undo = Order(by, self.outside.clock.now(), because)
                says = f"{one.number} makes room for {number}, the same on its new base."
                yield _Move(replace(one, undo=undo), "undo", says)

    async def _refuse_taken(self, listen: Address) -> None:
        """Raises `Refused` when somebody else listens where the first users are to come in."""
        holder = await self.outside.target.in_the_way(listen)
        if holder is not None:
            raise Refused(
                f"Nobody else can listen on {listen}: it is held by {holder}.",
                cure="End that process, or give [service] another `listen` in surefoot.toml.",
            )

    async def _next_number(self) -> int:
        return 1 + await self.outside.store.last_number()

    # --- orders on a change --------------------------------------------------------------------

    async def undo(
        self, number: int, by: Person, because: str, service: str | None = None
    ) -> ChangeStatus:
        """Give the service back; a second undo says that there is nothing to undo."""
        run, change = await self.look.find(number, service)
        return await self._undo(run, _ridden(run, change), by, because)

    async def undo_service(self, service: str, by: Person, because: str) -> ChangeStatus:
        """As `undo`, for what is exposed, else live, in this service.

        Somebody who orders this just after a change was given back means that one, and not the
        good release below it: nothing more is undone then.
        """
        run = self.look.run(service)
        lane = run.lane
        change = lane.undone_first
        if change is lane.live and (given_back := _just_restored(run, self.outside.clock.now())):
            return await self.look.status(run, given_back)
        if lane.live is None:
            change = change or next(iter(lane.waiting), None)  # that is to be adopted
        if change is None:
            raise NotFound(f"Nothing to undo: nothing of {service} is live.", cure="")
        return await self._undo(run, change, by, because)

    async def _undo(
        self, run: ServiceRun, change: Change, by: Person, because: str
    ) -> ChangeStatus:
        """An order to undo, carried to what stands on the change; idempotent."""
        _not_parked(run)
        async with run.turn:
            change = await self.look.now(run, change)
            lane = run.lane
            on_its_way_back = change.phase in {Phase.RESTORING, Phase.NOT_RESTORED}
            history = change.phase in LIVE and lane.live is not None and lane.live is not change
            if change.phase in FINAL or on_its_way_back or history or change.undo:
                return await self.look.status(run, change)
            taken = change.phase in UNEXPOSED and change.stamps.exposed_at is not None
            if taken or (change.phase in LIVE and lane.before is None):
                raise Refused(
                    f"There is no release before {change.number} to go back to.",
                    cure="Ship another revision, or stop the service with `surefoot down`.",
                )
            order = Order(by, self.outside.clock.now(), because)
            says = f"{by.name} orders {change.number} undone{': ' + because if because else '.'}"
            self._order_undo(run, replace(change, undo=order), says, by)
            above = lane.exposed
            if above and change.phase in LIVE and above.undo is None:
                carried = replace(
                    order, because=f"{change.number} under it is undone", carried=True
                )
                says = f"{above.number} is carried back with {change.number}."
                self._order_undo(run, replace(above, undo=carried), says, by)
        await self.driver.written(run)
        return await self.look.status(run, change)

    def _order_undo(self, run: ServiceRun, change: Change, says: str, by: Person) -> None:
        """It is obeyed before it is written down: giving back never waits for the store."""
        entry = self._entry(run.name, change.number, "undo", says, by)
        self.driver.order_late(run, Saved(changes=(change,), entries=(entry,)))

    async def accept(
        self, number: int, by: Person, because: str, service: str | None = None
    ) -> ChangeStatus:
        """Answer for a change that the evidence could not decide."""
        run, change = await self.look.find(number, service)
        change = _ridden(run, change)
        number = change.number
        if not because.strip():
            raise Refused("Accepting needs a reason.", cure='Add --because "...".')
        if change.placebo:
            raise Refused(
                f"{number} is a placebo: it never becomes live, so nobody can answer for it.",
                cure=f"`surefoot undo {number}` ends it; it also ends by itself.",
            )
        async with run.turn:
            change = await self.look.now(run, change)
            if change.phase not in {Phase.ROLLING_OUT, Phase.VERIFYING}:
                raise Refused(
                    f"{number} is {change.phase}: only what users meet can be accepted.",
                    cure=f"`surefoot why {number}` tells where it is.",
                )
            order = Order(by, self.outside.clock.now(), because)
            says = f"{by.name} accepts {number}: {because}"
            await self._write(run, replace(change, accept=order), "accept", says, by)
        return await self.look.status(run, change)

    async def approve(self, number: int, by: Person, service: str | None = None) -> ChangeStatus:
        """Say yes to this very diff. Never one's own."""
        run, change = await self.look.find(number, service)
        async with run.turn:
            change = await self.look.now(run, change)
            self._may_review(run, change, by)
            now = self.outside.clock.now()
            approval = Approval(by, now, change.diff.identity)
            review = PartOf(PartState.DONE, change.stamps.proposed_at, now, f"by {by.name}")
            approved = replace(
                change,
                approvals=(*change.approvals, approval),
                parts=replace(change.parts, review=review),
            )
            await self._write(run, approved, "approved", f"{by.name} approves {number}.", by)
        return await self.look.status(run, change)

    async def ask(
        self, number: int, by: Person, question: str, service: str | None = None
    ) -> ChangeStatus:
        """Ask the author something; the review stays open."""
        run, change = await self.look.find(number, service)
        async with run.turn:
            change = await self.look.now(run, change)
            self._may_review(run, change, by)
            says = f"{by.name} asks: {question}"
            await self._write(run, replace(change, asked=(*change.asked, says)), "asked", says, by)
        return await self.look.status(run, change)

    def _may_review(self, run: ServiceRun, change: Change, by: Person) -> None:
        members = run.manifest.members or run.manifest_of(change.number).members
        if change.placebo or change.phase not in UNEXPOSED | EXPOSED | LIVE:
            raise Refused(
                f"{change.number} is {_what_it_is(change)}: there is nothing to review.", cure=""
            )
        if members and not any(by.same_as(member) for member in members):
            raise NotAllowed(
                f"{by.name} is not named as a member of {run.name}'s team.",
                cure="Add them to [team] members in surefoot.toml, or ask a member.",
            )
        if not change.may_approve(by):
            raise NotAllowed(
                f"{by.name} wrote or shipped part of {change.number}; nobody reviews their own.",
                cure=f"Ask somebody else: surefoot review {change.number} --approve",
            )

    async def reviews(self, by: Person) -> tuple[ChangeStatus, ...]:
        """Changes that wait for somebody's yes and that this person may review."""
        found = [
            (run, change)
            for run in self.driver.runs.values()
            for change in run.lane.waiting
            if not change.parts.review.done and change.may_approve(by)
        ]
        return tuple([await self.look.status(run, change) for run, change in found])

    # --- orders on a lane ----------------------------------------------------------------------

    async def hold(
        self, service: str, by: Person, because: str, for_s: float | None = None
    ) -> ServiceStatus:
        """Expose nothing further here for so many seconds, or until `resume`."""
        run = self.look.run(service)
        now = self.outside.clock.now()
        until = None if for_s is None else now + for_s
        async with run.turn:
            record = replace(
                run.record, held_by=by.name, held_because=because, held_at=now, held_until=until
            )
            says = f"{by.name} holds {service}{_for(for_s)}: {because}"
            await self._write_record(run, record, "hold", says, by)
        return await self.look.service(run)

    async def resume(self, service: str, by: Person, because: str) -> ServiceStatus:
        """Open the lane again: also beside harm, for what holds no suspect."""
        run = self.look.run(service)
        async with run.turn:
            record = replace(
                run.record, held_by=None, held_because=None, held_at=None, held_until=None
            )
            says = f"{by.name} resumes {service}: {because}"
            await self._write_record(run, record, "resume", says, by)
            passed = Order(by, self.outside.clock.now(), because)
            for one in run.lane.harmful:
                says = f"The lane goes on beside {one.number}, whose commits stay suspects."
                await self._write(run, replace(one, passed=passed), "resume", says, by)
        return await self.look.service(run)

    async def drill_placebo(
        self, service: str, times: int, every_s: float, by: Person
    ) -> ServiceStatus:
        """Run the live release beside itself so many times; 0: no more. Replaces what was left."""
        run = self.look.run(service)
        _not_parked(run)
        if times:
            refuse_drill(run)
        async with run.turn:
            order = order_of(run.name, times, every_s, by, self.outside.clock.now())
            await self.driver.save_in_turn(run, Saved(entries=(order,)))
            run.wake.set()
        return await self.look.service(run)

    # --- the end -------------------------------------------------------------------------------

    async def down(self, by: Person, *, everything: bool = False) -> tuple[str, ...]:
        """Stop the control plane: what is exposed is given back; users stay served.

        `everything` takes users off the air, and that is in the ledger.
        """
        said = []
        for run in self.driver.runs.values():
            exposed = None if run.parked else run.lane.exposed
            if exposed and exposed.undo is None and exposed.phase not in FINAL:
                await self._undo(run, exposed, by, "surefoot down")
                await self.outside.traffic.give_back(run.name)
                said.append(f"{exposed.number} of {run.name} is given back.")
            if run.lane.live:
                said.append(await self._left_behind(run, by, everything=everything))
        self.ends_all = everything or self.serves_nothing
        if self.ends_all and not everything:
            said.append("Nothing is served, so the proxy and what keeps it alive end too.")
        self._stop()
        return (*said, "The control plane stops.")

    async def _left_behind(self, run: ServiceRun, by: Person, *, everything: bool) -> str:
        """What becomes of a service's users; to take them off the air is a thing to remember."""
        live = run.lane.live.number if run.lane.live else None
        if not everything:
            return f"{run.name} stays served by release {live}."
        per_s, _ = run.watch.rates()
        told = f"{run.name} is taken off the air: {per_s:.1f} requests/s had release {live}."
        entry = self._entry(run.name, live, "off_the_air", f"By {by.name}: {told}", by)
        with contextlib.suppress(OutsideFailed):
            await self.driver.save(Saved(entries=(entry,)))
        return told

    @property
    def serves_nothing(self) -> bool:
        """Whether no user of any service would miss the proxy."""
        return not any(run.serving or run.parked for run in self.driver.runs.values())

    # --- writing down --------------------------------------------------------------------------

    async def _write(
        self, run: ServiceRun, change: Change, kind: str, says: str, by: Person
    ) -> None:
        """A change as an order left it, and the order. Raises `OutsideFailed`, as `_write_all`."""
        await self._write_all(run, (_Move(change, kind, says),), by)

    async def _write_all(self, run: ServiceRun, moves: tuple[_Move, ...], by: Person) -> None:
        """Changes as an order left them, and the order, together; then the driver is woken.

        Raises:
            OutsideFailed: the store cannot take it now; nothing was changed.
            Refused: the service is parked.
        """
        _not_parked(run)
        changes = tuple(one.change for one in moves)
        entries = [self._entry(run.name, m.change.number, m.kind, m.says, by) for m in moves]
        await self.driver.save_in_turn(run, Saved(changes=changes, entries=tuple(entries)))
        for change in changes:
            run.changes[change.number] = change
        run.wake.set()

    async def _write_record(
        self, run: ServiceRun, record: ServiceRecord, kind: str, says: str, by: Person
    ) -> None:
        _not_parked(run)
        entry = self._entry(run.name, None, kind, says, by)
        await self.driver.save_in_turn(run, Saved(services=(record,), entries=(entry,)))
        run.record = record
        run.wake.set()

    def _entry(
        self, service: str | None, change: int | None, kind: str, says: str, by: Person
    ) -> NewEntry:
        return NewEntry(self.outside.clock.now(), service, change, kind, says, by=str(by))


def _not_parked(run: ServiceRun) -> None:
    """Nothing is ordered where this Surefoot cannot read all there is. Raises `Refused`."""
    if run.parked:
        raise Refused(
            f"{run.name} is parked: {run.parked}.",
            cure="Start the newer Surefoot again. Users stay served meanwhile; "
            f"`surefoot give-back {run.name}` takes them off what is exposed.",
        )


def _what_it_is(change: Change) -> str:
    return "a placebo" if change.placebo else change.phase.value


def _ridden(run: ServiceRun, change: Change) -> Change:
    """The change itself; or, once users meet it within a fix that carries it, that fix."""
    if change.carried_by is None or change.phase in UNEXPOSED:
        return change
    return run.changes.get(change.carried_by, change)


def _for(seconds: float | None) -> str:
    return "" if seconds is None else f" for {span(seconds)}"


def _just_restored(run: ServiceRun, now: float) -> Change | None:
    """The change that was given back within the last minute, if one was; no placebo is meant."""
    restored = (
        one for one in run.changes.values() if one.phase is Phase.RESTORED and not one.placebo
    )
    last = max(restored, key=lambda one: one.stamps.restored_at or 0.0, default=None)
    if last is None or now - (last.stamps.restored_at or 0.0) > JUST_RESTORED_S:
        return None
    return last
