"""The checker finds each thing that it is there to find, and nothing in a good record."""

from dataclasses import replace

import pytest
from checker import Away, Held, Ship, Told, violations
from world import Answer


def moves(number, *phases, service="shop", at=100.0):
    """The entries of a change's journey, ten seconds apart."""
    entries = [{"kind": "proposed", "data": {}}]
    entries += [
        {"kind": to, "data": {"from": came, "to": to}}
        for came, to in zip(("proposed", *phases), phases, strict=False)
    ]
    return [
        {**one, "service": service, "change": number, "at": at + 10 * n}
        for n, one in enumerate(entries)
    ]


def ledger(*entries):
    """Entries with their numbers."""
    return tuple({"seq": n, **one} for n, one in enumerate(entries, 1))


UP = ("getting_ready", "queued", "rolling_out", "verifying", "verified")
UNDONE = ("getting_ready", "queued", "rolling_out", "restoring", "restored")
GOOD = Told(
    ships=(
        Ship("shop", 1, "verified"),
        Ship("shop", 2, "restored", cause="person", undone=339.5),
    ),
    entries=ledger(*moves(1, *UP), *moves(2, *UNDONE, at=300.0)),
    answers={
        "shop": (
            Answer(90.0, 0.01, "200", "0"),
            Answer(131.0, 0.01, "200", "1"),
            Answer(340.5, 0.01, "200", "2"),
        )
    },
    held=(Held(130.0, "shop", 1, 8.5),),
    away=(Away(132.0, 135.0),),
)


def altered(seq, **fields):
    """The good record with one entry of its ledger altered."""
    entries = (one if one["seq"] != seq else {**one, **fields} for one in GOOD.entries)
    return replace(GOOD, entries=tuple(entries))


def answered(*answers):
    """The good record with more answers."""
    return replace(GOOD, answers={"shop": (*GOOD.answers["shop"], *answers)})


def test_a_good_record_has_no_violation():
    """Two changes, one verified and one undone, with a daemon that was away for 3 s."""
    assert violations(GOOD) == ()


OUT_OF_ORDER = ("getting_ready", "rolling_out", "verifying", "verified")
FAULTS = {
    "may not move from getting_ready to rolling_out": replace(
        GOOD, ships=GOOD.ships[:1], entries=ledger(*moves(1, *OUT_OF_ORDER))
    ),
    "moves it from verifying": altered(5, data={"from": "verifying", "to": "verifying"}),
    "the ledger does not know it": replace(GOOD, entries=ledger(*GOOD.entries[1:])),
    "is restored, and the ledger leaves it restoring": replace(GOOD, entries=GOOD.entries[:-1]),
    "never came to its end": replace(
        GOOD, ships=(Ship("shop", 1, "verifying"),), entries=GOOD.entries[:5]
    ),
    "took the lane of shop while 1 held it": replace(
        GOOD, entries=ledger(*GOOD.entries[:5], *GOOD.entries[6:], GOOD.entries[5])
    ),
    "Entry 3 of the ledger follows entry 1": replace(
        GOOD, entries=(GOOD.entries[0], *GOOD.entries[2:])
    ),
    "lease had run out": replace(GOOD, held=(Held(130.0, "shop", 1, -1.5),)),
    "2.5 s after it was to be given back": answered(Answer(342.0, 0.01, "200", "2")),
    "before it was exposed": answered(Answer(120.0, 0.01, "200", "1")),
    "although nobody held its lease": replace(GOOD, away=(Away(115.0, 135.0),)),
    "1 of 4 requests failed; at most 0 may": answered(Answer(95.0, 0.01, "none", "")),
    "Left behind: a process": replace(GOOD, left=("a process",)),
}


@pytest.mark.parametrize("sentence", FAULTS)
def test_each_fault_is_found_and_named(sentence):
    """The sentence says which change, and what of it was not as promised."""
    assert sentence in " ".join(violations(FAULTS[sentence]))


def test_bad_answers_of_a_harmful_change_are_its_harm():
    """They were to be found, not to be prevented."""
    harmful = answered(Answer(131.5, 0.01, "500", "1"))
    ships = (replace(GOOD.ships[0], harmful=True), GOOD.ships[1])
    assert violations(replace(harmful, ships=ships)) == ()
    assert "1 of 4 requests failed" in " ".join(violations(harmful))


def test_a_verdict_counts_from_its_own_moment():
    """The ledger has it only after the way back, so it would hide a slow one."""
    ships = (GOOD.ships[0], Ship("shop", 2, "restored", cause="harm", verdict_at=338.0))
    assert "2.5 s after" in " ".join(violations(replace(GOOD, ships=ships)))
