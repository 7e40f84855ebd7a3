"""What is old leaves by written rules, in small batches, counted; dead letters by age alone."""

from __future__ import annotations

import pytest

from hueycore.model.endings import Dead, Done, Ending, Expired, Revoked
from hueycore.model.jobs import Selector
from hueycore.model.retention import Keeping
from hueycore.model.states import State
from hueycore.storage.base import Storage
from tests.helpers import Clock
from tests.storage.conftest import Maker
from tests.storage.kit import (
    DAY,
    FAILURE,
    born,
    by_seq,
    end,
    new,
    one,
    pipeline,
    row,
    run,
    take,
    worker,
)
from tests.storage.lab import Lab

NOW = 2_000_000_000.0
HOUR = 3600.0


def finish(storage: Storage, number: int, *endings: Ending, **fields: object) -> list[int]:
    seqs = []
    for ending in endings:
        seqs.append(born(storage, **fields).seq)
        run(storage, number, ending)
    return seqs


def left(storage: Storage) -> set[int]:
    return {job.seq for job in storage.jobs(Selector())}


@pytest.mark.feature("retention")
def test_finished_jobs_leave_after_a_day_and_dead_letters_after_thirty(
    storage: Storage, lab: Lab, clock: Clock
) -> None:
    clock.freeze(NOW)
    number = worker(storage)
    done, *_, dead = finish(
        storage, number, Done(), Done(b"unread"), Revoked(), Expired(), Dead("failed", FAILURE)
    )
    clock.jump(DAY + 60)

    gone = storage.keep(Keeping())

    assert (gone["done-age"], gone["revoked-age"], gone["expired-age"]) == (2, 1, 1)
    assert left(storage) == {dead}
    assert storage.payload(done) is None
    assert lab.results() == {}
    clock.jump(28 * DAY)
    assert sum(storage.keep(Keeping()).values()) == 1  # the line of the metrics
    clock.jump(DAY)
    assert storage.keep(Keeping())["dead-age"] == 1
    assert left(storage) == set()
    assert storage.queues()[0].purged == 5


def test_what_is_young_or_alive_stays(storage: Storage, clock: Clock) -> None:
    clock.freeze(NOW)
    number = worker(storage)
    finish(storage, number, Done(), Revoked(), Expired(), Dead("failed"))
    born(storage)
    take(storage, number)
    storage.enqueue([new(), new(run_at=NOW + 1e9)])
    clock.jump(DAY - 60)

    assert sum(storage.keep(Keeping()).values()) == 0
    assert len(left(storage)) == 7


def test_dead_letters_never_leave_by_number(storage: Storage) -> None:
    number = worker(storage)
    dead = finish(storage, number, *[Dead("failed", FAILURE)] * 20)
    done = finish(storage, number, *[Done()] * 20)

    gone = storage.keep(Keeping(done_count=5))

    assert gone["done-count"] == 15
    assert left(storage) == {*dead, *done[15:]}


def test_dead_letters_do_not_leave_with_the_time_of_their_result(
    storage: Storage, clock: Clock
) -> None:
    clock.freeze(NOW)
    number = worker(storage)
    (dead,) = finish(storage, number, Dead("failed", FAILURE, b"error"), result_ttl=60.0)
    clock.jump(29 * DAY)

    storage.keep(Keeping())

    assert left(storage) == {dead}


def test_above_the_number_the_oldest_finished_jobs_leave(storage: Storage, clock: Clock) -> None:
    clock.freeze(NOW)
    number = worker(storage)
    done = []
    for _ in range(10):
        done += finish(storage, number, Done())
        clock.jump(1)

    assert storage.keep(Keeping(done_count=4))["done-count"] == 6
    assert left(storage) == set(done[6:])
    assert storage.keep(Keeping(done_count=4))["done-count"] == 0


def test_an_unread_result_does_not_leave_by_number(storage: Storage) -> None:
    number = worker(storage)
    unread, read, none = finish(storage, number, Done(b"1"), Done(b"2"), Done())
    storage.result(row(storage, read).id, preserve=False)

    assert storage.keep(Keeping(done_count=0))["done-count"] == 2
    assert left(storage) == {unread}
    assert storage.job(str(none)) is None


