"""Where ticks come from: the proxy's counters and attempts, and services' own metrics pages.

Lives here: reading and subtracting. What never does: a judgement of what was read. Whatever could
not be read is unknown, never zero.
"""

from surefoot.adapters.telemetry.telemetry import ProxyTelemetry

__all__ = ["ProxyTelemetry"]
