"""Periodic tasks that come while consumers run: stored ones, closures, releases side by side."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from hueycore import ConfigurationError, Huey, crontab, every
from hueycore.consumer.scheduler import Scheduler
from hueycore.model.schedules import Periodic
from tests.helpers import (
    Clock,
    Signals,
    consuming,
    drain,
    jobs,
    run_python,
    states,
    wait_until,
)

#: A Tuesday, 2030-01-01 00:00 UTC.
NEW_YEAR = 1_893_456_000.0
HOUR = 3600.0
DAY = 24 * HOUR


def named(huey: Huey) -> dict[str, Periodic]:
    return {one.name.rsplit(".", 1)[-1]: one for one in huey.periodic_tasks()}


@contextmanager
def another(huey: Huey) -> Iterator[Huey]:
    """The same queue as another process or release sees it."""
    instance = Huey(huey.name, url=huey.location)
    yield instance
    instance.close()


class Release:
    """A consumer's scheduler on a clock that the test moves."""

    def __init__(self, huey: Huey, name: str) -> None:
        self.huey = huey
        self.scheduler = Scheduler(huey, periodic=True, interval=DAY)
        declares = self.scheduler.declarations()
        self.worker = huey.storage.register(name=name, kind="thread", slots=1, declares=declares)
        self.scheduler.begin(self.worker)

    def step(self) -> None:
        self.scheduler.step()

    def leave(self) -> None:
        self.huey.storage.unregister(self.worker)


def planned(huey: Huey, task: str = "") -> list[float]:
    found = [row for row in jobs(huey) if row.task.endswith(task)]
    return [(row.scheduled_for or 0.0) - NEW_YEAR for row in found]


# --- schedule_periodic ----------------------------------------------------------------------------


@pytest.mark.feature("dynamic periodic tasks")
def test_a_schedule_that_another_process_stores_is_followed_at_once(huey: Huey, path: str) -> None:
    told: list[tuple[Any, ...]] = []

    @huey.task()
    def greet(name: str, greeting: str = "hello") -> None:
        told.append((greeting, name))

    script = f"""
        from hueycore import Huey
        web = Huey("app", url={path!r})
        web.schedule_periodic("greet ann", "0.1s", {greet.name!r}, ["ann"], {{"greeting": "hi"}})
        web.close()
    """
    with consuming(huey, scheduler_interval=60):
        run_python(script)
        wait_until(lambda: len(told) >= 3, 3)
        assert huey.unschedule_periodic("greet ann")
        wait_until(lambda: set(states(huey)) == {"done"})
        number = len(told)
        assert not huey.unschedule_periodic("greet ann")
        assert number == len(told)

    assert set(told) == {("hi", "ann")}


def test_a_stored_schedule_is_durable_and_catches_up_over_a_restart(
    huey: Huey, clock: Clock
) -> None:
    clock.freeze(NEW_YEAR + 1)
    task = huey.task(name="report")(lambda day: None)
    huey.schedule_periodic("daily", "@hourly", task, ("monday",), catch_up="all")
    first = Release(huey, "first")
    clock.freeze(NEW_YEAR + HOUR)
    first.step()
    first.leave()

    with another(huey) as fresh:
        fresh.task(name="report")(lambda day: None)
        clock.freeze(NEW_YEAR + 3 * HOUR + 5)
        Release(fresh, "second").step()
        assert planned(fresh) == [HOUR, 2 * HOUR, 3 * HOUR]
        assert [row.preview for row in jobs(fresh)] == ["'monday'"] * 3


def test_a_consumer_fires_a_schedule_of_a_task_that_it_does_not_know(
    huey: Huey, clock: Clock
) -> None:
    clock.freeze(NEW_YEAR + 1)
    huey.schedule_periodic("elsewhere", "@hourly", "web.tasks.reindex", ("x",), retries=4)
    with another(huey) as ignorant:
        release = Release(ignorant, "ignorant")
        clock.freeze(NEW_YEAR + HOUR)
        release.step()
        (row,) = jobs(huey)
        assert (row.task, row.retries, row.preview) == ("web.tasks.reindex", 4, "'x'")
        assert drain(ignorant) == 0
        # As any unknown task: put back, not lost and not counted.
        (row,) = jobs(huey)
        assert (row.state, row.attempt) == ("scheduled", 0)


