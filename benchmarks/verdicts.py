"""How fast and how surely the judge answers, by simulation with fixed seeds.

    python benchmarks/verdicts.py [--quick] [--only slot|detection|false|bound|speed]

The model: one-second ticks; Poisson requests; independent errors (or bursts of `phi`); latency
lognormal with median 80 ms and sigma 0.6, and 0.5 % at 2 s; optionally one business ratio ("biz",
a tenth of the requests, 1 % bad). Shares 10 % (or 5 requests/s), then 50 %; limit 15 min. Beside
each figure stands the one of the specification, where it has one.
"""

import argparse
import bisect
import os
import platform
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import erf, exp, inf, log, log1p, sqrt

from surefoot.analysis.evidence import HARM_RATIOS, Capital
from surefoot.analysis.forecast import forecast
from surefoot.analysis.history import History
from surefoot.analysis.judge import Judge
from surefoot.analysis.plan import JudgePlan, MetricPlan, Rules, plan_from_history, settle
from surefoot.analysis.ticks import Arm, LatencyTick, RatioTick, Row, ShareRow
from surefoot.domain.verdict import Margin, Reading, Word

E24 = (
    *(1.0, 1.1, 1.2, 1.3, 1.5, 1.6, 1.8, 2.0, 2.2, 2.4, 2.7, 3.0),
    *(3.3, 3.6, 3.9, 4.3, 4.7, 5.1, 5.6, 6.2, 6.8, 7.5, 8.2, 9.1),
)
BOUNDS = tuple(round(a * 10.0**k, 6) for k in (-2, -1, 0) for a in E24)
LIMIT = 900
HISTORY_SECONDS = 600
ERRORS = MetricPlan("errors", "ratio", group="errors")
LATENCY = MetricPlan("latency", "latency", group="latency")
BIZ = MetricPlan("biz", "ratio")


@dataclass(frozen=True, slots=True)
class World:
    """A service, and what the change does to it."""

    rps: float
    p: float
    canary_p: float | None = None
    slowed: float = 1.0
    biz: bool = False
    biz_canary: float = 0.01
    phi: int = 1
    harm_from: float = 0.0
    latency: bool = True

    @property
    def metrics(self) -> tuple[MetricPlan, ...]:
        """What is judged of it."""
        return (ERRORS, *([LATENCY] if self.latency else []), *([BIZ] if self.biz else []))


class Dice:
    """Seeded counts."""

    def __init__(self, seed: str) -> None:
        self.rng = random.Random(seed)

    def poisson(self, mean: float) -> int:
        """A Poisson count; normal where the mean is large."""
        if mean > 60:
            return max(0, round(self.rng.gauss(mean, sqrt(mean))))
        limit, count, product = exp(-mean), 0, self.rng.random()
        while product > limit:
            count += 1
            product *= self.rng.random()
        return count

    def binomial(self, n: int, p: float) -> int:
        """A binomial count, by the gaps between successes; normal where they are many."""
        if p <= 0 or n <= 0:
            return 0
        if p >= 1:
            return n
        if n * p > 200:
            return min(n, max(0, round(self.rng.gauss(n * p, sqrt(n * p * (1 - p))))))
        count, at, scale = 0, 0, 1 / log1p(-p)
        while True:
            at += int(log(1 - self.rng.random()) * scale) + 1
            if at > n:
                return count
            count += 1

    def errors(self, n: int, p: float, phi: int) -> int:
        """Bad answers in bursts of `phi`, so that they scatter phi times as much."""
        return min(n, phi * self.binomial(n, p / phi))

    def buckets(self, n: int, cumulative: Sequence[float]) -> dict[float, float]:
        """Cumulative buckets of n answers."""
        roll = self.rng.random
        values = sorted(roll() for _ in range(n))
        le: dict[float, float] = {
            bound: bisect.bisect_right(values, q)
            for bound, q in zip(BOUNDS, cumulative, strict=True)
        }
        le[inf] = n
        return le


def latency_cdf(slowed: float) -> tuple[float, ...]:
    """The fraction of answers within each bound."""

    def within(seconds: float) -> float:
        normal = 0.5 * (1 + erf(log(seconds / slowed / 0.08) / 0.6 / sqrt(2)))
        return 0.995 * normal + 0.005 * (seconds >= 2 * slowed)

    return tuple(within(bound) for bound in BOUNDS)


