"""What must be true after any fault, checked on what was recorded; pure, so that it is tested too.

It reads the ledger, the API's last word, every answer that a user got, and what the keeper held
from moment to moment; each thing that was not as promised is one sentence.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import inf

from world import Answer

from surefoot.domain.lifecycle import LIVE, TABLE, Phase

__all__ = ["Away", "Held", "Ship", "Told", "failed", "lapses", "violations"]

LEASE_S = 10.0
LOOK_S = 1.0  # the keeper looks four times a second, on a machine that is busy
BACK_S = 2.0  # from an undo or a verdict to the last request that begins on the change
HOLDS = {Phase.ROLLING_OUT, Phase.VERIFYING, Phase.RESTORING, Phase.NOT_RESTORED}


@dataclass(frozen=True, slots=True)
class Ship:
    """A change that was accepted for shipping, and what the API last said of it.

    `undone` is when somebody's order to undo it was sent; times are epoch seconds.
    """

    service: str
    number: int
    phase: str
    cause: str | None = None
    verdict_at: float | None = None
    undone: float | None = None
    harmful: bool = False  # it answers some users badly, as it was made to


@dataclass(frozen=True, slots=True)
class Held:
    """What the keeper held at a moment: a change in front of users, and what its lease had left."""

    at: float
    service: str
    change: int
    left_s: float


@dataclass(frozen=True, slots=True)
class Away:
    """No daemon did its work between these two moments."""

    begin: float
    end: float = inf


@dataclass(frozen=True, slots=True)
class Told:
    """Everything that was recorded of one installation."""

    ships: tuple[Ship, ...]
    entries: tuple[Mapping[str, object], ...]
    answers: Mapping[str, tuple[Answer, ...]]
    held: tuple[Held, ...] = ()
    away: tuple[Away, ...] = ()
    left: tuple[str, ...] = ()
    may_fail: int = 0  # requests of users that no release answered, in all

    def moves(self, number: int) -> list[Mapping[str, object]]:
        """The entries that move a change from one phase to another."""
        mine = (one for one in self.entries if one["change"] == number)
        return [one for one in mine if "to" in (one["data"] or {})]

    def moved(self, number: int, phase: str) -> float | None:
        """When a change came into a phase, by the ledger."""
        return next((one["at"] for one in self.moves(number) if one["data"]["to"] == phase), None)


def violations(told: Told) -> tuple[str, ...]:
    """Each thing that is not as promised, in a sentence; none is the only good answer."""
    return tuple(found for check in CHECKS for found in check(told))


def phases_follow(told: Told) -> Iterator[str]:
    """The order of phases is legal, and the ledger has every move."""
    for ship in told.ships:
        phase = Phase.PROPOSED
        for entry in told.moves(ship.number):
            came, went = Phase(entry["data"]["from"]), Phase(entry["data"]["to"])
            if came is not phase:
                yield f"{ship.number} was {phase}, and entry {entry['seq']} moves it from {came}."
            if went not in TABLE[came].values():
                yield f"{ship.number} may not move from {came} to {went} (entry {entry['seq']})."
            phase = went


def nothing_is_lost(told: Told) -> Iterator[str]:
    """Every change that was accepted is in the ledger, settled, and where the ledger says."""
    settled = {phase for phase in Phase if phase in LIVE or not TABLE[phase]}
    proposed = {entry["change"] for entry in told.entries if entry["kind"] == "proposed"}
    for ship in told.ships:
        moves = told.moves(ship.number)
        last = moves[-1]["data"]["to"] if moves else Phase.PROPOSED
        if ship.number not in proposed:
            yield f"{ship.number} was accepted, and the ledger does not know it."
        if ship.phase != last:
            yield f"{ship.number} is {ship.phase}, and the ledger leaves it {last}."
        if ship.phase not in settled:
            yield f"{ship.number} never came to its end: it is {ship.phase}."


def lane_is_held_once(told: Told) -> Iterator[str]:
    """No change of a service begins while another one of it is in front of users."""
    holder: dict[object, object] = {}
    for entry in told.entries:
        to = (entry["data"] or {}).get("to")
        service, number = entry["service"], entry["change"]
        if to in HOLDS:
            if holder.get(service) not in {None, number}:
                other = holder[service]
                yield f"{number} took the lane of {service} while {other} held it ({entry['seq']})."
            holder[service] = number
        elif to is not None and holder.get(service) == number:
            holder[service] = None


def ledger_is_whole(told: Told) -> Iterator[str]:
    """Its numbers follow each other from 1, with none missing and none twice."""
    numbers = [entry["seq"] for entry in told.entries]
    for before, after in pairwise([0, *numbers]):
        if after != before + 1:
            yield f"Entry {after} of the ledger follows entry {before}."


def lease_is_alive(told: Told) -> Iterator[str]:
    """Nothing stays in front of users when nobody holds its lease."""
    for one in told.held:
        if one.left_s < -LOOK_S:
            yield (
                f"Users of {one.service} could meet {one.change} {-one.left_s:.1f} s after its "
                f"lease had run out, at {one.at:.1f}."
            )


def lapses(told: Told) -> dict[int, float]:
    """Of each change that was given back: seconds from the order to the last request on it."""
    found = {}
    for ship in told.ships:
        ordered = _ordered(told, ship)
        if ordered is not None:
            begun = [one.asked for one in _answered_by(told, ship)]
            found[ship.number] = max([0.0, *(asked - ordered for asked in begun)])
    return found


def given_back_in_time(told: Told) -> Iterator[str]:
    """After an undo or a verdict, no request begins on the change for longer than 2 s."""
    for number, seconds in lapses(told).items():
        if seconds > BACK_S:
            yield f"A request began on {number} {seconds:.1f} s after it was to be given back."


def only_what_is_exposed_answers(told: Told) -> Iterator[str]:
    """No user meets a change before the ledger has its exposure."""
    for ship in told.ships:
        exposed = told.moved(ship.number, Phase.ROLLING_OUT) or inf
        early = [one for one in _answered_by(told, ship) if one.asked + one.seconds < exposed]
        if early:
            yield f"{len(early)} requests met {ship.number} before it was exposed by the ledger."


def nobody_watches_nobody_meets(told: Told) -> Iterator[str]:
    """Without a daemon, users are back on the old release when the lease has run out."""
    for away in told.away:
        end = away.begin + LEASE_S + BACK_S
        for ship in told.ships:
            live = told.moved(ship.number, Phase.VERIFIED) or inf
            met = [
                one
                for one in _answered_by(told, ship)
                if end < one.asked < away.end and one.asked < live and away.begin < live
            ]
            if met:
                yield f"{len(met)} requests met {ship.number} although nobody held its lease."


def failed(told: Told) -> int:
    """Requests that did not get an answer as the service would give it."""
    bad_by_design = {str(ship.number) for ship in told.ships if ship.harmful}
    return sum(
        one.status != "200" and one.release not in bad_by_design
        for answers in told.answers.values()
        for one in answers
    )


def users_are_served(told: Told) -> Iterator[str]:
    """At most the stated number of requests fails."""
    count = failed(told)
    if count > told.may_fail:
        asked = sum(map(len, told.answers.values()))
        yield f"{count} of {asked} requests failed; at most {told.may_fail} may."


def nothing_is_left(told: Told) -> Iterator[str]:
    """No process, socket or staging folder is left of what has ended."""
    yield from (f"Left behind: {one}." for one in told.left)


CHECKS = (
    phases_follow,
    nothing_is_lost,
    lane_is_held_once,
    ledger_is_whole,
    lease_is_alive,
    given_back_in_time,
    only_what_is_exposed_answers,
    nobody_watches_nobody_meets,
    users_are_served,
    nothing_is_left,
)


def _answered_by(told: Told, ship: Ship) -> Iterator[Answer]:
    return (one for one in told.answers.get(ship.service, ()) if one.release == str(ship.number))


def _ordered(told: Told, ship: Ship) -> float | None:
    """When it was ordered given back: by a person, by the verdict, else by the ledger."""
    restoring = told.moved(ship.number, Phase.RESTORING)
    if restoring is None:
        return None
    late = told.moved(ship.number, Phase.VERIFIED) is not None  # then the verdict was a good one
    verdict = ship.verdict_at if ship.cause == "harm" and not late else None
    return min(one for one in (restoring, verdict, ship.undone) if one is not None)
