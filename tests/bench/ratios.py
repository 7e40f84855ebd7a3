"""What pairs of measurements conclude."""

import math
from collections.abc import Sequence

#: How sure the interval shall be, and how far from 1 it may lie and mean nothing.
LEVEL = 0.95
NEAR = 0.05


def rank(n: int, level: float = LEVEL) -> tuple[int, float]:
    """(k, coverage): the median of what n values are drawn from lies between the k-th smallest and
    the k-th largest of them with this probability, whatever the distribution.

    Each value is below that median or above it, as a coin falls. It lies outside when fewer than k
    are below, or fewer than k above: coverage = 1 - 2 P(Binomial(n, 1/2) < k). k is the largest
    that covers the level; where none does (n < 6 for 95 %) it is 1, and the coverage says so."""

    def coverage(k: int) -> float:
        return 1 - 2 * sum(math.comb(n, i) for i in range(k)) / 2**n

    k = max((k for k in range(2, n // 2 + 1) if coverage(k) >= level), default=1)
    return k, coverage(k)


def interval(ratios: Sequence[float]) -> tuple[float, float]:
    """The confidence interval of the median."""
    k, _ = rank(len(ratios))
    ordered = sorted(ratios)
    return ordered[k - 1], ordered[-k]


def verdict(ratios: Sequence[float]) -> str:
    """Of the cost in this tree to that in the base, pair by pair."""
    low, high = interval(ratios)
    if low <= 1 <= high or (low >= 1 - NEAR and high <= 1 + NEAR):
        return "no regression"
    return "slower" if low > 1 else "faster"