def test_the_jobs_have_the_options_of_the_task_unless_the_schedule_says_otherwise(
    huey: Huey, clock: Clock
) -> None:
    clock.freeze(NEW_YEAR + 1)
    task = huey.task(
        retries=3, retry_delay=5, priority=7, at_most_once=True, expires=90, timeout=8
    )(lambda: None)
    huey.schedule_periodic("as it is", "@hourly", task)
    huey.schedule_periodic(
        "otherwise", "@hourly", task.name, priority=1, retries=0, retry_delay=timedelta(minutes=1),
        retry_backoff=2, expires=timedelta(seconds=5), timeout=2,
    )  # fmt: skip
    with another(huey) as ignorant:
        release = Release(ignorant, "ignorant")
        clock.freeze(NEW_YEAR + HOUR)
        release.step()

    usual, otherwise = jobs(huey)
    assert (usual.retries, usual.retry_delay, usual.priority) == (3, 5, 7)
    assert (usual.at_most_once, usual.timeout) == (True, 8)
    assert usual.expires_at == NEW_YEAR + HOUR + 90
    assert (otherwise.retries, otherwise.retry_delay, otherwise.retry_backoff) == (0, 60, 2)
    assert (otherwise.priority, otherwise.timeout, otherwise.at_most_once) == (1, 2, True)
    assert otherwise.expires_at == NEW_YEAR + HOUR + 5


def test_scheduling_again_replaces_the_call_and_keeps_the_times(huey: Huey, clock: Clock) -> None:
    clock.freeze(NEW_YEAR + 1)
    task = huey.task(name="say")(lambda what: None)
    huey.schedule_periodic("say", crontab("0"), task, ("a",))
    clock.freeze(NEW_YEAR + HOUR + 10)

    huey.schedule_periodic("say", "0 * * * *", task, ("b",))

    assert named(huey)["say"].next_run == NEW_YEAR + HOUR
    Release(huey, "consumer").step()
    assert [row.preview for row in jobs(huey)] == ["'b'"]
    huey.schedule_periodic("say", every("90s"), task, ("b",))
    assert named(huey)["say"].next_run == NEW_YEAR + HOUR + 90


def test_many_consumers_fire_a_stored_schedule_once_per_time(huey: Huey) -> None:
    runs: Counter[float] = Counter()

    def tick(task: Any = None) -> None:
        runs[task.scheduled_for] += 1

    with another(huey) as other:
        for instance in (huey, other):
            instance.task(context=True)(tick)
        huey.schedule_periodic("tick", "every 0.1s", f"{__name__}.tick")
        with consuming(huey), consuming(other):
            wait_until(lambda: len(runs) >= 8)

    assert set(runs.values()) == {1}


def test_the_planned_time_and_the_signal_are_told(huey: Huey, clock: Clock) -> None:
    clock.freeze(NEW_YEAR + 1)
    seen = Signals(huey)
    told = []

    @huey.task(context=True)
    def note(x: int, task: Any = None) -> None:
        told.append((x, task.scheduled_for))

    huey.schedule_periodic("note", "@hourly", note, (5,))
    release = Release(huey, "consumer")
    clock.freeze(NEW_YEAR + HOUR + 2)
    release.step()
    drain(huey)

    assert told == [(5, NEW_YEAR + HOUR)]
    assert seen.names()[0] == "enqueued"


def test_a_row_that_cannot_be_read_here_holds_up_no_other(
    huey: Huey, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    clock.freeze(NEW_YEAR + 1)
    for name in ("a bad line", "a bad zone", "fine"):
        huey.schedule_periodic(name, "@hourly", "t")
    rows = named(huey)
    huey.storage.schedule_periodic(rows["a bad line"]._replace(schedule="at noon"))
    huey.storage.schedule_periodic(rows["a bad zone"]._replace(tz="Mars"))
    release = Release(huey, "consumer")
    clock.freeze(NEW_YEAR + HOUR)
    for _ in range(3):
        release.step()

    assert len(jobs(huey)) == 1
    assert named(huey)["fine"].last_run == NEW_YEAR + HOUR
    assert caplog.text.count("cannot be read here") == 2


def test_what_cannot_be_stored_is_refused(huey: Huey) -> None:
    task = huey.task(name="t")(lambda: None)
    tick = huey.periodic_task("@daily", name="tick")(lambda: None)
    Release(huey, "consumer")

    with pytest.raises(ConfigurationError, match="cannot be stored; @huey"):
        huey.schedule_periodic("x", lambda now: True, task)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="is declared in code"):
        huey.schedule_periodic(tick.name, "@daily", task)
    for when in ("61 * * * *", "5", "@fortnightly", "0 0 31 2 *", ""):
        with pytest.raises(ValueError):
            huey.schedule_periodic("x", when, task)
    for options in ({"catch_up": "some"}, {"tz": "Mars/Olympus"}):
        with pytest.raises(ValueError):
            huey.schedule_periodic("x", "@daily", task, **options)
    for name in ("", "x" * 256):
        with pytest.raises(ValueError, match="name"):
            huey.schedule_periodic(name, "@daily", task)

    assert set(named(huey)) == {"tick"}


