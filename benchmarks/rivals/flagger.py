"""Flagger: a success rate for each interval, and how many intervals may fail.

Facts from fluxcd/flagger at 15bd6ad:

* pkg/controller/scheduler.go, advanceCanary: failed checks are counted over the whole analysis, not
  in a row; when they reach the threshold, the *next* pass of the scheduler rolls back. A failed
  check also keeps the weight where it is; a pass at the last weight promotes.
* pkg/controller/scheduler_metrics.go, pkg/metrics/providers/prometheus.go: a success rate below
  `min` fails; so does a query without a value or with NaN ("probably not receiving traffic").
* pkg/apis/flagger/v1beta1/canary.go: threshold 1 and interval 60 s unless set, windows of 1m.
* README.md and docs/gitbook/usage/how-it-works.md: threshold 10, min 99, interval 1m, stepWeight 5,
  maxWeight 50, so that ten passes promote; docs/gitbook/tutorials/istio-progressive-delivery.md:
  the same with threshold 5.

Weights are the simulation's here, so that every rule judges the same requests.
"""

from dataclasses import dataclass

from rivals.rule import Answer, Record, Said

LEAST_SUCCESS = 99.0
PASSES_TO_PROMOTE = 10


@dataclass(slots=True)
class Flagger:
    """Checks the success rate of each minute; `threshold` failed checks roll back."""

    threshold: int
    every: int = 60
    failed: int = 0
    passes: int = 0

    def check(self, success: float) -> bool:
        """One pass of the scheduler; True if it rolls back. `success` in percent, or NaN."""
        if self.failed >= self.threshold:
            return True
        if success >= LEAST_SUCCESS:
            self.passes += 1
        else:
            self.failed += 1
        return False

    def look(self, record: Record) -> Said | None:
        """BAD one interval after the last failure; GOOD with the tenth pass."""
        passes = self.passes
        success = 100 * (1 - record.canary.between(record.t - 60, record.t).rate)
        if self.check(success):
            return Said(Answer.BAD, record.t)
        if passes < self.passes == PASSES_TO_PROMOTE:
            return Said(Answer.GOOD, record.t)
        return None


def default() -> Flagger:
    """The default threshold: one failed check."""
    return Flagger(threshold=1)


def tutorial() -> Flagger:
    """As in the tutorials: five failed checks."""
    return Flagger(threshold=5)


def documented() -> Flagger:
    """As in the README: ten failed checks."""
    return Flagger(threshold=10)
