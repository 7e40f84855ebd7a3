"""A whole queue out of one storage and into another: equal, at one moment, and never by halves."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from hueycore.model.endings import Done
from hueycore.model.jobs import Cargo, Job, Selector
from hueycore.model.limits import Limit
from hueycore.model.plan import Edge, Plan
from hueycore.model.records import Record
from hueycore.model.states import State
from hueycore.storage.base import Storage
from hueycore.storage.protocol.transfer import Mark
from tests.helpers import Clock
from tests.storage import mixed
from tests.storage.conftest import Maker
from tests.storage.engines import Engine
from tests.storage.kit import (
    born,
    by_seq,
    chord,
    new,
    one,
    pipeline,
    row,
    run,
    state,
    worker,
)  # fmt: skip

NOW = 2_000_000_000.0
ALL = Selector()


@pytest.fixture
def other(engine: Engine, tmp_path: Path) -> Iterator[Storage]:
    """A queue that has nothing in common with ``storage``."""
    folder = tmp_path / "other"
    folder.mkdir()
    with closing(Maker(engine, folder)) as make:
        yield make()


def dumped(storage: Storage, selector: Selector = ALL) -> list[Cargo]:
    return [one for page in storage.dump(selector) for one in page if isinstance(one, Cargo)]


def records(storage: Storage) -> dict[tuple[str, str], Record]:
    pages = storage.dump(Selector(), records=True)
    found = [one for page in pages for one in page if isinstance(one, Record)]
    return {(one.kind, one.name): one for one in found}


def jobs(storage: Storage) -> list[Job]:
    return [one.job for one in dumped(storage)]


def by_task(storage: Storage, task: str) -> Job:
    (found,) = storage.jobs(Selector(task=task))
    return found


# --- everything -----------------------------------------------------------------------------------


def test_everything_arrives_and_both_come_to_the_same_end(storage: Storage, other: Storage) -> None:
    number = mixed.fill(storage, 400, time.time() + 9e5)

    mixed.load(other, storage.dump(Selector(), records=True))

    assert mixed.difference(storage, other) == ""
    assert other.examine(full=True) == []
    storage.unregister(number)
    for each in (storage, other):
        mixed.drain(each)
    assert mixed.ends(storage) == mixed.ends(other)


def test_loading_the_same_again_changes_nothing(storage: Storage, other: Storage) -> None:
    mixed.fill(storage, 100, time.time() + 9e5)
    mixed.load(other, storage.dump(Selector(), records=True))

    for page in storage.dump(Selector(), records=True):
        cargo = [one for one in page if isinstance(one, Cargo)]
        assert {one.outcome for one in other.load(cargo)} <= {"exists"}

    assert mixed.difference(storage, other) == ""


def test_a_dump_is_of_one_moment(make_shared: Maker) -> None:
    storage = make_shared()
    storage.enqueue([new(f"task-{n}") for n in range(200)])
    pages = storage.dump(Selector(), records=True)
    seen = [*next(pages)]

    storage.enqueue([new("late")])
    storage.revoke(Selector(task="task-199"))
    storage.put("late", b"value")
    seen += [one for page in pages for one in page]

    found = [one for one in seen if isinstance(one, Cargo)]
    assert [one.job.task for one in found] == [f"task-{n}" for n in range(200)]
    assert {one.job.state for one in found} == {State.PENDING}
    assert not [one for one in seen if isinstance(one, Record) and one.kind == "value"]


def test_a_dump_that_is_given_up_holds_nothing(make_shared: Maker) -> None:
    storage = make_shared()
    storage.enqueue([new() for _ in range(200)])
    pages = storage.dump(Selector())
    next(pages)

    pages.close()  # type: ignore[attr-defined]

    assert len(dumped(storage)) == 200


def test_a_selection_is_dumped_in_the_order_of_numbers(storage: Storage) -> None:
    storage.enqueue([new(f"task-{n % 3}", priority=n % 7) for n in range(300)])
    chosen = Selector(queues=("huey",), states=(State.PENDING,), task="task-1")

    assert [one.job.seq for one in dumped(storage, chosen)] == [
        job.seq for job in storage.jobs(chosen)
    ]


# --- what hangs together --------------------------------------------------------------------------


def test_what_hangs_together_comes_in_one_page_at_the_place_of_its_first(storage: Storage) -> None:
    first = born(storage, "alone")
    members, callback = chord(storage, 700)
    last = born(storage, "alone")

    pages = [list(page) for page in storage.dump(Selector())]

    (whole,) = [page for page in pages if any(one.group for one in page if isinstance(one, Cargo))]
    ours = [one.job.seq for one in whole if isinstance(one, Cargo) and one.group]
    assert ours == [*(member.seq for member in members), callback.seq]
    seqs = [one.job.seq for page in pages for one in page if isinstance(one, Cargo)]
    assert seqs == [first.seq, *ours, last.seq]


def test_jobs_that_lie_between_are_dumped_once(storage: Storage) -> None:
    """Stages need not follow one another."""
    jobs = [new(f"task-{n}") for n in range(400)]
    edges = [Edge(n, n + 200) for n in range(0, 200, 2)]
    storage.enqueue(jobs, Plan(edges))

    found = [one.job.task for one in dumped(storage)]

    assert sorted(found) == sorted(job.task for job in jobs)
    assert found[:3] == ["task-0", "task-200", "task-1"]


def test_a_stage_waits_for_its_parents_in_the_new_storage(storage: Storage, other: Storage) -> None:
    pipeline(storage, 3)
    run(storage, worker(storage), Done(b"1"))

    other.load(dumped(storage))

    number = worker(other)
    claim = one(other, number)
    assert (claim.task, [given.result for given in other.inputs(claim.seq)]) == ("stage-1", [b"1"])
    assert by_task(other, "stage-2").state == "blocked"
    other.exchange(number, [mixed._ended(claim)], mixed.Want(0))
    assert one(other, number).task == "stage-2"


def test_a_handler_is_called_where_its_job_came_to(storage: Storage, other: Storage) -> None:
    from hueycore.model.endings import Dead
    from hueycore.model.pack import pack

    storage.enqueue([new()], Plan(handlers={0: pack([new("handler")], Plan())}))

    other.load(dumped(storage))
    run(other, worker(other), Dead("failed"))

    assert by_task(other, "handler").state == "pending"


def test_a_group_comes_whole_or_not_at_all(storage: Storage, other: Storage) -> None:
    members, _ = chord(storage, 3)
    cargo = dumped(storage)
    other.enqueue([new("mine", id=members[1].id)])

    loaded = other.load(cargo)

    assert [one.outcome for one in loaded] == ["exists"] * 4
    assert [job.task for job in jobs(other)] == ["mine"]
    assert {one.outcome for one in other.load(cargo, if_exists="replace")} == {"loaded"}
    assert by_task(other, "callback").waits == 3


def test_what_waits_for_a_job_that_stayed_behind_is_revoked(
    storage: Storage, other: Storage
) -> None:
    pipeline(storage, 3)
    rest = dumped(storage, Selector(task="stage-[12]"))

    other.load(rest)

    ends = {job.task: (job.state, job.reason) for job in jobs(other)}
    assert ends == dict.fromkeys(("stage-1", "stage-2"), ("revoked", "upstream"))


def test_a_result_that_was_read_is_kept_for_the_stage_that_needs_it(
    storage: Storage, other: Storage
) -> None:
    first, _ = pipeline(storage, 2)
    run(storage, worker(storage), Done(b"1"))
    storage.result(first.id, preserve=False)

    other.load(dumped(storage))

    found = other.result(first.id, preserve=False)
    assert found is not None and found.result is None
    assert [given.result for given in other.inputs(by_task(other, "stage-1").seq)] == [b"1"]


# --- states ---------------------------------------------------------------------------------------


def test_a_job_that_was_asked_to_stop_arrives_revoked(storage: Storage, other: Storage) -> None:
    first, _ = pipeline(storage, 2)
    one(storage, worker(storage))
    storage.revoke(by_seq(first))

    other.load(dumped(storage))

    assert [(job.state, job.reason) for job in jobs(other)] == [
        ("revoked", "revoked"), ("revoked", "upstream"),
    ]  # fmt: skip


def test_no_job_is_lost_to_its_key(storage: Storage, other: Storage) -> None:
    unique = {"unique_key": "k", "unique_until": "start"}
    born(storage, "runs", **unique)
    one(storage, worker(storage))
    born(storage, "waits", **unique)

    other.load(dumped(storage))

    assert {job.task: job.state for job in jobs(other)} == {"runs": "pending", "waits": "pending"}


def test_blocked_jobs_keep_their_order(storage: Storage, other: Storage, clock: Clock) -> None:
    clock.freeze(NOW)
    storage.declare_limits([Limit("t", "k", 1)])
    born(storage, "t", key_name="k", id="first")
    clock.jump(1)
    born(storage, "t", key_name="k", id="second")
    clock.jump(9)

    other.load(dumped(storage))

    assert [(job.id, job.run_at) for job in jobs(other)] == [("first", NOW), ("second", NOW + 1)]


def test_log_lines_and_numbers_of_attempts_come_along(storage: Storage, other: Storage) -> None:
    mixed.fill(storage, 20, time.time() + 9e5)
    done = storage.job("done-0")
    assert done is not None

    other.load(dumped(storage))

    copy = other.job("done-0")
    assert copy is not None
    assert [line.message for line in other.log(copy.seq)] == ["says done-0"]
    assert (copy.attempt, copy.claim, copy.progress) == (1, 1, "half")


# --- records --------------------------------------------------------------------------------------


def test_a_record_that_exists_is_kept_or_replaced(storage: Storage, other: Storage) -> None:
    storage.put("name", b"theirs")
    other.put("name", b"mine")
    value = records(storage)["value", "name"]

    assert other.load_records([value]) == ["exists"]
    assert other.get("name", peek=True) == b"mine"
    assert other.load_records([value], if_exists="fail") == ["exists"]
    assert other.load_records([value], if_exists="replace") == ["loaded"]
    assert other.get("name", peek=True) == b"theirs"


def test_a_pause_comes_over_to_a_queue_that_is_there(storage: Storage, other: Storage) -> None:
    born(other)
    storage.pause(by="ann", reason="moving")

    other.load_records([*records(storage).values()])

    (queue,) = other.queues()
    assert (queue.paused_by, queue.pause_reason) == ("ann", "moving")
    assert other.exchange(worker(other), [], mixed.Want(1)).claims == []


def test_a_lock_is_shown_and_not_loaded(storage: Storage, other: Storage) -> None:
    storage.lock("nightly", worker(storage), b"token")
    lock = records(storage)["lock", "nightly"]

    assert other.load_records([lock]) == ["left"]
    assert not other.is_locked("nightly")


def test_what_is_over_is_left(storage: Storage, other: Storage, clock: Clock) -> None:
    clock.freeze(NOW)
    storage.set_revocation("revoked-task", "mail", until=NOW + 5)
    storage.put_if_empty("name", b"value", 5)
    found = records(storage)
    clock.jump(6)

    assert other.load_records([found["revoked-task", "mail"], found["value", "name"]]) == [
        "left", "left",
    ]  # fmt: skip


def test_records_are_those_of_the_queues_that_are_asked_for(make_shared: Maker) -> None:
    storage, mail = make_shared(), make_shared("mail")
    storage.put("name", b"value")
    mail.put("name", b"value")

    pages = storage.dump(Selector(queues=("mail",)), records=True)

    assert {one.queue for page in pages for one in page if isinstance(one, Record)} == {"mail"}


# --- marks ----------------------------------------------------------------------------------------


def test_a_mark_is_set_with_its_jobs_and_lasts_until_the_end(
    storage: Storage, other: Storage
) -> None:
    from hueycore.exceptions import StorageError

    born(storage)
    (cargo,) = dumped(storage)
    bad = cargo._replace(job=cargo.job._replace(retries=-1))
    with pytest.raises(StorageError):
        other.load([bad], mark=Mark("dump", "1"))
    assert other.mark("dump") is None

    other.load([cargo], mark=Mark("dump", "2"))
    other.load([], mark=Mark("other", "7"))
    assert (other.mark("dump"), other.mark("other")) == ("2", "7")
    other.load([], mark=Mark("dump", None))
    assert (other.mark("dump"), other.mark("other")) == (None, "7")
    other.flush()
    assert other.mark("other") is None


# --- discard --------------------------------------------------------------------------------------


def test_what_waits_is_discarded_when_it_is_meant(storage: Storage) -> None:
    waiting, changed = born(storage), born(storage)
    seen = [row(storage, waiting), row(storage, changed)]
    storage.reschedule(by_seq(changed), priority=3)

    gone = storage.discard(seen, waiting=True)

    assert [job.seq for job in gone] == [waiting.seq]
    assert [job.seq for job in jobs(storage)] == [changed.seq]


def test_a_running_job_is_never_discarded(storage: Storage) -> None:
    claim = one(storage, worker(storage)) if born(storage) else None
    assert claim is not None

    assert storage.discard([row(storage, claim)], waiting=True) == []


def test_what_hangs_together_is_discarded_whole_or_not_at_all(storage: Storage) -> None:
    members, callback = chord(storage, 3)
    alone = born(storage)
    run(storage, worker(storage), Done(b"1"))
    seen = jobs(storage)
    one(storage, worker(storage, "another"))

    gone = storage.discard(seen, waiting=True)

    assert [job.seq for job in gone] == [alone.seq]
    assert len(jobs(storage)) == 4
    assert callback.seq in {job.seq for job in jobs(storage)} and members


def test_a_whole_chord_is_discarded_with_what_it_has_delivered(storage: Storage) -> None:
    chord(storage, 3)
    run(storage, worker(storage), Done(b"1"))

    storage.discard(jobs(storage), waiting=True)

    assert jobs(storage) == []


def test_a_job_that_another_one_outside_needs_stays(storage: Storage) -> None:
    first, _ = pipeline(storage, 2)
    run(storage, worker(storage), Done(b"1"))

    assert storage.discard([row(storage, first)], waiting=True) == []


def test_whoever_waited_for_the_key_of_a_discarded_job_goes_on(storage: Storage) -> None:
    storage.declare_limits([Limit("t", "k", 1)])
    first, second = born(storage, "t", key_name="k"), born(storage, "t", key_name="k")
    seen = row(storage, second)
    assert (state(storage, first), seen.state) == ("pending", "blocked")

    storage.discard([row(storage, first)], waiting=True)

    assert state(storage, second) == "pending"
    assert storage.discard([seen], waiting=True), "nobody has changed it"
