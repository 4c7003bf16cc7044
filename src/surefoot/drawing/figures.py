"""Figures as people say them: durations, shares, ratios, evidence."""

from math import floor, inf

from surefoot.domain import text

__all__ = ["amount", "percent", "rate", "short", "span", "times"]

MANY = 1e6  # evidence of which further digits say no more


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


def rate(part: float) -> str:
    """How often something happens, to the tenth below ten: "10 %", "1.0 %", "0 %"."""
    value = 100 * part
    return f"{value:.1f} %" if 0 < value < 10 else f"{value:.0f} %"  # noqa: PLR2004 -- two digits say enough


def amount(evidence: float) -> str:
    """Evidence, as an e-value, rounded down: what is not yet enough does not read as enough."""
    if evidence <= 1:
        return "none"
    if evidence >= MANY:
        return ">1 million"
    return f"{floor(evidence):,}" if evidence >= 10 else f"{floor(evidence * 10) / 10:.1f}"  # noqa: PLR2004 -- below ten the tenth matters


def short(value: float) -> str:
    """A figure without a measure: "120 M", "0.15"."""
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g} {letter}"
    return f"{value:.3g}"


def times(ratio: tuple[float | None, float | None]) -> str:
    """A confidence sequence of a ratio; an upper end of None, or without end, bounds nothing."""
    low, high = ratio[0] or 0.0, ratio[1]
    if high is None or high == inf:
        return f"at least x{low:.3g} of the baseline's (95 %)"
    return f"x{low:.3g} to x{high:.3g} of the baseline's (95 %)"
