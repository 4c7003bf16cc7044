"""The pictures of a change's course on its page: whole, small, harmless, and true to the rows."""

import gzip
import json
import re
from itertools import chain, combinations
from math import log
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

import surefoot
from surefoot.analysis.replay import Judged, Replay
from surefoot.analysis.ticks import Fact
from surefoot.drawing.charts import METRICS, POINTS, Chart, charts

CORPUS = sorted((Path(__file__).parents[1] / "corpus").glob("*.jsonl.gz"))
CSS = Path(surefoot.__file__).parent / "pages" / "static" / "surefoot.css"
LARGEST = 4_300  # bytes for a metric
GUARD = {"p": 0.01, "phi": 1, "margin_ratio": 2, "margin_points": 1}
HOSTILE = '</title><script>alert("1")</script>&\x1b]0;\u202e' + "x" * 400


def judged(lines: list[str]) -> Judged:
    found = Replay().take(lines)
    assert found
    return found


def recorded(file: Path) -> Judged:
    return judged(gzip.decompress(file.read_bytes()).decode().splitlines())


def plan(**metrics: dict[str, object]) -> str:
    return json.dumps({"plan": {"interval": 1, "steps": [0.1], "metrics": metrics}})


def share(t: float, part: float) -> str:
    return json.dumps({"t": t, "share": part})


def answers(t: float, metric: str, canary: float, baseline: float, part: float = 0.1) -> list[str]:
    """One second of a ratio at 200 requests/s: the fractions that are bad in both arms."""
    row = {"t": t, "metric": metric, "kind": "ratio"}
    new, old = 200 * part, 200 * (1 - part)
    return [
        json.dumps({**row, "arm": "canary", "bad": new * canary, "all": new}),
        json.dumps({**row, "arm": "baseline", "bad": old * baseline, "all": old}),
    ]


def rollout(seconds: int, *metrics: str, canary: float = 0.01) -> Judged:
    """At a tenth of the users, from half of the time on at half of them; the old fail at 1 %."""
    rows = [share(0, 0.1)]
    for t in range(1, seconds + 1):
        part = 0.1 if t < seconds // 2 else 0.5
        rows += [share(t, part)] if t == seconds // 2 else []
        rows += chain.from_iterable(answers(t, name, canary, 0.01, part) for name in metrics)
    return judged([plan(**dict.fromkeys(metrics, GUARD)), *rows])


def parsed(chart: Chart) -> ET.Element:
    return ET.fromstring(chart.svg)


def paths(chart: Chart, kind: str) -> list[str]:
    return [one.get("d", "") for one in parsed(chart).iter("path") if one.get("class") == kind]


def points(chart: Chart, kind: str) -> list[tuple[float, float]]:
    """The corners of a line: it comes first, the sample beside its label last."""
    line = max(paths(chart, kind), key=len)
    numbers = [float(one) for one in re.findall(r"-?[\d.]+", line)]
    x = y = 0.0
    found = []
    for dx, dy in zip(numbers[::2], numbers[1::2], strict=True):
        x, y = x + dx, y + dy
        found.append((x, y))
    return found


def written(chart: Chart) -> list[str]:
    return [one.text or "" for one in parsed(chart).iter("text")]


@pytest.mark.parametrize("file", CORPUS, ids=lambda file: file.name)
def test_real_courses_are_drawn_whole_and_small(file: Path):
    """Named, described, with both arms, the first share and the verdict; no style, no script."""
    course = recorded(file)
    evidence, *metrics = charts(course)
    planned = {metric.name for metric in course.result.plan.metrics}
    assert {chart.name for chart in metrics} == planned
    assert paths(evidence, "against")
    assert paths(evidence, "limit")
    was_fact = course.result.reading.metric in set(Fact)
    assert ("a plain fact decided" in evidence.says) is was_fact
    for chart in (evidence, *metrics):
        svg = parsed(chart)
        assert svg.get("role") == "img"
        assert "width" not in svg.attrib
        assert [child.tag for child in svg][:2] == ["title", "desc"]
        assert chart.says in (svg.findtext("desc") or "")
        assert {one.tag for one in svg.iter()} <= {"svg", "title", "desc", "path", "rect", "text"}
        assert not {"style", "href", "id"} & set(chain.from_iterable(e.attrib for e in svg.iter()))
        assert len(chart.svg.encode()) < LARGEST
        assert "warm" in {rect.get("class") for rect in svg.iter("rect")}
        assert "10 % at 0 s" in (svg.findtext("desc") or "")
        word = course.result.reading.word
        assert (word in written(chart)) is (word != "watching")
    for chart in metrics:
        assert paths(chart, "canary")
        assert paths(chart, "baseline")


