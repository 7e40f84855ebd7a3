"""crontab() and its relatives, against matchers that share no code with them."""

from __future__ import annotations

import math
import pickle
import re
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hueycore.calendar.cron import Crontab, crontab
from hueycore.calendar.schedule import CallableSchedule, Every, Schedule, as_schedule, every
from tests.unit.schedulekit import (
    BOUNDS,
    face,
    matches,
    members,
    minutes_around,
    posix,
    runs,
    scan,
)

NAMES = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]


def nights(zone: str, *texts: str) -> list[tuple[str, datetime]]:
    return [(zone, datetime.fromisoformat(text).replace(tzinfo=UTC)) for text in texts]


NIGHTS = [
    *nights("Europe/Paris", "2025-03-30T01:00", "2025-10-26T01:00"),
    *nights("Europe/Paris", "2026-03-29T01:00", "2026-10-25T01:00"),
    *nights("America/New_York", "2025-03-09T07:00", "2025-11-02T06:00"),
    *nights("America/New_York", "2026-03-08T07:00", "2026-11-01T06:00"),
    *nights("Australia/Lord_Howe", "2025-04-05T15:00", "2025-10-04T15:30"),
    *nights("Australia/Lord_Howe", "2026-04-04T15:00", "2026-10-03T15:30"),
]
ODD_NIGHTS = [
    # Midnight itself is skipped, or shown twice.
    *nights("America/Havana", "2025-03-09T05:00", "2025-11-02T05:00"),
    # Set back from 00:01 to 23:01 of the day before.
    *nights("America/St_Johns", "2006-04-02T03:31", "2006-10-29T02:31"),
    # The 30th of December 2011 did not happen.
    *nights("Pacific/Apia", "2011-12-30T10:00"),
]
LINES = [
    "* * * * *",
    "*/7 * * * *",
    "0 * * * *",
    "30 * * * *",
    "15,45 */2 * * *",
    "0 */24 * * *",
    "*/20 0-23 * * *",
    "0 0 * * *",
    "30 0 * * *",
    "15,45 1 * * *",
    "15,45 2 * * *",
    "* 2 * * *",
    "*/10 1-3 * * *",
    "0,30 22-3 * * *",
    "30 23,0,1,2 * * 0",
    "5 2 * * 6-0",
    "59 23 * * *",
    "45 1,2 */2 * *",
    "10 */3 29-31 * *",
    "0 9 30 * *",
]


def ids(night: tuple[str, datetime]) -> str:
    return f"{night[0]}-{night[1]:%Y-%m-%d}"


@pytest.mark.parametrize("night", NIGHTS + ODD_NIGHTS, ids=ids)
def test_the_nights_of_these_tests_do_change_the_clock(night: tuple[str, datetime]) -> None:
    minutes = minutes_around(*night, hours=6)
    assert any(m.skipped or m.shown_before for m in minutes)
    assert minutes[360].at == night[1].timestamp()
    assert minutes[360].skipped or minutes[360].shown_before


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("night", NIGHTS + ODD_NIGHTS, ids=ids)
def test_next_after_agrees_with_a_scan_of_every_minute_when_the_clock_changes(
    night: tuple[str, datetime], line: str
) -> None:
    minutes = minutes_around(*night, hours=6 if line.startswith("* * ") else 30)
    expected = scan(minutes, line.split())
    # The first minute of a scan cannot know what came before it.
    start, end = minutes[0].at, minutes[-1].at
    expected = [at for at in expected if at > start]
    assert list(runs(crontab(line, tz=night[0]), start, end)) == expected


def pieces(field: str) -> st.SearchStrategy[str]:
    low, high = BOUNDS[field]
    number = st.integers(low, 7 if field == "day_of_week" else high)
    spans = st.tuples(number, number).map(lambda ends: f"{ends[0]}-{ends[1]}")
    steps = st.tuples(spans, st.integers(1, 20)).map(lambda both: f"{both[0]}/{both[1]}")
    stars = st.integers(1, high + 5).map(lambda n: f"*/{n}")
    plain = st.one_of(st.just("*"), number.map(str), spans, steps)
    return plain if field == "day_of_week" else st.one_of(plain, stars)


def fields(field: str) -> st.SearchStrategy[str]:
    return st.lists(pieces(field), min_size=1, max_size=3).map(",".join)