@pytest.mark.feature("retention")
def test_an_unread_result_leaves_after_the_tasks_own_time(storage: Storage, clock: Clock) -> None:
    clock.freeze(NOW)
    number = worker(storage)
    (short,) = finish(storage, number, Done(b"1"), result_ttl=HOUR)
    (read,) = finish(storage, number, Done(b"2"), result_ttl=60.0)
    (unlimited,) = finish(storage, number, Done(b"3"))
    storage.result(row(storage, read).id, preserve=False)
    clock.jump(HOUR - 1)
    assert storage.keep(Keeping())["result-ttl"] == 0
    clock.jump(2)

    assert storage.keep(Keeping())["result-ttl"] == 1
    assert left(storage) == {read, unlimited}
    assert storage.job(str(short)) is None


@pytest.mark.feature("retention")
def test_a_result_that_a_waiting_stage_needs_leaves_only_after_that(
    storage: Storage, clock: Clock
) -> None:
    clock.freeze(NOW)
    parent, child = pipeline(storage, 2, result_ttl=60.0)
    number = worker(storage)
    run(storage, number, Done(b"1"))
    clock.jump(HOUR)
    assert storage.keep(Keeping())["result-ttl"] == 0
    assert [given.result for given in storage.inputs(child.seq)] == [b"1"]

    run(storage, number)

    assert storage.keep(Keeping())["result-ttl"] == 1
    assert left(storage) == {child.seq}
    assert storage.job(str(parent.seq)) is None


def test_a_batch_bounds_what_one_call_deletes(storage: Storage, clock: Clock) -> None:
    clock.freeze(NOW)
    number = worker(storage)
    finish(storage, number, *[Done()] * 25)
    clock.jump(2 * DAY)

    assert [storage.keep(Keeping(batch=10))["done-age"] for _ in range(4)] == [10, 10, 5, 0]


def test_more_than_one_transaction_deletes_leaves_in_several(
    storage: Storage, lab: Lab, clock: Clock
) -> None:
    clock.freeze(NOW)
    number = worker(storage)
    jobs = storage.enqueue([new() for _ in range(450)])
    for claim in take(storage, number, 450):
        end(storage, number, claim)
    clock.jump(2 * DAY)
    before = lab.commits()

    assert storage.keep(Keeping())["done-age"] == len(jobs)

    assert left(storage) == set()
    assert lab.commits() - before >= 3


def test_a_job_that_is_put_back_while_a_rule_looks_stays(
    storage: Storage, lab: Lab, clock: Clock
) -> None:
    clock.freeze(NOW)
    first, _ = finish(storage, worker(storage), Done(), Done())
    clock.jump(2 * DAY)

    with lab.after_a_look(lambda: storage.requeue(Selector(keys=(str(first),)))):
        assert storage.keep(Keeping())["done-age"] == 1

    assert left(storage) == {first}
    assert row(storage, first).state is State.PENDING


def test_a_job_that_is_put_back_while_a_purge_looks_stays(storage: Storage, lab: Lab) -> None:
    first, _ = finish(storage, worker(storage), Done(), Done())

    with lab.after_a_look(lambda: storage.requeue(Selector(keys=(str(first),)))):
        assert storage.purge(Selector()) == 1

    assert left(storage) == {first}


def test_what_has_run_out_leaves_in_batches(storage: Storage, clock: Clock) -> None:
    clock.freeze(NOW)
    for name in "abcde":
        storage.put_if_empty(name, b"value", ttl=10)
    clock.jump(60)

    assert [storage.keep(Keeping(batch=2))["values"] for _ in range(4)] == [2, 2, 1, 0]


