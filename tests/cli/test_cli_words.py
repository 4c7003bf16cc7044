"""Lines that the command line makes of what the daemon told."""

from dataclasses import replace

import msgspec
import pytest
from gallery import STATES

from surefoot.cli.views import ChangeView, LevelView, MetricView, view
from surefoot.cli.words import metric_line, review_lines, why_lines

COUNTS = {"canary_bad": 0, "canary_all": 0, "baseline_bad": 0, "baseline_all": 0}


def gauge(higher, lower):
    """A gauge with this evidence for either direction."""
    level = LevelView(canary=1.2e8, baseline=0.9e8, higher=higher, lower=lower)
    return MetricView("memory", "watching", None, required=False, **COUNTS, level=level)


@pytest.mark.parametrize(
    ("higher", "lower", "said"),
    [
        (120.0, 0.1, "higher (a gauge: it advises)"),
        (0.1, 120.0, "lower (a gauge: it advises)"),
        (99.0, 0.1, "no clear difference"),
    ],
)
def test_a_gauge_is_told_by_its_direction(higher, lower, said):
    """Both means stand there, and a direction only when it is no luck."""
    line = metric_line(gauge(higher, lower))
    assert line == f"{'memory':<18} old    9e+07   new  1.2e+08   {said}"


@pytest.mark.parametrize("lines", [review_lines, lambda change: why_lines(change, ())])
def test_untested_lines_are_told_to_who_asks_why_and_to_who_reviews(lines):
    """In a sentence, with what could not be read beside it; and not where nobody counts them."""
    status = STATES["getting_ready"]
    told = lines(view(msgspec.to_builtins(status), ChangeView))
    assert f"  {status.coverage.says}" in told
    assert f"  {status.coverage.unread[0]}" in told
    nothing = view(msgspec.to_builtins(replace(status, coverage=None)), ChangeView)
    assert not any("coverage" in line for line in lines(nothing))