def mostly_any(field: str) -> st.SearchStrategy[str]:
    return st.one_of(st.just("*"), st.just("*"), st.just("*"), fields(field))


ANY_LINE = st.tuples(*(fields(name) for name in BOUNDS)).map(list)
# Lines that are likely to run on a given night.
NIGHT_LINE = st.tuples(
    fields("minute"),
    st.one_of(st.just("*"), fields("hour")),
    mostly_any("day"),
    st.just("*"),
    mostly_any("day_of_week"),
).map(list)


def possible(texts: list[str]) -> bool:
    days, months = members("day", texts[2]), members("month", texts[3])
    return any(
        day <= (29 if month == 2 else 30 if month in (4, 6, 9, 11) else 31)
        for day in days
        for month in months
    )


@settings(max_examples=150, deadline=None)
@given(
    night=st.sampled_from(NIGHTS + ODD_NIGHTS),
    texts=NIGHT_LINE,
    after=st.floats(-5.0, 5.0),
)
def test_any_schedule_agrees_with_a_scan_of_every_minute_when_the_clock_changes(
    night: tuple[str, datetime], texts: list[str], after: float
) -> None:
    minutes = minutes_around(*night, hours=6)
    schedule = crontab(" ".join(texts), tz=night[0])
    when = night[1].timestamp() + after * 3600
    expected = [at for at in scan(minutes, texts) if at > when]
    assert list(runs(schedule, when, minutes[-1].at)) == expected


@settings(max_examples=150, deadline=None)
@given(texts=ANY_LINE.filter(possible), dts=st.lists(st.datetimes(), min_size=20, max_size=20))
def test_a_crontab_matches_the_datetimes_that_an_independent_matcher_matches(
    texts: list[str], dts: list[datetime]
) -> None:
    schedule = crontab(*texts)
    expected = [members(name, text) for name, text in zip(BOUNDS, texts, strict=True)]
    for dt in dts:
        assert schedule(dt) is matches(expected, face(dt))
    here = datetime.fromtimestamp(schedule.next_after(1.75e9), UTC)
    assert schedule(here)
    assert matches(expected, face(here))


@settings(max_examples=150, deadline=None)
@given(texts=ANY_LINE.filter(possible))
def test_the_expression_reads_back_to_an_equal_schedule(texts: list[str]) -> None:
    schedule = crontab(*texts, tz="Europe/Paris")
    assert len(schedule.expression.split()) == 5
    again = as_schedule(schedule.expression, tz=schedule.tz)
    assert again == schedule
    assert hash(again) == hash(schedule)
    assert again.expression == schedule.expression


@settings(max_examples=100, deadline=None)
@given(texts=ANY_LINE.filter(possible), when=st.floats(0, 4e9))
def test_next_after_is_a_later_minute_and_nothing_between_runs(
    texts: list[str], when: float
) -> None:
    schedule = crontab(*texts)
    after = schedule.next_after(when)
    assert after > when
    assert after % 60 == 0
    assert schedule.next_after(math.nextafter(after, 0)) == after
    middle = when + (after - when) / 2
    assert schedule.next_after(middle if middle < after else when) == after


def next_run(line: str, after: str) -> str:
    at = crontab(line).next_after(posix(after))
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")


# --- the clock change, told once in plain examples


def test_fixed_times_in_a_gap_collapse_into_one_run_at_its_end() -> None:
    schedule = crontab(minute="15,45", hour=2, tz="Europe/Paris")
    first = schedule.next_after(posix("2026-03-28 12:00", "Europe/Paris"))
    assert first == posix("2026-03-29 03:00", "Europe/Paris")
    assert schedule.next_after(first) == posix("2026-03-30 02:15", "Europe/Paris")


def test_a_run_at_the_end_of_a_gap_is_not_doubled_by_the_skipped_ones() -> None:
    schedule = crontab(minute="0,30", hour="2-3", tz="America/New_York")
    first = schedule.next_after(posix("2026-03-08 00:00", "America/New_York"))
    assert first == posix("2026-03-08 03:00", "America/New_York")
    assert schedule.next_after(first) == posix("2026-03-08 03:30", "America/New_York")


