"""A judgement as one SVG: the evidence against its thresholds, and both arms of each metric.

It needs nothing beside itself, follows the reader's light or dark, and tells the arms apart by
dashes as well as by colour. Its size is bounded: a course has at most 240 stretches, and at most
twelve metrics are drawn.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape  # that of `xml` loads an HTTP client
from math import ceil, inf, log10, sqrt
from typing import Literal

from surefoot.analysis.course import Course, Stretch, Timed
from surefoot.analysis.explain import amount
from surefoot.analysis.plan import MetricPlan
from surefoot.analysis.record import JudgeResult
from surefoot.analysis.ticks import Arm
from surefoot.analysis.words import margin_in_words
from surefoot.domain.text import clean
from surefoot.drawing.figures import span

__all__ = ["picture"]

_WIDTH, _LEFT, _RIGHT = 760, 64, 20
_HEAD, _PANEL, _HIGH, _FOOT = 92, 148, 92, 40
_MOST_PANELS = 12
_LONGEST = 90  # letters of a line
_LEAST, _MOST = 0.1, 1e6  # the evidence that is drawn
_Z = 1.959963984540054  # 95 % of the standard normal
_USUAL_SLOW = 0.05  # where no bound is judged, the one that so many answers exceed is drawn
_NO_XML = re.compile(r"[\x00-\x08\x0b-\x1f\ufffe\uffff]")  # XML 1.0, section 2.2

_STYLE = """
text{font:12px system-ui,sans-serif;fill:#1f2328}
.ground{fill:#fff}.big{font-size:16px;font-weight:600}.head{font-weight:600}
.small{fill:#57606a;font-size:11px}
.axis{stroke:#8c959f;fill:none}.mark{stroke:#8c959f;fill:none;stroke-dasharray:1 3}
.limit{stroke:#cf222e;fill:none;stroke-dasharray:6 3}
.evidence{stroke:#1f2328;fill:none;stroke-width:1.6}
.canary{stroke:#bc4c00;fill:none;stroke-width:1.8}
.baseline{stroke:#0969da;fill:none;stroke-width:1.8;stroke-dasharray:5 2}
.canary-band{fill:#bc4c00;fill-opacity:.18}.baseline-band{fill:#0969da;fill-opacity:.18}
@media (prefers-color-scheme:dark){
text{fill:#e6edf3}.ground{fill:#0d1117}.small{fill:#9198a1}
.limit{stroke:#ff7b72}.evidence{stroke:#e6edf3}
.canary{stroke:#ffa657}.baseline{stroke:#79c0ff}
.canary-band{fill:#ffa657}.baseline-band{fill:#79c0ff}}
"""

_BANDS = "bands: 95 % of each arm by itself (Wilson, widened by phi); they decide nothing"
_TIMES = 8  # at most so many on the axis
_ROUND = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 43200, 86400)
_COUNTED = {"higher": "bad", "lower": "good"}

Point = tuple[float, float, float, float]  # seconds, value, and the interval's two ends
Values = Callable[[MetricPlan, Arm, Sequence[Stretch]], Iterator[Point]]


@dataclass(frozen=True, slots=True)
class _Panel:
    """One diagram: what it is, the lines in it by their class, and where its numbers lie."""

    title: str
    says: str
    lines: Mapping[str, Sequence[Point]]
    scale: Callable[[float], float]  # value to 0 (bottom) .. 1 (top)
    labels: Sequence[tuple[float, str]]
    limit: tuple[float, str] | None = None


def picture(result: JudgeResult, course: Course) -> str:
    """The whole SVG document of a judgement that `course` was shown."""
    panels = [*_evidence_panels(result, course), *_metric_panels(result, course)]
    height = _HEAD + _PANEL * len(panels) + _FOOT
    start = course.stretches[0].start if course.stretches else 0.0
    end = max(course.stretches[-1].end if course.stretches else 1.0, start + 1e-9)

    def x(at: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * min(max((at - start) / (end - start), 0), 1)

    reading = result.reading
    title = f"{str(reading.word).upper()} after {span(reading.at)}"
    size = f'width="{_WIDTH}" height="{height}" viewBox="0 0 {_WIDTH} {height}"'
    body = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="title desc">',
        f'<title id="title">{_text(title)}</title>',
        f'<desc id="desc">{_text(_described(panels, reading.because), 2000)}</desc>',
        f"<style>{_STYLE}</style>",
        f'<rect class="ground" width="{_WIDTH}" height="{height}"/>',
        f'<text class="big" x="{_LEFT}" y="30">{_text(title)}</text>',
        f'<text x="{_LEFT}" y="52">{_text(reading.because)}</text>',
        f'<path class="canary" d="M{_LEFT} 70h24"/><text x="{_LEFT + 30}" y="74">canary</text>',
        f'<path class="baseline" d="M{_LEFT + 90} 70h24"/>',
        f'<text x="{_LEFT + 120}" y="74">baseline</text>',
        f'<text class="small" x="{_LEFT + 190}" y="74">{_text(_BANDS)}</text>',
    ]
    marks = [(move.at, move.what) for move in course.moves if start <= move.at <= end]
    marks.append((reading.at, str(reading.word)))
    for number, panel in enumerate(panels):
        body += _drawn(panel, _HEAD + _PANEL * number, x, marks)
    body += _time_axis(start, end, height - _FOOT + 4, x)
    foot = f'x="{_LEFT}" y="{height - _FOOT + 28}"'
    body.append(f'<text class="small" {foot}>{_text(_foot(result))}</text>')
    return "\n".join([*body, "</svg>", ""])


def _foot(result: JudgeResult) -> str:
    hidden = len(result.plan.metrics) - _MOST_PANELS
    more = f"; {hidden} more metrics are not drawn" if hidden > 0 else ""
    return f"time since the first user met the canary{more}"


def _described(panels: Sequence[_Panel], because: str) -> str:
    return f"{because}. " + " ".join(f"{panel.title}: {panel.says}." for panel in panels)


def _evidence_panels(result: JudgeResult, course: Course) -> Iterator[_Panel]:
    plan, stretches = result.plan, course.stretches
    needed, proof = 1 / plan.alpha_worse, 1 / plan.alpha_ok
    top = max([10 * needed, *(min(s.evidence, _MOST) for s in stretches)])
    yield _Panel(
        "Evidence that the canary is worse",
        f"the highest is {amount(course.highest[0])} at {span(course.highest[1])}; "
        f"{needed:,.0f} means worse",
        {"evidence": [(s.end, s.evidence, s.evidence, s.evidence) for s in stretches]},
        _by_powers(top),
        _powers(top),
        (needed, f"worse: {needed:,.0f}"),
    )
    top = max([10 * proof, *(min(s.proof, _MOST) for s in stretches)])
    most = max((s.proof for s in stretches), default=1.0)
    yield _Panel(
        "Evidence that every required metric is within its margin (of the one that has least)",
        f"the highest is {amount(most)}; {proof:,.3g} is needed for verified",
        {"evidence": [(s.end, s.proof, s.proof, s.proof) for s in stretches]},
        _by_powers(top),
        _powers(top),
        (proof, f"needed: {proof:,.3g}"),
    )


def _metric_panels(result: JudgeResult, course: Course) -> Iterator[_Panel]:
    ordered = sorted(result.plan.metrics, key=lambda metric: not metric.required)
    for metric in ordered[:_MOST_PANELS]:
        says, values = _kind_of_panel(metric, course.stretches)
        lines = {str(arm): list(values(metric, arm, course.stretches)) for arm in Arm}
        top = max((high for points in lines.values() for _, _, _, high in points), default=1.0)
        low = min((low for points in lines.values() for _, _, low, _ in points), default=0.0)
        unit: Literal["%", ""] = "%" if metric.guards else ""
        told = f"{says}; margin: {margin_in_words(metric)}" if metric.margin else says
        yield _Panel(
            metric.name, told, lines, _evenly(min(low, 0), top), _even(min(low, 0), top, unit)
        )


def _kind_of_panel(metric: MetricPlan, stretches: Sequence[Stretch]) -> tuple[str, Values]:
    """What a metric's panel shows, in words, and what makes its lines."""
    if metric.kind == "ratio":
        return f"the fraction that is {_COUNTED[metric.worse]}", _ratio_points
    if metric.kind == "latency":
        bound = _drawn_bound(metric, stretches)
        return f"the fraction slower than {bound:.3g} s", _slower_points(bound)
    return "the mean of its samples, between the least and the most", _gauge_points


def _ratio_points(metric: MetricPlan, arm: Arm, stretches: Sequence[Stretch]) -> Iterator[Point]:
    for stretch in stretches:
        bad, everything = stretch.ratios.get((metric.name, arm), (0.0, 0.0))
        if everything > 0:
            low, high = _wilson(bad, everything, metric.phi)
            yield stretch.end, bad / everything, low, high


def _slower_points(bound: float) -> Values:
    def points(metric: MetricPlan, arm: Arm, stretches: Sequence[Stretch]) -> Iterator[Point]:
        for stretch in stretches:
            timed = stretch.latencies.get((metric.name, arm))
            if timed is not None and timed.all > 0 and bound in timed.within:
                slow = max(timed.all - timed.within[bound], 0.0)
                low, high = _wilson(slow, timed.all, metric.phi)
                yield stretch.end, slow / timed.all, low, high

    return points


def _gauge_points(metric: MetricPlan, arm: Arm, stretches: Sequence[Stretch]) -> Iterator[Point]:
    for stretch in stretches:
        gauged = stretch.gauges.get((metric.name, arm))
        if gauged is not None:
            yield stretch.end, gauged.total / gauged.count, gauged.least, gauged.most


def _drawn_bound(metric: MetricPlan, stretches: Sequence[Stretch]) -> float:
    """Of the judged bounds the one at which the arms differ most, in standard errors."""
    arms = {arm: Timed() for arm in Arm}
    for stretch in stretches:
        for arm, sums in arms.items():
            timed = stretch.latencies.get((metric.name, arm), Timed())
            sums.add(timed.all, timed.within)
    canary, baseline = arms[Arm.CANARY], arms[Arm.BASELINE]
    shared = [at for at in sorted(canary.within) if at in baseline.within and at < inf]
    everything = canary.all + baseline.all
    if not shared or not canary.all or not baseline.all:
        return shared[0] if shared else inf

    def slower(at: float) -> float:
        return 1 - (canary.within[at] + baseline.within[at]) / everything

    def difference(at: float) -> float:
        apart = canary.within[at] / canary.all - baseline.within[at] / baseline.all
        return abs(apart) / sqrt(max(slower(at) * (1 - slower(at)), 1e-9))

    judged = [bound.x for bound in metric.bounds if bound.x in shared]
    if judged:
        return max(judged, key=difference)
    return min(shared, key=lambda at: abs(slower(at) - _USUAL_SLOW))


def _wilson(bad: float, everything: float, phi: float) -> tuple[float, float]:
    """Wilson's 95 % interval (1927) of a fraction whose counts scatter phi times the binomial."""
    n, p = everything / phi, bad / everything
    middle = (p + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    reach = _Z / (1 + _Z**2 / n) * sqrt(p * (1 - p) / n + _Z**2 / (4 * n**2))
    return max(middle - reach, 0.0), min(middle + reach, 1.0)


def _by_powers(top: float) -> Callable[[float], float]:
    return lambda value: log10(min(max(value, _LEAST), top) / _LEAST) / log10(top / _LEAST)


def _powers(top: float) -> Sequence[tuple[float, str]]:
    step = 1 if top <= 1e4 else 2  # noqa: PLR2004 -- as many labels as there is room for
    return [(10.0**n, f"{10.0**n:,g}") for n in range(-1, int(log10(top)) + 1, step)]


def _evenly(bottom: float, top: float) -> Callable[[float], float]:
    height = (top - bottom) or 1.0
    return lambda value: (value - bottom) / height


def _even(bottom: float, top: float, unit: Literal["%", ""]) -> Sequence[tuple[float, str]]:
    values = (bottom, (bottom + top) / 2, top)
    return [(v, f"{v * 100:.3g} %" if unit else f"{v:.3g}") for v in dict.fromkeys(values)]


def _drawn(
    panel: _Panel, top: float, x: Callable[[float], float], marks: Iterable[tuple[float, str]]
) -> Iterator[str]:
    base = top + 36 + _HIGH

    def y(value: float) -> float:
        return base - _HIGH * min(max(panel.scale(value), 0.0), 1.0)

    yield f'<g role="img"><title>{_text(panel.title)}: {_text(panel.says)}</title>'
    yield f'<text class="head" x="{_LEFT}" y="{top + 16}">{_text(panel.title)}</text>'
    yield f'<text class="small" x="{_LEFT}" y="{top + 30}">{_text(panel.says, 120)}</text>'
    yield f'<path class="axis" d="M{_LEFT} {base - _HIGH}V{base}H{_WIDTH - _RIGHT}"/>'
    for value, label in panel.labels:
        where = f'x="{_LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end"'
        yield f'<text class="small" {where}>{_text(label)}</text>'
    for at, what in marks:
        there = f'd="M{x(at):.1f} {base - _HIGH}V{base}"'
        yield f'<path class="mark" {there}><title>{_text(what)}</title></path>'
    for kind, points in panel.lines.items():
        if any(low < high for _, _, low, high in points):
            there = " ".join(f"{x(at):.1f},{y(high):.1f}" for at, _, _, high in points)
            back = " ".join(f"{x(at):.1f},{y(low):.1f}" for at, _, low, _ in reversed(points))
            yield f'<polygon class="{kind}-band" points="{there} {back}"/>'
        line = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value, _, _ in points)
        yield f'<polyline class="{kind}" points="{line}"/>'
    if panel.limit is not None:
        value, label = panel.limit
        yield f'<path class="limit" d="M{_LEFT} {y(value):.1f}H{_WIDTH - _RIGHT}"/>'
        where = f'x="{_WIDTH - _RIGHT}" y="{y(value) - 4:.1f}" text-anchor="end"'
        yield f'<text class="small" {where}>{_text(label)}</text>'
    yield "</g>"


def _time_axis(start: float, end: float, y: float, x: Callable[[float], float]) -> Iterator[str]:
    step = next((s for s in _ROUND if s * _TIMES >= end - start), (end - start) / _TIMES)
    for number in range(ceil(start / step), int(end / step) + 1):
        at = number * step
        where = f'x="{x(at):.1f}" y="{y + 6:.1f}" text-anchor="middle"'
        yield f'<text class="small" {where}>{_text(span(at))}</text>'


def _text(words: str, longest: int = _LONGEST) -> str:
    """What others wrote, as the text of an element: no markup, no control, not too long."""
    plain = _NO_XML.sub("\N{REPLACEMENT CHARACTER}", clean(words).replace("\n", " "))
    return escape(plain if len(plain) <= longest else plain[: longest - 1] + "…", quote=False)
