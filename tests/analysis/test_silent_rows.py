"""A canary that gives nothing while the baseline speaks, found in the rows of a record alone."""

import json

import pytest

from surefoot.analysis.record import judge_lines
from surefoot.analysis.words import NEVER_BESIDE
from surefoot.domain.verdict import Word


def ratio(t, arm, everything, bad=0):
    """A row of errors."""
    row = {"metric": "errors", "kind": "ratio", "arm": arm, "bad": bad, "all": everything}
    return {"t": t, **row}


def gauge(t, arm, instance="a", value=0.4):
    """A row of a gauge."""
    row = {"metric": "cpu", "kind": "gauge", "arm": arm, "instance": instance, "value": value}
    return {"t": t, **row}


def judged(*rows, **plan):
    """The reading of these rows, in the order of time."""
    lines = [json.dumps(row) for row in sorted(rows, key=lambda row: row["t"])]
    return judge_lines([json.dumps({"plan": plan}), *lines]).reading


SHARED = {"t": 0, "share": 0.1}


def baseline(per_s, seconds):
    """What the baseline alone answers, second by second."""
    return [ratio(t, "baseline", per_s) for t in range(1, seconds + 1)]


def test_a_canary_without_a_single_row_is_silent_after_ten_seconds():
    """At 180 requests/s twenty a second were due."""
    reading = judged(SHARED, *baseline(180, 30))
    assert (reading.word, reading.metric, reading.at) == (Word.WORSE, "silent", 10)
    assert reading.because == "the canary is silent while the baseline speaks; WORSE"


@pytest.mark.parametrize("at", [5.01, 5.5])
def test_a_share_that_is_set_between_two_ticks_shortens_no_interval(at):
    """Silence is counted in ticks: what is not one says nothing of how far apart they are."""
    step = {"t": at, "share": 0.15}
    assert judged(SHARED, step, *baseline(180, 30)).at == pytest.approx(10.5, abs=0.5)


def test_zero_answers_are_as_silent_as_no_row():
    """A row that says zero is no answer."""
    nothing = [ratio(t, "canary", 0) for t in range(1, 31)]
    assert judged(SHARED, *baseline(180, 30), *nothing).metric == "silent"


def test_it_falls_silent_later():
    """Ten seconds count from its last answer."""
    spoken = [ratio(t, "canary", 20) for t in range(1, 41)]
    reading = judged(SHARED, *baseline(180, 80), *spoken)
    assert (reading.metric, reading.at) == ("silent", 50)


def test_twenty_must_have_been_due():
    """At 9 requests/s of the baseline one a second is due, so it takes twenty seconds."""
    assert judged(SHARED, *baseline(9, 18)).word is Word.WATCHING
    assert judged(SHARED, *baseline(9, 22)).metric == "silent"


def test_both_silent_is_never_evidence():
    """Where nobody speaks, traffic or telemetry is missing."""
    spoken = [ratio(t, "canary", 20) for t in range(1, 6)]
    after = [ratio(t, "baseline", 180) for t in range(300, 305)]
    assert judged(SHARED, *baseline(180, 5), *spoken, *after).word is Word.WATCHING


def test_what_was_not_watched_does_not_count():
    """Seconds that fell into a gap are no silence."""
    gaps = [{"t": t, "gap": 5} for t in range(8, 60, 8)]
    assert judged(SHARED, *baseline(180, 60), *gaps).word is Word.WATCHING


def test_a_canary_that_was_given_back_owes_nothing():
    """After a share of zero nobody asks it."""
    spoken = [ratio(t, "canary", 20) for t in range(1, 21)]
    back = {"t": 20.5, "share": 0}
    assert judged(SHARED, back, *baseline(180, 60), *spoken).word is Word.WATCHING


def test_sticky_sessions_promise_no_requests():
    """A share of the users says nothing of the requests."""
    assert judged(SHARED, *baseline(180, 60), sticky=True).word is Word.WATCHING


def test_slow_answers_are_waited_for():
    """Where the baseline's take up to 10 s, those of a canary may take thirty."""
    slow = {"5": 0, "10": 180, "+Inf": 180}
    kind = {"metric": "latency", "kind": "latency", "arm": "baseline", "le": slow}
    rows = [{"t": t, **kind} for t in range(1, 61)]
    assert judged(SHARED, *rows[:29]).word is Word.WATCHING
    reading = judged(SHARED, *rows)
    assert (reading.metric, reading.at) == ("silent", 30)


