"""Results, values and counters: handed out once unless preserved; they leave after their time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from hueycore.exceptions import StorageError, UnknownJob
from hueycore.model.endings import Dead, Done, Retry
from hueycore.model.retention import Keeping
from hueycore.model.states import State
from hueycore.storage.base import Storage
from hueycore.system.ids import new_id
from tests.helpers import Clock
from tests.storage.conftest import Maker
from tests.storage.kit import born, by_seq, end, new, one, row, run, take, worker
from tests.storage.lab import Lab

# --- results --------------------------------------------------------------------------------------


def finished(storage: Storage, result: bytes | None = b"value") -> str:
    job = born(storage)
    run(storage, worker(storage), Done(result))
    return job.id


def test_a_result_is_handed_out_once(storage: Storage, lab: Lab) -> None:
    job = finished(storage)

    answers = [storage.result(job, preserve=False) for _ in range(3)]

    assert [answer and (answer.state, answer.result) for answer in answers] == [
        *((State.DONE, b"value"), (State.DONE, None), (State.DONE, None))
    ]
    assert [answer and answer.taken for answer in answers] == [False, True, True]
    assert lab.results() == {}


def test_a_preserved_result_stays(storage: Storage) -> None:
    job = finished(storage)

    for _ in range(3):
        answer = storage.result(job, preserve=True)
        assert answer is not None and (answer.result, answer.taken) == (b"value", False)


@pytest.mark.parametrize("preserve", [True, False])
def test_there_is_no_result_before_the_end(storage: Storage, preserve: bool) -> None:
    job = born(storage)
    number = worker(storage)
    seen = []
    for _ in range(2):
        seen.append(storage.result(job.id, preserve=preserve))
        claim = one(storage, number)
        seen.append(storage.result(job.id, preserve=preserve))
        end(storage, number, claim, Retry(None, 0, 0))

    assert [answer and (answer.state, answer.result, answer.taken) for answer in seen] == [
        (State.PENDING, None, None), (State.RUNNING, None, None),
    ] * 2  # fmt: skip


def test_no_result_is_told_from_an_empty_one(storage: Storage) -> None:
    nothing, empty = finished(storage, None), finished(storage, b"")

    first, second = (storage.result(job, preserve=False) for job in (nothing, empty))

    assert first is not None and (first.result, first.taken) == (None, None)
    assert second is not None and (second.result, second.taken) == (b"", False)


def test_a_dead_job_hands_out_its_error(storage: Storage) -> None:
    job = born(storage)
    run(storage, worker(storage), Dead("timeout", None, b"error"))

    answer = storage.result(job.id, preserve=False)

    assert answer is not None
    assert (answer.state, answer.reason, answer.result) == (State.DEAD, "timeout", b"error")


def test_of_an_unknown_job_there_is_nothing(storage: Storage) -> None:
    assert storage.result(new_id(), preserve=False) is None
    assert storage.result("", preserve=True) is None


def test_a_result_belongs_to_its_queue(make_shared: Maker) -> None:
    ours, theirs = make_shared("ours"), make_shared("theirs")
    job = finished(ours)

    assert theirs.result(job, preserve=False) is None
    assert (ours.result_count(), theirs.result_count()) == (1, 0)


def test_a_requeued_job_has_no_result_until_it_ends_again(storage: Storage) -> None:
    job = finished(storage, b"old")
    storage.requeue(by_seq(row(storage, 1).seq))

    answer = storage.result(job, preserve=False)
    assert answer is not None and (answer.state, answer.result) == (State.PENDING, None)

    run(storage, worker(storage), Done(b"new"))
    answer = storage.result(job, preserve=False)
    assert answer is not None and answer.result == b"new"


def test_one_of_many_readers_gets_the_result(storage: Storage) -> None:
    ids = [finished(storage, str(n).encode()) for n in range(30)]
    barrier = threading.Barrier(6)

    def read(_: int) -> list[bytes]:
        barrier.wait()
        answers = [storage.result(job, preserve=False) for job in ids]
        return [a.result for a in answers if a is not None and a.result is not None]

    with ThreadPoolExecutor(6) as pool:
        got = [value for mine in pool.map(read, range(6)) for value in mine]

    assert sorted(got) == sorted(str(n).encode() for n in range(30))


# --- waiting for the end --------------------------------------------------------------------------


def test_waiting_for_a_final_job_takes_no_time(storage: Storage) -> None:
    assert storage.wait_for(finished(storage), None)
    assert storage.wait_for(finished(storage, None), 0)


def test_waiting_ends_with_its_time(storage: Storage) -> None:
    job = born(storage)
    begun = time.monotonic()

    assert not storage.wait_for(job.id, 0)
    assert not storage.wait_for(job.id, 0.05)

    assert 0.05 <= time.monotonic() - begun < 5


def test_waiting_for_nothing_is_an_error(storage: Storage) -> None:
    with pytest.raises(UnknownJob):
        storage.wait_for(new_id(), 1)


def test_a_waiter_wakes_when_the_job_is_final_and_not_before(storage: Storage) -> None:
    job = born(storage)
    number = worker(storage)
    with ThreadPoolExecutor(1) as pool:
        waiter = pool.submit(storage.wait_for, job.id, 20)
        run(storage, number, Retry(None, 0, 0))
        assert not waiter.done()
        run(storage, number, Done(b"value"))

        assert waiter.result(20) is True


def test_a_waiter_learns_that_the_job_was_purged(storage: Storage) -> None:
    job = born(storage)
    with ThreadPoolExecutor(1) as pool:
        waiter = pool.submit(storage.wait_for, job.id, 20)
        storage.flush()

        with pytest.raises(UnknownJob):
            waiter.result(20)


def check_version(storage: Storage, who_commits: Storage) -> None:
    storage.version()  # the first look opens a connection, which is news as well
    before = storage.version()
    who_commits.put("name", b"value")
    assert storage.version() != before


def test_the_version_is_another_one_after_a_commit(storage: Storage) -> None:
    check_version(storage, storage)


def test_the_version_shows_what_others_commit(make_shared: Maker) -> None:
    check_version(make_shared(), make_shared())


def test_jobs_that_are_over_are_told_apart_whatever_became_of_them(storage: Storage) -> None:
    done = finished(storage)
    revoked, dead, waiting, later, held = (
        born(storage, name) for name in ("revoked", "dead", "waiting", "later", "held")
    )
    number = worker(storage)
    storage.revoke(by_seq(revoked))
    storage.reschedule(by_seq(waiting, later), run_at=4e9)
    run(storage, number, Dead("failed"))
    one(storage, number)
    purged = new_id()
    asked = [job if isinstance(job, str) else job.id for job in
             (waiting, done, later, revoked, purged, held, dead)]  # fmt: skip

    assert set(storage.over(asked)) == {done, revoked.id, purged, dead.id}
    assert storage.over([]) == []


def test_a_job_of_another_queue_is_not_known_here(storage: Storage, make: Maker) -> None:
    other = make("other")
    job = born(other)

    assert (storage.over([job.id]), other.over([job.id])) == ([job.id], [])


# --- values ---------------------------------------------------------------------------------------


def test_a_value_is_read_once_and_peeked_at_will(storage: Storage) -> None:
    storage.put("name", b"\x00value")

    assert [storage.get("name", peek=True) for _ in range(2)] == [b"\x00value"] * 2
    assert [storage.get("name", peek=False) for _ in range(2)] == [b"\x00value", None]
    assert storage.get("name", peek=True) is None


def test_put_replaces(storage: Storage) -> None:
    storage.put("name", b"1")
    storage.put("name", b"")

    assert storage.get("name", peek=True) == b""


def test_put_if_empty_keeps_the_first(storage: Storage) -> None:
    assert storage.put_if_empty("name", b"1")
    assert not storage.put_if_empty("name", b"2")
    assert storage.get("name", peek=False) == b"1"
    assert storage.put_if_empty("name", b"3")


def test_a_value_leaves_after_its_time(storage: Storage, clock: Clock) -> None:
    clock.freeze()
    assert storage.put_if_empty("name", b"1", ttl=10)
    clock.jump(9.9)
    assert storage.get("name", peek=True) == b"1"
    assert not storage.put_if_empty("name", b"2", ttl=10)

    clock.jump(0.1)

    assert storage.get("name", peek=True) is None
    assert storage.get("name", peek=False) is None
    assert storage.put_if_empty("name", b"3", ttl=10)
    assert storage.get("name", peek=True) == b"3"


def test_a_value_that_was_put_has_no_time(storage: Storage, clock: Clock) -> None:
    clock.freeze()
    storage.put_if_empty("name", b"1", ttl=10)
    storage.put("name", b"2")
    clock.jump(1e6)

    assert storage.get("name", peek=True) == b"2"


def test_values_past_their_time_are_swept_out(storage: Storage, clock: Clock) -> None:
    clock.freeze()
    storage.put_if_empty("short", b"1", ttl=10)
    storage.put_if_empty("long", b"1", ttl=1000)
    storage.put("kept", b"1")
    clock.jump(10)

    assert storage.keep(Keeping())["values"] == 1
    assert storage.holding("values") == 2
    assert storage.get("kept", peek=True) == storage.get("long", peek=True) == b"1"


def test_a_counter_counts(storage: Storage) -> None:
    assert [storage.incr("n"), storage.incr("n", 5), storage.incr("n", -10)] == [1, 6, -4]
    assert storage.incr("other") == 1


def test_delete_removes_values_and_counters(storage: Storage) -> None:
    storage.put("value", b"1")
    storage.incr("counter")

    assert storage.delete("value") and storage.delete("counter")
    assert not storage.delete("value") and not storage.delete("counter")
    assert storage.incr("counter") == 1


def test_a_value_and_a_counter_of_one_name_are_two(storage: Storage) -> None:
    storage.put("name", b"value")
    assert storage.incr("name") == 1
    assert storage.get("name", peek=True) == b"value"


def test_a_counter_that_overflows_keeps_its_number(storage: Storage) -> None:
    assert storage.incr("n", 2**63 - 1) == 2**63 - 1

    with pytest.raises(StorageError):
        storage.incr("n")

    assert storage.incr("n", -1) == 2**63 - 2


def test_unread_results_and_values_are_counted(storage: Storage) -> None:
    ids = [finished(storage) for _ in range(3)]
    finished(storage, None)
    storage.put("name", b"1")
    storage.incr("counter")
    storage.result(ids[0], preserve=False)

    assert storage.result_count() == 3


def test_values_belong_to_their_queue(make_shared: Maker) -> None:
    ours, theirs = make_shared("ours"), make_shared("theirs")
    ours.put("name", b"ours")
    theirs.put("name", b"theirs")
    ours.incr("n")

    assert theirs.get("name", peek=False) == b"theirs"
    assert theirs.delete("name") is False
    assert ours.get("name", peek=True) == b"ours"
    assert theirs.incr("n") == 1


@pytest.mark.parametrize("name", ["", "a'b\"c", "\x00", "x" * 10_000, "ключ", "%_*?["])
def test_a_name_may_be_any_text(storage: Storage, name: str) -> None:
    storage.put(name, b"1")
    storage.put("neighbour", b"2")

    assert storage.get(name, peek=True) == b"1"
    assert storage.delete(name)
    assert storage.get("neighbour", peek=True) == b"2"


def together(number: int, action: Callable[[int], Any]) -> list[Any]:
    barrier = threading.Barrier(number)

    def start(thread: int) -> Any:
        barrier.wait()
        return action(thread)

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(start, range(number)))


def test_threads_that_count_together_miss_nothing(storage: Storage) -> None:
    answers = together(6, lambda _: [storage.incr("n") for _ in range(50)])

    assert sorted(n for mine in answers for n in mine) == list(range(1, 301))


def test_one_of_many_puts_into_an_empty_name(storage: Storage) -> None:
    answers = together(
        6, lambda t: [storage.put_if_empty(f"name-{n}", b"%d" % t) for n in range(30)]
    )

    assert [sum(column) for column in zip(*answers, strict=True)] == [1] * 30


def test_one_of_many_takes_a_value(storage: Storage) -> None:
    for n in range(30):
        storage.put(f"name-{n}", b"x")

    answers = together(6, lambda _: [storage.get(f"name-{n}", peek=False) for n in range(30)])

    assert [sum(v is not None for v in column) for column in zip(*answers, strict=True)] == [1] * 30


def test_a_value_that_comes_while_one_looks_is_not_handed_out_twice(
    storage: Storage, lab: Lab
) -> None:
    """The first look finds nothing; the value arrives; whatever ``get`` answers now, a value that
    it hands out must be gone."""
    with lab.after_a_look(lambda: storage.put("name", b"value")):
        first = storage.get("name", peek=False)

    assert [first, storage.get("name", peek=False)].count(b"value") == 1


def test_values_and_jobs_do_not_meet(storage: Storage) -> None:
    job = new()
    storage.put(job.id, b"value")
    storage.enqueue([job])

    assert take(storage, worker(storage))
    assert storage.get(job.id, peek=False) == b"value"
