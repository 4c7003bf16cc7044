"""Ticks from a real Envoy and from real pages: exact increments, both arms, nothing made up."""

import asyncio
import math
from dataclasses import replace

import pytest

from surefoot.adapters.clock import SystemClock
from surefoot.adapters.telemetry import ProxyTelemetry
from surefoot.analysis.ticks import Arm, GaugeTick, LatencyTick, RatioTick
from surefoot.domain.errors import OutsideFailed
from surefoot.domain.manifest import Metric, MetricKind
from surefoot.ports import UpstreamArm, Watched

pytest_plugins = ("telemetry_world",)

CHECKOUTS = Metric(
    "checkout_errors",
    MetricKind.RATIO,
    bad='checkout_total{outcome="error"}',
    total="checkout_total",
)
SECONDS = Metric("checkout_seconds", MetricKind.LATENCY, histogram="checkout_seconds")
MEMORY = Metric("memory", MetricKind.GAUGE, gauge="resident_bytes")
EXPORTS = Metric("exports", MetricKind.COUNTER, counter="exports_total")


class Summed:
    """Adds up ratio ticks over looks, since answers may fall into one look or the next."""

    def __init__(self, telemetry: ProxyTelemetry, watched: Watched) -> None:
        self.telemetry = telemetry
        self.watched = watched
        self.bad = dict.fromkeys(Arm, 0.0)
        self.all = dict.fromkeys(Arm, 0.0)
        self.slow = dict.fromkeys(Arm, 0.0)
        self.answers = dict.fromkeys(Arm, 0.0)
        self.abandoned = 0

    async def look(self) -> bool:
        metered = await self.telemetry.look(self.watched)
        if metered is None:
            return False
        assert len({row.t for row in metered.rows}) <= 1
        for row in metered.rows:
            match row:
                case RatioTick(_, "errors", arm, bad, every):
                    self.bad[arm] += bad
                    self.all[arm] += every
                case LatencyTick(_, "latency", arm, le):
                    self.answers[arm] += le[math.inf]
                    self.slow[arm] += le[math.inf] - le[0.091]
        self.abandoned += metered.abandoned
        return True


def rows_of(metered, metric: str):
    return {row.arm: row for row in metered.rows if row.metric == metric}


async def test_errors_and_latency_by_arm(telemetry, proxy, arms, eventually):
    """Both arms' errors and latencies are counted exactly, and only from the first look on."""
    await proxy.ask("/r1/bad", times=5)
    await eventually(lambda: _rows_written(proxy, 6))  # one more from the proxy's own start
    summed = Summed(telemetry, Watched("shop", **arms))
    first = await telemetry.look(summed.watched)
    assert first is not None
    assert first.rows == ()
    await proxy.ask("/r1/", times=7)
    await proxy.ask("/r1/bad", times=2)
    await proxy.ask("/r2/", times=3)
    await proxy.ask("/r2/slow", times=4)

    async def all_seen():
        await summed.look()
        return sum(summed.answers.values()) >= 16 and sum(summed.all.values()) >= 16

    await eventually(all_seen)
    assert summed.bad == {Arm.BASELINE: 2, Arm.CANARY: 0}
    assert summed.all == {Arm.BASELINE: 9, Arm.CANARY: 7}
    assert summed.slow[Arm.CANARY] >= 4
    assert summed.answers == {Arm.BASELINE: 9, Arm.CANARY: 7}


async def test_a_dead_canary_gets_no_answer_of_the_old_release(
    telemetry, proxy, canary, arms, eventually
):
    """What the old release answers for a dead canary is the old one's; the canary has failures."""
    summed = Summed(telemetry, Watched("shop", **arms))
    await summed.look()
    await canary.stop()
    assert set(await proxy.ask("/r2/", times=20)) == {200}

    async def seen():
        await summed.look()
        return summed.all[Arm.BASELINE] >= 20 and summed.answers[Arm.BASELINE] >= 20

    await eventually(seen)
    assert summed.all[Arm.CANARY] == summed.bad[Arm.CANARY] > 0
    assert (summed.bad[Arm.BASELINE], summed.all[Arm.BASELINE]) == (0, 20)
    assert summed.answers[Arm.CANARY] == 0


async def test_hanging_and_abandoned(telemetry, proxy, arms, eventually):
    """Requests in flight are active, and those that clients gave up are told once."""
    summed = Summed(telemetry, Watched("shop", **arms))
    await summed.look()
    waiting = asyncio.create_task(proxy.ask("/r2/hang", times=3))

    async def active():
        metered = await telemetry.look(summed.watched)
        return metered is not None and metered.canary_active == 3

    await eventually(active)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    async def given_up():
        await summed.look()
        return summed.abandoned >= 3

    await eventually(given_up)
    for _ in range(3):
        await asyncio.sleep(0.21)
        await summed.look()
    assert summed.abandoned == 3
    assert summed.all[Arm.CANARY] == 0


