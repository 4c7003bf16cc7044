"""The judge: rows of evidence in, one of four words out.

A tick is complete when a later row arrives. It then multiplies the capital of every bet; the
weighted sum of what speaks against the change is compared with 1/alpha at every tick, which is
sound however often one looks (Ville's inequality). Facts need no capital. All of it depends on the
rows alone: not on when they were handed over, nor in what portions.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import inf

from surefoot.analysis.course import Standing
from surefoot.analysis.evidence import ShareTest
from surefoot.analysis.gauges import GaugeTest
from surefoot.analysis.history import History
from surefoot.analysis.margins import GATE_PART
from surefoot.analysis.opentick import OpenTick
from surefoot.analysis.plan import SMALLEST_SHARE, JudgePlan, settle
from surefoot.analysis.promises import promises
from surefoot.analysis.silence import Instances, Silence
from surefoot.analysis.ticks import Arm, Fact, RatioTick, Row
from surefoot.analysis.tracks import LatencyTrack, Moment, RatioTrack, Totals, Track
from surefoot.analysis.weights import Weights, split
from surefoot.analysis.words import (
    FACTS,
    NEVER_BESIDE,
    duration,
    lacking_in_words,
    not_seen,
    share_in_words,
    silent_in_words,
    verified,
    warnings,
    worse,
)
from surefoot.domain.errors import BadEvidence
from surefoot.domain.verdict import Level, MetricReading, PromiseReading, Reading, Word

__all__ = ["MINIMUM_WATCH", "SHARE", "Judge"]

MINIMUM_WATCH = 60.0
AFTER_SWITCH = 2.0  # seconds after each change of share that count only for the gross guard
CALM_PART = 0.1  # of what *worse* needs: sum < 10 at alpha 1 %
SHARE = "traffic share"


@dataclass(frozen=True, slots=True)
class Decision:
    """A word that was reached, and what was true at that moment."""

    word: Word
    at: float
    metric: str | None
    because: str
    evidence: float
    ratio: tuple[float, float] | None = None
    promises: tuple[PromiseReading, ...] = ()  # as they stood, where all of them had to be met


class Judge:
    """Judges one rollout by its plan.

    Feed it rows in the order of time; read `reading` whenever you like. To resume after a stop,
    feed the recorded rows again, or `pickle` it: its state is a few hundred numbers for each
    metric, however long it has watched.
    """

    def __init__(
        self, plan: JudgePlan, exposed_at: float | None = None, speaks_at: float | None = None
    ) -> None:
        """Judge by `plan`.

        Args:
            plan: fixed before exposure. Metrics without history are settled by the baseline's
                first 60 s, and can be found "not worse" only after them.
            exposed_at: when the first user was exposed, in the rows' seconds, where no `ShareRow`
                will tell.
            speaks_at: from when on the canary's silence counts, where that is later.
        """
        self.plan = plan
        self._tracks: dict[str, Track] = {}
        for metric in plan.metrics:
            if metric.kind == "ratio":
                self._tracks[metric.name] = RatioTrack(metric, plan)
            elif metric.kind == "latency":
                self._tracks[metric.name] = LatencyTrack(metric, plan)
        self._gauges = {one.name: GaugeTest() for one in plan.metrics if one.kind == "gauge"}
        self._promises = promises(plan, self._gauges)
        self._silence = Silence(plan)
        self._instances = Instances(plan.interval or 1.0)
        self._speaks_at = speaks_at
        self._least_share = plan.steps[0] if plan.steps else SMALLEST_SHARE
        self._strata = {metric.name: metric.strata for metric in plan.metrics if metric.strata}
        self._requests = plan.errors.name if plan.errors else None
        self._history = History()
        self._share_test = ShareTest()
        self._share_totals = Totals()
        self._open: OpenTick | None = None
        self._closed_at = -inf
        self._exposed_at: float | None = None
        self._switched_at = -inf
        self._weights = Weights(0.0, 0.0, {})
        self._weighed: list[tuple[float, Track]] = []
        self._unsettled = _unsettled(plan)
        self._required = self._needed_for_verified()
        self._decision: Decision | None = None
        self._now = Moment(0.0, judged=False)
        self._side_by_side = False
        self._evidence = 1.0
        self.share: float | None = None
        if exposed_at is not None:
            self._expose(exposed_at, share_known=False)

    def feed(self, row: Row) -> None:
        """Take a row; one with a later `t` completes the tick before it.

        Raises:
            BadEvidence: the row is earlier than one already taken, or changes its metric's kind.
        """
        tick = self._open
        if tick is not None and row.t > tick.t:
            self.close_tick()
            tick = None
        if tick is None:
            if row.t <= self._closed_at:
                raise _late(row.t, self._closed_at)
            tick = self._open = OpenTick(row.t, self._strata)
        elif row.t < tick.t:
            raise _late(row.t, tick.t)
        tick.add(row)

    def close_tick(self) -> None:
        """Complete the open tick without waiting for a later row; nothing may join it then."""
        tick = self._open
        if tick is None:
            return
        self._open, self._closed_at = None, tick.t
        if tick.share is not None:
            self._switch(tick.t, tick.share)
        if self._exposed_at is not None:
            now, since_switch = self._now, tick.t - self._switched_at
            now.at = tick.t - self._exposed_at
            now.judged = now.at >= self.plan.warm_up and since_switch >= AFTER_SWITCH
            self._step(now, tick)
        if self._unsettled:
            self._learn(tick)
        self._decide(tick)

    def _switch(self, t: float, share: float) -> None:
        if self._exposed_at is None and share > 0:
            self._expose(t, share_known=not self.plan.sticky)
        if share != self.share:
            self._switched_at = t
        self.share = share

    def _expose(self, t: float, *, share_known: bool) -> None:
        self._exposed_at = self._switched_at = t
        self._speaks_at = t if self._speaks_at is None else self._speaks_at
        self._weights = split(self.plan.metrics, share_known=share_known)
        self._weighed = [(w, self._tracks[name]) for name, w in self._weights.metrics.items()]
        self._evidence = self._weigh()

    def _step(self, moment: Moment, tick: OpenTick) -> None:
        if tick.canary and tick.baseline:
            self._side_by_side = True
        for track in self._tracks.values():
            track.step(moment, tick)
        if tick.gauges:
            self._instances.step(moment.at, tick)
            if moment.judged:
                self._step_gauges(moment, tick)
        for promise in self._promises:
            promise.step(moment, tick)
        if self._weights.share and moment.judged:
            self._step_share(tick)
        if self._is_silent(tick):
            tick.facts += (Fact.SILENT,)
        self._evidence = self._weigh()

    def _step_gauges(self, moment: Moment, tick: OpenTick) -> None:
        for name, gauge in self._gauges.items():
            canary, baseline = tick.samples(name, Arm.CANARY), tick.samples(name, Arm.BASELINE)
            if canary and baseline:
                gauge.step(moment.at, canary, baseline)

    def _is_silent(self, tick: OpenTick) -> bool:
        """Without a share to go by it was at least the smallest: less is due then than was."""
        if self._speaks_at is None or tick.t <= self._speaks_at:
            return False
        share = self._least_share if self.share is None else self.share
        return self._silence.step(tick.t - self._speaks_at, tick, share)

    def _step_share(self, tick: OpenTick) -> None:
        name, share, totals = self._requests, self.share, self._share_totals
        if name is None or share is None:
            return
        canary, baseline = tick.canary.get(name), tick.baseline.get(name)
        if isinstance(canary, RatioTick) and isinstance(baseline, RatioTick):
            self._share_test.step(share, canary.all, baseline.all)
            totals.canary_all += canary.all
            totals.baseline_all += baseline.all

    def _weigh(self) -> float:
        """The sum that ends at 1/alpha. As `_against`, but asked at every tick."""
        weights, total = self._weights, 0.0
        for weight, track in self._weighed:
            total += weight * track.harm
            if track.gross is not None:
                total += weights.gross * track.gross.value
        if weights.share:
            total += weights.share * self._share_test.value
        return total

    def _against(self) -> Mapping[str, float]:
        """What each metric adds to the sum against the change; the gross guard joins errors."""
        weights = self._weights
        against = {name: w * self._tracks[name].harm for name, w in weights.metrics.items()}
        if weights.gross and self.plan.errors:
            errors = self._tracks[self.plan.errors.name]
            if errors.gross:
                against[errors.metric.name] += weights.gross * errors.gross.value
        if weights.share:
            against[SHARE] = weights.share * self._share_test.value
        return against

    def _learn(self, tick: OpenTick) -> None:
        """Settle what the plan left open, once the baseline's past is known."""
        for name in self._unsettled & tick.baseline.keys():
            self._history.feed(tick.baseline[name])
        if self._history.seconds < MINIMUM_WATCH:
            return
        before, self.plan = self.plan, settle(self.plan, self._history)
        for old, new in zip(before.metrics, self.plan.metrics, strict=True):
            if new is not old:
                self._tracks[new.name].settle(new, self.plan)
                for promise in self._promises:
                    if promise.expectation.metric == new.name:
                        promise.settle(new)
        self._unsettled = _unsettled(self.plan)
        self._required = self._needed_for_verified()

    def _needed_for_verified(self) -> tuple[Track, ...]:
        return tuple(track for track in self._tracks.values() if track.metric.required)

    def _decide(self, tick: OpenTick) -> None:
        """Change the word if the evidence does. *Worse* is final and wins ties."""
        decided = self._decision
        if decided is not None and decided.word is Word.WORSE:
            return
        if tick.facts:
            fact = min(tick.facts)
            because = f"the canary {FACTS[fact]}; WORSE"
            self._decision = self._decided(Word.WORSE, str(fact), because)
        elif self._exposed_at is not None and self._evidence >= 1 / self.plan.alpha_worse:
            self._decision = self._worse()
        elif decided is not None or self._exposed_at is None:
            return
        elif self._is_verified():
            kept = tuple(promise.reading for promise in self._promises)
            because = verified(self._required, self.plan, kept)
            self._decision = replace(self._decided(Word.VERIFIED, None, because), promises=kept)
        elif self._now.at >= self.plan.time_limit:
            name, lacking = self._lacking()
            because = f"inconclusive after {duration(self.plan.time_limit)}: {lacking}"
            self._decision = self._decided(Word.INCONCLUSIVE, name, because)

    def _decided(self, word: Word, metric: str | None, because: str) -> Decision:
        track = self._tracks.get(metric) if metric else None
        interval = track.interval if track else None
        return Decision(word, self._now.at, metric, because, self._evidence, interval)

    def _worse(self) -> Decision:
        against = self._against()
        name = max(against, key=lambda metric: against[metric])
        if name == SHARE:
            totals = self._share_totals
            because = share_in_words(totals.canary_all, totals.baseline_all, self.share or 0.0)
        else:
            because = worse(self._tracks[name])
        return self._decided(Word.WORSE, name, because)

    def _is_verified(self) -> bool:
        """Whether every required metric is not worse, at this one moment. No metric is no proof."""
        plan = self.plan
        if self._now.at < MINIMUM_WATCH or self._evidence >= CALM_PART / plan.alpha_worse:
            return False
        for track in self._required:
            if not track.ok_reaches(1 / plan.alpha_ok):
                return False
        return bool(self._required) and all(promise.met for promise in self._promises)

    def _lacking(self) -> tuple[str | None, str]:
        """What is still missing for *verified*: the metric, and a clause."""
        plan, required = self.plan, self._required
        if not required:
            return None, "no metric is required, so nothing can be proven"
        if self._evidence >= CALM_PART / plan.alpha_worse:
            against = self._against()
            name = max(against, key=lambda metric: against[metric])
            wanted = 1 / plan.alpha_worse
            return name, f"{name} looks worse, {self._evidence:.0f} of {wanted:.0f} needed"
        open_ = [track for track in required if track.ok < 1 / plan.alpha_ok]
        for track in open_:
            if not track.totals.canary_all:
                return track.metric.name, not_seen(track.metric)
        if open_:
            seconds = {track.metric.name: self._seconds_to_ok(track) for track in open_}
            name = max(seconds, key=lambda metric: seconds[metric])
            left = max(seconds[name], MINIMUM_WATCH - self._now.at)
            return name, lacking_in_words(self._tracks[name], left, 1 / plan.alpha_ok)
        for promise in self._promises:
            if not promise.met:
                expectation = promise.expectation
                return expectation.metric, f"not seen yet that {expectation}"
        left = MINIMUM_WATCH - self._now.at
        return None, f"all is well so far; {duration(max(left, 1.0))} more"

    def _seconds_to_ok(self, track: Track) -> float:
        totals = track.totals
        rate = (totals.canary_all + totals.baseline_all) / max(self._now.at, 1.0)
        return track.seconds_to_ok(self.plan, rate)

    @property
    def _gate(self) -> bool:
        """Whether enough is known to leave the present step."""
        if not self._now.judged or (self._decision and self._decision.word is Word.WORSE):
            return False
        seen_by_proxy = [t for t in self._tracks.values() if t.metric.group != "declared"]
        needed = seen_by_proxy or self._required
        enough = GATE_PART / self.plan.alpha_ok
        return bool(needed) and all(track.gate >= enough for track in needed)

    @property
    def reading(self) -> Reading:
        """The answer as of the last complete tick. Counts go on after *worse*; the rest stands."""
        decision = self._decision or self._watching()
        return Reading(
            word=decision.word,
            at=decision.at,
            metric=decision.metric,
            because=decision.because,
            evidence=decision.evidence,
            gate=self._gate,
            ratio=decision.ratio,
            metrics=tuple(self._metric_reading(metric.name) for metric in self.plan.metrics),
            promises=decision.promises or tuple(one.reading for one in self._promises),
            warnings=tuple(self._warnings()),
        )

    def _warnings(self) -> Iterator[str]:
        totals = [track.totals for track in self._tracks.values()]
        both = any(one.canary_all for one in totals) and any(one.baseline_all for one in totals)
        if both and not self._side_by_side:
            yield NEVER_BESIDE
        for track in self._tracks.values():
            yield from warnings(track)
        yield from silent_in_words(self._instances.silent)

    @property
    def ratios(self) -> Mapping[str, tuple[float, float]]:
        """Of each ratio metric the 95 % confidence sequence of p_c/p_b now; dear to compute."""
        found = {name: track.interval for name, track in self._tracks.items()}
        return {name: ends for name, ends in found.items() if ends is not None}

    @property
    def standing(self) -> Standing:
        """How the evidence stands as of the last complete tick; cheap enough to ask at each."""
        exposed_at, decided = self._exposed_at, self._decision
        return Standing(
            exposed_at=exposed_at,
            at=None if exposed_at is None else self._now.at,
            word=decided.word if decided else Word.WATCHING,
            evidence=self._evidence,
            against=self._against() if exposed_at is not None else {},
            ok={track.metric.name: track.ok for track in self._required},
        )

    def _watching(self) -> Decision:
        if self._exposed_at is None:
            because = "watching: no user is exposed yet"
        else:
            because = f"watching: {self._lacking()[1]}"
        return Decision(Word.WATCHING, self._now.at, None, because, self._evidence)

    def _metric_reading(self, name: str) -> MetricReading:
        track = self._tracks.get(name)
        if track is None:
            return self._promised_reading(name)
        decision, metric = self._decision, track.metric
        harm, gross = track.harm, track.gross
        if gross:
            both = self._weights.gross + self._weights.metrics.get(name, 0.0)
            harm = self._against().get(name, 0.0) / both if both else 1.0
        word = Word.WATCHING
        if decision and decision.word is Word.WORSE and decision.metric == name:
            word = Word.WORSE
        elif track.ok >= 1 / self.plan.alpha_ok:
            word = Word.VERIFIED
        elif decision and decision.word is Word.INCONCLUSIVE:
            word = Word.INCONCLUSIVE
        bad_c, bad_b = track.bad
        return MetricReading(
            name=name,
            word=word,
            margin=metric.margin,
            harm=harm,
            ok=track.ok,
            required=metric.required,
            canary_bad=round(bad_c),
            canary_all=round(track.totals.canary_all),
            baseline_bad=round(bad_b),
            baseline_all=round(track.totals.baseline_all),
            slower_than=track.slower_than,
        )

    def _promised_reading(self, name: str) -> MetricReading:
        """A gauge or a counter: what is expected of it, and how a gauge stands. It ends nothing."""
        expected = [promise for promise in self._promises if promise.expectation.metric == name]
        met = bool(expected) and all(promise.met for promise in expected)
        gauge, level, harm = self._gauges.get(name), None, 1.0
        if gauge and gauge.means:
            level = Level(
                *gauge.means, gauge.blocks, gauge.value(higher=True), gauge.value(higher=False)
            )
            metric = self.plan.metric(name)
            harm = level.higher if metric and metric.worse == "higher" else level.lower
        word = Word.VERIFIED if met else Word.WATCHING
        if harm >= 1 / self.plan.alpha_worse:
            word = Word.WORSE
        return MetricReading(name, word, None, harm, 1.0, required=bool(expected), level=level)


def _unsettled(plan: JudgePlan) -> frozenset[str]:
    return frozenset(metric.name for metric in plan.metrics if not metric.settled)


def _late(t: float, latest: float) -> BadEvidence:
    return BadEvidence(
        f"A row at t = {t:g} s comes after one at t = {latest:g} s.",
        cure="Put the rows in the order of time.",
    )
