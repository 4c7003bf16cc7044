"""Lindon and Malek's sequential test of a multinomial, on the failures of both releases.

"Anytime-Valid Inference for Multinomial Count Data" (NeurIPS 2022, arXiv 2011.03567): given that
a request failed, it was the canary's with the probability of its share, if both fail alike; the
Bayes factor of a Dirichlet prior against that is a test martingale, so it may be looked at always.
The prior is flat, Dirichlet(1, 1), and two-sided; BAD needs the canary to be the worse one. Shares
are fixed in the test, so after a change of share a new factor begins and multiplies the old ones.
"""

from dataclasses import dataclass
from math import lgamma, log

from rivals.rule import Answer, Counts, Record, Said

ALPHA = 0.01


def log_bayes_factor(canary_bad: int, baseline_bad: int, share: float) -> float:
    """Ln of the evidence that failures are not split by `share`, under a flat prior."""
    integral = lgamma(canary_bad + 1) + lgamma(baseline_bad + 1)
    integral -= lgamma(canary_bad + baseline_bad + 2)
    return integral - canary_bad * log(share) - baseline_bad * log(1 - share)


@dataclass(slots=True)
class Multinomial:
    """The test at every second, at alpha 1 %."""

    every: int = 1
    share: float = 0.0
    since: int = 0
    kept: float = 0.0  # ln of the factors of earlier shares
    seen: tuple[int, int] = (0, 0)

    def look(self, record: Record) -> Said | None:
        """BAD when the factors' product reaches 1/alpha and the canary has the larger part."""
        if record.share != self.share:
            if self.share:
                canary, baseline = self._failures(record, record.t - 1)
                self.kept += log_bayes_factor(canary.bad, baseline.bad, self.share)
            self.share, self.since = record.share, record.t - 1
        canary, baseline = self._failures(record, record.t)
        if (canary.bad, baseline.bad) == self.seen:
            return None
        self.seen = (canary.bad, baseline.bad)
        evidence = self.kept + log_bayes_factor(*self.seen, self.share)
        larger = canary.bad > self.share * (canary.bad + baseline.bad)
        return Said(Answer.BAD, record.t) if larger and evidence >= log(1 / ALPHA) else None

    def _failures(self, record: Record, until: int) -> tuple[Counts, Counts]:
        return (
            record.canary.between(self.since, until),
            record.baseline.between(self.since, until),
        )
