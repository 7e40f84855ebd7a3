"""Who lives and who does not: lock bytes that the kernel frees, slots that can be read after a
kill -9, and what becomes of the jobs."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from typing import Any

import pytest

from hueycore.exceptions import StorageError, StorageMoved
from hueycore.model.jobs import Recovered
from hueycore.model.states import State
from hueycore.storage.sql import workers
from hueycore.storage.sql.dialect import Registered
from hueycore.storage.sqlite import SqliteStorage, sidefile
from hueycore.storage.sqlite import alive as liveness
from hueycore.storage.sqlite.slots import FileSlots
from tests.helpers import wait_until
from tests.storage.kit import new, row, state, take, worker
from tests.storage.sql.lab import sql, write
from tests.storage.sqlite.faults.rig import Crew, Member, Plan, failing, forked, rows


def victim(
    crew: Crew, file: SqliteStorage, jobs: int = 1, started: int = 1, **fields: Any
) -> tuple[Member, int, list[int]]:
    """Another process with claims, its number and those."""
    file.enqueue([new(**fields) for _ in range(jobs)])
    member = crew.start("work", file.db.path, jobs, started)
    number, seqs = member.hear()
    return member, number, seqs


def recovered(file: SqliteStorage) -> list[Recovered]:
    """What is taken back as soon as the dead are seen to be dead."""
    return wait_until(file.recover, what="the dead are recovered")


def told(member: Member, word: str) -> Any:
    member.tell(word)
    return member.hear()


def alive(file: SqliteStorage) -> dict[int, bool]:
    return {found.id: found.alive for found in file.workers()}


# --- who lives ------------------------------------------------------------------------------------


def test_a_worker_lives_from_its_registration_until_it_leaves(file: SqliteStorage) -> None:
    number = worker(file)

    def seen_elsewhere() -> bool:
        return bool(forked(lambda: file.side().locked(number)))  # type: ignore[union-attr]

    assert alive(file) == {number: True}
    assert seen_elsewhere()

    file.unregister(number)

    assert alive(file) == {}
    assert not seen_elsewhere()


def test_a_killed_process_is_dead_at_once_and_a_living_one_is_never_recovered(
    crew: Crew, file: SqliteStorage
) -> None:
    dead, number, seqs = victim(crew, file)
    living, other, kept = victim(crew, file)
    assert alive(file) == {number: True, other: True}
    assert file.recover() == []

    dead.kill()

    wait_until(lambda: not alive(file)[number], 2)
    assert [one.job.seq for one in file.recover()] == seqs
    assert alive(file) == {other: True}
    assert state(file, kept[0]) is State.RUNNING
    assert file.recover() == []
    assert told(living, "look") == [[other, True]]


def test_looking_at_workers_never_takes_a_byte(crew: Crew, file: SqliteStorage) -> None:
    member, number, _ = victim(crew, file)
    side = file.side()
    assert side is not None
    for _ in range(3):
        file.workers()
    assert not side._held
    member.kill()
    for _ in range(3):
        assert alive(file) == {number: False}
    assert not side._held
    # Nobody holds it, so that somebody else can take it.
    assert forked(lambda: [side.lock(number), side.lock(number + 1)]) == [True, True]
    recovered(file)


def test_a_living_process_that_is_stopped_with_a_signal_keeps_its_jobs(
    crew: Crew, file: SqliteStorage
) -> None:
    member, number, _ = victim(crew, file)
    os.kill(member.pid, 19)
    try:
        assert alive(file) == {number: True}
        assert file.recover() == []
    finally:
        os.kill(member.pid, 18)


# --- what becomes of the jobs ---------------------------------------------------------------------


def test_of_a_dead_workers_jobs_only_those_that_had_started_are_charged(
    crew: Crew, file: SqliteStorage
) -> None:
    member, _, seqs = victim(crew, file, jobs=5, started=2)
    member.kill()

    found = recovered(file)

    assert [(one.job.seq, one.started, one.state) for one in found] == [
        (seq, place < 2, State.PENDING) for place, seq in enumerate(seqs)
    ]
    jobs = [row(file, seq) for seq in seqs]
    assert [job.crashes for job in jobs] == [1, 1, 0, 0, 0]
    assert [job.attempt for job in jobs] == [1, 1, 0, 0, 0]
    assert [len(job.errors) for job in jobs] == [1, 1, 0, 0, 0]
    assert {(job.claim, job.worker, job.claimed_at) for job in jobs} == {(1, None, None)}


def test_a_job_that_may_run_once_is_dead_if_it_had_started_and_waits_again_if_not(
    crew: Crew, file: SqliteStorage
) -> None:
    # Each is claimed in a group of its own commit, hence one worker for each.
    for started, expected in ((1, (State.DEAD, "crashed")), (0, (State.PENDING, None))):
        member, _, (seq,) = victim(crew, file, started=started, at_most_once=True)
        member.kill()
        recovered(file)
        job = row(file, seq)
        assert (job.state, job.reason) == expected
        assert job.crashes == started


def test_a_job_that_has_killed_too_many_workers_is_dead(crew: Crew, file: SqliteStorage) -> None:
    seq = 0
    for crash in range(1, 4):
        if crash == 1:
            member, _, (seq,) = victim(crew, file)
        else:
            member = crew.start("work", file.db.path, 1, 1)
            assert member.hear()[1] == [seq]
        member.kill()
        (found,) = recovered(file)
        assert row(file, seq).crashes == crash
        assert found.state is (State.DEAD if crash == 3 else State.PENDING)
    job = row(file, seq)
    assert (job.state, job.reason, job.attempt) == (State.DEAD, "crashed", 3)
    assert [error["type"] for error in job.errors] == ["Crashed"] * 3


def test_nothing_is_charged_to_a_worker_that_was_stopping(crew: Crew, file: SqliteStorage) -> None:
    member, _, seqs = victim(crew, file, jobs=2, started=1, max_crashes=1)
    assert told(member, "stopping") == "done"
    member.kill()

    recovered(file)

    assert [row(file, seq).crashes for seq in seqs] == [0, 0]
    # Of the one that had started nobody can say how far it got; a limit of one crash is not met.
    assert [state(file, seq) for seq in seqs] == [State.PENDING, State.PENDING]


def test_a_job_that_may_run_once_and_was_interrupted_by_a_stop_is_dead(
    crew: Crew, file: SqliteStorage
) -> None:
    member, _, (seq,) = victim(crew, file, at_most_once=True)
    assert told(member, "stopping") == "done"
    member.kill()

    recovered(file)

    job = row(file, seq)
    assert (job.state, job.reason, job.crashes) == (State.DEAD, "interrupted", 0)


def test_a_job_that_was_asked_to_stop_ends_revoked(crew: Crew, file: SqliteStorage) -> None:
    member, _, seqs = victim(crew, file, jobs=2, started=1)
    write(file, "update huey_job set cancel_requested = 1")
    member.kill()

    recovered(file)

    jobs = [row(file, seq) for seq in seqs]
    assert [(job.state, job.reason) for job in jobs] == [(State.REVOKED, "revoked")] * 2
    assert not any(job.cancel_requested for job in jobs)


def test_after_a_reboot_all_claims_count_as_started(
    crew: Crew, file: SqliteStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slots are of the time before, and may say anything."""
    member, number, seqs = victim(crew, file, jobs=3, started=1)
    member.kill()
    monkeypatch.setattr(liveness, "boot_id", lambda: "another boot")
    assert alive(file) == {number: False}

    found = recovered(file)

    assert [one.started for one in found] == [True] * 3
    assert [row(file, seq).crashes for seq in seqs] == [1] * 3


