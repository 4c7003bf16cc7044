"""Which declaration of a guard holds when two stand beside each other."""

from dataclasses import replace

import pytest

from surefoot.domain.metric import Metric, MetricKind, guards_joined, loosened

ERRORS = Metric("errors", margin_ratio=2.0, margin_points=1.0)
OWN = Metric("own", MetricKind.RATIO, bad="bad_total", total="all_total")


def test_guards_are_the_live_ones_and_what_is_added():
    """A change can neither loosen nor leave out what it is judged by."""
    loose = (Metric("b"), replace(ERRORS, margin_points=9.0))
    assert guards_joined((ERRORS, OWN), loose) == (ERRORS, OWN, Metric("b"))


@pytest.mark.parametrize(
    "other",
    [
        None,
        replace(ERRORS, margin_points=1.5),
        replace(ERRORS, margin_ratio=2.5, margin_points=0.5),
        replace(ERRORS, margin_ratio=None),
        replace(OWN, name="errors"),
    ],
)
def test_what_weakens_a_guard_is_named(other):
    """Left out, wider on one side, no longer declared, or measured elsewhere."""
    assert loosened([ERRORS], [other] if other else []) == (ERRORS,)


@pytest.mark.parametrize(
    "other", [ERRORS, replace(ERRORS, margin_points=0.5), replace(ERRORS, margin_ratio=1.5)]
)
def test_what_is_as_strict_or_stricter_weakens_nothing(other):
    """A narrower margin needs nobody's word."""
    assert loosened([ERRORS], [other, OWN]) == ()


def test_a_margin_that_is_declared_where_none_was_may_be_wider():
    """The tightest that the traffic can prove is what it was before."""
    assert loosened([OWN], [replace(OWN, margin_ratio=5.0)]) == (OWN,)
    assert loosened([OWN], [OWN]) == ()
