"""The only thing that acts: observe, decide, write down, act, write down.

One loop for each service, so that none waits for another. Giving back goes before everything, the
store included: what could not be written down then is written as soon as the store takes it.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from surefoot.domain.change import Change
from surefoot.domain.errors import OutsideFailed, SurefootError
from surefoot.domain.facts import (
    Act,
    Build,
    Decision,
    EndRelease,
    GiveBack,
    Prepare,
    Route,
    RunChecks,
    StartRelease,
)
from surefoot.domain.journey import decide
from surefoot.domain.lifecycle import EXPOSED, FINAL, LIVE, Phase
from surefoot.engine.acts import LEASE_S, Actor, Look, PartDone
from surefoot.engine.drill import a_placebo, drill_after, is_due
from surefoot.engine.memory import lay_aside, recall_last_live
from surefoot.engine.news import is_news
from surefoot.engine.observe import facts_of
from surefoot.engine.planning import plan_for
from surefoot.engine.run import Outside, ServiceRun
from surefoot.engine.teller import Teller
from surefoot.engine.telling import entries_of
from surefoot.engine.tidying import put_away
from surefoot.ports import Entry, NewEntry, Routes, Saved, Seen, ServiceRecord

__all__ = ["Driver"]

TICK_S = 1.0
IDLE_S = 5.0
WRITTEN_S, WRITTEN_LOOK_S = 1.0, 0.005
JOBS = (RunChecks, Build, Prepare)
BESIDE = (EndRelease, StartRelease)
NO_CHANGE = (-1, "PutAway")
NEXT_PLACEBO = (-1, "Placebo")
LED_BACK = (-1, "LedBack")
WAY_BACK = {Phase.RESTORING, Phase.NOT_RESTORED}
log = logging.getLogger(__name__)


class Driver:
    """Drives every service of this home."""

    def __init__(self, outside: Outside, home: Path, heard: Callable[[Entry], None]) -> None:
        """Take the ports, the home folder, and who is told of each new ledger entry."""
        self.outside = outside
        self.home = home
        self.actor = Actor(outside, home)
        self.teller = Teller(outside, self.actor, self._note_in_turn)
        self.runs: dict[str, ServiceRun] = {}
        self.heard = heard
        self.numbering = asyncio.Lock()  # held by whoever gives a change its number
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._tellers: dict[str, asyncio.Task[None]] = {}

    # --- services ------------------------------------------------------------------------------

    def add(
        self, run: ServiceRun, before: Callable[[ServiceRun], Awaitable[None]] | None = None
    ) -> None:
        """Drive this service from now on, once what comes `before` that is done.

        A parked one is only known: its users stay served, and what is exposed loses its lease.
        """
        self.runs[run.name] = run
        if run.parked:
            return
        self._tasks[run.name] = asyncio.create_task(self._begin(run, before), name=run.name)
        self._tellers[run.name] = asyncio.create_task(self.teller.run(run))

    async def _begin(
        self, run: ServiceRun, before: Callable[[ServiceRun], Awaitable[None]] | None
    ) -> None:
        if before:
            try:
                await before(run)
            except (SurefootError, OSError) as error:
                log.warning("%s: not back yet: %s", run.name, error)
        run.decided_at = self.outside.clock.boottime()
        await asyncio.gather(self._drive(run), self._watch(run))

    async def stop(self) -> None:
        """Stop driving; nothing is given back by this."""
        tasks: list[asyncio.Task[None]] = [*self._tasks.values(), *self._tellers.values()]
        tasks += [job for run in self.runs.values() for job in run.jobs.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- the loop ------------------------------------------------------------------------------

    async def _drive(self, run: ServiceRun) -> None:
        while True:
            await self._safely(self.advance(run), run.name)
            pause = TICK_S if run.busy else IDLE_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):  # `wait_for` may lose the order to end
                    await run.wake.wait()
            run.wake.clear()

    async def _safely(self, work: Awaitable[None], of: str) -> bool:
        """Whether it was done. What stops one service stops no other, nor one change another."""
        try:
            await work
        except SurefootError as error:
            log.warning("%s: %s", of, error)
        except Exception:  # the engine's edge
            log.exception("%s: a fault of Surefoot's own; it tries again", of)
        else:
            return True
        return False

    async def advance(self, run: ServiceRun) -> None:
        """One look at a service, and everything that follows from it."""
        async with run.turn:
            try:
                await self._decide_all(run)
            finally:
                await self._save_late(run)

    async def _end_hold(self, run: ServiceRun) -> None:
        """A hold with an end is over then, whoever was here meanwhile."""
        held, now = run.record, self.outside.clock.now()
        if held.held_until is None or now < held.held_until:
            return
        free = replace(held, held_by=None, held_because=None, held_at=None, held_until=None)
        says = f"The hold of {held.held_by} on {run.name} is over: {held.held_because}"
        entry = NewEntry(now, run.name, None, "hold_over", says)
        if await self._save(run, Saved(services=(free,), entries=(entry,))):
            run.record = free

    async def _decide_all(self, run: ServiceRun) -> None:
        await self._end_hold(run)
        if run.undone:
            self._beside(run, LED_BACK, partial(self._recall_last_live, run))
        if run.changes:
            seen = await self._seen(run)
            if seen.routes and seen.routes.candidate is not None:
                now = self.outside.clock.boottime()
                run.watch.shared(seen.routes.candidate, seen.routes.share, now)
            for number in run.to_decide():
                change = run.changes[number]
                decided = await self._safely(
                    self._advance_change(run, change, seen), f"{run.name} {number}"
                )
                if change.phase in EXPOSED and not decided:
                    return  # nobody could take it back now: its lease must not be held for ever
            await self._tidy(run, seen)
            self._put_away_settled(run)
        if is_due(run.drill, run.lane, self.outside.clock.now()) and run.starts_live:
            self._beside(run, NEXT_PLACEBO, partial(self._begin_placebo, run))
        run.decided_at = self.outside.clock.boottime()

    async def _seen(self, run: ServiceRun) -> Seen:
        """What the proxy does now. When it cannot be read, an order to undo needs no reading."""
        try:
            return await self.outside.traffic.seen(run.name)
        except OutsideFailed:
            exposed = run.lane.exposed
            if exposed and exposed.undo:
                await self.outside.traffic.give_back(run.name)
            raise

    async def _advance_change(self, run: ServiceRun, change: Change, seen: Seen) -> None:
        if change.phase is Phase.QUEUED:
            run.plans[change.number] = plan_for(run, change)
        facts = await facts_of(run, change, seen, self.outside, self.home)
        decision = decide(facts)
        await self._carry_out(run, change, decision)
        if run.changes[change.number].phase is not change.phase:
            run.wake.set()  # it moved: the next decision may follow at once

    async def _carry_out(self, run: ServiceRun, change: Change, decision: Decision) -> None:
        """Give back first; then state, ledger and intended acts together; then the acts.

        Nobody is told of a state before it is written down, but on the way back.
        """
        after = self._with_harm(run, change, decision.change)
        going_back = after.phase in WAY_BACK or change.phase in WAY_BACK
        run.changes[change.number] = after
        if any(isinstance(act, GiveBack) for act in decision.acts):
            await self._try(run, after, GiveBack())
        if _worth_writing(change, after):
            saved = self._saved(run, change, after, decision.acts)
            run.changes[change.number] = after if going_back else change
            if not await self._save(run, saved, late=going_back):
                run.changes[change.number] = change
                return
            run.changes[change.number] = after
        self._after_move(run, change, after)
        for act in decision.acts:
            key = (after.number, type(act).__name__)
            if isinstance(act, JOBS):
                self._beside(run, key, partial(self._job, run, after, act))
            elif isinstance(act, BESIDE):
                self._beside(run, key, partial(self._try, run, after, act))
            elif not isinstance(act, GiveBack):
                await self._try(run, after, act)

    def _with_harm(self, run: ServiceRun, before: Change, after: Change) -> Change:
        """The harm counted so far goes with the change, also what it did while all met it."""
        exposure = run.watch.exposure
        if exposure is not None and exposure.change == after.number:
            return replace(after, harm=exposure.harm)
        if before.phase in LIVE and after.phase in WAY_BACK:
            return replace(after, harm=after.harm + run.watch.live_harm)
        return after

    def _saved(
        self, run: ServiceRun, before: Change, after: Change, acts: tuple[Act, ...]
    ) -> Saved:
        services: tuple[ServiceRecord, ...] = ()
        ground = run.lane.ground
        if before.phase is not after.phase and ground is not None:
            text = run.texts.get(ground.number, run.record.manifest)
            run.record = replace(run.record, manifest=text)
            run.manifest = run.standing(ground)
            services = (run.record,)
        return Saved(
            changes=(after,),
            services=services,
            entries=entries_of(before, after, self.outside.clock.now()),
            acts=tuple((after.service, after.number, str(act)) for act in acts),
        )

    def _after_move(self, run: ServiceRun, before: Change, after: Change) -> None:
        """What the watch has to know of a move, and what nobody needs after it."""
        if before.phase is after.phase:
            return
        if after.phase in FINAL:
            for job in JOBS:
                if task := run.jobs.get((after.number, job.__name__)):
                    task.cancel()
        if after.carried_by is not None:
            return
        run.untidy = True
        if after.phase is Phase.VERIFIED or (after.placebo and after.phase in FINAL):
            run.watch.learn(after)
        if after.phase in LIVE and before.phase in EXPOSED:
            run.watch.end()
            run.watch.begin_soak(fresh=True)
            self.outside.telemetry.forget(run.name)
        self._after_way_back(run, before.phase, after.phase)

    def _after_way_back(self, run: ServiceRun, before: Phase, after: Phase) -> None:
        """What is live is watched by itself again, or another release is live."""
        if before in LIVE:
            run.undone = True
            run.watch.leave_live()
        if after in FINAL and before in EXPOSED | LIVE:
            run.watch.end()
            if run.lane.soaks(self.outside.clock.now()):
                run.watch.begin_soak()
            self.outside.telemetry.forget(run.name)

    async def _try(self, run: ServiceRun, change: Change, act: Act) -> float:
        """An act of an instant. What does not succeed is decided again at the next look.

        Returns:
            What `_beside` waits for then.
        """
        key = (change.number, type(act).__name__)
        try:
            await self.actor.perform(run, change, act)
        except (SurefootError, OSError) as failed:
            run.failures[key] = run.failures.get(key, 0) + 1
            log.warning("%s %s: %s: %s", run.name, change.number, act, failed)
            return TICK_S
        run.failures.pop(key, None)
        if isinstance(act, Route):
            says = f"The proxy has a share of {act.share * 100:g} % for it."
            await self.note(run, change.number, "share", says, {"share": act.share})
        return 0.0

    # --- jobs ----------------------------------------------------------------------------------

    def _beside(
        self, run: ServiceRun, key: tuple[int, str], work: Callable[[], Awaitable[float]]
    ) -> None:
        """Do what takes its time beside the loop, once: an order to undo waits for none of it.

        Its end wakes the loop, which may begin it anew at once: so `work` returns how many seconds
        to wait first, 0 unless it failed.
        """

        async def to_its_end() -> None:
            try:
                await self.outside.clock.sleep(await work())
            finally:
                run.jobs.pop(key, None)
                run.wake.set()

        if key not in run.jobs:
            run.jobs[key] = asyncio.create_task(to_its_end())

    async def _job(self, run: ServiceRun, change: Change, act: Act) -> float:
        """Do a job beside the loop, and write its part down when it has ended."""
        key = (change.number, type(act).__name__)
        try:
            done = await self.actor.work(run, change, act)
            run.failures.pop(key, None)
            await self._part_done(run, change.number, done)
        except (SurefootError, OSError) as failed:
            run.failures[key] = run.failures.get(key, 0) + 1
            log.warning("%s %s: %s: %s", run.name, change.number, act, failed)
            return min(2.0 ** run.failures[key], 30.0)
        return 0.0

    async def _part_done(self, run: ServiceRun, number: int, done: PartDone) -> None:
        async with run.turn:
            before = run.changes[number]
            after = replace(
                before,
                parts=replace(before.parts, **{done.name: done.part}),
                rehearsed_s=done.rehearsed_s or before.rehearsed_s,
                coverage=done.coverage or before.coverage,
            )
            if await self._save(run, self._saved(run, before, after, ())):
                run.changes[number] = after

    async def _begin_placebo(self, run: ServiceRun) -> float:
        """The next placebo of an order, unless somebody was quicker."""
        async with self.numbering, run.turn:
            drill, live, now = run.drill, run.lane.live, self.outside.clock.now()
            due = is_due(drill, run.lane, now) and run.starts_live
            if drill is None or live is None or not due:
                return 0.0
            try:
                number = 1 + await self.outside.store.last_number()
            except OutsideFailed as failed:
                log.warning("%s: %s", run.name, failed)
                return IDLE_S
            change = a_placebo(live, number, drill.by, now)
            says = f"{number} is a placebo: {live.number} beside {live.number}."
            entry = NewEntry(now, run.name, number, "proposed", says, by=str(drill.by))
            if not await self._save(run, Saved(changes=(change,), entries=(entry,))):
                return IDLE_S
            run.changes[number] = change
        return 0.0

    # --- housekeeping --------------------------------------------------------------------------

    async def _tidy(self, run: ServiceRun, seen: Seen) -> None:
        """Releases that nobody needs any more leave the routes, and are ended beside the loop."""
        lane = run.lane
        if lane.live is None or (lane.exposed and lane.exposed.phase is not Phase.ROLLING_OUT):
            return
        wanted = lane.wanted(self.outside.clock.now())
        working = {number for number, _ in run.jobs}
        running = set(await self.outside.target.running(run.name))
        surplus = running - wanted - working
        await self._forget_spares(run, seen, kept=running - surplus)
        for release in surplus:
            self._beside(run, (release, "End"), partial(self._end, run, release))
        if not run.served:
            await self.actor.serve(run)
            run.served = True

    def _put_away_settled(self, run: ServiceRun) -> None:
        """What settled changes leave behind goes, once their releases have ended; then they do."""
        if run.untidy and not any(job == "End" for _, job in run.jobs):
            run.untidy = False
            self._beside(run, NO_CHANGE, partial(self._put_away, run))

    async def _put_away(self, run: ServiceRun) -> float:
        """What fails is tried again when the next change is settled, or at the next start."""
        try:
            await put_away(self.outside, run, self.home / "services" / run.name / "releases")
            await lay_aside(self.outside, run)
        except (SurefootError, OSError) as failed:
            log.warning("%s: not all is put away: %s", run.name, failed)
        return 0.0

    async def _recall_last_live(self, run: ServiceRun) -> float:
        """What users may be led back to next; what fails is tried again."""
        run.undone = False
        if await self._safely(recall_last_live(self.outside, run), run.name):
            return 0.0
        run.undone = True
        return IDLE_S

    async def _forget_spares(self, run: ServiceRun, seen: Seen, kept: set[int]) -> None:
        """A release that is about to end, or has ended, covers for the live one no more.

        A proxy that finds every host of an arm unhealthy asks them all, the dead ones too.
        """
        routes, lane = seen.routes, run.lane
        if routes is None or lane.live is None or lane.exposed or routes.live != lane.live.number:
            return
        if {routes.spare, routes.candidate} - {None} - kept:
            await self.outside.traffic.route(Routes(run.name, live=routes.live), LEASE_S)

    async def _end(self, run: ServiceRun, release: int) -> float:
        """End a release, which may take its whole stop timeout; then the proxy forgets it."""
        try:
            await self.outside.target.stop(run.name, release)
            run.served = False
        except (SurefootError, OSError) as failed:
            log.warning("%s %s: %s", run.name, release, failed)
            return TICK_S
        return 0.0

    # --- the one-second watch ------------------------------------------------------------------

    async def _watch(self, run: ServiceRun) -> None:
        clock = self.outside.clock
        due = clock.boottime()
        while True:
            due = max(due + TICK_S, clock.boottime())
            await clock.sleep(max(0.0, due - clock.boottime()))
            await self._safely(self._look(run), f"{run.name}: nothing is known of this second")
            if run.busy or run.watch.soak_reading:
                run.wake.set()

    async def _look(self, run: ServiceRun) -> None:
        """One second: hold the lease, read the counters, feed the judge."""
        exposure = run.watch.exposure
        if run.serving is None:
            return
        undecided_s = self.outside.clock.boottime() - run.decided_at
        if exposure and exposure.judging and undecided_s <= run.manifest.rollout.blind_limit_s:
            await self.outside.traffic.renew(run.name, exposure.change, LEASE_S)
        look = await self.actor.look(run)
        self._look_at_the_living(run, look)
        metered = await self.outside.telemetry.look(look.watched)
        if metered is None or run.watch.exposure is not exposure:
            return  # an exposure that began, or ended, meanwhile: this look is of neither
        instances = look.canary if exposure else look.living
        run.watch.feed(metered, instances, self.outside.clock.boottime())

    def _look_at_the_living(self, run: ServiceRun, look: Look) -> None:
        """Say it when a process that users were on has ended; the supervisor starts it again."""
        serving = look.serving
        if serving is None:
            return
        ended = run.watch.vitals.feed(serving, look.living, self.outside.clock.boottime())
        if ended:
            which = ", ".join(str(index) for index in ended)
            says = f"Instance {which} of {serving}, which serves users, ended by itself."
            at = self.outside.clock.now()
            entry = NewEntry(at, run.name, serving, "ended", says, data={"instances": ended})
            self.order_late(run, Saved(entries=(entry,)))

    # --- the ledger ----------------------------------------------------------------------------

    async def note(
        self, run: ServiceRun, change: int | None, kind: str, says: str, data: dict[str, object]
    ) -> None:
        """Something that happened, without a move."""
        at = self.outside.clock.now()
        entry = NewEntry(at, run.name, change, kind, says, data=data)
        await self._save(run, Saved(entries=(entry,)), late=True)

    async def _note_in_turn(self, run: ServiceRun, entry: NewEntry) -> None:
        """As `note`, by somebody who has no part in what the service decides."""
        async with run.turn:
            await self._save(run, Saved(entries=(entry,)), late=True)

    async def save(self, saved: Saved) -> None:
        """Write down, and tell who listens. Raises `OutsideFailed` when the store cannot."""
        for entry in await self.outside.store.save(saved):
            self.heard(entry)
            run = self.runs.get(entry.service or "")
            if run is not None:
                run.drill = drill_after(run.drill, entry)
                if is_news(entry):
                    run.news.set()

    async def save_in_turn(self, run: ServiceRun, saved: Saved) -> None:
        """As `save`, behind what this service has to write down before."""
        if not await self._save_late(run):
            raise OutsideFailed("The store cannot write anything down now; it is tried again.")
        await self.save(saved)

    async def _save(self, run: ServiceRun, saved: Saved, *, late: bool = False) -> bool:
        """Whether it is written down, or will be: `late` ones are kept until the store can.

        What is kept goes before it, so that no older state is ever written over a newer one.
        """
        if await self._save_late(run):
            try:
                await self.save(saved)
            except OutsideFailed as failed:
                log.warning("%s: %s", run.name, failed)
            else:
                return True
        if late:
            run.unsaved.append(saved)
            await self._keep()
        return late

    async def _save_late(self, run: ServiceRun) -> bool:
        """Whether all that was kept is written down now."""
        while run.unsaved:
            try:
                await self.save(run.unsaved[0])
            except OutsideFailed as failed:
                log.warning("%s: %s", run.name, failed)
                return False
            run.unsaved.pop(0)
        return True

    async def written(self, run: ServiceRun) -> None:
        """Wait until nothing waits for the store; when it cannot, see that nothing is lost."""
        deadline = self.outside.clock.boottime() + WRITTEN_S
        while run.unsaved and self.outside.clock.boottime() < deadline:
            await self.outside.clock.sleep(WRITTEN_LOOK_S)
        if run.unsaved:
            await self._keep()

    async def _keep(self) -> None:
        """What waits for the store goes where neither its lock nor a full disk reaches."""
        waiting = [saved for one in self.runs.values() for saved in one.unsaved]
        try:
            await self.outside.store.keep(waiting)
        except OutsideFailed as failed:
            log.warning("%s", failed)

    def order_late(self, run: ServiceRun, saved: Saved) -> None:
        """An order that is obeyed before it is written down; the driver writes it."""
        run.unsaved.append(saved)
        for change in saved.changes:
            run.changes[change.number] = change
        run.wake.set()


def _worth_writing(before: Change, after: Change) -> bool:
    """A sentence that goes on changing while a change is watched is no news of its own."""
    return replace(after, because=before.because, harm=before.harm) != before
