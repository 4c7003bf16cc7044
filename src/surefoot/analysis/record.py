"""Evidence as a file: JSON Lines that anyone can judge again, with the same result.

    {"plan": {"time_limit": 900, "steps": [0.1, 0.5], "metrics": {"errors": {"phi": 1.0}}}}
    {"t": 0, "share": 0.1}
    {"t": 12.0, "metric": "errors", "kind": "ratio", "arm": "canary", "bad": 3, "all": 210}
    {"t": 12.0, "metric": "latency", "kind": "latency", "arm": "baseline", "le": {"+Inf": 200}}
    {"t": 12.0, "metric": "rss", "kind": "gauge", "arm": "canary", "instance": "a", "value": 1.2e8}
    {"t": 13, "fact": "dead"}
    {"t": 19, "gap": 3}

The first line alone may be a plan, every key of it may be left out, and `judge_lines` finds what
is missing in the rows.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from math import inf, isfinite
from typing import cast

from surefoot.analysis.fields import Fields
from surefoot.analysis.judge import Judge
from surefoot.analysis.plan import JudgePlan, Kind, MetricPlan, group_of
from surefoot.analysis.planrow import plan_from_row, plan_to_row
from surefoot.analysis.ticks import (
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

HISTORY_SECONDS = 60.0
PlanRow = JudgePlan


@dataclass(frozen=True, slots=True)
class JudgeResult:
    """The final reading of a file, and the plan it was judged by."""

    reading: Reading
    plan: JudgePlan

    def as_json(self) -> dict[str, object]:
        """The object that `surefoot judge --json` prints. An open end of `ratio` is null."""
        reading = self.reading
        return {
            "verdict": str(reading.word),
            "at": reading.at,
            "metric": reading.metric,
            "because": reading.because,
            "evidence": reading.evidence,
            "ratio": reading.ratio and [end if end < inf else None for end in reading.ratio],
            "metrics": {metric.name: _metric_as_json(metric) for metric in reading.metrics},
        }


def _metric_as_json(metric: MetricReading) -> dict[str, object]:
    margin = metric.margin
    return {
        "verdict": str(metric.word),
        "margin": margin and {"ratio": margin.ratio, "points": margin.points, "rung": margin.rung},
        "harm": metric.harm,
        "ok": metric.ok,
        "required": metric.required,
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
    of = f'"metric": {_quoted(row.metric)}, "kind": "{_kind(row)}", "arm": "{row.arm}"'
    head = f'{{"t": {row.t!r}, {of}'
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
        values = json.loads(text, parse_constant=_refuse_constant)
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


def _row(fields: Fields) -> Row:
    t = fields.number("t")
    if fields.has("share"):
        return ShareRow(t, fields.number("share", least=0, most=1))
    if fields.has("fact"):
        return FactRow(t, Fact(fields.choice("fact", tuple(Fact))))
    if fields.has("gap"):
        return GapRow(t, fields.number("gap", least=0))
    metric = fields.text("metric")
    kind = fields.choice("kind", ("ratio", "latency", "gauge", "counter"))
    arm = Arm(fields.choice("arm", tuple(Arm)))
    if kind == "ratio":
        bad, everything = fields.number("bad", least=0), fields.number("all", least=0)
        if bad > everything:
            raise fields.wrong("bad", f"{bad:g} of {everything:g}", "at most `all`")
        return RatioTick(t, metric, arm, bad, everything)
    if kind == "latency":
        return LatencyTick(t, metric, arm, _buckets(fields))
    instance = fields.text("instance") if fields.has("instance") else None
    return GaugeTick(t, metric, instance, arm, fields.number("value"))


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
        counts[bound] = inner.number(key, least=0)
    ordered = {bound: counts[bound] for bound in sorted(counts)}
    if inf not in ordered:
        raise fields.wrong("le", "no such bound", 'a count for "+Inf"')
    if list(ordered.values()) != sorted(ordered.values()):
        raise fields.wrong("le", "falling counts", "cumulative counts, which never fall")
    return ordered


def judge_lines(lines: Iterable[str]) -> JudgeResult:
    """Judge a recorded file.

    Where the file does not say it: time starts at the first tick, `interval` is the smallest step
    of `t`, steps are the shares of its rows (or the canary's part of the requests), and the
    baseline's first 60 s serve as history.

    Raises:
        BadEvidence: a line cannot be read, or there is none; the message names it.
    """
    numbered = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not numbered:
        raise BadEvidence("There is no evidence in this file.", cure="Give a file with rows.")
    first = _fields(numbered[0][1], numbered[0][0])
    told = first if first.has("plan") else None
    rows = [(number, _only_row(line, number)) for number, line in numbered[1 if told else 0 :]]
    kinds = _kinds(rows)
    plan = plan_from_row(told.values, kinds, where=told.where) if told else JudgePlan()
    _check_kinds(plan, rows)
    plan = _completed(plan, kinds, [row for _, row in rows])
    judge = Judge(plan, _exposed_at([row for _, row in rows]))
    for number, row in rows:
        try:
            judge.feed(row)
        except BadEvidence as error:
            raise BadEvidence(f"Line {number}: {error.message}", cure=error.cure) from error
    judge.close_tick()
    return JudgeResult(judge.reading, judge.plan)


def _only_row(line: str, number: int) -> Row:
    fields = _fields(line, number)
    if fields.has("plan"):
        raise BadEvidence(
            f"Line {number} is a plan, behind rows or another plan.",
            cure="Put the one plan on the first line.",
        )
    return _row(fields)


def _kinds(rows: Sequence[tuple[int, Row]]) -> dict[str, Kind]:
    """The kind of each metric, by its first row."""
    kinds: dict[str, Kind] = {}
    for _, row in rows:
        if isinstance(row, RatioTick | LatencyTick | GaugeTick):
            kinds.setdefault(row.metric, _kind(row))
    return kinds


def _kind(row: Tick) -> Kind:
    if isinstance(row, RatioTick):
        return "ratio"
    return "latency" if isinstance(row, LatencyTick) else "gauge"


def _check_kinds(plan: JudgePlan, rows: Sequence[tuple[int, Row]]) -> None:
    known = {m.name: cast(Kind, "gauge" if m.kind == "counter" else m.kind) for m in plan.metrics}
    for number, row in rows:
        if not isinstance(row, RatioTick | LatencyTick | GaugeTick):
            continue
        if known.setdefault(row.metric, _kind(row)) != _kind(row):
            raise BadEvidence(
                f"Line {number}: {row.metric!r} is a {_kind(row)} here and a "
                f"{known[row.metric]} before.",
                cure="Give each metric one kind in the plan and in all rows.",
            )


def _completed(plan: JudgePlan, kinds: Mapping[str, Kind], rows: Sequence[Row]) -> JudgePlan:
    planned = {metric.name for metric in plan.metrics}
    found = tuple(
        MetricPlan(name, kind, required=kind in {"ratio", "latency"}, group=group_of(name))
        for name, kind in kinds.items()
        if name not in planned
    )
    return replace(
        plan,
        metrics=plan.metrics + found,
        steps=plan.steps or _shares(rows),
        interval=plan.interval or _interval(rows),
    )


def _interval(rows: Sequence[Row]) -> float | None:
    times = sorted({row.t for row in rows})
    return min((b - a for a, b in pairwise(times)), default=None)


def _shares(rows: Sequence[Row]) -> tuple[float, ...]:
    """The shares in order; without any, the canary's part of the requests in the first minute."""
    told = dict.fromkeys(row.share for row in rows if isinstance(row, ShareRow))
    steps = tuple(share for share in told if 0 < share < 1)
    if steps:
        return steps
    start = min((row.t for row in rows), default=0.0)
    counts = {Arm.CANARY: 0.0, Arm.BASELINE: 0.0}
    for row in rows:
        if row.t - start >= HISTORY_SECONDS:
            continue
        if isinstance(row, RatioTick):
            counts[row.arm] += row.all
        elif isinstance(row, LatencyTick):
            counts[row.arm] += row.le[inf]
    if not all(counts.values()):
        return ()
    return (counts[Arm.CANARY] / sum(counts.values()),)


def _exposed_at(rows: Sequence[Row]) -> float | None:
    """When the first user was exposed, if no row about the share tells it: at the first tick."""
    if any(isinstance(row, ShareRow) and row.share > 0 for row in rows):
        return None
    ticks = (row.t for row in rows if isinstance(row, RatioTick | LatencyTick | GaugeTick))
    return next(ticks, None)
