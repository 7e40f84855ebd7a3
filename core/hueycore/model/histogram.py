"""Durations counted in buckets, four to a doubling: small to keep, good enough for percentiles."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

#: The upper edge of bucket 0, seconds.
FLOOR = 0.0001


def bucket(seconds: float) -> int:
    """The bucket of a duration: 0 up to 0.1 ms, then four per doubling."""
    if seconds <= FLOOR:
        return 0
    return math.ceil(4 * math.log2(seconds / FLOOR))


def parse(text: str) -> dict[int, int]:
    """Counts as they are stored; none if they cannot be read: no job waits for a figure."""
    try:
        return {int(number): int(count) for number, count in json.loads(text).items()}
    except (ValueError, TypeError, AttributeError, RecursionError):
        return {}


def upper_edge(number: int) -> float:
    """The longest duration of a bucket, seconds."""
    return float(FLOOR * 2 ** (number / 4))


def percentile(counts: Mapping[int, int], share: float) -> float | None:
    """The duration that ``share`` (0 to 1) of the counted ones do not exceed, at most 19 % too
    long; None when nothing was counted."""
    total = sum(counts.values())
    if not total:
        return None
    rank, passed = share * total, 0
    for number in sorted(counts):
        passed += counts[number]
        if passed >= rank:
            return upper_edge(number)
    return upper_edge(max(counts))
