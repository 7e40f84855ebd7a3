"""What time brings: scheduled jobs, periodic tasks, clocks that jump."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from hueycore import Huey, State, crontab, every
from hueycore.consumer.janitor import Janitor
from hueycore.consumer.scheduler import Scheduler
from hueycore.model.schedules import Fire, Periodic
from tests.helpers import (
    Clock,
    Gate,
    Signals,
    consuming,
    drain,
    job,
    jobs,
    states,
    wait_until,
)

#: A Tuesday, 2030-01-01 00:00 UTC.
NEW_YEAR = 1_893_456_000.0
HOUR = 3600.0
DAY = 24 * HOUR


def planned(huey: Huey) -> list[float]:
    """The fire times for which there are jobs, oldest first."""
    return [row.scheduled_for or 0.0 for row in jobs(huey)]


def schedules(huey: Huey) -> dict[str, Periodic]:
    return {one.name.rsplit(".", 1)[-1]: one for one in huey.storage.periodic()}


class Time:
    """A scheduler on a clock that the test moves."""

    def __init__(self, huey: Huey, clock: Clock, start: float) -> None:
        self.huey, self.clock = huey, clock
        clock.freeze(start)
        self.scheduler = Scheduler(huey, periodic=True, interval=DAY)
        self.scheduler.declare()
        self.scheduler.step()

    def pass_to(self, when: float) -> None:
        """Live through every due moment up to ``when``."""
        for _ in range(100_000):
            pause = self.scheduler.step()
            if self.clock.now() + max(pause, 0.001) > when:
                break
            self.clock.jump(max(pause, 0.001))
        self.clock.freeze(when)
        self.scheduler.step()

    def sleep_to(self, when: float) -> None:
        """No scheduler looks until ``when``."""
        self.clock.freeze(when)
        self.scheduler.step()


# --- scheduled jobs -------------------------------------------------------------------------------


@pytest.mark.feature("one-off")
def test_a_scheduled_job_starts_within_milliseconds_of_its_time(huey: Huey) -> None:
    late: list[float] = []

    @huey.task()
    def note(due: float) -> None:
        late.append(time.time() - due)

    with consuming(huey, workers=2):
        for n in range(20):
            due = time.time() + 0.05 + n * 0.03
            note.schedule((due,), eta=datetime.fromtimestamp(due, UTC))
        wait_until(lambda: len(late) == 20)

    assert min(late) >= 0
    assert sorted(late)[5] < 0.03, late


def test_a_retry_with_a_delay_starts_in_time(huey: Huey) -> None:
    runs: list[float] = []

    @huey.task(retries=3, retry_delay=0.05)
    def fail() -> None:
        runs.append(time.time())
        raise ValueError

    with consuming(huey):
        handle = fail()
        wait_until(handle.is_complete)

    waits = [after - before for before, after in pairwise(runs)]
    assert len(waits) == 3
    assert all(wait >= 0.05 for wait in waits), waits
    assert min(waits) < 0.1, waits


def test_a_scheduled_job_of_another_process_is_not_found_a_second_late(huey: Huey) -> None:
    late: list[float] = []

    @huey.task()
    def note(due: float) -> None:
        late.append(time.time() - due)

    other = Huey("app", url=huey.location)
    signature = other.task(name="note")(lambda due: None)
    signature.name = note.name
    with consuming(huey):
        # Where others want the processors as well, the first ones may be late.
        while not late or (min(late) >= 0.03 and len(late) < 20):
            due, n = time.time() + 0.05, len(late)
            signature.schedule((due,), eta=datetime.fromtimestamp(due, UTC))
            wait_until(lambda n=n: len(late) > n)  # type: ignore[misc]
    other.close()

    assert min(late) < 0.03, late


def test_a_scheduled_job_starts_in_time_while_the_workers_are_busy_with_others(
    huey: Huey,
) -> None:
    late: list[float] = []

    @huey.task()
    def busy() -> None:
        time.sleep(0.01)

    @huey.task(priority=10)
    def urgent(due: float) -> None:
        late.append(time.time() - due)

    huey.enqueue_many(busy.s() for _ in range(400))
    with consuming(huey, workers=2):
        for n in range(1, 6):
            wait_until(lambda: states(huey).get("running") == 2)
            urgent.schedule((time.time() + 0.05,), delay=0.05)
            wait_until(lambda n=n: len(late) == n)  # type: ignore[misc]
        huey.flush()

    assert sorted(late)[1] < 0.1, late


def test_many_jobs_that_are_due_at_once_all_run(huey: Huey) -> None:
    @huey.task()
    def work(n: int) -> None: ...

    due = time.time() + 0.3
    eta = datetime.fromtimestamp(due, UTC)
    huey.enqueue_many(work.s(n, eta=eta) for n in range(1700))
    with consuming(huey, workers=2):
        wait_until(lambda: states(huey) == {"done": 1700}, 20)

    assert min(row.started_at or 0 for row in jobs(huey)) >= due


def test_signals_of_a_scheduled_job_are_hueys(huey: Huey) -> None:
    seen = Signals(huey)

    @huey.task()
    def work() -> None: ...

    with consuming(huey):
        # Long enough not to be over before it is written.
        handle = work.schedule(delay=0.3)
        wait_until(lambda: seen.of("complete"))

    # The second one comes from the thread that made it ready: by then it may run already.
    names = seen.names(handle.id)
    assert names[:2] == ["enqueued", "scheduled"]
    assert sorted(names[2:]) == ["complete", "enqueued", "executing"]
    assert seen.of("complete")[0][1] == "done"


def test_scheduled_jobs_follow_a_clock_that_jumps_and_none_is_lost(
    huey: Huey, clock: Clock
) -> None:
    @huey.task()
    def work(n: int) -> int:
        return n

    soon, tomorrow = work.schedule((1,), delay=0.05), work.schedule((2,), delay=DAY)
    with consuming(huey):
        assert soon.get(blocking=True, timeout=10) == 1
        assert tomorrow.state is State.SCHEDULED
        clock.jump(DAY)
        assert tomorrow.get(blocking=True, timeout=10) == 2
        clock.jump(-DAY)
        back = work.schedule((3,), delay=0.05)
        assert back.get(blocking=True, timeout=10) == 3

    assert [row.attempt for row in jobs(huey)] == [1, 1, 1]


def test_a_clock_that_jumps_takes_no_running_job_from_its_worker(huey: Huey, clock: Clock) -> None:
    gate = Gate()

    @huey.task()
    def work() -> str:
        gate.pass_through()
        return "once"

    handle = work()
    with consuming(huey, workers=2):
        gate.wait_entered()
        for jump in (DAY, -2 * DAY, DAY):
            clock.jump(jump)
            Janitor(huey).step()
        gate.open.set()
        assert handle.get(blocking=True, timeout=10) == "once"

    row = job(huey, handle)
    assert (gate.entered, row.attempt, row.crashes) == (1, 1, 0)


def test_a_job_that_waits_past_its_expiry_is_expired_by_the_janitor(
    huey: Huey, clock: Clock
) -> None:
    clock.freeze(NEW_YEAR)

    @huey.task(expires=60)
    def work() -> None: ...

    seen = Signals(huey)
    moment = datetime.fromtimestamp(NEW_YEAR + 60, UTC)
    pending, scheduled = work(), work.schedule(delay=HOUR, expires=moment)
    clock.jump(61)
    Janitor(huey).step()

    assert (pending.state, scheduled.state) == (State.EXPIRED, State.EXPIRED)
    assert [state for _, state, _ in seen.of("expired")] == ["expired", "expired"]


# --- periodic tasks: one job per fire time --------------------------------------------------------


@pytest.mark.feature("periodic_task")
def test_a_periodic_task_fires_at_each_planned_time(huey: Huey, clock: Clock) -> None:
    @huey.periodic_task(crontab("*/15"))
    def tick() -> None: ...

    now = Time(huey, clock, NEW_YEAR + 60)
    now.pass_to(NEW_YEAR + HOUR + 60)

    assert planned(huey) == [NEW_YEAR + minutes * 60 for minutes in (15, 30, 45, 60)]
    row = schedules(huey)["tick"]
    assert (row.next_run, row.last_run) == (NEW_YEAR + HOUR + 15 * 60, NEW_YEAR + HOUR)
    assert row.last_id == jobs(huey)[-1].id


def test_the_planned_time_is_told_to_the_task(huey: Huey, clock: Clock) -> None:
    told = []

    @huey.periodic_task("@hourly", context=True, priority=5, retries=2)
    def tick(task: Any = None) -> None:
        told.append(task.scheduled_for)

    now = Time(huey, clock, NEW_YEAR + 1)
    now.sleep_to(NEW_YEAR + HOUR + 30)
    (row,) = jobs(huey)
    drain(huey)

    assert told == [NEW_YEAR + HOUR]
    assert (row.priority, row.retries, row.preview) == (5, 2, "")


def test_the_result_of_a_periodic_task_is_not_stored(huey: Huey, clock: Clock) -> None:
    @huey.periodic_task(crontab("*"))
    def tick() -> str:
        return "nobody asks"

    Time(huey, clock, NEW_YEAR).sleep_to(NEW_YEAR + 60)
    drain(huey)

    assert (states(huey), huey.result_count()) == ({"done": 1}, 0)


def test_two_consumers_fire_once_per_time(huey: Huey) -> None:
    runs: Counter[float] = Counter()

    def tick(task: Any = None) -> None:
        runs[task.scheduled_for] += 1

    other = Huey("app", url=huey.location)
    for instance in (huey, other):
        instance.periodic_task(every("0.1s"), context=True)(tick)
    with consuming(huey), consuming(other):
        wait_until(lambda: len(runs) >= 8)
    other.close()

    assert set(runs.values()) == {1}
    times = sorted(runs)
    # A machine that is busy may miss one, and none is ever between two.
    assert all(abs(when * 10 - round(when * 10)) < 1e-5 for when in times), times


def test_a_fire_that_another_scheduler_won_is_no_second_job(
    huey: Huey, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = Signals(huey)

    @huey.periodic_task(crontab("*"))
    def tick() -> None: ...

    now = Time(huey, clock, NEW_YEAR)
    stale = huey.storage.periodic()
    monkeypatch.setattr(huey.storage, "periodic", lambda: stale)
    now.sleep_to(NEW_YEAR + 60)
    now.sleep_to(NEW_YEAR + 61)

    assert planned(huey) == [NEW_YEAR + 60]
    assert seen.names() == ["enqueued"]


def test_sub_second_schedules_work(huey: Huey) -> None:
    runs: list[float] = []

    @huey.periodic_task(every("0.2s"))
    def beat() -> None:
        runs.append(time.time())

    with consuming(huey):
        wait_until(lambda: len(runs) >= 5)

    assert 0.6 < runs[4] - runs[0] < 2, runs


def test_without_periodic_nothing_fires_or_is_declared(huey: Huey) -> None:
    @huey.periodic_task(every("0.1s"))
    def beat() -> None: ...

    @huey.task()
    def work() -> None: ...

    with consuming(huey, periodic=False):
        handle = work.schedule(delay=0.3)
        wait_until(handle.is_complete)

    assert schedules(huey) == {}
    assert len(jobs(huey)) == 1


def test_a_periodic_task_can_be_called_like_any_other(huey: Huey) -> None:
    @huey.periodic_task(crontab("0", "3"))
    def nightly() -> str:
        return "done by hand"

    with consuming(huey):
        assert nightly().get(blocking=True, timeout=10) == "done by hand"


# --- what was missed ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("catch_up", "asleep", "made_up"),
    [
        ("latest", 5 * HOUR + 60, [5 * HOUR]),
        ("latest", 5 * HOUR + 59 * 60, [5 * HOUR]),
        ("skip", 5 * HOUR + 60, []),
        ("skip", 5 * HOUR + 5, [5 * HOUR]),
        ("all", 5 * HOUR + 60, [n * HOUR for n in range(1, 6)]),
    ],
)
@pytest.mark.feature("durable periodic tasks")
def test_missed_runs_are_made_up_for_as_declared(
    huey: Huey, clock: Clock, catch_up: str, asleep: float, made_up: list[float]
) -> None:
    @huey.periodic_task("@hourly", catch_up=catch_up)
    def tick() -> None: ...

    Time(huey, clock, NEW_YEAR + 1).sleep_to(NEW_YEAR + asleep)

    assert planned(huey) == [NEW_YEAR + when for when in made_up]
    assert schedules(huey)["tick"].next_run == NEW_YEAR + 6 * HOUR


def test_a_missed_run_that_is_too_old_is_not_made_up_for(huey: Huey, clock: Clock) -> None:
    @huey.periodic_task("@daily", grace=timedelta(minutes=10))
    def strict() -> None: ...

    @huey.periodic_task("@daily", grace=HOUR * 20)
    def patient() -> None: ...

    Time(huey, clock, NEW_YEAR + 1).sleep_to(NEW_YEAR + DAY + 12 * HOUR)

    assert [row.task.rsplit(".")[-1] for row in jobs(huey)] == ["patient"]
    assert {one.next_run for one in huey.storage.periodic()} == {NEW_YEAR + 2 * DAY}


def test_catching_up_on_everything_has_a_limit(huey: Huey, clock: Clock) -> None:
    @huey.periodic_task(crontab("*"), catch_up="all")
    def tick() -> None: ...

    Time(huey, clock, NEW_YEAR).sleep_to(NEW_YEAR + DAY)

    assert planned(huey) == [NEW_YEAR + DAY - minute * 60 for minute in reversed(range(1000))]


@pytest.mark.parametrize(("catch_up", "made_up"), [("latest", 1), ("all", 1000)])
def test_a_year_of_missed_runs_is_not_counted_one_by_one(
    huey: Huey, clock: Clock, monkeypatch: pytest.MonkeyPatch, catch_up: str, made_up: int
) -> None:
    huey.periodic_task("1s", name="tick", catch_up=catch_up, grace=400 * DAY)(lambda: None)
    now = Time(huey, clock, NEW_YEAR)
    asked: list[float] = []
    real = now.scheduler._next
    monkeypatch.setattr(now.scheduler, "_next", lambda s, at: asked.append(at) or real(s, at))

    now.sleep_to(NEW_YEAR + 365 * DAY)

    end = NEW_YEAR + 365 * DAY
    assert planned(huey) == [end - n for n in reversed(range(made_up))]
    assert len(asked) < 15_000


def test_what_was_missed_between_two_consumers_is_known(huey: Huey, clock: Clock) -> None:
    @huey.periodic_task("@hourly", catch_up="all")
    def tick() -> None: ...

    Time(huey, clock, NEW_YEAR + 1)
    Time(huey, clock, NEW_YEAR + 2 * HOUR + 60)

    assert planned(huey) == [NEW_YEAR + HOUR, NEW_YEAR + 2 * HOUR]


def test_a_clock_that_jumps_a_day_fires_no_time_twice(huey: Huey, clock: Clock) -> None:
    @huey.periodic_task("@hourly")
    def tick() -> None: ...

    now = Time(huey, clock, NEW_YEAR + 1)
    now.pass_to(NEW_YEAR + 2 * HOUR)
    now.sleep_to(NEW_YEAR + DAY + 2 * HOUR)
    now.sleep_to(NEW_YEAR + 2 * HOUR + 5)
    now.pass_to(NEW_YEAR + 4 * HOUR)
    now.pass_to(NEW_YEAR + DAY + 4 * HOUR)

    times = planned(huey)
    assert len(times) == len(set(times))
    assert times[:3] == [NEW_YEAR + hours * HOUR for hours in (1, 2, 26)]
    assert times[-1] == NEW_YEAR + DAY + 4 * HOUR


@pytest.mark.feature("periodic_task")
@pytest.mark.parametrize("back", [600.0, DAY])
@pytest.mark.parametrize("again", [False, True], ids=["running", "started again"])
def test_a_period_goes_on_when_the_clock_is_set_back_and_a_cron_line_waits_for_its_time(
    huey: Huey, clock: Clock, back: float, again: bool
) -> None:
    @huey.periodic_task(every(60))
    def tick() -> None: ...

    @huey.periodic_task("* * * * *")
    def line() -> None: ...

    now = Time(huey, clock, NEW_YEAR + 1)
    now.pass_to(NEW_YEAR + 150)
    if again:
        now = Time(huey, clock, NEW_YEAR + 150 - back)
    else:
        now.sleep_to(NEW_YEAR + 150 - back)
    now.pass_to(NEW_YEAR + 150 - back + 299)

    ticks = [row.scheduled_for for row in jobs(huey) if row.task.endswith("tick")]
    lines = [row.scheduled_for for row in jobs(huey) if row.task.endswith("line")]
    # The first one comes between half a period and one and a half after the clock was set back.
    assert ticks == [NEW_YEAR + at for at in (60, 120, *(240 - back + 60 * n for n in range(4)))]
    assert lines == [NEW_YEAR + 60, NEW_YEAR + 120]


def test_a_clock_that_is_set_back_by_little_runs_no_period_twice(huey: Huey, clock: Clock) -> None:
    @huey.periodic_task(every(HOUR))
    def tick() -> None: ...

    now = Time(huey, clock, NEW_YEAR + 1)
    now.pass_to(NEW_YEAR + HOUR + 1)
    now.sleep_to(NEW_YEAR + HOUR - 5)
    now.pass_to(NEW_YEAR + 3 * HOUR)

    assert planned(huey) == [NEW_YEAR + hours * HOUR for hours in (1, 2, 3)]


# --- declarations ---------------------------------------------------------------------------------


def test_a_changed_declaration_moves_the_next_run_and_an_unchanged_one_does_not(
    path: str, clock: Clock
) -> None:
    def declared(schedule: str, at: float, **options: Any) -> Periodic:
        huey = Huey("app", url=path)
        huey.periodic_task(schedule, name="tick", **options)(lambda: None)
        clock.freeze(at)
        Scheduler(huey, periodic=True, interval=1).declare()
        found = schedules(huey)["tick"]
        huey.close()
        return found

    assert declared("0 * * * *", NEW_YEAR + 1).next_run == NEW_YEAR + HOUR
    assert declared("0 * * * *", NEW_YEAR + 5 * HOUR).next_run == NEW_YEAR + HOUR
    assert declared("0 * * * *", NEW_YEAR + 5 * HOUR, catch_up="all").catch_up == "all"
    assert declared("30 * * * *", NEW_YEAR + 5 * HOUR).next_run == NEW_YEAR + 5.5 * HOUR
    moved = declared("30 * * * *", NEW_YEAR + 6 * HOUR, tz="Asia/Kolkata")
    assert (moved.tz, moved.next_run) == ("Asia/Kolkata", NEW_YEAR + 7 * HOUR)


def test_a_task_that_is_declared_no_more_is_forgotten(path: str, clock: Clock) -> None:
    first = Huey("app", url=path)
    first.periodic_task("@hourly", name="gone")(lambda: None)
    first.periodic_task("@hourly", name="kept")(lambda: None)
    Time(first, clock, NEW_YEAR + 1)
    first.close()
    second = Huey("app", url=path)
    second.periodic_task("@hourly", name="kept")(lambda: None)
    other_queue = Huey("other", url=path)
    other_queue.periodic_task("@hourly", name="theirs")(lambda: None)
    Time(other_queue, clock, NEW_YEAR + 1)

    Time(second, clock, NEW_YEAR + HOUR + 1)

    assert set(schedules(second)) == {"kept"}
    assert set(schedules(other_queue)) == {"theirs"}
    assert len(jobs(second)) == 1
    second.close()
    other_queue.close()


def test_a_task_declared_while_the_consumer_runs_fires_too(huey: Huey) -> None:
    """The closure recipe of seed 003."""
    told: list[str] = []

    def dynamic_ptask(message: str) -> None:
        told.append(message)

    @huey.task()
    def schedule_message(message: str) -> None:
        def wrapper() -> None:
            dynamic_ptask(message)

        huey.periodic_task(every("0.1s"), name=f"dynamic_ptask_{message}")(wrapper)

    with consuming(huey):
        schedule_message("a")
        wait_until(lambda: "a" in told)
        schedule_message("b")
        wait_until(lambda: {"a", "b"} <= set(told))

    fresh = Huey("app", url=huey.location)
    with consuming(fresh):
        pass
    assert schedules(fresh) == {}
    fresh.close()


def test_a_task_taken_away_while_the_consumer_runs_fires_no_more(huey: Huey, clock: Clock) -> None:
    @huey.periodic_task("@hourly")
    def tick() -> None: ...

    now = Time(huey, clock, NEW_YEAR + 1)
    now.pass_to(NEW_YEAR + HOUR)
    tick.unregister()
    now.pass_to(NEW_YEAR + 3 * HOUR)

    assert planned(huey) == [NEW_YEAR + HOUR]


def test_a_schedule_that_means_nothing_is_refused_when_it_is_declared(huey: Huey) -> None:
    for bad in ("61 * * * *", "@fortnightly", 5, None):
        with pytest.raises((ValueError, TypeError)):
            huey.periodic_task(bad)(lambda: None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="Mars"):
        huey.periodic_task("@daily", tz="Mars/Olympus")(lambda: None)
    with pytest.raises(ValueError, match="catch_up"):
        huey.periodic_task("@daily", catch_up="some")(lambda: None)

    assert len(huey.registry) == 0


# --- functions as schedules -----------------------------------------------------------------------


@pytest.mark.feature("callable schedules")
def test_a_function_is_asked_each_minute_in_the_queues_time(huey: Huey, clock: Clock) -> None:
    asked: list[datetime] = []

    def schedule(now: datetime) -> bool:
        asked.append(now)
        return now.minute % 2 == 1

    @huey.periodic_task(schedule)
    def tick() -> None: ...

    Time(huey, clock, NEW_YEAR + 30).pass_to(NEW_YEAR + 300)

    assert planned(huey) == [NEW_YEAR + 60, NEW_YEAR + 180, NEW_YEAR + 300]
    assert asked == [datetime(2030, 1, 1, 0, minute) for minute in range(1, 6)]


def test_a_function_that_raises_holds_up_no_other_schedule(
    huey: Huey, caplog: pytest.LogCaptureFixture
) -> None:
    ran = []

    def broken(now: datetime) -> bool:
        raise RuntimeError("broken schedule")

    huey.periodic_task(broken, name="a_broken")(lambda: None)
    huey.periodic_task(every("0.1s"), name="z_fine")(lambda: ran.append(1))
    with consuming(huey):
        move_due(huey, "a_broken", time.time() - 60)
        wait_until(lambda: "broken schedule" in caplog.text)
        ran.clear()
        wait_until(lambda: len(ran) >= 3)


def move_due(huey: Huey, name: str, when: float) -> None:
    (row,) = (row for row in huey.storage.periodic() if row.name.endswith(name))
    assert huey.storage.fire([Fire(row.name, row.next_run, when, [])]) == [row.name]


# --- time zones -----------------------------------------------------------------------------------


@pytest.fixture
def new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[ZoneInfo]:
    """A machine in New York."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield ZoneInfo("America/New_York")
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(("utc", "hour"), [(True, 9), (False, 14)])
def test_a_schedule_without_a_zone_is_utc_or_local(
    path: str, clock: Clock, new_york: ZoneInfo, utc: bool, hour: int
) -> None:
    huey = Huey("app", url=path, utc=utc)
    huey.periodic_task(crontab("0", "9"), name="cron")(lambda: None)
    huey.periodic_task("0 9 * * *", name="line")(lambda: None)
    huey.periodic_task(lambda dt: (dt.hour, dt.minute) == (9, 0), name="function")(lambda: None)

    Time(huey, clock, NEW_YEAR + 1).pass_to(NEW_YEAR + DAY)

    assert set(planned(huey)) == {NEW_YEAR + hour * HOUR}
    assert len(jobs(huey)) == 3
    huey.close()