def history_of(world: World, dice: Dice) -> History:
    """Ten minutes of the baseline, block by block."""
    history = History()
    n = round(world.rps * 10)
    cdf = latency_cdf(1.0)
    for t in range(5, HISTORY_SECONDS, 10):
        bad = dice.errors(n, world.p, world.phi)
        history.feed(RatioTick(t, "errors", Arm.BASELINE, bad, n))
        if world.latency:
            history.feed(LatencyTick(t, "latency", Arm.BASELINE, dice.buckets(n, cdf)))
        history.feed(RatioTick(t, "biz", Arm.BASELINE, dice.binomial(n // 10, 0.01), n // 10))
    return history


def plan_for(
    world: World, dice: Dice, phi: float | None, margin: Margin | None = None
) -> JudgePlan:
    """The plan as shipped; `phi` None is learnt, a number is used as it is."""
    history = history_of(world, dice)
    rules = Rules(time_limit=LIMIT, largest_margin=10.0)
    metrics = [replace(m, margin=margin) if m is ERRORS else m for m in world.metrics]
    learnt = plan_from_history(history, metrics, rules)
    if phi is None:
        return learnt
    used = tuple(replace(metric, phi=phi) for metric in metrics)
    return settle(replace(learnt, metrics=used), history)


def second(world: World, dice: Dice, t: int, share: float) -> Iterator[Row]:
    """The rows of one second."""
    harmed = t >= world.harm_from
    for arm, part in ((Arm.CANARY, share), (Arm.BASELINE, 1 - share)):
        changed = harmed and arm is Arm.CANARY
        n = dice.poisson(world.rps * part)
        p = world.canary_p if changed and world.canary_p is not None else world.p
        yield RatioTick(t, "errors", arm, dice.errors(n, p, world.phi), n)
        if world.latency:
            cdf = CDFS.setdefault(world.slowed if changed else 1.0, ()) or remember(
                world.slowed if changed else 1.0
            )
            yield LatencyTick(t, "latency", arm, dice.buckets(n, cdf))
        if world.biz:
            n = dice.poisson(world.rps * part / 10)
            bad = dice.binomial(n, world.biz_canary if changed else 0.01)
            yield RatioTick(t, "biz", arm, bad, n)


CDFS: dict[float, tuple[float, ...]] = {}


def remember(slowed: float) -> tuple[float, ...]:
    """The distribution, computed once."""
    CDFS[slowed] = latency_cdf(slowed)
    return CDFS[slowed]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a rollout ended."""

    word: Word
    at: float
    bad: int
    plan: JudgePlan


def rollout(world: World, dice: Dice, plan: JudgePlan, until: Callable[[Reading], bool]) -> Outcome:
    """Run one rollout as the engine does: leave a step when the gate opens."""
    judge, step = Judge(plan), 0
    judge.feed(ShareRow(0, plan.steps[0]))
    reading = judge.reading
    for t in range(1, LIMIT + 1):
        for row in second(world, dice, t, plan.steps[step]):
            judge.feed(row)
        judge.close_tick()
        reading = judge.reading
        if until(reading):
            break
        if reading.gate and step + 1 < len(plan.steps):
            step += 1
            judge.feed(ShareRow(t + 0.5, plan.steps[step]))
    errors = next(metric for metric in reading.metrics if metric.name == "errors")
    return Outcome(reading.word, reading.at, errors.canary_bad, judge.plan)


def decided(reading: Reading) -> bool:
    """Whether the judge has said a word."""
    return reading.word is not Word.WATCHING


def run(world: World, runs: int, phi: float | None) -> list[Outcome]:
    """Several rollouts of one cell, each with its own seed."""
    found = []
    for number in range(runs):
        dice = Dice(f"{world}/{phi}/{number}")
        found.append(rollout(world, dice, plan_for(world, dice, phi), decided))
    return found


def quantile(times: Sequence[float], q: float) -> str:
    """The q-quantile of times; "-" where so many never came."""
    ordered = sorted(times)
    value = ordered[min(len(ordered) - 1, int(q * len(ordered)))]
    return f"{value:.0f}" if value < inf else "-"


def times_of(outcomes: Sequence[Outcome], word: Word) -> list[float]:
    """When each reached the word; inf if never."""
    return [one.at if one.word is word else inf for one in outcomes]


def missed(outcomes: Sequence[Outcome], word: Word) -> str:
    """How many never reached the word, in percent, if any."""
    part = sum(one.word is not word for one in outcomes) / len(outcomes)
    return f" ({part:.0%} not)" if part else ""


def rung_of(outcomes: Sequence[Outcome]) -> str:
    """The rungs that errors took, commonest first."""
    rungs = [one.plan.metrics[0].margin.rung for one in outcomes if one.plan.metrics[0].margin]
    return "".join(sorted(set(rungs), key=rungs.count, reverse=True))


SLOTS = {
    # (requests/s, base, biz): the specification's phi 1, learnt 1.35, and 3 where given
    (1, 0.0, False): ("222/407 (E)", "516/887 (D)", ""),
    (10, 0.0, False): ("149/344 (B)", "67/119 (C)", ""),
    (10, 0.01, False): ("37/57 (D)", "44/66 (D)", "76/111"),
    (10, 0.05, False): ("85/154 (C)", "93/173 (C)", ""),
    (50, 0.0, False): ("95/193 (A)", "101/186 (A)", ""),
    (50, 0.01, False): ("71/134 (C)", "93/166 (C)", "188/289"),
    (200, 0.0, False): ("35/59 (A)", "35/57 (A)", ""),
    (200, 0.001, False): ("37/59 (A)", "42/66 (A)", ""),
    (200, 0.01, False): ("80/159 (A)", "50/73 (B)", "96/144 (B)"),
    (200, 0.05, False): ("42/68 (A)", "46/78 (A)", ""),
    (1000, 0.01, False): ("27/39 (A)", "32/44 (A)", ""),
    (200, 0.01, True): ("", "53/78 (B)", "101/144"),
    (10, 0.01, True): ("", "280/456", "658/- (13 %)"),
}
QUICK_SLOTS = ((10, 0.01, False), (50, 0.01, False), (200, 0.0, False), (200, 0.01, False))


def slots(runs: int, *, quick: bool) -> None:
    """First exposure to *verified*, harmless."""
    print(f"\nSlot, seconds median/p90, {runs} runs a cell; at least 60 (the specification's")
    print("figures are without that). In brackets: the rungs taken. phi: 1 | 1.35 | 3 | learnt")
    for key, told in SLOTS.items():
        rps, p, biz = key
        if quick and key not in QUICK_SLOTS:
            continue
        world = World(rps, p, biz=biz)
        cells = []
        for phi, figure in zip((1.0, 1.35, 3.0, None), (*told, ""), strict=True):
            found = run(world, runs, phi)
            times = times_of(found, Word.VERIFIED)
            cell = f"{quantile(times, 0.5)}/{quantile(times, 0.9)} ({rung_of(found)})"
            cell += missed(found, Word.VERIFIED)
            nine = statistics.fmean(one.at <= forecast(one.plan).nine_in_ten for one in found)
            cells.append(f"{cell} [{figure or '-'}] forecast held {nine:.0%}")
        print(
            f"{rps:>5} rps {p:>5.1%}{' biz' if biz else '    '} | " + " | ".join(cells), flush=True
        )


@dataclass(frozen=True, slots=True)
class Harm:
    """A cell of the table of detection, with the specification's figures at phi 1."""

    rps: float
    p: float
    fifth: str
    everything: str
    five: str
    two: str


DETECTIONS = (
    Harm(10, 0.01, "22/38", "4/6", "148/275", "96 % verified"),
    Harm(50, 0.01, "7/16", "1/2", "68/124", "61 % verified"),
    Harm(200, 0.001, "2/3", "1/1", "72/108", "verified"),
    Harm(200, 0.01, "2/5", "1/1", "22/41", "120/169"),
    Harm(200, 0.05, "12/18", "1/1", "6/12", "38/61"),
    Harm(1000, 0.01, "1/1", "1/1", "6/13", "34/46"),
)


def detections(runs: int, *, quick: bool) -> None:
    """First exposure to *worse*."""
    print(f"\nDetection, seconds median/p95, {runs} runs a cell (the business ratio moves along)")
    for cell in DETECTIONS:
        if quick and (cell.rps, cell.p) not in {(50, 0.01), (200, 0.01)}:
            continue
        harms = {
            "20 %": (0.2, cell.fifth),
            "100 %": (1.0, cell.everything),
            "5x": (5 * cell.p, cell.five),
            "2x": (2 * cell.p, cell.two),
        }
        for name, (bad, figure) in harms.items():
            moved = bad / cell.p * 0.01 if name.endswith("x") else bad
            world = World(cell.rps, cell.p, canary_p=bad, biz=True, biz_canary=min(moved, 1.0))
            parts = []
            for phi in (1.0, None, 3.0):
                found = run(world, runs, phi)
                times = times_of(found, Word.WORSE)
                part = f"{quantile(times, 0.5)}/{quantile(times, 0.95)}"
                part += missed(found, Word.WORSE)
                part += f" {statistics.median(one.bad for one in found):.0f} bad"
                parts.append(part)
            print(
                f"{cell.rps:>5} rps {cell.p:>5.1%} {name:>6} | phi 1: {parts[0]} [{figure}]"
                f" | learnt: {parts[1]} | 3: {parts[2]}",
                flush=True,
            )


def slower(runs: int) -> None:
    """Latency that grows, at 200 requests/s, phi 1."""
    print("\nLatency at 200 requests/s, phi 1: worse, seconds median/p95")
    told = {1.03: "0 % worse", 1.1: "0 % worse", 1.25: "62/100", 1.5: "19/26", 2.0: "13/15"}
    for factor, figure in told.items():
        found = run(World(200, 0.01, slowed=factor), runs, 1.0)
        times = times_of(found, Word.WORSE)
        part = f"{quantile(times, 0.5)}/{quantile(times, 0.95)}{missed(found, Word.WORSE)}"
        print(f"  x{factor:<5} {part} [{figure}]", flush=True)


def false_words(runs: int) -> None:
    """How often the judge is wrong: restores without harm, *verified* at the margin."""
    print(f"\nErrors only, 200 requests/s, 1 %, {runs} runs: false restores within 15 min; false")
    print("verified at the margin (x2 or +1 point). One standard error in brackets")
    for true_phi in (1, 2, 3):
        for used in (float(true_phi), None):
            world = World(200, 0.01, phi=true_phi, latency=False)
            margin = Margin(2.0, 1.0, "declared")
            at_margin = replace(world, canary_p=0.02)
            false_worse = false_ok = 0
            for number in range(runs):
                dice = Dice(f"false/{true_phi}/{used}/{number}")
                plan = plan_for(world, dice, used, margin)
                end = rollout(world, dice, plan, lambda reading: reading.word is Word.WORSE)
                false_worse += end.word is Word.WORSE
                plan = plan_for(world, dice, used, margin)
                false_ok += rollout(at_margin, dice, plan, decided).word is Word.VERIFIED
            print(
                f"  phi true {true_phi}, used {used or 'learnt'}: "
                f"restores {in_percent(false_worse, runs)}, verified {in_percent(false_ok, runs)}",
                flush=True,
            )


def in_percent(count: int, runs: int) -> str:
    """A share with its standard error."""
    part = count / runs
    return f"{part:.1%} (± {sqrt(max(part, 1 / runs) * (1 - part) / runs):.1%})"


def information_bound(p0: float, p1: float, share: float, rps: float) -> float:
    """Seconds that any level-1 % test needs on average, when both rates are unknown."""

    def kl(a: float, b: float) -> float:
        return a * log(a / b) + (1 - a) * log((1 - a) / (1 - b))

    mean = share * p1 + (1 - share) * p0
    return log(100) / (rps * (share * kl(p1, mean) + (1 - share) * kl(p0, mean)))


def bounds(runs: int) -> None:
    """Detection over the information bound: bare T1, and as shipped."""
    print(f"\nDetection over the information bound, 100 requests/s, {runs} runs: bare | as shipped")
    bare_ratios, shipped_ratios = [], []
    for p0, times, share in (
        *((0.001, 5, 0.1), (0.001, 5, 0.5), (0.01, 2, 0.1)),
        *((0.01, 2, 0.5), (0.01, 5, 0.1), (0.01, 5, 0.5)),
    ):
        bound = information_bound(p0, times * p0, share, 100)
        bare = [bare_seconds(p0, times, share, number) for number in range(runs)]
        shipped = [shipped_seconds(p0, times, share, number) for number in range(runs)]
        bare_ratios.append(statistics.fmean(bare) / bound)
        shipped_ratios.append(statistics.fmean(shipped) / bound)
        print(
            f"  {p0:.1%} x{times}, share {share:.0%}: bound {bound:.0f} s, "
            f"{bare_ratios[-1]:.2f} | {shipped_ratios[-1]:.2f}",
            flush=True,
        )
    print(
        f"  median {statistics.median(bare_ratios):.2f} [1.45] | "
        f"{statistics.median(shipped_ratios):.2f} [3.0]"
    )


def bare_seconds(p0: float, times: float, share: float, number: int) -> float:
    """T1 alone: null ratio 1, no dead band, no restarts, all the weight."""
    dice, capital, t = Dice(f"bare/{p0}/{times}/{share}/{number}"), Capital(HARM_RATIOS), 0
    while capital.value < 100 and t < 20_000:
        t += 1
        n_c, n_b = dice.poisson(100 * share), dice.poisson(100 * (1 - share))
        if n_c and n_b:
            canary = (dice.binomial(n_c, times * p0), n_c)
            capital.step(1.0, canary, (dice.binomial(n_b, p0), n_b), 0.0)
    return t


def shipped_seconds(p0: float, times: float, share: float, number: int) -> float:
    """Errors among the groups of a whole plan, without warm-up, at one share."""
    dice = Dice(f"shipped/{p0}/{times}/{share}/{number}")
    world = World(100, p0, canary_p=times * p0, latency=False)
    plan = JudgePlan(
        time_limit=20_000,
        steps=(share,),
        warm_up=0,
        metrics=(replace(ERRORS, phi=1.0), LATENCY, BIZ),
    )
    judge, t = Judge(plan), 0
    judge.feed(ShareRow(0, share))
    while judge.reading.word is not Word.WORSE and t < 20_000:
        t += 1
        for row in second(world, dice, t, share):
            judge.feed(row)
        judge.close_tick()
    return t


def speed() -> None:
    """How many ticks the judge takes in a second of one core."""
    ratio = World(200, 0.01, latency=False)
    dice = Dice("speed")
    plan = plan_for(replace(ratio, latency=True), dice, 1.0)
    for name, metric in (("ratio", plan.metrics[0]), ("latency", plan.metrics[1])):
        only = replace(plan, metrics=(metric,))
        chosen = sorted({x for b in metric.bounds for x in (b.x, b.y, b.z, b.gate_z)})[:12]
        rows: list[Row] = []
        for t in range(1, 5001):
            for row in second(replace(ratio, latency=name == "latency"), dice, t, 0.1):
                if isinstance(row, LatencyTick) and name == "latency":
                    rows.append(replace(row, le={b: row.le[b] for b in (*chosen, inf)}))
                elif isinstance(row, RatioTick) and name == "ratio":
                    rows.append(row)
        if name == "latency":
            kept = tuple(b for b in metric.bounds if {b.x, b.y, b.z, b.gate_z} <= {*chosen})
            only = replace(plan, metrics=(replace(metric, bounds=kept),))
            print(f"\nLatency: {len(chosen)} bounds, {len(kept)} judged, and +Inf")
        judge = Judge(replace(only, time_limit=1e6))
        judge.feed(ShareRow(0, 0.1))
        started = time.process_time()  # of this core alone, whatever else the machine does
        for row in rows:
            judge.feed(row)
        taken = time.process_time() - started
        told = {"ratio": 100_000, "latency": 20_000}[name]
        print(f"{name}: {len(rows) / taken:,.0f} ticks/s (one arm, one second) [{told:,}]")


def main() -> None:
    """Print the tables that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="few runs of few cells")
    parser.add_argument("--only", choices=("slot", "detection", "false", "bound", "speed"))
    told = parser.parse_args()
    started = time.perf_counter()
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores")
    runs = 20 if told.quick else 100
    if told.only in {None, "speed"}:
        speed()
    if told.only in {None, "slot"}:
        slots(runs, quick=told.quick)
    if told.only in {None, "detection"}:
        detections(runs, quick=told.quick)
        slower(runs)
    if told.only in {None, "bound"}:
        bounds(runs)
    if told.only in {None, "false"}:
        false_words(20 if told.quick else 1000)
    print(f"\n{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
