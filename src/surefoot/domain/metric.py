"""A declared metric, and whether another declaration of it guards as well."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

__all__ = ["Metric", "MetricKind", "guards_joined", "loosened"]


class MetricKind(StrEnum):
    """How a metric is measured."""

    RATIO = "ratio"
    LATENCY = "latency"
    GAUGE = "gauge"
    COUNTER = "counter"


@dataclass(frozen=True, slots=True)
class Metric:
    """A declared metric. `errors` and `latency` are what the proxy sees: margins only, no kind.

    Selectors are Prometheus series names with optional label matches, such as
    `checkout_total{outcome="error"}`.
    """

    name: str
    kind: MetricKind | None = None
    bad: str | None = None
    good: str | None = None
    total: str | None = None
    histogram: str | None = None
    gauge: str | None = None
    counter: str | None = None
    worse: str = "higher"
    margin_ratio: float | None = None
    margin_points: float | None = None

    def holds_up(self, other: "Metric | None") -> bool:
        """Whether `other` says the same of the same series, with no wider margin."""
        if other is None:
            return False
        return (
            replace(self, margin_ratio=None, margin_points=None)
            == replace(other, margin_ratio=None, margin_points=None)
            and _no_wider(self.margin_ratio, other.margin_ratio)
            and _no_wider(self.margin_points, other.margin_points)
        )


def _no_wider(old: float | None, new: float | None) -> bool:
    """A margin that is declared anew, or no more, may be wider than what it replaces."""
    return old == new or (old is not None and new is not None and new <= old)


def loosened(live: Iterable[Metric], proposed: Iterable[Metric]) -> tuple[Metric, ...]:
    """The live guards that the proposed ones leave out or weaken."""
    by_name = {metric.name: metric for metric in proposed}
    return tuple(one for one in live if not one.holds_up(by_name.get(one.name)))


def guards_joined(live: Iterable[Metric], proposed: Iterable[Metric]) -> tuple[Metric, ...]:
    """The live guards as they are, and what the proposed ones add.

    Loosening or removing one needs a change of the manifest alone.
    """
    kept = tuple(live)
    known = {metric.name for metric in kept}
    return (*kept, *(one for one in proposed if one.name not in known))