def test_metrics_and_flags_leave_after_a_week(storage: Storage, lab: Lab, clock: Clock) -> None:
    clock.freeze(NOW)
    number = worker(storage)
    finish(storage, number, Done())
    storage.set_revocation("revoked-id", "never-came")
    storage.set_revocation("revoked-task", "for ever")
    storage.set_revocation("revoked-task", "for a day", until=NOW + DAY)
    storage.pause(task="paused")
    clock.jump(6 * DAY)
    gone = storage.keep(Keeping())
    assert (gone["metrics"], gone["flags"]) == (0, 1)
    clock.jump(2 * DAY)

    gone = storage.keep(Keeping())

    assert (gone["metrics"], gone["flags"]) == (1, 1)
    flags = {(flag.kind, flag.name) for flag in storage.revocations()}
    assert flags == {("revoked-task", "for ever"), ("paused-task", "paused")}
    assert lab.count("flags") == 2


def test_purge_deletes_what_is_selected_and_final(storage: Storage, lab: Lab) -> None:
    number = worker(storage)
    first, second, dead = finish(storage, number, Done(b"1"), Done(), Dead("failed", FAILURE))
    waiting = born(storage)

    assert storage.purge(Selector(states=(State.DONE,))) == 2
    assert left(storage) == {dead, waiting.seq}
    assert storage.purge(by_seq(waiting)) == 0
    assert storage.purge(Selector()) == 1
    assert storage.queues()[0].purged == 3
    assert lab.payloads() == {waiting.seq: b"payload"}
    assert first < second


def test_purge_deletes_at_most_its_limit(storage: Storage) -> None:
    number = worker(storage)
    finish(storage, number, *[Done()] * 5)

    assert [storage.purge(Selector(), limit=2) for _ in range(4)] == [2, 2, 1, 0]


def test_purges_are_counted_for_the_queue_whose_jobs_they_were(make_shared: Maker) -> None:
    ours, theirs = make_shared("ours"), make_shared("theirs")
    finish(ours, worker(ours), Done(), Done())
    finish(theirs, worker(theirs), Done())

    assert ours.purge(Selector()) == 3

    assert {queue.queue: queue.purged for queue in ours.queues()} == {"ours": 2, "theirs": 1}


def test_rules_keep_to_their_own_queue(make_shared: Maker, clock: Clock) -> None:
    clock.freeze(NOW)
    ours, theirs = make_shared("ours"), make_shared("theirs")
    finish(theirs, worker(theirs), Done(), Dead("failed"))
    theirs.set_revocation("revoked-id", "x")
    theirs.put_if_empty("name", b"1", ttl=1)
    clock.jump(365 * DAY)

    assert sum(ours.keep(Keeping(done_count=0)).values()) == 0


def test_flush_deletes_everything_of_one_queue(make_shared: Maker) -> None:
    ours, theirs = make_shared("ours"), make_shared("theirs")
    for storage in (ours, theirs):
        number = worker(storage)
        finish(storage, number, Done(b"1"), Dead("failed"))
        storage.enqueue([new(), new(run_at=4e9)])
        take(storage, number)
        storage.put("name", b"1")
        storage.set_revocation("revoked-task", "bad")
    before = theirs.count(Selector(queues=("theirs",)))

    ours.flush()

    assert ours.count(Selector(queues=("ours",))) == 0
    assert theirs.count(Selector(queues=("theirs",))) == before == 4
    assert ours.result_count() == 0
    assert ours.revocation("revoked-task", "bad") is None
    assert theirs.get("name", peek=True) == b"1"
    assert len(make_shared.lab(ours).payloads()) == 4


def test_a_run_whose_job_was_flushed_has_lost_its_claim(storage: Storage) -> None:
    born(storage)
    number = worker(storage)
    claim = one(storage, number)
    storage.flush()
    born(storage)

    assert len(end(storage, number, claim, Done(b"late")).lost) == 1
    assert storage.count(Selector(states=(State.PENDING,))) == 1


def test_flush_deletes_more_than_one_batch(storage: Storage) -> None:
    storage.enqueue([new() for _ in range(10_500)])

    storage.flush()

    assert storage.count(Selector()) == 0


def test_the_rounds_of_a_janitor_change_nothing(make: Maker) -> None:
    storage = make()
    born(storage)

    storage.leave_checkpoints_to_janitor()
    storage.checkpoint()
    storage.verify()

    assert storage.count(Selector()) == 1
