"""How often something happens, from how often it did: an exact interval."""

from collections.abc import Callable
from math import exp, lgamma, log, log1p

__all__ = ["clopper_pearson"]

HALVINGS = 60


def clopper_pearson(hits: int, runs: int, level: float = 0.95) -> tuple[float, float]:
    """The exact two-sided interval of a probability, from `hits` in `runs` independent runs.

    Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of the
    binomial", Biometrika 26 (1934) 404-413: each limit is the probability at which what was seen,
    or more of it, has half of what `level` leaves. It holds the truth at least that often, for
    any truth and any number of runs.

    Args:
        hits: how often it happened, 0 to `runs`.
        runs: how often it could have; 0 tells nothing: the interval is 0 to 1.
        level: how often such intervals hold the truth, as a fraction.

    Returns:
        Lower and upper limit, as fractions.
    """
    tail = (1 - level) / 2
    low = 0.0 if hits == 0 else _where(lambda p: _at_least(hits, runs, p), tail)
    high = 1.0 if hits == runs else 1 - _where(lambda q: _at_least(runs - hits, runs, q), tail)
    return low, high


def _where(rises: Callable[[float], float], target: float) -> float:
    """Where in 0 to 1 a function that rises reaches the target."""
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if rises(middle) < target:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _at_least(hits: int, runs: int, p: float) -> float:
    """The chance of `hits` or more in `runs`, each with the chance `p`, strictly within 0 to 1."""
    everything = lgamma(runs + 1)
    return sum(
        exp(everything - lgamma(k + 1) - lgamma(runs - k + 1) + k * log(p) + (runs - k) * log1p(-p))
        for k in range(hits, runs + 1)
    )
