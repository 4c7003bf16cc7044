"""Ticks from raw samples. Pure: samples in, rows out.

How the two arms come to the same interval, though each instance is scraped at its own moment: time
is cut into cells of one scrape interval, whose edges lie where no instance is scraped. What a
series grew by from one sample to the next belongs to the cell of the later one. A tick ends with a
cell in which every instance was scraped; where one was missed, cells are joined until it is there
again, so that no arm's tick covers more time than the other's: their edges lie less than one
interval apart. An instance that is away for five cells is waited for no longer, and begins anew
when it returns: what it did meanwhile is unknown.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from math import floor, inf
from statistics import median

from surefoot.adapters.prometheus.client import Series
from surefoot.adapters.prometheus.selectors import Role
from surefoot.analysis.ticks import LARGEST_SAMPLE, Arm, GapRow, LatencyTick, RatioTick, Row
from surefoot.domain.errors import BadEvidence

__all__ = ["Scrapes", "Seen"]

PATIENCE_CELLS = 5
WAITING_S = 1200.0  # of one arm, while the other is waited for
MISSED = 1.5  # of what is usual: a gap that is longer holds a scrape that was missed
KNOWN_INTERVALS = 1.5  # an instance seen for so long would have shown a series that was there

Labels = frozenset[tuple[str, str]]
Buckets = dict[float, float]  # cumulative counts by upper bound; a plain counter has only inf


@dataclass(slots=True)
class Child:
    """One counter, or all buckets of one histogram, of one instance."""

    role: Role
    at: float = -inf
    counts: Buckets = field(default_factory=dict)


@dataclass(slots=True)
class Instance:
    """What is scraped at once: `begins` is since when without a longer absence, `at` the latest."""

    arm: Arm
    begins: float
    at: float
    children: dict[Labels, Child] = field(default_factory=dict)
    cell: int | None = None
    cells: set[int] = field(default_factory=set)


@dataclass(slots=True)
class Sums:
    """What an arm did since the last tick; None is unknown."""

    bad: float = 0.0
    all: float | None = None
    buckets: Buckets | None = None

    def add(self, role: Role, grown: Buckets) -> None:
        """Add what one child grew by."""
        if role == "bad":
            self.bad += grown[inf]
        elif role == "all":
            self.all = (self.all or 0.0) + grown[inf]
        else:
            sums = self.buckets = self.buckets or dict.fromkeys(grown, 0.0)
            for bound, count in grown.items():
                sums[bound] += count


@dataclass(slots=True)
class Seen:
    """What was noticed on the way, for people."""

    instances: dict[Arm, int] = field(default_factory=lambda: dict.fromkeys(Arm, 0))
    resets: int = 0
    joined: int = 0
    ticks: int = 0


Page = dict[tuple[Arm, str, str], dict[tuple[Role, Labels], dict[float, Buckets]]]


class Scrapes:
    """Takes pages of samples, each later than those before, and gives ticks."""

    def __init__(self) -> None:
        """Nothing was scraped yet; the interval is found where both arms were scraped twice."""
        self.interval: float | None = None
        self.seen = Seen()
        self._origin = 0.0
        self._next = 0
        self._joined = 0
        self._is_on = False
        self._gap: GapRow | None = None
        self._waiting: Page = {}
        self._instances: dict[tuple[Arm, str, str], Instance] = {}
        self._cells: dict[int, dict[Arm, Sums]] = {}
        self._sums = _nothing()
        self._bounds: tuple[frozenset[float], str] | None = None
        self._owners: dict[tuple[Role, Labels], Arm] = {}

    def take(self, answers: Mapping[tuple[Arm, Role], Sequence[Series]]) -> None:
        """Take the samples of one page.

        Raises:
            BadEvidence: buckets differ, or one series belongs to both arms.
        """
        page = self._page(answers)
        if self.interval is None:
            page = self._waiting = _recent(_merged(self._waiting, page))
            self._begin(page)
        if self.interval is not None:
            self._count(page)
            self._waiting = {}

    def rows(self, until: float) -> Iterator[Row]:
        """The rows of all ticks that end by `until`, epoch seconds, in order."""
        if self.interval is None:
            return
        while (end := self._origin + (self._next + 1) * self.interval) <= until:
            cell, self._next = self._next, self._next + 1
            for arm, fresh in self._cells.pop(cell, {}).items():
                _join(self._sums[arm], fresh)
            self._joined += 1
            if self._is_waited_for(cell):
                continue
            sums, cells = self._sums, self._joined
            self._sums, self._joined = _nothing(), 0
            yield from self._tick(round(end, 3), sums, cells)

    def _tick(self, t: float, sums: Mapping[Arm, Sums], cells: int) -> Iterator[Row]:
        known = [arm for arm, one in sums.items() if one.all is not None or one.buckets]
        if len(known) == len(Arm):
            self._is_on = True
        if not self._is_on:
            return
        if not known:
            before = self._gap.gap if self._gap else 0.0
            self._gap = GapRow(t, before + cells * (self.interval or 0.0))
            return
        if self._gap is not None:
            yield self._gap
            self._gap = None
        self.seen.ticks += 1
        self.seen.joined += cells - 1
        for arm in known:
            one = sums[arm]
            if one.all is not None:
                # A bad request may be counted a moment before the request is.
                yield RatioTick(t, "errors", arm, one.bad, max(one.all, one.bad))
            if one.buckets is not None:
                ordered = sorted(one.buckets)
                counts = accumulate((one.buckets[bound] for bound in ordered), max)
                yield LatencyTick(t, "latency", arm, dict(zip(ordered, counts, strict=True)))

    def _page(self, answers: Mapping[tuple[Arm, Role], Sequence[Series]]) -> Page:
        """The samples by instance and child; buckets of one histogram side by side."""
        page: Page = {}
        for (arm, role), found in answers.items():
            for series in found:
                labels = dict(series.metric)
                bound = _bound(labels.pop("le", None)) if role == "buckets" else inf
                if bound is None or (role == "buckets" and not series.values):
                    continue
                key = (arm, labels.get("job", ""), labels.get("instance", ""))
                child = (role, frozenset(labels.items()))
                if self._owners.setdefault(child, arm) is not arm:
                    raise _in_both(labels)
                samples = page.setdefault(key, {}).setdefault(child, {})
                for at, text in series.values:
                    value = float(text)
                    if abs(value) <= LARGEST_SAMPLE:
                        samples.setdefault(at, {})[bound] = value
        for key, children in page.items():
            for (role, _), samples in children.items():
                if role == "buckets":
                    self._check_bounds(key, samples)
        return page

    def _check_bounds(self, key: tuple[Arm, str, str], samples: Mapping[float, Buckets]) -> None:
        bounds = frozenset(bound for counts in samples.values() for bound in counts)
        where = f"the {key[0]}'s {key[2] or 'series'}"
        if bounds and self._bounds is None:
            self._bounds = (bounds, where)
        if bounds and self._bounds is not None and bounds != self._bounds[0]:
            apart = ", ".join(f"{bound:g}" for bound in sorted(bounds ^ self._bounds[0]))
            raise BadEvidence(
                f"The histogram's buckets differ: only one of {self._bounds[1]} and {where} has "
                f"the bounds {apart}.",
                cure="Give both releases the same buckets; answers between two bounds that only"
                " one has cannot be compared.",
            )

    def _begin(self, page: Page) -> None:
        """Find the interval and where cells begin, once both arms were scraped twice."""
        times: dict[tuple[Arm, str, str], list[float]] = {}
        steps: dict[tuple[Arm, str, str], list[float]] = {}
        for key, children in page.items():
            for samples in children.values():
                ordered = sorted(samples)
                times.setdefault(key, []).extend(ordered)
                apart = [later - one for one, later in pairwise(ordered)]
                if apart:
                    steps.setdefault(key, []).append(_usual(apart))
        if {arm for arm, _, _ in steps} != set(Arm):
            return
        interval = round(max(median(found) for found in steps.values()), 3)
        phases = sorted({max(times[key]) % interval for key in steps})
        gaps = [later - one for one, later in pairwise([*phases, phases[0] + interval])]
        widest = gaps.index(max(gaps))
        phase = phases[widest] + gaps[widest] / 2
        first = min(min(found, default=inf) for found in times.values())
        self.interval = interval
        self._origin = (floor((first - phase) / interval)) * interval + phase

    def _count(self, page: Page) -> None:
        for key, children in page.items():
            times = sorted({at for samples in children.values() for at in samples})
            if not times:
                continue
            instance = self._instances.get(key)
            if instance is None:
                instance = Instance(key[0], times[0], times[0])
                self._instances[key] = instance
                self.seen.instances[key[0]] += 1
            begins = self._beginnings(instance, times)
            for (role, labels), samples in children.items():
                child = instance.children.setdefault(labels | {("", role)}, Child(role))
                for at in sorted(samples):
                    since = max(begin for begin in begins if begin <= at)
                    grown = self._grown(child, at, samples[at], since)
                    child.at, child.counts = at, samples[at]
                    if grown is not None:
                        cell = self._cells.setdefault(self._cell(at), _nothing())
                        cell[instance.arm].add(role, grown)

    def _beginnings(self, instance: Instance, times: Sequence[float]) -> Sequence[float]:
        """Since when the instance is there, and each time it returns in these times."""
        begins = [instance.begins]
        for before, at in pairwise([instance.at, *times]):
            if self._cell(at) - self._cell(before) > PATIENCE_CELLS:  # nobody waited for so long
                begins.append(at)
        instance.begins, instance.at = begins[-1], times[-1]
        instance.cells.update(map(self._cell, times))
        return begins

    def _grown(self, child: Child, at: float, counts: Buckets, since: float) -> Buckets | None:
        """What a child grew by; None where that is unknown.

        A counter that falls was reset, and has counted from zero since (Prometheus' own rule); a
        histogram is reset as a whole. A series that an instance did not have before is new.
        """
        if child.at < since:
            is_new = at - since >= KNOWN_INTERVALS * (self.interval or inf)
            return dict(counts) if is_new else None
        if counts.keys() != child.counts.keys():
            return None  # half a histogram was stored
        if any(counts[bound] < child.counts[bound] for bound in counts):
            self.seen.resets += child.role != "bad"
            return dict(counts)
        return {bound: count - child.counts[bound] for bound, count in counts.items()}

    def _is_waited_for(self, cell: int) -> bool:
        """Whether an instance that is still about was not scraped in this cell."""
        missed = False
        for instance in self._instances.values():
            if cell in instance.cells:
                instance.cells = {later for later in instance.cells if later > cell}
                instance.cell = cell
            elif instance.cell is not None:
                missed = missed or cell - instance.cell < PATIENCE_CELLS
        return missed

    def _cell(self, at: float) -> int:
        return floor((at - self._origin) / (self.interval or inf))


def _merged(page: Page, later: Page) -> Page:
    for key, children in later.items():
        for child, samples in children.items():
            page.setdefault(key, {}).setdefault(child, {}).update(samples)
    return page


def _recent(page: Page) -> Page:
    """Without what is too old to begin with, while one arm is waited for."""
    times = (at for children in page.values() for samples in children.values() for at in samples)
    since = max(times, default=0.0) - WAITING_S
    return {
        key: {
            child: {at: counts for at, counts in samples.items() if at >= since}
            for child, samples in children.items()
        }
        for key, children in page.items()
    }


def _nothing() -> dict[Arm, Sums]:
    return {arm: Sums() for arm in Arm}


def _join(sums: Sums, more: Sums) -> None:
    sums.bad += more.bad
    if more.all is not None:
        sums.add("all", {inf: more.all})
    if more.buckets is not None:
        sums.add("buckets", more.buckets)


def _bound(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _in_both(labels: Mapping[str, str]) -> BadEvidence:
    named = ", ".join(f'{name}="{value}"' for name, value in sorted(labels.items()))
    return BadEvidence(
        f"--canary and --baseline both select {{{named}}}.",
        cure="Give each arm matchers that the other's series do not meet.",
    )


def _usual(apart: Sequence[float]) -> float:
    """What is usual of these gaps: a scrape that was missed only makes one longer."""
    short = sorted(apart)[len(apart) // 4]
    return median([gap for gap in apart if gap < MISSED * short])
