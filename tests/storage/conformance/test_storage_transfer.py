"""Jobs out of one storage and into another: everything arrives, and nothing leaves too early."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from hueycore.model.endings import Dead, Done, Failure
from hueycore.model.jobs import Cargo, Job, Selector
from hueycore.model.states import State
from hueycore.storage.base import Storage
from tests.helpers import Clock
from tests.storage.conftest import Maker
from tests.storage.engines import Engine
from tests.storage.kit import (
    FAILURE,
    born,
    by_seq,
    chord,
    new,
    one,
    row,
    run,
    state,
    take,
    worker,
)  # fmt: skip
from tests.storage.lab import Lab

NOW = 2_000_000_000.0
#: Columns that belong to the storage that a job is in.
LOCAL = {"seq": 0, "worker": None, "claimed_at": None, "next": None, "slot": None, "waits": 0}


def dead(storage: Storage, number: int, **fields: object) -> int:
    seq = born(storage, **fields).seq
    run(storage, number, Dead("failed", FAILURE))
    return seq


def plain(job: Job) -> Job:
    return job._replace(**LOCAL)


@pytest.fixture
def other(engine: Engine, tmp_path: Path) -> Iterator[Storage]:
    """A queue that has nothing in common with ``storage``."""
    folder = tmp_path / "other"
    folder.mkdir()
    with closing(Maker(engine, folder)) as make:
        yield make()


# --- export ---------------------------------------------------------------------------------------


def test_cargo_is_the_row_the_payload_and_the_result(storage: Storage) -> None:
    number = worker(storage)
    seq = born(storage, payload=b"\x00in").seq
    run(storage, number, Done(b"\xffout"))

    (cargo,) = storage.export(Selector())

    assert cargo == Cargo(row(storage, seq), b"\x00in", b"\xffout")


def test_export_goes_by_number_and_can_be_paged(storage: Storage) -> None:
    storage.enqueue([new(f"task-{n}", priority=n) for n in range(5)])

    first = storage.export(Selector(limit=2))
    rest = storage.export(Selector(after=first[-1].job.seq))

    assert [one.job.task for one in first + rest] == [f"task-{n}" for n in range(5)]


def test_export_takes_what_the_selector_says(storage: Storage) -> None:
    number = worker(storage)
    wanted = dead(storage, number, task="mail.send")
    dead(storage, number, task="report")
    born(storage, "mail.send")

    found = storage.export(Selector(states=(State.DEAD,), task="mail.*"))

    assert [one.job.seq for one in found] == [wanted]


def test_an_empty_storage_exports_nothing(storage: Storage) -> None:
    assert storage.export(Selector()) == []


# --- load -----------------------------------------------------------------------------------------


def test_what_was_exported_arrives_as_it_was(storage: Storage, other: Storage) -> None:
    number = worker(storage)
    born(storage, payload=b"dead", priority=3, retries=2, timeout=9.5, preview="x=1")
    run(storage, number, Dead("failed", Failure("E", "m", "trace"), result=b"error"))
    born(storage, payload=b"done")
    run(storage, number, Done(b"result"))
    born(storage, run_at=NOW)

    loaded = other.load(storage.export(Selector()))

    assert [one.outcome for one in loaded] == ["loaded"] * 3
    mine, theirs = storage.export(Selector()), other.export(Selector())
    assert [plain(one.job) for one in theirs] == [plain(one.job) for one in mine]
    assert [one[1:] for one in theirs] == [one[1:] for one in mine]


def test_each_job_goes_to_the_queue_that_it_names(storage: Storage, other: Storage) -> None:
    born(storage)
    (cargo,) = storage.export(Selector())

    other.load([cargo, cargo._replace(job=cargo.job._replace(queue="mail"))])

    assert [row.queue for row in other.queues()] == ["huey", "mail"]
    assert [job.queue for job in other.jobs(Selector())] == ["huey", "mail"]


def test_pending_means_now_with_a_clean_slate(
    storage: Storage, other: Storage, clock: Clock
) -> None:
    clock.freeze(NOW)
    number = worker(storage)
    dead(storage, number, payload=b"again", expires_at=NOW + 10)
    cargo = storage.export(Selector())
    clock.jump(60)

    (loaded,) = other.load(cargo, pending=True)

    job = row(other, loaded.job.seq)
    assert (job.state, job.run_at, job.reason, job.finished_at) == ("pending", NOW + 60, None, None)
    assert job.expires_at is None, "it would expire before it could run"
    assert job.errors == cargo[0].job.errors
    assert one(other, worker(other)).payload == b"again"


def test_who_ran_a_job_and_the_class_of_its_error_come_along(
    storage: Storage, other: Storage
) -> None:
    failure = Failure("Sold", "out", "", "shop.errors.Sold")
    born(storage)
    run(storage, worker(storage, "box-1"), Dead("failed", failure))

    (loaded,) = other.load(storage.export(Selector()))

    job = row(other, loaded.job.seq)
    assert (job.ran_by, job.errors[0]["class"]) == ("box-1", "shop.errors.Sold")


def test_a_running_job_arrives_as_pending(storage: Storage, other: Storage) -> None:
    born(storage)
    one(storage, worker(storage))

    (loaded,) = other.load(storage.export(Selector()))

    assert state(other, loaded.job.seq) is State.PENDING


def test_an_id_that_exists_is_kept_or_replaced(storage: Storage) -> None:
    number = worker(storage)
    seq = dead(storage, number, payload=b"old")
    (cargo,) = storage.export(Selector())
    newer = cargo._replace(payload=b"new")

    for how in ("keep", "fail"):
        (answer,) = storage.load([newer], if_exists=how)
        assert (answer.job.seq, answer.outcome) == (seq, "exists")
        assert storage.payload(seq) == b"old"
    (answer,) = storage.load([newer], if_exists="replace")

    assert answer.outcome == "loaded"
    assert storage.payload(answer.job.seq) == b"new"
    assert storage.count(Selector()) == 1


def test_a_running_job_is_never_replaced(storage: Storage) -> None:
    born(storage)
    cargo = storage.export(Selector())
    claim = one(storage, worker(storage))

    (answer,) = storage.load(cargo, if_exists="replace")

    assert answer.outcome == "exists"
    assert state(storage, claim) is State.RUNNING


def test_two_jobs_of_one_unique_key_never_wait_together(storage: Storage) -> None:
    number = worker(storage)
    unique = {"unique_key": "nightly", "unique_until": "end"}
    first, second = (dead(storage, number, **unique) for _ in range(2))
    cargo = storage.export(by_seq(first, second))
    storage.discard([one.job for one in cargo])

    answers = storage.load(cargo, pending=True)

    assert [answer.outcome for answer in answers] == ["loaded", "duplicate"]


def test_loading_is_all_or_nothing(storage: Storage) -> None:
    from hueycore.exceptions import StorageError

    born(storage)
    (cargo,) = storage.export(Selector())
    good = cargo._replace(job=cargo.job._replace(id="good"))
    bad = cargo._replace(job=cargo.job._replace(id="bad", retries=-1))

    with pytest.raises(StorageError):
        storage.load([good, bad])

    assert [job.id for job in storage.jobs(Selector())] == [cargo.job.id]


# --- discard --------------------------------------------------------------------------------------


def test_discard_deletes_what_was_seen_and_counts_it(storage: Storage) -> None:
    number = worker(storage)
    seq, kept = dead(storage, number), dead(storage, number)

    gone = storage.discard([row(storage, seq)])

    assert [job.seq for job in gone] == [seq]
    assert [job.seq for job in storage.jobs(Selector())] == [kept]
    assert storage.payload(seq) is None
    assert storage.queues()[0].purged == 1


def test_a_job_that_died_again_meanwhile_stays(storage: Storage) -> None:
    number = worker(storage)
    seq = dead(storage, number)
    seen = row(storage, seq)
    storage.requeue(by_seq(seq))
    assert storage.discard([seen]) == []
    run(storage, number, Dead("failed", FAILURE))

    assert storage.discard([seen]) == []
    assert [job.seq for job in storage.discard([row(storage, seq)])] == [seq]


def test_discard_never_takes_what_lives(storage: Storage) -> None:
    seq = born(storage).seq

    assert storage.discard([row(storage, seq)]) == []


def test_discard_leaves_what_a_waiting_job_needs(storage: Storage) -> None:
    (parent, _), _ = chord(storage, 2)
    run(storage, worker(storage), Done(b"needed"))

    assert storage.discard([row(storage, parent.seq)]) == []


# --- requeue, as dead letters need it -------------------------------------------------------------


def test_jobs_run_again_one_after_the_other(storage: Storage, clock: Clock) -> None:
    clock.freeze(NOW)
    number = worker(storage)
    seqs = [dead(storage, number) for _ in range(3)]

    storage.requeue(by_seq(*seqs), apart=0.5)

    assert [row(storage, seq).run_at for seq in seqs] == [NOW, NOW + 0.5, NOW + 1]
    assert [state(storage, seq) for seq in seqs] == ["pending", "scheduled", "scheduled"]
    assert len(take(storage, number, free=9)) == 1


def test_reset_gives_back_the_retries_that_were_used_up(storage: Storage, lab: Lab) -> None:
    number = worker(storage)
    seq = dead(storage, number)
    lab.set(seq, attempt=4, claim=4, retries=0)

    storage.requeue(by_seq(seq), reset=True)
    job = row(storage, seq)

    assert (job.attempt, job.retries) == (0, 3)


def test_a_crash_used_up_no_retry(storage: Storage, lab: Lab) -> None:
    number = worker(storage)
    seq = dead(storage, number)
    lab.set(seq, attempt=3, claim=3, retries=2, crashes=3, reason="crashed")

    storage.requeue(by_seq(seq), reset=True)

    assert row(storage, seq).retries == 2
