"""How fast and how surely the judge answers, by simulation with fixed seeds.

    python benchmarks/verdicts.py [--quick] [--only slot|detection|false|bound|forecast|common]

The model is that of `simulated.py`. Beside each figure stands the one of the specification, where
it has one.
"""

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import inf, log, sin, sqrt

from simulated import (
    BIZ,
    ERRORS,
    HISTORY_SECONDS,
    LATENCY,
    LIMIT,
    Dice,
    Outcome,
    World,
    decided,
    plan_for,
    rollout,
    second,
    watch,
)

from surefoot.analysis.bernoulli import COMMON_RATIOS, BlockCapital
from surefoot.analysis.evidence import HARM_RATIOS, Capital
from surefoot.analysis.forecast import Wait, forecast, remaining, to_see
from surefoot.analysis.judge import Judge
from surefoot.analysis.plan import JudgePlan
from surefoot.analysis.ticks import ShareRow
from surefoot.analysis.tracks import DEAD_BAND_D, DEAD_BAND_M
from surefoot.domain.verdict import Margin, Word


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
            nine = statistics.fmean(
                one.at <= forecast(one.plan).verified.nine_in_ten for one in found
            )
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


PATIENCE = 6000  # seconds that a forecast is waited for, whatever the time limit
SECOND_THOUGHT = 0.5  # of the forecast's half: when it is asked again
DECLARED = Margin(2.0, 1.0, "declared")


@dataclass(frozen=True, slots=True)
class Told:
    """What was forecast of one rollout, and what came of it; seconds."""

    wait: Wait
    came: float


def verifying(world: World, plan: JudgePlan, dice: Dice) -> tuple[Told, Told]:
    """To *verified*: as told before exposure, and as told again while it was watched."""
    told = forecast(plan).verified
    left, asked_at = told, 0.0
    patient = replace(plan, time_limit=2 * PATIENCE)
    for reading, share in watch(world, dice, patient, PATIENCE):
        if reading.word is Word.VERIFIED:
            return Told(told, reading.at), Told(left, reading.at - asked_at)
        if not asked_at and reading.at >= SECOND_THOUGHT * told.half:
            left, asked_at = remaining(plan, reading, share), reading.at
    return Told(told, inf), Told(left, inf)


def harming(world: World, plan: JudgePlan, dice: Dice) -> Told:
    """To *worse*."""
    told = to_see(plan, world.canary_p or 0.0)
    patient = replace(plan, time_limit=2 * PATIENCE)
    for reading, _ in watch(world, dice, patient, PATIENCE):
        if reading.word is not Word.WATCHING:
            return Told(told, reading.at if reading.word is Word.WORSE else inf)
    return Told(told, inf)


def held(found: Sequence[Told]) -> str:
    """How often half and nine in ten held, with the median of what was told and what came."""
    half = statistics.fmean(one.came <= one.wait.half for one in found)
    nine = statistics.fmean(one.came <= one.wait.nine_in_ten for one in found)
    said = [quantile([one.wait.half for one in found], 0.5)]
    said.append(quantile([one.wait.nine_in_ten for one in found], 0.5))
    came = [one.came for one in found]
    return f"{'/'.join(said)} | {quantile(came, 0.5)}/{quantile(came, 0.9)} | {half:.0%} {nine:.0%}"


HARMLESS = (
    *(
        World(rps, p, latency=latency)
        for latency in (False, True)
        for rps in (1, 2, 5, 10, 50, 200)
        for p in (0.0, 0.001, 0.01, 0.05)
    ),
    *(World(rps, 0.01, phi=phi, latency=False) for rps in (10, 200) for phi in (2, 3)),
)
HARMFUL = tuple(
    World(rps, p, canary_p=bad, latency=False)
    for rps, p in ((1, 0.01), (10, 0.01), (50, 0.01), (200, 0.01), (200, 0.05))
    for bad in ((1.0, 0.2, 5 * p, 3 * p) if rps > 10 else (1.0, 0.2))  # less is within its margin
)


def forecasts(runs: int, *, quick: bool) -> None:
    """How often the forecast held: before exposure, while it was watched, and of harm."""
    error = 100 * sqrt(0.9 * 0.1 / runs)
    print(f"\nForecast, {runs} runs a cell (one standard error at 90 %: {error:.0f} points), phi")
    print(
        "learnt. Seconds told half/nine in ten | came median/p90 | held half, nine in ten; 60 s is"
    )
    print("the least. After ||: told again half-way, of what was left")
    every: list[tuple[World, Margin | None]] = [(world, None) for world in HARMLESS]
    every += [(world, DECLARED) for world in HARMLESS if not world.latency and world.rps >= 10]
    for world, margin in every[::5] if quick else every:
        pairs = []
        for number in range(runs):
            dice = Dice(f"forecast/{world}/{margin}/{number}")
            pairs.append(verifying(world, plan_for(world, dice, None, margin), dice))
        kind = "with latency" if world.latency else "errors only"
        declared = f", {margin}" if margin else ""
        before, during = held([one for one, _ in pairs]), held([two for _, two in pairs])
        print(
            f"{world.rps:>5} rps {world.p:>5.1%} phi {world.phi}, {kind}{declared} | "
            f"{before} || {during}",
            flush=True,
        )
    print("Harm, to *worse*")
    for world in HARMFUL[::5] if quick else HARMFUL:
        found = []
        for number in range(runs):
            dice = Dice(f"forecast/{world}/{number}")
            found.append(harming(world, plan_for(world, dice, None), dice))
        print(
            f"{world.rps:>5} rps {world.p:>5.1%}, {world.canary_p:.0%} fail | {held(found)}",
            flush=True,
        )


