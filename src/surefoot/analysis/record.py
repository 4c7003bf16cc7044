"""Evidence as a file: JSON Lines that anyone can judge again, with the same result.

    {"plan": {"time_limit": 900, "steps": [0.1, 0.5], "metrics": {"errors": {"phi": 1.0}}}}
    {"t": 0, "share": 0.1}
    {"t": 12.0, "metric": "errors", "kind": "ratio", "arm": "canary", "bad": 3, "all": 210}
    {"t": 12.0, "metric": "latency", "kind": "latency", "arm": "baseline", "le": {"+Inf": 200}}
    {"t": 12.0, "metric": "rss", "kind": "gauge", "arm": "canary", "instance": "a", "value": 1.2e8}
    {"t": 13, "fact": "dead"}
    {"t": 19, "gap": 3}

The first line alone may be a plan, every key of it may be left out, and `judge_lines` finds what
is missing in the rows. Keys of a row that are not named here are passed by.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from math import inf, isfinite

from surefoot.analysis.course import Course
from surefoot.analysis.fields import Fields
from surefoot.analysis.judge import Judge
from surefoot.analysis.plan import JudgePlan
from surefoot.analysis.planrow import plan_from_row, plan_to_row
from surefoot.analysis.survey import Survey
from surefoot.analysis.ticks import (
    LARGEST,
    Arm,
    Fact,
    FactRow,
    GapRow,
    GaugeTick,
    LatencyTick,
    RatioTick,
    Row,
    ShareRow,
    Tick,
    kind_of,
)
from surefoot.domain.errors import BadEvidence
from surefoot.domain.verdict import MetricReading, Reading

__all__ = [
    "JudgeResult",
    "PlanRow",
    "judge_lines",
    "parse_line",
    "plan_from_row",
    "plan_to_json",
    "plan_to_row",
    "row_to_json",
]

NAMED_LINES = 10  # so many malformed lines are told, each with its cure; the rest are counted
PlanRow = JudgePlan
FACTS, ARMS = tuple(Fact), tuple(Arm)


@dataclass(frozen=True, slots=True)
class JudgeResult:
    """The final reading of a file, and the plan it was judged by."""

    reading: Reading
    plan: JudgePlan
    ratios: Mapping[str, tuple[float, float]]

    def as_json(self) -> dict[str, object]:
        """The object that `surefoot judge --json` prints. An open end of `ratio` is null."""
        reading = self.reading
        return {
            "verdict": str(reading.word),
            "at": reading.at,
            "metric": reading.metric,
            "because": reading.because,
            "evidence": reading.evidence,
            "ratio": _ends(reading.ratio),
            "metrics": {
                metric.name: _metric_as_json(metric, self.ratios.get(metric.name))
                for metric in reading.metrics
            },
            "promises": [asdict(promise) for promise in reading.promises],
            "warnings": list(reading.warnings),
        }


def _ends(ratio: tuple[float, float] | None) -> list[float | None] | None:
    return ratio and [end if end < inf else None for end in ratio]


def _metric_as_json(metric: MetricReading, ratio: tuple[float, float] | None) -> dict[str, object]:
    margin = metric.margin
    return {
        "verdict": str(metric.word),
        "margin": margin and {"ratio": margin.ratio, "points": margin.points, "rung": margin.rung},
        "harm": metric.harm,
        "ok": metric.ok,
        "required": metric.required,
        "ratio": _ends(ratio),
        "level": metric.level and asdict(metric.level),
    }


def plan_to_json(plan: JudgePlan) -> str:
    """The first line of a file of evidence, without its end."""
    return json.dumps(plan_to_row(plan))


def row_to_json(row: Row) -> str:
    """One line of a file of evidence, without its end."""
    if isinstance(row, RatioTick | LatencyTick | GaugeTick):
        return _tick_to_json(row)
    if isinstance(row, ShareRow):
        return json.dumps({"t": row.t, "share": row.share})
    if isinstance(row, FactRow):
        return json.dumps({"t": row.t, "fact": str(row.fact)})
    return json.dumps({"t": row.t, "gap": row.gap})


def _tick_to_json(row: Tick) -> str:
    """By hand: it is done for each metric and arm of every rollout in every second."""
    of = f'"metric": {_quoted(row.metric)}, "kind": "{kind_of(row)}", "arm": "{row.arm}"'
    head = f'{{"t": {row.t!r}, {of}'
    if not isinstance(row, GaugeTick) and row.stratum is not None:
        head = f'{head}, "stratum": {_quoted(row.stratum)}'
    if isinstance(row, RatioTick):
        return f'{head}, "bad": {_short(row.bad)}, "all": {_short(row.all)}}}'
    if isinstance(row, LatencyTick):
        counts = ", ".join(f"{_bound(le)}: {_short(count)}" for le, count in row.le.items())
        return f'{head}, "le": {{{counts}}}}}'
    return f'{head}, "instance": {_quoted(row.instance)}, "value": {json.dumps(row.value)}}}'


def _short(number: float) -> str:
    return repr(int(number) if number == int(number) else number)


@lru_cache(maxsize=4096)
def _quoted(text: str) -> str:
    return json.dumps(text)


@lru_cache(maxsize=4096)
def _bound(le: float) -> str:
    return '"+Inf"' if le == inf else f'"{le!r}"'


def parse_line(text: str, number: int) -> PlanRow | Row:
    """Read one line.

    Args:
        text: the line.
        number: its number in the file, from 1, for messages.

    Raises:
        BadEvidence: the line cannot be read; the message names it.
    """
    fields = _fields(text, number)
    if fields.has("plan"):
        return plan_from_row(fields.values, where=fields.where)
    return _row(fields)


def _fields(text: str, number: int) -> Fields:
    where = f"line {number}"
    try:
        values = _DECODER.decode(text)
    except ValueError as error:
        raise BadEvidence(
            f"{where.capitalize()} is not JSON: {error}.",
            cure="Each line must hold one JSON object.",
        ) from error
    except RecursionError:
        raise BadEvidence(
            f"{where.capitalize()} is nested too deeply.",
            cure="Each line must hold one flat JSON object.",
        ) from None
    return Fields(where, values)


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number in JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)  # `loads` would make one a line


def _row(fields: Fields) -> Row:
    t = fields.number("t")
    if fields.has("share"):
        return ShareRow(t, fields.number("share", least=0, most=1))
    if fields.has("fact"):
        return FactRow(t, Fact(fields.choice("fact", FACTS)))
    if fields.has("gap"):
        return GapRow(t, fields.number("gap", least=0))
    metric = fields.text("metric")
    kind = fields.choice("kind", ("ratio", "latency", "gauge", "counter"))
    arm = Arm(fields.choice("arm", ARMS))
    if kind == "ratio":
        bad = fields.number("bad", least=0, most=LARGEST)
        everything = fields.number("all", least=0, most=LARGEST)
        if bad > everything:
            raise fields.wrong("bad", f"{bad:g} of {everything:g}", "at most `all`")
        return RatioTick(t, metric, arm, bad, everything, _stratum(fields))
    if kind == "latency":
        return LatencyTick(t, metric, arm, _buckets(fields), _stratum(fields))
    instance = fields.text("instance") if fields.has("instance") else None
    return GaugeTick(t, metric, instance, arm, fields.number("value", least=-LARGEST, most=LARGEST))


def _stratum(fields: Fields) -> str | None:
    return fields.text("stratum") if fields.has("stratum") else None


def _buckets(fields: Fields) -> Mapping[float, float]:
    counts: dict[float, float] = {}
    inner = fields.inside("le")
    for key in inner.values:
        try:
            bound = inf if key == "+Inf" else float(key)
        except ValueError:
            bound = -inf
        if not (bound == inf or isfinite(bound)):
            raise fields.wrong("le", repr(key), 'bounds in seconds, and "+Inf"')
        counts[bound] = inner.number(key, least=0, most=LARGEST)
    ordered = {bound: counts[bound] for bound in sorted(counts)}
    if inf not in ordered:
        raise fields.wrong("le", "no such bound", 'a count for "+Inf"')
    if list(ordered.values()) != sorted(ordered.values()):
        raise fields.wrong("le", "falling counts", "cumulative counts, which never fall")
    return ordered


def judge_lines(lines: Iterable[str], course: Course | None = None) -> JudgeResult:
    """Judge a recorded file, in a memory that does not grow with it.

    Where the file does not say it: time starts at the first tick, `interval` is the smallest step
    of `t`, steps are the shares of its rows (or the canary's part of the requests), and the
    baseline's first 60 s serve as history.

    Args:
        lines: all of them. They are gone through twice, for a plan stands before the first row:
            once to find what it leaves open, and every line that cannot be read; once to judge.
        course: is shown every row, and how the evidence stands after it.

    Raises:
        BadEvidence: there is no line, or some cannot be read; the message names them.
    """
    plan, exposed_at, speaks_at = _surveyed(lines)
    judge = Judge(plan, exposed_at, speaks_at)
    for _, fields in _numbered(lines):
        if fields.has("plan"):
            continue
        row = _row(fields)
        judge.feed(row)
        if course is not None:
            course.take(row, judge)
    judge.close_tick()
    if course is not None:
        course.end(judge)
    return JudgeResult(judge.reading, judge.plan, judge.ratios)


def _surveyed(lines: Iterable[str]) -> tuple[JudgePlan, float | None, float | None]:
    """The plan, completed from the rows; when users were first exposed and the canary first spoke.

    Both times are None where rows tell the share.
    """
    if iter(lines) is lines:
        raise TypeError("lines are gone through twice; an iterator can be only once")
    survey, told = Survey(), None
    malformed = _Malformed()
    at = 0
    for at, text in _filled(lines):
        try:
            fields = _fields(text, at)
            if not fields.has("plan"):
                survey.take(_row(fields), at)
            elif survey.rows or told is not None:
                malformed.add(_late_plan(at))
            else:
                told = fields
                survey.plan(plan_from_row(told.values, where=told.where))
        except BadEvidence as error:
            malformed.add(error)
    if not at:
        raise BadEvidence("There is no evidence in this file.", cure="Give a file with rows.")
    malformed.refuse()
    plan = plan_from_row(told.values, survey.kinds, where=told.where) if told else JudgePlan()
    return survey.completed(plan), survey.exposed_at, survey.speaks_at


def _late_plan(number: int) -> BadEvidence:
    return BadEvidence(
        f"Line {number} is a plan, behind rows or another plan.",
        cure="Put the one plan on the first line.",
    )


def _filled(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    return ((number, line) for number, line in enumerate(lines, 1) if line.strip())


def _numbered(lines: Iterable[str]) -> Iterator[tuple[int, Fields]]:
    return ((number, _fields(line, number)) for number, line in _filled(lines))


class _Malformed:
    """The lines that cannot be read: all counted, the first few kept."""

    def __init__(self) -> None:
        self._first: list[BadEvidence] = []
        self._count = 0

    def add(self, error: BadEvidence) -> None:
        self._count += 1
        if len(self._first) < NAMED_LINES:
            self._first.append(error)

    def refuse(self) -> None:
        """Refuse the whole file, if there is any: a verdict on the rest would not be its own."""
        if self._count == 1:
            raise self._first[0]
        if self._first:
            unnamed = self._count - len(self._first)
            further = [f"... and {unnamed:,} more."] if unnamed else []
            raise BadEvidence(
                "\n".join([f"{self._count:,} lines.", *map(str, self._first), *further]),
                cure="Nothing was judged. Mend these lines, or take another copy of the file.",
            )
