"""The one-second watch of a service: what the proxy and the service say, fed to the judge.

It decides nothing. It keeps the live release's history, the evidence of the exposed change (as the
file that `surefoot judge` reads), and what must be true before a service counts as restored.
"""

import logging
import os
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import inf
from pathlib import Path

from surefoot.analysis.band import (
    ENOUGH_REQUESTS,
    HostWatch,
    in_band,
    latency_in_band,
    ratio_in_band,
)
from surefoot.analysis.beforeafter import BeforeAfter, before_after
from surefoot.analysis.history import History, Pair
from surefoot.analysis.judge import Judge
from surefoot.analysis.liveness import Liveness, Observation
from surefoot.analysis.plan import JudgePlan
from surefoot.analysis.record import plan_to_json, row_to_json
from surefoot.analysis.soak import SoakWatch
from surefoot.analysis.ticks import (
    Arm,
    FactRow,
    GapRow,
    LatencyTick,
    RatioTick,
    Row,
    ShareRow,
)
from surefoot.analysis.words import FACTS
from surefoot.domain.change import Change, Harm
from surefoot.domain.facts import same_share
from surefoot.domain.lifecycle import LIVE
from surefoot.domain.metric import Metric, MetricKind
from surefoot.domain.verdict import Reading, Word
from surefoot.engine.evidence import cut_torn_line, read_evidence
from surefoot.engine.vitals import Vitals
from surefoot.ports import InstanceFacts, Metered

__all__ = ["BAND_S", "Exposure", "Watch"]

log = logging.getLogger(__name__)
BAND_S = 10.0
REMEMBERED = 600  # seconds after an order to undo: 50 requests may take that long
RARE = 0.001


@dataclass(slots=True)
class Tally:
    """Requests and bad answers of one ratio metric in both arms since the first exposure."""

    canary_bad: float = 0.0
    canary_all: float = 0.0
    baseline_bad: float = 0.0
    baseline_all: float = 0.0

    def add(self, row: RatioTick) -> None:
        """Count one tick."""
        if row.arm is Arm.CANARY:
            self.canary_bad += row.bad
            self.canary_all += row.all
        else:
            self.baseline_bad += row.bad
            self.baseline_all += row.all

    @property
    def expected(self) -> float:
        """How many bad answers the old release would have given to the canary's users."""
        rate = self.baseline_bad / self.baseline_all if self.baseline_all else 0.0
        return rate * self.canary_all


@dataclass(slots=True)
class Exposure:
    """The evidence of one change while it is in front of users, and what is counted from it.

    `began` is the boottime of its first exposure, from which `t` counts. `judging` ends with the
    order to undo; what is still answered afterwards is counted as harm, and judged no more.
    """

    change: int
    judge: Judge
    began: float
    file: Path
    liveness: Liveness = field(default_factory=Liveness)
    host: HostWatch | None = None
    tallies: dict[str, Tally] = field(default_factory=dict)
    judging: bool = True
    abandoned: int = 0
    pending: list[ShareRow] = field(default_factory=list)
    pair: Pair = field(default_factory=Pair)

    def tick(self, rows: Sequence[Row], t: float) -> None:
        """One second's rows; shares that changed before it go first, later ones wait."""
        shares = [row for row in self.pending if row.t <= t]
        self.pending = [row for row in self.pending if row.t > t]
        self.write((*shares, *rows))

    def write(self, rows: Sequence[Row]) -> None:
        """Append to the evidence, then judge it: a restart reads just what was judged.

        A disk that takes nothing more blinds nobody: rows that are not kept are judged all the
        same, and are unknown after a restart.
        """
        before = None
        try:
            with self.file.open("a", encoding="utf-8") as file:
                before = file.tell()
                file.writelines(row_to_json(row) + "\n" for row in rows)
        except OSError as error:
            log.warning("the evidence of %s is not kept: %s", self.change, error)
            if before is not None:
                os.truncate(self.file, before)  # half a line in the middle would spoil all of it
        self.take(rows)

    def take(self, rows: Sequence[Row]) -> None:
        """Judge rows, and keep both arms of what came after the warm-up."""
        for row in rows:
            self.judge.feed(row)
            if row.t >= self.judge.plan.warm_up:
                self.pair.feed(row)

    def count(self, rows: Sequence[Row]) -> None:
        """Add what users got."""
        for row in rows:
            if isinstance(row, RatioTick):
                self.tallies.setdefault(row.metric, Tally()).add(row)

    def lacks(self, missing: Iterable[str]) -> bool:
        """Whether any of these must be known: without it, the change is not watched as declared."""
        required = (one.name for one in self.judge.plan.metrics if one.required)
        return not set(missing).isdisjoint(required)

    @property
    def reading(self) -> Reading | None:
        """The judge's answer; None until the first second is over."""
        return self.judge.reading if self.judge.share is not None else None

    @property
    def harm(self) -> Harm:
        """Requests that met the change, and the bad ones by the ratio guard that saw most."""
        errors = self.tallies.get("errors", Tally())
        worst = max(self.tallies.values(), key=lambda one: one.canary_bad, default=errors)
        bad = round(worst.canary_bad) + self.abandoned
        met = round(errors.canary_all) + self.abandoned
        return Harm(met, bad, round(worst.expected, 1))


