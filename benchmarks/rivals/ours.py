"""Surefoot's own judge, as shipped; and the bare test it is made of."""

from dataclasses import dataclass, field, replace

from rivals.rule import Answer, Record, Said
from rivals.worlds import Site
from surefoot.analysis.evidence import HARM_RATIOS, Capital
from surefoot.analysis.history import History
from surefoot.analysis.judge import Judge
from surefoot.analysis.plan import JudgePlan, MetricPlan, Rules, plan_from_history
from surefoot.analysis.ticks import Arm, RatioTick, ShareRow
from surefoot.domain.verdict import Margin, Word

HISTORY_SECONDS = 3600
BLOCK = 10
ALPHA = 0.01

QUIET = Margin(3.0, 10.0, "declared")
"""The margin of metrics that hold their weight but never speak."""


def plan_for(site: Site, warm_up: float = 10.0) -> JudgePlan:
    """The plan as shipped, from an hour of the baseline, with a margin of twice its errors.

    Only errors are simulated. Latency and a declared guard are planned all the same and never
    heard, so that errors have the part of the evidence that they have in a real rollout.
    """
    world, history = site.world, History()
    for index, counts in enumerate(site.before(HISTORY_SECONDS, BLOCK)):
        t = BLOCK * index + BLOCK / 2
        history.feed(RatioTick(t, "errors", Arm.BASELINE, counts.bad, counts.all))
    errors = MetricPlan(
        "errors", "ratio", group="errors", margin=Margin(2.0, 100 * world.p, "declared")
    )
    silent = MetricPlan("latency", "ratio", group="latency", margin=QUIET, p=0.5, required=False)
    guard = replace(silent, name="guard", group="declared")
    rules = Rules(time_limit=world.watch, steps=world.steps, warm_up=warm_up)
    plan = plan_from_history(history, (errors, silent, guard), rules)
    return replace(plan, metrics=(plan.metrics[0], silent, guard))


@dataclass(slots=True)
class Ours:
    """The judge, fed each second. Its time of decision is exact, though it is asked each fifth."""

    judge: Judge
    every: int = 1
    asked_every: int = 5
    share: float = 0.0
    verified: bool = False

    def look(self, record: Record) -> Said | None:
        """BAD for *worse*, GOOD for *verified*."""
        t, judge = record.t, self.judge
        if record.share != self.share:
            self.share = record.share
            judge.feed(ShareRow(t - 0.5, record.share))
        for arm, stream in ((Arm.CANARY, record.canary), (Arm.BASELINE, record.baseline)):
            counts = stream.between(t - 1, t)
            judge.feed(RatioTick(t, "errors", arm, counts.bad, counts.all))
        judge.close_tick()
        if t % self.asked_every:
            return None
        reading = judge.reading
        if reading.word is Word.WORSE:
            return Said(Answer.BAD, reading.at + 0.5)
        if reading.word is Word.VERIFIED and not self.verified:
            self.verified = True
            return Said(Answer.GOOD, reading.at + 0.5)
        return None


def shipped(site: Site) -> Ours:
    """The judge with what it learnt of this site."""
    return Ours(Judge(plan_for(site)))


def patient(site: Site) -> Ours:
    """The same with a declared warm-up of 90 s."""
    return Ours(Judge(plan_for(site, warm_up=90.0)))


@dataclass(slots=True)
class Bare:
    """T1 alone: all capital on errors from the start, no dead band, no tempering, alpha 1 %."""

    every: int = 1
    capital: Capital = field(default_factory=lambda: Capital(HARM_RATIOS))

    def look(self, record: Record) -> Said | None:
        """BAD when the capital reaches 1/alpha."""
        t = record.t
        canary, baseline = record.canary.between(t - 1, t), record.baseline.between(t - 1, t)
        if canary.all and baseline.all:
            one, two = (canary.bad, canary.all), (baseline.bad, baseline.all)
            self.capital.step(1.0, one, two, 0.0)
        return Said(Answer.BAD, t) if self.capital.value >= 1 / ALPHA else None
