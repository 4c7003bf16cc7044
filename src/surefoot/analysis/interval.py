"""The confidence sequence of a ratio of two rates: the test turned inside out.

It holds at every moment at once, however often one looks.
"""

from collections.abc import Callable, Sequence
from math import exp, inf, log, log1p, sqrt

from surefoot.analysis.evidence import LARGEST_LOG

__all__ = ["RatioSequence"]

ABOVE = (1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0)
BELOW = tuple(1 / r for r in ABOVE)
SMALLEST, LARGEST = 1e-4, 1e6
PRECISION = 1.001
BANDS = 50  # for each unit of ln w: two percent wide
EXTREME = 700  # of these: w from a millionth to a million


class RatioSequence:
    """The ratios p_c/p_b that the evidence does not exclude, from as few sums as may be.

    A tick counts by its events and by w = n_c/n_b, which it shares with others within two percent:
    each end then takes the edge of that band that makes it wider.
    """

    __slots__ = ("_bands", "_baseline", "_canary")

    def __init__(self) -> None:
        self._canary = self._baseline = 0.0
        self._bands: dict[int, float] = {}  # the events of both arms, by the band of ln w

    def add(self, canary: tuple[float, float], baseline: tuple[float, float]) -> None:
        """Take one tick: (events, all) of both arms, neither empty."""
        (e_c, n_c), (e_b, n_b) = canary, baseline
        self._canary += e_c
        self._baseline += e_b
        band = round(log(n_c / n_b) * BANDS)
        if not -EXTREME <= band <= EXTREME:
            band = EXTREME if band > 0 else -EXTREME
        self._bands[band] = self._bands.get(band, 0.0) + e_c + e_b

    def at(self, phi: float, alpha: float = 0.05) -> tuple[float, float] | None:
        """The interval now, at over-dispersion phi and confidence 1 - alpha.

        Each end inverts T1 over its null ratio at alpha/2. The evidence is monotone in that ratio,
        so halving finds the end.

        Returns:
            The lower and the upper end (0 and inf where nothing bounds it), or None without events.
        """
        if not self._bands:
            return None
        enough = 2 / alpha
        low, high = 0.0, inf
        if self._canary:
            wide = self._edges(0.5)
            low = _edge(lambda ratio: self._evidence(wide, phi, ratio, ABOVE) < enough)
        if self._baseline:
            narrow = self._edges(-0.5)
            high = _edge(lambda ratio: self._evidence(narrow, phi, ratio, BELOW) >= enough)
        unbound_below, unbound_above = low < SMALLEST * PRECISION, high > LARGEST / PRECISION
        return (0.0 if unbound_below else low), (inf if unbound_above else high)

    def _edges(self, side: float) -> Sequence[tuple[float, float]]:
        """(w, events) of each band, w at its upper (+1/2) or lower (-1/2) edge."""
        return [(exp((band + side) / BANDS), both) for band, both in self._bands.items()]

    def _evidence(
        self,
        bands: Sequence[tuple[float, float]],
        phi: float,
        null: float,
        ratios: Sequence[float],
    ) -> float:
        total = 0.0
        for r in ratios:
            split = sum(both * (log1p(null * w) - log1p(r * null * w)) for w, both in bands)
            total += exp(min((self._canary * log(r) + split) / phi, LARGEST_LOG))
        return total / len(ratios)


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
