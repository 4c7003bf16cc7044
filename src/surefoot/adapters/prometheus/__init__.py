"""Ticks from a Prometheus, for those who ship by other means.

`selectors` says what to ask for, `client` asks, `scrapes` makes ticks of the answers (pure), and
`reader` goes through a span of time by pages. Only raw samples are read: `rate()` and `increase()`
extrapolate to the edges of their window, and no test may eat what was never counted.
"""

from surefoot.adapters.prometheus.client import read_headers
from surefoot.adapters.prometheus.reader import Reader
from surefoot.adapters.prometheus.selectors import question

__all__ = ["Reader", "question", "read_headers"]
