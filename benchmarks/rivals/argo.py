"""Argo Rollouts: a query against a threshold, and how many failures are borne.

Facts from argoproj/argo-rollouts at 9f8d111:

* analysis/analysis.go, assessMetricFailureInconclusiveOrError: failed when the number of failed
  measurements, over the whole run and not in a row, exceeds `failureLimit`, 0 unless set.
* utils/evaluate/evaluate.go: a measurement whose success condition is not true has failed; a
  comparison with NaN (no requests) is not true.
* docs/features/analysis.md and docs/analysis/prometheus.md: the documented background analysis has
  `result[0] >= 0.95`, interval 5m, failureLimit 3, beside four steps of ten minutes; the documented
  inline one `interval: 60s`, `count: 5` and no failureLimit. Both query `irate(...[5m])`, which is
  the rate between the last two scrapes: here 15 s apart.

The first measurement is taken when the second scrape exists; until then the query has no result,
which is an error, retried after 10 s and borne four times. No threshold is a default: `ninety_nine`
is the same rule as a team with a goal of 99 % writes it, over whole minutes, as no documented
example does.
"""

from dataclasses import dataclass

from rivals.rule import Answer, Record, Said, passed

SCRAPE = 15


@dataclass(slots=True)
class Argo:
    """Measures the succeeding fraction of the last `window` seconds, each `interval` seconds."""

    at_least: float
    interval: int
    failure_limit: int
    ends: int
    window: int = SCRAPE
    first: int = 2 * SCRAPE
    every: int = SCRAPE
    failed: int = 0

    def measure(self, success: float) -> bool:
        """Take one measurement; True if that is one failure too many. NaN has failed."""
        if not success >= self.at_least:
            self.failed += 1
        return self.failed > self.failure_limit

    def look(self, record: Record) -> Said | None:
        """BAD at the measurement that exceeds the limit; GOOD when the run's time is over."""
        t = record.t
        if t >= self.first and (t - self.first) % self.interval == 0:
            answered = record.canary.between(t - self.window, t)
            if self.measure(1 - answered.rate):
                return Said(Answer.BAD, t)
        return passed(record, self.ends)


def documented() -> Argo:
    """The background analysis of the documentation: 95 %, every 5 min, the fourth failure."""
    return Argo(at_least=0.95, interval=300, failure_limit=3, ends=2400)


def inline() -> Argo:
    """The inline analysis of the documentation, with the default failureLimit of 0."""
    return Argo(at_least=0.95, interval=60, failure_limit=0, ends=270)


def ninety_nine() -> Argo:
    """99 % in each minute, with the default failureLimit of 0; as long as the documented run."""
    return Argo(at_least=0.99, interval=60, failure_limit=0, ends=2400, window=60, first=60)
