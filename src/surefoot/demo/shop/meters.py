"""What the shop counts, as a Prometheus page."""

from bisect import bisect_left
from collections import Counter
from itertools import accumulate

BOUNDS = (0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.15, 0.25, 0.5, 1.0)  # seconds


class Meters:
    """Counters by name and outcome, and the time that checkouts take."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._bins = [0] * (len(BOUNDS) + 1)
        self._seconds = 0.0
        for name in ("page", "catalogue", "checkout"):
            for outcome in ("ok", "error"):
                self._counts[f'{name}_total{{outcome="{outcome}"}}'] = 0

    def count(self, name: str, outcome: str) -> None:
        """One more request that ended like this."""
        self._counts[f'{name}_total{{outcome="{outcome}"}}'] += 1

    def took(self, seconds: float) -> None:
        """One more checkout that took this long."""
        self._bins[bisect_left(BOUNDS, seconds)] += 1
        self._seconds += seconds

    def page(self) -> str:
        """Everything, as text."""
        lines = [f"{series} {value}" for series, value in sorted(self._counts.items())]
        *within, everything = accumulate(self._bins)
        lines += [
            f'checkout_seconds_bucket{{le="{bound}"}} {n}'
            for bound, n in zip(BOUNDS, within, strict=True)
        ]
        lines += [
            f'checkout_seconds_bucket{{le="+Inf"}} {everything}',
            f"checkout_seconds_sum {self._seconds:.6f}",
            f"checkout_seconds_count {everything}",
        ]
        return "\n".join(lines) + "\n"