@pytest.fixture
def new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine in New York."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("new_york")
@pytest.mark.feature("utc")
@pytest.mark.parametrize(
    ("utc", "tz", "zone", "hour"),
    [
        (True, None, None, 9),
        (False, None, "America/New_York", 14),
        (True, "Europe/Paris", "Europe/Paris", 8),
        (False, "UTC", "UTC", 9),
    ],
)
def test_a_row_names_the_zone_that_its_schedule_is_read_in(
    path: str, clock: Clock, utc: bool, tz: str | None, zone: str | None, hour: int
) -> None:
    clock.freeze(NEW_YEAR + 1)
    web = Huey("app", url=path, utc=utc)
    for name, when in (("line", "0 9 * * *"), ("crontab", crontab("0", "9"))):
        web.schedule_periodic(name, when, "t", tz=tz)
    web.periodic_task(crontab("0", "9"), name="code", tz=tz)(lambda: None)
    web.schedule_periodic("period", "1d", "t", tz=tz)
    release = Release(web, "consumer")
    found = named(web)

    assert found.pop("period").tz is None
    assert {one.tz for one in found.values()} == {zone}
    assert {one.next_run for one in found.values()} == {NEW_YEAR + hour * HOUR}
    clock.freeze(NEW_YEAR + hour * HOUR)
    release.step()
    assert len(jobs(web)) == 3
    web.close()


# --- closures: declared in a job ------------------------------------------------------------------


@pytest.mark.feature("dynamic periodic tasks")
def test_a_closure_fires_from_its_consumer_alone_and_ends_with_it(huey: Huey) -> None:
    """The recipe of seed 003, with a consumer that starts later."""
    told: list[str] = []

    @huey.task()
    def schedule_message(message: str) -> None:
        huey.periodic_task(every("0.1s"), name=f"dynamic_{message}")(lambda: told.append(message))

    with consuming(huey), another(huey) as other:
        schedule_message("a")
        wait_until(lambda: "a" in told)
        later = Release(other, "later")
        assert named(other)["dynamic_a"].origin == "process"
        told.clear()
        for _ in range(3):
            later.step()
            wait_until(lambda: told)
            told.clear()

    assert named(huey) == {}


def test_a_closure_is_taken_back_by_its_name_or_its_wrapper(huey: Huey) -> None:
    told: list[int] = []
    wrappers = []

    @huey.task()
    def begin() -> None:
        wrappers.append(huey.periodic_task("0.1s", name="beat")(lambda: told.append(1)))

    with consuming(huey):
        begin()
        wait_until(lambda: len(told) >= 2)
        assert wrappers[0].unregister()
        wait_until(lambda: "beat" not in named(huey), 3)
        begin()  # the name is free again
        told.clear()
        wait_until(lambda: len(told) >= 2)


def test_two_consumers_that_declare_the_same_closure_fire_it_once_per_time(
    huey: Huey, clock: Clock
) -> None:
    clock.freeze(NEW_YEAR + 1)
    with another(huey) as other:
        one, two = Release(huey, "one"), Release(other, "two")
        for instance, release in ((huey, one), (other, two)):
            instance.periodic_task("@hourly", name="closure")(lambda: None)
            release.step()
        for hour in (1, 2):
            clock.freeze(NEW_YEAR + hour * HOUR)
            one.step()
            two.step()
        assert planned(huey) == [HOUR, 2 * HOUR]
        one.leave()
        clock.freeze(NEW_YEAR + 3 * HOUR)
        two.step()
        two.leave()

    assert planned(huey) == [HOUR, 2 * HOUR, 3 * HOUR]
    assert named(huey) == {}


def test_a_closure_does_not_outlive_its_killed_process(huey: Huey, path: str) -> None:
    script = f"""
        import os, time
        from hueycore import Huey
        huey = Huey("app", url={path!r})
        huey.periodic_task("@daily", name="of_code")(lambda: None)
        consumer = huey.create_consumer()
        consumer.start()
        huey.periodic_task("@daily", name="closure")(lambda: None)
        while len(huey.periodic_tasks()) < 2:
            time.sleep(0.01)
        os._exit(0)
    """
    run_python(script)
    assert set(named(huey)) == {"of_code", "closure"}

    with consuming(huey, periodic=False):
        assert set(named(huey)) == {"of_code"}


