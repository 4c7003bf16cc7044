"""Textbook tests of two proportions, asked again and again: what dashboards and scripts do.

One-sided, alpha 1 %, on all requests so far: the pooled z test and Fisher's exact test at every
second, as if each look were the only one; and Fisher's at ten fixed looks, with alpha shared among
them (Bonferroni), which is sound for requests that are alike all the time.
"""

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
class RepeatedZ:
    """The z test at every second."""

    every: int = 1

    def look(self, record: Record) -> Said | None:
        """BAD when z is beyond the quantile of a single look."""
        canary, baseline = so_far(record)
        if looks_worse(canary, baseline) and z_score(canary, baseline) >= Z:
            return Said(Answer.BAD, record.t)
        return None


@dataclass(slots=True)
class RepeatedFisher:
    """Fisher's test at every second."""

    every: int = 1

    def look(self, record: Record) -> Said | None:
        """BAD when p is at most alpha, as of a single look."""
        canary, baseline = so_far(record)
        if looks_worse(canary, baseline) and fisher_p(canary, baseline) <= ALPHA:
            return Said(Answer.BAD, record.t)
        return None


@dataclass(slots=True)
class TenLooks:
    """Fisher's test after 1, 2, 5, 10, 15, 30 minutes, 1, 2, 4 and 6 hours; alpha shared."""

    every: int = 60

    def look(self, record: Record) -> Said | None:
        """BAD when p is at most a tenth of alpha at one of the looks."""
        if record.t in LOOKS:
            canary, baseline = so_far(record)
            worse = looks_worse(canary, baseline)
            if worse and fisher_p(canary, baseline) <= ALPHA / len(LOOKS):
                return Said(Answer.BAD, record.t)
        return None


def so_far(record: Record) -> tuple[Counts, Counts]:
    """All that canary and baseline answered."""
    return record.canary.between(0, record.t), record.baseline.between(0, record.t)
