"""Values for tests of pure decisions: a change, its lane, its world."""

from dataclasses import replace

from surefoot.domain.change import (
    Change,
    Commit,
    Diff,
    Intent,
    PartOf,
    Parts,
    PartState,
    Person,
    Stamps,
)
from surefoot.domain.facts import Facts, World
from surefoot.domain.lane import Hold, lane_of
from surefoot.domain.lifecycle import Phase
from surefoot.domain.manifest import Review, Rollout
from surefoot.domain.verdict import Reading, Word

ANA = Person("Ana", "ana@example.org")
BO = Person("Bo", "bo@example.org")
NOW = 1_000_000.0
DONE = PartOf(PartState.DONE, NOW, NOW + 1)
WELL = World(answering=True, old_answering=True, watched_s=300.0)


def commit(number: int) -> Commit:
    return Commit(f"{number:040x}", f"change {number}", (ANA,), NOW - 10)


def a_change(number: int, phase: Phase = Phase.PROPOSED, **more: object) -> Change:
    change = Change(
        service="shop",
        number=number,
        revision=commit(number).id,
        base=commit(number - 1).id,
        base_number=number - 1,
        commits=(commit(number),),
        diff=Diff(f"identity {number}", ("app.py",), 3, 1),
        intent=Intent(f"change {number}"),
        shipper=ANA,
        stamps=Stamps(committed_at=NOW - 10, proposed_at=NOW - 5),
        phase=phase,
        steps=(0.1, 0.5),
    )
    return replace(change, **more)


def live(number: int, **more: object) -> Change:
    stamps = Stamps(committed_at=NOW - 900, proposed_at=NOW - 800, live_at=NOW - 600 + number)
    return a_change(number, Phase.VERIFIED, stamps=more.pop("stamps", stamps), **more)


def ready(number: int, **more: object) -> Change:
    return a_change(number, Phase.QUEUED, parts=Parts(DONE, DONE, DONE, DONE), **more)


def exposed(number: int, phase: Phase = Phase.ROLLING_OUT, **more: object) -> Change:
    stamps = Stamps(committed_at=NOW - 60, proposed_at=NOW - 50, exposed_at=NOW - 20)
    return a_change(number, phase, stamps=more.pop("stamps", stamps), **more)


def reading(word: Word, *, gate: bool = False, because: str = "errors as before") -> Reading:
    return Reading(word, 20.0, "errors", because, 1.0, gate)


def facts(
    change: Change,
    *others: Change,
    world: World = WELL,
    seen: Reading | None = None,
    hold: Hold | None = None,
    now: float = NOW,
    **more: object,
) -> Facts:
    base = Facts(
        now=now,
        change=change,
        lane=lane_of("shop", (*others, change), hold),
        world=world,
        rules=Rollout(),
        review=Review.BEFORE,
        steps=(0.1, 0.5),
        reading=seen,
    )
    return replace(base, **more)