def test_a_gap_of_half_an_hour_moves_only_what_is_inside_it() -> None:
    schedule = crontab(minute="15,45", hour=2, tz="Australia/Lord_Howe")
    first = schedule.next_after(posix("2026-10-03 12:00", "Australia/Lord_Howe"))
    assert first == posix("2026-10-04 02:30", "Australia/Lord_Howe")
    assert schedule.next_after(first) == posix("2026-10-04 02:45", "Australia/Lord_Howe")


def test_a_fixed_time_that_is_repeated_runs_at_its_first_showing_only() -> None:
    schedule = crontab(minute=30, hour=2, tz="Europe/Paris")
    first = schedule.next_after(posix("2026-10-24 12:00", "Europe/Paris"))
    assert first == posix("2026-10-25 02:30", "Europe/Paris", fold=0)
    assert schedule.next_after(first) == posix("2026-10-26 02:30", "Europe/Paris")


@pytest.mark.parametrize("hour", ["*", "*/1", "*/2"])
def test_a_starred_hour_runs_in_both_showings_of_a_repeated_hour(hour: str) -> None:
    schedule = crontab(minute=30, hour=hour, tz="Europe/Paris")
    first = schedule.next_after(posix("2026-10-25 02:00", "Europe/Paris", fold=0))
    assert first == posix("2026-10-25 02:30", "Europe/Paris", fold=0)
    assert schedule.next_after(first) == posix("2026-10-25 02:30", "Europe/Paris", fold=1)


def test_a_starred_hour_has_nothing_extra_for_a_skipped_hour() -> None:
    schedule = crontab(minute=30, hour="*/2", tz="Europe/Paris")
    first = schedule.next_after(posix("2026-03-29 00:00", "Europe/Paris"))
    assert first == posix("2026-03-29 00:30", "Europe/Paris")
    assert schedule.next_after(first) == posix("2026-03-29 04:30", "Europe/Paris")


def test_all_hours_by_number_are_fixed_times_and_differ_from_a_star() -> None:
    named, starred = crontab(minute=30, hour="0-23"), crontab(minute=30, hour="*")
    assert named != starred
    assert named.expression == "30 0-23 * * *"
    assert starred.expression == "30 * * * *"


# --- zones


def test_next_after_prefers_its_own_zone_then_the_default_then_utc() -> None:
    when, tokyo = posix("2026-01-01 12:00"), ZoneInfo("Asia/Tokyo")
    assert crontab("0 9 * * *").next_after(when) == posix("2026-01-02 09:00")
    assert crontab("0 9 * * *").next_after(when, tokyo) == posix("2026-01-02 09:00", "Asia/Tokyo")
    schedule = crontab("0 9 * * *", tz="Europe/Paris")
    assert schedule.next_after(when, tokyo) == posix("2026-01-02 09:00", "Europe/Paris")


def test_the_default_zone_may_be_a_fixed_offset() -> None:
    after = crontab("0 0 * * *").next_after(posix("2026-01-01 12:00"), timezone(timedelta(hours=5)))
    assert after == posix("2026-01-01 19:00")


@pytest.mark.parametrize("tz", ["Europe/Paris", ZoneInfo("Europe/Paris")])
def test_a_zone_is_given_by_name_or_as_zoneinfo_and_kept_as_its_name(tz: str | ZoneInfo) -> None:
    schedule = crontab("0 9 * * *", tz=tz)
    assert schedule.tz == "Europe/Paris"
    assert schedule == crontab(minute=0, hour=9, tz="Europe/Paris")
    assert schedule != crontab(minute=0, hour=9)


def test_utc_is_known_by_name_and_as_an_object() -> None:
    assert crontab("0 9 * * *", tz=UTC).tz == "UTC"
    assert crontab("0 9 * * *", tz="UTC") == crontab("0 9 * * *", tz=UTC)


@pytest.mark.parametrize("tz", ["Mars/Olympus", "", "../etc/passwd", "Europe", timezone.min])
def test_an_unknown_zone_is_refused_when_the_schedule_is_made(tz: str | timezone) -> None:
    for make in (partial(crontab, "0 9 * * *"), partial(as_schedule, bool)):
        with pytest.raises(ValueError, match="no time zone that this machine knows"):
            make(tz=tz)


