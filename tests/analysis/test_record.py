"""Evidence as a file: read back exactly, judged again with the same result, refused in words."""

import json
import random
import re
from contextlib import suppress
from dataclasses import fields
from itertools import product
from math import inf
from pathlib import Path

import pytest
from analysis_streams import Service, judged, plan_of, rollout
from hypothesis import given
from hypothesis import strategies as st

from surefoot.analysis.expect import Expectation
from surefoot.analysis.latency import Bound
from surefoot.analysis.plan import JudgePlan, MetricPlan
from surefoot.analysis.planrow import METRIC_KEYS, PLAN_KEYS
from surefoot.analysis.record import (
    judge_lines,
    parse_line,
    plan_from_row,
    plan_to_json,
    plan_to_row,
    row_to_json,
)
from surefoot.analysis.ticks import (
    LARGEST,
    Arm,
    Fact,
    FactRow,
    GapRow,
    GaugeTick,
    LatencyTick,
    RatioTick,
    ShareRow,
)
from surefoot.domain.errors import BadEvidence
from surefoot.domain.verdict import Margin, PromiseReading, Word

times = st.floats(0, 1e6)
names = st.from_regex(r"[a-z_]{1,12}", fullmatch=True)
arms = st.sampled_from(Arm)
fractions = st.floats(1e-6, 1)


@st.composite
def ratio_ticks(draw):
    everything = draw(st.integers(0, 10**9))
    bad = draw(st.integers(0, everything))
    return RatioTick(draw(times), draw(names), draw(arms), bad, everything)


@st.composite
def latency_ticks(draw):
    bounds = sorted(draw(st.sets(st.floats(1e-4, 60), max_size=6)))
    counts = sorted(draw(st.lists(st.integers(0, 999), min_size=len(bounds), max_size=len(bounds))))
    le = dict(zip(bounds, counts, strict=True))
    return LatencyTick(draw(times), draw(names), draw(arms), {**le, inf: 1000})


rows = st.one_of(
    ratio_ticks(),
    latency_ticks(),
    st.builds(
        GaugeTick, times, names, st.none() | names, arms, st.floats(-1e9, 1e9, allow_nan=False)
    ),
    st.builds(ShareRow, times, st.floats(0, 1)),
    st.builds(FactRow, times, st.sampled_from(Fact)),
    st.builds(GapRow, times, st.floats(0, 1e6)),
)

bounds = st.builds(
    Bound,
    **{name: st.floats(1e-3, 60) for name in ("x", "y", "z", "gate_z")},
    **dict.fromkeys(("d", "gate_d", "slower_x", "slower_z", "slower_gate"), fractions),
    coarse=st.booleans(),
    phi=st.none() | st.floats(1, 20),
)
metrics = st.builds(
    MetricPlan,
    name=names,
    kind=st.sampled_from(["ratio", "latency"]),
    phi=st.floats(1, 20),
    margin=st.none()
    | st.builds(Margin, st.floats(1, 9), st.floats(0, 99), st.sampled_from("ABCDE")),
    p=st.none() | fractions,
    required=st.booleans(),
    worse=st.sampled_from(["higher", "lower"]),
    group=st.sampled_from(["errors", "latency", "declared"]),
    bounds=st.lists(bounds, max_size=3).map(tuple),
    rate=st.none() | st.floats(0, 1e6),
    watched=st.booleans(),
)
plans = st.builds(
    JudgePlan,
    time_limit=st.floats(1, 1e6),
    steps=st.lists(st.floats(0.01, 0.99), max_size=4).map(lambda steps: tuple(sorted(steps))),
    alpha_worse=st.floats(1e-6, 1),
    alpha_ok=st.floats(1e-6, 1),
    warm_up=st.floats(0, 600),
    interval=st.none() | st.floats(0.1, 60),
    largest_margin=st.floats(0, 10),
    metrics=st.lists(metrics, max_size=4, unique_by=lambda metric: metric.name).map(tuple),
    expect=st.lists(
        st.builds(
            Expectation,
            names.filter(lambda name: "_p" not in name),
            st.sampled_from(["falls", "rises", "above"]),
            st.integers(0, 10**6).map(float),
        ),
        max_size=2,
    ).map(tuple),
    sticky=st.booleans(),
)


