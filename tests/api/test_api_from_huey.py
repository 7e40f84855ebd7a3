"""What Huey itself wrote comes over: each job once, with what hangs on it and the right result."""

from __future__ import annotations

import datetime as dt
import json
import logging
import os
import pickle
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from huey import serializer as theirs
from huey.api import SqliteHuey as OldHuey
from huey.api import chord
from huey.registry import Message as OldMessage

from hueycore import SKIPPED, Error, Huey, State, TaskException
from hueycore.exceptions import (
    ConfigurationError,
    StorageBusy,
    StorageCorrupt,
    StorageMissing,
)
from hueycore.model.jobs import Selector
from hueycore.serializer import JSONSerializer, Serializer, SignedSerializer
from tests.helpers import Clock, drain, wait_until


def add(a: int = 0, b: int = 0) -> int:
    return a + b


def total(numbers: list[Any], more: int = 0) -> tuple[list[str], int]:
    return [repr(one) for one in numbers], more


def fail(*args: Any) -> None:
    raise ValueError("no")


def handle(*args: Any) -> str:
    return " ".join(repr(one) for one in args)


FUNCTIONS = (add, total, fail, handle)


class Money:
    """A class of the application."""

    def __init__(self, amount: int) -> None:
        self.amount = amount

    def __radd__(self, other: int) -> int:
        return other + self.amount

    __add__ = __radd__


class Old:
    """An application of Huey's, and its file."""

    def __init__(self, path: Path, name: str = "jobs", **options: Any) -> None:
        self.path = path
        self.huey = OldHuey(name, filename=str(path), **options)
        self.add, self.total, self.fail, self.handle = map(self.huey.task(), FUNCTIONS)

    def run(self, times: int = 1) -> None:
        for _ in range(times):
            self.huey.execute(self.huey.dequeue())

    def rows(self) -> list[Any]:
        with closing(sqlite3.connect(self.path)) as con:
            return [con.execute(f"select * from {name}").fetchall() for name in TABLES]

    def close(self) -> None:
        self.huey.storage.close()


TABLES = ("task", "schedule", "kv", "counter")


@pytest.fixture
def old(tmp_path: Path) -> Iterator[Old]:
    with closing(Old(tmp_path / "huey.db")) as found:
        yield found


def new(path: Path, **options: Any) -> Huey:
    huey = Huey("jobs", path, **options)
    for function in FUNCTIONS:
        huey.task()(function)
    return huey


@pytest.fixture
def huey(tmp_path: Path) -> Iterator[Huey]:
    with closing(new(tmp_path / "huey.db")) as found:
        yield found


def job(huey: Huey, id: str) -> Any:
    (found,) = huey.storage.jobs(Selector(keys=(id,)))
    return found


# --- jobs -----------------------------------------------------------------------------------------


@pytest.mark.feature("moving over")
def test_jobs_come_over_once_and_the_old_tables_stay_as_they_were(old: Old, huey: Huey) -> None:
    results = [old.add(n, b=1) for n in range(3)]
    before = old.rows()

    first, second = huey.load_from_huey(old.path), huey.load_from_huey(old.path)

    assert [one.id for one in first.jobs] == [result.id for result in results]
    assert (second.jobs, second.known) == ([], 3)
    assert old.rows() == before
    drain(huey)
    assert [huey.result(result.id) for result in results] == [1, 2, 3]


def test_they_come_no_second_time_when_they_have_run_and_were_flushed(old: Old, huey: Huey) -> None:
    old.add(1)
    huey.load_from_huey(old.path)
    drain(huey)
    huey.flush()

    assert huey.load_from_huey(old.path).jobs == []


def test_what_was_enqueued_since_then_comes_with_the_next_load(old: Old, huey: Huey) -> None:
    old.add(1)
    huey.load_from_huey(old.path)
    later = old.add(2)

    assert [one.id for one in huey.load_from_huey(old.path).jobs] == [later.id]


def test_they_run_in_the_order_in_which_huey_would_run_them(old: Old, huey: Huey) -> None:
    low, first, high, second = (
        old.huey.enqueue(old.add.s(1, priority=priority)).id for priority in (-1, None, 2.5, 0)
    )

    huey.load_from_huey(old.path)

    taken = [huey.dequeue() for _ in range(4)]
    assert [task.id for task in taken if task] == [high, first, second, low]


