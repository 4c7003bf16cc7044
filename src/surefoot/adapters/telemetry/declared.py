"""The declared metrics of a service: what to look for on its page, and what was added since.

Pure. A reading is what an instance counted since it began; only differences become rows.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from surefoot.adapters.telemetry.exposition import (
    Page,
    Selector,
    buckets,
    read_page,
    selector,
    total,
)
from surefoot.domain.errors import Refused
from surefoot.domain.manifest import Metric, MetricKind

__all__ = ["Declared", "Reading", "added", "declared"]

Reading = Mapping[str, float]
"""A ratio's `counted` and `all`; a gauge's or counter's `value`; cumulative counts by bound."""


@dataclass(frozen=True, slots=True)
class _Source:
    """Where one metric's numbers stand on a page."""

    kind: MetricKind
    texts: tuple[str, ...]
    selectors: tuple[Selector | None, ...]

    def names(self) -> Iterator[str]:
        part = "_bucket" if self.kind is MetricKind.LATENCY else ""
        return (each.name + part for each in self.selectors if each is not None)

    def on(self, page: Page) -> tuple[Mapping[float, float] | float | None, ...]:
        """What the page has for each of the selectors."""
        if self.kind is MetricKind.LATENCY:
            return tuple(None if each is None else buckets(page, each) for each in self.selectors)
        return tuple(None if each is None else total(page, each) for each in self.selectors)

    def reading(self, page: Page) -> Reading | None:
        match self.on(page):
            case (float(counted), float(every)):
                return {"counted": counted, "all": every}
            case (float(value),):
                return {"value": value}
            case (Mapping() as histogram,):
                return {str(bound): count for bound, count in histogram.items()}
            case _:
                return None


@dataclass(frozen=True, slots=True)
class Declared:
    """All declared metrics of a service, by name."""

    sources: Mapping[str, _Source]
    names: frozenset[str]

    def kind(self, metric: str) -> MetricKind:
        """How a metric is measured."""
        return self.sources[metric].kind

    def read(self, text: str) -> Mapping[str, Reading]:
        """What a page says of each metric; one that it does not have is left out."""
        page = read_page(text, self.names)
        found = {name: source.reading(page) for name, source in self.sources.items()}
        return {name: reading for name, reading in found.items() if reading is not None}

    def absent(self, texts: list[str]) -> tuple[str, ...]:
        """The declared selectors that none of these pages has."""
        pages = [read_page(text, self.names) for text in texts]
        return tuple(
            text
            for source in self.sources.values()
            for index, text in enumerate(source.texts)
            if all(source.on(page)[index] is None for page in pages)
        )


@lru_cache(maxsize=1024)
def declared(metrics: tuple[Metric, ...]) -> Declared:
    """What to look for; metrics without a kind are the proxy's and stand on no page."""
    sources = {
        metric.name: _source(metric.kind, _texts(metric))
        for metric in metrics
        if metric.kind is not None
    }
    names = frozenset(name for source in sources.values() for name in source.names())
    return Declared(sources, names)


def added(now: Reading, before: Reading) -> Reading:
    """What was counted in between; when anything fell, all began anew (Prometheus' rule)."""
    if any(value < before.get(key, 0.0) for key, value in now.items()):
        return now
    return {key: value - before.get(key, 0.0) for key, value in now.items()}


def _texts(metric: Metric) -> tuple[str, ...]:
    match metric.kind:
        case MetricKind.RATIO:
            return (metric.bad or metric.good or "", metric.total or "")
        case MetricKind.LATENCY:
            return (metric.histogram or "",)
        case MetricKind.GAUGE:
            return (metric.gauge or "",)
        case _:
            return (metric.counter or "",)


def _source(kind: MetricKind, texts: tuple[str, ...]) -> _Source:
    return _Source(kind, texts, tuple(_selected(text) for text in texts))


def _selected(text: str) -> Selector | None:
    """A selector, or None for one that cannot be read: it stands on no page, and is so reported."""
    try:
        return selector(text)
    except Refused:
        return None