@given(rows)
def test_every_row_comes_back_exactly(row):
    """A row written and read is the same row."""
    assert parse_line(row_to_json(row), 1) == row


@given(plans)
def test_every_plan_comes_back_exactly(plan):
    """A plan written and read is the same plan."""
    assert parse_line(plan_to_json(plan), 1) == plan
    assert plan_from_row(plan_to_row(plan)) == plan


def test_recorded_rollout_is_judged_again_alike():
    """The file of a rollout gives the very reading that the live judge gave."""
    dice = random.Random(3)
    service = Service(latency=True, canary=0.04)
    plan = plan_of(service, dice)
    reading, told = rollout(service, dice, plan)
    result = judge_lines([plan_to_json(plan), *(row_to_json(row) for row in told)])
    assert result.reading == reading
    assert result.plan == plan
    assert reading == judged(plan, told)


def test_examples_of_the_format_are_read():
    """The rows of the format's description mean what it says."""
    ratio = '{"t": 12.0, "metric": "e", "kind": "ratio", "arm": "canary", "bad": 3, "all": 210}'
    assert parse_line(ratio, 1) == RatioTick(12, "e", Arm.CANARY, 3, 210)
    latency = (
        '{"t": 1, "metric": "l", "kind": "latency", "arm": "baseline",'
        ' "le": {"0.1": 120, "+Inf": 200}}'
    )
    assert parse_line(latency, 1) == LatencyTick(1, "l", Arm.BASELINE, {0.1: 120, inf: 200})
    gauge = (
        '{"t": 1, "metric": "m", "kind": "gauge", "arm": "canary", "instance": "a", "value": 1.2e8}'
    )
    assert parse_line(gauge, 1) == GaugeTick(1, "m", "a", Arm.CANARY, 1.2e8)
    assert parse_line('{"t": 0, "share": 0.1}', 1) == ShareRow(0, 0.1)
    assert parse_line('{"t": 9, "fact": "crash_loop"}', 1) == FactRow(9, Fact.CRASH_LOOP)
    assert parse_line('{"t": 9, "gap": 3}', 1) == GapRow(9, 3)
    plan = parse_line(
        '{"plan": {"time_limit": 900, "steps": [0.1, 0.5], "alpha_worse": 0.01, "alpha_ok": 0.05,'
        ' "warm_up": 10, "metrics": {"errors": {"phi": 1.0, "margin_ratio": 1.5,'
        ' "margin_points": 0.5, "required": true}}}}',
        1,
    )
    assert isinstance(plan, JudgePlan)
    assert plan.metrics[0].margin == Margin(1.5, 0.5, "declared")
    assert plan.metrics[0].group == "errors"
    assert parse_line('{"plan": {}}', 1) == JudgePlan()


def ratio_lines(seconds: int, canary: tuple[int, int], baseline: tuple[int, int], start: int = 0):
    """Lines of errors in both arms, from `start` on."""
    return [
        json.dumps({"t": t, "metric": "errors", "kind": "ratio", "arm": arm, "bad": bad, "all": n})
        for t in range(start, start + seconds)
        for arm, (bad, n) in (("canary", canary), ("baseline", baseline))
    ]


def test_file_without_a_plan_is_judged():
    """Without plan and shares, time starts at the first tick and the first minute is history."""
    result = judge_lines(ratio_lines(400, (1, 100), (1, 100), start=5000))
    assert result.reading.word is Word.VERIFIED
    assert 60 < result.reading.at < 400
    assert result.plan.steps == (0.5,)
    assert result.plan.interval == 1
    worse = judge_lines(ratio_lines(30, (5, 20), (2, 180), start=5000))
    assert worse.reading.word is Word.WORSE
    assert worse.reading.at < 30


def test_only_what_the_plan_leaves_out_is_filled_in():
    """A plan with some keys keeps them; the rest comes from the rows."""
    lines = ['{"plan": {"metrics": {"errors": {"phi": 1}}}}', '{"t": 0, "share": 0.2}']
    lines += ratio_lines(100, (0, 20), (0, 80), start=1)
    plan = judge_lines(lines).plan
    assert plan.steps == (0.2,)
    assert plan.metrics[0].phi == 1
    assert plan.metrics[0].p is not None


