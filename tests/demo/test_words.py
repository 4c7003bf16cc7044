"""What the demo says of a change, from fixed statuses."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from surefoot.demo import words
from surefoot.demo.client import Change, Harmed, Metric, Part, Times, Verdict, Wait
from surefoot.demo.screen import Plain, Scene, block

READY = Change(
    2,
    "queued",
    "Change 2 is ready and waits for its turn behind 1.",
    why="Read discount codes from a file",
    parts=(
        Part("checks", "done", 0.62, "1 of 1 passed"),
        Part("review", "done", 0.1, "approved by Bo"),
        Part("build", "done", 0.0, "nothing to build"),
        Part("rehearsal", "done", 1.1, "healthy"),
    ),
    rehearsed_s=0.0031,
    forecast="Harm would show in about 3 s; verified in about 95 s",
)
WORSE = Verdict(
    "worse",
    "checkout_errors are worse.",
    4.2,
    "checkout_errors",
    180.0,
    (
        Metric("errors", "watching", "x3", 30.0, 0.1, True, 9, 80, 7, 700),
        Metric("checkout_errors", "worse", "x3", 90.0, 0.1, True, 8, 40, 3, 350),
    ),
)
RESTORED = replace(
    READY,
    phase="restored",
    sentence="Change 2 is restored.",
    verdict=WORSE,
    harmed=Harmed(80, 9, 0.8),
    times=Times(
        exposed_to_verdict_s=4.2, undo_s=0.0042, commit_to_exposed_s=71.3, commit_to_done_s=88.9
    ),
)


@pytest.mark.parametrize(
    ("value", "said"),
    [(None, "-"), (0.0031, "3 ms"), (0.62, "0.6 s"), (4.2, "4.2 s"), (71.3, "71 s")],
)
def test_durations_are_said_as_people_say_them(value: float | None, said: str) -> None:
    """Milliseconds below a tenth of a second, no decimals from ten seconds on."""
    assert words.seconds(value) == said


def test_what_was_done_between_two_looks_is_news_once() -> None:
    """Parts, rehearsal, forecast and phase are a line each; the same again says nothing."""
    before = replace(READY, phase="proposed", parts=(), rehearsed_s=None, forecast="")
    assert list(words.news(before, READY)) == [
        "2 passes its checks (0.6 s)",
        "2 is started, warmed up and healthy (1.1 s)",
        "2 way back rehearsed: the old release answers again after 3 ms",
        "2 forecast: Harm would show in about 3 s",
        "2 forecast: verified in about 95 s",
        "Change 2 is ready and waits for its turn behind 1.",
    ]
    assert list(words.news(READY, READY)) == []


def test_a_new_share_and_a_new_wait_are_news() -> None:
    """A step of the share is one line, a wait is its sentence."""
    rolling = replace(READY, phase="rolling_out", share=0.1)
    assert list(words.news(rolling, replace(rolling, share=0.5))) == [
        "2 meets 50 % of the requests"
    ]
    waiting = replace(READY, wait=Wait("a fix"), sentence="Change 3 waits for a fix of 2.")
    assert list(words.news(READY, waiting)) == ["Change 3 waits for a fix of 2."]


def test_the_worse_line_names_the_metric_on_both_sides() -> None:
    """The line that stays by itself has the seconds, and the new release beside the old."""
    assert words.worse(RESTORED) == (
        "WORSE after 4.2 s: checkout_errors 20.0 % with the change, 0.9 % without"
    )


def test_a_past_change_is_one_line_with_its_numbers() -> None:
    """What a restored and a verified change leave behind."""
    assert words.past(RESTORED) == (
        "↩ 2 RESTORED  Read discount codes from a file: found in 4.2 s, undone in 4 ms, "
        "9 harmed (0.8 expected)"
    )
    verified = replace(
        RESTORED,
        phase="verified",
        times=Times(commit_to_exposed_s=3.2, exposed_to_verdict_s=64.0),
    )
    assert words.past(verified).startswith("✓ 2 VERIFIED  Read discount codes")
    assert words.past(verified).endswith("first user after 3.2 s, verified in 64 s")


def test_evidence_counts_the_required_metrics_that_are_proven() -> None:
    """Against as a sum out of a hundred; for as proven metrics and the slowest of them."""
    half = replace(
        WORSE,
        word="watching",
        evidence=0.4,
        metrics=(
            Metric("errors", "watching", "x3", 0.1, 31.0, required=True),
            Metric("checkout_errors", "watching", "x3", 0.1, 12.0, required=True),
            Metric("memory", "watching", "x3", 1.0, 0.0, required=False),
            Metric("gift_wrap_used", "watching", None, 1.0, 1.0, required=True),
        ),
    )
    assert words.evidence(half) == (
        "evidence: worse 0.4 of 100 · not worse: 1 of 2 metrics proven, the slowest 12.0 of 20"
    )


def test_the_result_has_exactly_the_promised_keys() -> None:
    """What `--json` prints: a time that does not apply is null, the outcome is the phase."""
    verified = Change(1, "verified", why="Offer gift wrap", times=Times(commit_to_exposed_s=3.0))
    told = (verified, RESTORED)
    assert words.result(told, 54_321, 0) == {
        "changes": [
            {
                "number": 1,
                "intent": "Offer gift wrap",
                "outcome": "verified",
                "commit_to_exposed_s": 3.0,
                "exposed_to_verdict_s": None,
                "undo_s": None,
                "requests_harmed": 0,
                "requests_bad_expected": 0.0,
                "commit_to_done_s": None,
            },
            {
                "number": 2,
                "intent": "Read discount codes from a file",
                "outcome": "restored",
                "commit_to_exposed_s": 71.3,
                "exposed_to_verdict_s": 4.2,
                "undo_s": 0.0042,
                "requests_harmed": 9,
                "requests_bad_expected": 0.8,
                "commit_to_done_s": 88.9,
            },
        ],
        "requests": 54_321,
        "failed_by_switching": 0,
    }


def test_plain_lines_tell_each_event_once_and_end_with_a_table() -> None:
    """Where nobody looks, there is no block: a line for each event, then the figures."""
    to = io.StringIO()
    now = iter([0.0, 1.0, 2.0, 8.0])
    screen = Plain(to, clock=lambda: next(now))
    screen.begin(("Surefoot demo",))
    for left in (3.0, 2.0, 1.0):
        screen.show(Scene("evidence on 2", "200 requests/s", left, RESTORED))
    screen.alone(words.worse(RESTORED), 2.0)
    screen.past("↩ 2 over")
    screen.table(words.table((replace(RESTORED, why="Jam"),)))
    screen.say(("Bye.",))
    assert to.getvalue().splitlines() == [
        "Surefoot demo",
        "[  1 s] waiting for evidence on 2",
        "[  2 s] WORSE after 4.2 s: checkout_errors 20.0 % with the change, 0.9 % without",
        "[  8 s] ↩ 2 over",
        "",
        "change  first user  verdict  undo  harmed (expected)  done  outcome",
        "2 Jam   71 s        4.2 s    4 ms  9 (0.8)            89 s  restored",
        "Bye.",
    ]


def test_the_live_block_shows_shares_errors_evidence_and_what_it_waits_for() -> None:
    """One glance: who meets what, how both fare, what is known, and why it is not over."""
    watched = replace(
        READY,
        phase="rolling_out",
        base_number=1,
        share=0.25,
        because="Watching: errors need about 20 s more",
        verdict=replace(WORSE, word="watching", metric=None, evidence=3.21),
    )
    console = Console(file=io.StringIO(), width=100, record=True)
    scene = Scene("evidence", "81 s · 9 requests answered", 20.0, watched)
    console.print(block(scene, ["Bo approves"]))
    assert console.export_text().splitlines() == [
        "",
        "  2  Read discount codes from a file  ROLLING OUT",
        f"     old  1 {'█' * 30}{'·' * 10}  75 %  errors 1.0 %",
        f"     new  2 {'█' * 10}{'·' * 30}  25 %  errors 11.2 %",
        "     evidence: worse 3.2 of 100 · not worse: 0 of 2 metrics proven, the slowest 0.1 of 20",
        "     Watching: errors need about 20 s more",
        "     · Bo approves",
        "",
        "  waiting for evidence, 20 s more",
        "  81 s · 9 requests answered",
    ]
