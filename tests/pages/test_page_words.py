"""The sentences of the pages, for every state."""

import re
from dataclasses import replace

import pytest
from gallery import BEGAN, NOW, RESTORED, STATES, WATCHED, service_of
from hypothesis import given
from hypothesis import strategies as st

from surefoot.engine.status import PartStatus, WaitStatus
from surefoot.pages.mood import Mood, change_mood, change_word, service_mood
from surefoot.pages.path import path
from surefoot.pages.rendering import FILES, render
from surefoot.pages.words import (
    LONGEST,
    Moment,
    board_line,
    change_line,
    plain,
    seconds,
    sentence,
)

RATES = (0.0101, 0.01)


def said(change, rates=RATES):
    """The one sentence as text."""
    return plain(change_line(change, service_of(change), rates))


EXPECTED = {
    "getting_ready": "No user has met 41. It waits for somebody's review. "
    "It starts in about 3 min.",
    "queued": "No user has met 41. It waits for 40 ahead of it.",
    "held": "No user has met 41. Held by Bo: market day.",
    "rolling_out": "10 % of the requests meet 41; nothing looks worse (errors 1.0 %, old "
    "release 1.0 %). If it is harmless, verified in about 40 s more (nine in ten within 70 s).",
    "looks_worse": "10 % of the requests meet 41, which looks worse so far (errors, 34 of 100). "
    "At 100 it is undone by itself; you may undo it now.",
    "undecided": "50 % of the requests meet 41. Nothing is proven: accept or undo it by "
    f"{Moment(NOW + 1800)}, else it is restored.",
    "restoring": "Users are being taken off 41. Errors.",
    "not_restored": "Users are off 41 and still not well (errors 1.0 %, usual 1.0 %). "
    "Release 40 is not well.",
    "restored": f"Users are well again since {Moment(BEGAN + 14)} (errors 1.0 %, usual 1.0 %). "
    "Change 41 was undone after 4.1 s; 39 requests failed. Lane held until fixed.",
    "undone": f"All users are on 40 again since {Moment(BEGAN + 14)}. Bo ordered it: looks odd.",
    "verified": f"41 operates as designed in production since {Moment(NOW - 1)} (errors 1.0 %, "
    "usual 1.0 %). Nothing needs you.",
    "accepted": f"41 is live since {Moment(NOW - 1)} (errors 1.0 %, usual 1.0 %). A person answers "
    "for it: the evidence left it open. Nothing needs you.",
    "adopted": f"41 is live since {Moment(NOW - 1)} (errors 1.0 %, usual 1.0 %). It is the first "
    "release here: nothing to compare to. Nothing needs you.",
    "applied": f"Nothing to roll out: the manifest of 41 guards since {Moment(NOW)}.",
    "rejected": f"No user met 41: rejected at {Moment(NOW)}. check 'unit': it failed with code 1.",
    "withdrawn": f"No user met 41: withdrawn at {Moment(NOW)}. Ann withdrew it.",
}


@pytest.mark.parametrize("state", STATES)
def test_each_state_has_its_sentence(state: str) -> None:
    """It answers whether users are hurt, what was done, and what comes next."""
    assert said(STATES[state]) == EXPECTED[state]


def test_a_release_that_left_says_when() -> None:
    """What served users once does not read as if it still did."""
    gone = replace(STATES["verified"], live_until_at=NOW)
    service = replace(service_of(gone), live=42)
    line = plain(change_line(gone, service, None))
    since, until = Moment(NOW - 1), Moment(NOW)
    assert line == f"41 was verified and served users since {since} until {until}."


def waiting(cause: str, then: str) -> WaitStatus:
    """A wait that began a minute ago."""
    return WaitStatus(cause, BEGAN, NOW + 30.0 if cause == "telemetry" else None, then)


WIDE = replace(WATCHED, forecast="")
BACK = STATES["restoring"]
UNTRUE = [
    (replace(WIDE, verdict=None), "Nothing is known of them yet."),
    (replace(WIDE, verdict=replace(WIDE.verdict, metrics=())), "Nothing is known of them yet."),
    (
        replace(WIDE, wait=waiting("telemetry", "it is given back")),
        f"; unless that ends by {Moment(NOW + 30)}, it is given back.",
    ),
    (
        replace(WIDE, wait=waiting("a hold", "it goes on when the hold ends")),
        ", held (market day): it goes on when the hold ends.",
    ),
    (
        replace(WIDE, wait=replace(waiting("a hold", "it goes on then"), until_at=NOW)),
        f", held until {Moment(NOW)}: market day.",
    ),
    (
        replace(WIDE, wait=waiting("being stuck", "it goes on when there is disk space")),
        "old release 1.0 %), and no more for now: it goes on when there is disk space.",
    ),
    (replace(BACK, given_back_at=BEGAN), f"Users are off 41 since {Moment(BEGAN)}; not yet well"),
    (
        replace(STATES["not_restored"], share=0.1),
        "10 % of the requests still meet 41; users are still not well",
    ),
    (replace(STATES["not_restored"], cause="unwatched"), "off 41 and not proven to be well"),
    (
        replace(STATES["getting_ready"], exposed_at=BEGAN, because="All users are on it."),
        "Nothing was live before 41. All users are on it.",
    ),
    (replace(STATES["rejected"], exposed_at=BEGAN), "Users met 41: rejected"),
]