@dataclass(frozen=True, slots=True)
class TakeOver:
    """How what is live came to that, in seconds of the history.

    The release before it had all users from `before` to `exposed`, and it has them from `live` on.
    """

    before: float
    exposed: float
    live: float


@dataclass(slots=True)
class Watch:
    """What is known of one service from second to second."""

    folder: Path
    history: History = field(default_factory=History)
    exposure: Exposure | None = None
    soak: SoakWatch | None = None
    soaking: Liveness = field(default_factory=Liveness)
    soak_reading: Reading | None = None
    recent: deque[tuple[Row, ...]] = field(default_factory=lambda: deque(maxlen=int(BAND_S)))
    after_undo: deque[tuple[Row, ...]] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    last_tick: float | None = None  # boottime of the last look that brought all that must be known
    vitals: Vitals = field(default_factory=Vitals)
    last: Metered | None = None
    watched_s: float = 0.0
    going_back: bool = False
    before_soak: float | None = None
    live: Tally = field(default_factory=Tally)  # what users got from the live release since it is
    exposed_at: float | None = None  # of the last change, in seconds of the history
    live_since: float = 0.0  # when what is live got all users, in those seconds
    took_over: TakeOver | None = None

    def evidence(self, change: int) -> Path:
        """Where the evidence of a change is kept."""
        return self.folder / f"{change}.jsonl"

    def begin(self, change: int, plan: JudgePlan, now: float) -> None:
        """The first exposure: the plan is fixed, and time counts from here."""
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.evidence(change)
        file.write_text(plan_to_json(plan) + "\n", encoding="utf-8")
        self.exposure = Exposure(change, Judge(plan), now, file, host=_host(plan))
        self.exposure.liveness = Liveness(_slowest(self.history), sticky=plan.sticky)
        self.last_tick = now
        self.exposed_at = self.watched_s

    def resume(self, change: int, began: float, now: float, *, judging: bool = True) -> None:
        """After a restart: the stored evidence goes on, and the time between is a gap.

        Somebody may have set the host's clock meanwhile: time goes forward from the last row.
        """
        cut_torn_line(self.evidence(change))
        plan, rows = read_evidence(self.evidence(change))
        last = max((row.t for row in rows), default=0.0)
        exposure = Exposure(change, Judge(plan), began, self.evidence(change))
        exposure.began = min(began, now - last)
        exposure.liveness = Liveness(_slowest(self.history), sticky=plan.sticky)
        exposure.host, exposure.judging = _host(plan), judging
        exposure.take(rows)
        exposure.count(rows)
        gap = now - exposure.began - last
        if judging and gap > 0:
            exposure.write((GapRow(t=now - exposure.began, gap=gap),))
        self.exposure, self.last_tick = exposure, now

    def recall(self, change: int, *, harmless: bool, placebo: bool = False) -> None:
        """After a restart: what the live release did beside this change is known from its file."""
        plan, rows = read_evidence(self.evidence(change))
        pair, before = Pair(), self.watched_s
        for row in rows:
            self.history.feed(row, before + row.t)
            self.watched_s = max(self.watched_s, before + row.t)
            if row.t >= plan.warm_up:
                pair.feed(row)
        if harmless or placebo:
            self.history.learn(pair, placebo=placebo)
        self.live_since = self.watched_s

    def recall_placebo(self, change: int) -> None:
        """After a restart: how old and old scattered side by side, however long ago."""
        plan, rows = read_evidence(self.evidence(change))
        pair = Pair()
        for row in rows:
            if row.t >= plan.warm_up:
                pair.feed(row)
        self.history.learn(pair, placebo=True)

    def shared(self, change: int, share: float, now: float) -> None:
        """What the proxy says: its answer to an order may be lost, and the order obeyed."""
        exposure = self.exposure
        if exposure is None or exposure.change != change or not exposure.judging or share <= 0:
            return
        known = exposure.pending[-1].share if exposure.pending else exposure.judge.share
        if known is None or not same_share(known, share):
            row = ShareRow(t=max(0.0, now - exposure.began), share=share)
            exposure.pending.append(row)  # a look may be under way that began before it

    def end_judging(self) -> None:
        """The order to undo was given: what follows is no evidence any more."""
        if not self.going_back:
            self.after_undo.clear()
        self.going_back = True
        if self.exposure:
            self.exposure.judging = False

    def end(self) -> None:
        """The change is settled: the live release alone is watched again."""
        self.exposure = None
        self.soak = self.soak_reading = None
        self.going_back = False
        self.after_undo.clear()

    def learn(self, change: Change) -> None:
        """How both releases scattered side by side is worth knowing.

        To be asked of what was verified, and of a placebo whatever was seen of it.
        """
        if self.exposure and self.exposure.change == change.number:
            self.history.learn(self.exposure.pair, placebo=change.placebo)

    def begin_soak(self, *, fresh: bool = False) -> None:
        """Late harm is judged against what the live release was known to do; `fresh`: as of now."""
        history = self.history
        self.took_over = None
        if fresh:
            if self.exposed_at is not None:
                self.took_over = TakeOver(self.live_since, self.exposed_at, self.watched_s)
            self.live_since, self.live = self.watched_s, Tally()
        p = self.before_soak = history.p("errors")
        self.soak = SoakWatch(p, history.phi("errors")) if p is not None else None
        self.soaking = Liveness(_slowest(history))
        self.soak_reading = None

    def leave_live(self) -> None:
        """What was live is undone: another release has all users from now on."""
        self.took_over, self.live_since, self.live = None, self.watched_s, Tally()

    def before_after(self, metrics: Iterable[Metric]) -> tuple[BeforeAfter, ...]:
        """Of each ratio, what the change that is live now brought; nothing after a restart."""
        if (took := self.took_over) is None:
            return ()
        ratios = {"errors": "higher"}
        ratios |= {one.name: one.worse for one in metrics if one.kind is MetricKind.RATIO}
        history, change, now = self.history, (took.exposed, took.live), self.watched_s
        found = (
            before_after(history, name, change, now, worse=worse, since=took.before)
            for name, worse in ratios.items()
        )
        return tuple(one for one in found if one is not None)

    def feed(self, metered: Metered, instances: Sequence[InstanceFacts], now: float) -> None:
        """One second of figures."""
        self.last = metered
        self.recent.append(metered.rows)
        exposure = self.exposure
        recovering = self.vitals.recovering(now)
        if exposure is None or (
            _speaks(metered.rows, Arm.CANARY)
            and (recovering or not exposure.lacks(metered.missing))
        ):
            self.last_tick = now
        if exposure:
            exposure.count(metered.rows)
            exposure.abandoned += metered.abandoned
        if self.going_back:
            self.after_undo.append(metered.rows)
            return
        bad, answered = _errors(metered.rows, Arm.BASELINE)
        self.live.baseline_bad += bad
        self.live.baseline_all += answered
        self._remember(metered)
        if exposure is None:
            self._watch_soak(metered, instances)
            return
        t = max((row.t for row in metered.rows), default=now - exposure.began)
        exposure.tick(metered.rows, t)
        fact = exposure.liveness.feed(_observation(t, metered, instances, exposure))
        if fact:
            exposure.write((FactRow(t=t, fact=fact),))
        exposure.judge.close_tick()
        if recovering:
            exposure.host = _host(exposure.judge.plan)
        elif exposure.host:
            exposure.host.feed(*_errors(metered.rows, Arm.BASELINE))

    def _remember(self, metered: Metered) -> None:
        """The live release's own past, in the seconds in which it was watched."""
        self.watched_s += 1.0
        for row in metered.rows:
            self.history.feed(row, self.watched_s)
        self.history.compare(metered.halves, self.watched_s)

    def _watch_soak(self, metered: Metered, instances: Sequence[InstanceFacts]) -> None:
        """Late harm of the live release, which has nothing beside it any more."""
        if self.soak is None or self.soak_reading is not None:
            return
        due = self.history.rate("errors")
        fact = self.soaking.feed(_live_observation(self.watched_s, metered, instances, due))
        self.soak.feed(*_errors(metered.rows, Arm.BASELINE))
        if fact:
            self.soak_reading = Reading(
                Word.WORSE, 0.0, fact, f"it {FACTS[fact]}", 100.0, gate=False
            )
        elif self.soak.harmful:
            because = "errors rose far above what this service is known to give"
            self.soak_reading = Reading(Word.WORSE, 0.0, "errors", because, 100.0, gate=False)

    def reading(self, change: Change) -> Reading | None:
        """What the evidence says of this change: the judge's answer, or the soak's while live.

        Evidence against the one in front of users says nothing of the live one beside it.
        """
        if change.phase in LIVE:
            return self.soak_reading
        if self.exposure and self.exposure.change == change.number:
            return self.exposure.reading
        return None

    @property
    def live_harm(self) -> Harm:
        """What users got from the live release since it is watched as such, and what is usual."""
        bad, answered = self.live.baseline_bad, self.live.baseline_all
        return Harm(round(answered), round(bad), round((self.before_soak or 0.0) * answered, 1))

    def old_hurt(self, now: float) -> bool:
        """Whether the old release is hurt at this moment, by its death or by gross errors."""
        exposure = self.exposure
        alarmed = exposure and exposure.judging and exposure.host and exposure.host.alarmed
        return bool(alarmed) or self.vitals.recovering(now)

    @property
    def host_hurt(self) -> bool:
        """Whether the old release is hurt as well."""
        exposure = self.exposure
        return bool(exposure and exposure.judging and exposure.host and exposure.host.hurt)

    def is_in_band(self, metric: str | None) -> bool:
        """Whether what was worse has been back to normal for 10 s and 50 requests."""
        if len(self.after_undo) < BAND_S:
            return False
        if self.exposure is None:  # late harm: only errors are watched in a soak
            bad, total = _sum(self._lately("errors"), "errors", Arm.BASELINE)
            return in_band(self.before_soak or 0.0, bad, total)
        plans = self.exposure.judge.plan
        plan = plans.metric(metric or "errors") or plans.errors
        if plan is None:
            return False
        if plan.kind == "latency":
            return latency_in_band(plan.bounds, _buckets(self._lately(plan.name), plan.name))
        bad, total = _sum(self._lately(plan.name), plan.name, Arm.BASELINE)
        return ratio_in_band(plan, bad, total)

    def _lately(self, metric: str) -> list[tuple[Row, ...]]:
        """The last 10 s and 50 requests, whichever is longer."""
        taken: list[tuple[Row, ...]] = []
        total = 0.0
        for rows in reversed(self.after_undo):
            taken.append(rows)
            total += _answers(rows, metric)
            if len(taken) >= BAND_S and total >= ENOUGH_REQUESTS:
                break
        return taken

    @property
    def seen_by_users(self) -> bool:
        """Whether anybody asked anything in the last ten seconds; taken to be so until known."""
        return len(self.recent) < BAND_S or any(
            _sum(self.recent, "errors", arm)[1] > 0 for arm in Arm
        )

    def rates(self) -> tuple[float, float | None]:
        """Requests per second and the share of errors over the last ten seconds, both arms."""
        pairs = [_sum(self.recent, "errors", arm) for arm in Arm]
        bad, total = sum(pair[0] for pair in pairs), sum(pair[1] for pair in pairs)
        seconds = max(1, len(self.recent))
        return total / seconds, (bad / total if total else None)


