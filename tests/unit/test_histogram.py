"""Durations in buckets: four to a doubling, so a percentile is at most 19 % too long."""

from __future__ import annotations

import math
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from hueycore.model.histogram import FLOOR, bucket, percentile, upper_edge

durations = st.floats(0, 10 * 86_400)


@given(durations)
def test_a_duration_lies_within_its_bucket(seconds: float) -> None:
    number = bucket(seconds)

    assert number >= 0
    assert seconds <= upper_edge(number) * (1 + 1e-9)
    if number:
        assert seconds > upper_edge(number - 1) * (1 - 1e-9)


@given(durations, durations)
def test_a_longer_duration_is_in_no_lower_bucket(one: float, other: float) -> None:
    assert (bucket(one) <= bucket(other)) or one > other


def test_four_buckets_make_a_doubling() -> None:
    for seconds in (0.001, 0.5, 3.0, 1000.0):
        assert bucket(2 * seconds) == bucket(seconds) + 4
    assert math.isclose(upper_edge(8), 4 * FLOOR)


def test_what_took_no_time_or_less_is_in_the_first_bucket() -> None:
    assert [bucket(s) for s in (0.0, -5.0, FLOOR, 1e-12)] == [0, 0, 0, 0]
    assert bucket(FLOOR * 1.01) == 1


@given(st.lists(durations, min_size=1, max_size=200), st.sampled_from([0.0, 0.5, 0.9, 0.99, 1.0]))
def test_a_percentile_is_right_to_a_fifth(seconds: list[float], share: float) -> None:
    exact = sorted(seconds)[max(0, math.ceil(share * len(seconds)) - 1)]

    found = percentile(Counter(map(bucket, seconds)), share)

    assert found is not None
    assert exact * (1 - 1e-9) <= found <= max(exact * 2**0.25 * (1 + 1e-9), FLOOR)


def test_nothing_has_no_percentile() -> None:
    assert percentile({}, 0.5) is None
    assert percentile({3: 0}, 0.5) is None