@pytest.mark.parametrize(("change", "says"), UNTRUE, ids=range(len(UNTRUE)))  # no times
def test_no_sentence_says_more_than_is_known(change, says: str) -> None:
    """Silence is not wellness, and where users are is where they really are."""
    assert says in said(change)


def test_a_way_back_without_a_proof_is_not_green() -> None:
    """No traffic, or a host that hurts both releases, proves nothing of the users."""
    unseen = replace(RESTORED, unproven=True, because="Not yet seen by users: no traffic.")
    host = replace(RESTORED, unproven=True, cause="host", because="Both are hurt.")
    for one in (unseen, host):
        assert change_mood(one, service_of(one)) is Mood.SETTLED
        assert said(one).startswith(f"All users are on 40 again since {Moment(BEGAN + 14)}. ")


def test_an_old_restore_claims_nothing_of_today() -> None:
    """What users see now is of what came later."""
    later = Moment(BEGAN + 14)
    for newer in ({"exposed": 42}, {"live": 42, "live_since_at": NOW}, {"awaits_fix": (41, 42)}):
        service = replace(service_of(RESTORED), **newer)
        harm = plain(change_line(RESTORED, service, (0.5, 0.01)))
        assert harm.startswith(f"Users were well again at {later}. Change 41 was undone after")
        person = plain(change_line(STATES["undone"], service, (0.5, 0.01)))
        assert person == f"Users went back at {later}. Bo ordered it: looks odd."


def test_a_change_that_a_fix_carries_goes_where_that_goes() -> None:
    """Its users are those of the fix; it lives on within it."""
    carried = replace(STATES["queued"], carried_by=42, because="It shares the outcome of 42.")
    service = replace(service_of(carried), exposed=42, share=0.1)
    assert plain(change_line(carried, service, None)) == (
        "10 % of the requests meet 41 within 42. It shares the outcome of 42."
    )
    lives = replace(STATES["verified"], carried_by=42)
    line = plain(change_line(lives, replace(service_of(lives), live=42), None))
    assert line.startswith("41 operates as designed in production, within 42 since")


@pytest.mark.parametrize(
    ("service", "says"),
    [
        ({"exposed": 42}, "Some users meet 42 now."),
        ({"awaits_fix": (42,)}, "The lane waits for the fix of 42."),
        ({"held_because": "market day"}, "The lane is held."),
        ({"parked": "a newer Surefoot wrote 42"}, "parked, a newer Surefoot wrote 42."),
    ],
)
def test_a_live_release_does_not_hide_what_its_service_needs(service, says: str) -> None:
    """ "Nothing needs you" is said where nothing does."""
    verified = STATES["verified"]
    line = plain(change_line(verified, replace(service_of(verified), **service), None))
    assert line.endswith(says)


def test_who_is_held_is_called_held() -> None:
    """A hold on what users meet is not a question to anybody."""
    held = replace(WATCHED, wait=waiting("a hold", "it goes on when the hold ends"))
    stuck = replace(WATCHED, wait=waiting("being stuck", "it goes on when the old one is well"))
    assert {change_word(one, service_of(one)) for one in (held, stuck, STATES["held"])} == {"held"}
    assert change_mood(stuck, service_of(stuck)) is Mood.HELD
    assert change_word(STATES["undecided"], service_of(STATES["undecided"])) == "undecided"


@given(st.text(max_size=400), st.sampled_from(sorted(STATES)), st.integers(0, 2**53))
def test_no_sentence_is_longer_than_a_glance(because: str, state: str, harmed: int) -> None:
    """Whatever others wrote into it."""
    change = STATES[state]
    change = replace(change, because=because, harmed=replace(change.harmed, harmed=harmed))
    line = change_line(change, service_of(change), RATES)
    assert len(plain(line, NOW)) <= LONGEST
    assert len(plain(line, NOW + 7 * 86_400.0)) <= LONGEST