def test_page_of_many_metrics_stays_light():
    """Twelve are drawn, what speaks against the change first, then what is required."""
    names = [f"guard_{number:02}" for number in range(15)]
    planned = plan(**{name: {**GUARD, "required": name > "guard_12"} for name in names})
    rows = [share(0, 0.1)]
    for t in range(1, 901):
        for name in names:
            late = {"guard_05": 0.3, "guard_07": 0.15}.get(name, 0) if t > 800 else 0
            rows += answers(t, name, late or t * 7 % 11 / 500, t % 4 / 150)
        rows += [share(t, 0.1), json.dumps({"t": t, "fact": "silent"})] if t > 860 else []
    drawn = charts(judged([planned, *rows]))
    assert len(drawn) == 1 + METRICS
    assert [chart.name for chart in drawn[1:5]] == ["guard_05", "guard_07", "guard_13", "guard_14"]
    assert sum(len(chart.svg.encode()) for chart in drawn) < 60_000
    for chart in drawn[1:]:
        assert POINTS / 2 < len(points(chart, "canary")) <= POINTS
        assert not re.findall(r"\d\.\d\d+[^%]", "".join(paths(chart, "canary-band")))


def test_hostile_names_stay_text():
    """Markup, controls and marks that turn the reading order are cut and shown, not obeyed."""
    (_, chart) = charts(rollout(30, HOSTILE))
    assert not list(parsed(chart).iter("script"))
    assert '<script>alert("1")</script>' in (parsed(chart).findtext("title") or "")
    assert not {"\x1b", "\u202e"} & set(chart.svg + chart.name + chart.says)
    assert len(chart.name) < 100
    assert len(chart.svg.encode()) < LARGEST


def test_marks_stand_where_things_happened():
    """The change of share half-way, the warm-up's end at 10 s, the verdict at its moment."""
    course = rollout(200, "errors")
    (_, chart) = charts(course)
    axis = re.fullmatch(r"M(\d+) (\d+)H(\d+)", *paths(chart, "axis"))
    assert axis
    left, right = float(axis[1]), float(axis[3])

    def seconds(x: float) -> float:
        return 200 * (x - left) / (right - left)

    (marks,) = paths(chart, "mark")
    moved = [seconds(float(x)) for x in re.findall(r"M([\d.]+)", marks)]
    assert moved == pytest.approx([0, 100], abs=0.1)
    (verdict,) = paths(chart, "verdict")
    at = course.result.reading.at
    assert seconds(float(verdict[1:].split()[0])) == pytest.approx(at, abs=0.1)
    (warm,) = parsed(chart).iter("rect")
    assert seconds(left + float(warm.get("width", 0))) == pytest.approx(10, abs=0.1)
    assert {"share", "10 %", "50 %", "verified", "0 s", "canary", "baseline"} <= set(written(chart))


@pytest.mark.parametrize("file", CORPUS, ids=lambda file: file.name)
def test_words_stand_beside_one_another(file: Path):
    """No word of a picture lies on another one, or half outside."""
    for chart in charts(recorded(file)):
        boxes = []
        for one in parsed(chart).iter("text"):
            wide = 6.6 * len(one.text or "")  # of letters 13 high, on the narrow side
            x, y = float(one.get("x", 0)), float(one.get("y", 0))
            x -= {"end": wide, "middle": wide / 2}.get(one.get("text-anchor", ""), 0)
            assert 0 < x < x + wide < 360
            boxes.append((x, x + wide, y - 10, y))
        for this, that in combinations(boxes, 2):
            apart = this[1] <= that[0] or that[1] <= this[0]
            assert apart or this[3] <= that[2] or that[3] <= this[2]


def test_lines_lie_where_the_rates_are():
    """The canary's line is as much higher than the baseline's as its rate."""
    (_, chart) = charts(rollout(9, "errors", canary=0.2))
    (axis,) = paths(chart, "axis")
    base = float(axis.split()[1].split("H")[0])
    canary, baseline = (base - points(chart, arm)[-1][1] for arm in ("canary", "baseline"))
    assert canary / baseline == pytest.approx(0.2 / 0.01, rel=0.05)
    assert "canary 20 %" in chart.says
    assert "baseline 1 %" in chart.says