def _host(plan: JudgePlan) -> HostWatch | None:
    errors = next((one for one in plan.metrics if one.name == "errors"), None)
    return HostWatch(errors.p, errors.phi) if errors and errors.p is not None else None


def _observation(
    t: float, metered: Metered, instances: Sequence[InstanceFacts], exposure: Exposure
) -> Observation:
    share = exposure.judge.share or 0.0
    answered = metered.canary_answered + metered.baseline_answered
    return Observation(
        t=t,
        instances=_alive(instances),
        answered=metered.canary_answered,
        active=metered.canary_active,
        baseline_answered=metered.baseline_answered,
        expected=share * answered,
    )


def _alive(instances: Sequence[InstanceFacts]) -> tuple[tuple[int, float, bool], ...]:
    return tuple((one.pid or 0, one.started or 0.0, one.listening) for one in instances if one.up)


def _live_observation(
    t: float, metered: Metered, instances: Sequence[InstanceFacts], due: float
) -> Observation:
    """The live release as the rules for a canary see one; silence of its users is no fact."""
    return Observation(
        t=t,
        instances=_alive(instances),
        answered=metered.baseline_answered,
        active=metered.baseline_active,
        baseline_answered=0,
        expected=due,
    )


def _slowest(history: History) -> float:
    """The baseline's p99.9 in seconds, or the rarest that its buckets know; 0 without a past."""
    slower = history.slower("latency")
    rare = max(RARE, min(slower.values(), default=1.0))
    return min((bound for bound, part in slower.items() if part <= rare), default=0.0)


