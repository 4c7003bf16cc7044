"""What a control plane does before it decides anything: facts, not memory.

Services come back on their last verified release first. Then the stored evidence of an exposed
change goes on where it ended; what the keeper did meanwhile is read by the first look.
"""

import logging
from functools import partial

from surefoot.config.manifest import parse_manifest
from surefoot.domain.change import Change
from surefoot.domain.errors import SurefootError
from surefoot.domain.lifecycle import Phase
from surefoot.engine.drill import DRILLED, LARGEST_DRILL, drill_from
from surefoot.engine.driver import Driver
from surefoot.engine.evidence import has_evidence, read_evidence
from surefoot.engine.memory import load_manifests
from surefoot.engine.planning import plan_for
from surefoot.engine.run import ServiceRun
from surefoot.engine.watch import Watch
from surefoot.ports import ServiceRecord

__all__ = ["wake_up"]

log = logging.getLogger(__name__)
RECALLED_S = 3600.0
PLACEBOS_S = 7 * 24 * 3600.0  # how much both scatter is the host's doing more than the hour's


async def wake_up(driver: Driver) -> None:
    """Load every service, bring it back, and begin to drive it."""
    store = driver.outside.store
    newer: dict[str, list[int]] = {}
    for service, number in await store.unreadable():
        newer.setdefault(service, []).append(number)
    for record in await store.services():
        try:
            run = await _load(driver, record)
            run.newer = tuple(newer.get(record.name, ()))
            if run.parked:
                log.error("%s is parked: %s.", run.name, run.parked)
        except SurefootError as error:
            log.error("%s is left alone, its users stay served: %s", record.name, error)  # noqa: TRY400 -- the reason is enough
            continue
        driver.add(run, partial(_bring_back, driver))


async def _load(driver: Driver, record: ServiceRecord) -> ServiceRun:
    manifest = parse_manifest(record.manifest, place="surefoot.toml", folder=record.folder)
    folder = driver.home / "services" / record.name / "evidence"
    run = ServiceRun(record, manifest, Watch(folder))
    for change in await driver.outside.store.changes(record.name):
        run.changes[change.number] = change
    entries = await driver.outside.store.recent(record.name, DRILLED, 1 + LARGEST_DRILL)
    run.drill = drill_from(reversed(entries))
    await load_manifests(driver.outside, run)
    if run.lane.ground:
        run.manifest = run.standing(run.lane.ground)
    return run


async def _bring_back(driver: Driver, run: ServiceRun) -> None:
    """The live release runs; then the evidence of what is exposed goes on.

    A canary is not started again: that it ended is a fact of the watch. Other services wait for
    none of this.
    """
    live = run.serving
    if live and not any(one.up for one in await driver.outside.target.look(run.name, live.number)):
        finished = await driver.actor.bring_up(run, live)
        if not finished.ok:
            log.warning("%s %s did not start: %s", run.name, live.number, finished.said)
    _recall(driver, run)
    if run.lane.soaks(driver.outside.clock.now()):
        run.watch.begin_soak()
    if run.lane.exposed:
        _resume_evidence(driver, run, run.lane.exposed)


def _recall(driver: Driver, run: ServiceRun) -> None:
    """What rollouts of the last hour tell of the live release spares the next change a minute.

    Of placebo runs more is recalled: how much the same release scatters beside itself.
    """
    now = driver.outside.clock.now()
    for change in sorted(run.changes.values(), key=lambda one: one.stamps.exposed_at or 0.0):
        at, over = change.stamps.exposed_at, change.phase is Phase.RESTORED
        if at is None or not has_evidence(run.watch.evidence(change.number)):
            continue
        try:
            if at >= now - RECALLED_S:
                harmless, placebo = change.phase is Phase.VERIFIED, change.placebo and over
                run.watch.recall(change.number, harmless=harmless, placebo=placebo)
            elif change.placebo and at >= now - PLACEBOS_S:
                run.watch.recall_placebo(change.number)
        except SurefootError as error:
            log.warning("%s %s: its evidence cannot be read: %s", run.name, change.number, error)


def _resume_evidence(driver: Driver, run: ServiceRun, change: Change) -> None:
    clock = driver.outside.clock
    file = run.watch.evidence(change.number)
    if not has_evidence(file) or change.stamps.exposed_at is None:
        run.plans[change.number] = plan_for(run, change)  # no user had met it yet
        return
    now = clock.boottime()
    began = now - (clock.now() - change.stamps.exposed_at)
    judging = change.phase in {Phase.ROLLING_OUT, Phase.VERIFYING}
    try:
        run.plans[change.number], _ = read_evidence(file)
        run.watch.resume(change.number, began, now, judging=judging)
    except SurefootError as error:
        _begin_anew(run, change, now, error)
    if not judging:
        run.watch.end_judging()


def _begin_anew(run: ServiceRun, change: Change, now: float, error: SurefootError) -> None:
    """What cannot be read proves nothing, and users must not meet what nobody watches."""
    log.warning(
        "%s %s: its evidence cannot be read, so it begins anew: %s", run.name, change.number, error
    )
    file = run.watch.evidence(change.number)
    if file.exists():
        file.replace(file.with_suffix(".unreadable"))
    plan = run.plans[change.number] = plan_for(run, change)
    run.watch.begin(change.number, plan, now)
