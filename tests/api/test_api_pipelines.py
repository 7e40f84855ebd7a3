"""Pipelines: each stage is a job from the start, and is called with the value of the one before."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hueycore import (
    ConfigurationError,
    Huey,
    JSONSerializer,
    Pipeline,
    Result,
    ResultGroup,
    Task,
    TaskException,
    group,
)
from hueycore.model.jobs import Selector
from hueycore.model.retention import Keeping
from hueycore.model.states import State
from tests.helpers import Clock, Gate, consuming, drain, job, jobs, run_one, states, wait_until
from tests.storage.engines import lab_of

NOW = 2_000_000_000.0


@pytest.fixture
def add(huey: Huey) -> Any:
    @huey.task()
    def add(a: int, b: int) -> int:
        return a + b

    return add


@pytest.fixture
def show(huey: Huey) -> Any:
    @huey.task()
    def show(*args: Any, **kwargs: Any) -> Any:
        return repr((args, kwargs))

    return show


@pytest.fixture
def boom(huey: Huey) -> Any:
    @huey.task()
    def boom(*args: Any) -> None:
        raise ValueError("no")

    return boom


def values(handles: ResultGroup | None) -> list[Any]:
    assert handles is not None
    return handles.get()


@pytest.mark.feature("pipeline")
def test_each_stage_is_called_with_the_value_of_the_one_before(huey: Huey, add: Any) -> None:
    handles = huey.enqueue(add.s(1, 2).then(add, 3).then(add, 4).then(add, 5))

    assert states(huey) == {"pending": 1, "blocked": 3}
    assert drain(huey) == 4
    assert isinstance(handles, ResultGroup)
    assert values(handles) == [3, 6, 10, 15]
    assert states(huey) == {"done": 4}


@pytest.mark.feature("pipeline")
def test_a_consumer_runs_a_pipeline(huey: Huey, add: Any) -> None:
    handles = (add.s(1, 2) | add.s(3) | add.s(4))()

    with consuming(huey, workers=2):
        assert handles is not None and handles.get(blocking=True, timeout=10) == [3, 6, 10]


def test_a_line_a_bar_and_a_list_of_then_are_the_same(huey: Huey, add: Any) -> None:
    made: list[Callable[[], Any]] = [
        lambda: add.s(1, 2) | add.s(3) | add.s(4),
        lambda: add.s(1, 2).then(add.s(3)).then(add, 4),
        lambda: add.s(1, 2) | add.s(3).then(add, 4),
        lambda: (add.s(1, 2) | add.s(3)).then(add.s(), 4),
        lambda: add.s(1, 2).then(add, 3).then(add, b=4),
        lambda: Pipeline([add.s(1, 2), add.s(3), add.s(4)]),
    ]
    handles = [huey.enqueue(one()) for one in made]
    drain(huey)
    # b=4 is a keyword, and the value comes after no argument: a.
    assert [values(one) for one in handles] == [[3, 6, 10]] * len(made)


def test_a_bar_makes_a_new_pipeline_and_leaves_its_parts_as_they_are(huey: Huey, add: Any) -> None:
    head = add.s(1, 1)
    two, three = head | add.s(1), head | add.s(1) | add.s(1)

    assert values_of(huey, two) == [2, 3]
    assert values_of(huey, three) == [2, 3, 4]
    assert isinstance(huey.enqueue(head), Result)


def values_of(huey: Huey, pipeline: Any) -> list[Any]:
    handles = huey.enqueue(pipeline)
    drain(huey)
    return values(handles)


def test_as_in_huey_then_makes_the_signature_the_head_of_the_pipeline(huey: Huey, add: Any) -> None:
    head = add.s(1, 1)
    head.then(add, 1)
    head.then(add, 2)

    assert values_of(huey, head) == [2, 3, 5]


def test_a_stage_is_handed_out_with_the_value_that_it_is_called_with(huey: Huey, add: Any) -> None:
    huey.enqueue(add.s(1, 2) | add.s(4))
    run_one(huey)
    task = huey.dequeue()
    assert task is not None and task.args == (4, 3)
    assert huey.execute(task) == 7


def test_a_pipeline_enqueued_twice_runs_twice(huey: Huey, add: Any) -> None:
    pipeline = add.s(1, 1) | add.s(1)
    first, second = pipeline(), pipeline()
    drain(huey)

    assert first is not None and second is not None
    assert {one.id for one in first} & {one.id for one in second} == set()
    assert (values(first), values(second)) == ([2, 3], [2, 3])


@pytest.mark.parametrize(
    ("value", "args", "kwargs", "expected"),
    [
        (7, (), {}, ((7,), {})),
        (7, (1, 2), {"k": 3}, ((1, 2, 7), {"k": 3})),
        ((7, 8), (1,), {}, ((1, 7, 8), {})),
        ([7, 8], (1,), {}, ((1, [7, 8]), {})),
        ({"k": 7, "other": 8}, (1,), {"k": 3}, ((1,), {"k": 3, "other": 8})),
        (None, (1,), {}, ((1,), {})),
        ((), (1,), {}, ((1,), {})),
        (0, (), {}, ((0,), {})),
        ("", (), {}, (("",), {})),
        ({}, (1,), {}, ((1,), {})),
    ],
)
def test_values_are_passed_on_as_huey_does(
    huey: Huey, show: Any, value: Any, args: Any, kwargs: Any, expected: Any
) -> None:
    @huey.task()
    def give() -> Any:
        return value

    handles = huey.enqueue(give.s().then(show.s(*args, **kwargs)))
    drain(huey)

    assert values(handles)[1] == repr(expected)


def test_a_tuple_feeds_the_next_stage_by_stage(huey: Huey) -> None:
    @huey.task()
    def fib(a: int, b: int = 1) -> tuple[int, int]:
        a, b = a + b, a
        return a, b

    handles = huey.enqueue(fib.s(1).then(fib).then(fib).then(fib))
    drain(huey)

    assert values(handles) == [(2, 1), (3, 2), (5, 3), (8, 5)]


def test_lambdas_make_a_pipeline(huey: Huey) -> None:
    fetch = huey.task()(lambda seed: seed)
    transform = huey.task()(lambda x, scale: x * scale)
    store = huey.task()(lambda x: {"stored": x})

    handles = huey.enqueue(fetch.s(7).then(transform.s(3)).then(store.s()))
    drain(huey)

    assert values(handles) == [7, 21, {"stored": 21}]


def test_json_carries_values_from_stage_to_stage(path: str) -> None:
    huey = Huey("app", url=path, serializer=JSONSerializer())

    @huey.task()
    def add(a: int, b: int) -> int:
        return a + b

    handles = huey.enqueue(add.s(1, 2).then(add, 3))
    drain(huey)
    assert values(handles) == [3, 6]
    huey.close()


# --- failing --------------------------------------------------------------------------------------


@pytest.mark.feature("pipeline")
def test_a_failed_stage_stops_the_rest_and_their_handles_raise_its_error(
    huey: Huey, add: Any, boom: Any
) -> None:
    handles = huey.enqueue(add.s(1, 2) | boom.s() | add.s(3) | add.s(4))
    assert handles is not None
    drain(huey)

    first, failed, *rest = handles
    assert states(huey) == {"done": 1, "dead": 1, "revoked": 2}
    assert first.get() == 3
    for handle in rest:
        assert job(huey, handle).reason == "upstream"
        with pytest.raises(TaskException) as caught:
            handle.get(blocking=True, timeout=5)
        assert caught.value.metadata["error"] == "ValueError('no')"
        assert caught.value.metadata["task_id"] == failed.id


def test_a_handle_raises_at_once_although_nothing_is_stored_of_errors(path: str) -> None:
    huey = Huey("app", url=path, results=False)

    @huey.task()
    def boom() -> None:
        raise ValueError("no")

    assert huey.enqueue(boom.s() | boom.s()) is None
    drain(huey)
    last = Result(huey, huey.storage.jobs(Selector())[-1].id)
    with pytest.raises(TaskException) as caught:
        last.get(blocking=True, timeout=5)
    assert caught.value.metadata["error"] == "ValueError('no')"
    huey.close()


def test_a_stage_is_retried_like_any_job(huey: Huey, add: Any) -> None:
    tries = []

    @huey.task(retries=2)
    def flaky(value: int) -> int:
        tries.append(value)
        if len(tries) < 3:
            raise ValueError("not yet")
        return value

    handles = huey.enqueue(add.s(1, 2) | flaky.s() | add.s(1))
    drain(huey)

    assert tries == [3, 3, 3]
    assert values(handles) == [3, 3, 4]


@pytest.mark.feature("pipeline")
def test_retrying_the_dead_stage_restores_what_came_after_it(huey: Huey, add: Any) -> None:
    healthy: list[bool] = []

    @huey.task()
    def sick(value: int) -> int:
        if not healthy:
            raise ValueError("no")
        return value

    handles = huey.enqueue(add.s(1, 2) | sick.s() | add.s(1) | add.s(1))
    assert handles is not None
    drain(huey)
    assert states(huey) == {"done": 1, "dead": 1, "revoked": 2}

    healthy.append(True)
    commits = lab_of(huey.storage).commits()  # type: ignore[attr-defined]
    assert huey.retry_dead() == 1
    assert lab_of(huey.storage).commits() == commits + 1  # type: ignore[attr-defined]
    assert states(huey) == {"done": 1, "pending": 1, "blocked": 2}
    drain(huey)
    assert handles.get() == [3, 3, 4, 5]


def test_restoring_a_revoked_stage_restores_what_came_after_it(huey: Huey, add: Any) -> None:
    handles = huey.enqueue(add.s(1, 2) | add.s(1) | add.s(1))
    assert handles is not None
    _, second, third = handles
    second.revoke()
    assert [second.state, third.state] == ["revoked", "revoked"]

    assert second.restore()
    drain(huey)

    assert handles.get() == [3, 4, 5]


def test_a_stage_that_is_done_and_runs_again_delivers_nothing(huey: Huey) -> None:
    seen = []

    @huey.task()
    def note(*args: Any) -> int:
        seen.append(args)
        return len(seen)

    handles = huey.enqueue(note.s("a") | note.s("b"))
    assert handles is not None
    drain(huey)
    first, _ = handles
    huey.storage.requeue(Selector(keys=(first.id,)))
    drain(huey)

    assert seen == [("a",), ("b", 1), ("a",)]


def test_a_dead_stage_is_retried_with_the_value_of_the_one_before(huey: Huey) -> None:
    seen = []

    @huey.task()
    def give() -> str:
        return "value"

    @huey.task()
    def sick(value: str) -> None:
        seen.append(value)
        raise ValueError("no")

    handles = huey.enqueue(give.s() | sick.s())
    assert handles is not None
    drain(huey)
    first, _ = handles
    assert first.get() == "value"  # read by somebody else, for good
    huey.storage.keep(Keeping(done_age=-1))
    huey.retry_dead()
    drain(huey)

    assert seen == ["value", "value"]


def test_a_stage_whose_value_was_purged_is_not_run_without_it(huey: Huey, add: Any) -> None:
    handles = huey.enqueue(add.s(1, 2) | add.s(1))
    assert handles is not None
    drain(huey)
    first, second = handles
    assert first.get() == 3

    changed = huey.storage.requeue(Selector(keys=(second.id,)))
    assert [why for _, why in changed.failed] == ["a result that it needs was purged"]
    assert second.state is State.DONE


@pytest.mark.sql_only("results are altered in their table")
def test_a_stage_that_loses_its_value_while_it_waits_is_dead_and_stalls_nothing(
    huey: Huey, add: Any
) -> None:
    handles = huey.enqueue(add.s(1, 2) | add.s(1) | add.s(1))
    assert handles is not None
    run_one(huey)
    huey.storage.db.transact(lambda con: con.execute("delete from huey_result"))  # type: ignore[attr-defined]
    huey.storage.db.transact(
        lambda con: con.execute("update huey_job set taken = 1 where taken = 0")
    )  # type: ignore[attr-defined]
    drain(huey)

    _, second, third = handles
    assert (job(huey, second).state, job(huey, second).reason) == (State.DEAD, "unreadable")
    assert job(huey, third).reason == "upstream"


@pytest.mark.sql_only("results are altered in their table")
def test_a_value_that_the_serializer_refuses_ends_the_child_unreadable(
    huey: Huey, add: Any
) -> None:
    handles = huey.enqueue(add.s(1, 2) | add.s(1) | add.s(1))
    assert handles is not None
    run_one(huey)
    huey.storage.db.transact(  # type: ignore[attr-defined]
        lambda con: con.execute("update huey_result set result = ?", (b"\x01\x99",))
    )
    drain(huey)

    _, second, third = handles
    assert (job(huey, second).state, job(huey, second).reason) == (State.DEAD, "unreadable")
    assert third.state is State.REVOKED


def test_a_result_that_cannot_be_written_fails_its_stage(huey: Huey, show: Any) -> None:
    @huey.task()
    def lock() -> Any:
        return lambda: None

    handles = huey.enqueue(lock.s() | show.s())
    drain(huey)
    assert handles is not None
    assert [one.state for one in handles] == ["dead", "revoked"]


# --- when nothing is stored -----------------------------------------------------------------------


@pytest.mark.feature("pipeline")
def test_without_results_a_value_is_kept_for_the_next_stage_alone(path: str) -> None:
    huey = Huey("app", url=path, results=False)
    seen: list[Any] = []

    @huey.task()
    def note(*args: Any) -> Any:
        seen.append(args)
        return len(seen)

    assert huey.enqueue(note.s("a") | note.s("b") | note.s("c")) is None
    run_one(huey)
    first = huey.storage.jobs(Selector())[0]
    answer = huey.storage.result(first.id, preserve=True)
    assert answer is not None and answer.result is None
    drain(huey)

    assert seen == [("a",), ("b", 1), ("c", 2)]
    assert huey.result_count() == 0
    huey.close()


def test_a_result_that_was_read_goes_when_the_next_stage_has_used_it(huey: Huey, add: Any) -> None:
    handles = huey.enqueue(add.s(1, 2) | add.s(1))
    assert handles is not None
    run_one(huey)
    first, second = handles
    assert first.get() == 3
    assert huey.result_count() == 1
    drain(huey)

    assert huey.result_count() == 1
    assert second.get() == 4
    assert huey.result_count() == 0


def test_values_of_inner_stages_are_read_through_their_handles(huey: Huey, add: Any) -> None:
    handles = huey.enqueue(add.s(1, 2) | add.s(1) | add.s(1))
    assert handles is not None
    drain(huey)

    assert [Result(huey, one.id).get() for one in handles] == [3, 4, 5]
    assert [one.seq for one in handles] == [1, 2, 3]


# --- options of a stage ---------------------------------------------------------------------------


@pytest.mark.feature("pipeline")
def test_the_delay_of_a_stage_begins_when_it_is_its_turn(
    huey: Huey, add: Any, clock: Clock
) -> None:
    clock.freeze(NOW)
    handles = huey.enqueue(add.s(1, 2) | add.s(1, delay=30))
    assert handles is not None
    _, second = handles
    clock.jump(100)
    run_one(huey)

    assert (job(huey, second).state, job(huey, second).run_at) == (State.SCHEDULED, NOW + 130)
    clock.jump(30)
    drain(huey)
    assert handles.get() == [3, 4]


def test_the_eta_of_a_stage_is_kept_whenever_the_one_before_ends(
    huey: Huey, add: Any, clock: Clock
) -> None:
    clock.freeze(NOW)
    eta = datetime.fromtimestamp(NOW + 50, UTC)
    early, late = add.s(1, 2) | add.s(1, eta=eta), add.s(1, 2, delay=80) | add.s(1, eta=eta)
    handles = [huey.enqueue(early), huey.enqueue(late)]
    seconds = [list(one)[1] for one in handles if one is not None]
    run_one(huey)
    assert (job(huey, seconds[0]).state, job(huey, seconds[0]).run_at) == ("scheduled", NOW + 50)
    clock.jump(80)
    run_one(huey), run_one(huey)
    assert (job(huey, seconds[1]).state, job(huey, seconds[1]).run_at) == ("pending", NOW + 80)


@pytest.mark.parametrize("expires", [60, timedelta(minutes=1)])
def test_the_expiry_of_a_stage_begins_when_it_is_its_turn(
    huey: Huey, add: Any, clock: Clock, expires: Any
) -> None:
    clock.freeze(NOW)
    handles = huey.enqueue(add.s(1, 2) | add.s(1, expires=expires) | add.s(1))
    assert handles is not None
    _, second, third = handles
    clock.jump(1000)
    run_one(huey)
    assert job(huey, second).expires_at == NOW + 1060

    clock.jump(61)
    drain(huey)
    assert [second.state, third.state] == ["expired", "revoked"]
    with pytest.raises(TaskException, match="expired"):
        third.get()


def test_a_stage_has_options_of_its_own(huey: Huey, add: Any) -> None:
    handles = huey.enqueue(
        add.s(1, 2) | add.s(1, priority=9, retries=3, retry_delay=7, timeout=5, id="mine")
    )
    assert handles is not None
    row = job(huey, "mine")
    assert (row.priority, row.retries, row.retry_delay, row.timeout) == (9, 3, 7, 5)
    assert row.seq == [one.seq for one in handles][1]


def test_an_id_that_is_live_already_is_no_stage_of_another_pipeline(huey: Huey, add: Any) -> None:
    huey.enqueue(add.s(1, 2, id="mine") | add.s(1))
    with pytest.raises(ConfigurationError, match="mine"):
        huey.enqueue(add.s(1, 2, id="mine") | add.s(1))
    assert states(huey) == {"pending": 1, "blocked": 1}


def test_a_pipeline_whose_ids_are_all_live_is_not_enqueued_again(huey: Huey, add: Any) -> None:
    once = huey.enqueue(add.s(1, 2, id="a") | add.s(1, id="b"))
    again = huey.enqueue(add.s(1, 2, id="a") | add.s(1, id="b"))
    assert once is not None and again is not None
    assert [one.seq for one in again] == [one.seq for one in once]
    assert states(huey) == {"pending": 1, "blocked": 1}


# --- what goes in the middle ----------------------------------------------------------------------


@pytest.mark.feature("pipeline")
def test_a_group_in_the_middle_gets_one_value_and_gives_a_list(huey: Huey, add: Any) -> None:
    @huey.task()
    def total(numbers: list[int]) -> int:
        return sum(numbers)

    pipeline = (
        add.s(1, 2) | group([add.s(10), add.s(20), add.s(30) | add.s(100)]) | total.s() | add.s(1)
    )
    handles = huey.enqueue(pipeline)
    assert states(huey) == {"pending": 1, "blocked": 6}
    drain(huey)

    assert values(handles) == [3, 13, 23, 33, 133, 169, 170]


def test_a_group_at_the_end_gets_one_value(huey: Huey, add: Any) -> None:
    handles = huey.enqueue(add.s(1, 2).then(group([add.s(10), add.s(20)])))
    drain(huey)
    assert values(handles) == [3, 13, 23]


def test_a_failure_before_a_group_stops_its_members_and_the_callback_hears_of_each(
    huey: Huey, boom: Any, show: Any
) -> None:
    handles = huey.enqueue(boom.s() | group([show.s(1), show.s(2)]) | show.s())
    assert handles is not None
    drain(huey)

    *_, last = handles
    assert states(huey) == {"dead": 1, "revoked": 2, "done": 1}
    assert last.get().count("Error(ValueError('no'))") == 2


def test_the_value_before_a_group_is_kept_until_each_member_has_used_it(
    huey: Huey, add: Any
) -> None:
    handles = huey.enqueue(add.s(1, 2) | group([add.s(10), add.s(20)]))
    assert handles is not None
    first, *_ = handles
    run_one(huey)
    assert first.get() == 3
    run_one(huey)
    assert huey.storage.purge(Selector(keys=(first.id,))) == 0
    drain(huey)
    assert [one.get() for one in list(handles)[1:]] == [13, 23]
    assert huey.storage.purge(Selector(keys=(first.id,))) == 1


@pytest.mark.parametrize(
    ("whole", "why"),
    [
        (lambda t: group([t.s()]) | group([t.s()]).then(t) | t.s(), None),
        (lambda t: t.s() | group([t.s(), t.s()]) | group([t.s(), t.s()]) | t.s(), "after a group"),
        (lambda t: t.s() | group([]) | t.s(), "without members"),
        (lambda t: group([t.s() | group([t.s()])]).then(t), "member of a chord"),
        (lambda t: t.s() | 3, "is no task"),
        (lambda t: group([t.s()]).then(group([]), 1), "takes no arguments"),
    ],
)
def test_what_cannot_be_joined_is_refused(
    huey: Huey, show: Any, whole: Callable[[Any], Any], why: str | None
) -> None:
    if why is None:
        assert huey.enqueue(whole(show)) is not None
        return
    with pytest.raises((ValueError, TypeError), match=why):
        huey.enqueue(whole(show))
    assert states(huey) == {}


# --- sizes ----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.feature("pipeline")
def test_two_thousand_stages_run(huey: Huey, add: Any) -> None:
    pipeline = add.s(0, 1)
    for _ in range(1999):
        pipeline.then(add, 1)
    handles = huey.enqueue(pipeline)

    with consuming(huey, workers=4):
        *_, last = handles
        assert last.get(blocking=True, timeout=60) == 2000
    assert states(huey) == {"done": 2000}


def test_two_thousand_stages_are_enqueued_and_revoked(huey: Huey, boom: Any) -> None:
    pipeline = boom.s()
    for _ in range(1999):
        pipeline = pipeline | boom.s()
    *_, last = huey.enqueue(pipeline)
    drain(huey)
    huey.storage.recover()  # a janitor's: not every engine revokes them all at once

    assert states(huey) == {"dead": 1, "revoked": 1999}
    with pytest.raises(TaskException, match="no"):
        last.get()
    assert huey.retry_dead() == 1
    assert states(huey) == {"pending": 1, "blocked": 1999}


def test_many_pipelines_are_enqueued_together(huey: Huey, add: Any) -> None:
    plain: Task = add.s(5, 5)
    first, second, third = huey.enqueue_many([add.s(1, 2).then(add, 3), plain, add.s(1, 1)])
    drain(huey)
    assert (first.get(), second.get(), third.get()) == ([3, 6], 10, 2)


# --- with batches, transactions of the application's, unique keys ---------------------------------


def test_pipelines_in_a_batch_are_stored_with_the_other_calls_and_keep_their_edges(
    huey: Huey,
) -> None:
    add = huey.task(name="add")(lambda a, b: a + b)

    with huey.batch() as batch:
        plain = add(1, 1)
        first = add.s(1, 2).then(add, 10)()
        second = add.s(3, 4).then(add, 20)()
        assert jobs(huey) == []
    drain(huey)

    assert len(batch) == 5
    assert plain.get() == 2
    assert first is not None
    assert first.get() == [3, 13]
    assert second is not None
    assert second.get() == [7, 27]


@pytest.mark.sql_only("there are transactions of an application's")
def test_a_pipeline_is_part_of_the_applications_transaction(huey: Huey) -> None:
    add = huey.task(name="add")(lambda a, b: a + b)
    with closing(lab_of(huey.storage).connect(autocommit=True)) as connection:
        connection.execute("begin")
        with huey.using(connection):
            add.s(1, 2).then(add, 10)()
        connection.execute("rollback")
        assert jobs(huey) == []

        connection.execute("begin")
        with huey.using(connection):
            handles = add.s(1, 2).then(add, 10)()
        connection.execute("commit")
    drain(huey)

    assert handles is not None
    assert handles.get() == [3, 13]


def test_a_revived_stage_whose_key_is_anothers_by_now_waits_beside_that_one(
    huey: Huey,
) -> None:
    fails = True

    @huey.task()
    def first() -> str:
        if fails:
            raise LookupError
        return "x"

    keyed = huey.task(name="keyed", unique="task")(lambda *args: args)
    handles = (first.s() | keyed.s())()
    drain(huey)
    other = keyed()
    assert handles is not None
    assert [str(handle.state) for handle in handles] == ["dead", "revoked"]

    fails = False
    assert huey.retry_dead() == 1
    drain(huey)

    assert handles.get() == ["x", ("x",)]
    assert other.state is State.DONE


def test_a_stage_with_a_lock_takes_no_slot_before_its_turn_and_waits_for_one_then(
    huey: Huey,
) -> None:
    gate = Gate()
    first = huey.task(name="first")(lambda: 1)

    @huey.task(lock=True)
    def narrow(value: int) -> int:
        gate.pass_through()
        return value

    handles = (first.s() | narrow.s())()
    beside = narrow(7)
    assert handles is not None
    assert [str(handle.state) for handle in (*handles, beside)] == ["pending", "blocked", "pending"]

    with consuming(huey, workers=3):
        gate.wait_entered(1)
        wait_until(lambda: states(huey) == {"done": 1, "running": 1, "blocked": 1})
        gate.open.set()
        assert handles.get(blocking=True, timeout=10) == [1, 1]
        assert beside.get(blocking=True, timeout=10) == 7
