"""One look a second at a service: what both arms did since the last one, as ticks."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from surefoot.adapters.telemetry.attempts import AttemptLog, Bins, cumulative
from surefoot.adapters.telemetry.declared import Declared, Reading, added, declared
from surefoot.adapters.telemetry.endpoints import Counts, Endpoints, ProxyCounters, increments
from surefoot.adapters.telemetry.pages import Pages
from surefoot.analysis.ticks import Arm, GaugeTick, LatencyTick, RatioTick, Tick
from surefoot.domain.errors import OutsideFailed
from surefoot.domain.manifest import Address, MetricKind
from surefoot.ports import Clock, Metered, UpstreamArm, Watched

__all__ = ["ProxyTelemetry"]

_PAIRED = {
    MetricKind.RATIO,
    MetricKind.LATENCY,
}  # compared, so over the same interval or not at all
_DOUBTED_LOOKS = 10  # with more counted than there was: no moment's gap, but a wrong selector


@dataclass(slots=True)
class _Seen:
    """What the last look at a service found: the next one is the difference."""

    of: tuple[object, ...]
    endpoints: Mapping[Arm, Endpoints]
    readings: dict[str, dict[Address, Reading]] = field(default_factory=dict)
    grown: dict[str, Mapping[Address, Reading]] = field(default_factory=dict)
    doubted: dict[str, int] = field(default_factory=dict)
    abandoned: int = 0
    abandoned_told: int = 0


class ProxyTelemetry:
    """Implements the Telemetry port over one Envoy and the services' own pages.

    Errors come from Envoy's counters for each endpoint, latency from its attempt log: both are
    judged at the host that answered.
    """

    def __init__(self, admin_socket: Path, attempts_log: Path, clock: Clock) -> None:
        """Take Envoy's admin socket and the log in which it writes a JSON row for each attempt."""
        self._counters = ProxyCounters(admin_socket)
        self._attempts = AttemptLog(attempts_log)
        self._pages = Pages()
        self._clock = clock
        self._seen: dict[str, _Seen] = {}

    async def look(self, watched: Watched) -> Metered | None:
        """What happened since the last look at this service; None: nothing is known.

        The first look, and the first at other releases, finds where counting begins: it has only
        gauges. All rows of a look have the same `t`, in seconds since first exposure.
        """
        wanted, arms = declared(watched.metrics), _arms(watched)
        clusters, pages = await asyncio.gather(
            self._counters.read(self._clock.boottime()), self._read_pages(watched, wanted)
        )
        t = self._clock.boottime() - watched.exposed_at
        self._attempts.read()
        endpoints = _endpoints_of(watched.service, arms, clusters)
        if endpoints is None:
            return None
        before = self._seen.get(watched.service)
        fresh = before is None or before.of != _identity(watched)
        if before is None or fresh:
            before = self._seen[watched.service] = _Seen(_identity(watched), endpoints)
        halves, bins = _halves(watched.baseline), self._bins(arms)
        rows = [
            *_latency_rows(t, arms, bins),
            *_declared_rows(t, arms, wanted, pages, before),
        ]
        beside = [*_latency_rows(t, halves, bins), *_grown_rows(t, halves, wanted, before)]
        beside += _error_rows(t, _parted(halves, endpoints, before.endpoints))
        counts = {arm: increments(endpoints[arm], before.endpoints[arm]) for arm in arms}
        before.endpoints = endpoints
        missing = tuple(
            name
            for name in wanted.sources
            if _is_missing(name, wanted, arms, pages)
            or before.doubted.get(name, 0) >= _DOUBTED_LOOKS
        )
        if fresh:
            rows = [row for row in rows if isinstance(row, GaugeTick)]
            return _metered(rows, counts, endpoints, 0, missing)
        rows = [*_error_rows(t, counts), *rows]
        given_up = _given_up(before, counts.get(Arm.CANARY, Counts()))
        metered = _metered(rows, counts, endpoints, given_up, missing)
        return replace(metered, halves=tuple(beside))

    async def names(self, watched: Watched) -> tuple[str, ...]:
        """Declared selectors that no watched instance's metrics page has.

        Raises:
            OutsideFailed: no instance answers with such a page.
        """
        wanted = declared(watched.metrics)
        if not wanted.sources or watched.metrics_path is None:
            return wanted.absent([])
        addresses = [address for arm in _arms(watched).values() for address in arm.addresses]
        pages = await self._pages.fetch(addresses, watched.metrics_path)
        if not pages:
            raise OutsideFailed(
                f"{watched.service} does not answer 200 at {watched.metrics_path}.",
                cure="`metrics` in `[release]` names the path of its Prometheus text page.",
            )
        return wanted.absent(list(pages.values()))

    def forget(self, service: str) -> None:
        """Start anew at the next look, after releases or routes changed."""
        self._seen.pop(service, None)
        self._counters.forget()

    async def close(self) -> None:
        """End all connections and let the log go."""
        await self._counters.close()
        await self._pages.close()
        self._attempts.close()

    async def _read_pages(
        self, watched: Watched, wanted: Declared
    ) -> Mapping[Address, Mapping[str, Reading]]:
        if watched.metrics_path is None or not wanted.sources:
            return {}
        addresses = [address for arm in _arms(watched).values() for address in arm.addresses]
        pages = await self._pages.fetch(addresses, watched.metrics_path)
        return {address: wanted.read(text) for address, text in pages.items()}

    def _bins(self, arms: Mapping[Arm, UpstreamArm]) -> Mapping[Address, Bins]:
        """What each instance answered since the last look; nothing where there is no log."""
        addresses = [address for release in arms.values() for address in release.addresses]
        bins = {address: self._attempts.taken([_host(address)]) for address in addresses}
        return bins if self._attempts.found else {}


