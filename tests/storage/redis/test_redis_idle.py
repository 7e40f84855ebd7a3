"""A consumer that has nothing to do asks one question now and then, and misses nothing by it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from hueycore import Huey, RedisHuey, crontab
from hueycore.model.endings import Dead
from hueycore.model.glance import Glance
from hueycore.model.schedules import Periodic
from hueycore.model.states import State
from hueycore.storage.redis import RedisStorage, glance, watch
from tests.helpers import consuming, stays_true, wait_until
from tests.proxy import Proxy
from tests.redis_servers import RedisServer
from tests.storage.kit import born, end, new, one, pipeline, row, state, worker
from tests.storage.redis.commands import commands
from tests.storage.redis.lab import RedisLab

#: Seconds for which commands are counted, and how many of them a second is the goal.
COUNTED, GOAL = 4.0, 3

Open = Callable[[], RedisStorage]


@pytest.fixture
def open_(redis_url: str) -> Iterator[Open]:
    made: list[RedisStorage] = []

    def open_one() -> RedisStorage:
        made.append(RedisStorage(redis_url))
        return made[-1]

    yield open_one
    for storage in made:
        storage.close()


@pytest.fixture
def storage(open_: Open) -> RedisStorage:
    return open_()


@pytest.fixture
def kept(server: RedisServer) -> Iterator[Proxy]:
    with Proxy(server.url, keeps=True) as found:
        yield found


@pytest.fixture
def every_look_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(glance, "FRESH", -1.0)
    monkeypatch.setattr(watch, "APART", 0.0)


def spoken(kept: Proxy) -> Counter[bytes]:
    return Counter(b" ".join(words[:2]) for words in commands(kept))


def silent(storage: RedisStorage) -> RedisStorage:
    """Its jobs are told to nobody."""
    plain = storage.client.run

    def run(script: Any, *args: Any, **how: Any) -> Any:
        text = script.text.replace("PUBLISH', P .. 'bell'", "PUBLISH', P .. 'nowhere'")
        return plain(script._replace(text=text, sha="0" * 40), *args, **how)

    storage.client.run = run  # type: ignore[method-assign]
    return storage


@pytest.mark.parametrize("periodic", [True, False])
def test_an_idle_consumer_says_at_most_three_commands_a_second(kept: Proxy, periodic: bool) -> None:
    with closing(RedisHuey("app", url=kept.url)) as huey:

        @huey.periodic_task(crontab(month="2", day="29", hour="3", minute="1"))
        def seldom() -> None: ...

        storage: Any = huey.storage
        with consuming(huey, workers=4, periodic=periodic):
            # What its threads do at first is over.
            wait_until(
                lambda: stays_true(lambda before=storage.calls: storage.calls == before, 1.2)
            )
            before, began = spoken(kept), time.monotonic()
            wait_until(lambda: storage._last.at - began > COUNTED)
            passed, said = time.monotonic() - began, spoken(kept) - before

    assert 2 <= said.total() <= GOAL * passed, said


def test_an_idle_consumer_runs_a_job_of_which_it_was_not_told(redis_url: str, open_: Open) -> None:
    other = silent(open_())
    with closing(Huey("huey", url=redis_url)) as huey:

        @huey.task()
        def task() -> None: ...

        with consuming(huey, workers=1):
            call = huey.serializer.serialize(((), {}))
            wait_until(lambda: other.workers())
            first, later = other.enqueue(
                [new(task.name, call), new(task.name, call, run_at=time.time() + 1.5)]
            )
            wait_until(lambda: state(other, first) is State.DONE)
            wait_until(lambda: state(other, later) is State.DONE)

    found = row(other, later)
    assert found.started_at is not None and found.started_at - found.run_at < 3


def test_a_glance_is_kept_until_something_happens(open_: Open, storage: RedisStorage) -> None:
    other = silent(open_())
    worker(storage)
    storage.wait(0.0)
    assert not storage.glance().pending

    born(other)
    assert not storage.glance().pending, "nobody was told"
    born(storage)
    assert storage.glance().pending


def test_a_glance_sees_what_this_process_was_told(storage: RedisStorage, open_: Open) -> None:
    storage.wait(0.0)
    assert not storage.glance().pending

    born(open_())

    wait_until(lambda: storage.wait(0.1) and storage.glance().pending, 0.5)


def test_a_glance_tells_what_is_due(storage: RedisStorage) -> None:
    soon = time.time() + 60
    born(storage, run_at=soon)
    late = born(storage, expires_at=time.time() + 0.01)
    wait_until(lambda: storage.client.now() > (row(storage, late).expires_at or 0))
    storage.calls += 1

    found = storage.glance()

    assert found == Glance(True, True, False, pytest.approx(soon), float("inf"))


def test_a_glance_tells_when_a_schedule_fires_that_is_ones_own_or_anybodys(
    storage: RedisStorage,
) -> None:
    def every(name: str, at: float) -> Periodic:
        return Periodic(name, "task", "every 1h", None, at, origin="code")

    storage.declare_periodic([every("mine", 300.0), every("theirs", 100.0)], 7)

    assert storage.glance(["mine"]).fires == 300.0
    assert storage.glance(["mine", "lost"]).fires == float("-inf")
    assert storage.glance([]).fires == float("inf")
    storage.schedule_periodic(every("stored", 200.0))
    assert storage.glance(["mine"]).fires == 200.0


@pytest.mark.usefixtures("every_look_counts")
def test_a_glance_misses_a_worker_that_does_not_beat_and_no_other(
    storage: RedisStorage, open_: Open
) -> None:
    other = open_()
    number = worker(other)
    storage.recover()
    other.watch.beat()
    assert not storage.glance().missing
    other.watch.beat()
    assert not storage.glance().missing

    RedisLab(other).kill(number)
    assert [storage.glance().missing for _ in range(3)] == [False, False, True]
    assert storage.recover() == []
    assert not storage.glance().missing
    assert storage.workers() == []


@pytest.mark.usefixtures("every_look_counts")
def test_a_glance_shows_followers_that_are_yet_to_be_revoked(storage: RedisStorage) -> None:
    pipeline(storage, 1500)
    number = worker(storage)
    storage.recover()
    storage.watch.beat()
    assert not storage.glance().missing
    end(storage, number, one(storage, number), Dead("failed"))
    storage.watch.beat()

    assert storage.glance().missing
    storage.recover()
    storage.watch.beat()
    assert not storage.glance().missing
