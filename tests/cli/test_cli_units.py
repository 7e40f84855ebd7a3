"""Durations and times, read and written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hueyctl import units
from hueyctl.units import brief, parse_duration, parse_when, relative, rfc3339

#: A Friday noon in local time.
NOW = datetime(2030, 3, 15, 12, 0).timestamp()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90), ("1.5", 1.5), ("90s", 90), ("5m", 300), ("2h30m", 9000), ("7d", 604800),
        ("1w", 604800), ("250ms", 0.25), ("0", 0), (" 5M ", 300),
    ],
)  # fmt: skip
def test_durations_are_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "5x", "-5", "5 m", "1h-2m", "nan", "1e9", "9999w"])
def test_what_is_not_a_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a duration|is longer"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "away"),
    [("+5m", 300), ("5m", 300), ("90", 90), ("-1h", -3600), ("now", 0), ("12:30", 1800)],
)
def test_times_relative_to_now_are_read(text: str, away: float) -> None:
    assert parse_when(text, now=NOW) == NOW + away


def test_a_time_of_day_that_is_past_means_tomorrow() -> None:
    assert datetime.fromtimestamp(parse_when("11:59", now=NOW)) == datetime(2030, 3, 16, 11, 59)


def test_a_day_word_fixes_the_day() -> None:
    assert datetime.fromtimestamp(parse_when("today 11:59", now=NOW)) == datetime(
        2030, 3, 15, 11, 59
    )
    assert datetime.fromtimestamp(parse_when("tomorrow 23:00", now=NOW)) == datetime(
        2030, 3, 16, 23, 0
    )
    assert datetime.fromtimestamp(parse_when("tomorrow", now=NOW)) == datetime(2030, 3, 16)


def test_a_time_without_offset_is_local_unless_utc_is_said() -> None:
    naive = datetime(2031, 1, 2, 3, 4)

    assert parse_when("2031-01-02T03:04") == naive.timestamp()
    assert parse_when("2031-01-02T03:04", utc=True) == naive.replace(tzinfo=UTC).timestamp()
    assert (
        parse_when("2031-01-02T03:04+05:00", utc=True)
        == (naive.replace(tzinfo=UTC) - timedelta(hours=5)).timestamp()
    )


@pytest.mark.parametrize("text", ["", "soon", "25:00", "2031-13-01", "12:60", "yesterday 12:00"])
def test_what_is_not_a_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time"):
        parse_when(text, now=NOW)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"), (0.25, "250ms"), (41, "41s"), (125, "2m 05s"), (3599, "59m"), (3725, "1h 02m"),
        (90061, "1d 1h"), (40 * 86400, "40d"),
        # Since a moment that a clock which was set back has not reached yet.
        (-0.5, "0s"), (-3180, "0s"),
    ],
)  # fmt: skip
def test_durations_are_written_briefly(seconds: float, text: str) -> None:
    assert brief(seconds) == text


def test_relative_times_say_which_way() -> None:
    assert relative(100, 141) == "41s ago"
    assert relative(141, 100) == "in 41s"
    assert relative(100.2, 100) == "now"


def test_machine_times_are_utc_with_milliseconds() -> None:
    assert rfc3339(0.0004) == "1970-01-01T00:00:00.000Z"
    assert rfc3339(1893456000.5) == "2030-01-01T00:00:00.500Z"


@given(st.floats(allow_nan=False))
def test_no_stored_time_breaks_the_output(moment: float) -> None:
    assert rfc3339(moment)


@given(st.integers(0, 10**9))
def test_whole_seconds_are_read_back(seconds: int) -> None:
    assert parse_duration(f"{seconds}s") == seconds


@given(st.text(max_size=30))
def test_any_text_is_a_time_or_a_value_error(text: str) -> None:
    try:
        assert isinstance(parse_when(text, now=NOW), float)
    except ValueError as error:
        assert "is not a time" in str(error) or "not a time of day" in str(error)


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0"), (999, "999"), (12400, "12,400"), (1234567, "1,234,567")]
)
def test_thousands_are_set_apart_in_one_way(number: int, text: str) -> None:
    assert units.grouped(number) == text == f"{number:,}"
    assert units.counted(number, "job") == f"{text} jobs"
