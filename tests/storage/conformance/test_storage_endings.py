"""What a run came to, as the transition table says: state, attempt, retries, errors, run_at."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

import pytest

from hueycore.model import histogram
from hueycore.model.endings import (
    Blocked,
    Dead,
    Done,
    Ending,
    Expired,
    Failure,
    Released,
    Retry,
    Revoked,
    Snoozed,
)
from hueycore.model.events import Said
from hueycore.model.jobs import Ended, Selector, Want
from hueycore.model.limits import Limit
from hueycore.model.pack import pack
from hueycore.model.plan import Plan
from hueycore.model.reports import Metric
from hueycore.model.states import State
from hueycore.storage.base import Storage
from tests.helpers import Clock
from tests.storage.conftest import Maker
from tests.storage.kit import (
    FAILURE,
    born,
    by_seq,
    chord,
    end,
    ended,
    new,
    one,
    row,
    run,
    state,
    take,
    worker,
)
from tests.storage.lab import Lab

NOW = 2_000_000_000.0


class Case(NamedTuple):
    """A started run of a job with retries=3, attempt 1, claim 1, that was due at NOW."""

    ending: Ending
    state: State
    attempt: int
    retries: int = 3
    run_at: float = NOW
    reason: str | None = None
    errors: int = 0
    result: bytes | None = None


CASES: dict[str, Case] = {
    "done": Case(Done(b"value"), State.DONE, 1, result=b"value"),
    "done without a result": Case(Done(), State.DONE, 1),
    "retry at once": Case(Retry(None, 2, 0, FAILURE), State.PENDING, 1, 2, NOW + 60, errors=1),
    "retry in the past": Case(Retry(NOW, 2, 0, FAILURE), State.SCHEDULED, 1, 2, NOW, errors=1),
    "retry later": Case(
        Retry(NOW + 99, 2, 8.0, FAILURE), State.SCHEDULED, 1, 2, NOW + 99, errors=1
    ),
    "retry that uses up none": Case(Retry(NOW + 99, 3, 0), State.SCHEDULED, 1, 3, NOW + 99),
    "dead": Case(
        Dead("failed", FAILURE, b"error"), State.DEAD, 1, reason="failed", errors=1, result=b"error"
    ),
    "dead without a result": Case(Dead("timeout"), State.DEAD, 1, reason="timeout"),
    "snoozed": Case(Snoozed(NOW + 99, FAILURE), State.SCHEDULED, 0, 3, NOW + 99, errors=1),
    "released": Case(Released(), State.PENDING, 0),
    "revoked": Case(Revoked("mine", b"error"), State.REVOKED, 1, reason="mine", result=b"error"),
    "expired": Case(Expired(b"error"), State.EXPIRED, 1, result=b"error"),
    "blocked": Case(Blocked("key"), State.BLOCKED, 0),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_an_ending_leaves_the_row_as_the_table_says(
    storage: Storage, clock: Clock, case: Case
) -> None:
    clock.freeze(NOW)
    job = born(storage, retries=3, retry_delay=4.0)
    number = worker(storage)
    claim = one(storage, number)
    storage.lock("key", number, b"what the blocked one waits for")
    clock.jump(60)

    answer = storage.exchange(number, [Ended(claim, case.ending, NOW + 30, 1.5)], Want(0))

    assert answer.lost == []
    found = row(storage, job)
    assert (found.state, found.attempt, found.retries) == (case.state, case.attempt, case.retries)
    assert (found.run_at, found.reason, len(found.errors)) == (
        case.run_at, case.reason, case.errors,
    )  # fmt: skip
    assert (found.claim, found.worker, found.claimed_at) == (1, None, None)
    assert found.started_at == NOW + 30
    if case.state is State.DONE:
        assert found.finished_at == NOW + 31.5
    elif case.state in (State.DEAD, State.REVOKED, State.EXPIRED):
        assert found.finished_at == NOW + 60
    else:
        assert found.finished_at is None
    assert found.taken is (None if case.result is None else False)
    stored = storage.result(job.id, preserve=True)
    assert stored is not None and stored.result == case.result
    assert found.retry_delay == (case.ending.retry_delay if type(case.ending) is Retry else 4.0)
    assert found.key_name == ("key" if type(case.ending) is Blocked else None)


@pytest.mark.parametrize("ending", [Revoked(), Expired(), Released(), Blocked("key")])
def test_a_run_that_never_began_is_no_attempt(storage: Storage, ending: Ending) -> None:
    job = born(storage)
    number = worker(storage)

    end(storage, number, one(storage, number), ending, started=False)

    found = row(storage, job)
    assert (found.attempt, found.claim, found.started_at) == (0, 1, None)


def test_a_dead_run_counts_even_when_it_never_began(storage: Storage) -> None:
    job = born(storage)
    number = worker(storage)

    end(storage, number, one(storage, number), Dead("unknown-task"), started=False)

    assert (row(storage, job).attempt, row(storage, job).reason) == (1, "unknown-task")


def test_an_error_says_when_who_and_how(storage: Storage, clock: Clock) -> None:
    clock.freeze(NOW)
    job = born(storage)
    number = worker(storage, "box-1")
    claim = one(storage, number)
    clock.jump(60)

    storage.exchange(number, [Ended(claim, Retry(None, 0, 0, FAILURE), NOW, 1.25)], Want(0))

    assert row(storage, job).errors == [
        {
            "at": NOW + 60,
            "attempt": 1,
            "type": "ValueError",
            "message": "no",
            "traceback": "Traceback: no",
            "run_s": 1.25,
            "worker": "box-1",
            "counted": True,
        }
    ]


def test_an_error_has_the_class_of_its_exception_where_one_was_raised(storage: Storage) -> None:
    job = born(storage)
    number = worker(storage)

    run(storage, number, Retry(None, 0, 0, FAILURE._replace(path="shop.errors.Sold")))
    run(storage, number, Dead("failed", FAILURE))

    assert [error.get("class") for error in row(storage, job).errors] == ["shop.errors.Sold", None]


@pytest.mark.parametrize("ending", [Done(), Dead("failed"), Retry(None, 0, 0), Revoked()])
def test_a_job_keeps_the_name_of_the_worker_that_ran_it_last(
    storage: Storage, ending: Ending
) -> None:
    job = born(storage)
    assert row(storage, job).ran_by is None
    number = worker(storage, "box-1")

    claim = one(storage, number)
    assert row(storage, job).ran_by == "box-1"
    end(storage, number, claim, ending)

    storage.unregister(number)
    assert row(storage, job).ran_by == "box-1"


def test_a_row_keeps_the_newest_25_errors(storage: Storage) -> None:
    job = born(storage)
    number = worker(storage)
    for n in range(30):
        run(storage, number, Retry(None, 0, 0, Failure("E", str(n), "")))

    assert [error["message"] for error in row(storage, job).errors] == [
        str(n) for n in range(5, 30)
    ]
    assert row(storage, job).attempt == 30


@pytest.mark.parametrize("message", ["\x00\ud800\U0001f600\"'\\", "x" * 300_000, "", "{}]["])
def test_an_error_of_any_text_is_stored(storage: Storage, message: str) -> None:
    job = born(storage)
    number = worker(storage)

    run(storage, number, Dead("failed", Failure("E", message, message)))

    assert row(storage, job).errors[0]["message"] == message


@pytest.mark.parametrize(
    "ending", [Retry(None, 2, 0, FAILURE), Snoozed(4e9), Released(), Blocked("key")]
)
def test_a_run_that_was_asked_to_stop_is_revoked_instead_of_tried_again(
    storage: Storage, ending: Ending
) -> None:
    job = born(storage, retries=3)
    number = worker(storage)
    claim = one(storage, number)
    storage.revoke(by_seq(job))

    end(storage, number, claim, ending)

    found = row(storage, job)
    assert (found.state, found.reason, found.cancel_requested) == (
        State.REVOKED, "revoked", False,
    )  # fmt: skip


def test_many_claims_are_given_back_together_each_as_it_would_be_alone(storage: Storage) -> None:
    plain = [born(storage) for _ in range(3)]
    keyed, unique = born(storage, key_name="k"), born(storage, unique_key="u", unique_until="start")
    asked, lost = born(storage), born(storage)
    number = worker(storage)
    claims = take(storage, number, 7)
    storage.revoke(by_seq(asked))
    end(storage, number, claims[-1], Released(), started=False)
    (again,) = take(storage, number)
    second = born(storage, unique_key="u", unique_until="start")

    given = [ended(claim, Released(), started=False) for claim in claims]
    answer = storage.exchange(number, given, Want(0))

    assert [one.claim.seq for one in answer.lost] == [lost.seq]
    assert [one.claim.seq for one in answer.stopped] == [asked.seq]
    waiting = [row(storage, job) for job in (*plain, keyed, unique, second)]
    assert {(found.state, found.attempt) for found in waiting} == {(State.PENDING, 0)}
    assert (row(storage, unique).unique_until, row(storage, second).unique_until) == (None, "start")
    assert (row(storage, asked).state, row(storage, asked).attempt) == (State.REVOKED, 0)
    found = row(storage, lost)
    assert (found.state, found.attempt, found.claim) == (State.RUNNING, 1, again.claim)


@pytest.mark.parametrize(
    ("ending", "after"),
    [(Done(b"x"), State.DONE), (Dead("failed"), State.DEAD), (Expired(), State.EXPIRED)],
)
def test_a_run_that_was_asked_to_stop_and_ended_first_has_ended(
    storage: Storage, ending: Ending, after: State
) -> None:
    job = born(storage)
    number = worker(storage)
    claim = one(storage, number)
    storage.revoke(by_seq(job))

    end(storage, number, claim, ending)

    assert (state(storage, job), row(storage, job).cancel_requested) == (after, False)


def test_a_snoozed_job_is_due_even_if_its_time_is_past(storage: Storage) -> None:
    job = born(storage)
    number = worker(storage)

    run(storage, number, Snoozed(5.0))

    assert state(storage, job) is State.SCHEDULED
    assert [ref.seq for ref in storage.promote()] == [job.seq]
    assert one(storage, number).attempt == 1


def test_the_latest_result_is_the_result(storage: Storage) -> None:
    job = born(storage)
    number = worker(storage)
    run(storage, number, Dead("failed", FAILURE, b"error"))
    storage.requeue(by_seq(job))
    run(storage, number, Done(b"value"))

    found = storage.result(job.id, preserve=True)
    assert found is not None and (found.state, found.result, found.reason) == (
        State.DONE, b"value", None,
    )  # fmt: skip


def test_a_group_of_every_ending_is_written_whole(storage: Storage) -> None:
    cases = list(CASES.values()) * 3
    storage.enqueue([new(retries=3) for _ in cases])
    number = worker(storage)
    claims = take(storage, number, len(cases))
    storage.lock("key", number, b"what the blocked ones wait for")

    answer = storage.exchange(
        number, [ended(c, case.ending) for c, case in zip(claims, cases, strict=True)], Want(0)
    )

    assert answer.lost == []
    assert [state(storage, claim) for claim in claims] == [
        # A time that is past in this test's world is future in the table's.
        State.SCHEDULED if case.state is State.PENDING and case.ending == Retry(NOW, 2, 0, FAILURE)
        else case.state
        for case in cases
    ]  # fmt: skip


def test_progress_is_of_the_run_that_notes_it(storage: Storage) -> None:
    job = born(storage)
    number = worker(storage)
    claim = one(storage, number)

    storage.note([(claim, Said("half"))])
    storage.note([(claim._replace(claim=claim.claim + 1), Said("of nobody"))])
    assert row(storage, job).progress == "half"

    end(storage, number, claim)
    storage.note([(claim, Said("of a zombie"))])
    assert row(storage, job).progress == "half"


def test_who_was_asked_to_stop_can_be_told_among_many(storage: Storage) -> None:
    storage.enqueue([new() for _ in range(3)])
    claims = take(storage, worker(storage), 3)
    storage.revoke(by_seq(claims[1]))

    seqs = [claim.seq for claim in claims]
    assert storage.cancel_requested(seqs) == [seqs[1]]
    assert storage.cancel_requested([]) == []
    assert storage.cancel_requested(range(10, 40_000)) == []


# --- what cannot be written -----------------------------------------------------------------------

#: Of no use to any row.
IMPOSSIBLE = [Retry(None, -1, 0, FAILURE), Retry(None, 1, Fraction(1, 3), FAILURE)]  # type: ignore[arg-type]


@pytest.mark.parametrize("ending", IMPOSSIBLE, ids=["against the rules", "of no known type"])
def test_an_ending_that_cannot_be_written_ends_its_job_dead_and_keeps_no_other_waiting(
    storage: Storage, ending: Ending
) -> None:
    storage.enqueue([new("first"), new("bad", retries=3), new("last", retries=3), new("next")])
    number = worker(storage)
    first, bad, last = take(storage, number, 3)
    endings = [
        ended(first, Done(b"1")),
        ended(bad, ending),
        ended(last, Retry(None, 2, 0, FAILURE)),
    ]

    got = storage.exchange(number, endings, Want(1))

    assert [state(storage, claim) for claim in (first, bad)] == [State.DONE, State.DEAD]
    assert (row(storage, last).state, row(storage, last).retries) == (State.PENDING, 2)
    ((unwritable, why),) = got.unwritable
    assert (unwritable, got.lost, got.stopped) == (endings[1], [], [])
    found = row(storage, bad)
    assert (found.reason, found.attempt, found.worker) == ("unwritable", 1, None)
    (error,) = found.errors
    assert error["type"] == "Unwritable" and why in error["message"]
    assert FAILURE.message in error["message"] and error["traceback"] == FAILURE.traceback
    assert [claim.task for claim in got.claims] == ["next"]


def test_what_is_wrong_with_one_row_is_wrong_with_no_other(storage: Storage, lab: Lab) -> None:
    storage.enqueue([new(retries=3), new(retries=3)])
    number = worker(storage)
    bad, good = take(storage, number, 2)
    lab.set(bad.seq, errors="no json")

    again = Retry(None, 2, 0, FAILURE)
    storage.exchange(number, [ended(bad, again), ended(good, again)], Want(0))

    assert [state(storage, claim) for claim in (bad, good)] == [State.DEAD, State.PENDING]
    assert row(storage, bad).reason == "unwritable"


def test_what_cannot_be_read_of_a_dead_worker_keeps_no_other_job_with_it(
    make_shared: Maker,
) -> None:
    storage = make_shared()
    lab = make_shared.lab(storage)
    storage.enqueue([new(), new()])
    number = worker(storage)
    bad, good = take(storage, number, 2)
    for slot, claim in enumerate((bad, good)):
        storage.slots(number).start(slot, claim.seq, claim.claim)
    lab.set(bad.seq, errors="no json")

    recovered = lab.bury(number)

    assert [one.state for one in recovered] == [State.DEAD, State.PENDING]
    assert (row(storage, bad).reason, state(storage, good)) == ("unwritable", State.PENDING)


def test_who_waits_for_an_ending_that_cannot_be_written_learns_of_it(storage: Storage) -> None:
    members, callback = chord(storage, 2)
    number = worker(storage)
    bad, good = take(storage, number, 2)

    storage.exchange(number, [ended(bad, IMPOSSIBLE[0]), ended(good, Done(b"1"))], Want(0))

    assert [state(storage, member) for member in members] == [State.DEAD, State.DONE]
    assert state(storage, callback) is State.PENDING
    assert [one.state for one in storage.inputs(callback.seq)] == [State.DEAD, State.DONE]


@pytest.mark.parametrize("spoilt", [False, True])
def test_the_handler_is_called_if_it_can_be_read(storage: Storage, lab: Lab, spoilt: bool) -> None:
    handler = pack([new("handler")], Plan([]))
    (job,) = storage.enqueue([new()], Plan([], handlers={0: handler}))
    number = worker(storage)
    claim = one(storage, number)
    if spoilt:
        lab.spoil_handlers()

    ending = Dead("failed", FAILURE) if spoilt else IMPOSSIBLE[0]
    storage.exchange(number, [ended(claim, ending)], Want(0))

    assert (row(storage, job).state, row(storage, job).reason) == (State.DEAD, "unwritable")
    assert storage.count(Selector(task="handler")) == (0 if spoilt else 1)


def test_no_ending_waits_for_figures_that_cannot_be_read(storage: Storage, lab: Lab) -> None:
    storage.enqueue([new(), new()])
    number = worker(storage)
    run(storage, number)
    lab.spoil_figures()
    storage.metrics(0)

    claim = run(storage, number)

    assert state(storage, claim) is State.DONE
    assert [(line.done, sum(line.run_hist.values())) for line in storage.metrics(0)] == [(2, 1)]


def test_of_those_that_meet_one_key_in_an_exchange_the_first_in_order_goes_on(
    storage: Storage,
) -> None:
    storage.declare_limits([Limit("task", "key", 1)])
    number = worker(storage)
    first, second = born(storage), born(storage)
    claims = take(storage, number, 2)

    storage.exchange(number, [Ended(claim, Blocked("key")) for claim in claims[::-1]], Want(0))

    assert (state(storage, first), state(storage, second)) == (State.PENDING, State.BLOCKED)


# --- metrics --------------------------------------------------------------------------------------


def metric(storage: Storage, at: float, task: str) -> Metric:
    """What ended of a task in the minute of a time."""
    (line,) = (line for line in storage.metrics(0) if (line.minute, line.task) == (at // 60, task))
    return line


def test_endings_are_counted_per_minute_and_task(storage: Storage, clock: Clock) -> None:
    clock.freeze(NOW)
    number = worker(storage)
    endings: list[Callable[[], Ending]] = [
        Done, Done, lambda: Retry(None, 0, 0), lambda: Dead("failed"), Revoked, Expired,
        Released, lambda: Snoozed(4e9), lambda: Blocked("key"),
    ]  # fmt: skip
    for n, ending in enumerate(endings):
        born(storage, "counted", priority=-n)
        claim = one(storage, number)
        storage.exchange(number, [Ended(claim, ending(), NOW + 2, 0.25)], Want(0))
    born(storage, "other")
    run(storage, number)

    line = metric(storage, NOW, "counted")

    counted = (line.done, line.retried, line.dead, line.revoked, line.expired)
    assert counted == (2, 1, 1, 1, 1)
    assert line.run_s == pytest.approx(1.5)
    assert line.run_max == 0.25
    assert line.run_hist == {histogram.bucket(0.25): 6}
    assert line.wait_hist == {histogram.bucket(2): 6}
    assert metric(storage, NOW, "other").done == 1


def test_another_minute_is_another_line(storage: Storage, clock: Clock) -> None:
    clock.freeze(NOW)
    number = worker(storage)
    for _ in range(2):
        born(storage)
        run(storage, number)
        clock.jump(60)

    assert [metric(storage, NOW + n * 60, "task").done for n in range(2)] == [1, 1]


def test_a_lost_ending_is_not_counted(storage: Storage) -> None:
    born(storage)
    number = worker(storage)
    claim = one(storage, number)
    end(storage, number, claim, Released())

    end(storage, number, claim)
    end(storage, number, claim, Dead("failed"))

    assert [(line.done, line.dead) for line in storage.totals()] in ([(0, 0)], [])


def test_a_run_that_never_began_has_no_duration(storage: Storage, clock: Clock) -> None:
    clock.freeze(NOW)
    born(storage)
    number = worker(storage)

    end(storage, number, one(storage, number), Expired(), started=False)

    line = metric(storage, NOW, "task")
    assert (line.expired, line.run_hist, line.wait_hist) == (1, {}, {})
