"""The judge's answer as a sentence, with the numbers in it."""

from collections.abc import Iterable, Iterator, Mapping
from math import inf

from surefoot.analysis.expect import Expectation
from surefoot.analysis.plan import JudgePlan, MetricPlan
from surefoot.analysis.promises import ENOUGH_USE
from surefoot.analysis.ticks import Fact
from surefoot.analysis.tracks import RatioTrack, Track
from surefoot.domain.text import span
from surefoot.domain.verdict import Level, PromiseReading

__all__ = [
    "FACTS",
    "NEVER_BESIDE",
    "duration",
    "lacking_in_words",
    "level_in_words",
    "margin_in_words",
    "not_seen",
    "promise_in_words",
    "share_in_words",
    "silent_in_words",
    "verified",
    "warnings",
    "worse",
]

NEVER_BESIDE = "No moment has rows of both releases: nothing was compared. Give both the same `t`."
NAMED = 6  # of a list; more are counted, or follow when these are mended
FACTS = {
    Fact.DEAD: "died or stopped listening",
    Fact.CRASH_LOOP: "keeps dying",
    Fact.SILENT: "is silent while the baseline speaks",
    Fact.HANGING: "holds requests and completes none",
}


def duration(seconds: float) -> str:
    """A time as people say it: "40 s", "9 min", "2 h"; rounded up, so as not to promise."""
    if seconds == inf:
        return "more than a day"
    for limit, unit, name in ((20, 1, "s"), (100, 5, "s"), (300, 10, "s")):
        if seconds <= limit:
            return f"{_up(seconds, unit)} {name}"
    if seconds <= 5400:  # noqa: PLR2004 -- an hour and a half
        return f"{_up(seconds, 60) // 60} min"
    return f"{_up(seconds, 3600) // 3600} h" if seconds <= 86400 else "more than a day"  # noqa: PLR2004 -- seconds of a day


