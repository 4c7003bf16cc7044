"""The simulation and the page made of it."""

from math import inf
from xml.etree import ElementTree as ET

import pytest
from rivals.cells import Cell, grid, stresses
from rivals.chart import chart
from rivals.contest import OURS, PATIENT, RULES, Outcome, Score, Tally, contest, scores
from rivals.page import page
from rivals.report import Results
from rivals.rule import Record
from rivals.worlds import Site, World
from simulated import Dice

BROKEN = World(50, 0.01, ((0, 0.5),), 120, canary_p=0.5)
HEALTHY = World(50, 0.01, ((0, 0.5),), 120)


def site(world, seconds):
    made, record = Site(world, Dice("site")), Record()
    for _ in range(seconds):
        made.advance(record)
    return record


def test_traffic_has_the_rates_that_were_asked_for():
    """Over two hours: requests within 1 %, errors within four standard errors of theirs."""
    record = site(World(100, 0.01, ((0, 0.1),), 7200, canary_p=0.03, harm_from=3600), 7200)
    early, late = record.canary.between(0, 3600), record.canary.between(3600, 7200)
    assert early.all == pytest.approx(36_000, rel=0.03)
    assert record.baseline.between(0, 7200).all == pytest.approx(648_000, rel=0.01)
    assert early.rate == pytest.approx(0.01, abs=4 * (0.01 / 36_000) ** 0.5)
    assert late.rate == pytest.approx(0.03, abs=4 * (0.03 / 36_000) ** 0.5)


def test_bursts_scatter_nine_times_as_much_at_the_same_rate():
    """Geometric storms of five: the variance of errors in a block over their mean is about 9."""
    record = site(World(100, 0.01, ((0, 0.5),), 7200, bursts=True), 7200)
    blocks = [record.baseline.between(t, t + 60).bad for t in range(0, 7200, 60)]
    mean = sum(blocks) / len(blocks)
    scatter = sum((block - mean) ** 2 for block in blocks) / (len(blocks) - 1) / mean
    assert mean == pytest.approx(30, rel=0.15)
    assert 5 < scatter < 15


def test_drift_moves_both_releases_alike():
    """The last quarter fails well over twice as often as the first, in both."""
    record = site(World(100, 0.01, ((0, 0.5),), 7200, drifts=True), 7200)
    for stream in (record.canary, record.baseline):
        assert stream.between(5400, 7200).rate > 2 * stream.between(0, 1800).rate


def test_every_rule_sees_a_release_that_is_half_broken():
    """Those that look within two minutes say BAD; the judge within seconds, and not *verified*."""
    found = contest(BROKEN, "1")
    assert set(found) == set(RULES)
    assert found[OURS].bad_at <= 10
    for rule in ("its bare test", "Lindon-Malek", "z each second", "Argo, inline"):
        assert found[rule].bad_at <= 60
    assert found["Flagger, default"].bad_at == 120
    assert found["Kayenta, once"] == Outcome(inf, inf)


def test_a_seed_gives_the_same_rollout():
    """The same world and number, the same outcomes; another number, others."""
    assert contest(BROKEN, "1") == contest(BROKEN, "1")
    assert contest(BROKEN, "1") != contest(BROKEN, "2")


def test_outcomes_are_counted_from_the_harm():
    """Early alarms, misses, delays and words of success are kept apart."""
    outcomes = (Outcome(50, inf), Outcome(130, 120), Outcome(inf, 90), Outcome(110, inf))
    score = Score(outcomes, harm_from=100)
    assert score.early == Tally(1, 4)
    assert score.missed == Tally(1, 4)
    assert score.delays == [10, 30, inf]
    assert score.mean == 20
    assert score.p90 == inf
    assert score.good == Tally(2, 4)
    assert score.bad_before_good == Tally(2, 4)


def test_intervals_are_wilsons():
    """10 of 100: 5.5 % to 17.4 %; none of 100 still leaves 3.7 % (Wilson 1927)."""
    assert Tally(10, 100).interval == pytest.approx((0.0552, 0.1744), abs=1e-4)
    assert Tally(0, 100).interval == pytest.approx((0.0, 0.0370), abs=1e-4)


def test_the_grid_is_that_of_the_specification():
    """Two rates, three harms, three shares, three rates of requests, and each without harm."""
    cells = grid()
    assert sum(cell.kind == "harm" for cell in cells) == 54
    assert {cell.healthy for cell in cells} == {c.world for c in cells if c.kind == "null"}
    assert {cell.kind for cell in stresses()} == {"stress", "late"}
    named = {cell.name: cell for cell in cells}
    assert named["1.0%, share 10%, 100/s, 2x"].bound == pytest.approx(134, abs=1)


def outcomes(bad_at, good_at=inf):
    return [{name: Outcome(bad_at.get(name, inf), good_at) for name in (*RULES, PATIENT)}] * 20


def made_up(bad_when_harmed, bad_when_healthy):
    stress = Cell("stress", "steady", HEALTHY)
    cells = [
        (Cell("harm", "broken", BROKEN), outcomes(bad_when_harmed)),
        (Cell("null", "healthy", HEALTHY), outcomes(bad_when_healthy)),
        (stress, outcomes({})),
        (Cell("late", "later", BROKEN), outcomes(bad_when_harmed)),
    ]
    return Results([(cell, scores(cell.world, found)) for cell, found in cells], [])


def test_the_page_says_where_another_rule_wins():
    """Sooner and as sound is said so; sooner and restoring the healthy is said with its price."""
    rival, noisy = "Lindon-Malek", "z each second"
    told = page(
        made_up({OURS: 20, rival: 10, noisy: 5}, {noisy: 30}), "python benchmarks/compare.py", 20
    )
    words = told.split("## All rules")[0]
    assert f"**{rival}** sees harm sooner, and misses no more, in 1 of 1 cells" in words
    assert "not provably above 1 %: broken." in words
    assert f"**{noisy}** sees harm sooner" in words
    assert "beyond doubt too often" in words
    assert "**Kayenta, once**" not in words


def test_the_page_says_where_ours_restores_the_healthy():
    """A cell in which our false restores are provably above 1 % is named, with who does better."""
    told = page(made_up({}, {OURS: 30}), "python benchmarks/compare.py", 20)
    assert "**healthy**: Surefoot restores 100 % (84 % to 100 %) of healthy releases" in told


def test_the_picture_is_well_formed_and_carries_its_command():
    """An SVG with one row for each rule and the command that makes it."""
    picture = chart(made_up({OURS: 20}, {}), "python benchmarks/compare.py --write docs")
    texts = [element.text for element in ET.fromstring(picture).iter()]
    assert set(RULES) <= set(texts)
    assert "Made by: python benchmarks/compare.py --write docs" in texts
