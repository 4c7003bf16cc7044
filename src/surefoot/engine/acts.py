"""From an act to a port. Each converges: done twice, it is done once.

Giving back, routes and ends are acts of an instant. Checks, build and preparing take their time:
they run as jobs beside the loop and report a finished part.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from surefoot.domain.change import Change, PartOf, PartState
from surefoot.domain.coverage import Coverage
from surefoot.domain.errors import OutsideFailed, Refused, SurefootError
from surefoot.domain.facts import (
    Act,
    Build,
    EndRelease,
    GiveBack,
    Prepare,
    Route,
    RunChecks,
    StartRelease,
)
from surefoot.domain.manifest import Address, Check
from surefoot.engine.coverage import committed_reports, coverage_of
from surefoot.engine.run import Outside, ServiceRun
from surefoot.ports import (
    CommandSpec,
    Finished,
    Front,
    InstanceFacts,
    ReleaseSpec,
    Routes,
    UpstreamArm,
    Watched,
)

__all__ = ["LEASE_S", "Actor", "PartDone"]

LEASE_S = 10.0
BUILD_LIMIT_S = 1800.0
PAGE_TRIES, PAGE_PAUSE_S = 5, 1.0


Instances = tuple[InstanceFacts, ...]


@dataclass(frozen=True, slots=True)
class Look:
    """What is to be measured; the release that serves users, its processes and the canary's."""

    watched: Watched
    serving: int | None
    living: Instances
    canary: Instances


@dataclass(frozen=True, slots=True)
class PartDone:
    """A part of getting ready that has ended, and what it told beside its output, if it did."""

    name: str
    part: PartOf
    rehearsed_s: float | None = None
    coverage: Coverage | None = None