def test_rung_and_judged_bounds_may_be_given():
    """A plan may name a rung by its letter and latency bounds in seconds."""
    plan = plan_from_row(
        {"plan": {"metrics": {"errors": {"rung": "C"}, "latency": {"bounds": [0.1, 0.5]}}}}
    )
    assert plan.metrics[0].margin == Margin(3, 2, "C")
    assert plan.metrics[1].judged == (0.1, 0.5)
    assert plan.metrics[1].kind == "latency"


@pytest.mark.parametrize("kind", ["ratio", "latency", "gauge"])
def test_the_largest_numbers_are_judged(kind: str) -> None:
    """Nothing that a line may hold overflows, however long it is added up."""
    lines = [json.dumps({"t": 0, "share": 0.5})]
    for t, arm in product(range(1, 200), Arm):
        much = {"bad": 0.0 if arm is Arm.BASELINE else LARGEST, "all": LARGEST}
        slow = {"le": {"0.1": much["bad"], "1": LARGEST, "+Inf": LARGEST}}
        level = {"instance": "a", "value": LARGEST * (-1) ** t}
        row = {"ratio": much, "latency": slow, "gauge": level}[kind]
        lines.append(json.dumps({"t": t, "metric": "m", "kind": kind, "arm": arm, **row}))
    told = judge_lines(lines)
    assert (told.reading.word is Word.WORSE) == (kind == "ratio")
    json.dumps(told.as_json(), allow_nan=False)


def test_json_has_the_promised_keys():
    """The object for `--json` holds exactly the promised keys, and is JSON."""
    expects = '{"plan": {"expect": ["errors falls by 5%"]}}'
    told = judge_lines([expects, *ratio_lines(30, (5, 20), (0, 180))]).as_json()
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    keys = {"verdict", "at", "metric", "because", "evidence", "ratio", "metrics", "promises"}
    assert set(told) == keys | {"warnings"}
    assert told["verdict"] == "worse"
    assert told["ratio"][1] is None
    (promise,) = told["promises"]
    assert (promise["expects"], promise["metric"], promise["kind"], promise["met"]) == (
        *("errors falls by 5%", "errors", "ratio"),
        False,
    )
    assert set(promise) == {f.name for f in fields(PromiseReading)}
    errors = told["metrics"]["errors"]
    assert set(errors) == {"verdict", "margin", "harm", "ok", "required", "ratio", "level"}


def test_every_key_of_a_plan_is_documented():
    """The page about records tells each key of a plan and of its metrics, with no other."""
    page = (Path(__file__).parents[2] / "docs" / "judge.md").read_text()
    tables = page.split("### The plan")[1]
    told = set(re.findall(r"^\| `(\w+)` \|", tables, re.MULTILINE))
    assert told == {*PLAN_KEYS, *METRIC_KEYS}


GOOD = '{"t": 0, "share": 0.1}'
TICK = '"t": 1, "metric": "m", "arm": "canary"'


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("not json", "JSON"),
        ("[1]", "object"),
        ("[" * 100_000, "nested"),
        ('{"t": NaN, "share": 0.1}', "NaN"),
        ('{"t": 1e999, "share": 0.1}', "`t`"),
        ('{"share": 0.1}', "`t`"),
        ('{"t": 1, "share": 2}', "`share`"),
        ('{"t": 1, "share": "much"}', "`share`"),
        ('{"t": 1, "fact": "bored"}', "`fact`"),
        ('{"t": 1, "gap": -1}', "`gap`"),
        ('{"t": 1}', "`metric`"),
        (f'{{{TICK}, "kind": "sum"}}', "`kind`"),
        ('{"t": 1, "metric": "m", "kind": "ratio", "arm": "left"}', "`arm`"),
        (f'{{{TICK}, "kind": "ratio", "bad": 3, "all": 2}}', "`bad`"),
        (f'{{{TICK}, "kind": "ratio", "bad": -1, "all": 2}}', "`bad`"),
        (f'{{{TICK}, "kind": "ratio", "bad": true, "all": 2}}', "`bad`"),
        (f'{{{TICK}, "kind": "ratio", "all": 2}}', "`bad`"),
        (f'{{{TICK}, "kind": "latency", "le": {{"0.1": 3}}}}', "Inf"),
        (f'{{{TICK}, "kind": "latency", "le": {{"0.1": 3, "+Inf": 2}}}}', "fall"),
        (f'{{{TICK}, "kind": "latency", "le": {{"soon": 3, "+Inf": 4}}}}', "soon"),
        (f'{{{TICK}, "kind": "latency", "le": 7}}', "object"),
        (f'{{{TICK}, "kind": "gauge"}}', "`value`"),
        (f'{{{TICK}, "kind": "gauge", "value": -1e308}}', "`value`"),
        (f'{{{TICK}, "kind": "ratio", "bad": 0, "all": 1e308}}', "`all`"),
        (f'{{{TICK}, "kind": "latency", "le": {{"+Inf": 1e308}}}}', "`+Inf`"),
        ('{"t": -1, "share": 0.1}', "order of time"),
        ('{"plan": {}}', "first line"),
    ],
)
def test_bad_line_is_named_with_its_cure(line, told):
    """A line that cannot be read is refused, with its number, what is wrong and what to do."""
    with pytest.raises(BadEvidence) as refused:
        judge_lines([GOOD, "", line])
    assert "ine 3" in refused.value.message
    assert told in str(refused.value)
    assert refused.value.cure