def test_a_record_of_gauges_alone_misses_samples():
    """Two intervals of a minute without a sample of the canary, after warm-up, are silence."""
    rows = [gauge(60 * n, "baseline", instance) for n in range(1, 10) for instance in "abc"]
    reading = judged(*rows)
    assert (reading.word, reading.metric) == (Word.WORSE, "silent")
    assert reading.at == pytest.approx(120, abs=60)
    spoken = [gauge(60 * n, "canary") for n in range(1, 10)]
    assert judged(*rows, *spoken).word is not Word.WORSE


def test_a_gauge_that_only_the_baseline_has_is_no_silence_of_a_canary_that_is_counted():
    """At night nobody asks either; a gauge or a label that is not there yet ends no rollout."""
    nobody = [ratio(t, arm, 0) for t in range(1, 61) for arm in ("canary", "baseline")]
    rows = [gauge(t, "baseline") for t in range(1, 61)]
    assert judged(SHARED, *nobody, *rows).word is Word.WATCHING


def test_a_canary_that_gives_neither_counts_nor_samples_is_missed_where_nobody_asks():
    """The baseline's rows still come, with zero answers; of the canary nothing comes."""
    nobody = [ratio(t, "baseline", 0) for t in range(1, 61)]
    rows = [gauge(t, "baseline") for t in range(1, 61)]
    assert judged(SHARED, *nobody, *rows).metric == "silent"


def test_what_a_share_of_the_requests_does_not_bring_is_not_due():
    """A tenth of the requests brings no tenth of the jobs that one release alone does."""
    nobody = [ratio(t, arm, 0) for t in range(1, 61) for arm in ("canary", "baseline")]
    jobs = [
        {"t": t, "metric": "jobs", "kind": "ratio", "arm": arm, "bad": 0, "all": done}
        for t in range(1, 61)
        for arm, done in (("canary", 0), ("baseline", 50))
    ]
    assert judged(SHARED, *nobody, *jobs).word is Word.WATCHING
    assert judged(SHARED, *jobs).metric == "silent"


def test_without_a_share_a_canary_is_due_from_its_first_row():
    """A record may begin long before the release."""
    late = [ratio(t, "canary", 20) for t in range(300, 401)]
    assert judged(*baseline(180, 400), *late).word is not Word.WORSE
    assert judged(*baseline(180, 460), *late).metric == "silent"


def test_another_metric_that_counts_is_an_answer():
    """A canary whose errors nobody counts yet, and whose orders come in, is not silent."""
    orders = [
        {"t": t, "metric": "orders", "kind": "ratio", "arm": arm, "bad": 0, "all": 5}
        for t in range(1, 41)
        for arm in ("canary", "baseline")
    ]
    assert judged(SHARED, *baseline(180, 40), *orders).word is not Word.WORSE


def test_an_instance_that_falls_silent_beside_others_is_said():
    """It is named with its last moment, and is no verdict; one that speaks again is forgotten."""
    rows = [
        gauge(t, arm, name) for t in range(1, 61) for arm in ("canary", "baseline") for name in "ab"
    ]
    quiet = [
        row
        for row in rows
        if not (row["arm"] == "canary" and row["instance"] == "b" and row["t"] > 20)
    ]
    reading = judged(SHARED, *quiet)
    assert reading.word is not Word.WORSE
    (warning,) = reading.warnings
    assert warning.startswith(
        "Instance b of the canary gave no sample after 20 s, while others did"
    )
    assert judged(SHARED, *rows).warnings == ()
    assert judged(SHARED, *quiet, gauge(60, "canary", "b")).warnings == ()


def test_an_instance_that_comes_back_under_another_name_is_not_missed():
    """As many speak as ever."""
    both = [gauge(t, "baseline", "x") for t in range(1, 61)]
    canary = [gauge(t, "canary", "a") for t in range(1, 61)]
    named = [gauge(t, "canary", "b" if t < 20 else "c") for t in range(1, 61)]
    assert judged(SHARED, *both, *canary, *named).warnings == ()


def test_rows_of_both_releases_that_never_meet_are_said():
    """Half a second apart they are two moments, and nothing can be compared."""
    canary = [ratio(t + 0.5, "canary", 20) for t in range(1, 31)]
    apart = judged(SHARED, *baseline(180, 30), *canary)
    assert apart.warnings == (NEVER_BESIDE,)
    together = [ratio(t, "canary", 20) for t in range(1, 31)]
    assert judged(SHARED, *baseline(180, 30), *together).warnings == ()