def test_each_point_of_a_rate_tells_of_all_before_it():
    """What fails from the half on climbs, and ends where the figure beside it says."""
    rows = [share(0, 0.1)]
    for t in range(1, 41):
        rows += answers(t, "errors", 0 if t <= 20 else 0.4, 0.01)
    (_, chart) = charts(judged([plan(errors=GUARD), *rows]))
    heights = [y for _, y in points(chart, "canary")]
    assert heights == sorted(heights, reverse=True)
    assert "20 %" in written(chart)
    beside = [one for one in parsed(chart).iter("text") if one.get("text-anchor") == "end"]
    (bottom, low), (top, high) = (
        (float((one.text or "").removesuffix(" %")), float(one.get("y", 0)) - 4) for one in beside
    )
    end = bottom + (top - bottom) * (low - heights[-1]) / (low - high)
    assert end == pytest.approx(20, rel=0.02)


def test_evidence_on_its_way_is_told_beside_what_it_needs():
    """So far, of the 20 that each required metric needs, by the one that has least."""
    course = rollout(30, "errors", "checkout")
    evidence = charts(course)[0]
    least = min(metric.ok for metric in course.result.reading.metrics)
    assert 1 < least < 20
    (told,) = (word for word in written(evidence) if word.endswith(" of 20"))
    assert float(told.split()[0]) == pytest.approx(least, abs=0.1 if least < 10 else 1)
    lines = [points(evidence, "for"), points(evidence, "against")]
    (limit,) = paths(evidence, "limit")
    enough = float(limit.split()[1].split("H")[0])
    base = lines[0][0][1]
    assert (base - lines[0][-1][1]) / (base - enough) == pytest.approx(
        log(least) / log(20), rel=0.02
    )


@pytest.mark.parametrize("canary", [0.01, 0.2])
def test_evidence_crosses_what_is_needed_when_the_word_falls(canary: float):
    """The one line "enough" is reached by the side that the verdict is for, and by it alone."""
    course = rollout(200, "errors", canary=canary)
    evidence = charts(course)[0]
    (limit,) = paths(evidence, "limit")
    enough = float(limit.split()[1].split("H")[0])
    for kind, is_it in (("against", canary > 0.1), ("for", canary < 0.1)):
        assert (min(y for _, y in points(evidence, kind)) <= enough + 0.1) is is_it
    assert "where 100 means worse" in evidence.says


def test_gauges_are_drawn_as_they_were_at_each_time():
    """The mean of the instances between the least and the most, and its last value beside it."""
    rows = [share(0, 0.1)]
    for t in range(1, 101):
        for arm, value in (("canary", 2e6 * t), ("baseline", 5e7)):
            row = {"t": t, "metric": "memory", "kind": "gauge", "arm": arm}
            rows += [json.dumps({**row, "instance": i, "value": value}) for i in "ab"]
    (_, chart) = charts(judged([plan(memory={"kind": "gauge"}), *rows]))
    assert "200 M" in written(chart)
    assert "50 M" in written(chart)
    heights = [y for _, y in points(chart, "canary")]
    assert heights == sorted(heights, reverse=True)


def test_figures_without_measure_draw_something():
    """What a service may say of itself in its last moments is no reason for a page to fail."""
    rows = [share(0, 0.1)]
    for t in range(1, 130):
        for arm in ("canary", "baseline"):
            row = {"t": t, "arm": arm}
            gauge = json.dumps({**row, "metric": "g", "kind": "gauge", "value": (-1) ** t * 1e30})
            ratio = json.dumps({**row, "metric": "r", "kind": "ratio", "bad": 1e25, "all": 1e30})
            rows += [gauge, gauge, ratio]
    drawn = charts(judged([plan(g={"kind": "gauge"}, r={"p": 0.01}), *rows]))
    assert len(drawn) == 3
    for chart in drawn:
        given = chain.from_iterable(one.attrib.values() for one in parsed(chart).iter())
        assert not re.search("nan|inf", " ".join(given))


def test_nothing_is_drawn_before_the_first_user():
    """A plan alone, or a share of nothing, is no course; a silent metric is drawn as one."""
    assert charts(judged([plan(errors={})])) == ()
    assert charts(judged([plan(errors={}), share(0, 0)])) == ()
    (_, chart) = charts(judged([plan(errors={}), share(0, 0.1)]))
    assert "no figures yet" in chart.says
    assert not paths(chart, "canary")


def test_every_class_has_its_rule():
    """No part of a picture is left without a colour, and no rule without a part."""
    drawn = chain.from_iterable(charts(recorded(file)) for file in CORPUS)
    used = {one.get("class") for chart in drawn for one in parsed(chart).iter()} - {None}
    rules = " ".join(re.findall(r"^ *(\.chart\b.*?){", CSS.read_text(), re.MULTILINE))
    assert set(re.findall(r"\.([a-z][a-z-]*)", rules)) == used
