"""Jobs that copy, hash and archive the folder of the queue, in the processes that work on it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from signal import SIGKILL, SIGTERM

import pytest

from tests.crash.app import App
from tests.crash.crashkit import Place, every_kind
from tests.helpers import wait_until

#: How often the long test of each kind goes round.
ROUNDS = int(os.environ.get("CRASH_COPIES", "3"))
DEADLINE = 60.0


@pytest.fixture
def data(tmp_path: Path, kind: str) -> Iterator[Place]:
    """A queue in a folder of its own."""
    folder = tmp_path / "data"
    folder.mkdir()
    made = Place(tmp_path, folder / "queue.db", kind=kind)
    yield made
    made.close()


def produce(place: Place, number: int, prefix: str) -> list[str]:
    """Come, enqueue one and go, so often: each time as if the last one of all left."""
    keys = []
    for count in range(number):
        with closing(App(place.path, str(place.log)).huey):
            if count % 5 == 0:
                place.app.archive(str(Path(place.path).parent))
            place.app.plain(f"{prefix}-{count}")
        place.huey.close()
        keys.append(f"{prefix}-{count}")
    return keys


def assert_all_ran_once(place: Place, keys: list[str]) -> None:
    ran = place.ran()
    assert {key: ran[key] for key in keys} == dict.fromkeys(keys, 1)
    place.check_rows()


def stop(place: Place) -> None:
    for consumer in place.processes:
        if not consumer.ended:
            consumer.signal(SIGTERM)
            assert consumer.wait() == 0


def whole(path: str) -> bool:
    with closing(sqlite3.connect(path)) as connection:
        return bool(connection.execute("pragma integrity_check").fetchall() == [("ok",)])


@every_kind
def test_nothing_is_lost_or_run_twice_beside_jobs_that_read_the_folder(data: Place) -> None:
    for consumer in [data.consumer(workers=2) for _ in range(2)]:
        consumer.wait_ready()
    keys = produce(data, 15, "a")
    wait_until(lambda: data.ran()["a-14"], DEADLINE, "the consumers hear")
    keys += produce(data, 5, "b")  # after the first copies: are they deaf?

    wait_until(lambda: set(data.states()) == {"done"}, DEADLINE, "all is done")

    assert all(row.alive for row in data.storage.workers())
    data.huey.close()
    stop(data)
    assert_all_ran_once(data, keys)
    assert whole(data.path)
    data.huey.close()
    assert sorted(os.listdir(os.path.dirname(data.path))) == ["queue.db", "queue.db-huey"]


@pytest.mark.slow
@every_kind
def test_nor_when_consumers_are_killed_in_between(data: Place) -> None:
    data.consumer(workers=2).wait_ready()
    keys = []
    for turn in range(ROUNDS):
        victim = data.consumer(workers=2)
        keys += produce(data, 20, f"turn-{turn}")
        victim.signal(SIGKILL)
        victim.wait()
        keys += produce(data, 20, f"after-{turn}")
        wait_until(lambda: set(data.states()) == {"done"}, DEADLINE, "all is done")

    data.huey.close()
    stop(data)
    ran = data.ran()
    assert [key for key in keys if not ran[key]] == []
    data.check_rows()
    assert whole(data.path)
