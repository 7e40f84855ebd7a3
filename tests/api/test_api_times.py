"""Moments as callers give them, in a process whose machine has a zone with clock changes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from hueycore import Huey
from tests.helpers import Clock, job, run_python

ZONES = ["America/New_York", "Europe/Paris", "Australia/Lord_Howe", "UTC"]
NOON = datetime(2038, 7, 1, 12, 0, 0, 250_000)

#: What a machine in New York reads: the moment as text, its fold, and the instant that is meant.
NIGHTS = [
    ("2038-03-14T01:59:59", 0, "2038-03-14T06:59:59+00:00"),
    ("2038-03-14T03:00:00", 0, "2038-03-14T07:00:00+00:00"),
    # Not shown by any clock: what it would be without the change, as Python says.
    ("2038-03-14T02:30:00", 0, "2038-03-14T07:30:00+00:00"),
    ("2038-11-07T00:59:00", 0, "2038-11-07T04:59:00+00:00"),
    # Shown twice.
    ("2038-11-07T01:30:00", 0, "2038-11-07T05:30:00+00:00"),
    ("2038-11-07T01:30:00", 1, "2038-11-07T06:30:00+00:00"),
    ("2038-11-07T02:00:00", 0, "2038-11-07T07:00:00+00:00"),
    ("2038-11-07T01:30:00-04:00", 0, "2038-11-07T05:30:00+00:00"),
    ("2038-11-07T01:30:00+00:00", 0, "2038-11-07T01:30:00+00:00"),
]

SCRIPT = """
    import json, os, sys, time
    from datetime import datetime
    os.environ["TZ"] = sys.argv[1]
    time.tzset()
    from hueycore import Huey
    from hueycore.model.jobs import Selector

    def instants(utc, when):
        huey = Huey(f"utc-{utc}", url=sys.argv[2], utc=utc, allow_paths=["__main__.*"])
        task = huey.task(name="t")(lambda: None)
        ids = {
            "schedule(eta=)": task.schedule(eta=when).id,
            "schedule(when)": task.schedule(when).id,
            "s(eta=)": huey.enqueue(task.s(eta=when)).id,
            "enqueue_at": huey.enqueue_at(when, task.s()).id,
            "reschedule(eta=)": task.schedule(delay=9).reschedule(eta=when).id,
        }
        rows = {row.id: row for row in huey.storage.jobs(Selector(queues=(huey.name,)))}
        found = {name: rows[id].run_at for name, id in ids.items()}
        expiring = task.schedule(delay=9, expires=when)
        found["expires"] = huey.storage.job(expiring.id).expires_at
        expiring.reschedule(delay=9, expires=when)
        found["reschedule(expires=)"] = huey.storage.job(expiring.id).expires_at
        task.revoke(revoke_until=when)
        found["revoke_until"] = huey.storage.revocation("revoked-task", task.name).until
        huey.revoke_by_id("nobody", revoke_until=when)
        found["revoke_by_id"] = huey.storage.revocation("revoked-id", "nobody").until
        eta = task.s(eta=when).eta
        found["eta read back"] = [eta.isoformat(), eta.tzinfo is None]
        huey.flush()
        huey.close()
        return found

    moments = json.loads(sys.argv[3])
    asked = [datetime.fromisoformat(text).replace(fold=fold) for text, fold in moments]
    print(json.dumps([[instants(utc, when) for utc in (True, False)] for when in asked]))