def _arms(watched: Watched) -> dict[Arm, UpstreamArm]:
    both = {Arm.CANARY: watched.canary, Arm.BASELINE: watched.baseline}
    return {arm: release for arm, release in both.items() if release is not None}


def _halves(release: UpstreamArm | None) -> dict[Arm, UpstreamArm]:
    """Every other instance of a release against the rest; nothing for one that has one alone."""
    if release is None or len(release.addresses) == 1:
        return {}
    parts = {Arm.CANARY: release.addresses[::2], Arm.BASELINE: release.addresses[1::2]}
    return {arm: UpstreamArm(release.release, addresses) for arm, addresses in parts.items()}


def _parted(
    halves: Mapping[Arm, UpstreamArm],
    endpoints: Mapping[Arm, Endpoints],
    before: Mapping[Arm, Endpoints],
) -> Mapping[Arm, Counts]:
    """What each half of the live release added."""
    now, then = endpoints.get(Arm.BASELINE, {}), before.get(Arm.BASELINE, {})
    names = {
        arm: {_host(one).replace(":", "_") for one in half.addresses}
        for arm, half in halves.items()
    }
    return {
        arm: increments({name: counts for name, counts in now.items() if name in mine}, then)
        for arm, mine in names.items()
    }


def _error_rows(t: float, counts: Mapping[Arm, Counts]) -> Iterator[Tick]:
    for arm, added_now in counts.items():
        yield RatioTick(t, "errors", arm, bad=added_now.failed, all=added_now.answered)


def _latency_rows(
    t: float, arms: Mapping[Arm, UpstreamArm], bins: Mapping[Address, Bins]
) -> Iterator[Tick]:
    for arm, release in arms.items():
        if bins:
            found = (bins[address] for address in release.addresses)
            yield LatencyTick(
                t, "latency", arm, cumulative([sum(one) for one in zip(*found, strict=True)])
            )


def _identity(watched: Watched) -> tuple[object, ...]:
    return (watched.canary, watched.baseline, watched.metrics, watched.metrics_path)


def _host(address: Address) -> str:
    """An address as the proxy's log has it."""
    host = "127.0.0.1" if address.host == "localhost" else address.host
    return str(Address(host, address.port))


def _endpoints_of(
    service: str,
    arms: Mapping[Arm, UpstreamArm],
    clusters: Mapping[str, Endpoints] | None,
) -> Mapping[Arm, Endpoints] | None:
    """The counters of both arms, or None when those of one are not known."""
    if clusters is None:
        return None
    names = {arm: f"svc__{service}__r{release.release}" for arm, release in arms.items()}
    if not all(name in clusters for name in names.values()):
        return None
    return {arm: clusters[name] for arm, name in names.items()}