class Actor:
    """Carries out what was decided for any service."""

    def __init__(self, outside: Outside, home: Path) -> None:
        """Take the ports, and the home folder under which releases live."""
        self.outside = outside
        self.home = home

    # --- in an instant -------------------------------------------------------------------------

    async def perform(self, run: ServiceRun, change: Change, act: Act) -> None:
        """Do what the act says, now. Jobs are not for here."""
        match act:
            case Route(share):
                await self.route(run, change, share)
            case GiveBack():
                await self.give_back(run, change)
            case EndRelease(release, kill):
                await self.outside.target.stop(run.name, release, kill=kill)
            case StartRelease(release):
                await self.bring_up(run, run.changes[release])
            case _:
                raise OutsideFailed(f"Surefoot does not know how to do {act}.")

    async def route(self, run: ServiceRun, change: Change, share: float) -> None:
        """Users meet the change at this share; at 1 it is the live release."""
        lane = run.lane
        if share >= 1:
            spare = lane.before.number if lane.before else None
            await self.outside.traffic.route(
                Routes(run.name, live=change.number, spare=spare), LEASE_S
            )
            return
        if lane.live is None:
            raise OutsideFailed(f"{run.name} has no live release to share its users with.")
        if run.watch.exposure is None or run.watch.exposure.change != change.number:
            await self._begin_watch(run, change)
        routes = Routes(run.name, lane.live.number, change.number, share, change=change.number)
        await self.outside.traffic.route(routes, LEASE_S)
        run.watch.shared(change.number, share, self.outside.clock.boottime())

    async def _begin_watch(self, run: ServiceRun, change: Change) -> None:
        """The plan is fixed and the counters' base line taken, before the first user."""
        now = self.outside.clock.boottime()
        run.watch.begin(change.number, run.plans[change.number], now)
        await self.outside.telemetry.look((await self.look(run)).watched)

    async def give_back(self, run: ServiceRun, change: Change) -> None:
        """No user meets the change: by the keeper's stored way back, else by new routes."""
        run.watch.end_judging()
        live = run.lane.live
        seen = await self.outside.traffic.seen(run.name)
        if seen.routes and seen.routes.candidate == change.number:
            await self.outside.traffic.give_back(run.name)
        elif live and (seen.routes is None or seen.routes.live != live.number):
            await self.outside.traffic.route(Routes(run.name, live=live.number), LEASE_S)

    async def bring_up(self, run: ServiceRun, change: Change) -> Finished:
        """A release runs, is ready, and the proxy knows it; built anew if it was put away."""
        if not self.folder(run, change, "tree").is_dir():
            built = await self._build(run, change)
            if not built.ok:
                return built
        spec = self.release_spec(run, change)
        await self.outside.target.start(spec)
        finished = await self.outside.target.ready(spec)
        if finished.ok:
            await self.serve(run)
        return finished

    async def serve(self, run: ServiceRun) -> None:
        """The proxy knows every release of the service that runs."""
        arms = []
        for release in await self.outside.target.running(run.name):
            instances = await self.outside.target.look(run.name, release)
            if instances:
                arms.append(arm_of(release, instances))
        manifest = run.manifest
        await self.outside.traffic.serve(
            Front(
                service=run.name,
                listen=manifest.listen,
                arms=tuple(arms),
                health=manifest.release.health,
                sticky=manifest.traffic.sticky,
                timeout_s=manifest.traffic.timeout_s,
            )
        )

    async def look(self, run: ServiceRun) -> Look:
        """What serves users now and what is exposed, as of one moment, with their processes."""
        target, serving, exposure = self.outside.target, run.serving, run.watch.exposure
        live = serving.number if serving else None
        exposed = exposure.change if exposure else None
        living = () if live is None else await target.look(run.name, live)
        canary = () if exposed is None else await target.look(run.name, exposed)
        watched = Watched(
            service=run.name,
            canary=_arm(exposed, canary),
            baseline=_arm(live, living),
            metrics=run.manifest.metrics if exposed is None else run.guards(exposed),
            metrics_path=self._page(run, exposed),
            exposed_at=exposure.began if exposure else 0.0,
        )
        return Look(watched, live, living, canary)

    async def _lacking(self, run: ServiceRun, change: Change) -> str:
        """Why it could not be watched: what its own page has not of all that guards it."""
        own = Watched(
            service=run.name,
            canary=_arm(change.number, await self.outside.target.look(run.name, change.number)),
            baseline=None,
            metrics=run.guards(change.number),
            metrics_path=self._page(run, change.number),
        )
        try:
            absent = await self._names(own)
        except OutsideFailed as failed:
            return str(failed)
        if not absent:
            return ""
        return (
            f"Its {own.metrics_path or 'metrics page'} lacks {', '.join(absent)}, so nobody could "
            "see whether it does harm. Let it print them from its start, at zero, or name a path "
            "that counts there as `warm`; or first ship a surefoot.toml that declares them no more."
        )

    async def _names(self, own: Watched) -> tuple[str, ...]:
        """Asked again for some seconds: a busy host may keep one answer back."""
        for _ in range(PAGE_TRIES - 1):
            with suppress(OutsideFailed):
                return await self.outside.telemetry.names(own)
            await self.outside.clock.sleep(PAGE_PAUSE_S)
        return await self.outside.telemetry.names(own)

    def _page(self, run: ServiceRun, release: int | None) -> str | None:
        """Where metrics are read: the live manifest's path for both releases, if it has one."""
        own = run.manifest_of(release).release.metrics if release is not None else None
        return run.manifest.release.metrics or own

    # --- in their own time ---------------------------------------------------------------------

    async def work(self, run: ServiceRun, change: Change, act: Act) -> PartDone:
        """Do a job to its end, and say how it ended."""
        began = self.outside.clock.now()
        rehearsed, covered = None, None
        try:
            match act:
                case RunChecks():
                    name = "checks"
                    finished, covered = await self._check(run, change)
                case Build():
                    name, finished = "build", await self._build(run, change)
                case Prepare():
                    name = "prepare"
                    finished, rehearsed = await self._prepare(run, change)
                case _:
                    raise OutsideFailed(f"Surefoot does not know how to do {act}.")
        except Refused as refusal:
            name = {RunChecks: "checks", Build: "build"}.get(type(act), "prepare")
            finished = Finished(ok=False, code=None, seconds=0.0, said=str(refusal))
        state = PartState.DONE if finished.ok else PartState.FAILED
        part = PartOf(state, began, self.outside.clock.now(), finished.said)
        return PartDone(name, part, rehearsed, covered)

    def folder(self, run: ServiceRun, change: Change, use: str) -> Path:
        """A checkout of a change: `tree` is what runs, `checks` is where checks may make a mess."""
        return self.home / "services" / run.name / "releases" / str(change.built_as) / use

    async def _check(self, run: ServiceRun, change: Change) -> tuple[Finished, Coverage | None]:
        """Every check, one after the other; the first that does not pass ends it."""
        checks = run.manifest_of(change.number).checks
        finished = Finished(ok=True, code=0, seconds=0.0, said="no checks are declared")
        if not checks:
            return finished, None
        root = self.folder(run, change, "checks")
        await self.outside.scm.checkout(run.name, change.revision, root)
        old = committed_reports(root / run.record.folder, checks)
        for check in checks:
            finished = await self._run_check(run, check, root)
            if not finished.ok:
                said = f"check '{check.name}': {_why(finished)}\n{finished.said}"
                return replace(finished, said=said), None
        return finished, await self._coverage(run, change, old)

    async def _coverage(
        self, run: ServiceRun, change: Change, old: frozenset[str]
    ) -> Coverage | None:
        """What the reports of its checks tell, where they name any. Read beside the loop."""
        checks = [one for one in run.manifest_of(change.number).checks if one.coverage]
        if not checks:
            return None
        folder, root = run.record.folder, self.folder(run, change, "checks")
        try:
            patch = await self.outside.scm.diff(run.name, change.base, change.revision, folder)
        except SurefootError as failed:
            return Coverage(unread=(f"The diff could not be set beside coverage: {failed}",))
        return await asyncio.to_thread(coverage_of, patch, root, root / folder, checks, old)

    async def _run_check(self, run: ServiceRun, check: Check, root: Path) -> Finished:
        output = root.parent / f"check-{check.name}.log"
        folder = root / run.record.folder
        return await self.outside.checks.run(
            CommandSpec(check.run, folder, check.time_limit_s, output=output)
        )

    async def _build(self, run: ServiceRun, change: Change) -> Finished:
        """A clean checkout, built; it is what will run."""
        if run.upstream_of(change):
            return Finished(ok=True, code=0, seconds=0.0, said="it runs already, by other hands")
        root = self.folder(run, change, "tree")
        await self.outside.scm.checkout(run.name, change.revision, root)
        build = run.manifest_of(change.number).release.build
        if not build:
            return Finished(ok=True, code=0, seconds=0.0, said="nothing to build")
        output = root.parent / "build.log"
        folder = root / run.record.folder
        finished = await self.outside.checks.run(
            CommandSpec(build, folder, BUILD_LIMIT_S, output=output)
        )
        return (
            finished
            if finished.ok
            else replace(finished, said=f"{_why(finished)}\n{finished.said}")
        )

    async def _prepare(self, run: ServiceRun, change: Change) -> tuple[Finished, float | None]:
        """Start, warm up, and walk the way back once before any user meets the change."""
        finished = await self.bring_up(run, change)
        if not finished.ok:
            await self.outside.target.stop(run.name, change.number)
            return finished, None
        manifest = run.manifest_of(change.number)
        paths = manifest.release.warm or (manifest.release.health,)
        await self.outside.traffic.warm(run.name, change.number, paths)
        live = run.lane.live
        if live is None:
            return finished, None
        if lacking := await self._lacking(run, change):
            return Finished(ok=False, code=None, seconds=finished.seconds, said=lacking), None
        path = manifest.release.health
        rehearsal = await self.outside.traffic.rehearse(run.name, live.number, change.number, path)
        if not rehearsal.ok:
            said = f"The way back could not be rehearsed: {rehearsal.said}"
            return Finished(ok=False, code=None, seconds=rehearsal.seconds, said=said), None
        return finished, rehearsal.seconds

    def release_spec(self, run: ServiceRun, change: Change) -> ReleaseSpec:
        """How a change's release is run."""
        manifest = run.manifest_of(change.number)
        rules = manifest.release
        return ReleaseSpec(
            service=run.name,
            release=change.number,
            folder=self.folder(run, change, "tree") / run.record.folder,
            argv=rules.run,
            environment=dict(rules.env),
            env_file=rules.env_file,
            instances=rules.instances,
            health=rules.health,
            ready_s=rules.ready_s,
            stop_timeout_s=rules.stop_timeout_s,
            upstream=run.upstream_of(change),
        )


def _arm(release: int | None, instances: Instances) -> UpstreamArm | None:
    """A release as the proxy knows it, if it runs."""
    return arm_of(release, instances) if release is not None and instances else None


def arm_of(release: int, instances: Instances) -> UpstreamArm:
    """A release's processes as the proxy knows them."""
    return UpstreamArm(release, tuple(Address("127.0.0.1", one.port) for one in instances))


def _why(finished: Finished) -> str:
    if finished.code is None:
        return f"ended at its time limit after {finished.seconds:.0f} s"
    return f"exit {finished.code} after {finished.seconds:.1f} s"
