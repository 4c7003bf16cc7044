"""The one factor, and how fast it can grow.

For two arms with counts e of n, w = n1/n2, and a null rate `m p2 + d`:

    F(a; m, d) = a^e1 (1 + m w (1 - a))^e2 exp(d (1 - a) n1)

Its mean is at most exp{(1 - a) n1 (m p2 + d - p1)}, for 1 + x <= e^x. So a < 1 cannot gain by luck
while p1 >= m p2 + d, nor a > 1 (with m w (a - 1) < 1) while p1 <= m p2 + d, for any p2, also one
that changes each tick. The bet on p1 = r m p2 is a = r (m w + 1)/(r m w + 1); with it F becomes

    r^e1 ((m w + 1)/(r m w + 1))^(e1 + e2) exp(-d n1 (r - 1)/(r m w + 1)).

Arm 1 is the canary and arm 2 the baseline, but for a metric whose lower values are worse: there
the arms change places, and the events are the good ones.
"""

from dataclasses import dataclass
from math import inf, log, log1p, sqrt

__all__ = [
    "Gain",
    "best_a",
    "gain",
    "gain_of",
    "growth",
    "growth_absolute",
    "log_factor",
    "relative_a",
    "seconds_to",
]

SMALLEST_A = 1e-12


def log_factor(
    a: float, null: tuple[float, float], one: tuple[float, float], two: tuple[float, float]
) -> float:
    """The natural log of F for one tick.

    Args:
        a: the bet; below 1 against "arm 1 is at least the null", above 1 against "at most".
        null: m and d of the null rate `m p2 + d`; d is a fraction, not points.
        one: events and all of arm 1.
        two: events and all of arm 2.

    Returns:
        log F; 0 when an arm is empty.
    """
    (m, d), (e1, n1), (e2, n2) = null, one, two
    if n1 <= 0 or n2 <= 0:
        return 0.0
    return e1 * log(a) + e2 * log1p(m * (n1 / n2) * (1 - a)) + d * (1 - a) * n1


def relative_a(r: float, m: float, w: float) -> float:
    """The bet on "arm 1 has r times what the null ratio m allows" at this w (T1)."""
    return r * (m * w + 1) / (r * m * w + 1)


def best_a(p1: float, p2: float, w: float, d: float) -> float:
    """The bet in (0, 1] that grows fastest against `p1 >= p2 + d` when p1 and p2 are true.

    The maximum of p1 ln a + (p2/w) ln(1 + w (1 - a)) + d (1 - a): a root of a quadratic, written
    so that it stays exact when d or p1 is tiny.
    """
    b = p1 * w + p2 + d * (1 + w)
    c = p1 * (1 + w)
    if b <= 0:
        return 1.0  # nothing happens and nothing may: no bet
    a = 2 * c / (b + sqrt(max(b * b - 4 * d * w * c, 0.0)))
    return min(max(a, SMALLEST_A), 1.0)


@dataclass(frozen=True, slots=True)
class Gain:
    """Nats that one request of arm 1, and the 1/w of arm 2 beside it, bring to log F."""

    mean: float
    variance: float


def gain(a: float, null: tuple[float, float], w: float, p1: float, p2: float) -> Gain:
    """What the bet a against the null (m, d) brings when p1 and p2 are true.

    The variance is that of requests that come by chance, independent of each other (a compound
    Poisson sum): the mean square of what each of them brings.
    """
    m, d = null
    of_event, of_other, of_request = log(a), log1p(m * w * (1 - a)), d * (1 - a)
    return Gain(
        p1 * of_event + (p2 / w) * of_other + of_request,
        p1 * (of_event + of_request) ** 2 + (1 - p1) * of_request**2 + (p2 / w) * of_other**2,
    )


def gain_of(p: float, w: float, m: float, d: float) -> Gain:
    """What the bet that leads the mixture against the looser of `m p` and `p + d` brings.

    Both arms are p; the bet is relative or absolute, whichever the looser margin is.
    """
    if m * p >= p + d:
        return gain(relative_a(1 / m, m, w), (m, 0.0), w, p, p)
    return gain(best_a(p, p, w, d), (1.0, d), w, p, p)


def growth_absolute(p1: float, p2: float, w: float, d: float) -> float:
    """Nats that one request of arm 1 brings, at best, against `p1 >= p2 + d`."""
    return gain(best_a(p1, p2, w, d), (1.0, d), w, p1, p2).mean


def growth(p: float, w: float, m: float, d: float) -> float:
    """Nats that one request of arm 1 brings against the looser of `m p` and `p + d`."""
    return gain_of(p, w, m, d).mean


def seconds_to(evidence: float, phi: float, per_second: float) -> float:
    """Seconds until `evidence` (an e-value) at `per_second` nats, tempered by phi; or inf."""
    return phi * log(evidence) / per_second if per_second > 0 else inf
