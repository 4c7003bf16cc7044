"""Expectations: what a change was meant to do to a metric, and whether the evidence shows it.

export_p95 falls by 10%     orders rises by 2%     export_used above 0     export used
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, isfinite
from typing import Literal

from surefoot.analysis.evidence import Mixture, Relative
from surefoot.domain.errors import Refused

__all__ = ["DirectionTest", "Expectation", "quantile"]

Verb = Literal["falls", "rises", "above", "used"]
FALLS = (0.95, 0.9, 0.8, 0.5, 0.2)
SENTENCE = re.compile(
    r"(?P<name>[A-Za-z_:][\w:.-]*?)(?:_p(?P<quantile>\d{1,2}(?:\.\d+)?))?\s+"
    r"(?:(?P<used>used)|(?P<above>above)\s+(?P<level>\S+)"
    r"|(?P<verb>falls|rises)\s+by\s+(?P<amount>\S+?)\s*%)"
)


@dataclass(frozen=True, slots=True)
class Expectation:
    """One sentence of intent.

    `amount` is in percent for "falls" and "rises", in the metric's unit for "above", and unused
    for "used"; `quantile` (0 to 1) is set for `NAME_pNN` of a latency.
    """

    metric: str
    verb: Verb
    amount: float = 0.0
    quantile: float | None = None

    @classmethod
    def parse(cls, text: str) -> "Expectation":
        """Read `NAME[_pNN] falls|rises by X%`, `NAME above N` or `NAME used`.

        Raises:
            Refused: the sentence has another form.
        """
        found = SENTENCE.fullmatch(text.strip())
        amount = _number(found["amount"] or found["level"] or "0") if found else None
        if found is None or amount is None:
            raise Refused(
                f"The expectation {text!r} cannot be read.",
                cure="Write `NAME[_pNN] falls|rises by X%`, `NAME above N` or `NAME used`.",
            )
        if found["verb"]:
            verb: Verb = "rises" if found["verb"] == "rises" else "falls"
        else:
            verb = "used" if found["used"] else "above"
        at = float(found["quantile"]) / 100 if found["quantile"] else None
        return cls(found["name"], verb, amount, at)

    def __str__(self) -> str:
        """The sentence, as it is written in a commit."""
        name = (
            self.metric if self.quantile is None else f"{self.metric}_p{self.quantile * 100:.12g}"
        )
        if self.verb == "used":
            return f"{name} used"
        if self.verb == "above":
            return f"{name} above {self.amount:.15g}"
        return f"{name} {self.verb} by {self.amount:.15g}%"


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if isfinite(number) else None


class DirectionTest:
    """Whether a ratio moved at all in the promised direction: evidence against no change."""

    __slots__ = ("_mixture",)

    def __init__(self, *, rises: bool, phi: float) -> None:
        ratios = tuple(1 / r for r in FALLS) if rises else FALLS
        self._mixture = Mixture((Relative(1 / len(ratios), 1.0, r) for r in ratios), phi=phi)

    def step(self, canary: tuple[float, float], baseline: tuple[float, float]) -> None:
        """Take one tick: (events, all) of both arms, neither empty."""
        self._mixture.step(canary, baseline)

    @property
    def value(self) -> float:
        """The evidence so far, as an e-value."""
        return self._mixture.value


def quantile(le: Mapping[float, float], q: float) -> float | None:
    """The q-quantile of cumulative buckets, in seconds, log-linear within a bucket.

    Returns:
        None without answers; the largest finite bound when the quantile lies beyond it.
    """
    bounds = sorted(le)
    wanted = q * le[bounds[-1]] if bounds else 0.0
    if wanted <= 0:
        return None
    lower, below = 0.0, 0.0
    for bound in bounds:
        if le[bound] >= wanted:
            if bound == inf:
                return lower
            if lower <= 0:
                return bound * (wanted - below) / (le[bound] - below)
            part = (wanted - below) / (le[bound] - below)
            return float(lower * (bound / lower) ** part)
        lower, below = bound, le[bound]
    return lower