def test_a_call_reads_a_naive_datetime_as_it_stands_and_moves_an_aware_one_to_its_zone() -> None:
    schedule = crontab("0 9 * * *", tz="Europe/Paris")
    assert schedule(datetime(2026, 1, 1, 9, 0, 59))
    assert schedule(datetime(2026, 1, 1, 8, 0, tzinfo=UTC))
    assert not schedule(datetime(2026, 1, 1, 9, 0, tzinfo=UTC))
    assert crontab("0 9 * * *")(datetime(2026, 1, 1, 9, 0, tzinfo=ZoneInfo("Asia/Tokyo")))


# --- the calendar


@pytest.mark.parametrize(
    ("line", "after", "expected"),
    [
        ("0 0 1 1 *", "2025-12-31 23:59", "2026-01-01 00:00"),
        ("59 23 31 12 *", "2025-12-31 23:59", "2026-12-31 23:59"),
        ("* * * * *", "2025-12-31 23:59", "2026-01-01 00:00"),
        ("0 12 * 11-2 *", "2026-02-28 12:00", "2026-11-01 12:00"),
        ("0 0 29 2 *", "2024-02-29 00:00", "2028-02-29 00:00"),
        ("0 0 29 2 *", "2096-02-29 00:00", "2104-02-29 00:00"),
        ("0 0 29 2 mon", "2024-03-01 00:00", "2044-02-29 00:00"),
        ("0 0 29 2 mon", "2072-03-01 00:00", "2112-02-29 00:00"),
        ("0 0 31 * *", "2026-01-31 00:00", "2026-03-31 00:00"),
        ("0 0 30 2,4 *", "2026-01-01 00:00", "2026-04-30 00:00"),
        ("0 0 * 2 *", "2026-02-28 00:00", "2027-02-01 00:00"),
        ("0 0 * * 7", "2026-01-04 00:00", "2026-01-11 00:00"),
        ("0 0 13 * fri", "2025-06-13 00:00", "2026-02-13 00:00"),
    ],
)
def test_the_next_run_by_the_calendar(line: str, after: str, expected: str) -> None:
    assert next_run(line, after) == expected


def test_day_and_day_of_week_must_both_match() -> None:
    schedule = crontab("0 0 13 * fri")
    assert schedule(datetime(2026, 2, 13))
    assert not schedule(datetime(2026, 1, 13))
    assert not schedule(datetime(2026, 2, 20))


def test_a_fraction_of_a_second_before_a_run_still_gets_that_run() -> None:
    at = posix("2026-01-01 09:00")
    schedule = crontab("0 9 * * *")
    assert schedule.next_after(math.nextafter(at, 0)) == at
    assert schedule.next_after(at) == schedule.next_after(at + 0.5) == at + 86_400


def test_times_before_the_epoch_are_counted_too() -> None:
    assert crontab("0 * * * *").next_after(-1.5) == 0.0
    assert crontab("0 * * * *").next_after(-3600.0) == 0.0


@pytest.mark.parametrize("line", ["0 0 30 2 *", "0 0 31 2,4,6,9,11 *", "* * 30-31 feb *"])
def test_a_date_that_never_comes_is_refused_when_the_schedule_is_made(line: str) -> None:
    with pytest.raises(ValueError, match="never matches"):
        crontab(line)


def test_the_end_of_the_calendar_is_an_error_and_not_a_wrong_time() -> None:
    with pytest.raises(OverflowError, match="9999"):
        crontab("@yearly").next_after(posix("9999-06-01 00:00"))


# --- what a field may say


@pytest.mark.parametrize(
    ("field", "text", "values"),
    [
        ("minute", 0, {0}),
        ("minute", "*/16", {0, 16, 32, 48}),
        ("minute", "*/99", {0}),
        ("minute", "4,8-9,*/20,1", {0, 1, 4, 8, 9, 20, 40}),
        ("minute", "50-10/5", {50, 55, 0, 5, 10}),
        ("hour", "22-3", {22, 23, 0, 1, 2, 3}),
        ("hour", "22-3/4", {22, 2}),
        ("day", "*/10", {1, 11, 21, 31}),
        ("day", "30-2", {30, 31, 1, 2}),
        ("month", "*/6", {1, 7}),
        ("month", "jan,JUN-Aug", {1, 6, 7, 8}),
        ("month", "nov-2", {11, 12, 1, 2}),
        ("day_of_week", "0", {0}),
        ("day_of_week", 7, {0}),
        ("day_of_week", "fri-mon", {5, 6, 0, 1}),
        ("day_of_week", "Mon-Fri", {1, 2, 3, 4, 5}),
        ("day_of_week", "fri-7", {5, 6, 0}),
        ("day_of_week", "7-2", {0, 1, 2}),
        ("day_of_week", "0-7", set(range(7))),
        ("day_of_week", "6-2/2", {6, 1}),
    ],
)
def test_a_field_stands_for_these_values(field: str, text: int | str, values: set[int]) -> None:
    schedule = crontab(**{field: text})
    assert set(schedule.fields[list(BOUNDS).index(field)]) == values