async def test_envoy_restarted(telemetry, proxy, arms, eventually):
    """While Envoy is away nothing is known; counters that begin anew are counted from zero."""
    summed = Summed(telemetry, Watched("shop", **arms))
    await summed.look()
    await proxy.ask("/r1/bad", times=30)
    await eventually(lambda: _until(summed, 30))
    await proxy.stop()
    await asyncio.sleep(0.21)
    assert await telemetry.look(summed.watched) is None
    await proxy.start()
    await proxy.ask("/r1/", times=4)
    await eventually(lambda: _until(summed, 34))
    assert summed.bad[Arm.BASELINE] == 30


async def _rows_written(proxy, count: int) -> bool:
    log = proxy.folder / "attempts.log"
    return log.exists() and len(log.read_text().splitlines()) == count


async def _until(summed: Summed, count: int) -> bool:
    await summed.look()
    return summed.all[Arm.BASELINE] >= count


async def test_unknown_release_is_unknown(telemetry, arms, canary):
    """A release that the proxy does not have makes the look unknown, not zero."""
    missing = {**arms, "canary": UpstreamArm(9, (canary.address,))}
    assert await telemetry.look(Watched("shop", **missing)) is None


async def test_forget_starts_anew(telemetry, proxy, arms):
    """After `forget`, what happened before is not counted."""
    watched = Watched("shop", **arms)
    await telemetry.look(watched)
    await proxy.ask("/r1/bad", times=5)
    telemetry.forget("shop")
    metered = await telemetry.look(watched)
    assert metered is not None
    assert metered.rows == ()


def page(errors: float, ok: float, *, fast: int = 0, every: int = 0, exports: int = 0) -> str:
    return f"""
# TYPE checkout_total counter
checkout_total{{outcome="error"}} {errors}
checkout_total{{outcome="ok"}} {ok}
checkout_seconds_bucket{{le="0.1"}} {fast}
checkout_seconds_bucket{{le="+Inf"}} {every}
resident_bytes 1.2e8
exports_total {exports}
"""


@pytest.fixture
def watched(arms):
    metrics = (CHECKOUTS, SECONDS, MEMORY, EXPORTS, Metric("errors"))
    return Watched("shop", **arms, metrics=metrics, metrics_path="/metrics")


async def test_declared_metrics(telemetry, live, canary, watched):
    """Declared metrics become increments over the same interval for both arms, gauges values."""
    live.page, canary.page = page(1, 100, fast=90, every=101), page(0, 10, fast=9, every=10)
    first = await telemetry.look(watched)
    assert {type(row) for row in first.rows} == {GaugeTick}
    assert first.missing == ()
    live.page, canary.page = page(3, 198, fast=180, every=201), page(5, 15, fast=12, every=20)
    second = await telemetry.look(watched)
    errors, seconds = rows_of(second, "checkout_errors"), rows_of(second, "checkout_seconds")
    assert (errors[Arm.BASELINE].bad, errors[Arm.BASELINE].all) == (2, 100)
    assert (errors[Arm.CANARY].bad, errors[Arm.CANARY].all) == (5, 10)
    assert seconds[Arm.BASELINE].le == {0.1: 90, math.inf: 100}
    assert seconds[Arm.CANARY].le == {0.1: 3, math.inf: 10}
    assert rows_of(second, "memory")[Arm.CANARY].value == 1.2e8
    assert len({row.t for row in second.rows}) == 1


async def test_one_counter_ahead_of_the_other(telemetry, live, canary, watched):
    """Bad events that no total has yet are not told; the next look covers both."""
    own = Metric("exports", MetricKind.RATIO, bad="failed_total", total="asked_total")
    watched = replace(watched, metrics=(own,))
    live.page = canary.page = "failed_total 0\nasked_total 10\n"
    await telemetry.look(watched)
    canary.page = "failed_total 11\nasked_total 10\n"
    assert rows_of(await telemetry.look(watched), "exports") == {}
    canary.page = "failed_total 11\nasked_total 50\n"
    third = rows_of(await telemetry.look(watched), "exports")
    assert (third[Arm.CANARY].bad, third[Arm.CANARY].all) == (11, 40)


async def test_a_total_that_does_not_count_the_bad(telemetry, live, canary, watched):
    """More bad than all, look after look, is a wrong selector: the metric is said to be missing."""
    own = Metric("exports", MetricKind.RATIO, bad="failed_total", total="done_total")
    watched = replace(watched, metrics=(own,))
    missing = []
    for second in range(16):
        live.page = canary.page = f"failed_total {2 * second}\ndone_total {second}\n"
        missing.append((await telemetry.look(watched)).missing)
    assert missing[:10] == [()] * 10
    assert missing[-1] == ("exports",)
    canary.page = live.page = "failed_total 30\ndone_total 300\n"
    assert (await telemetry.look(watched)).missing == ()


async def test_restarted_instance(telemetry, live, canary, watched):
    """Counters that fell began anew at zero: what they show now was added."""
    live.page = canary.page = page(50, 100, fast=100, every=150, exports=9)
    await telemetry.look(watched)
    live.page, canary.page = (
        page(50, 110, fast=105, every=160, exports=9),
        page(1, 2, fast=3, every=3),
    )
    second = await telemetry.look(watched)
    errors = rows_of(second, "checkout_errors")
    assert (errors[Arm.CANARY].bad, errors[Arm.CANARY].all) == (1, 3)
    assert (errors[Arm.BASELINE].bad, errors[Arm.BASELINE].all) == (0, 10)
    assert rows_of(second, "checkout_seconds")[Arm.CANARY].le == {0.1: 3, math.inf: 3}
    assert rows_of(second, "exports")[Arm.CANARY].value == 0


