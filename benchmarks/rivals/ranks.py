"""Ranks with ties, which two of the rules stand on."""

from collections.abc import Sequence
from itertools import groupby


def tied_ranks(values: Sequence[float]) -> tuple[dict[float, float], list[int]]:
    """The rank of each value, equal ones sharing the mean of theirs, and how many are equal.

    Returns:
        Value to rank (1 is the smallest), and the sizes of the groups of equal values, ascending.
    """
    ranks, ties, before = {}, [], 0
    for value, group in groupby(sorted(values)):
        size = sum(1 for _ in group)
        ranks[value] = before + (size + 1) / 2
        ties.append(size)
        before += size
    return ranks, ties


def mann_whitney_u(first: Sequence[float], second: Sequence[float]) -> tuple[float, list[int]]:
    """Pairs in which `first` is larger, ties counting half; and the sizes of groups of ties."""
    ranks, ties = tied_ranks([*first, *second])
    n = len(first)
    return sum(ranks[value] for value in first) - n * (n + 1) / 2, ties


def tie_term(ties: Sequence[int]) -> float:
    """What ties take from the variance of the rank sum: the sum of t^3 - t."""
    return float(sum(t**3 - t for t in ties))
