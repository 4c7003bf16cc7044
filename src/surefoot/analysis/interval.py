"""The confidence sequence of a ratio of two rates: the test turned inside out.

It holds at every moment at once, however often one looks.
"""

from collections.abc import Callable, Sequence
from math import exp, inf, log, log1p, sqrt

from surefoot.analysis.evidence import LARGEST_LOG

__all__ = ["ratio_interval"]

ABOVE = (1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0)
SMALLEST, LARGEST = 1e-4, 1e6
PRECISION = 1.001


def ratio_interval(
    ticks: Sequence[tuple[float, float, float]], phi: float, alpha: float = 0.05
) -> tuple[float, float] | None:
    """The ratios p_c/p_b that the evidence does not exclude.

    Each end inverts T1 over its null ratio at alpha/2. The evidence is monotone in that ratio, so
    halving finds the end.

    Args:
        ticks: (w, canary's events, baseline's events), w = n_c/n_b, for each tick with events.
        phi: the over-dispersion.
        alpha: one minus the confidence.

    Returns:
        The lower and the upper end (0 and inf where nothing bounds it), or None without events.
    """
    if not ticks:
        return None
    enough = 2 / alpha
    low, high = 0.0, inf
    if any(canary for _, canary, _ in ticks):
        low = _edge(lambda ratio: _evidence(ticks, phi, ratio, ABOVE) < enough)
    if any(baseline for _, _, baseline in ticks):
        below = tuple(1 / r for r in ABOVE)
        high = _edge(lambda ratio: _evidence(ticks, phi, ratio, below) >= enough)
    return (0.0 if low <= SMALLEST else low), (inf if high >= LARGEST else high)


def _edge(beyond: Callable[[float], bool]) -> float:
    """The ratio at which `beyond` turns true, for one that is false below and true above."""
    low, high = SMALLEST, LARGEST
    while high / low > PRECISION:
        middle = sqrt(low * high)
        if beyond(middle):
            high = middle
        else:
            low = middle
    return sqrt(low * high)


def _evidence(
    ticks: Sequence[tuple[float, float, float]],
    phi: float,
    null: float,
    ratios: Sequence[float],
) -> float:
    canary = sum(events for _, events, _ in ticks)
    total = 0.0
    for r in ratios:
        split = sum((c + b) * (log1p(null * w) - log1p(r * null * w)) for w, c, b in ticks)
        total += exp(min((canary * log(r) + split) / phi, LARGEST_LOG))
    return total / len(ratios)
