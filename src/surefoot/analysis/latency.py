"""Which bounds of a latency histogram are judged, and against which bound of the canary.

Distribution-free: "slower than a bound" is a ratio like any other. The canary is held to a bound
a little above the baseline's, so that a shift too small to matter counts for nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf

from surefoot.analysis.factor import growth_absolute, seconds_to
from surefoot.analysis.margins import GATE, Rung
from surefoot.domain.verdict import Margin

__all__ = ["Bound", "Crowd", "Limits", "crowd", "fix_bounds", "limits_of"]

FRACTIONS = (0.5, 0.25, 0.1, 0.05, 0.01, 0.003)
HARM_STRETCH = 1.1
COARSE_STRETCH = 1.5
EXACT = 1 - 1e-9  # 1.1 x 0.1 must not miss the bound 0.11
COARSE_M, COARSE_D = 1.1, 0.02
CROWDED = 0.8


@dataclass(frozen=True, slots=True)
class Bound:
    """One judged bound; all bounds in seconds, all else fractions.

    The baseline is slower than `x`; for harm the canary is slower than `y`; for "not worse" it is
    at `z` with margin `d`, and for leaving a step at `gate_z` with `gate_d`. `slower_*` is the
    fraction of the baseline's past that was slower than each. `coarse`: no bound was near enough,
    so both arms are measured at x with a wider null. `phi` is None where the metric's own holds.
    """

    x: float
    y: float
    z: float
    d: float
    gate_z: float
    gate_d: float
    slower_x: float
    slower_z: float
    slower_gate: float
    coarse: bool = False
    phi: float | None = None

    @property
    def null(self) -> tuple[float, float]:
        """Ratio m and part d of the harm null `p_c <= m p_b + d`."""
        return (COARSE_M, COARSE_D) if self.coarse else (1.0, 0.0)

    def seconds(self, rate: float, w: float, phi: float, evidence: float) -> float:
        """L of this bound: seconds until `evidence` at `rate` canary requests per second."""
        nats = growth_absolute(self.slower_z, self.slower_x, w, self.d)
        return seconds_to(evidence, self.phi or phi, rate * nats)

    def gate_seconds(self, rate: float, w: float, phi: float, evidence: float) -> float:
        """The same for leaving a step."""
        nats = growth_absolute(self.slower_gate, self.slower_x, w, self.gate_d)
        return seconds_to(evidence, self.phi or phi, rate * nats)


@dataclass(frozen=True, slots=True)
class Crowd:
    """A bucket, from `low` to `high` seconds, that holds `part` of all answers.

    What moves within it is not seen.
    """

    low: float
    high: float
    part: float


def crowd(slower: Mapping[float, float]) -> Crowd | None:
    """The bucket that holds over 80 % of the answers, or None.

    Args:
        slower: each bound in seconds, with the fraction slower than it.
    """
    low, beyond = 0.0, 1.0
    for bound in (*sorted(slower), inf):
        rest = slower.get(bound, 0.0)
        if beyond - rest > CROWDED:
            return Crowd(low, bound, beyond - rest)
        low, beyond = bound, rest
    return None


@dataclass(frozen=True, slots=True)
class Limits:
    """What latency may do: the canary's bound over the baseline's, and least and most points."""

    stretch: float
    least: float
    most: float

    def points(self, slower: float) -> float:
        """The margin d at a bound with that fraction slower: half of it, within the limits."""
        return min(max(slower / 2, self.least / 100), self.most / 100)


def limits_of(rung: Rung | Margin) -> Limits:
    """The limits of a rung; or of a declared margin, which stands as it is."""
    if isinstance(rung, Margin):
        return Limits(rung.ratio, rung.points, rung.points)
    return Limits(rung.stretch, rung.least, rung.most)


def fix_bounds(
    slower: Mapping[float, float],
    limits: Limits,
    judged: Sequence[float] = (),
    gate: Rung = GATE,
) -> tuple[Bound, ...]:
    """The bounds to judge, from the baseline's past.

    Args:
        slower: each bound of the histogram in seconds, with the fraction slower than it.
        limits: what latency may do.
        judged: the bounds to judge, if they are declared; else those that nearest below a half,
            a quarter, a tenth, 5 %, 1 % and 0.3 % of the answers are slower than.
        gate: what it may do when a step is left; `limits` where they are looser.
    """
    bounds = sorted(slower)
    if not bounds:
        return ()
    if judged:
        chosen = sorted({_nearest_below(bounds, x) for x in judged})
    else:
        within = ([x for x in bounds if slower[x] <= fraction] for fraction in FRACTIONS)
        chosen = sorted({found[0] for found in within if found}) or bounds[-1:]
    leaving = limits_of(gate)
    if limits.least >= leaving.most and limits.stretch >= leaving.stretch:
        leaving = limits
    return tuple(_bound(x, bounds, slower, limits, leaving) for x in chosen)


def _bound(
    x: float, bounds: Sequence[float], slower: Mapping[float, float], limits: Limits, gate: Limits
) -> Bound:
    y = _first_from(bounds, x * HARM_STRETCH)
    coarse = y is None or y > x * COARSE_STRETCH / EXACT
    z = x if coarse else _first_from(bounds, x * limits.stretch) or bounds[-1]
    gate_z = x if coarse else _first_from(bounds, x * gate.stretch) or bounds[-1]
    return Bound(
        x=x,
        y=x if coarse or y is None else y,
        z=z,
        d=limits.points(slower[x]),
        gate_z=gate_z,
        gate_d=gate.points(slower[x]),
        slower_x=slower[x],
        slower_z=slower[z],
        slower_gate=slower[gate_z],
        coarse=coarse,
    )


def _first_from(bounds: Sequence[float], least: float) -> float | None:
    return next((bound for bound in bounds if bound >= least * EXACT), None)


def _nearest_below(bounds: Sequence[float], x: float) -> float:
    return max((bound for bound in bounds if bound <= x / EXACT), default=bounds[0])
