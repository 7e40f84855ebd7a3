"""Unique jobs and deterministic ids, as an application declares and calls them."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime
from typing import Any

import pytest

from hueycore import (
    CancelExecution,
    DuplicateJob,
    Huey,
    State,
    TaskWrapper,
    every,
)
from tests.helpers import ROOT, Clock, Signals, drain, job, jobs, run_one, wait_until

pytestmark = pytest.mark.feature("unique")


@pytest.fixture
def sync(huey: Huey) -> TaskWrapper[[int], int]:
    @huey.task(unique=True)
    def sync(user: int) -> int:
        return user

    return sync


def test_a_second_call_with_the_same_arguments_is_the_first(
    huey: Huey, sync: TaskWrapper[[int], int]
) -> None:
    signals = Signals(huey)

    first, again, other = sync(7), sync(user=7), sync(8)

    assert again.id == first.id != other.id
    assert again.seq == first.seq
    assert signals.names() == ["enqueued", "enqueued"]
    assert len(jobs(huey)) == 2
    drain(huey)
    assert first() == 7
    assert sync(7).id != first.id


def test_a_kept_handle_gives_the_result_of_the_job_that_runs(
    huey: Huey, sync: TaskWrapper[[int], int]
) -> None:
    sync(7)
    again = sync(7)
    drain(huey)

    assert again.get() == 7


def test_a_task_may_be_alone_whatever_its_arguments(huey: Huey) -> None:
    @huey.task(unique="task", on_conflict="fail")
    def rebuild(what: str) -> None: ...

    rebuild("a")
    with pytest.raises(DuplicateJob):
        rebuild("b")


def test_a_function_of_the_arguments_is_the_key_or_says_that_there_is_none(
    huey: Huey,
) -> None:
    @huey.task(unique=lambda user, **_: None if user == "anonymous" else user)
    def track(user: str, page: str) -> None: ...

    first = track("ann", page="/a")

    assert track("ann", page="/b").id == first.id
    assert job(huey, first).unique_key == "ann"
    assert track("anonymous", page="/a").id != track("anonymous", page="/a").id


def test_debounce(huey: Huey, clock: Clock) -> None:
    clock.freeze()
    seen: list[str] = []

    @huey.task(unique=lambda doc, _: doc, on_conflict="replace")
    def index(doc: str, text: str) -> None:
        seen.append(text)

    handles = []
    for text in ("one", "two", "three"):
        handles.append(index.schedule(("doc", text), delay=10))
        clock.jump(5)

    assert {handle.id for handle in handles} == {handles[0].id}
    assert drain(huey) == 0, "each call has put it off"
    clock.jump(6)
    drain(huey)
    assert seen == ["three"]


def test_until_its_start_the_next_may_be_enqueued_while_one_runs(huey: Huey) -> None:
    @huey.task(unique=True, unique_until="start", context=True)
    def scan(task: Any = None) -> None:
        again.append(scan().id)

    again: list[str] = []
    first = scan()
    assert scan().id == first.id
    run_one(huey)

    assert again != [first.id]
    assert job(huey, again[0]).state is State.PENDING


def test_options_of_one_call(huey: Huey) -> None:
    @huey.task()
    def send(to: str) -> None: ...

    first = send.schedule(("ann",), delay=60, unique_key="mail-ann")
    later = send.schedule(("bob",), delay=90, unique_key="mail-ann", on_conflict="replace")
    assert later.id == first.id
    with pytest.raises(DuplicateJob):
        send.s("ann", unique_key="mail-ann", on_conflict="fail").wrapper.huey.enqueue(
            send.s("ann", unique_key="mail-ann", on_conflict="fail")
        )
    assert huey.enqueue(send.s("cy", unique=True)).id == huey.enqueue(send.s("cy", unique=True)).id  # type: ignore[union-attr]
    assert send("cy").id != first.id


def test_one_call_may_leave_the_rule_of_its_task(huey: Huey, sync: TaskWrapper[[int], int]) -> None:
    sync(7)

    huey.enqueue(sync.s(7, unique=False))

    assert len(jobs(huey)) == 2


def test_a_parameter_of_the_function_is_not_taken_for_an_option(huey: Huey) -> None:
    @huey.task()
    def copy(name: str, unique: bool, on_conflict: str = "x") -> tuple[bool, str]:
        return unique, on_conflict

    result = copy("a", unique=True, on_conflict="overwrite")
    drain(huey)

    assert result() == (True, "overwrite")
    assert job(huey, result).unique_key is None


def test_what_cannot_be_is_refused_where_it_is_declared(huey: Huey) -> None:
    for wrong in ({"unique": "arguments"}, {"on_conflict": "keep"}, {"unique_until": "start"}):
        with pytest.raises(ValueError, match="unique"):
            huey.task(**wrong)  # type: ignore[call-overload]


def test_a_retry_of_a_unique_job_is_still_the_only_one(huey: Huey) -> None:
    @huey.task(unique=True, retries=2)
    def fail() -> None:
        raise ValueError

    first = fail()
    run_one(huey)

    assert fail().id == first.id
    run_one(huey)
    run_one(huey)
    assert job(huey, first).state is State.DEAD
    second = fail()
    assert second.id != first.id
    assert huey.retry_dead(first.id) == 0, "its key is another's now"
    assert job(huey, first).state is State.DEAD


def test_many_with_duplicates_among_them(huey: Huey, sync: TaskWrapper[[int], int]) -> None:
    results = huey.enqueue_many(sync.s(n % 3) for n in range(9))

    assert len(jobs(huey)) == 3
    assert [result.id for result in results[3:]] == [result.id for result in results[:3]] * 2


def test_a_periodic_task_that_still_waits_is_not_piled_up(huey: Huey, clock: Clock) -> None:
    from hueycore.consumer.scheduler import Scheduler

    now = clock.freeze()

    @huey.periodic_task(every(60), unique=True)
    def tick() -> None: ...

    signals = Signals(huey)
    scheduler = Scheduler(huey, periodic=True, interval=1)
    scheduler.declare()
    for _ in range(3):
        clock.jump(60)
        scheduler.step()

    assert len(jobs(huey)) == 1
    assert signals.names() == ["enqueued"]
    drain(huey)
    clock.jump(60)
    scheduler.step()
    assert len(jobs(huey)) == 2
    assert clock.now() > now


@pytest.mark.feature("context")
def test_the_deduplication_recipe(huey: Huey) -> None:
    """As Huey's documentation has it, arguments that are lists and dictionaries included."""
    ran: list[Any] = []

    @huey.pre_execute()
    def deduplicate(task: Any) -> None:
        dedup_key = f"dedup:{task.name}:{hash(task.data)}"
        if not huey.put_if_empty(dedup_key, "1"):
            raise CancelExecution("Duplicate task, skipping")

    @huey.post_execute()
    def clear_dedup(task: Any, task_value: Any, exc: Any) -> None:
        huey.delete(f"dedup:{task.name}:{hash(task.data)}")

    @huey.task()
    def work(items: list[int], options: dict[str, int]) -> None:
        ran.append(items)
        if len(ran) == 1:
            run_one(huey)  # the same call, while this one runs

    handles = [work([1], {"a": 1}) for _ in range(2)]
    run_one(huey)

    assert ran == [[1]]
    assert [job(huey, handle).state for handle in handles] == [State.DONE, State.REVOKED]
    work([1], {"a": 1})
    drain(huey)
    assert len(ran) == 2


