"""Log lines, progress and the event log: what is written down is true, and stays bounded."""

from __future__ import annotations

import os

import pytest

from hueycore.exceptions import StorageError
from hueycore.model.endings import (
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
from hueycore.model.events import Event, EventQuery, LogLine, Said
from hueycore.model.jobs import Claim, Ended, Selector, Want
from hueycore.model.retention import Keeping
from hueycore.model.schedules import Periodic
from hueycore.model.states import MOVES, VERBS, WORKERS, State
from hueycore.storage.base import Storage
from tests.helpers import Clock
from tests.storage.conftest import Maker
from tests.storage.kit import (
    DAY,
    FAILURE,
    born,
    by_seq,
    end,
    ended,
    new,
    one,
    pipeline,
    row,
    run,
    state,
    worker,
)
from tests.storage.lab import Lab

NOW = 2_000_000_000.0


def lines(*messages: str) -> list[LogLine]:
    return [LogLine(NOW, "INFO", message) for message in messages]


def messages(storage: Storage, seq: int, after: int = 0) -> list[str]:
    return [line.message for line in storage.log(seq, after)]


def events(storage: Storage, **query: object) -> list[Event]:
    """Without those of workers."""
    found = storage.events(EventQuery(**query))  # type: ignore[arg-type]
    return [event for event in found if event.signal not in WORKERS]


def signals(storage: Storage, **query: object) -> list[str]:
    return [event.signal for event in events(storage, **query)]


# --- log lines ------------------------------------------------------------------------------------


def test_lines_keep_their_order_their_attempt_and_their_numbers(storage: Storage) -> None:
    job = born(storage, retries=1)
    number = worker(storage)
    first = one(storage, number)
    storage.note([(first, Said(None, lines("a", "b")))])
    storage.note([(first, Said("50%", lines("c")))])
    end(storage, number, first, Retry(None, 0, 0, FAILURE))
    second = one(storage, number)
    storage.note([(second, Said(None, lines("d")))])

    found = storage.log(job.seq)

    assert [(line.line, line.attempt, line.message) for line in found] == [
        (1, 1, "a"), (2, 1, "b"), (3, 1, "c"), (4, 2, "d"),
    ]  # fmt: skip
    assert found[0] == LogLine(NOW, "INFO", "a", 1, 1)
    assert messages(storage, job.seq, after=2) == ["c", "d"]
    assert row(storage, job).progress == "50%"


def test_many_runs_share_one_note(storage: Storage) -> None:
    storage.enqueue([new(), new()])
    claims = storage.exchange(worker(storage), [], Want(2)).claims

    storage.note([(claim, Said(f"{claim.seq}", lines(f"of {claim.seq}"))) for claim in claims])

    assert [messages(storage, claim.seq) for claim in claims] == [["of 1"], ["of 2"]]
    assert [row(storage, claim).progress for claim in claims] == ["1", "2"]


@pytest.mark.parametrize(
    ("ending", "after"),
    [(Done(), State.DONE), (Dead("failed", FAILURE), State.DEAD), (Released(), State.PENDING)],
)
def test_what_is_left_comes_with_the_ending(storage: Storage, ending: Ending, after: State) -> None:
    job = born(storage)
    number = worker(storage)
    claim = one(storage, number)
    storage.note([(claim, Said("half", lines("a")))])

    over = ended(claim, ending)._replace(said=Said("whole", lines("b")))
    storage.exchange(number, [over], Want(0))

    assert messages(storage, job.seq) == ["a", "b"]
    assert (row(storage, job).progress, state(storage, job)) == ("whole", after)


def test_a_run_that_lost_its_claim_says_nothing_more(storage: Storage, lab: Lab) -> None:
    job = born(storage)
    number = worker(storage)
    zombie = one(storage, number)
    lab.bury(number)
    claim = one(storage, worker(storage))
    storage.note([(claim, Said("mine", lines("mine")))])

    storage.note([(zombie, Said("old", lines("old")))])
    over = ended(zombie)._replace(said=Said("old", lines("old")))
    answer = storage.exchange(number, [over], Want(0))

    assert answer.lost == [over]
    assert (messages(storage, job.seq), row(storage, job).progress) == (["mine"], "mine")


def test_a_job_keeps_its_newest_lines(storage: Storage, lab: Lab) -> None:
    job = born(storage)
    claim = one(storage, worker(storage))
    said = [f"line {number}" for number in range(1, lab.kept_lines + 3)]

    storage.note([(claim, Said(None, lines(*said[:2])))])
    storage.note([(claim, Said(None, lines(*said[2:])))])

    assert [(line.line, line.message) for line in storage.log(job.seq)] == [*enumerate(said[2:], 3)]


def test_lines_go_with_their_job(storage: Storage, lab: Lab) -> None:
    job = born(storage)
    number = worker(storage)
    claim = one(storage, number)
    storage.exchange(number, [ended(claim)._replace(said=Said(None, lines("a")))], Want(0))

    storage.purge(by_seq(job))

    assert storage.log(job.seq) == []
    assert lab.count("lines") == 0


# --- events: moves of jobs ------------------------------------------------------------------------


@pytest.fixture
def recorded(make: Maker) -> Storage:
    return make(events=True)


#: An ending, what it is called, and what the event says besides.
ENDINGS: list[tuple[Ending, str, str | None, str | None]] = [
    (Done(b"1"), "complete", None, None),
    (Retry(None, 0, 0, FAILURE), "retrying", "ValueError: no", None),
    (Retry(NOW * 2, 0, 0, FAILURE), "retrying", "ValueError: no", None),
    (Dead("failed", FAILURE), "error", "ValueError: no", "failed"),
    (Dead("timeout", FAILURE), "timeout", "ValueError: no", "timeout"),
    (Dead("rate-limited", FAILURE), "rate-limited", "ValueError: no", "rate-limited"),
    (Dead("locked", FAILURE), "locked", "ValueError: no", "locked"),
    (Snoozed(NOW * 2, FAILURE), "retrying", "ValueError: no", None),
    (Released(), "released", None, None),
    (Revoked("canceled", None, FAILURE), "canceled", "ValueError: no", "canceled"),
    (Revoked(), "revoked", None, "revoked"),
    (Expired(), "expired", None, None),
]


@pytest.mark.parametrize(("ending", "signal", "error", "reason"), ENDINGS)
def test_each_ending_is_an_event(
    recorded: Storage, ending: Ending, signal: str, error: str | None, reason: str | None
) -> None:
    job = born(recorded, "mail.send", retries=1)
    number = worker(recorded, "box-1")
    claim = one(recorded, number)

    recorded.exchange(number, [Ended(claim, ending, claim.run_at, 1.5)], Want(0))

    assert signals(recorded) == ["enqueued", "claimed", signal]
    last = events(recorded)[-1]
    assert (last.seq, last.id, last.task, last.queue) == (job.seq, job.id, "mail.send", "huey")
    assert (last.worker, last.error, last.reason, last.jobs) == ("box-1", error, reason, None)
    assert last.run_s == (1.5 if error or signal == "complete" else None)


def test_an_old_error_is_not_said_of_a_later_move(recorded: Storage) -> None:
    born(recorded, retries=1)
    number = worker(recorded)
    run(recorded, number, Retry(None, 0, 0, FAILURE))
    run(recorded, number, Released())
    run(recorded, number, Done())

    assert [(event.signal, event.error) for event in events(recorded)] == [
        ("enqueued", None), ("claimed", None), ("retrying", "ValueError: no"),
        ("claimed", None), ("released", None), ("claimed", None), ("complete", None),
    ]  # fmt: skip


@pytest.mark.parametrize("stopping", [False, True])
def test_what_a_death_did_is_an_event(make: Maker, recorded: Storage, stopping: bool) -> None:
    recorded.enqueue([new(max_crashes=9), new()])
    number = worker(recorded, "box-1")
    started, _ = recorded.exchange(number, [], Want(2)).claims
    recorded.slots(number).start(0, started.seq, started.claim)
    if stopping:
        recorded.stopping(number)

    make.lab(recorded).bury(number)

    told = {event.seq: (event.signal, event.worker) for event in events(recorded)[4:]}
    assert told == {1: ("interrupted", "box-1"), 2: ("released", "box-1")}


def test_waiting_jobs_that_move_are_events(recorded: Storage, clock: Clock) -> None:
    clock.freeze(NOW)
    job = born(recorded, run_at=NOW + 60, expires_at=NOW + 600)
    clock.jump(60)
    recorded.promote()
    recorded.reschedule(by_seq(job), run_at=NOW + 300)
    recorded.revoke(by_seq(job), "not wanted")
    recorded.requeue(by_seq(job), run_at=NOW + 100)
    clock.jump(3600)
    recorded.expire()

    assert signals(recorded) == [
        "scheduled", "enqueued", "scheduled", "revoked", "scheduled", "expired",
    ]  # fmt: skip
    assert [event.reason for event in events(recorded, signals=("revoked",))] == ["not wanted"]


def test_stages_that_follow_are_events(recorded: Storage) -> None:
    pipeline(recorded, 3)
    number = worker(recorded)
    before = len(events(recorded))
    run(recorded, number)
    run(recorded, number, Dead("failed", FAILURE))

    told = [(event.seq, event.signal, event.reason) for event in events(recorded)[before:]]

    assert told == [
        (1, "claimed", None), (1, "complete", None), (2, "enqueued", None), (2, "claimed", None),
        (2, "error", "failed"), (3, "revoked", "upstream"),
    ]  # fmt: skip


def test_a_job_that_exists_is_no_event(recorded: Storage) -> None:
    born(recorded, id="mine")

    recorded.enqueue([new(), new(id="mine"), new()])

    assert [event.id for event in events(recorded)].count("mine") == 1
    assert signals(recorded) == ["enqueued"] * 3
    assert [event.seq for event in events(recorded)] == [
        job.seq for job in recorded.jobs(Selector())
    ]


def test_jobs_that_are_brought_in_are_events(make: Maker, recorded: Storage) -> None:
    other = make("other")
    born(other)
    run(other, worker(other), Dead("failed", FAILURE))
    born(other)
    cargo = other.export(Selector(queues=("other",)))
    other.flush()

    recorded.load([one._replace(job=one.job._replace(queue="huey")) for one in cargo])

    assert signals(recorded, queues=("huey",)) == ["loaded", "enqueued"]


def test_a_transaction_that_fails_leaves_no_event(make: Maker, recorded: Storage) -> None:
    born(recorded)
    lab = make.lab(recorded)
    before = lab.snapshot()

    with pytest.raises(StorageError):
        recorded.enqueue([new(), new(retries=-1)])

    assert lab.snapshot() == before


def test_every_event_has_a_name_that_is_documented(recorded: Storage) -> None:
    assert {signal for _, signal, _, _ in ENDINGS} <= set(MOVES)
    assert not set(MOVES) & set(VERBS)
    assert not set(WORKERS) & {*MOVES, *VERBS}


# --- events of workers ----------------------------------------------------------------------------


def of_workers(storage: Storage) -> list[tuple[str, str | None, int | None]]:
    found = storage.events(EventQuery(signals=WORKERS))
    return [(event.signal, event.worker, event.jobs) for event in found]


def test_workers_that_start_and_stop_are_events(recorded: Storage) -> None:
    number = recorded.register(name="box-1", kind="thread", slots=2)
    holder = recorded.register(name="box-2", kind="holder", slots=1)
    recorded.unregister(holder)
    recorded.stopping(number)
    recorded.unregister(number)

    assert of_workers(recorded) == [
        ("worker-started", "box-1", None), ("worker-stopped", "box-1", None),
    ]  # fmt: skip
    event = recorded.events(EventQuery(signals=WORKERS))[0]
    where = f"thread, process {os.getpid()} on {os.uname().nodename}"
    assert (event.queue, event.seq, event.task, event.reason) == ("huey", None, None, where)


@pytest.mark.parametrize("stopping", [False, True])
def test_a_worker_that_died_is_an_event_with_the_jobs_that_it_left(
    make: Maker, recorded: Storage, stopping: bool
) -> None:
    recorded.enqueue([new(max_crashes=9), new()])
    number = worker(recorded, "box-1")
    recorded.exchange(number, [], Want(2))
    if stopping:
        recorded.stopping(number)

    make.lab(recorded).bury(number)

    assert of_workers(recorded) == [("worker-started", "box-1", None), ("worker-died", "box-1", 2)]


def test_workers_are_recorded_where_that_is_switched_on(make: Maker) -> None:
    storage = make()
    number = worker(storage)
    storage.record_events(True)
    storage.unregister(number)
    storage.record_events(False)
    storage.unregister(worker(storage))

    assert of_workers(storage) == [("worker-stopped", "worker", None)]


# --- switching ------------------------------------------------------------------------------------


def test_nothing_is_recorded_unless_asked_for(make: Maker) -> None:
    storage = make()
    born(storage)

    assert (signals(storage), storage.queues()[0].events) == ([], False)
    assert storage.record_events(True) and not storage.record_events(True)
    run(storage, worker(storage))
    assert (signals(storage), storage.queues()[0].events) == (["claimed", "complete"], True)
    assert storage.record_events(False) and not storage.record_events(False)
    born(storage)
    assert signals(storage) == ["claimed", "complete"]


def test_a_process_that_runs_records_from_the_moment_another_switches_it_on(
    make_shared: Maker,
) -> None:
    mine, other = make_shared(), make_shared()
    born(mine)
    other.record_events(True)
    run(mine, worker(mine))
    other.record_events(False)
    born(mine)

    assert signals(other) == ["claimed", "complete"]


def test_opening_without_a_word_leaves_the_switch_alone(make_shared: Maker) -> None:
    make_shared(events=True)
    assert make_shared().queues()[0].events is True
    assert make_shared(events=False).queues()[0].events is False


def test_each_queue_has_its_switch(make_shared: Maker) -> None:
    one_, two = make_shared("one", events=True), make_shared("two")
    born(one_)
    born(two)
    assert [event.queue for event in events(one_)] == ["one"]

    two.record_events(True)
    one_.record_events(False)
    born(one_)
    born(two)

    assert [event.queue for event in events(one_)] == ["one", "two"]
    assert signals(two, queues=("two",)) == ["enqueued"]


# --- asking ---------------------------------------------------------------------------------------


def test_a_query_narrows(recorded: Storage) -> None:
    jobs = [born(recorded, task) for task in ("mail.send", "mail.drop", "report")]
    run(recorded, worker(recorded))
    every = events(recorded)

    assert [event.event for event in every] == sorted(event.event for event in every)
    assert [event.seq for event in events(recorded, task="mail.*")] == [1, 2, 1, 1]
    assert signals(recorded, key=jobs[0].id) == signals(recorded, key="1")
    assert signals(recorded, key="1") == ["enqueued", "claimed", "complete"]
    assert signals(recorded, signals=("claimed", "complete")) == ["claimed", "complete"]
    assert events(recorded, after=every[2].event) == every[3:]
    assert events(recorded, limit=2) == every[:2]
    assert events(recorded, limit=2, newest=True) == every[-2:]
    assert events(recorded, since=every[0].at + 3600) == events(recorded, until=1.0) == []
    assert events(recorded, since=every[0].at - 1, until=every[-1].at) == every


def test_old_events_leave_by_age_and_by_number(make: Maker, recorded: Storage) -> None:
    recorded.enqueue([new() for _ in range(10)])
    make.lab(recorded).age_events(8 * DAY, first=3)

    assert recorded.keep(Keeping(batch=2))["events"] == 2
    assert recorded.keep(Keeping(batch=2))["events"] == 1
    assert recorded.keep(Keeping(batch=2))["events"] == 0
    assert [event.seq for event in events(recorded)] == [4, 5, 6, 7, 8, 9, 10]
    assert recorded.keep(Keeping(event_count=4))["events"] == 3
    assert [event.seq for event in events(recorded)] == [7, 8, 9, 10]
    assert recorded.clear("events", limit=3) == 3
    assert [event.seq for event in events(recorded)] == [10]


def test_the_events_of_another_queue_are_not_ours_to_prune(make_shared: Maker) -> None:
    one_, two = make_shared("one", events=True), make_shared("two", events=True)
    born(one_)
    born(two)
    make_shared.lab(one_).age_events(1000 * DAY)

    two.keep(Keeping())

    assert [event.queue for event in events(one_)] == ["one"]


# --- events: what operators do --------------------------------------------------------------------


def test_every_verb_of_an_operator_is_signed(make: Maker) -> None:
    storage = make(operator="ann@box")
    job = born(storage, "mail.send")
    storage.reschedule(by_seq(job), priority=5, reason="hurry")
    storage.revoke(by_seq(job), "stop")
    storage.requeue(by_seq(job))
    claim: Claim = one(storage, number := worker(storage))
    storage.revoke(by_seq(job))
    storage.call_off(by_seq(job))
    end(storage, number, claim)
    storage.pause(reason="deploy")
    storage.resume()
    storage.pause(task="mail.send")
    storage.resume(task="mail.send")
    storage.set_revocation("revoked-task", "mail.send")
    storage.clear_revocation("revoked-task", "mail.send")
    storage.purge(by_seq(job))
    storage.put("key", b"value")
    storage.clear("values")
    storage.record_events(True)
    storage.record_events(False)
    storage.flush()

    # The last verb has deleted what came before it.
    assert [(event.signal, event.worker) for event in events(storage)] == [("flush", "ann@box")]


def test_a_signature_says_what_was_done_to_which_job_and_why(make: Maker) -> None:
    storage = make(operator="ann@box")
    jobs = [born(storage, "mail.send") for _ in range(3)]
    storage.revoke(by_seq(jobs[0]), "alone")
    storage.revoke(by_seq(*jobs[1:]), "together")
    storage.revoke(by_seq(*jobs), "too late")
    storage.pause(reason="deploy")
    storage.pause(task="mail.send")
    storage.purge(Selector())

    told = [
        (event.signal, event.seq, event.task, event.jobs, event.reason) for event in events(storage)
    ]

    assert told == [
        ("revoke", 1, "mail.send", 1, "alone"),
        ("revoke", None, None, 2, "together"),
        ("pause", None, None, None, "deploy"),
        ("pause", None, "mail.send", None, None),
        ("purge", None, None, 3, None),
    ]
    assert {event.worker for event in events(storage)} == {"ann@box"}
    assert set(signals(storage)) <= set(VERBS)


def test_a_lock_that_an_operator_takes_from_its_holder_is_signed(make: Maker) -> None:
    storage = make(operator="ann@box")
    number = worker(storage)
    storage.lock("nightly", number, b"token")
    storage.unlock("nightly", b"token")
    assert events(storage) == [], "its own holder gives it back"
    storage.lock("nightly", number, b"token")

    assert storage.unlock("nightly")
    assert not storage.unlock("nightly")

    (told,) = events(storage)
    assert (told.signal, told.task, told.worker, told.jobs) == (
        "unlock",
        "nightly",
        "ann@box",
        None,
    )


def test_verbs_of_programs_are_not_signed(storage: Storage) -> None:
    job = born(storage)
    storage.pause()
    storage.revoke(by_seq(job))
    storage.purge(by_seq(job))

    assert events(storage) == []


# --- what an operator finds in a row --------------------------------------------------------------


def test_of_runs_that_are_put_back_one_after_another_the_last_one_says_why(
    storage: Storage,
) -> None:
    job = born(storage, retries=3)
    number = worker(storage)

    def told() -> list[tuple[str, bool]]:
        return [(error["message"], error["counted"]) for error in row(storage, job).errors]

    run(storage, number, Retry(None, 2, 0, FAILURE))
    for place in range(30):
        run(storage, number, Snoozed(1.0, Failure("RateLimitExceeded", f"wait {place}", "")))
        storage.promote()
    assert told() == [("no", True), ("wait 29", False)]

    run(storage, number, Retry(None, 1, 0, FAILURE))
    assert told() == [("no", True), ("wait 29", False), ("no", True)]


def test_a_run_that_a_stop_cut_off_says_so(storage: Storage, lab: Lab) -> None:
    job = born(storage)
    number = worker(storage, "box-1")
    claim = one(storage, number)
    storage.slots(number).start(0, claim.seq, claim.claim)
    storage.stopping(number)

    lab.bury(number)

    (error,) = row(storage, job).errors
    assert (error["type"], error["worker"], error["counted"]) == ("Interrupted", "box-1", False)
    assert (state(storage, job), row(storage, job).crashes) == (State.PENDING, 0)


def test_an_exchange_says_which_endings_became_a_revocation(storage: Storage) -> None:
    storage.enqueue([new(retries=1) for _ in range(4)])
    number = worker(storage)
    claims = storage.exchange(number, [], Want(4)).claims
    storage.revoke(by_seq(*claims[:3]))

    again = Retry(None, 0, 0, FAILURE)
    endings = [ended(claims[0], again), ended(claims[1]), ended(claims[2], Dead("failed", FAILURE)),
               ended(claims[3], again)]  # fmt: skip
    answer = storage.exchange(number, endings, Want(0))

    assert (answer.stopped, answer.lost) == ([endings[0]], [])
    assert [state(storage, claim) for claim in claims] == ["revoked", "done", "dead", "pending"]


def test_a_request_to_stop_can_be_called_off(storage: Storage) -> None:
    storage.enqueue([new(retries=1), new()])
    number = worker(storage)
    claims = storage.exchange(number, [], Want(2)).claims
    storage.revoke(by_seq(claims[0]))

    changed = storage.call_off(by_seq(*claims))

    assert ([job.seq for job in changed.changed], [job.seq for job, _ in changed.failed]) == (
        [1], [2],
    )  # fmt: skip
    assert storage.cancel_requested([1, 2]) == []
    end(storage, number, claims[0], Retry(None, 0, 0, FAILURE))
    assert state(storage, claims[0]) == "pending"


def test_schedules_that_an_operator_changes_are_signed(make: Maker) -> None:
    storage = make(operator="ann@box")
    storage.schedule_periodic(Periodic("nightly", "task", "0 3 * * *", None, NOW))
    storage.pause_periodic(["nightly"], by="ann@box", reason="deploy")
    storage.resume_periodic(["nightly", "nobody"])
    storage.remove_periodic("nightly")
    storage.remove_periodic("nightly")

    assert [(event.signal, event.task, event.reason) for event in events(storage)] == [
        ("schedule", "nightly", None), ("pause", "nightly", "deploy"), ("resume", "nightly", None),
        ("unschedule", "nightly", None),
    ]  # fmt: skip
    assert set(signals(storage)) <= set(VERBS)