BARE, AS_SHIPPED = (1.0, 0.0), (DEAD_BAND_M, DEAD_BAND_D)
PATIENT = 40  # times the bound


def steady(p: float, t: int) -> float:
    """A rate that stays."""
    del t
    return p


def drifting(p: float, t: int) -> float:
    """A rate that goes up and down by three fifths, within a quarter of an hour."""
    return p * (1 + 0.6 * sin(t / 150))


@dataclass(frozen=True, slots=True)
class Common:
    """Events that are common: their rate, what the canary makes of it, and the canary's share."""

    p: float
    times: float
    share: float

    @property
    def bound(self) -> float:
        """Seconds that any test needs on average, at 100 requests a second."""
        return information_bound(self.p, self.times * self.p, self.share, 100)


def both_factors(
    case: Common, null: tuple[float, float], rate: Callable[[float, int], float], *, seed: str
) -> tuple[float, float]:
    """Seconds until the one factor, and the block factor, would end it; inf if never."""
    m, d = null
    dice = Dice(f"common/{case}/{null}/{seed}")
    past = 100.0 * HISTORY_SECONDS
    capitals: dict[str, Capital | BlockCapital] = {
        "one": Capital(HARM_RATIOS, d=d),
        "block": BlockCapital(COMMON_RATIOS, (dice.binomial(int(past), case.p), past), d=d),
    }
    ended = dict.fromkeys(capitals, inf)
    limit = PATIENT * case.bound if case.times > 1 else LIMIT
    for t in range(1, int(limit) + 2):
        p = rate(case.p, t)
        n_c, n_b = dice.poisson(100 * case.share), dice.poisson(100 * (1 - case.share))
        if not n_c or not n_b:
            continue
        canary = (dice.binomial(n_c, case.times * p), n_c)
        baseline = (dice.binomial(n_b, p), n_b)
        for name in [name for name, at in ended.items() if at == inf]:
            capitals[name].step(m, canary, baseline, 0.0)
            if capitals[name].value >= 100:
                ended[name] = t
        if inf not in ended.values():
            break
    return ended["one"], ended["block"]


def over(times: Sequence[float], bound: float) -> str:
    """Mean over the bound, or how many took more than is waited for."""
    late = sum(at == inf for at in times) / len(times)
    return f"{late:.0%} over {PATIENT}" if late else f"{statistics.fmean(times) / bound:.1f}"


def commons(runs: int) -> None:
    """Where events are common: the block factor beside the one factor (T1b beside T1)."""
    print(
        f"\nCommon events, 100 requests/s, {runs} runs: the one factor, the block factor; mean over"
    )
    print("the information bound; bare | with the dead band as shipped")
    for share, p, times in product((0.1, 0.5), (0.05, 0.1, 0.2, 0.3, 0.5), (1.25, 1.5)):
        case = Common(p, times, share)
        cells = []
        for null in (BARE, AS_SHIPPED):
            found = [both_factors(case, null, steady, seed=str(k)) for k in range(runs)]
            cells.append(", ".join(over(each, case.bound) for each in zip(*found, strict=True)))
        told = f"{p:.0%} x{times}, share {share:.0%}, bound {case.bound:.1f} s"
        print(f"  {told}: {' | '.join(cells)}", flush=True)
    print(f"False alarms within 15 min, {2 * runs} runs, bare: the one factor, the block factor")
    for p, share, rate in product((0.1, 0.3, 0.5), (0.1, 0.5), (steady, drifting)):
        case = Common(p, 1.0, share)
        found = [
            both_factors(case, BARE, rate, seed=f"{rate.__name__}/{k}") for k in range(2 * runs)
        ]
        one, block = (sum(at < inf for at in each) for each in zip(*found, strict=True))
        told = f"{in_percent(one, 2 * runs)}, {in_percent(block, 2 * runs)}"
        print(f"  {p:.0%}, share {share:.0%}, {rate.__name__}: {told}", flush=True)


def main() -> None:
    """Print the tables that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="few runs of few cells")
    parser.add_argument(
        "--only", choices=("slot", "detection", "false", "bound", "forecast", "common")
    )
    told = parser.parse_args()
    started = time.perf_counter()
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores")
    runs = 20 if told.quick else 100
    if told.only in {None, "slot"}:
        slots(runs, quick=told.quick)
    if told.only in {None, "detection"}:
        detections(runs, quick=told.quick)
        slower(runs)
    if told.only in {None, "bound"}:
        bounds(runs)
    if told.only in {None, "forecast"}:
        forecasts(runs, quick=told.quick)
    if told.only in {None, "common"}:
        commons(runs)
    if told.only in {None, "false"}:
        false_words(20 if told.quick else 1000)
    print(f"\n{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
