"""The world as it is right now, read back from the proxy, the processes and the watch."""

import shutil
from pathlib import Path

from surefoot.domain.change import Change
from surefoot.domain.facts import Facts, World
from surefoot.domain.lifecycle import Phase
from surefoot.domain.manifest import Review
from surefoot.domain.metric import loosened
from surefoot.domain.risk import no_longer_named
from surefoot.engine.run import Outside, ServiceRun
from surefoot.ports import Seen

__all__ = ["facts_of", "room_left"]

ROOM_BYTES = 500_000_000
ROOM_FRACTION = 0.02
LAG_S = 2.5
STUCK_AFTER = 10


async def facts_of(
    run: ServiceRun, change: Change, seen: Seen, outside: Outside, home: Path
) -> Facts:
    """One snapshot of everything that a decision on this change may use."""
    plan = run.plans.get(change.number)
    own = run.manifest_of(change.number)
    others = [one for one in run.manifest.members if change.may_approve(one)]
    return Facts(
        now=outside.clock.now(),
        change=change,
        lane=run.lane,
        world=await _world(run, change, seen, outside, home),
        rules=run.manifest.rollout,
        review=run.manifest.review if run.lane.live else Review.OFF,
        steps=plan.steps if plan else (0.1, 0.5),
        reading=run.watch.reading(change),
        team_of_one=not others,
        manifest_only=_only_guards(run, change),
        kept=loosened(run.manifest.metrics, own.metrics),
        unnamed=no_longer_named(run.named_data(change.base_number), own.risk_data),
        carrier=None if change.carried_by is None else run.changes.get(change.carried_by),
    )


async def _world(
    run: ServiceRun, change: Change, seen: Seen, outside: Outside, home: Path
) -> World:
    lane, watch, routes = run.lane, run.watch, seen.routes
    mine = routes is not None and routes.candidate == change.number
    live_routed = routes is not None and routes.live == change.number
    share = 1.0 if live_routed else routes.share if routes and mine else 0.0
    instances = await outside.target.look(run.name, change.number)
    old = lane.live.number if lane.live and lane.live.number != change.number else None
    old_instances = await outside.target.look(run.name, old) if old is not None else ()
    fenced = next((one.why for one in seen.given_back if one.change == change.number), None)
    boottime = outside.clock.boottime()
    quiet = boottime - watch.last_tick if watch.last_tick is not None else 0.0
    exposed = watch.exposure is not None and watch.exposure.change == change.number
    return World(
        share=share,
        live_routed=live_routed,
        answering=seen.healthy.get(change.number),
        old_answering=seen.healthy.get(old) if old is not None else None,
        old_running=bool(old_instances) or old is None,
        active=_active(run, change),
        ended=not any(one.up for one in instances),
        fenced=fenced if mine or share == 0 else None,
        stuck=_stuck(run, change),
        room=room_left(home),
        lagging=exposed and quiet > LAG_S,
        blind_s=quiet if exposed and quiet > LAG_S else 0.0,
        old_hurt=exposed and watch.old_hurt(boottime),
        host_hurt=exposed and watch.host_hurt,
        in_band=watch.is_in_band(change.worse),
        seen_by_users=watch.seen_by_users,
        watched_s=watch.history.seconds,
    )


def _active(run: ServiceRun, change: Change) -> int:
    """Requests that are still open on it; while it is given back, unknown is not none."""
    watch = run.watch
    exposed = watch.exposure is not None and watch.exposure.change == change.number
    if change.phase in {Phase.RESTORING, Phase.NOT_RESTORED} and not (exposed and watch.after_undo):
        return 1
    return watch.last.canary_active if exposed and watch.last else 0


def _stuck(run: ServiceRun, change: Change) -> str | None:
    tries = max(
        (count for (number, _), count in run.failures.items() if number == change.number),
        default=0,
    )
    return f"{tries} tries in a row did not succeed." if tries >= STUCK_AFTER else None


def _only_guards(run: ServiceRun, change: Change) -> bool:
    """Whether it alters the manifest alone, and nothing there of what runs or is checked."""
    if run.lane.live is None or change.diff.files != (_manifest_path(run),):
        return False
    old, new = run.manifest, run.manifest_of(change.number)
    return (old.release, old.checks, old.traffic) == (new.release, new.checks, new.traffic)


def _manifest_path(run: ServiceRun) -> str:
    return f"{run.record.folder}/surefoot.toml" if run.record.folder else "surefoot.toml"


def room_left(home: Path) -> bool:
    """Whether enough disk is free to expose anything new: 500 MB and 2 %."""
    usage = shutil.disk_usage(home)
    return usage.free > max(ROOM_BYTES, ROOM_FRACTION * usage.total)
