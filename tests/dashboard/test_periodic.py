"""The calendar of schedules: what fires when, nights on which the clock changes, missed runs."""

from __future__ import annotations

import time
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from clikit import QueueFile
from dashkit import Browser, part
from operatingkit import add_schedule, consumer

from hueycore.model.schedules import Periodic
from hueyctl.dashboard.calendar import calendar, changes

PARIS = ZoneInfo("Europe/Paris")
DAY = 86400.0


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=PARIS).timestamp()


def row(name: str, schedule: str, next_run: float, tz: str | None = "Europe/Paris") -> Periodic:
    return Periodic(name, "app.report", schedule, tz, next_run)


def test_each_run_of_a_day_is_a_mark_in_the_order_of_time() -> None:
    now = at("2026-05-04T12:00")
    found = calendar([row("nightly", "0 3,15 * * *", at("2026-05-04T15:00"))], now, DAY, [], PARIS)

    (line,) = found.rows
    assert [mark.at for mark in line.marks] == [at("2026-05-04T15:00"), at("2026-05-05T03:00")]
    assert sorted(mark.x for mark in line.marks) == [mark.x for mark in line.marks]
    assert line.band is None and line.late is None


def test_what_fires_too_often_to_be_told_apart_is_a_band() -> None:
    now = at("2026-05-04T12:00")
    found = calendar([row("beat", "*/5 * * * *", now + 300)], now, DAY, [], PARIS)

    assert found.rows[0].marks == [] and found.rows[0].band is not None


def test_the_axis_shows_hours_of_the_zone_and_days_of_a_week() -> None:
    now = at("2026-05-04T13:30")
    hours = calendar([], now, DAY, [], PARIS).ticks
    days = calendar([], now, 7 * DAY, [], PARIS).ticks

    assert {datetime.fromtimestamp(tick.at, PARIS).hour % 3 for tick in hours} == {0}
    assert {datetime.fromtimestamp(tick.at, PARIS).hour for tick in days} == {0}
    assert len(days) == 7


@pytest.mark.parametrize(
    ("now", "moment", "by_s"),
    [
        ("2026-03-25T00:00", "2026-03-29T03:00", 3600.0),
        ("2026-10-20T00:00", "2026-10-25T02:00", -3600.0),
    ],
)
def test_a_change_of_the_clock_is_found_to_the_second(now: str, moment: str, by_s: float) -> None:
    (found,) = changes(["Europe/Paris", "UTC", "No/Where"], at(now), 30 * DAY)

    expected = datetime.fromisoformat(moment).replace(tzinfo=PARIS, fold=int(by_s < 0))
    assert (found.zone, found.by_s) == ("Europe/Paris", by_s)
    assert found.at == pytest.approx(expected.timestamp(), abs=1)


def test_the_night_on_which_the_clock_changes_stands_in_the_week() -> None:
    now = at("2026-03-25T00:00")
    turns = changes(["Europe/Paris"], now, 30 * DAY)

    assert len(calendar([], now, 7 * DAY, turns, PARIS).turns) == 1
    assert calendar([], now, DAY, turns, PARIS).turns == []


def test_schedules_stand_with_what_their_last_run_became(
    queue: QueueFile, browser: Browser
) -> None:
    add_schedule(queue, "nightly", schedule="0 3 * * *", tz="Europe/Paris")

    html = browser.html("/periodic")
    assert "nightly" in part(html, "schedules") and "Europe/Paris" in part(html, "schedules")
    assert "Europe/Paris" in part(html, "turns")
    assert 'aria-label="When 1 schedule fires in the next 24h"' in html
    assert "periodic next --until +7d" in browser.html("/periodic?span=7d")
    assert [one["name"] for one in browser.json("/periodic.json")] == ["nightly"]


def test_a_missed_run_is_said_first_with_what_kept_it(queue: QueueFile, browser: Browser) -> None:
    add_schedule(queue, "nightly", next_run=time.time() - 630)
    consumer(queue)

    html = browser.html("/periodic")
    assert "<h1>1 schedule should have fired</h1>" in html
    assert "overdue since 10m" in part(html, "late")
    assert "The latest missed run is made up for" in part(html, "late")


def test_without_a_schedule_the_page_says_how_one_is_made(browser: Browser) -> None:
    assert "hueyctl periodic add NAME --every 5m TASK" in browser.html("/periodic")