"""


def in_zone(zone: str, path: Path, moments: list[tuple[str, int]]) -> Any:
    """What each way of giving a moment makes of it on a machine in a zone."""
    return json.loads(run_python(SCRIPT, zone, str(path), json.dumps(moments)))


def check(found: dict[str, Any], instant: datetime, utc: bool, zone: str) -> None:
    eta, is_naive = found.pop("eta read back")
    assert {name: at - instant.timestamp() for name, at in found.items()} == dict.fromkeys(found, 0)
    shown = instant.astimezone(UTC if utc else ZoneInfo(zone)).replace(tzinfo=None)
    assert (eta, is_naive) == (shown.isoformat(), True)


@pytest.mark.feature("datetimes")
@pytest.mark.feature("utc")
def test_a_naive_moment_is_local_and_an_aware_one_itself_whatever_utc_says(tmp_path: Path) -> None:
    """As in Huey, whose ``utc`` says how an eta is kept, and not how it is read."""
    tokyo = NOON.replace(tzinfo=ZoneInfo("Asia/Tokyo"))
    moments = [(NOON.isoformat(), 0), (tokyo.isoformat(), 0)]
    for zone in ZONES:
        naive, aware = in_zone(zone, tmp_path / "queue.db", moments)
        for utc, found in zip((True, False), naive, strict=True):
            check(found, NOON.replace(tzinfo=ZoneInfo(zone)), utc, zone)
        for utc, found in zip((True, False), aware, strict=True):
            check(found, tokyo, utc, zone)


@pytest.mark.feature("utc")
def test_on_the_nights_on_which_the_clock_changes_each_moment_is_the_one_that_is_meant(
    tmp_path: Path,
) -> None:
    zone = "America/New_York"
    answers = in_zone(zone, tmp_path / "queue.db", [(text, fold) for text, fold, _ in NIGHTS])
    for (_, _, instant), both in zip(NIGHTS, answers, strict=True):
        for utc, found in zip((True, False), both, strict=True):
            check(found, datetime.fromisoformat(instant), utc, zone)


@pytest.mark.parametrize("utc", [True, False])
@pytest.mark.parametrize("delay", [90, 90.0, 0.25, timedelta(seconds=90), timedelta(days=1)])
def test_a_delay_is_a_number_of_seconds_or_a_timedelta(
    path: str, clock: Clock, utc: bool, delay: float | timedelta
) -> None:
    now = clock.freeze()
    length = delay.total_seconds() if isinstance(delay, timedelta) else delay
    huey = Huey("app", url=path, utc=utc)
    task = huey.task(name="t")(lambda: None)

    ways = [
        task.schedule(delay=delay),
        task.schedule(delay),
        huey.enqueue(task.s(delay=delay)),
        task.schedule(delay=1).reschedule(delay=delay),
    ]

    assert [job(huey, way).run_at - now for way in ways] == [pytest.approx(length, abs=1e-6)] * 4
    expiring = task.schedule(delay=1, expires=delay)
    assert job(huey, expiring).expires_at == pytest.approx(now + 1 + length, abs=1e-6)
    huey.close()


# --- enqueue_at -----------------------------------------------------------------------------------


@pytest.mark.feature("calling")
def test_a_signature_is_enqueued_for_a_moment(huey: Huey) -> None:
    """The line of seed 000."""
    run_at = datetime(2038, 4, 20, 14, 30)

    @huey.task()
    def train_ai_model(epochs: int = 3) -> None: ...

    handle = huey.enqueue_at(run_at, train_ai_model.s(5))

    assert handle is not None
    row = job(huey, handle)
    assert (row.state, row.run_at, row.preview) == ("scheduled", run_at.timestamp(), "5")


def test_one_signature_for_two_moments_is_two_jobs(huey: Huey) -> None:
    task = huey.task(name="t")(lambda: None)
    signature = task.s()

    first = huey.enqueue_at(datetime(2038, 1, 1, tzinfo=UTC), signature)
    second = huey.enqueue_at(datetime(2039, 1, 1, tzinfo=UTC), signature)

    assert first is not None and second is not None
    assert job(huey, second).run_at - job(huey, first).run_at == 365 * 86_400


def test_a_moment_that_is_past_is_now(huey: Huey) -> None:
    handle = huey.enqueue_at(datetime(2001, 1, 1), huey.task(name="t")(lambda: None).s())
    assert handle is not None
    assert handle.state == "pending"


def test_what_is_no_signature_or_no_moment_is_refused(huey: Huey) -> None:
    task = huey.task(name="t")(lambda: None)
    noon: Any = datetime(2038, 1, 1)

    for when, signature in ((task.s(), noon), (noon, task), (noon, None)):
        with pytest.raises(TypeError, match="takes a signature"):
            huey.enqueue_at(when, signature)  # type: ignore[arg-type]
    for when in (60, None, "2038-01-01"):
        with pytest.raises(ValueError, match="datetime"):
            huey.enqueue_at(when, task.s())  # type: ignore[arg-type]

    assert len(huey) == 0
    assert huey.scheduled_count() == 0


def test_a_wait_with_a_timeout_ends_where_a_test_has_frozen_the_time() -> None:
    said = run_python("""
        from freezegun import freeze_time
        with freeze_time("2030-01-01"):
            from hueycore import MemoryHuey, ResultTimeout, TaskLockedException
            huey = MemoryHuey("app")

            @huey.task()
            def late(): ...

        with freeze_time("2030-01-01 12:00"):
            group = late.map([(), ()])
            result = late()
            for wait in (lambda: result.get(blocking=True, timeout=0.05),
                         lambda: group.get(blocking=True, timeout=0.05)):
                try: wait()
                except ResultTimeout: print("ended")
            print(result.wait(0.05))
            with huey.lock_task("one"):
                try: huey.lock_task("one", wait=0.05).acquire()
                except TaskLockedException: print("locked")
            print(late.schedule(delay=5).state, huey.storage.job(result.id).enqueued_at)
    """)

    noon = datetime(2030, 1, 1, 12, tzinfo=UTC).timestamp()
    assert said.split() == ["ended", "ended", "False", "locked", "scheduled", str(noon)]