def test_they_go_into_a_file_of_their_own_as_well(old: Old, tmp_path: Path) -> None:
    result = old.add(1)
    with closing(new(tmp_path / "queue.db")) as huey:
        huey.load_from_huey(old.path)
        drain(huey)

        assert huey.result(result.id) == 1
        assert sorted(os.listdir(tmp_path)) != []


def test_options_are_those_of_the_message(old: Old, huey: Huey) -> None:
    result = old.huey.enqueue(
        old.add.s(1, retries=3, retry_delay=7, retry_backoff=2, priority=4, timeout=9)
    )

    huey.load_from_huey(old.path)

    found = job(huey, result.id)
    assert found[16:20] == (3, 7, 2, 9)
    assert (found.priority, found.state) == (4, State.PENDING)


@pytest.mark.parametrize("utc", [True, False])
def test_times_are_read_as_the_instance_has_them(
    tmp_path: Path, utc: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    __import__("time").tzset()
    eta = dt.datetime(2100, 7, 1, 12, tzinfo=dt.UTC)
    try:
        with (
            closing(Old(tmp_path / "huey.db", utc=utc)) as old,
            closing(new(tmp_path / "huey.db", utc=utc)) as huey,
        ):
            result = old.add.schedule(eta=eta, expires=eta + dt.timedelta(hours=1))
            old.run()  # which moves it into the schedule

            huey.load_from_huey(old.path)

            found = job(huey, result.id)
            assert (found.state, found.run_at) == (State.SCHEDULED, eta.timestamp())
            assert found.expires_at == eta.timestamp() + 3600
    finally:
        monkeypatch.undo()
        __import__("time").tzset()


def test_an_expiry_is_the_moment_that_huey_had_found(old: Old, huey: Huey, clock: Clock) -> None:
    result = old.huey.enqueue(old.add.s(1, expires=60))
    huey.load_from_huey(old.path)

    clock.offset += 120

    assert huey.dequeue() is None
    assert job(huey, result.id).state is State.EXPIRED


def test_a_job_with_retries_left_keeps_them(old: Old, huey: Huey) -> None:
    result = old.huey.enqueue(old.fail.s(retries=2, retry_delay=60))
    old.run()  # the first try: an error is stored, and it waits in the schedule

    found = huey.load_from_huey(old.path)

    assert (job(huey, result.id).retries, found.results) == (1, 0)
    assert job(huey, result.id).state is State.SCHEDULED


# --- what hangs together --------------------------------------------------------------------------


def test_the_stages_of_a_pipeline_follow_each_other(old: Old, huey: Huey) -> None:
    handles = old.huey.enqueue(old.add.s(1).then(old.add, 10).then(old.add, 100))

    huey.load_from_huey(old.path)
    assert drain(huey) == 3

    assert [huey.result(one.id) for one in handles] == [1, 11, 111]


def test_the_rest_of_a_pipeline_that_was_begun_goes_on(old: Old, huey: Huey) -> None:
    handles = list(old.huey.enqueue(old.add.s(1).then(old.add, 10).then(old.add, 100)))
    old.run()

    huey.load_from_huey(old.path)
    drain(huey)

    assert [huey.result(one.id) for one in handles] == [1, 11, 111]


def test_an_error_handler_is_called(old: Old, huey: Huey) -> None:
    old.huey.enqueue(old.fail.s().error(old.handle.s("said").then(old.handle, "then")))

    huey.load_from_huey(old.path)
    drain(huey)

    failed, *done = huey.all_results().values()
    assert isinstance(failed, Error)
    assert done == ["'said' ValueError('no')", "'then' \"'said' ValueError('no')\""]


def test_a_stage_counts_its_expiry_from_its_turn(old: Old, huey: Huey, clock: Clock) -> None:
    clock.freeze()
    _, second = old.huey.enqueue(old.add.s(1).then(old.add.s(2, expires=60)))
    huey.load_from_huey(old.path)
    clock.frozen = (clock.frozen or 0) + 120

    huey.execute(huey.dequeue())

    assert job(huey, second.id).expires_at == pytest.approx(clock.now() + 60)


def test_a_chord_calls_back_with_all_results_in_order(old: Old, huey: Huey) -> None:
    members = [old.add.s(1), old.fail.s(), old.add.s(2).then(old.add, 10)]
    result = old.huey.enqueue(chord(members, old.total.s(more=5)))

    huey.load_from_huey(old.path)
    drain(huey)

    assert huey.result(result.callback.id) == (["1", "Error(ValueError('no'))", "12"], 5)


def test_members_of_a_chord_that_are_over_give_what_they_gave(old: Old, huey: Huey) -> None:
    members = [old.add.s(1), old.add.s(None, 3), old.fail.s(), old.add.s(4), old.add.s(5)]
    result = old.huey.enqueue(chord(members, old.total))
    old.huey.revoke(members[3])
    old.run(3)
    old.huey.execute(old.huey.dequeue())  # it is revoked

    huey.load_from_huey(old.path)
    drain(huey)

    numbers, _ = huey.result(result.callback.id)
    assert (numbers[0], numbers[3], numbers[4]) == ("1", repr(SKIPPED), "5")
    assert numbers[1].startswith("Error(TypeError(")
    assert numbers[2].startswith("Error(ValueError('no')")


def test_a_member_that_was_lost_with_its_consumer_is_skipped(old: Old, huey: Huey) -> None:
    result = old.huey.enqueue(chord([old.add.s(1), old.add.s(2)], old.total))
    assert old.huey.dequeue() is not None

    huey.load_from_huey(old.path)
    drain(huey)

    assert huey.result(result.callback.id) == ([repr(SKIPPED), "2"], 0)


def test_chords_in_chords_come_over(old: Old, huey: Huey) -> None:
    inner = chord([old.add.s(1), old.add.s(2)], old.total)
    result = old.huey.enqueue(chord([inner, old.add.s(3)], old.total.s(more=9)))

    found = huey.load_from_huey(old.path)
    drain(huey)

    assert len(found.jobs) == 5
    assert huey.result(result.callback.id) == (["(['1', '2'], 0)", "3"], 9)


# --- results, values, revocations -----------------------------------------------------------------


def test_results_are_there_and_come_once(old: Old, huey: Huey) -> None:
    good, bad = old.add(2), old.fail()
    old.run(2)

    found = huey.load_from_huey(old.path)

    assert (found.jobs, found.results, found.values) == ([], 2, 0)
    assert huey.result(good.id) == 2
    with pytest.raises(TaskException, match="no"):
        huey.result(bad.id)
    assert huey.load_from_huey(old.path).results == 0


def test_values_are_there_and_locks_and_limits_are_not(old: Old, huey: Huey) -> None:
    old.huey.put("rate", {"usd": 1.1})
    old.huey.lock_task("nightly").acquire()

    assert huey.load_from_huey(old.path).values == 1

    assert huey.get("rate") == {"usd": 1.1}
    assert huey.storage.result_count() == 1  # of the name that might be a job's


def test_revocations_of_tasks_and_of_waiting_jobs_come_over(old: Old, huey: Huey) -> None:
    revoked, other, gone = old.add(1), old.add(2), old.add(3)
    for result in (revoked, gone):
        result.revoke()
    with closing(sqlite3.connect(old.path)) as con:
        con.execute("delete from task where id = 3")
        con.commit()
    old.fail.revoke(revoke_until=dt.datetime.now() + dt.timedelta(hours=1))
    old.handle.revoke(revoke_until=dt.datetime.now() - dt.timedelta(hours=1))

    assert huey.load_from_huey(old.path).revocations == 2

    drain(huey)
    assert job(huey, revoked.id).state is State.REVOKED
    assert job(huey, other.id).state is State.DONE
    (order,) = huey.storage.revocations()
    assert order.name == f"{__name__}.fail"
    assert order.until is not None
    assert not order.once


def test_a_restored_task_is_not_revoked_again(old: Old, huey: Huey) -> None:
    old.add.revoke()
    huey.load_from_huey(old.path)
    huey.storage.clear_revocation("revoked-task", f"{__name__}.add")

    huey.load_from_huey(old.path)

    assert huey.storage.revocations() == []


# --- serializers ----------------------------------------------------------------------------------


class OldJSON(theirs.Serializer):
    """As Huey's documentation proposes it."""

    def _serialize(self, data: Any) -> bytes:
        return json.dumps(data._asdict() if isinstance(data, OldMessage) else data).encode()

    def _deserialize(self, data: bytes) -> Any:
        found = json.loads(data)
        is_message = isinstance(found, dict) and "retry_delay" in found
        return OldMessage(**found) if is_message else found


class NewJSON(Serializer):
    """The same after the move, with bytes of its own."""

    def _serialize(self, data: Any) -> bytes:
        return json.dumps(data).encode()

    def _deserialize(self, data: bytes) -> Any:
        return json.loads(data)


SERIALIZERS = {
    "pickle": (theirs.Serializer(), Serializer()),
    "an old pickle": (theirs.Serializer(pickle_protocol=2), Serializer()),
    "gzip": (theirs.Serializer(compression=True), Serializer(compression=True)),
    "zlib": (theirs.Serializer(compression=True, use_zlib=True), Serializer()),
    "signed": (
        theirs.SignedSerializer("secret", compression=True),
        SignedSerializer(["newer", "secret"]),
    ),
    "json": (OldJSON(), JSONSerializer()),
    "packed json": (OldJSON(compression=True), Serializer()),
    "its own": (OldJSON(), NewJSON()),
}


@pytest.mark.parametrize("name", SERIALIZERS)
def test_what_any_serializer_of_huey_wrote_can_be_read(name: str, tmp_path: Path) -> None:
    before, after = SERIALIZERS[name]
    with (
        closing(Old(tmp_path / "huey.db", serializer=before)) as old,
        closing(new(tmp_path / "queue.db", serializer=after)) as huey,
    ):
        done, failed, waits = old.add(1), old.fail(), None
        old.run(2)
        waits = old.huey.enqueue(old.add.s(2).then(old.add, 3))
        old.add.revoke(revoke_once=True)

        found = huey.load_from_huey(old.path)

        assert (len(found.jobs), found.results, found.left_out) == (2, 2, [])
        assert huey.storage.revocations()[0].once
        huey.storage.clear_revocation("revoked-task", f"{__name__}.add")
        drain(huey)
        assert huey.result(done.id) == 1
        assert [huey.result(one.id) for one in waits] == [2, 5]
        with pytest.raises(TaskException, match="no"):
            huey.result(failed.id)


@pytest.mark.parametrize("before", [theirs.Serializer(), theirs.SignedSerializer("other")])
def test_what_nobody_signed_with_our_secret_is_left_out(before: Any, tmp_path: Path) -> None:
    with (
        closing(Old(tmp_path / "huey.db", serializer=before)) as old,
        closing(new(tmp_path / "queue.db", serializer=SignedSerializer("secret"))) as huey,
    ):
        old.add(1)

        found = huey.load_from_huey(old.path)

        assert found.jobs == []
        assert "signature is not ours" in found.left_out[0].why


# --- what does not come ---------------------------------------------------------------------------


def test_what_cannot_be_read_is_named_and_comes_when_it_can(
    old: Old, huey: Huey, monkeypatch: pytest.MonkeyPatch
) -> None:
    strange, good = old.add(Money(1), 1), old.add(1)
    member = old.add.s(Money(1), 2)
    whole = old.huey.enqueue(chord([old.add.s(1), member], old.total))
    monkeypatch.delattr(sys.modules[__name__], "Money")

    found = huey.load_from_huey(old.path)

    assert [one.id for one in found.jobs] == [good.id]
    assert {one.id for one in found.left_out} == {strange.id, member.id, None}
    assert "Money" in found.left_out[0].why
    monkeypatch.undo()
    assert len(huey.load_from_huey(old.path).jobs) == 4
    drain(huey)
    assert huey.result(strange.id) == 2
    assert huey.result(whole.callback.id) == (["1", "3"], 0)


def test_damaged_rows_leave_the_others_alone(old: Old, huey: Huey) -> None:
    for data in (b"", b"\x80", b"{}", b"[1]", b'["id"]', pickle.dumps("text"), b"\x1f\x8b!"):
        old.huey.storage.enqueue(data)
    good = old.add(1)

    found = huey.load_from_huey(old.path)

    assert [one.id for one in found.jobs] == [good.id]
    assert [one.where for one in found.left_out] == [f"task {n}" for n in range(1, 8)]


def test_rows_of_other_types_keep_nobody_from_opening_the_file(
    old: Old, huey: Huey, caplog: pytest.LogCaptureFixture
) -> None:
    old.close()
    with closing(sqlite3.connect(old.path)) as con:
        for name in ("task", "kv"):
            con.execute(f"drop table {name}")
        con.execute("create table task (id, queue, data, priority)")
        con.execute("create table kv (queue, key, value)")
        con.execute("insert into task values ('x', 'jobs', null, null), (1, 2, 3, 4)")
        con.execute("insert into kv values ('jobs', 1, null), ('jobs', null, 'text')")
        con.commit()

    found = huey.load_from_huey(old.path)

    assert (found.jobs, len(found.left_out)) == ([], 3)
    assert huey.storage.left_by_huey() == {"2": 1, "jobs": 1}
    assert caplog.records == []


def test_an_id_that_the_queue_has_already_is_left_out(old: Old, huey: Huey) -> None:
    task = huey.registry.get(f"{__name__}.add")
    assert task is not None
    huey.enqueue(task.s(1, id="mine"))
    old.huey.enqueue(old.add.s(2, id="mine"))
    old.huey.enqueue(old.add.s(3, id="twice"))
    old.huey.enqueue(old.add.s(4, id="twice"))

    found = huey.load_from_huey(old.path)

    assert [one.id for one in found.jobs] == ["twice"]
    assert [one.id for one in found.left_out] == ["mine", "twice"]
    assert huey.storage.left_by_huey() == {}


def test_a_dry_run_says_what_would_come_and_writes_nothing(old: Old, huey: Huey) -> None:
    result = old.add(1)

    found = huey.load_from_huey(old.path, dry_run=True)

    assert [one.id for one in found.jobs] == [result.id]
    assert huey.storage.jobs(Selector()) == []
    assert len(huey.load_from_huey(old.path).jobs) == 1


def test_a_file_or_queue_that_is_not_hueys_is_refused(old: Old, huey: Huey, tmp_path: Path) -> None:
    old.add(1)
    strange = tmp_path / "other.db"
    with closing(sqlite3.connect(strange)) as con:
        for name in TABLES[:3]:
            con.execute(f"create table {name} (id integer, title text)")

    with pytest.raises(StorageMissing):
        huey.load_from_huey(tmp_path / "missing.db")
    with pytest.raises(StorageCorrupt, match="no tables of Huey"):
        huey.load_from_huey(strange)
    with pytest.raises(ConfigurationError, match="no queue 'mail': Huey's are jobs"):
        huey.load_from_huey(old.path, "mail")


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="nobody can be seen without /proc")
def test_nothing_comes_over_while_a_consumer_of_hueys_works(
    old: Old, huey: Huey, tmp_path: Path
) -> None:
    (tmp_path / "oldapp.py").write_text(
        "from huey import SqliteHuey\n"
        "huey = SqliteHuey('jobs', filename='huey.db')\n"
        "@huey.task(name='noop')\ndef noop(): pass\n"
    )
    program = [sys.executable, "-m", "huey.bin.huey_consumer", "oldapp.huey"]
    with subprocess.Popen(program, cwd=tmp_path, stderr=subprocess.DEVNULL) as consumer:
        try:
            wait_until(
                lambda: (
                    huey.load_from_huey(old.path, "jobs", dry_run=True).holders
                    if old.add(1)
                    else []
                )
            )
            with pytest.raises(StorageBusy, match=f"process {consumer.pid} .*huey_consumer"):
                huey.load_from_huey(old.path)
        finally:
            consumer.kill()
    assert huey.storage.jobs(Selector()) == []


