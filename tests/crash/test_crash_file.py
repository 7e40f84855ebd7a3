"""The file is removed, replaced, damaged or newer while a consumer uses it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from signal import SIGCONT, SIGKILL

import pytest

from hueycore import SqliteHuey
from hueycore.model.states import State
from hueycore.storage.sqlite.schema import VERSION
from tests.crash.crashkit import DEADLINE, KINDS, ConsumerProcess, Place, every_kind
from tests.helpers import wait_until

pytestmark = pytest.mark.sqlite_only("a file is removed, replaced, damaged or newer")


def remove(place: Place) -> None:
    for end in ("", "-wal", "-shm"):
        os.unlink(place.path + end)


def replace(place: Place) -> None:
    """By another queue, as ``mv backup queue.db`` does it."""
    other = SqliteHuey("app", place.path + ".new")
    other.storage.enqueue([])
    other.close()
    remove(place)  # a write-ahead log that stays would be taken for that of the new file
    os.rename(place.path + ".new", place.path)


def remove_side_file(place: Place) -> None:
    os.unlink(place.path + "-huey")


def content(place: Place) -> bytes | None:
    try:
        with open(place.path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def last_words(consumer: ConsumerProcess) -> list[str]:
    """What it said to the operator: no traceback, and only one message for them."""
    text = consumer.text()
    assert "Traceback" not in text, text
    return [line for line in text.splitlines() if line.startswith("hueyctl: ")]


@pytest.mark.parametrize("harm", [remove, replace, remove_side_file])
@pytest.mark.parametrize(
    ("kind", "busy"),
    [("thread", False), *((kind, True) for kind in KINDS)],
    indirect=["kind"],
    ids=["idle", *KINDS],
)
def test_a_consumer_whose_file_is_gone_says_so_once_and_exits_with_69(
    place: Place, harm: Callable[[Place], None], busy: bool
) -> None:
    consumer = place.consumer("-q")
    consumer.wait_ready()
    if busy:
        place.huey.enqueue_many(place.app.plain.s(f"k{n}", 0.01) for n in range(600))
        place.wait_for_runs(8)
    neighbour = place.folder / "neighbour.txt"
    neighbour.write_text("mine")
    place.huey.close()
    harm(place)
    left = content(place)

    assert consumer.wait() == 69
    words = last_words(consumer)
    assert len(words) == 1
    assert place.path in words[0]
    lines = [line for line in consumer.text().splitlines() if "is still running" not in line]
    assert len(lines) <= 4, consumer.text()
    assert neighbour.read_text() == "mine"
    if harm is remove_side_file:
        place.check_rows()
        place.drain()
        assert place.states().keys() <= {"done"}
    else:
        assert content(place) == left, "what is there now is not this consumer's file"


@every_kind
def test_a_consumer_under_a_newer_schema_takes_no_more_jobs_and_exits_with_78(
    place: Place,
) -> None:
    consumer = place.consumer("-q", "-t", "0.5", workers=1)
    consumer.wait_ready()
    place.huey.enqueue_many(place.app.plain.s(f"k{n}", 0.05) for n in range(60))
    place.wait_for_runs(2)
    with_newer_schema(place, "99")

    assert consumer.wait() == 78
    assert len(last_words(consumer)) == 1
    assert "schema 99" in last_words(consumer)[0]

    with_newer_schema(place, str(VERSION))
    assert place.jobs(State.PENDING), "it took everything before it looked"
    place.check_rows()
    place.drain()
    assert place.states() == {"done": 60}


@every_kind
@pytest.mark.parametrize("harm", ["newer schema", "side file"])
def test_leaving_a_file_that_changed_charges_no_crash(place: Place, harm: str) -> None:
    job = place.app.gated(place.gate())
    assert job is not None
    consumer = place.consumer("-q")
    place.wait_for_runs(1)

    if harm == "newer schema":
        with_newer_schema(place, "99")
        assert consumer.wait() == 78
        with_newer_schema(place, str(VERSION))
    else:
        place.huey.close()
        remove_side_file(place)
        assert consumer.wait() == 69

    place.open_gate()
    place.drain()
    row = place.job(job.id)
    assert (row.state, row.crashes) == (State.DONE, 0)
    # A run that was cut off has left a word, and no attempt.
    assert not [error for error in row.errors if error["counted"]]


@pytest.mark.parametrize("kind", ["thread", "process"], indirect=True)
def test_a_consumer_does_not_begin_under_a_newer_schema(place: Place) -> None:
    place.app.plain("one")
    with_newer_schema(place, "99")
    consumer = place.consumer("-q")
    assert consumer.wait() == 78
    with_newer_schema(place, str(VERSION))
    assert place.states() == {"pending": 1}


def with_newer_schema(place: Place, version: str) -> None:
    connection = sqlite3.connect(place.path, isolation_level=None, timeout=5)
    try:
        connection.execute("update huey_meta set value = ? where name = 'schema'", (version,))
    finally:
        connection.close()


@every_kind
def test_a_consumer_whose_file_is_damaged_exits_with_69_and_leaves_it_alone(place: Place) -> None:
    consumer = place.consumer("-q")
    consumer.wait_ready()
    place.huey.enqueue_many(place.app.plain.s(f"k{n}") for n in range(100))
    wait_until(lambda: place.states() == {"done": 100}, DEADLINE)
    place.huey.close()
    consumer.stop_and_hold()
    damage(place)
    before = os.path.getsize(place.path)
    consumer.signal(SIGCONT)

    assert consumer.wait() == 69
    assert len(last_words(consumer)) == 1
    assert "damaged" in last_words(consumer)[0]
    assert os.path.getsize(place.path) >= before


def damage(place: Place) -> None:
    """Every page but the first is 0xff; then a commit of somebody else's makes all read again.

    In a process of its own: closing a second descriptor of the file would drop locks of this one.
    """
    script = """
import os, sqlite3, sys
path = sys.argv[1]
connection = sqlite3.connect(path, isolation_level=None, timeout=5)
connection.execute("pragma wal_checkpoint(truncate)").fetchall()
connection.close()
with open(path, "r+b") as file:
    file.seek(4096)
    file.write(b"\\xff" * (os.path.getsize(path) - 4096))
connection = sqlite3.connect(path, isolation_level=None, timeout=5)
connection.execute("pragma user_version=7")
os._exit(0)
"""
    assert place.process("-c", script, place.path).wait() == 0


@pytest.mark.parametrize("kind", ["thread", "process"], indirect=True)
@pytest.mark.parametrize("garbage", [b"garbage" * 1000, b"SQLite format 3\0" + b"\xff" * 8000])
def test_a_consumer_does_not_begin_on_a_file_that_is_no_queue(place: Place, garbage: bytes) -> None:
    with open(place.path, "wb") as file:
        file.write(garbage)

    consumer = place.consumer("-q")

    assert consumer.wait() == 69
    assert len(last_words(consumer)) == 1
    assert content(place) == garbage


def test_a_worker_process_that_began_before_the_side_file_was_removed_notices_it(
    place: Place,
) -> None:
    """Also when the process that keeps the file in order has begun after that."""
    consumer = place.consumer("-q", "-k", "process", workers=1)
    consumer.wait_children(1)
    maintenance = consumer.maintenance()
    assert maintenance is not None
    consumer.stop_and_hold()
    os.kill(maintenance.pid, SIGKILL)
    place.huey.close()
    remove_side_file(place)
    consumer.signal(SIGCONT)

    assert consumer.wait() == 69
    assert len(last_words(consumer)) == 1
    place.drain()
