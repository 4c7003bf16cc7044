"""The factor for events that are common: a block bet that also counts what did *not* happen.

The one factor bounds (1 + x)^n by e^(n x). That costs nothing while events are rare, and half of
its speed where every second request has one. Here both outcomes of a request are bet on. Let q2 be
any guess of arm 2's rate made beforehand, q1 = m q2 + d what the null then allows arm 1, and for a
stake s

    F = (1 + k (1 - q1))^e1 (1 - k q1)^(n1 - e1) (1 - s (1 - q2))^e2 (1 + s q2)^(n2 - e2),

k = s n2/(m n1). A request of arm 1 multiplies by 1 + k (p1 - q1) on average, one of arm 2 by
1 - s (p2 - q2). So the mean of F is at most

    exp{k n1 (p1 - q1) - s n2 (p2 - q2)} = exp{(s n2/m) (p1 - m p2 - d)},

at most 1 for s > 0 while p1 <= m p2 + d, and for s < 0 while p1 >= m p2 + d: for any p2, also one
that changes each tick, and however wrong the guess was. With m = 1, d = 0 and the guess that both
arms together would show, it is the block e-variable of Turner, Ly and Gruenwald (2024, "Generic
E-variables for exact sequential k-sample tests that allow for optional stopping").
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log1p

from surefoot.analysis.evidence import LARGEST_LOG, RICHEST

__all__ = ["COMMON_RATIOS", "GUESSED", "SAFE", "BlockCapital", "stake"]

COMMON_RATIOS = (1.25, 1.5, 2.0, 3.0, 5.0, 10.0)  # of odds: ten times make a half of a tenth

GUESSED = 10  # ticks that a guess is kept for
MEMORY = 600.0  # ticks of the baseline that the guess of its rate is made from
LARGEST, SMALLEST = 0.999, 1e-6  # guesses beyond are useless
SAFE = 0.999  # of the largest stake that keeps each factor positive


def stake(r: float, q: float, null: tuple[float, float], w: float) -> tuple[float, float]:
    """The bet that arm 1 has r times the odds that the null allows it, when arm 2 has the rate q.

    Args:
        r: above 1 against "arm 1 is at most the null", below 1 against "at least".
        q: the rate of arm 2 that is to be expected, known before the tick.
        null: m and d of the null rate `m p2 + d`; d is a fraction.
        w: n1/n2 of the tick.

    Returns:
        The guess q2 for arm 2 and the stake s, which make both arms' bets best near (r, q): the
        weighted middle of both, weighed by how little each arm scatters.
    """
    m, d = null
    largest = min(LARGEST, (LARGEST - d) / m)
    q = min(max(q, SMALLEST), largest)
    allowed = m * q + d
    bet = r * allowed / (1 - allowed + r * allowed)
    weight = m * w * q * (1 - q) / (allowed * (1 - allowed))
    q2 = (q + weight * (bet - d)) / (1 + weight * m)
    q2 = min(max(q2, SMALLEST), largest)
    return q2, (q2 - q) / (q2 * (1 - q2))


@dataclass(slots=True)
class Block:
    """One bet of a `BlockCapital`: its capital, and the guess and stake that hold for a while.

    `of_event` and `of_other` are what an event of arm 2, and a request without, bring in nats.
    """

    capital: float
    r: float
    q1: float = 0.0
    q2: float = 0.0
    s: float = 0.0
    of_event: float = 0.0
    of_other: float = 0.0


class BlockCapital:
    """As `Capital`, for rates above a tenth: bets that arm 1 has r times the odds it is allowed.

    Arm 2's rate is guessed from what it did before, anew every ten ticks, so that it may drift. In
    between a tick costs two logarithms for each bet.
    """

    __slots__ = ("_age", "_blocks", "_d", "_events", "_requests", "_tempering", "value")

    def __init__(
        self,
        ratios: Sequence[float],
        past: tuple[float, float],
        *,
        d: float = 0.0,
        phi: float = 1.0,
        kept: float = 0.0,
    ) -> None:
        """Bet on each of `ratios`; `past` are arm 2's events and requests before the first tick.

        `d` is a fraction, `kept` the part of the capital held for restarts.
        """
        self._tempering = 1 / phi
        self._d = d
        self._blocks = tuple(Block((1 - kept) / len(ratios), r) for r in ratios)
        self._events, self._requests = past
        self._age = 0
        self.value = 1 - kept

    def step(self, m: float, one: tuple[float, float], two: tuple[float, float], u: float) -> None:
        """Take one tick: (events, all) of both arms, after adding restart capital `u`."""
        (e1, n1), (e2, n2) = one, two
        if self._age % GUESSED == 0:
            self._guess(m, n1 / n2)
        self._age += 1
        each, others1, others2 = n2 / (m * n1), n1 - e1, n2 - e2
        u /= len(self._blocks)
        value = 0.0
        for block in self._blocks:
            q1, k = block.q1, block.s * each
            if k * q1 < SAFE:
                nats = e2 * block.of_event + others2 * block.of_other
            else:
                k = SAFE / q1
                s = k / each
                nats = e2 * log1p(-s * (1 - block.q2)) + others2 * log1p(s * block.q2)
            nats += e1 * log1p(k * (1 - q1)) + others1 * log1p(-k * q1)
            grown = (block.capital + u) * exp(min(self._tempering * nats, LARGEST_LOG))
            block.capital = grown = min(grown, RICHEST)
            value += grown
        self.value = value
        self._events += e2 - self._events / MEMORY
        self._requests += n2 - self._requests / MEMORY

    def _guess(self, m: float, w: float) -> None:
        """The stakes that are best for what arm 2 did so far, while the arms are about w apart."""
        null = (m, self._d)
        for block in self._blocks:
            q = (self._events + 0.5) / (self._requests + 1)
            block.q2, block.s = stake(block.r, q, null, w)
            block.q1 = m * block.q2 + self._d
            block.of_event = log1p(-block.s * (1 - block.q2))
            block.of_other = log1p(block.s * block.q2)
