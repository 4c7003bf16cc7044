"""The course of a change's evidence as small pictures for a page: of it all, and of each metric.

They are drawn inline and carry neither a style nor a script: `static/surefoot.css` of the pages
colours their classes, by the reader's light or dark. They shrink to the width of a phone.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import floor, inf, log, log10

from surefoot.analysis.course import Course, Stretch, thinned
from surefoot.analysis.plan import JudgePlan, MetricPlan
from surefoot.analysis.record import JudgeResult
from surefoot.analysis.replay import Judged
from surefoot.analysis.ticks import Arm
from surefoot.analysis.words import margin_in_words
from surefoot.domain.text import span
from surefoot.domain.verdict import Word
from surefoot.drawing.figures import amount, short
from surefoot.drawing.markup import plain, text
from surefoot.drawing.series import Point, meaning

__all__ = ["METRICS", "Chart", "charts"]

METRICS = 12  # so many are drawn
POINTS = 60  # of a line, at most
_WIDTH, _HEIGHT = 360, 162  # as wide as a phone shows it: letters keep the size that they have here
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 266, 28, 136
_SAMPLE = 14  # of a line, beside its label
_APART = 32  # two labels of two lines each
_TIMES = 4  # at most so many on the axis
_ROUND = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 43200, 86400)
_BEYOND = 1.15  # how far above what is needed evidence is drawn
_CALM = 0.1  # of what *worse* needs: below it nothing speaks against a metric
_IMMENSE = 1e300  # what a service may claim of itself, but nobody can draw
_LETTER, _GAP = 7.0, 3.0  # the width of one, about, and what is left between two words


@dataclass(frozen=True, slots=True)
class Chart:
    """One picture. `name` and `says` are plain text; `svg` is finished markup."""

    name: str
    says: str
    svg: str


@dataclass(frozen=True, slots=True)
class _Line:
    """One line: its class, its label at the right end in two parts, and its points."""

    kind: str
    label: str
    value: str
    points: Sequence[Point]


@dataclass(frozen=True, slots=True)
class _Frame:
    """What every picture of one course shares: its time, and what happened when."""

    start: float
    end: float
    warm_up: float
    marks: Sequence[tuple[float, str]]
    verdict: tuple[float, str] | None

    def x(self, at: float) -> float:
        part = (at - self.start) / max(self.end - self.start, 1e-9)
        return _LEFT + (_RIGHT - _LEFT) * min(max(part, 0.0), 1.0)


@dataclass(frozen=True, slots=True)
class _Scale:
    """From values to heights, 0 at the bottom and 1 at the top, with what is written beside it."""

    height: Callable[[float], float]
    labels: Sequence[tuple[float, str]]
    limit: float | None = None

    def y(self, value: float) -> float:
        return _BOTTOM - (_BOTTOM - _TOP) * min(max(self.height(value), 0.0), 1.0)


def charts(judged: Judged) -> tuple[Chart, ...]:
    """The evidence first, then each metric: at most twelve, and what speaks against it first.

    Nothing before the first user is exposed.
    """
    result, course = judged.result, judged.course
    if not course.stretches:
        return ()
    frame, stretches = _frame(result, course), thinned(course.stretches, POINTS)
    drawn = _most_telling(result)[:METRICS]
    return (
        _evidence_chart(result, course, stretches, frame),
        *_metric_charts(drawn, stretches, frame),
    )


def _frame(result: JudgeResult, course: Course) -> _Frame:
    start, end = course.stretches[0].start, course.stretches[-1].end
    reading = result.reading
    decided = reading.word is not Word.WATCHING and start <= reading.at <= end
    return _Frame(
        start,
        end,
        result.plan.warm_up,
        [(move.at, move.what) for move in course.moves if start <= move.at <= end],
        (reading.at, str(reading.word)) if decided else None,
    )


def _most_telling(result: JudgeResult) -> list[MetricPlan]:
    """In an order that changes only when something speaks against a metric: no page flickers."""
    reading, calm = result.reading, _CALM / result.plan.alpha_worse
    against = {one.name: one.harm if one.harm >= calm else 0.0 for one in reading.metrics}

    def urgency(metric: MetricPlan) -> tuple[bool, float, bool]:
        decisive = metric.name == reading.metric and reading.word is Word.WORSE
        return not decisive, -against.get(metric.name, 0.0), not metric.required

    return sorted(result.plan.metrics, key=urgency)


# --- the evidence --------------------------------------------------------------------------------


def _evidence_chart(
    result: JudgeResult, course: Course, stretches: Sequence[Stretch], frame: _Frame
) -> Chart:
    """Against the change and for it, each on its way to what it needs: one line says "enough"."""
    plan: JudgePlan = result.plan
    needed, proof = 1 / plan.alpha_worse, 1 / plan.alpha_ok
    last = course.stretches[-1]
    lines = [_grown("against", last.evidence, needed, [(s.end, s.evidence) for s in stretches])]
    says = f"against the change {amount(last.evidence)}, where {needed:,.0f} means worse"
    if course.last is not None and course.last.ok:
        lines.append(_grown("for", last.proof, proof, [(s.end, s.proof) for s in stretches]))
        says += (
            f"; for it {amount(last.proof)}, where {proof:,.3g} is enough, in the required metric"
            " that has least"
        )
    decided = course.decided
    if decided is not None and decided.word is Word.WORSE and decided.evidence < needed:
        says += "; a plain fact decided, which needs none"
    scale = _Scale(lambda part: part / _BEYOND, ((0.0, "none"), (1.0, "enough")), limit=1.0)
    return _chart("evidence", says, lines, scale, frame)


def _grown(kind: str, now: float, needed: float, course: Sequence[tuple[float, float]]) -> _Line:
    """Evidence multiplies, so its logarithm is drawn: 0 is none, 1 is enough."""

    def part(value: float) -> float:
        return min(log(max(value, 1.0)) / max(log(needed), 1e-9), _BEYOND)

    points = [(at, part(value), part(value), part(value)) for at, value in course]
    said = f"{amount(now)} of {needed:,.3g}" if 1 < now < needed else amount(now)
    return _Line(kind, f"{kind} it", said, [(0.0, 0.0, 0.0, 0.0), *points])


# --- a metric ------------------------------------------------------------------------------------


def _metric_charts(
    metrics: Sequence[MetricPlan], stretches: Sequence[Stretch], frame: _Frame
) -> Iterator[Chart]:
    """Of ratios and latencies each point tells of all the time before it, as the judge does.

    So the intervals narrow as more is known, and part where the arms differ; those of single
    seconds would be but noise. A gauge is drawn as it was at each time.
    """
    so_far = list(accumulate(stretches, Stretch.joined))
    for metric in metrics:
        yield _metric_chart(metric, so_far if metric.guards else stretches, so_far[-1], frame)


def _metric_chart(
    metric: MetricPlan, stretches: Sequence[Stretch], whole: Stretch, frame: _Frame
) -> Chart:
    what, values = meaning(metric, [whole])
    written = _rate if metric.guards else short
    lines: list[_Line] = []
    said: list[str] = []
    ends: list[float] = []
    for arm in Arm:
        points = [
            point for point in values(metric, arm, stretches) if all(map(_is_drawable, point))
        ]
        for _, value, low, high in values(metric, arm, [whole]):
            last = points[-1][1] if points else value
            lines.append(_Line(str(arm), str(arm), written(last), points))
            said.append(f"{arm} {written(value)} ({written(low)} to {written(high)})")
            ends += filter(_is_drawable, (low, high))
    since = ", since the first user" if metric.guards else ""
    says = f"{what}{since}: {', '.join(said) or 'no figures yet'}"
    if metric.margin:
        says += f"; margin: {margin_in_words(metric)}"
    scale = _even(lines, ends, written, most=1.0 if metric.guards else inf)
    return _chart(metric.name, says, lines, scale, frame)


def _is_drawable(value: float) -> bool:
    return abs(value) < _IMMENSE


def _even(
    lines: Sequence[_Line], ends: Sequence[float], written: Callable[[float], str], most: float
) -> _Scale:
    """From zero, or below, to a round figure above what the later half of the time shows.

    What lies above it is cut: so few were the first answers that they would press the rest down.
    """
    later = [line.points[len(line.points) // 2 :] for line in lines]
    reached = [high for points in later for _, _, _, high in points]
    top = min(_round_up(max((*ends, *reached), default=0.0)), most)
    bottom = -_round_up(-min(ends)) if ends and min(ends) < 0 else 0.0
    return _Scale(
        lambda value: (value - bottom) / ((top - bottom) or 1.0),
        ((bottom, written(bottom)), (top, written(top))),
    )


def _round_up(value: float) -> float:
    """The next of 1, 2, 3, 5 times a power of ten."""
    if not 0 < value < inf:
        return 1.0
    power = 10.0 ** floor(log10(value))
    return next((step * power for step in (1, 2, 3, 5) if value <= step * power), 10 * power)


def _rate(part: float) -> str:
    value = 100 * part
    if value < 0.001:  # noqa: PLR2004 -- further digits say no more
        return "<0.001 %" if value > 1e-9 else "0 %"  # noqa: PLR2004 -- what rounding leaves of none
    return f"{value:.0f} %" if value >= 10 else f"{value:.2g} %"  # noqa: PLR2004 -- two digits say enough


# --- drawing -------------------------------------------------------------------------------------


def _chart(name: str, says: str, lines: Sequence[_Line], scale: _Scale, frame: _Frame) -> Chart:
    when = [f"{what} at {_time(at)}" for at, what in (*frame.marks, *filter(None, [frame.verdict]))]
    told = f"{says}. {'; '.join(when)}." if when else f"{says}."
    body = [
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">',
        f"<title>{text(name)}</title><desc>{text(told, 400)}</desc>",
        *_ground(scale, frame),
        *_marks(frame),
        *(_band(line, scale, frame) for line in lines),
        *(_stroke(line, scale, frame) for line in reversed(lines)),
        *_labels(lines, scale),
        _warming(frame),
        "</svg>",
    ]
    return Chart(plain(name), plain(says, 300), "".join(body))


def _ground(scale: _Scale, frame: _Frame) -> Iterator[str]:
    warm = frame.x(frame.warm_up) - _LEFT
    if frame.start < frame.warm_up:
        size = f'width="{_number(warm)}" height="{_BOTTOM - _TOP}"'
        yield f'<rect class="warm" x="{_LEFT}" y="{_TOP}" {size}/>'
    yield f'<path class="axis" d="M{_LEFT} {_BOTTOM}H{_RIGHT}"/>'
    for value, label in scale.labels:
        yield _written(_LEFT - 5, scale.y(value) + 4, label, "note", "end")
    if scale.limit is not None:
        yield f'<path class="limit" d="M{_LEFT} {_number(scale.y(scale.limit))}H{_RIGHT}"/>'
    length = frame.end - frame.start
    step = next((one for one in _ROUND if one * _TIMES >= length), length / _TIMES)
    for number in range(int(frame.start / step), int(frame.end / step) + 1):
        yield _written(frame.x(number * step), _BOTTOM + 17, _time(number * step), "note", "middle")


def _warming(frame: _Frame) -> str:
    """What the grey ground is, where there is room; above the lines, for they may lie anywhere."""
    if frame.x(frame.warm_up) - _LEFT <= _LETTER * len("warm-up"):
        return ""
    return _written(_LEFT + 4, _TOP + 29, "warm-up", "note")


def _time(at: float) -> str:
    return f"{at:.1f} s" if at < 10 and at != int(at) else span(at)  # noqa: PLR2004 -- below ten seconds the tenth matters


def _marks(frame: _Frame) -> Iterator[str]:
    """The verdict is always named; of what else happened, as much as there is room for."""
    taken: list[tuple[float, float]] = []
    if frame.verdict:
        at, word = frame.verdict
        x, wide = frame.x(at), _LETTER * len(word)
        left = min(max(x - wide / 2, _LEFT), _RIGHT - wide)
        taken.append((left - _GAP, left + wide + _GAP))
        yield f'<path class="verdict" d="M{_number(x)} {_TOP - 4}V{_BOTTOM}"/>'
        yield _written(left, _TOP - 12, word, "word")
    if frame.marks:
        yield _written(_LEFT - 5 - _LETTER * len("share"), _TOP - 12, "share", "note")
        lines = "".join(f"M{_number(frame.x(at))} {_TOP}V{_BOTTOM}" for at, _ in frame.marks)
        yield f'<path class="mark" d="{lines}"/>'
    for at, what in frame.marks:
        x, wide = frame.x(at), _LETTER * len(what)
        if x + wide < _WIDTH and all(x > right or x + wide < left for left, right in taken):
            taken.append((x, x + wide + _LETTER))
            yield _written(x, _TOP - 12, what, "note")


def _band(line: _Line, scale: _Scale, frame: _Frame) -> str:
    if not any(low < high for _, _, low, high in line.points):
        return ""
    there = [(frame.x(at), scale.y(high)) for at, _, _, high in line.points]
    back = [(frame.x(at), scale.y(low)) for at, _, low, _ in reversed(line.points)]
    return f'<path class="{line.kind}-band" d="{_path([*there, *back])}z"/>'


def _stroke(line: _Line, scale: _Scale, frame: _Frame) -> str:
    points = [(frame.x(at), scale.y(value)) for at, value, _, _ in line.points]
    if len(points) == 1:  # one point is no line
        points = [(_LEFT, points[0][1]), *points]
    return f'<path class="{line.kind}" d="{_path(points)}"/>' if points else ""


def _path(points: Sequence[tuple[float, float]]) -> str:
    """Steps from point to point in tenths, each from where the last one really ended."""
    tenths = [(round(10 * x), round(10 * y)) for x, y in points]
    (x, y), *_ = tenths
    steps = [
        f"{_number((x1 - x0) / 10)} {_number((y1 - y0) / 10)}"
        for (x0, y0), (x1, y1) in pairwise(tenths)
    ]
    return f"M{_number(x / 10)} {_number(y / 10)}l{' '.join(steps)}".replace(" -", "-")


def _labels(lines: Sequence[_Line], scale: _Scale) -> Iterator[str]:
    """Beside the ends of the lines, as far apart as they must be to be read."""
    ends = {line.kind: scale.y(line.points[-1][1]) for line in lines if line.points}
    placed = _placed(ends)
    for line in (one for one in lines if one.kind in ends):
        y = placed[line.kind]
        yield f'<path class="{line.kind}" d="M{_RIGHT + 4} {_number(y)}h{_SAMPLE}"/>'
        yield _written(_RIGHT + _SAMPLE + 7, y + 4, line.label, "name")
        yield _written(_RIGHT + _SAMPLE + 7, y + 18, line.value, "note")


def _placed(ends: Mapping[str, float]) -> Mapping[str, float]:
    ordered = sorted(ends, key=lambda kind: ends[kind])
    heights = [max(ends[kind], _TOP) for kind in ordered]
    for place in range(1, len(heights)):
        heights[place] = max(heights[place], heights[place - 1] + _APART)
    lowest = _BOTTOM - 18.0
    for place in reversed(range(len(heights))):
        heights[place] = min(heights[place], lowest)
        lowest = heights[place] - _APART
    return dict(zip(ordered, heights, strict=True))


def _written(x: float, y: float, words: str, kind: str, anchor: str = "start") -> str:
    where = f'x="{_number(x)}" y="{_number(y)}"'
    turned = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text class="{kind}" {where}{turned}>{text(words)}</text>'


def _number(value: float) -> str:
    return f"{round(value, 1) + 0.0:g}"