def test_every_name_stands_for_its_number() -> None:
    assert [crontab(month=name).fields[3] for name in NAMES] == [(n,) for n in range(1, 13)]
    assert [crontab(day_of_week=name).fields[4] for name in DAYS] == [(n,) for n in range(7)]


@pytest.mark.parametrize(
    "piece",
    ["abc", "*abc", "a-b", "1-c", "0x9", "", "-1", "5/2", "*/", "*/x", "1-2-3", "1.5"],
)
@pytest.mark.parametrize("field", BOUNDS)
def test_a_malformed_piece_is_refused_when_strict_or_alone_and_else_ignored(
    field: str, piece: str
) -> None:
    problem = re.escape(f"crontab {field}: {piece!r} is none of *, */n, m, m-n, m-n/s")
    with pytest.raises(ValueError, match=problem):
        crontab(**{field: piece})
    with pytest.raises(ValueError, match=problem):
        crontab(**{field: f"3,{piece}"}, strict=True)
    assert crontab(**{field: f"3,{piece}"}) == crontab(**{field: "3"})


def test_a_space_makes_a_piece_malformed_as_in_huey() -> None:
    assert crontab(hour="1, 2") == crontab(hour="1")
    with pytest.raises(ValueError, match="' 2' is none of"):
        crontab(hour="1, 2", strict=True)


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize(
    ("field", "piece"),
    [
        ("minute", "60"),
        ("minute", "0-61"),
        ("hour", "24"),
        ("hour", "24-3"),
        ("day", "0"),
        ("day", "32"),
        ("month", "0"),
        ("month", "13"),
        ("day_of_week", "8"),
    ],
)
def test_a_value_out_of_range_is_always_refused(field: str, piece: str, strict: bool) -> None:
    with pytest.raises(ValueError, match=f"^crontab {field}: '{piece}' is not within"):
        crontab(**{field: f"1,{piece}"}, strict=strict)


@pytest.mark.parametrize("piece", ["*/0", "1-5/0"])
def test_a_step_of_zero_is_always_refused(piece: str) -> None:
    with pytest.raises(ValueError, match=f"^crontab hour: '{re.escape(piece)}' has a step of zero"):
        crontab(hour=f"1,{piece}")


def test_a_step_over_the_week_is_refused_as_in_huey() -> None:
    with pytest.raises(ValueError, match=r"^crontab day_of_week: '\*/3' is not possible"):
        crontab(day_of_week="*/3")


def test_names_belong_to_their_own_field() -> None:
    for field, piece in [("hour", "mon"), ("month", "mon"), ("day_of_week", "jan")]:
        with pytest.raises(ValueError, match=f"^crontab {field}: '{piece}' is none of"):
            crontab(**{field: piece})


@pytest.mark.parametrize("value", [None, True, 1.5, -1, [1, 2]])
def test_a_value_of_another_kind_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"^crontab hour: "):
        crontab(hour=value)  # type: ignore[arg-type]


# --- cron lines


@pytest.mark.parametrize(
    ("line", "same"),
    [
        ("0 9 * * mon-fri", crontab(minute=0, hour=9, day_of_week="1-5")),
        ("  */5\t* 1 JAN,jul * ", crontab(minute="*/5", day=1, month="1,7")),
        ("@hourly", crontab(minute=0)),
        ("@daily", crontab(minute=0, hour=0)),
        ("@midnight", crontab(minute=0, hour=0)),
        ("@Weekly", crontab(minute=0, hour=0, day_of_week=0)),
        ("@monthly", crontab(minute=0, hour=0, day=1)),
        ("@yearly", crontab(minute=0, hour=0, day=1, month=1)),
        ("@annually", crontab(minute=0, hour=0, day=1, month=1)),
    ],
)
def test_a_cron_line_is_the_schedule_of_its_fields(line: str, same: Crontab) -> None:
    assert crontab(line) == same
    assert as_schedule(line) == same