def _declared_rows(
    t: float,
    arms: Mapping[Arm, UpstreamArm],
    wanted: Declared,
    pages: Mapping[Address, Mapping[str, Reading]],
    seen: _Seen,
) -> Iterator[Tick]:
    seen.grown.clear()
    for metric in wanted.sources:
        kind = wanted.kind(metric)
        now = {address: page[metric] for address, page in pages.items() if metric in page}
        before = seen.readings.get(metric, {})
        if kind is MetricKind.GAUGE:
            yield from _single_rows(t, metric, arms, {a: r["value"] for a, r in now.items()})
        elif kind is MetricKind.COUNTER:
            both = now.keys() & before.keys()
            grown = {address: added(now[address], before[address])["value"] for address in both}
            yield from _single_rows(t, metric, arms, grown)
            seen.readings[metric] = before | now
        elif _complete(arms, now):
            grown_by = {a: added(now[a], before[a]) for a in now} if before else {}
            if any(one.get("counted", 0.0) > one.get("all", 0.0) for one in grown_by.values()):
                # One of the two counters was read too early: the next look covers both.
                seen.doubted[metric] = seen.doubted.get(metric, 0) + 1
                continue
            seen.doubted.pop(metric, None)
            if before:
                yield from _paired_rows(t, metric, kind, arms, grown_by)
                seen.grown[metric] = grown_by
            seen.readings[metric] = now


def _grown_rows(
    t: float, halves: Mapping[Arm, UpstreamArm], wanted: Declared, seen: _Seen
) -> Iterator[Tick]:
    """What this look has found of the compared metrics, by halves."""
    for metric, grown in seen.grown.items():
        if halves:
            yield from _paired_rows(t, metric, wanted.kind(metric), halves, grown)


def _single_rows(
    t: float, metric: str, arms: Mapping[Arm, UpstreamArm], values: Mapping[Address, float]
) -> Iterator[Tick]:
    for arm, release in arms.items():
        for address in release.addresses:
            if address in values:
                yield GaugeTick(t, metric, str(address), arm, values[address])


def _paired_rows(
    t: float,
    metric: str,
    kind: MetricKind,
    arms: Mapping[Arm, UpstreamArm],
    grown: Mapping[Address, Reading],
) -> Iterator[Tick]:
    sums = {arm: _summed(grown[a] for a in release.addresses) for arm, release in arms.items()}
    if kind is MetricKind.RATIO:
        for arm, both in sums.items():
            yield RatioTick(t, metric, arm, bad=both["counted"], all=both["all"])
        return
    bounds = {bound for histogram in sums.values() for bound in histogram}
    for arm, histogram in sums.items():
        # An arm that has not counted anything yet has no buckets: that is zero in each of them.
        le = histogram or dict.fromkeys(bounds, 0.0)
        if le:
            in_order = sorted((float(bound), count) for bound, count in le.items())
            yield LatencyTick(t, metric, arm, dict(in_order))


def _summed(readings: Iterator[Reading]) -> dict[str, float]:
    sums: dict[str, float] = {}
    for reading in readings:
        for key, value in reading.items():
            sums[key] = sums.get(key, 0.0) + value
    return sums


def _complete(arms: Mapping[Arm, UpstreamArm], now: Mapping[Address, Reading]) -> bool:
    return all(address in now for release in arms.values() for address in release.addresses)


def _is_missing(
    metric: str,
    wanted: Declared,
    arms: Mapping[Arm, UpstreamArm],
    pages: Mapping[Address, Mapping[str, Reading]],
) -> bool:
    """Whether this look could not know a metric; one arm is enough for what is not compared."""
    now = {address: page[metric] for address, page in pages.items() if metric in page}
    return not (_complete(arms, now) if wanted.kind(metric) in _PAIRED else now)


def _given_up(seen: _Seen, canary: Counts) -> int:
    """Requests that clients gave up, each told once.

    The counters are read one after the other, so that a request in between looks given up for a
    moment; the sum forgets it at the next look, and only what exceeds all told before is told.
    """
    seen.abandoned += canary.abandoned
    news = max(0, seen.abandoned - seen.abandoned_told)
    seen.abandoned_told += news
    return news


def _metered(
    rows: list[Tick],
    counts: Mapping[Arm, Counts],
    endpoints: Mapping[Arm, Endpoints],
    abandoned: int,
    missing: tuple[str, ...],
) -> Metered:
    canary = counts.get(Arm.CANARY, Counts())
    baseline = counts.get(Arm.BASELINE, Counts())
    active = {arm: sum(each.active for each in endpoints.get(arm, {}).values()) for arm in Arm}
    return Metered(
        rows=tuple(rows),
        canary_answered=canary.answered,
        canary_active=active[Arm.CANARY],
        baseline_answered=baseline.answered,
        baseline_active=active[Arm.BASELINE],
        abandoned=abandoned,
        missing=missing,
    )