def test_after_a_reboot_nobody_lives_whatever_the_bytes_say(
    crew: Crew, file: SqliteStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, number, _ = victim(crew, file)
    write(file, "update huey_worker set boot_id = 'before'")
    assert alive(file) == {number: False}


# --- one process, several workers -----------------------------------------------------------------


def test_a_process_never_recovers_its_own_siblings(file: SqliteStorage, path: str) -> None:
    file.enqueue([new(), new()])
    first = worker(file, "first")
    take(file, first, 1)
    with closing(SqliteStorage(path)) as sibling:
        second = worker(sibling, "second")
        take(sibling, second, 1)

        assert file.recover() == sibling.recover() == []

        assert alive(file) == {first: True, second: True}
        assert sql(file, "select count(*) from huey_job where state = 'running'") == [(2,)]
        sibling.unregister(second)
    assert alive(file) == {first: True}
    file.unregister(first)


def test_using_and_closing_other_storages_of_the_file_drops_no_byte(
    crew: Crew, file: SqliteStorage
) -> None:
    member, number, _ = victim(crew, file)

    assert told(member, "neighbours") == "done"

    assert alive(file) == {number: True}
    assert file.recover() == []


def test_a_job_that_reads_the_side_file_leaves_its_worker_alive(
    crew: Crew, file: SqliteStorage
) -> None:
    """As a backup thread or a checksum in a consumer's own process does."""
    member, number, _ = victim(crew, file)

    assert told(member, "open the side file") == "done"

    assert alive(file) == {number: True}
    assert file.recover() == []
    member.kill()
    assert recovered(file)


def test_another_process_may_read_the_side_file_as_it_likes(
    crew: Crew, file: SqliteStorage, path: str
) -> None:
    _, number, _ = victim(crew, file)
    open(path + "-huey").close()  # of this process, which holds no byte
    assert alive(file) == {number: True}


def test_the_last_user_closes_the_side_file_unless_a_byte_is_held(path: str) -> None:
    first, second = SqliteStorage(path), SqliteStorage(path)
    side = first.side()
    assert side is second.side()
    number = worker(first)
    first.close()
    second.close()
    # Closed without leaving: the process lives, so its jobs are not for others.
    assert forked(lambda: sidefile.attach(path).locked(number)) is True
    with closing(SqliteStorage(path)) as third:
        assert third.side() is side
        assert alive(third) == {number: True}
        third.unregister(number)
    assert all(found is not side for found in sidefile._files.values())


def test_exec_frees_the_byte(crew: Crew, file: SqliteStorage) -> None:
    """As for a restart in place: the process has the same number and is a worker no more."""
    member, number, seqs = victim(crew, file)
    member.tell("exec")
    assert member.hear() == "done"

    assert [one.job.seq for one in recovered(file)] == seqs

    assert member.process.poll() is None
    assert number not in alive(file)
    member.tell()


# --- two recoverers -------------------------------------------------------------------------------


def test_of_many_recoverers_one_wins(crew: Crew, file: SqliteStorage, path: str) -> None:
    member, _, seqs = victim(crew, file, jobs=4, started=4)
    others = [crew.start("recover", path) for _ in range(4)]
    for other in others:
        assert other.hear() == "ready"
    member.kill()
    for other in others:
        other.tell()

    answers = [other.hear() for other in others]

    assert sorted(seq for answer in answers for seq in answer) == seqs
    assert [row(file, seq).crashes for seq in seqs] == [1] * 4
    assert file.workers() == []


def test_a_recoverer_leaves_a_worker_whose_byte_another_one_has(
    crew: Crew, file: SqliteStorage, path: str
) -> None:
    member, number, seqs = victim(crew, file)
    member.kill()
    wait_until(lambda: not alive(file)[number])
    side = file.side()
    assert side is not None
    assert side.lock(number)
    answer = forked(lambda: [one.job.seq for one in file.recover()])
    side.unlock(number)
    assert answer == []
    assert state(file, seqs[0]) is State.RUNNING
    assert [one.job.seq for one in file.recover()] == seqs


def test_a_recoverer_who_comes_late_leaves_the_byte_to_who_has_it_by_then(
    crew: Crew, file: SqliteStorage, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another janitor was first, and a sibling of this process has the number by then."""
    member, number, _ = victim(crew, file)
    member.kill()
    wait_until(lambda: not alive(file)[number])
    with closing(SqliteStorage(path)) as sibling:
        lives = file.alive.lives

        def look(dead: Registered) -> bool:
            answer = lives(dead)
            assert recovered(sibling)
            assert worker(sibling) == number
            return answer

        monkeypatch.setattr(file.alive, "lives", look)
        assert file.recover() == []
        monkeypatch.undo()

        assert alive(file) == {number: True}
        sibling.unregister(number)


def test_a_number_that_was_given_anew_meanwhile_is_not_recovered(
    crew: Crew, file: SqliteStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The janitor saw a dead worker; when it has the byte the row is another's."""
    member, number, _ = victim(crew, file)
    member.kill()
    wait_until(lambda: not alive(file)[number])
    write(file, "update huey_worker set started_at = started_at + 1")
    old = file.db.read(file._worker_rows)
    write(file, "update huey_worker set started_at = started_at + 1")
    monkeypatch.setattr(file, "_worker_rows", lambda con: old)

    assert file.recover() == []
    monkeypatch.undo()
    assert recovered(file)


def test_a_number_that_was_given_anew_is_not_its_first_owners_to_end(file: SqliteStorage) -> None:
    """In two containers both may be process 1: when a row began says whose it is."""
    number = worker(file)
    file.enqueue([new()])
    (claim,) = take(file, number)
    write(file, "update huey_worker set started_at = started_at + 1")

    file.stopping(number)
    file.unregister(number)

    (left,) = file.workers()
    assert (left.id, left.state) == (number, "running")
    assert state(file, claim.seq) == "running"


# --- the side file --------------------------------------------------------------------------------


def test_a_worker_whose_side_file_was_replaced_is_judged_by_its_process(
    crew: Crew, file: SqliteStorage, path: str
) -> None:
    member, number, seqs = victim(crew, file, jobs=2, started=1)
    file.close()
    os.unlink(path + "-huey")
    with closing(SqliteStorage(path)) as storage:
        side = storage.side()
        assert side is not None
        assert not side.locked(number), "the new file knows nothing of the old one's bytes"
        assert alive(storage) == {number: True}
        assert storage.recover() == []

        member.kill()

        found = recovered(storage)
        assert [one.started for one in found] == [True, True], "the slots went with the old file"
        assert [row(storage, seq).crashes for seq in seqs] == [1, 1]


def test_a_worker_of_another_host_whose_side_file_was_replaced_is_not_judged_by_a_number(
    crew: Crew, file: SqliteStorage, path: str
) -> None:
    """In another container that number is another process, or none."""
    _, number, _ = victim(crew, file)
    gone = crew.start("work", file.db.path, 0, 0)
    gone.kill()
    write(file, f"update huey_worker set host = 'other', pid = {gone.pid}")
    file.close()
    os.unlink(path + "-huey")
    with closing(SqliteStorage(path)) as storage:
        assert alive(storage)[number]
        assert storage.recover() == []


def test_a_consumer_notices_that_its_side_file_is_gone(file: SqliteStorage, path: str) -> None:
    number = worker(file)
    file.verify()
    os.rename(path + "-huey", path + "-moved")
    with pytest.raises(StorageMoved):
        file.verify()
    os.rename(path + "-moved", path + "-huey")
    file.verify()
    file.unregister(number)


@pytest.mark.usefixtures("faulty")
def test_a_registration_that_fails_leaves_neither_row_nor_byte(path: str) -> None:
    with closing(SqliteStorage(path)) as storage:
        side = storage.side()
        assert side is not None
        done, at = False, 0
        while not done:
            at += 1
            with failing(Plan(at=at)) as plan:
                try:
                    number = worker(storage)
                    done = not plan.failed
                    assert done, "it should have failed"
                except StorageError:
                    pass
            if not done:
                assert rows(path, "select id from huey_worker") == []
                assert not side._held
                assert not forked(lambda: any(side.locked(n) for n in range(1, 5)))
                assert storage.alive._slots == {}
        assert at > 3
        assert list(side._held) == [number]
        storage.unregister(number)


def test_a_number_whose_byte_is_held_without_a_row_is_passed_over(
    crew: Crew, file: SqliteStorage
) -> None:
    """Its owner is about to register, or about to recover the last one of that number."""
    member, number, _ = victim(crew, file)
    write(file, "update huey_job set worker = null, claimed_at = null, state = 'pending'")
    write(file, "delete from huey_worker")

    mine = worker(file)

    assert mine != number
    file.unregister(mine)
    member.kill()


def test_the_row_and_the_byte_of_a_worker_appear_together(
    file: SqliteStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever can see the row sees the byte locked."""
    seen: list[tuple[int, bool]] = []
    original = sidefile.SideFile.open_slots

    def look(self: sidefile.SideFile, number: int, count: int) -> FileSlots:
        with closing(sqlite3.connect(file.db.path)) as con:
            count_rows = con.execute("select count(*) from huey_worker").fetchone()[0]
        seen.append((count_rows, bool(forked(lambda: self.locked(number)))))
        return original(self, number, count)

    monkeypatch.setattr(sidefile.SideFile, "open_slots", look)
    number = worker(file)

    assert seen == [(0, True)], "first the byte, then the row"
    file.unregister(number)


def test_a_sibling_that_leaves_or_cannot_register_drops_no_other_byte(
    file: SqliteStorage, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each number is held by a description of its own."""
    first = worker(file, "first")
    with closing(SqliteStorage(path)) as sibling:
        second = worker(sibling, "second")
        assert forked(lambda: [file.side().locked(n) for n in (first, second)]) == [True, True]  # type: ignore[union-attr]
        sibling.unregister(second)
        assert forked(lambda: file.side().locked(first)) is True  # type: ignore[union-attr]
        monkeypatch.setattr(workers, "describe_queue", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            worker(sibling, "third")
        monkeypatch.undo()
        monkeypatch.setattr(workers, "placeholders", lambda *_: 1 / 0)  # after the mapping is made
        with pytest.raises(ZeroDivisionError):
            worker(sibling, "fourth")
        monkeypatch.undo()
    assert forked(lambda: file.side().locked(first)) is True  # type: ignore[union-attr]
    assert alive(file) == {first: True}
    file.unregister(first)


def test_a_thread_that_comes_back_late_writes_into_nobody_elses_slots(
    file: SqliteStorage, path: str
) -> None:
    number = worker(file)
    late = file.slots(number)
    file.unregister(number)
    with closing(SqliteStorage(path)) as other:
        assert worker(other) == number
        other.slots(number).start(0, 7, 1)

        late.clear(0)
        late.start(1, 8, 1)

        (found,) = other.workers()
        assert found.running == [(0, 7)]
        other.unregister(number)