def _up(number: float, unit: int) -> int:
    return int(-(-number // unit)) * unit


def margin_in_words(metric: MetricPlan) -> str:
    """What is proven of a metric: "errors at most +1 point or x2"."""
    margin = metric.margin
    if margin is None:
        return metric.name
    if metric.kind != "latency":
        if metric.of_missing:
            return f"{metric.name} missing {margin}"
        return f"{metric.name} {margin}" + (" below" if metric.worse == "lower" else "")
    noun = "point" if margin.points == 1 else "points"
    return f"{metric.name} at most x{margin.ratio:g} but for {margin.points:g} {noun}"


def worse(track: Track) -> str:
    """What the metric shows against the change."""
    totals = track.totals
    if isinstance(track, RatioTrack):
        kind = "bad" if track.metric.worse == "higher" else "good"
        return (
            f"{track.metric.name}: canary {totals.canary_bad:,.0f} of {totals.canary_all:,.0f} "
            f"{kind}, baseline {totals.baseline_bad:,.0f} of {totals.baseline_all:,.0f}; WORSE"
        )
    loudest = track.loudest
    x, y = (loudest.bound.x, loudest.bound.y) if loudest else (inf, inf)
    return (
        f"{track.metric.name}: canary {totals.canary_bad:,.0f} of {totals.canary_all:,.0f} slower "
        f"than {y:.3g} s, baseline {totals.baseline_bad:,.0f} of {totals.baseline_all:,.0f} slower "
        f"than {x:.3g} s; WORSE"
    )


def share_in_words(canary: float, baseline: float, share: float) -> str:
    """What the traffic share shows against the change."""
    total = canary + baseline
    return (
        f"traffic share: canary answered {canary:,.0f} of {total:,.0f} requests where "
        f"{share * 100:.3g} % was due; WORSE"
    )


def silent_in_words(instances: Mapping[str, float]) -> Iterator[str]:
    """Each instance of the canary that is silent, and since when (seconds since exposure)."""
    for name, at in sorted(instances.items())[:NAMED]:
        yield (
            f"Instance {name} of the canary gave no sample after {span(at)}, while others did: it "
            "may have been taken away, or have died."
        )


def verified(tracks: Iterable[Track], plan: JudgePlan, promises: Iterable[PromiseReading]) -> str:
    """What was proven, at which margins, and what was expected and seen."""
    level = f"({(1 - plan.alpha_ok) * 100:.3g} %)"
    proven = [f"{margin_in_words(track.metric)} {level}" for track in tracks]
    return "verified: " + ", ".join([*proven, *(promise_in_words(one) for one in promises)])


def level_in_words(level: Level | None) -> str:
    """How a gauge stands, as a clause to be added; nothing for what is none."""
    if level is None:
        return ""
    is_higher = level.canary > level.baseline
    moved = "higher" if is_higher else "lower"
    evidence = level.higher if is_higher else level.lower
    blocks = "1 block" if level.blocks == 1 else f"{level.blocks} blocks"
    return (
        f"; the canary's is {moved}, {level.canary:.4g} beside {level.baseline:.4g}, in {blocks} "
        f"of time (evidence {evidence:.2g}; it advises, and ends nothing)"
    )


def promise_in_words(promise: PromiseReading) -> str:
    """One line, such as "as designed: export_p95 falls by 10%: 810 ms to 540 ms, 33 % less"."""
    word = "as designed" if promise.met else "not seen yet"
    canary, baseline = promise.canary, promise.baseline
    if canary is None:
        seen = "nothing is known of it yet"
    elif baseline is not None:
        seen = f"{_value(baseline, promise.kind)} to {_value(canary, promise.kind)}"
    elif promise.expects.endswith(" used"):
        seen = f"{canary:,.4g} times so far" + ("" if promise.met else f", {ENOUGH_USE} are needed")
    else:
        seen = f"{canary:,.4g} so far"
    return f"{word}: {promise.expects}: {seen}{_moved(promise) if promise.met else _open(promise)}"


def _moved(promise: PromiseReading) -> str:
    """How large a move is that was promised and is there, as a clause: half of it is enough."""
    canary, baseline = promise.canary, promise.baseline
    if canary is None or not baseline:
        return ""
    percent = abs(canary / baseline - 1) * 100
    enough = percent >= Expectation.parse(promise.expects).amount
    said = f", {percent:.0f} % {'more' if canary > baseline else 'less'}"
    return said if enough else f"{said}, at least half of that"


def _open(promise: PromiseReading) -> str:
    """What a promised move still lacks, as a clause."""
    evidence, needed, baseline = promise.evidence, promise.needed, promise.baseline
    if evidence is None or needed is None or baseline is None:
        return ""
    if evidence < needed:
        return f", evidence {evidence:.2g} of the {needed:.3g} needed"
    if baseline <= 0:
        return ", and of 0 there is no part to tell"
    return ", clearly, but by less than half of that"


def _value(value: float, kind: str) -> str:
    if kind == "ratio":
        return f"{value * 100:.3g} %"
    if kind == "latency":
        return f"{value * 1000:.3g} ms" if value < 1 else f"{value:.3g} s"
    return f"{value:,.4g}"


def warnings(track: Track) -> Iterator[str]:
    """What this evidence cannot show of a metric, and what it would take."""
    metric = track.metric
    coarse = [f"{bound.x:g}" for bound in metric.bounds if bound.coarse]
    if coarse:
        yield (
            f"{metric.name} has coarse buckets: no bound lies from 1.1 to 1.5 times "
            f"{', '.join(coarse)} s, so there only a shift across that very bound is seen."
        )
    if metric.crowd is not None:
        low, high, part = metric.crowd.low, metric.crowd.high, metric.crowd.part
        where = f"from {low:g} to {high:g} s" if high < inf else f"above {low:g} s"
        yield (
            f"{metric.name}: {part * 100:.0f} % of the answers fall into one bucket, {where}; "
            "what moves within it is not seen."
        )
    if not isinstance(track, RatioTrack) and track.differing:
        bounds = sorted(track.differing)
        named = ", ".join(f"{bound:g}" for bound in bounds[:NAMED])
        more = " and more" if len(bounds) > NAMED else ""
        yield (
            f"{metric.name}: the buckets of the two releases differ (only one has {named}{more} "
            "s), so it cannot be judged. Give both the same."
        )


def not_seen(metric: MetricPlan) -> str:
    """That the canary has no event of a metric so far."""
    if metric.group == "declared":
        return f"nothing of {metric.name} is seen of the canary yet"
    return "the canary has answered nothing yet"


def lacking_in_words(track: Track, seconds: float, wanted: float) -> str:
    """What a metric that is not yet proven still needs."""
    if seconds < inf:
        return f"about {duration(seconds)} more for {track.metric.name}"
    return f"{margin_in_words(track.metric)} is not proven, {track.ok:.2g} of {wanted:.3g} needed"
