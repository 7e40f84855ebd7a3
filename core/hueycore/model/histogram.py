"""Durations counted in buckets, four to a doubling: small to keep, good enough for percentiles."""

from __future__ import annotations

import math
from collections.abc import Mapping

from hueycore.model.documents import parsed

#: The upper edge of bucket 0, seconds.
FLOOR = 0.0001
#: Above all durations there are; the edge of one much higher is no number any more.
_NAMES = frozenset(map(str, range(400)))


def bucket(seconds: float) -> int:
    """The bucket of a duration: 0 up to 0.1 ms, then four per doubling."""
    if seconds <= FLOOR:
        return 0
    return math.ceil(4 * math.log2(seconds / FLOOR))


def upper_edge(number: int) -> float:
    """The longest duration of a bucket, seconds."""
    return float(FLOOR * 2 ** (number / 4))


def read(text: str) -> dict[int, int]:
    """The counts of a stored histogram, without what somebody else wrote there."""
    found = parsed(text)
    return {
        int(number): count
        for number, count in (found.items() if isinstance(found, dict) else ())
        if number in _NAMES and type(count) is int and 0 <= count < 2**63
    }


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