def test_a_worker_process_refuses_to_declare_and_names_what_works(huey: Huey) -> None:
    huey.registry.detach()
    plain = huey.task(name="plain")(lambda: None)

    with pytest.raises(ConfigurationError, match=r"huey\.schedule_periodic"):
        huey.periodic_task("@daily", name="closure")(lambda: None)

    huey.schedule_periodic("works", "@daily", plain)
    assert set(named(huey)) == {"works"}
    assert huey.registry.periodic() == []


# --- releases side by side ------------------------------------------------------------------------


@pytest.mark.feature("durable periodic tasks")
def test_a_rolling_deploy_loses_no_time_and_fires_none_twice(huey: Huey, clock: Clock) -> None:
    """Old and new consumers of several processes, with sets and schedules that differ."""
    clock.freeze(NEW_YEAR + 1)
    opened: list[Huey] = []

    def release(number: int, name: str) -> Release:
        instance = Huey(huey.name, url=huey.location)
        opened.append(instance)
        instance.periodic_task("@hourly", name="kept")(lambda: None)
        if number == 1:
            instance.periodic_task("@hourly", name="old_only")(lambda: None)
            instance.periodic_task("0 * * * *", name="moved")(lambda: None)
        else:
            instance.periodic_task("@hourly", name="new_only")(lambda: None)
            instance.periodic_task("30 * * * *", name="moved")(lambda: None)
        return Release(instance, name)

    old = [release(1, "old 1"), release(1, "old 2")]
    new: list[Release] = []

    def live_to(until: float) -> None:
        while clock.now() < NEW_YEAR + until:
            clock.jump(60)
            for one in (*old, *new, *reversed(old)):
                one.step()

    live_to(1.25 * HOUR)
    new.append(release(2, "new 1"))
    # A closure of an old one must turn nothing back.
    old[0].huey.periodic_task("@hourly", name="closure")(lambda: None)
    live_to(2.25 * HOUR)
    old.pop(0).leave()
    new.append(release(2, "new 2"))
    live_to(3.25 * HOUR)
    old.pop().leave()
    live_to(4.25 * HOUR)

    hours = [HOUR, 2 * HOUR, 3 * HOUR, 4 * HOUR]
    assert planned(huey, ".kept") == hours
    assert planned(huey, ".old_only") == hours[:3]
    assert planned(huey, ".new_only") == hours[1:]
    assert planned(huey, ".closure") == [2 * HOUR]
    assert planned(huey, ".moved") == [HOUR, 1.5 * HOUR, 2.5 * HOUR, 3.5 * HOUR]
    for instance in opened:
        instance.close()


def test_what_is_flushed_under_a_consumer_comes_back(huey: Huey, clock: Clock) -> None:
    clock.freeze(NEW_YEAR + 1)
    huey.periodic_task("@hourly", name="tick")(lambda: None)
    release = Release(huey, "consumer")
    huey.flush()
    release.step()
    clock.freeze(NEW_YEAR + HOUR)
    release.step()

    assert planned(huey) == [HOUR]


def test_a_stored_schedule_is_not_overwritten_by_code_of_its_name(
    huey: Huey, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    clock.freeze(NEW_YEAR + 1)
    task = huey.periodic_task("@daily", name="tick")(lambda x=0: None)
    huey.schedule_periodic(task.name, "@hourly", task, (1,))
    release = Release(huey, "consumer")
    clock.freeze(NEW_YEAR + HOUR)
    release.step()

    assert [row.preview for row in jobs(huey)] == ["1"]
    assert "a stored schedule has its name" in caplog.text
    assert huey.unschedule_periodic(task.name)
    release.step()
    assert named(huey)["tick"].schedule == "0 0 * * *"


def test_a_paused_schedule_waits_and_then_makes_up_as_it_says(huey: Huey, clock: Clock) -> None:
    clock.freeze(NEW_YEAR + 1)
    huey.schedule_periodic("latest", "@hourly", "t.latest")
    huey.schedule_periodic("none", "@hourly", "t.none", catch_up="skip")
    release = Release(huey, "consumer")
    huey.storage.pause_periodic(["latest", "none"])
    clock.freeze(NEW_YEAR + 3 * HOUR + 60)
    release.step()
    assert jobs(huey) == []

    huey.storage.resume_periodic(["latest", "none"])
    release.step()

    assert [(row.task, row.scheduled_for) for row in jobs(huey)] == [
        ("t.latest", NEW_YEAR + 3 * HOUR)
    ]
    assert {one.next_run for one in huey.periodic_tasks()} == {NEW_YEAR + 4 * HOUR}
