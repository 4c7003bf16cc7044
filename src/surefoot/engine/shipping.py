"""From an order to ship to a change: what is asked of it before it may be written down."""

from dataclasses import dataclass, replace

from surefoot.analysis.expect import Expectation
from surefoot.config.manifest import parse_manifest
from surefoot.domain.change import Approval, Cause, Change, Intent, Person, Stamps
from surefoot.domain.errors import BadManifest, BadRevision, NotAllowed, NotFound, Refused
from surefoot.domain.lane import Lane
from surefoot.domain.lifecycle import Phase
from surefoot.domain.manifest import Manifest
from surefoot.domain.metric import loosened
from surefoot.domain.risk import ONE_WAY, data_paths, names_no_file, no_longer_named
from surefoot.engine.control import ShipOrder
from surefoot.engine.memory import known
from surefoot.engine.run import Outside, ServiceRun
from surefoot.ports import Study

__all__ = ["Proposal", "propose", "refuse_distant_upstream", "refuse_drill"]

PATHS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change that may be shipped, with its own manifest, and what is worth a warning.

    `carried` are the waiting changes that this fix holds: they share its outcome.
    """

    change: Change
    manifest: Manifest
    text: str
    warnings: tuple[str, ...]
    carried: tuple[Change, ...]


async def propose(
    run: ServiceRun, order: ShipOrder, by: Person, number: int, outside: Outside
) -> Proposal:
    """Study a revision as a change of this service. Nothing is written.

    Raises:
        Refused: it cannot be shipped; the cure says what to type.
    """
    scm = outside.scm
    await scm.fetch(run.name)
    lane, tried = run.lane, await _tried_before(run, order.intent, by, outside)
    revision = await scm.resolve(run.name, tried.revision if tried else order.revision)
    if order.adopt and lane.live:
        raise Refused(
            f"{run.name} already has a live release, {lane.live.number}.",
            cure="Type `surefoot ship` to take a change there.",
        )
    _not_twice(run, revision)
    base = _base_of(run, order.intent)
    if base:
        await _descends(outside, run.name, revision, base)
    folder = run.record.folder
    study = await scm.study(run.name, base.revision if base else None, revision, folder)
    if base and not study.commits:
        raise Refused(
            f"Nothing of {run.name} is in the commits behind {base.revision[:7]}: they touch the "
            "folders of other services alone.",
            cure="Ship them from there, or commit something here first.",
        )
    text, manifest = await _manifest_at(run, revision, outside)
    intent = _intent(order.intent, study, lane, tried)
    await _known_names(intent, run, manifest, outside)
    carried = _carried_by(intent, study, lane)
    intent = _joined(intent, carried)
    now = outside.clock.now()
    change = Change(
        service=run.name,
        number=number,
        revision=revision,
        base=base.revision if base else None,
        base_number=base.number if base else None,
        commits=study.commits,
        diff=study.diff,
        intent=intent,
        shipper=by,
        because="It is written down.",
        approvals=await _standing(run, study, base, outside),
        stamps=Stamps(committed_at=min(now, _tip_at(study)), proposed_at=now),
    )
    _refuse_unsaid(run, change, manifest)
    warnings = (
        *_warnings(change, manifest, carried),
        *_loosens(run, change, manifest),
        *_one_way(run, change, manifest),
    )
    return Proposal(change, manifest, text, warnings, carried)


async def _tried_before(
    run: ServiceRun, intent: Intent, by: Person, outside: Outside
) -> Change | None:
    """The restored change that is to be tried once more. Raises `Refused`."""
    if intent.again is None:
        return None
    change = await known(outside, run, intent.again)
    if change is None:
        raise NotFound(f"{run.name} has no change {intent.again}.")
    if change.placebo:
        raise Refused(
            f"{change.number} was a placebo: there is nothing in it to try again.",
            cure=f"For another run: surefoot drill placebo {run.name}",
        )
    if change.phase is not Phase.RESTORED:
        raise Refused(
            f"{change.number} is {change.phase}: only what was restored can be tried again.",
            cure=f"`surefoot why {change.number}` tells where it is.",
        )
    if change.cause is Cause.HARM and by.same_as(change.shipper):
        raise NotAllowed(
            f"{change.number} did harm, and {by.name} shipped it.",
            cure="Ask somebody else to type: "
            f'surefoot ship --again {change.number} --because "..."',
        )
    if change.cause is Cause.HARM and not intent.why.strip():
        raise Refused(
            f"{change.number} did harm: to try it again needs a reason.",
            cure=f'Add --because "...", or ship its fix: surefoot ship --fixes {change.number}',
        )
    return change


def _carried_by(intent: Intent, study: Study, lane: Lane) -> tuple[Change, ...]:
    """The waiting changes whose commits lie between what was undone and its fix."""
    if intent.fixes not in {one.number for one in lane.harmful}:
        return ()
    ids = {commit.id for commit in study.commits[:-1]}
    return tuple(one for one in lane.waiting if one.revision in ids)


def _joined(intent: Intent, carried: tuple[Change, ...]) -> Intent:
    """A fix is watched with everything that the changes which it carries are watched with.

    It goes forward only where one of them does.
    """
    all_of_them = (intent, *(each.intent for each in carried))
    watch = [name for one in all_of_them for name in one.watch]
    expect = [text for one in all_of_them for text in one.expect]
    return replace(
        intent,
        watch=tuple(dict.fromkeys(watch)),
        expect=tuple(dict.fromkeys(expect)),
        forward_only=any(one.forward_only for one in all_of_them),
    )


async def _standing(
    run: ServiceRun, study: Study, base: Change | None, outside: Outside
) -> tuple[Approval, ...]:
    """Approvals of this very diff on an earlier base; they fall where the base touched its files.

    A first release has no base, and so no approval to take over.
    """
    if base is None:
        return ()
    last = await outside.store.approved(run.name, study.diff.identity)
    if last is None or last.base is None:
        return ()
    ends, scm = (last.base, base.revision), outside.scm
    if not await scm.descends(run.name, ends[1], ends[0]):
        ends = (ends[1], ends[0])  # what it stood on went away
        if not await scm.descends(run.name, ends[1], ends[0]):
            return ()
    between = await scm.study(run.name, *ends, run.record.folder)
    return () if set(between.diff.files) & set(study.diff.files) else last.approvals


def refuse_distant_upstream(manifest: Manifest) -> None:
    """One machine is what this version knows. Raises `Refused`."""
    if manifest.upstream and manifest.upstream.host not in {"127.0.0.1", "localhost"}:
        raise Refused(
            f"`service.upstream` {manifest.upstream} is not on this host's loopback.",
            cure="Surefoot stands in front of processes on its own host: 127.0.0.1:PORT.",
        )


def refuse_drill(run: ServiceRun) -> None:
    """Whether the live release can run beside itself now. Raises `Refused`."""
    lane = run.lane
    if lane.live is None:
        raise Refused(
            f"Nothing of {run.name} is live: there is nothing to run beside itself.",
            cure="Type `surefoot adopt HEAD` in its folder.",
        )
    if not run.starts_live:
        raise Refused(
            f"{lane.live.number} of {run.name} is a process that Surefoot did not start, and "
            "cannot start once more.",
            cure="Placebo runs begin to work with the first change that is live.",
        )
    if lane.harmful:
        harmful = lane.harmful[-1].number
        raise Refused(
            f"{run.name} waits for the fix of {harmful}, and a placebo would be in its way.",
            cure=f"Ship that first: surefoot ship --fixes {harmful}",
        )
    if lane.hold:
        raise Refused(
            f"{lane.hold.by} holds {run.name}: {lane.hold.because}",
            cure=f'surefoot resume {run.name} --because "..."',
        )


def _not_twice(run: ServiceRun, revision: str) -> None:
    lane = run.lane
    if lane.ground and lane.ground.revision == revision:
        raise Refused(
            f"All users of {run.name} are already on {revision[:7]}, as {lane.ground.number}.",
            cure="Commit something new, then `surefoot ship`.",
        )
    under_way = [*lane.waiting, *([lane.exposed] if lane.exposed else [])]
    for one in under_way:
        if one.revision == revision:
            raise Refused(
                f"{revision[:7]} is on its way already, as {one.number}.",
                cure=f"Type `surefoot watch {one.number}` to look.",
            )


def _base_of(run: ServiceRun, intent: Intent) -> Change | None:
    """The change directly ahead of it in the lane, else the live one. A fix goes first."""
    lane = run.lane
    harmful = {one.number for one in lane.harmful}
    if lane.closed or intent.fixes in harmful or intent.again in harmful:
        return lane.ground
    ahead = [one for one in lane.going if not one.placebo]
    if ahead:
        return ahead[-1]
    exposed = lane.exposed
    if exposed and not exposed.placebo and exposed.undo is None and exposed.cause is None:
        return exposed
    return lane.ground


async def _descends(outside: Outside, service: str, revision: str, base: Change) -> None:
    if not await outside.scm.descends(service, revision, base.revision):
        raise BadRevision(
            f"{revision[:7]} does not stand on {base.revision[:7]}, which is change "
            f"{base.number} and directly ahead of it.",
            cure=f"Type: git rebase {base.revision[:7]}",
        )


async def _manifest_at(run: ServiceRun, revision: str, outside: Outside) -> tuple[str, Manifest]:
    """The proposed manifest and its text. Raises `BadManifest`, or `Refused` when it cannot be."""
    folder = run.record.folder
    path = f"{folder}/surefoot.toml" if folder else "surefoot.toml"
    text = await outside.scm.read(run.name, revision, path)
    if text is None:
        raise BadManifest(
            f"{revision[:7]} has no {path}.",
            cure=f"Commit {path} (`surefoot init` writes one), then try again.",
        )
    place = f"surefoot.toml at {revision[:7]}"
    manifest = parse_manifest(text, place=place, folder=folder)
    if run.lane.live and manifest.listen != run.manifest.listen:
        raise Refused(
            f"{place} moves 'listen' from {run.manifest.listen} to "
            f"{manifest.listen}, and users would not find {run.name} any more.",
            cure="A live service keeps its address in this version: put it back.",
        )
    if manifest.name != run.name:
        raise BadManifest(
            f"{place} names '{manifest.name}', not '{run.name}'.",
            cure="A service keeps its name; put the name back.",
        )
    if nowhere := names_no_file(manifest.risk_data):
        raise BadManifest(
            f"{place} names no file by {', '.join(nowhere)} in `[risk] data`.",
            cure="Count from the repository's root, as in 'migrations/**'.",
        )
    refuse_distant_upstream(manifest)
    return text, manifest


def _intent(asked: Intent, study: Study, lane: Lane, tried: Change | None) -> Intent:
    """What was said on the command line, joined with what its commits say.

    A second try is for what the first was for.
    """
    if tried:
        return replace(
            tried.intent,
            why=asked.why or tried.intent.why,
            again=tried.number,
            forward_only=asked.forward_only or tried.intent.forward_only,
        )
    numbers = {one.number for one in lane.harmful}
    trailers = [(key.casefold(), value.strip()) for key, value in study.trailers]
    watch = [value for key, value in trailers if key == "watch"]
    expect = [value for key, value in trailers if key == "expect"]
    fixes = [
        int(value)
        for key, value in trailers
        if key == "fixes-change" and value.isdigit() and int(value) in numbers
    ]
    reverted = lane.reverted_by(study.commits)
    why = asked.why or (study.commits[-1].subject if study.commits else "")
    return Intent(
        why=why,
        watch=tuple(dict.fromkeys([*asked.watch, *watch])),
        expect=tuple(dict.fromkeys([*asked.expect, *expect])),
        fixes=next((one for one in (asked.fixes, *fixes) if one is not None), reverted),
        forward_only=asked.forward_only,
    )


async def _known_names(
    intent: Intent, run: ServiceRun, manifest: Manifest, outside: Outside
) -> None:
    """What it names is known: each metric, each expectation, and the change that it fixes."""
    names = {metric.name for metric in (*run.manifest.metrics, *manifest.metrics)}
    names |= {"errors", "latency"}
    for text in intent.expect:
        _known(Expectation.parse(text).metric, names, f"Expect: {text}")
    for name in intent.watch:
        _known(name, names, f"Watch: {name}")
    if intent.fixes is not None and await known(outside, run, intent.fixes) is None:
        raise Refused(
            f"{run.name} has no change {intent.fixes} to fix.",
            cure="`surefoot log` lists its changes.",
        )


def _known(name: str, names: set[str], place: str) -> None:
    if name not in names:
        raise Refused(
            f"'{place}' names the metric '{name}', which surefoot.toml does not declare.",
            cure=f"Declare [metrics.{name}], or name one of: {', '.join(sorted(names))}.",
        )


def _loosens(run: ServiceRun, change: Change, manifest: Manifest) -> tuple[str, ...]:
    """What is said of guards that the proposed manifest weakens or leaves out."""
    names = [one.name for one in loosened(run.manifest.metrics, manifest.metrics)]
    if run.lane.live is None or not names:
        return ()
    guards = f"the guard{'s' if len(names) > 1 else ''} {', '.join(names)}"
    if len(change.diff.files) == 1:
        return (f"It loosens {guards}: somebody else has to approve that.",)
    held = "the live ones hold, also when it is live"
    return (
        f"It loosens {guards} beside code: {held}, until a commit of surefoot.toml alone does it.",
    )


def _one_way(run: ServiceRun, change: Change, manifest: Manifest) -> tuple[str, ...]:
    """What is said of a change that alters data, or no longer names what does."""
    said = []
    if change.intent.forward_only:
        said.append(f"This change alters data: {ONE_WAY}.")
    if unnamed := no_longer_named(run.named_data(change.base_number), manifest.risk_data):
        said.append(f"It takes {', '.join(unnamed)} out of `[risk] data`.")
    if not said or run.lane.live is None:
        return ()
    return (f"{' '.join(said)} {_who_answers(run, change)}",)


def _refuse_unsaid(run: ServiceRun, change: Change, manifest: Manifest) -> None:
    """Whoever alters data says so. Raises `Refused`.

    The first release alters nobody's: there is nothing to go back to.
    """
    if run.lane.live is None or change.intent.forward_only:
        return
    patterns = (*run.named_data(change.base_number), *manifest.risk_data)
    altered = data_paths(change.diff.files, patterns, run.record.folder)
    if altered:
        more = len(altered) - PATHS_SHOWN
        files = ", ".join(altered[:PATHS_SHOWN]) + (f" and {more} more" if more > 0 else "")
        raise Refused(
            f"This change alters data: {ONE_WAY}. `[risk] data` names {files}.",
            cure="If the live release can live with that too, add --forward-only: "
            f"surefoot ship {change.revision[:7]} --forward-only. {_who_answers(run, change)}",
        )


def _who_answers(run: ServiceRun, change: Change) -> str:
    """Who is asked before users meet what no way back covers."""
    if any(change.may_approve(one) for one in run.manifest.members):
        return "A second person has to approve it before any user meets it."
    return "Nobody else stands in [team] members, so its shipper alone answers for it."


def _tip_at(study: Study) -> float:
    return max((commit.at for commit in study.commits), default=float("inf"))


def _warnings(change: Change, manifest: Manifest, carried: tuple[Change, ...]) -> tuple[str, ...]:
    warnings = []
    if carried:
        numbers = " and ".join(str(one.number) for one in carried)
        warnings.append(
            f"It carries {numbers}, which lie between: checked and approved first, watched with "
            "their metrics too, and they share its outcome."
        )
    if len(change.commits) > 1:
        who = ", ".join(person.name for person in change.authors)
        warnings.append(
            f"{len(change.commits)} commits as one change, by {who}. "
            "`surefoot ship --each` takes them one by one."
        )
    if not change.intent.watch and not change.intent.expect and not manifest.metrics:
        warnings.append("It declares nothing of its own: watched with the service's defaults.")
    if not [one for one in manifest.members if change.may_approve(one)]:
        warnings.append("Nobody else of the team may review it, so no review is asked for.")
    return tuple(warnings)
