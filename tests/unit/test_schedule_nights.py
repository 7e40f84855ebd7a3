"""Every night on which a clock was changed, for decades, against a scan of every minute."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from hueycore.calendar.cron import crontab
from hueycore.calendar.schedule import Schedule, as_schedule, every, read_back, same_when_read_back
from tests.unit.schedulekit import minutes_around, posix, runs, scan

HOUR = 3600.0

#: Fixed hours in and around the change, real hours, and days that begin in it.
LINES = [
    "0 * * * *",
    "17,47 */2 * * *",
    "30 0 * * *",
    "0 1 * * *",
    "15,45 1,2 * * *",
    "30 2 * * *",
    "0 3 * * *",
    "*/10 23-3 * * *",
    "0 0 * * 0",
    "59 23 * * 6",
    "30 2 * 3,10 *",
]


def changes(zone: str, first: int, last: int) -> Iterator[datetime]:
    """The instants at which the clocks of a zone are changed, found by halving each day."""
    info = ZoneInfo(zone)

    def offset(at: float) -> timedelta | None:
        return datetime.fromtimestamp(at, info).utcoffset()

    start, end = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (first, last + 1))
    for day in range(start, end, 86_400):
        low, high = day, day + 86_400
        if offset(low) == offset(high):
            continue
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if offset(middle) == offset(low) else (low, middle)
        yield datetime.fromtimestamp(high, UTC)


@pytest.mark.feature("periodic_task")
@pytest.mark.parametrize(
    ("zone", "first", "last", "number"),
    [
        ("Europe/Paris", 2019, 2034, 32),
        ("America/New_York", 2019, 2034, 32),
        ("Australia/Lord_Howe", 2019, 2034, 32),  # by half an hour
        ("Antarctica/Troll", 2024, 2027, 8),  # by two hours
        ("America/Sao_Paulo", 2014, 2019, 11),  # at midnight
        ("Asia/Beirut", 2019, 2024, 12),  # at midnight
        ("Africa/Casablanca", 2024, 2027, 8),  # back for Ramadan
        ("Pacific/Apia", 2010, 2013, 8),  # without the 30th of December 2011
        ("Pacific/Kwajalein", 1993, 1993, 1),  # without the 21st of August 1993
        ("Asia/Pyongyang", 2015, 2018, 2),  # once and for all
    ],
)
def test_every_change_of_the_clock_for_years_agrees_with_a_scan_of_every_minute(
    zone: str, first: int, last: int, number: int
) -> None:
    nights = list(changes(zone, first, last))
    assert len(nights) == number
    for night in nights:
        minutes = minutes_around.__wrapped__(zone, night, 5)
        start, end = minutes[0].at, minutes[-1].at
        for line in LINES:
            expected = [at for at in scan(minutes, line.split()) if at > start]
            assert list(runs(crontab(line, tz=zone), start, end)) == expected, (night, line)


@pytest.mark.parametrize("zone", ["Europe/Paris", "America/New_York", "Australia/Lord_Howe"])
@pytest.mark.parametrize("period", ["90s", "10m", "1h", "2h"])
def test_a_period_is_elapsed_time_whatever_the_clock_shows(zone: str, period: str) -> None:
    schedule = every(period)
    for night in changes(zone, 2025, 2026):
        around = night.timestamp()
        found = list(runs(schedule, around - 6 * HOUR, around + 6 * HOUR))
        assert {b - a for a, b in pairwise(found)} == {schedule.microseconds / 1e6}


@pytest.mark.parametrize(
    ("zone", "line", "after", "expected"),
    [
        # Midnight of a Sunday does not exist: its task runs at one o'clock, still that Sunday.
        ("America/Sao_Paulo", "0 0 * * sun", "2018-11-03T12:00", "2018-11-04T01:00-02:00"),
        ("Asia/Beirut", "30 0 * * *", "2022-03-26T12:00", "2022-03-27T01:00+03:00"),
        # 23:30 is shown twice on the evening before: the first time it runs.
        ("America/Sao_Paulo", "30 23 * * sat", "2018-02-17T12:00", "2018-02-17T23:30-02:00"),
        # A day that was not: its noon runs when the next one begins.
        ("Pacific/Apia", "0 12 30 12 *", "2011-12-29T23:00", "2011-12-31T00:00+14:00"),
        ("Pacific/Apia", "0 12 * * fri", "2011-12-29T23:00", "2011-12-31T00:00+14:00"),
        ("Pacific/Apia", "0 12 * * *", "2011-12-29T23:00", "2011-12-31T00:00+14:00"),
        ("Europe/Paris", "30 2 * * *", "2026-03-28T12:00", "2026-03-29T03:00+02:00"),
        ("Europe/Paris", "30 2 * * *", "2026-10-24T12:00", "2026-10-25T02:30+02:00"),
    ],
)
def test_what_the_clock_skips_or_repeats(zone: str, line: str, after: str, expected: str) -> None:
    found = crontab(line, tz=zone).next_after(posix(after, zone))
    assert datetime.fromtimestamp(found, ZoneInfo(zone)).isoformat("T", "minutes") == expected


# --- texts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("every 90s", every("90s")),
        ("every 90", every(90)),
        ("90s", every("90s")),
        ("2h30m", every("2h30m")),
        ("0.5s", every(0.5)),
        ("1d", every("1d")),
        ("@daily", crontab("0", "0")),
        ("@Hourly", crontab("0")),
        ("0 9 * * mon-fri", crontab("0", "9", day_of_week="1-5")),
        ("*/5 22-3 * jan,dec fri-mon", crontab("*/5", "22-3", "*", "1,12", "5,6,0,1")),
    ],
)
def test_a_schedule_is_a_text_wherever_one_is_taken(text: str, same: Schedule) -> None:
    assert as_schedule(text) == same
    assert read_back(same.expression, same.tz) == same
    assert same_when_read_back(same)


@pytest.mark.parametrize("text", ["90", "90x", "h", "every", "every day", "1 h", "5m5", ""])
def test_a_text_that_might_mean_something_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        as_schedule(text)


def test_a_zone_given_beside_a_crontab_that_has_none_is_its_zone() -> None:
    assert as_schedule(crontab("0", "9"), tz="Europe/Paris") == crontab(
        "0 9 * * *", tz="Europe/Paris"
    )
    with pytest.raises(ValueError, match="Mars"):
        as_schedule(crontab("0", "9"), tz="Mars/Olympus")


def test_a_function_cannot_be_read_back() -> None:
    schedule = as_schedule(lambda dt: True)
    assert read_back(schedule.expression, None) is None
    assert read_back("0 9 * * *", "Mars/Olympus") is None
    assert not same_when_read_back(schedule)


@pytest.mark.parametrize(
    ("line", "day"),
    [
        ("0 0 29 2 *", "2104-02-29"),  # 2100 is no leap year
        ("0 0 29 2 sun", "2128-02-29"),
        ("0 0 31 12 *", "2097-12-31"),
        ("0 0 31 feb-apr *", "2097-03-31"),
    ],
)
def test_rare_days_come_in_their_time(line: str, day: str) -> None:
    found = crontab(line).next_after(posix("2097-01-01"))
    assert datetime.fromtimestamp(found, UTC).date().isoformat() == day
