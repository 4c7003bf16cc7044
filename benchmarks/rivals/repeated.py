"""Textbook tests of two proportions, asked again and again: what dashboards and scripts do.

One-sided, alpha 1 %, on all requests so far: the pooled z test and Fisher's exact test at every
second, as if each look were the only one; and Fisher's at ten fixed looks, with alpha shared among
them (Bonferroni), which is sound for requests that are alike all the time.
"""

from collections.abc import Callable, Container
from dataclasses import dataclass
from math import exp, inf, lgamma, sqrt
from statistics import NormalDist

from rivals.rule import Answer, Counts, Record, Said

ALPHA = 0.01
LOOKS = (60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600)
Z = NormalDist().inv_cdf(1 - ALPHA)


def z_score(canary: Counts, baseline: Counts) -> float:
    """The difference of the failing fractions, in pooled standard errors; 0 without failures."""
    pooled = (canary.bad + baseline.bad) / (canary.all + baseline.all)
    spread = pooled * (1 - pooled) * (1 / canary.all + 1 / baseline.all)
    return (canary.rate - baseline.rate) / sqrt(spread) if spread else 0.0


def fisher_p(canary: Counts, baseline: Counts) -> float:
    """Fisher's exact p-value that the canary fails more often: a hypergeometric tail."""
    bad, all_ = canary.bad + baseline.bad, canary.all + baseline.all

    def log_choose(n: int, k: int) -> float:
        return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)

    k = canary.bad
    term = exp(
        log_choose(bad, k) + log_choose(all_ - bad, canary.all - k) - log_choose(all_, canary.all)
    )
    total = 0.0
    while term > total * 1e-16:
        total += term
        above = (k + 1) * (all_ - bad - canary.all + k + 1)
        term *= (bad - k) * (canary.all - k) / above if above > 0 else inf
        k += 1
    return min(total, 1.0)


def looks_worse(canary: Counts, baseline: Counts) -> bool:
    """Whether the canary has failed more often at all; else no one-sided test rejects."""
    return bool(canary.bad) and canary.bad * baseline.all > baseline.bad * canary.all


@dataclass(slots=True)
class Repeated:
    """A one-sided test of all requests so far, at each `every` seconds or only at some `looks`."""

    rejects: Callable[[Counts, Counts], bool]
    every: int = 1
    looks: Container[int] | None = None

    def look(self, record: Record) -> Said | None:
        """BAD when the canary looks worse and the test rejects."""
        if self.looks is not None and record.t not in self.looks:
            return None
        canary, baseline = so_far(record)
        if looks_worse(canary, baseline) and self.rejects(canary, baseline):
            return Said(Answer.BAD, record.t)
        return None


def z_each_second() -> Repeated:
    """The z test, each second as if it were the only look."""
    return Repeated(lambda canary, baseline: z_score(canary, baseline) >= Z)


def fisher_each_second() -> Repeated:
    """Fisher's test, each second as if it were the only look."""
    return Repeated(lambda canary, baseline: fisher_p(canary, baseline) <= ALPHA)


def fisher_at_ten_looks() -> Repeated:
    """Fisher's test after 1, 2, 5, 10, 15, 30 minutes, 1, 2, 4 and 6 hours; alpha shared."""
    shared = ALPHA / len(LOOKS)
    return Repeated(lambda canary, baseline: fisher_p(canary, baseline) <= shared, 60, LOOKS)


def so_far(record: Record) -> tuple[Counts, Counts]:
    """All that canary and baseline answered."""
    return record.canary.between(0, record.t), record.baseline.between(0, record.t)