def test_a_schedule_keeps_to_its_own_zone(huey: Huey, clock: Clock) -> None:
    huey.periodic_task(crontab("0", "9", tz="Europe/Paris"), name="a")(lambda: None)
    huey.periodic_task("0 9 * * *", tz="Europe/Paris", name="b")(lambda: None)
    huey.periodic_task(lambda dt: (dt.hour, dt.minute) == (9, 0), tz="Europe/Paris", name="c")(
        lambda: None
    )

    Time(huey, clock, NEW_YEAR + 1).pass_to(NEW_YEAR + DAY)

    assert set(planned(huey)) == {NEW_YEAR + 8 * HOUR}
    assert len(jobs(huey)) == 3


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        # 2030-03-31 02:00 CET becomes 03:00 CEST: 02:30 does not exist and runs at 03:00.
        ("30 2 * * *", ["2030-03-30T02:30+01:00", "2030-03-31T03:00+02:00"]),
        ("0 * * * *", None),
    ],
)
def test_in_the_night_that_loses_an_hour_nothing_is_lost(
    huey: Huey, clock: Clock, line: str, expected: list[str] | None
) -> None:
    huey.periodic_task(line, tz="Europe/Paris", name="tick")(lambda: None)
    start = datetime(2030, 3, 30, 0, 30, tzinfo=ZoneInfo("Europe/Paris")).timestamp()
    end = datetime(2030, 3, 31, 23, 30, tzinfo=ZoneInfo("Europe/Paris")).timestamp()

    Time(huey, clock, start).pass_to(end)

    if expected is None:
        assert len(planned(huey)) == 46
        assert all(b - a == HOUR for a, b in pairwise(planned(huey)))
    else:
        assert planned(huey) == [datetime.fromisoformat(text).timestamp() for text in expected]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        # 2030-10-27 03:00 CEST becomes 02:00 CET: 02:30 comes twice and runs the first time.
        ("30 2 * * *", ["2030-10-26T02:30+02:00", "2030-10-27T02:30+02:00"]),
        ("0 * * * *", None),
    ],
)
def test_in_the_night_that_gains_an_hour_nothing_runs_twice(
    huey: Huey, clock: Clock, line: str, expected: list[str] | None
) -> None:
    huey.periodic_task(line, tz="Europe/Paris", name="tick")(lambda: None)
    start = datetime(2030, 10, 26, 0, 30, tzinfo=ZoneInfo("Europe/Paris")).timestamp()
    end = datetime(2030, 10, 27, 23, 30, tzinfo=ZoneInfo("Europe/Paris")).timestamp()

    Time(huey, clock, start).pass_to(end)

    if expected is None:
        assert len(planned(huey)) == 48
        assert all(b - a == HOUR for a, b in pairwise(planned(huey)))
    else:
        assert planned(huey) == [datetime.fromisoformat(text).timestamp() for text in expected]
