"""What Huey itself wrote to a Redis server comes over: each job once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import huey as theirs
import pytest

from hueycore import ConfigurationError, Huey, RedisHuey, State
from hueycore.exceptions import StorageCorrupt
from hueycore.model.diagnosis import Diagnosis
from tests.helpers import drain, jobs

KINDS = ("RedisHuey", "PriorityRedisHuey", "RedisExpireHuey", "PriorityRedisExpireHuey")


def add(a: int, b: int = 0) -> int:
    return a + b


@pytest.fixture(params=KINDS)
def old(request: pytest.FixtureRequest, redis_url: str) -> Iterator[Any]:
    """An application of Huey's on the server."""
    made = getattr(theirs, request.param)("my-app", url=redis_url)
    made.add = made.task()(add)
    yield made
    made.storage.conn.close()
    made.storage.pool.disconnect()


@pytest.fixture
def huey(redis_url: str) -> Iterator[Huey]:
    with closing(RedisHuey("my-app", url=redis_url)) as found:
        found.task()(add)
        yield found


def test_jobs_come_over_once_and_no_consumer_of_hueys_finds_them(
    old: Any, huey: Huey, redis_url: str
) -> None:
    results = [old.add(n, b=1) for n in range(3)]
    later = old.add.s(7, eta=datetime.now(UTC).replace(tzinfo=None) + timedelta(hours=1))
    old.add_schedule(later)

    dry = huey.load_from_huey(redis_url, dry_run=True)
    assert len(dry.jobs) == 4 and (old.pending_count(), old.scheduled_count()) == (3, 1)
    first, second = huey.load_from_huey(redis_url), huey.load_from_huey(redis_url)

    assert [one.id for one in first.jobs] == [*(r.id for r in results), later.id]
    assert (second.jobs, second.known) == ([], 4)
    assert (old.pending_count(), old.scheduled_count()) == (0, 0)
    drain(huey)
    assert [huey.result(result.id) for result in results] == [1, 2, 3]
    (left,) = jobs(huey, State.SCHEDULED)
    assert left.id == later.id


def test_what_was_enqueued_since_then_comes_with_the_next_load(
    old: Any, huey: Huey, redis_url: str
) -> None:
    old.add(1)
    huey.load_from_huey(redis_url)
    later = old.add(2)

    assert [one.id for one in huey.load_from_huey(redis_url).jobs] == [later.id]


def test_results_values_and_revocations_come_too(old: Any, huey: Huey, redis_url: str) -> None:
    done = old.add(2, b=3)
    old.execute(old.dequeue())
    old.put("name", {"a": 1})
    waits = old.add(1)
    waits.revoke()

    found = huey.load_from_huey(redis_url)

    assert (found.results, found.values, found.revocations) == (2, 1, 1)
    assert huey.result(done.id) == 5
    assert huey.get("name") == {"a": 1}
    drain(huey)
    (row,) = jobs(huey, State.REVOKED)
    assert row.id == waits.id


def test_they_go_into_another_engine_as_well(old: Any, redis_url: str, tmp_path: Any) -> None:
    result = old.add(1)
    with closing(Huey("my-app", tmp_path / "queue.db")) as huey:
        huey.task()(add)
        huey.load_from_huey(redis_url)
        drain(huey)
        assert huey.result(result.id) == 1


def test_where_nothing_is_of_hueys_nothing_comes(huey: Huey, redis_url: str) -> None:
    with pytest.raises(StorageCorrupt, match="no keys of Huey's"):
        huey.load_from_huey(redis_url)


def test_another_queue_is_not_this_one(old: Any, huey: Huey, redis_url: str) -> None:
    old.add(1)
    with pytest.raises(ConfigurationError, match="Huey's are myapp"):
        huey.load_from_huey(redis_url, "other")


def test_what_waits_for_hueys_consumer_is_a_problem_of_its_queue_and_a_warning_elsewhere(
    old: Any, huey: Huey, redis_url: str
) -> None:
    old.add(1)
    old.add_schedule(old.add.s(2, delay=1000))

    with closing(RedisHuey("other", url=redis_url)) as other:
        (mine,), (theirs,) = asked(huey), asked(other)
        assert (mine.status, mine.facts) == ("problem", {"queue": "my-app", "jobs": 2})
        assert (theirs.status, theirs.facts) == ("warning", {"queue": "myapp", "jobs": 2})

        huey.load_from_huey(redis_url)

        assert (asked(huey), asked(other)) == ([], [])


def asked(huey: Huey) -> list[Diagnosis]:
    return list(huey.storage.checkup()["huey"]())


@pytest.mark.parametrize("old", ["RedisHuey"], indirect=True)
def test_doctor_says_the_command(old: Any, redis_url: str) -> None:
    old.add(1)

    words = ["-u", f"{redis_url}?name=my-app", "doctor", "--json"]
    done = subprocess.run([sys.executable, "-m", "hueyctl", *words], capture_output=True, text=True)

    (told,) = [one for one in json.loads(done.stdout)["checks"] if one["name"] == "huey"]
    assert told["message"] == "1 jobs of Huey's wait in queue 'my-app', which nobody here runs"
    assert told["hint"] == f"hueyctl load --from-huey {redis_url} --queue my-app --app MODULE:ATTR"
    assert done.returncode != 0