async def test_silent_page_is_unknown(telemetry, live, canary, watched):
    """While one arm's page is silent neither arm has rows; later ones cover the whole interval."""
    live.page = canary.page = page(0, 100)
    await telemetry.look(watched)
    live.page, canary.silent = page(1, 199), True
    second = await telemetry.look(watched)
    assert rows_of(second, "checkout_errors") == {}
    assert "checkout_errors" in second.missing
    assert rows_of(second, "errors")
    canary.silent, live.page, canary.page = False, page(2, 298), page(5, 145)
    third = await telemetry.look(watched)
    errors = rows_of(third, "checkout_errors")
    assert (errors[Arm.BASELINE].bad, errors[Arm.BASELINE].all) == (2, 200)
    assert (errors[Arm.CANARY].bad, errors[Arm.CANARY].all) == (5, 50)


async def test_metric_that_only_the_canary_has(telemetry, live, canary, watched):
    """A counter that the change brings is counted for the canary; a ratio needs both arms."""
    live.page = "resident_bytes 1\n"
    canary.page = page(0, 10, exports=3)
    await telemetry.look(watched)
    canary.page = page(0, 20, exports=8)
    second = await telemetry.look(watched)
    assert rows_of(second, "exports")[Arm.CANARY].value == 5
    assert Arm.BASELINE not in rows_of(second, "exports")
    assert set(second.missing) == {"checkout_errors", "checkout_seconds"}


async def test_enormous_page_is_not_read(telemetry, live, canary, watched):
    """A page beyond all reason is unknown and never parsed."""
    live.page = page(0, 100)
    canary.page = page(0, 100) + "#" * 17_000_000
    metered = await telemetry.look(watched)
    assert "checkout_errors" in metered.missing


async def test_names(telemetry, live, canary, watched):
    """Selectors that no page has are named; a service without a page is said to have none."""
    live.page = canary.page = 'checkout_total{outcome="ok"} 1\nresident_bytes 1\n'
    assert await telemetry.names(watched) == ("checkout_seconds", "exports_total")
    await live.stop()
    await canary.stop()
    with pytest.raises(OutsideFailed, match="does not answer 200 at /metrics"):
        await telemetry.names(watched)


async def test_baseline_alone(telemetry, proxy, arms):
    """Before a change meets users the live release is watched alone."""
    watched = Watched("shop", canary=None, baseline=arms["baseline"])
    await telemetry.look(watched)
    await proxy.ask("/r1/", times=3)
    await asyncio.sleep(0.21)
    metered = await telemetry.look(watched)
    assert rows_of(metered, "errors")[Arm.BASELINE].all == 3
    assert metered.baseline_answered == 3
    assert metered.canary_answered == 0


async def test_several_instances_are_compared_with_each_other(
    telemetry, proxy, live, canary, eventually
):
    """What every other instance did stands beside what the rest did, and adds up to the arm."""
    both = UpstreamArm(3, (live.address, canary.address))
    watched = Watched("shop", None, both, metrics=(CHECKOUTS,), metrics_path="/metrics")
    live.page, canary.page = page(1, 100, fast=90, every=101), page(0, 10, fast=9, every=10)
    first = await telemetry.look(watched)
    assert first.halves == ()
    live.page, canary.page = page(3, 198, fast=180, every=201), page(5, 15, fast=12, every=20)
    await proxy.ask("/r3/", times=20)
    await proxy.ask("/r3/bad", times=10)
    await eventually(lambda: _rows_written(proxy, 31))  # one more from the proxy's own start
    await asyncio.sleep(0.21)
    second = await telemetry.look(watched)
    halves = {(row.metric, row.arm): row for row in second.halves}
    one, other = (halves["checkout_errors", arm] for arm in Arm)
    assert (one.bad, one.all, other.bad, other.all) == (2, 100, 5, 10)
    for metric, all_of in (
        ("errors", lambda row: row.all),
        ("latency", lambda row: row.le[math.inf]),
    ):
        parts = [all_of(halves[metric, arm]) for arm in Arm]
        assert min(parts) >= 10
        assert sum(parts) == all_of(rows_of(second, metric)[Arm.BASELINE]) == 30
    assert sum(halves["errors", arm].bad for arm in Arm) == 10


async def test_no_envoy(tmp_path, arms_without_proxy):
    """Without an Envoy nothing is known, and nothing breaks."""
    telemetry = ProxyTelemetry(tmp_path / "no.sock", tmp_path / "no.log", SystemClock())
    assert await telemetry.look(arms_without_proxy) is None
    await telemetry.close()


@pytest.fixture
def arms_without_proxy(live):
    return Watched("shop", canary=None, baseline=UpstreamArm(1, (live.address,)))
