"""Why the judge said what it said: which metric, when, on how much evidence, in sentences."""

from collections.abc import Iterable, Iterator

from surefoot.analysis.course import Course, Standing
from surefoot.analysis.history import UNLEARNT_PHI
from surefoot.analysis.plan import JudgePlan, MetricPlan
from surefoot.analysis.ticks import Fact
from surefoot.analysis.words import level_in_words, margin_in_words
from surefoot.domain.text import span
from surefoot.domain.verdict import MetricReading, Reading, Word

__all__ = ["amount", "explain"]

FACTS = frozenset(str(fact) for fact in Fact)
LEAST_SAID = 0.05  # of evidence; less is nothing
FEW, MANY = 0.01, 1e6


def explain(reading: Reading, plan: JudgePlan, course: Course) -> list[str]:
    """The reading of a whole record in sentences, one a line.

    Args:
        reading: the final one.
        plan: as it was settled at the end.
        course: which was shown every row.
    """
    if course.last is None or course.last.at is None:
        return ["No user was exposed in this record, so there is nothing to weigh."]
    decided = course.decided or course.last
    sentences = [
        _end(reading, plan, decided),
        _shares_of_evidence(decided),
        _way(plan, course),
        *(_metric(plan, course, metric) for metric in reading.metrics),
        *_seen(course),
        *reading.warnings,
        _rules(plan),
    ]
    return [sentence for sentence in sentences if sentence]


def _end(reading: Reading, plan: JudgePlan, decided: Standing) -> str:
    needed, at = 1 / plan.alpha_worse, span(reading.at)
    if reading.word is Word.WORSE and reading.metric in FACTS:
        return f"Decided {at} after first exposure by a plain fact, which needs no statistics."
    if reading.word is Word.WORSE:
        return (
            f"Decided {at} after first exposure, when the evidence against the canary came to "
            f"{decided.evidence:,.0f} of {needed:,.0f}. One that is as good as the baseline gets "
            f"there in at most {plan.alpha_worse * 100:.3g} % of rollouts, however often one looks."
        )
    proof = 1 / plan.alpha_ok
    if reading.word is Word.VERIFIED:
        return (
            f"Decided {at} after first exposure: every required metric had at that moment the "
            f"{proof:.3g} that its margin needs (the least had {decided.proof:,.3g}), and the "
            f"evidence against the canary was {decided.evidence:.2g} of {needed:,.0f}. A canary at "
            f"its margin gets there in at most {plan.alpha_ok * 100:.3g} % of rollouts."
        )
    ended = "The time limit ended it" if reading.word is Word.INCONCLUSIVE else "The record ends"
    return (
        f"{ended} {at} after first exposure, with {reading.evidence:.2g} of the {needed:,.0f} that "
        f"mean worse; of the {proof:.3g} that each required metric needs, the least has "
        f"{decided.proof:.2g}."
    )


def _shares_of_evidence(decided: Standing) -> str:
    against = sorted(decided.against.items(), key=lambda item: -item[1])
    told = [f"{name} {value:,.3g}" for name, value in against if value >= LEAST_SAID]
    return f"Of that evidence against it: {', '.join(told)}." if told else ""


def _way(plan: JudgePlan, course: Course) -> str:
    needed = 1 / plan.alpha_worse
    if course.reached:
        marks = (f"{part * needed:,.0f} at {span(at)}" for part, at in course.reached.items())
        return f"The evidence against it first reached {', '.join(marks)}."
    most, at = course.highest
    return f"The evidence against it was never above {most:.2g} of {needed:,.0f} (at {span(at)})."


def _metric(plan: JudgePlan, course: Course, reading: MetricReading) -> str:
    metric = plan.metric(reading.name)
    if metric is None or not metric.guards:
        told = level_in_words(reading.level) or "; read for what is expected of it alone"
        return f"{reading.name}: {told.removeprefix('; ')}."
    arms = (
        f"{bad:,} of the {name}'s {everything:,}"
        + (f" ({bad / everything * 100:.3g} %)" if everything else "")
        for name, bad, everything in (
            ("canary", reading.canary_bad, reading.canary_all),
            ("baseline", reading.baseline_bad, reading.baseline_all),
        )
    )
    counted = "slow" if metric.kind == "latency" else "bad"
    return (
        f"{reading.name}: {counted} in the whole record were {' and '.join(arms)}. "
        f"{_proof(plan, course, reading)}"
    )


def _proof(plan: JudgePlan, course: Course, reading: MetricReading) -> str:
    metric = plan.metric(reading.name)
    if not reading.required or metric is None:
        return "It is advisory: it can show harm, and is not needed for verified."
    if not metric.settled:
        return "Its margin was still open: the baseline was seen for less than 60 s."
    at = course.proven.get(reading.name)
    proven = "never proven" if at is None else f"first proven at {span(at)}"
    has = f"{amount(reading.ok)} of {1 / plan.alpha_ok:.3g} at the end"
    return f"Its margin, {margin_in_words(metric)}, was {proven} ({has})."


def amount(evidence: float) -> str:
    """Evidence as an e-value, in words where its digits say no more."""
    if evidence < FEW:
        return f"less than {FEW:g}"
    return f"{evidence:,.3g}" if evidence < MANY else "more than a million"


def _seen(course: Course) -> Iterator[str]:
    if course.moves:
        more = f", and {course.unnamed_moves:,} more" if course.unnamed_moves else ""
        moves = (f"{move.what} at {span(move.at)}" for move in course.moves)
        yield f"Shares and facts on the way: {', '.join(moves)}{more}."
    if course.unwatched_s:
        yield f"{span(course.unwatched_s)} were not watched: unknown, and counted for nothing."


def _rules(plan: JudgePlan) -> str:
    interval = f", ticks of {plan.interval:g} s" if plan.interval else ""
    return (
        f"By these rules: time limit {span(plan.time_limit)}, warm-up {span(plan.warm_up)}"
        f"{interval}, {_tempered(metric for metric in plan.metrics if metric.guards)}."
    )


def _tempered(metrics: Iterable[MetricPlan]) -> str:
    told = ", ".join(
        f"{metric.phi:.3g} for {metric.name}"
        + (" (taken until learnt)" if metric.phi == UNLEARNT_PHI else "")
        for metric in metrics
    )
    return f"evidence tempered by phi {told}" if told else "no metric that guards"