# --- deterministic ids ----------------------------------------------------------------------------


@pytest.mark.feature("deterministic ids")
def test_an_id_of_ones_own_is_one_job_until_it_is_over(huey: Huey) -> None:
    @huey.task()
    def sync_user(user: int) -> int:
        return user

    def call(user: int) -> Any:
        return sync_user.schedule(args=(user,), delay=0, id=f"sync-user-{user}")

    first = call(7)
    assert (call(7).seq, len(jobs(huey))) == (first.seq, 1)
    drain(huey)
    second = call(7)
    assert second.seq != first.seq
    assert [row.id for row in jobs(huey)] == ["sync-user-7"], "replaced, not beside"
    other = Huey("other", url=huey.location)
    other.task()(sync_user.func).schedule(args=(7,), delay=0, id="sync-user-7")
    assert len(jobs(other)) == len(jobs(huey)) == 1
    other.close()


def test_the_handle_of_a_live_id_shows_the_job_that_is_there(huey: Huey) -> None:
    @huey.task()
    def remind(what: str) -> None: ...

    first = remind.schedule(("a",), eta=datetime(2090, 1, 1), id="mine")
    again = remind.schedule(("b",), delay=0, id="mine")

    assert again.state is State.SCHEDULED
    assert job(huey, again).run_at == job(huey, first).run_at


# --- races of processes ---------------------------------------------------------------------------

RACER = """
import json, sys
from hueycore import DuplicateJob, Huey
path, how, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
huey = Huey("app", url=path, durability="fast", allow_paths=["__main__.*"])

@huey.task(unique=True, on_conflict=how)
def sync(user):
    return user

huey.storage
print("ready", flush=True)
sys.stdin.readline()
seen = []
for user in range(rounds):
    try:
        seen.append(sync(user).seq)
    except DuplicateJob as error:
        seen.append(None)
print(json.dumps(seen), flush=True)
"""


@pytest.mark.parametrize("how", ["keep", "replace", "fail"])
def test_processes_that_call_at_once_make_one_job(huey: Huey, path: str, how: str) -> None:
    rounds = 150
    _ = huey.storage
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, path, how, str(rounds)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT / "core",
        )
        for _ in range(4)
    ]  # fmt: skip
    try:
        for racer in racers:
            assert racer.stdout is not None and racer.stdout.readline() == "ready\n"
        for racer in racers:
            assert racer.stdin is not None
            racer.stdin.write("go\n")
            racer.stdin.flush()
        answers = [json.loads(racer.communicate(timeout=60)[0]) for racer in racers]
    finally:
        for racer in racers:
            racer.kill()
            racer.wait()

    wait_until(lambda: len(jobs(huey)) == rounds)
    seqs = [row.seq for row in jobs(huey)]
    for place in range(rounds):
        got = [answer[place] for answer in answers]
        winners = {seq for seq in got if seq is not None}
        assert len(winners) == 1 and winners <= set(seqs)
        if how == "fail":
            assert got.count(None) == 3
