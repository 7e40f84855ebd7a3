"""Jobs from another program come in together, each of them once."""

from __future__ import annotations

import pytest

from hueycore.model.endings import Done
from hueycore.model.flags import Revocation
from hueycore.model.jobs import NewJob, Selector
from hueycore.model.migration import Migration, OldResult, Whole
from hueycore.model.plan import Edge, Input, Plan
from hueycore.model.states import State
from hueycore.storage.base import Storage
from tests.storage.conftest import Maker
from tests.storage.kit import born, new, one, row, run, state, take, worker
from tests.storage.lab import Lab


def whole(*jobs: NewJob, plan: Plan | None = None, **given: list[Input]) -> Whole:
    places = {int(place.removeprefix("at_")): inputs for place, inputs in given.items()}
    return Whole(jobs, plan or Plan(), places, [job.payload + job.id.encode() for job in jobs])


def order(name: str, kind: str = "revoked-task") -> Revocation:
    return Revocation("elsewhere", kind, name, None, False, 0.0, "Huey")


def test_jobs_come_in_as_they_would_be_enqueued(storage: Storage, lab: Lab) -> None:
    later = 4_000_000_000.0
    jobs = [new("a", id="a", priority=2), new("b", id="b", run_at=later)]

    brought = storage.bring(Migration([whole(job) for job in jobs]))

    assert brought.outcomes == ["loaded", "loaded"]
    assert [answer.id for answer in brought.jobs] == ["a", "b"]
    first, second = (row(storage, answer) for answer in brought.jobs)
    assert (first.state, first.priority) == (State.PENDING, 2)
    assert (second.state, second.run_at) == (State.SCHEDULED, later)
    assert lab.violations() == []


def test_nothing_comes_a_second_time(storage: Storage) -> None:
    migration = Migration(
        [whole(new(id="a"))],
        [OldResult("old", State.DONE, b"1")],
        {"rate": b"2"},
        [order("mail")],
    )
    storage.bring(migration)
    run(storage, worker(storage), Done())
    storage.flush()

    again = storage.bring(migration)

    assert (again.outcomes, again.jobs) == (["known"], [])
    assert (again.results, again.values, again.revocations) == (0, 0, 0)
    assert storage.jobs(Selector()) == []


def test_another_queue_remembers_for_itself(make: Maker) -> None:
    migration = Migration([whole(new(id="a"))])
    storage = make()
    storage.bring(migration)

    assert make(queue="other").bring(migration).outcomes == ["loaded"]


def test_a_dry_run_tells_and_writes_nothing(storage: Storage, lab: Lab) -> None:
    migration = Migration([whole(new(id="a"))], [OldResult("old", State.DONE, b"1")])
    before = lab.snapshot()

    told = storage.bring(migration, dry_run=True)

    assert (told.outcomes, told.results) == (["loaded"], 1)
    assert lab.snapshot() == before


def test_jobs_that_hang_together_come_together_or_not_at_all(storage: Storage) -> None:
    born(storage, id="taken")
    plan = Plan([Edge(0, 1)])

    brought = storage.bring(
        Migration(
            [
                whole(new(id="first"), new(id="taken"), plan=plan),
                whole(new("third", id="third"), new("fourth", id="fourth"), plan=plan),
            ]
        )
    )

    assert brought.outcomes == ["exists", "loaded"]
    assert storage.result("first", preserve=True) is None
    third, fourth = brought.jobs
    assert (state(storage, third), state(storage, fourth)) == (State.PENDING, State.BLOCKED)


def test_a_stage_gets_what_was_given_before_and_what_comes_in_order(
    storage: Storage, lab: Lab
) -> None:
    given = [
        Input(0, "c:0", State.DONE, b"zero"),
        Input(2, "c:2", State.REVOKED),
        Input(3, "c:3", State.DEAD, b"error"),
    ]
    callback = new("callback", id="callback")
    brought = storage.bring(
        Migration([whole(new("member", id="m"), callback, plan=Plan([Edge(0, 1, 1)]), at_1=given)])
    )
    assert lab.violations() == []
    number = worker(storage)

    run(storage, number, Done(b"one"))

    claim = one(storage, number)
    assert (claim.id, claim.inputs) == ("callback", 4)
    assert [(got.slot, got.result) for got in storage.inputs(claim.seq)] == [
        (0, b"zero"),
        (1, b"one"),
        (2, None),
        (3, b"error"),
    ]
    assert lab.violations() == []
    assert len(brought.jobs) == 2


def test_a_result_is_that_of_a_job_which_is_over(storage: Storage, lab: Lab) -> None:
    error = {"type": "ValueError", "message": "no"}
    storage.bring(
        Migration(
            [whole(new(id="waits"))],
            [
                OldResult("good", State.DONE, b"1"),
                OldResult("bad", State.DEAD, b"metadata", error),
                OldResult("waits", State.DONE, b"of another try"),
            ],
        )
    )

    good, bad, waits = (
        storage.result(one_id, preserve=True) for one_id in ("good", "bad", "waits")
    )
    assert good and (good.state, good.result) == (State.DONE, b"1")
    assert bad and (bad.state, bad.result) == (State.DEAD, b"metadata")
    assert row(storage, bad.seq).errors[0]["message"] == "no"
    assert waits and waits.state is State.PENDING
    assert lab.violations() == []


def test_values_and_revocations_are_in_force(storage: Storage) -> None:
    storage.bring(
        Migration(
            [whole(new("mail", id="a")), whole(new("mail", id="b"))],
            values={"rate": b"2"},
            revocations=[order("a", "revoked-id")],
        )
    )

    assert storage.get("rate", peek=True) == b"2"
    assert [claim.id for claim in take(storage, worker(storage), 2)] == ["b"]


def test_a_unique_job_that_waits_already_stands_for_the_one_that_comes(
    storage: Storage, lab: Lab
) -> None:
    unique = {"unique_key": "k", "unique_until": "end", "on_conflict": "fail"}
    born(storage, id="here", **unique)
    plan = Plan([Edge(0, 1)], handlers={})

    storage.bring(
        Migration(
            [
                whole(new(id="there", **unique)),
                whole(new(id="head", **unique), new(id="tail"), plan=plan),
            ]
        )
    )

    found = {job.id for job in storage.jobs(Selector())}
    assert found == {"here", "head", "tail"}
    assert lab.violations() == []


def test_a_limit_of_pending_jobs_does_not_hold(make: Maker) -> None:
    storage = make(max_pending=1)
    jobs = [whole(new(id=str(number))) for number in range(3)]

    assert len(storage.bring(Migration(jobs)).jobs) == 3


@pytest.mark.parametrize("bad", [{"retries": -1}, {"priority": "high"}])
def test_when_one_row_is_refused_nothing_has_changed(
    storage: Storage, lab: Lab, bad: dict[str, object]
) -> None:
    before = lab.snapshot()

    with pytest.raises(Exception, match=r".+"):
        storage.bring(Migration([whole(new(id="a")), whole(new(id="b", **bad))]))

    assert lab.snapshot() == before


def test_nobody_left_anything_in_a_storage_of_our_own(storage: Storage) -> None:
    born(storage)

    assert storage.left_by_huey() == {}