@pytest.mark.parametrize("line", ["0 9 * *", "0 0 9 * * *", "1, 2", "@reboot", "@"])
def test_a_line_that_is_no_cron_line_is_refused(line: str) -> None:
    for make in (crontab, as_schedule):
        with pytest.raises(ValueError, match=f"^crontab line '{re.escape(line)}' "):
            make(line)


def test_a_cron_line_is_always_strict() -> None:
    with pytest.raises(ValueError, match=r"^crontab day_of_week: 'tues' is none of"):
        crontab("0 9 * * mon,tues")


def test_a_cron_line_takes_no_further_fields() -> None:
    with pytest.raises(ValueError, match="leaves no room for further fields"):
        crontab("0 9 * * *", hour=3)


def test_hourly_and_daily_are_short_for_the_first_fields() -> None:
    assert crontab.hourly() == crontab(minute=0)
    assert crontab.daily() == crontab(minute=0, hour=0)
    assert crontab.daily(hour=3, tz="Europe/Paris") == crontab("0 3 * * *", tz="Europe/Paris")


@pytest.mark.parametrize(
    ("line", "expression"),
    [
        ("*/15 * * * *", "*/15 * * * *"),
        ("0,15,30,45 0,12 * * sun,sat", "*/15 0,12 * * 0,6"),
        ("0-59 9-17 1-31 jan-dec 0-7", "* 9-17 * * *"),
        ("0 22-3 30-2 11-2 fri-mon", "0 0-3,22-23 1-2,30-31 1-2,11-12 0-1,5-6"),
        ("5,4,4 */24 1 */6 *", "4-5 */24 1 1,7 *"),
        ("0 */13 * * *", "0 */13 * * *"),
    ],
)
def test_the_expression_is_the_same_for_every_spelling(line: str, expression: str) -> None:
    assert crontab(line).expression == expression
    assert crontab(expression) == crontab(line)


def test_a_crontab_is_a_value() -> None:
    one, other = crontab("0 9 * * mon-fri", tz="Europe/Paris"), crontab("0 9 * * 1-5")
    assert repr(one) == "crontab('0 9 * * 1-5', tz='Europe/Paris')"
    assert repr(other) == "crontab('0 9 * * 1-5')"
    assert eval(repr(one)) == one
    assert {one: 1}[crontab(minute=0, hour=9, day_of_week="1-5", tz="Europe/Paris")] == 1
    assert pickle.loads(pickle.dumps(one)) == one
    with pytest.raises(AttributeError):
        one.tz = None  # type: ignore[misc]


# --- every()


@pytest.mark.parametrize(
    ("period", "seconds", "expression"),
    [
        ("90s", 90, "every 90s"),
        ("90", 90, "every 90s"),
        ("5m", 300, "every 5m"),
        ("2h30m", 9000, "every 150m"),
        ("1d", 86_400, "every 1d"),
        ("1d12h", 129_600, "every 36h"),
        ("0.5s", 0.5, "every 0.5s"),
        ("1.5m", 90, "every 90s"),
        (10, 10, "every 10s"),
        (0.1, 0.1, "every 0.1s"),
        (1 / 3, 0.333333, "every 0.333333s"),
        (timedelta(hours=2), 7200, "every 2h"),
        (timedelta(milliseconds=250), 0.25, "every 0.25s"),
    ],
)
def test_a_period_is_read_in_all_its_forms(
    period: str | float | timedelta, seconds: float, expression: str
) -> None:
    schedule = every(period)
    assert schedule == Every(round(seconds * 1_000_000))
    assert schedule.expression == expression
    assert as_schedule(expression) == schedule
    assert eval(repr(schedule)) == schedule
    assert schedule.tz is None
    assert schedule.due(1.0)


@pytest.mark.parametrize(
    "period", ["", "s", "5x", "2h30", "30m2h", "-5s", "1 h", "every", math.nan, math.inf]
)
def test_a_period_that_cannot_be_read_is_refused(period: str | float) -> None:
    with pytest.raises(ValueError, match=r"^every\(\): "):
        every(period)


