"""Times as people say them, on this host's clock."""

from datetime import datetime

__all__ = ["moment"]


def moment(at: float) -> str:
    """A time on this host's clock, to the minute."""
    return f"{datetime.fromtimestamp(at).astimezone():%Y-%m-%d %H:%M}"