def test_a_moment_of_another_day_says_which() -> None:
    """Who reads of last week, in a chat or without a script, does not take it for today."""
    line = (Moment(NOW - 60), " and ", Moment(1_000_000_000.0))
    assert plain(line, NOW) == f"{Moment(NOW - 60)} and 2001-09-09 01:46 UTC"
    assert plain((Moment(NOW),), NOW + 7 * 86_400.0).startswith("20")


@pytest.mark.parametrize("state", STATES)
def test_red_is_for_users_who_are_hurt(state: str) -> None:
    """Nothing else is red, and a service that is well is green."""
    mood = change_mood(STATES[state], service_of(STATES[state]))
    assert (mood is Mood.HURT) == (state in {"restoring", "not_restored"})
    assert (mood is Mood.HELD) == (state in {"held", "undecided"})
    assert (mood is Mood.RESTORED) == (state in {"restored", "undone"})
    assert (mood is Mood.VERIFIED) == (state == "verified")


def test_an_order_to_undo_hurts_nobody() -> None:
    """A person's undo on its way back is not red."""
    back = replace(STATES["restoring"], cause="person")
    assert change_mood(back, service_of(back)) is Mood.GOING
    assert change_word(STATES["restoring"], service_of(STATES["restoring"])) == "users are hurt"


def board(*changes):
    """The board's sentence with these changes, each in a service of its own."""
    found = [replace(one, service=f"s{at}") for at, one in enumerate(changes)]
    services = [service_of(one) for one in found]
    exposed = [
        one for one, service in zip(found, services, strict=True) if service.exposed == one.number
    ]
    return plain(board_line(services, exposed, found[-1] if found else None))


def test_the_board_says_whether_anything_needs_somebody() -> None:
    """Hurt before held before going; and all is well when nothing is."""
    verified, going = STATES["verified"], STATES["rolling_out"]
    assert board(verified, going, STATES["undecided"], STATES["restoring"]) == (
        "Users of s3 are hurt now."
    )
    assert board(verified, going, STATES["undecided"], RESTORED) == "s2, s3 need somebody."
    assert board(verified, going) == "Nothing needs you. A change of s1 is on its way."
    assert board(verified, verified) == (
        f"Nothing needs you. 2 services on verified releases; last change 41, {Moment(NOW - 1)}."
    )
    assert board(*[STATES["undecided"]] * 5) == "s0, s1, s2 and 2 more need somebody."
    assert "surefoot init" in board()


def test_the_board_calls_good_only_what_was_proven() -> None:
    """A release that was adopted is not verified, and where nothing is live nothing is well."""
    assert "2 services live, 1 on verified releases" in board(STATES["verified"], STATES["adopted"])
    empty = replace(service_of(WATCHED), live=None, live_phase=None, exposed=None)
    assert plain(board_line([empty], [], None)) == "Nothing needs you. Nothing is live yet."


FAILS = {"error_rate": 0.6, "requests_per_s": 20.0}


def test_no_page_calls_a_failing_service_well() -> None:
    """Users who are hurt are so whatever was proven of what is live, and whatever is on its way."""
    verified = STATES["verified"]
    failing = replace(service_of(verified), **FAILS)
    assert service_mood(failing, None) is Mood.HURT
    assert plain(board_line([failing], [], None)) == f"Users of {failing.name} are hurt now."
    assert change_mood(verified, failing) is Mood.HURT
    line = plain(change_line(verified, failing, None))
    assert line.startswith("Users are hurt: 60 % of the requests fail. 41 is live since ")
    beside = replace(service_of(WATCHED), **FAILS)
    assert service_mood(beside, WATCHED) is Mood.HURT
    left = replace(verified, number=39, live_until_at=NOW)
    assert change_mood(left, failing) is Mood.VERIFIED


def test_a_review_that_waits_is_on_the_board() -> None:
    """Whoever may give it is not told that nothing needs them."""
    asks = replace(STATES["getting_ready"], service="shop")
    service = replace(service_of(STATES["verified"]), name="shop", waiting=(41,))
    assert plain(board_line([service], [], None, [asks])) == "shop 41 waits for somebody's review."
    both = [asks, replace(asks, number=42)]
    assert plain(board_line([service], [], None, both)).endswith("42 wait for somebody's review.")


def test_an_undo_without_harm_is_told_without_alarm() -> None:
    """No request failed because of it; and a lane that waits for another fix is told."""
    service = replace(service_of(STATES["undone"]), awaits_fix=(39,))
    line = plain(change_line(STATES["undone"], service, None))
    assert line.endswith("Bo ordered it: looks odd. The lane waits for the fix of 39.")
    assert "failed" not in line