# --- the notice -----------------------------------------------------------------------------------


def test_opening_the_file_says_once_what_waits_there(
    old: Old, huey: Huey, caplog: pytest.LogCaptureFixture
) -> None:
    old.add(1)
    old.add(2)

    with caplog.at_level(logging.WARNING, "hueycore"), closing(new(old.path)) as other:
        assert len(huey) == len(other) == 0

    (record,) = caplog.records
    assert "2 jobs of Huey wait" in record.message
    assert f"hueyctl load --from-huey {old.path}" in record.message


def test_nothing_is_said_of_what_came_over_or_of_other_tables(
    old: Old, huey: Huey, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    old.add(1)
    huey.load_from_huey(old.path)
    strange = tmp_path / "other.db"
    with closing(sqlite3.connect(strange)) as con:
        con.execute("create table task (id integer, title text)")
        con.execute("create table kv (key text, value text)")

    assert huey.storage.left_by_huey() == {}
    with closing(new(strange)) as other:
        assert other.storage.left_by_huey() == {}
    old.add(2)
    assert huey.storage.left_by_huey() == {"jobs": 1}
    assert caplog.records == []


def test_an_error_that_stands_in_a_list_is_one(old: Old, huey: Huey) -> None:
    """What a callback that waits already was given by Huey."""
    result = old.huey.enqueue(chord([old.fail.s(), old.add.s(1)], old.total))
    old.run(2)

    huey.load_from_huey(old.path)
    drain(huey)

    assert huey.result(result.callback.id) == (["Error(ValueError('no'))", "1"], 0)
    assert Error({}) == Error({})
