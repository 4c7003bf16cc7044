"""Figures as people say them: durations, shares, ratios."""

from math import inf

from surefoot.domain import text

__all__ = ["percent", "span", "times"]


def span(seconds: float | None) -> str:
    """A duration as people say it."""
    if seconds is None:
        return "-"
    if seconds < 10:  # noqa: PLR2004 -- below ten seconds the tenth matters
        return f"{seconds:.1f} s"
    return text.span(seconds)


def percent(part: float) -> str:
    """A share or a rate: "10 %", "0.8 %"."""
    value = 100 * part
    return f"{value:.0f} %" if value >= 10 or value == int(value) else f"{value:.1f} %"  # noqa: PLR2004 -- two digits say enough


def times(ratio: tuple[float | None, float | None]) -> str:
    """A confidence sequence of a ratio; an upper end of None, or without end, bounds nothing."""
    low, high = ratio[0] or 0.0, ratio[1]
    if high is None or high == inf:
        return f"at least x{low:.3g} of the baseline's (95 %)"
    return f"x{low:.3g} to x{high:.3g} of the baseline's (95 %)"