def test_a_request_or_two_are_no_alarm() -> None:
    """Where hardly anybody asks, a tenth of them is one."""
    verified = STATES["verified"]
    quiet = replace(service_of(verified), error_rate=0.5, requests_per_s=0.4)
    assert service_mood(quiet, None) is Mood.VERIFIED
    assert change_mood(verified, quiet) is Mood.VERIFIED


def test_the_board_tells_of_what_cannot_be_moved() -> None:
    """A service that a newer Surefoot wrote wants somebody."""
    parked = replace(service_of(STATES["verified"]), parked="a newer Surefoot wrote 42")
    assert service_mood(parked, None) is Mood.HELD
    assert plain(board_line([parked], [], None)) == f"{parked.name} needs somebody."


def test_a_placebo_alarms_nobody() -> None:
    """The live release beside itself is no change on its way."""
    placebo = replace(WATCHED, placebo=True)
    assert service_mood(service_of(placebo), placebo) is Mood.VERIFIED


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        (0.0, "0 s"),
        (0.0123, "0.012 s"),
        (0.5, "0.5 s"),
        (4.13, "4.1 s"),
        (75.0, "75 s"),
    ],
)
def test_seconds_are_said_as_finely_as_they_matter(value: float | None, shown: str) -> None:
    """An undo of milliseconds is not "0 s"."""
    assert seconds(value) == shown


def test_the_path_ends_where_the_change_did() -> None:
    """What a change never came to is not shown as still to come."""
    assert [stop.name for stop in path(STATES["rejected"], None)] == ["checks", "rejected"]
    ends = [(stop.name, stop.state) for stop in path(RESTORED, None)]
    assert ends[-2:] == [("undone", "done"), ("users well", "done")]
    now = {stop.name: stop.state for stop in path(WATCHED, None)}
    assert now["10 %"] == "now"
    assert now["50 %"] == now["verified"] == "open"
    assert [stop.state for stop in path(STATES["verified"], None)] == ["done"] * 7
    back = [(stop.name, stop.state) for stop in path(STATES["restoring"], None)]
    assert back[-2:] == [("undone", "now"), ("users well", "open")]
    assert "50 %" not in dict(back)


def test_a_rehearsal_is_not_under_way_before_its_turn() -> None:
    """It comes after all other parts, and a review may take a day."""
    asked = replace(
        STATES["getting_ready"],
        parts=(*STATES["getting_ready"].parts, PartStatus("rehearsal", "open", None, "")),
    )
    states = {stop.name: stop.state for stop in path(asked, None)}
    assert (states["review"], states["rehearsal"]) == ("now", "open")
    ready = replace(asked, parts=(*asked.parts[:1], asked.parts[-1]))
    assert {stop.name: stop.state for stop in path(ready, None)}["rehearsal"] == "now"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("watching: about 40 s more", "About 40 s more."),
        ("Verified: errors at most +1 point (95 %)", "Errors at most +1 point (95 %)."),
        ("verified: errors at most +1 point (95 %)", "Errors at most +1 point (95 %)."),
        ("errors: 9 of 20 bad, 1 of 90; WORSE", "Errors: 9 of 20 bad, 1 of 90."),
        ("checkout_errors: 9 of 20 bad; WORSE", "checkout_errors: 9 of 20 bad."),
    ],
)
def test_the_word_of_the_verdict_is_said_once(said: str, shown: str) -> None:
    """It stands in bold before the sentence."""
    assert sentence(said) == shown


def test_a_figure_stays_beside_its_unit() -> None:
    """A narrow window breaks no line between them."""
    line = ("10 % for 40 s, 3 min or 2 h. 5 steps",)
    html = render("board/state.html", line=line, mood=Mood.GOING)
    assert "10\u00a0% for 40\u00a0s, 3\u00a0min or 2\u00a0h. 5 steps" in html


@pytest.mark.parametrize("mood", Mood)
def test_each_icon_is_seen_on_a_light_tab_and_a_dark_one(mood: Mood) -> None:
    """Its shape has three times the light of its ground, or a third."""
    ink = light(re.search('stroke="#([0-9a-f]{6})"', FILES[f"icon-{mood}.svg"].decode())[1])
    for ground in map(light, ("ffffff", "dee1e6", "202124")):
        assert (max(ink, ground) + 0.05) / (min(ink, ground) + 0.05) >= 3  # WCAG 2.2, 1.4.11


def light(colour: str) -> float:
    """Relative luminance (WCAG 2.2) of red, green and blue as six digits."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    even = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * even[0] + 0.7152 * even[1] + 0.0722 * even[2]
