"""Argo Rollouts' and Flagger's rules, against what their documentation says of its examples."""

from math import nan

from rivals.rule import Answer, Counts, Record, Said

from rivals import argo, flagger


def serve(record, seconds, bad, all_=100):
    for _ in range(seconds):
        record.t += 1
        record.canary.add(Counts(bad, all_))


def said_by(rule, *stretches):
    """What the rule says, and when, as stretches of (seconds, bad of 100) go by."""
    record, said = Record(), []
    for seconds, bad in stretches:
        for _ in range(seconds):
            serve(record, 1, bad)
            if record.t % rule.every == 0 and (one := rule.look(record)):
                said.append(one)
                if one.answer is Answer.BAD:
                    return said
    return said


def test_argo_fails_when_failures_exceed_the_limit_in_a_row_or_not():
    """failureLimit 3 is exceeded by the fourth failed measurement, whatever lay between."""
    rule = argo.documented()
    outcomes = [rule.measure(success) for success in (0.9, 1.0, 0.94, 0.96, 0.9, 0.95, 0.5)]
    assert outcomes == [False, False, False, False, False, False, True]


def test_argo_bears_no_failure_by_default():
    """failureLimit is 0 unless set: the first failed measurement aborts."""
    assert said_by(argo.inline(), (60, 0), (60, 6)) == [Said(Answer.BAD, 90)]
    assert argo.inline().measure(nan)


def test_argo_passes_after_its_count_or_its_steps():
    """Five measurements 60 s apart; or four steps of ten minutes."""
    assert said_by(argo.inline(), (300, 5)) == [Said(Answer.GOOD, 270)]
    assert said_by(argo.documented(), (2400, 5)) == [Said(Answer.GOOD, 2400)]


def test_argo_sees_only_what_lies_between_two_scrapes():
    """A burst between measurements goes unseen, as irate looks at the last two samples."""
    assert said_by(argo.inline(), (31, 0), (40, 100), (199, 0)) == [Said(Answer.GOOD, 270)]


def test_flagger_rolls_back_at_the_pass_after_the_last_failed_check():
    """One failed check by default; the next pass of the scheduler acts on it."""
    assert said_by(flagger.default(), (60, 0), (600, 2)) == [Said(Answer.BAD, 180)]
    assert said_by(flagger.documented(), (1200, 2)) == [Said(Answer.BAD, 660)]


def test_flagger_counts_failures_over_the_whole_analysis():
    """Failed checks add up though good ones lie between; 99 % itself is good."""
    rule = flagger.tutorial()
    passes = [rule.check(success) for success in (98, 99, 98, 100, 98, 98, 99, 98, 100)]
    assert passes == [False] * 8 + [True]


def test_flagger_takes_no_traffic_for_a_failure():
    """No value, or NaN, halts the advancement and counts."""
    assert [flagger.default().check(nan), flagger.Flagger(1, failed=1).check(100)] == [False, True]


def test_flagger_promotes_with_the_tenth_pass():
    """stepWeight 5 up to maxWeight 50: ten good checks, a failed one waits."""
    assert said_by(flagger.documented(), (600, 1)) == [Said(Answer.GOOD, 600)]
    assert said_by(flagger.documented(), (60, 2), (600, 1)) == [Said(Answer.GOOD, 660)]
