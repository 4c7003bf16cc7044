"""What was learnt of a service: how often a verdict is wrong there, and how much it scatters."""

from collections import Counter
from statistics import median

import msgspec

from surefoot.analysis.plan import MetricPlan, Rules, plan_from_history
from surefoot.analysis.proportion import clopper_pearson
from surefoot.domain.change import Taught
from surefoot.domain.verdict import Word
from surefoot.engine.drill import RAN, in_words
from surefoot.engine.planning import metric_plans
from surefoot.engine.run import Outside, ServiceRun
from surefoot.engine.status import LearnStatus, PhiStatus, RateStatus

__all__ = ["learnt", "rate_of"]

REMEMBERED = 1000  # runs of one service


async def learnt(outside: Outside, run: ServiceRun) -> LearnStatus:
    """Everything that placebo runs and rollouts taught of a service."""
    entries = await outside.store.recent(run.name, (RAN,), REMEMBERED)
    taught = [msgspec.convert(entry.data, Taught) for entry in entries if entry.data]
    words = Counter(one.word for one in taught)
    verified = [one.seconds for one in taught if one.word is Word.VERIFIED]
    return LearnStatus(
        service=run.name,
        false_alarms=rate_of(words[Word.WORSE], len(taught)),
        verified=words[Word.VERIFIED],
        inconclusive=words[Word.INCONCLUSIVE],
        ended_early=len(entries) - len(taught),
        verified_s=round(median(verified), 1) if verified else None,
        phis=_phis(run),
        drill=in_words(run.drill, run.lane, outside.clock.now()) if run.drill else None,
    )


def rate_of(alarms: int, runs: int) -> RateStatus:
    """How often old beside old was called worse, with the exact 95 % interval."""
    low, high = clopper_pearson(alarms, runs)
    if not runs:
        says = "unmeasured: no placebo ran yet"
    elif not alarms:
        says = f"none in {_runs(runs)}: at most {_percent(high)} (95 %)"
    else:
        between = f"{_percent(low)} to {_percent(high)}"
        says = f"{alarms} in {_runs(runs)}: {_percent(alarms / runs)}, {between} (95 %)"
    return RateStatus(runs, alarms, low, high, says)


def _runs(count: int) -> str:
    return "1 placebo run" if count == 1 else f"{count} placebo runs"


def _percent(fraction: float) -> str:
    return f"{fraction * 100:.2g} %" if fraction < 1 else "100 %"


def _phis(run: ServiceRun) -> tuple[PhiStatus, ...]:
    """Over-dispersion as the next change would be judged with, and what told it."""
    plan = plan_from_history(run.watch.history, metric_plans(run.manifest.metrics), Rules())
    return tuple(_phi(run, metric) for metric in plan.metrics if metric.guards)


def _phi(run: ServiceRun, metric: MetricPlan) -> PhiStatus:
    """Of a latency, the bound that scatters most speaks."""
    history = run.watch.history
    bounds = [bound for bound in metric.bounds if bound.phi is not None]
    widest = max(bounds, key=lambda bound: bound.phi or 0.0, default=None)
    source = history.learnt_from(metric.name, widest.x if widest else None)
    return PhiStatus(metric.name, round(metric.phi, 2), source.value)