def _speaks(rows: Sequence[Row], arm: Arm) -> bool:
    """Whether there is any figure of this arm; zero is one."""
    return any(isinstance(row, RatioTick) and row.arm is arm for row in rows)


def _errors(rows: Sequence[Row], arm: Arm) -> tuple[float, float]:
    return _sum((tuple(rows),), "errors", arm)


def _buckets(ticks: Iterable[tuple[Row, ...]], metric: str) -> dict[float, float]:
    """The baseline's cumulative buckets over some ticks."""
    sums: dict[float, float] = {}
    for row in (row for rows in ticks for row in rows):
        if isinstance(row, LatencyTick) and row.metric == metric and row.arm is Arm.BASELINE:
            for bound, count in row.le.items():
                sums[bound] = sums.get(bound, 0.0) + count
    return sums


def _answers(rows: tuple[Row, ...], metric: str) -> float:
    """The baseline's events of a metric of either kind in one tick."""
    _, counted = _sum((rows,), metric, Arm.BASELINE)
    return counted + _buckets((rows,), metric).get(inf, 0.0)


def _sum(ticks: Iterable[tuple[Row, ...]], metric: str, arm: Arm) -> tuple[float, float]:
    """Bad and all of one arm of a ratio over some ticks."""
    bad = total = 0.0
    for row in (row for rows in ticks for row in rows):
        if isinstance(row, RatioTick) and row.metric == metric and row.arm is arm:
            bad, total = bad + row.bad, total + row.all
    return bad, total