@pytest.mark.parametrize(
    ("plan", "told"),
    [
        ("7", "object"),
        ('{"time_limit": 0}', "`time_limit`"),
        ('{"steps": [0.5, 0.1]}', "`steps`"),
        ('{"steps": [2]}', "`steps`"),
        ('{"steps": 0.5}', "`steps`"),
        ('{"alpha_ok": 2}', "`alpha_ok`"),
        ('{"margin_points": 1}', "margin_points"),
        ('{"sticky": "yes"}', "`sticky`"),
        ('{"expect": ["errors go away"]}', "errors go away"),
        ('{"expect": [1]}', "`expect`"),
        ('{"metrics": {"errors": {"phi": 0.5}}}', "`phi`"),
        ('{"metrics": {"errors": {"margin_ratio": 0.5}}}', "`margin_ratio`"),
        ('{"metrics": {"errors": {"rung": "Z"}}}', "`rung`"),
        ('{"metrics": {"errors": {"margin": 3}}}', "margin"),
        ('{"metrics": {"latency": {"bounds": [-1]}}}', "`bounds`"),
        ('{"metrics": {"latency": {"bounds": [{"x": 1}]}}}', "`y`"),
        ('{"metrics": {"errors": 3}}', "object"),
    ],
)
def test_bad_plan_is_named_with_its_cure(plan, told):
    """A plan that cannot be used is refused, with its line, what is wrong and what to do."""
    with pytest.raises(BadEvidence) as refused:
        judge_lines([f'{{"plan": {plan}}}', GOOD])
    assert "ine 1" in refused.value.message
    assert told in str(refused.value)
    assert refused.value.cure


def test_all_bad_lines_are_named_and_counted():
    """A file with several bad lines names each once, counts those beyond ten, and is not judged."""
    lines = [GOOD, "x", *ratio_lines(1, (0, 1), (0, 1), start=1), '{"t": 0, "gap": 1}', "y"]
    with pytest.raises(BadEvidence) as refused:
        judge_lines(lines)
    told = refused.value.message.splitlines()
    assert told[0] == "3 lines."
    assert [line.split()[1] for line in told[1:]] == ["2", "5:", "6"]
    with pytest.raises(BadEvidence, match=r"9,991 more") as refused:
        judge_lines([GOOD, *["x"] * 10_001])
    assert len(str(refused.value)) < 2_000


def test_lines_that_can_be_read_once_are_refused():
    """An iterator would be empty when it is gone through again, and so judged as nothing."""
    with pytest.raises(TypeError, match="twice"):
        judge_lines(iter([GOOD]))


def test_two_kinds_of_one_metric_are_refused():
    """A metric that changes its kind is refused, at the line where it does."""
    lines = ratio_lines(1, (0, 1), (0, 1))
    lines.append(
        '{"t": 1, "metric": "errors", "kind": "latency", "arm": "canary", "le": {"+Inf": 1}}'
    )
    with pytest.raises(BadEvidence, match="Line 3"):
        judge_lines(lines)


def test_nothing_is_no_evidence():
    """A file without a row is refused."""
    with pytest.raises(BadEvidence, match="no evidence"):
        judge_lines(["", "  "])


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text):
    """No line makes the reader fail in another way than by refusing it."""
    with suppress(BadEvidence):
        assert parse_line(text, 4) is not None
