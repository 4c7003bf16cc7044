"""Metrics pages are read as Prometheus would read them, and only as far as asked."""

import math

import pytest

from surefoot.adapters.telemetry.exposition import buckets, read_page, selector, total
from surefoot.domain.errors import Refused

PAGE = r"""
# HELP checkout_total Checkouts, by "outcome" \ path
# TYPE checkout_total counter
checkout_total{outcome="error",path="/a}b{c"} 3
checkout_total{outcome="ok",path="C:\\dir\n\"x\""} 1.5e2 1700000000000
checkout_total{ outcome = "ok" , path = "#", } +40
checkout_total_by_hand 999
checkout_totals 999
# TYPE lazy_total counter
# TYPE lonely counter
queue_length NaN
huge_total 1e308
temperature{room="a"} -3.5
broken{room="a" 3
broken{room="b"} three
exemplar_total{kind="a"} 17 # {trace_id="KOO5S4vxi0o"} 0.67 1520879607.789
# TYPE wait_seconds histogram
wait_seconds_bucket{le="0.1",kind="a"} 1
wait_seconds_bucket{le="+Inf",kind="a"} 4
wait_seconds_bucket{le="1e-1",kind="b"} 10
wait_seconds_bucket{le="+Inf",kind="b"} 10
wait_seconds_sum 12
wait_seconds_count 14
# TYPE empty_seconds histogram
huge_seconds_bucket{le="+Inf"} 1e308
# EOF
"""


@pytest.mark.parametrize("line", ["# HELP ", "# TYPE ", "# HELP", "#", "# TYPE  "])
def test_a_line_without_its_name_announces_nothing(line):
    """A page that is odd in one line is still read."""
    assert summed("checkout_total", f"{line}\n{PAGE}") == 193.0


def summed(text: str, page: str = PAGE) -> float | None:
    wanted = selector(text)
    return total(read_page(page, {wanted.name}), wanted)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("checkout_total", 193.0),
        ('checkout_total{outcome="error"}', 3.0),
        ('checkout_total{outcome!="error"}', 190.0),
        ('checkout_total{outcome="ok", path="#"}', 40.0),
        (r'checkout_total{path="C:\\dir\n\"x\""}', 150.0),
        ('checkout_total{path="/a}b{c",}', 3.0),
        ('checkout_total{room!="a"}', 193.0),
        ('checkout_total{room=""}', 193.0),
        ('temperature{room="a"}', -3.5),
        ("exemplar_total", 17.0),
    ],
)
def test_sums_what_is_selected(text, value):
    """All series with the name and the labels are summed, whatever stands in their labels."""
    assert summed(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('checkout_total{outcome="refused"}', 0.0),
        ('lazy_total{outcome="error"}', 0.0),
        ("lonely_total", 0.0),
        ("never_heard_of", None),
        ("checkout", None),
        ("queue_length", None),
        ("huge_total", None),
        ("broken", None),
    ],
)
def test_zero_only_when_the_metric_is_known(text, value):
    """A child that nobody counted yet is zero while its metric is there; all else is unknown."""
    assert summed(text) == value


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_odd_line_ends(newline):
    """Windows line ends, and separators inside a label that are no line ends, do no harm."""
    page = newline.join(["a_total 1", 'a_total{x="\u2028\x0b"} 2', "b 1"])
    assert summed("a_total", page) == 3.0


def test_histograms_are_summed_by_bound():
    """Buckets of all series that are meant are added, bounds compared as numbers."""
    page = read_page(PAGE, {"wait_seconds_bucket", "empty_seconds_bucket"})
    assert buckets(page, selector("wait_seconds")) == {0.1: 11.0, math.inf: 14.0}
    assert buckets(page, selector('wait_seconds{kind="a"}')) == {0.1: 1.0, math.inf: 4.0}
    assert buckets(page, selector("empty_seconds")) == {}
    assert buckets(page, selector("no_seconds")) is None
    assert buckets(read_page(PAGE, {"huge_seconds_bucket"}), selector("huge_seconds")) is None


@pytest.mark.parametrize(
    "text",
    ["", "9lives", "a{", 'a{b="c"', "a{b=c}", 'a{b=~"c"}', "rate(a[5m])", 'a{b="c" d="e"}', "a b"],
)
def test_what_is_no_selector(text):
    """What is not a series name with label matches is refused, and the right form is shown."""
    with pytest.raises(Refused, match="Write a name"):
        selector(text)


def test_only_what_is_asked_for_is_parsed():
    """Lines of other metrics may be malformed in any way."""
    page = "other{{{{ \\\n" * 10 + "mine 2\n" + "\0garbage"
    assert summed("mine", page) == 2.0
