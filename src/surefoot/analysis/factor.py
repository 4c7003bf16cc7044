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

from math import inf, log, log1p, sqrt

__all__ = [
    "best_a",
    "growth",
    "growth_absolute",
    "growth_relative",
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


def growth_absolute(p1: float, p2: float, w: float, d: float) -> float:
    """Nats that one request of arm 1 brings, at best, against `p1 >= p2 + d`."""
    a = best_a(p1, p2, w, d)
    return p1 * log(a) + (p2 / w) * log1p(w * (1 - a)) + d * (1 - a)


def growth_relative(p: float, w: float, m: float) -> float:
    """Nats that one request of arm 1 brings, at best, against `p1 >= m p2` when both are p."""
    return p * log(1 / m) + (p + p / w) * log((m * w + 1) / (w + 1))


def growth(p: float, w: float, m: float, d: float) -> float:
    """Nats that one request of arm 1 brings against the looser of `m p` and `p + d`.

    Of the family that leads the mixture there, relative or absolute.
    """
    return growth_relative(p, w, m) if m * p >= p + d else growth_absolute(p, p, w, d)


def seconds_to(evidence: float, phi: float, per_second: float) -> float:
    """Seconds until `evidence` (an e-value) at `per_second` nats, tempered by phi; or inf."""
    return phi * log(evidence) / per_second if per_second > 0 else inf