@pytest.mark.parametrize("period", [0, -1, 0.0999, "0.05s", "0", timedelta(seconds=-1)])
def test_a_period_below_a_tenth_of_a_second_is_refused(period: str | float | timedelta) -> None:
    with pytest.raises(ValueError, match=r"less than 0\.1 s"):
        every(period)


def test_consumers_that_start_at_different_times_agree_on_the_runs_of_a_period() -> None:
    schedule = every("90s")
    assert schedule.next_after(1_000_000.0) == 1_000_080.0
    assert schedule.next_after(1_000_079.999) == 1_000_080.0
    assert schedule.next_after(1_000_080.0) == 1_000_170.0
    assert schedule.next_after(-1.0) == 0.0


@settings(max_examples=200, deadline=None)
@given(microseconds=st.integers(100_000, 10**12), when=st.floats(0, 4e9))
def test_runs_of_a_period_are_its_multiples_each_once(microseconds: int, when: float) -> None:
    schedule = Every(microseconds)
    first = schedule.next_after(when)
    second = schedule.next_after(first)
    assert when < first < second
    assert first - when <= microseconds / 1e6 + 1e-6
    count = round(first * 1e6 / microseconds)
    assert first == count * microseconds / 1e6
    assert second == (count + 1) * microseconds / 1e6


@settings(max_examples=100, deadline=None)
@given(
    period=st.integers(1, 400),
    dt=st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1)),
)
def test_a_period_matches_the_minutes_that_hold_a_run(period: int, dt: datetime) -> None:
    start = int(dt.replace(second=0, microsecond=0, tzinfo=UTC).timestamp())
    expected = any((start + second) % period == 0 for second in range(60))
    assert every(period)(dt) is expected
    assert every(period)(dt.replace(tzinfo=UTC).astimezone(ZoneInfo("Asia/Kolkata"))) is expected


# --- functions


def on_the_hour(dt: datetime) -> bool:
    return dt.minute == 0


def test_a_function_is_planned_for_each_minute_and_decides_when_asked() -> None:
    schedule = as_schedule(on_the_hour)
    assert isinstance(schedule, CallableSchedule)
    at = posix("2026-01-01 08:59")
    assert schedule.next_after(at - 0.5) == at
    assert schedule.next_after(at) == at + 60
    assert not schedule.due(at)
    assert schedule.due(at + 60)
    assert schedule(datetime(2026, 1, 1, 9, 0))
    assert schedule.expression == f"callable {__name__}.on_the_hour"


def test_a_function_gets_the_naive_minute_in_utc_or_in_the_zone_given() -> None:
    seen: list[datetime] = []
    at = posix("2026-07-01 12:00") + 31.5
    as_schedule(seen.append).due(at)
    as_schedule(seen.append, tz="Asia/Kolkata").due(at)
    as_schedule(seen.append, tz=ZoneInfo("Asia/Kolkata"), utc=False).due(at)
    kolkata = datetime(2026, 7, 1, 17, 30)
    assert seen == [datetime(2026, 7, 1, 12, 0), kolkata, kolkata]


def test_a_function_gets_the_local_time_of_the_machine_if_it_is_not_utc() -> None:
    seen: list[datetime] = []
    at = posix("2026-07-01 12:00")
    as_schedule(seen.append, utc=False).due(at + 7)
    assert seen == [datetime.fromtimestamp(at)]


def test_a_function_without_a_name_of_its_own_is_shown_by_its_type() -> None:
    assert as_schedule(partial(on_the_hour)).expression == "callable functools.partial"


# --- as_schedule()


def test_a_ready_schedule_is_kept_as_it_is() -> None:
    for schedule in (crontab("@daily", tz="UTC"), every("5m"), CallableSchedule(on_the_hour)):
        assert isinstance(schedule, Schedule)
        assert as_schedule(schedule, tz="Asia/Tokyo") is schedule


def test_a_timedelta_is_a_period() -> None:
    assert as_schedule(timedelta(minutes=5)) == every("5m")


@pytest.mark.parametrize("obj", [None, 5, object()])
def test_anything_else_is_no_schedule(obj: object) -> None:
    with pytest.raises(TypeError, match=r"^a schedule is a crontab"):
        as_schedule(obj)


@pytest.mark.parametrize("text", ["5", "hello", "callable tests.f"])
def test_text_that_is_neither_a_cron_line_nor_a_period_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"has \d fields"):
        as_schedule(text)
