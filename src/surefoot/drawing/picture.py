"""A judgement as one SVG: the evidence against its thresholds, and both arms of each metric.

It needs nothing beside itself, follows the reader's light or dark, and tells the arms apart by
dashes as well as by colour. Its size is bounded: a course has at most 240 stretches, and at most
twelve metrics are drawn.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, log10
from typing import Literal

from surefoot.analysis.course import Course
from surefoot.analysis.explain import amount
from surefoot.analysis.record import JudgeResult
from surefoot.analysis.ticks import Arm
from surefoot.analysis.words import margin_in_words
from surefoot.drawing.figures import span
from surefoot.drawing.markup import text
from surefoot.drawing.series import Point, meaning

__all__ = ["picture"]

_WIDTH, _LEFT, _RIGHT = 760, 64, 20
_HEAD, _PANEL, _HIGH, _FOOT = 92, 148, 92, 40
_MOST_PANELS = 12
_LEAST, _MOST = 0.1, 1e6  # the evidence that is drawn

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
        f'<title id="title">{text(title)}</title>',
        f'<desc id="desc">{text(_described(panels, reading.because), 2000)}</desc>',
        f"<style>{_STYLE}</style>",
        f'<rect class="ground" width="{_WIDTH}" height="{height}"/>',
        f'<text class="big" x="{_LEFT}" y="30">{text(title)}</text>',
        f'<text x="{_LEFT}" y="52">{text(reading.because)}</text>',
        f'<path class="canary" d="M{_LEFT} 70h24"/><text x="{_LEFT + 30}" y="74">canary</text>',
        f'<path class="baseline" d="M{_LEFT + 90} 70h24"/>',
        f'<text x="{_LEFT + 120}" y="74">baseline</text>',
        f'<text class="small" x="{_LEFT + 190}" y="74">{text(_BANDS)}</text>',
    ]
    marks = [(move.at, move.what) for move in course.moves if start <= move.at <= end]
    marks.append((reading.at, str(reading.word)))
    for number, panel in enumerate(panels):
        body += _drawn(panel, _HEAD + _PANEL * number, x, marks)
    body += _time_axis(start, end, height - _FOOT + 4, x)
    foot = f'x="{_LEFT}" y="{height - _FOOT + 28}"'
    body.append(f'<text class="small" {foot}>{text(_foot(result))}</text>')
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
        says, values = meaning(metric, course.stretches)
        lines = {str(arm): list(values(metric, arm, course.stretches)) for arm in Arm}
        top = max((high for points in lines.values() for _, _, _, high in points), default=1.0)
        low = min((low for points in lines.values() for _, _, low, _ in points), default=0.0)
        unit: Literal["%", ""] = "%" if metric.guards else ""
        told = f"{says}; margin: {margin_in_words(metric)}" if metric.margin else says
        yield _Panel(
            metric.name, told, lines, _evenly(min(low, 0), top), _even(min(low, 0), top, unit)
        )


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

    yield f'<g role="img"><title>{text(panel.title)}: {text(panel.says)}</title>'
    yield f'<text class="head" x="{_LEFT}" y="{top + 16}">{text(panel.title)}</text>'
    yield f'<text class="small" x="{_LEFT}" y="{top + 30}">{text(panel.says, 120)}</text>'
    yield f'<path class="axis" d="M{_LEFT} {base - _HIGH}V{base}H{_WIDTH - _RIGHT}"/>'
    for value, label in panel.labels:
        where = f'x="{_LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end"'
        yield f'<text class="small" {where}>{text(label)}</text>'
    for at, what in marks:
        there = f'd="M{x(at):.1f} {base - _HIGH}V{base}"'
        yield f'<path class="mark" {there}><title>{text(what)}</title></path>'
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
        yield f'<text class="small" {where}>{text(label)}</text>'
    yield "</g>"


def _time_axis(start: float, end: float, y: float, x: Callable[[float], float]) -> Iterator[str]:
    step = next((s for s in _ROUND if s * _TIMES >= end - start), (end - start) / _TIMES)
    for number in range(ceil(start / step), int(end / step) + 1):
        at = number * step
        where = f'x="{x(at):.1f}" y="{y + 6:.1f}" text-anchor="middle"'
        yield f'<text class="small" {where}>{text(span(at))}</text>'
