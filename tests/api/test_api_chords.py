"""Groups and chords: the callback runs once, with a list in which every member has its place."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from hueycore import (
    SKIPPED,
    CancelExecution,
    ChordResult,
    Error,
    Huey,
    Result,
    ResultGroup,
    ResultTimeout,
    SqliteHuey,
    TaskException,
    chord,
    group,
)
from hueycore.model.jobs import Selector
from hueycore.model.states import State
from tests.helpers import WHOLE, Clock, Gate, consuming, drain, job, run_one, states, wait_until
from tests.storage.engines import lab_of

NOW = 2_000_000_000.0


@pytest.fixture
def give(huey: Huey) -> Any:
    @huey.task()
    def give(value: Any) -> Any:
        if isinstance(value, str) and value == "boom":
            raise ValueError("no")
        return value

    return give


@pytest.fixture
def collect(huey: Huey) -> Any:
    @huey.task()
    def collect(*args: Any) -> Any:
        return list(args)

    return collect


@pytest.fixture
def total(huey: Huey) -> Any:
    @huey.task()
    def total(numbers: list[int]) -> int:
        return sum(numbers)

    return total


def enqueued(huey: Huey, whole: chord) -> ChordResult:
    handle = huey.enqueue(whole)
    assert handle is not None
    return handle


@pytest.mark.feature("chord")
def test_the_callback_gets_the_results_in_the_order_of_the_members(
    huey: Huey, give: Any, collect: Any
) -> None:
    handle = enqueued(huey, chord([give.s(n, priority=n) for n in range(5)], collect.s("x")))
    assert states(huey) == {"pending": 5, "blocked": 1}
    drain(huey)  # the last member first

    assert handle.get() == ["x", [0, 1, 2, 3, 4]]
    assert handle() == ["x", [0, 1, 2, 3, 4]]
    assert handle.results.get() == [0, 1, 2, 3, 4]
    assert job(huey, handle.callback.id).state is State.DONE


@pytest.mark.feature("chord")
def test_a_consumer_runs_a_chord(huey: Huey, give: Any, total: Any) -> None:
    handle = chord([give.s(n) for n in range(100)], total)()
    assert handle is not None
    with consuming(huey, workers=4):
        assert handle.get(blocking=True, timeout=10) == sum(range(100))


@pytest.mark.feature("group")
def test_a_group_with_then_is_a_chord(huey: Huey, give: Any, collect: Any) -> None:
    members = [give.s(1), give.s(2)]
    handles = [
        enqueued(huey, group(members).then(collect)),
        enqueued(huey, group(members).then(collect, "x")),
        enqueued(huey, group(members) | collect.s()),
    ]
    drain(huey)
    assert [handle.get() for handle in handles] == [[[1, 2]], ["x", [1, 2]], [[1, 2]]]


@pytest.mark.feature("chord")
def test_failed_members_arrive_as_errors_and_others_as_skipped(
    huey: Huey, give: Any, clock: Clock
) -> None:
    clock.freeze(NOW)
    found: list[Any] = []

    @huey.task()
    def callback(values: list[Any]) -> None:
        found.extend(values)

    @huey.task()
    def cancel() -> None:
        raise CancelExecution("I would rather not", retry=False)

    late = give.s("late", expires=5)
    handle = enqueued(
        huey, chord([give.s(1), give.s("boom"), late, cancel.s(), give.s("never")], callback)
    )
    list(handle.results)[4].revoke()
    clock.jump(6)
    drain(huey)

    one, boom, *skipped = found
    assert one == 1
    assert isinstance(boom, Error) and boom.metadata["error"] == "ValueError('no')"
    assert boom.metadata["task_id"] == list(handle.results)[1].id
    assert "ValueError" in boom.metadata["traceback"]
    assert skipped[0] is SKIPPED and skipped[2] is SKIPPED
    # As in Huey: a task that cancels itself has failed.
    assert isinstance(skipped[1], Error)


def test_a_member_that_is_a_pipeline_gives_its_last_value_or_its_error(
    huey: Huey, give: Any, collect: Any, total: Any
) -> None:
    line = give.s((1,)) | give.s() | collect.s(2)
    broken = give.s(1) | give.s("boom") | give.s() | give.s()
    revoked = give.s("x", id="revoked") | give.s() | give.s()
    handle = enqueued(huey, chord([line, broken, revoked], collect))
    assert states(huey) == {"pending": 3, "blocked": 8}
    huey.revoke_by_id("revoked")
    drain(huey)

    ((good, error, skipped),) = handle.get()
    assert good == [2, 1]
    # give("boom", 1) is a TypeError; it is that of the stage that failed.
    assert isinstance(error, Error) and "TypeError" in error.metadata["error"]
    assert skipped is SKIPPED
    assert [one.get() if one.state == "done" else one.state for one in handle.results] == [
        *([2, 1], "revoked", "revoked")
    ]


def test_chords_in_chords(huey: Huey, give: Any, total: Any) -> None:
    inner = chord([give.s(1), give.s(2), chord([give.s(3), give.s(4)], total)], total)
    handle = enqueued(huey, chord([inner, give.s(10)], total.s()))
    drain(huey)

    assert handle.get() == 20
    assert handle.results.get() == [10, 10]
    assert len(handle.results) == 2


def test_a_chord_in_a_pipeline_gets_the_value_before_it(
    huey: Huey, give: Any, collect: Any
) -> None:
    handles = huey.enqueue(give.s(1) | chord([collect.s("a"), collect.s("b")], collect) | collect)
    drain(huey)
    assert handles is not None
    assert handles.get()[-1] == [[[["a", 1], ["b", 1]]]]


def test_stages_after_a_chord(huey: Huey, give: Any, total: Any) -> None:
    handle = enqueued(huey, chord([give.s(1), give.s(2)], total).then(give).then(give))
    drain(huey)

    assert handle.pipeline_results is not None
    assert handle.pipeline_results.get() == [3, 3, 3]
    assert handle.get() == 3
    assert handle.callback.id == next(iter(handle.pipeline_results)).id


@pytest.mark.feature("chord")
def test_an_empty_chord_runs_its_callback_at_once(huey: Huey, collect: Any, give: Any) -> None:
    handle = enqueued(huey, chord([], collect.s("x")).then(give))
    nested = enqueued(huey, chord([chord([], collect), give.s(1)], collect))
    drain(huey)

    assert handle.get() == ["x", []]
    assert len(handle.results) == 0
    assert nested.get() == [[[[]], 1]]


@pytest.mark.feature("group")
def test_an_empty_group_answers_with_no_handles(huey: Huey) -> None:
    handles = huey.enqueue(group([]))
    assert handles is not None
    assert (len(handles), handles.get(), list(handles.as_completed())) == (0, [], [])
    assert states(huey) == {}


def test_a_chord_of_one(huey: Huey, give: Any, collect: Any) -> None:
    handle = enqueued(huey, chord([give.s((1, 2))], collect))
    drain(huey)
    assert handle.get() == [[(1, 2)]]


@pytest.mark.feature("chord")
def test_none_has_its_place_whether_it_is_stored_or_not(
    huey: Huey, give: Any, collect: Any
) -> None:
    handle = enqueued(huey, chord([give.s(None), give.s(1), give.s(None)], collect))
    drain(huey)
    assert handle.get() == [[None, 1, None]]


def test_a_chord_works_although_nothing_is_stored_for_others(path: str) -> None:
    huey = Huey("app", url=path, results=False)
    found: list[Any] = []

    @huey.task()
    def give(value: Any) -> Any:
        return 1 // value

    @huey.task()
    def collect(values: list[Any]) -> None:
        found.extend(values)

    assert huey.enqueue(chord([give.s(1), give.s(0)], collect)) is None
    drain(huey)

    assert found[0] == 1
    assert found[1].metadata["error"].startswith("ZeroDivisionError(")
    assert huey.result_count() == 0
    huey.close()


@pytest.mark.feature("chord")
def test_members_that_run_again_deliver_nothing_more(huey: Huey, collect: Any) -> None:
    ran: list[Any] = []

    @huey.task()
    def member(value: int) -> int:
        ran.append(value)
        if value == 1 and ran.count(1) == 1:
            raise ValueError("no")
        return value

    handle = enqueued(huey, chord([member.s(n) for n in range(3)], collect))
    drain(huey)
    assert isinstance(handle.get()[0][1], Error)

    huey.retry_dead()
    huey.storage.requeue(Selector(keys=(next(iter(handle.results)).id,)))
    drain(huey)

    assert sorted(ran) == [0, 0, 1, 1, 2]
    assert job(huey, handle.callback.id).claim == 1
    assert [one.get() for one in handle.results] == [0, 1, 2]


def test_a_member_that_is_retried_before_the_callback_runs_still_failed(
    huey: Huey, give: Any, collect: Any
) -> None:
    members = [give.s("boom"), give.s(None), give.s(3)]
    handle = enqueued(huey, chord(members, collect.s(priority=9)))
    for _ in range(3):
        run_one(huey)
    huey.storage.requeue(Selector(task="*give"))
    assert states(huey) == {"pending": 4}
    run_one(huey)

    ((failed, none, three),) = handle.get()
    assert isinstance(failed, Error) and failed.metadata["error"] == "ValueError('no')"
    assert (none, three) == (None, 3)


def test_a_callback_that_fails_is_retried_with_the_same_list(huey: Huey, give: Any) -> None:
    seen: list[Any] = []

    @huey.task(retries=1)
    def callback(values: list[Any]) -> int:
        seen.append(values)
        if len(seen) < 3:
            raise ValueError("no")
        return len(values)

    handle = enqueued(huey, chord([give.s(1), give.s(2)], callback))
    drain(huey)
    assert handle.callback.state is State.DEAD
    for one in handle.results:
        one.get()
    huey.retry_dead()
    drain(huey)

    assert seen == [[1, 2]] * 3
    assert handle.get() == 2


def test_without_its_callback_the_members_still_run(huey: Huey, give: Any, total: Any) -> None:
    handle = enqueued(huey, chord([give.s(1), give.s(2)], total))
    handle.callback.revoke()
    drain(huey)
    assert handle.results.get() == [1, 2]
    with pytest.raises(TaskException, match="revoked"):
        handle.get(blocking=True, timeout=5)

    handle.reset()
    assert handle.callback.restore()
    drain(huey)
    assert handle.get() == 3


def test_a_chord_is_revoked_whole(huey: Huey, give: Any, total: Any) -> None:
    handle = enqueued(huey, chord([give.s(1) | give.s(), give.s(2)], total).then(give))
    handle.revoke()
    assert states(huey) == {"revoked": 5}
    assert drain(huey) == 0


@pytest.mark.feature("dynamic fan-out")
def test_a_chord_enqueued_inside_a_task(huey: Huey) -> None:
    pages = {"/1": {"a": 1}, "/2": {"b": 2}}

    @huey.task()
    def fetch_page(url: str) -> dict[str, int]:
        return pages[url]

    @huey.task()
    def aggregate(results: list[dict[str, int]]) -> dict[str, int]:
        combined: dict[str, int] = {}
        for page_data in results:
            combined.update(page_data)
        return combined

    @huey.task()
    def discover_and_fetch(urls: list[str]) -> None:
        result = huey.enqueue(chord([fetch_page.s(u) for u in urls], aggregate.s()))
        assert result is not None
        huey.put("fanout-result-id", result.callback.id)

    with consuming(huey, workers=2):
        discover_and_fetch(list(pages))
        found = wait_until(lambda: huey.get("fanout-result-id"))
        callback: Result[Any] = Result(huey, found)
        assert callback.get(blocking=True, timeout=10) == {"a": 1, "b": 2}


# --- handles --------------------------------------------------------------------------------------


@pytest.mark.feature("group")
def test_a_group_answers_with_a_handle_of_each_member(huey: Huey, give: Any, total: Any) -> None:
    handles = group([give.s(1), give.s(2) | give.s(), chord([give.s(3)], total)])()
    assert handles is not None
    plain, line, joined = handles
    assert isinstance(plain, Result)
    assert isinstance(line, ResultGroup)
    assert isinstance(joined, ChordResult)
    assert not handles.is_ready()
    drain(huey)

    assert handles.is_ready() and handles.wait(0)
    assert handles.get() == handles() == [1, [2, 2], 3]
    assert (len(handles), handles[0]) == (3, 1)


@pytest.mark.feature("group")
def test_values_come_as_jobs_end(huey: Huey) -> None:
    gates = [Gate() for _ in range(3)]

    @huey.task()
    def hold(number: int) -> int:
        gates[number].pass_through()
        return number

    handles = huey.enqueue(group([hold.s(n) for n in range(3)]))
    assert handles is not None
    found: list[int] = []
    reader = threading.Thread(target=lambda: found.extend(handles.as_completed(timeout=20)))
    with consuming(huey, workers=3):
        reader.start()
        for number in (2, 0, 1):
            gates[number].open.set()
            wait_until(lambda number=number: number in found)  # type: ignore[misc]
        reader.join(10)
    assert found == [2, 0, 1]


def test_a_group_that_is_not_ready_in_time(huey: Huey, give: Any) -> None:
    handles = huey.enqueue(group([give.s(1), give.s(2)]))
    assert handles is not None
    with pytest.raises(ResultTimeout):
        handles.get(blocking=True, timeout=0.01)
    with pytest.raises(ResultTimeout):
        list(handles.as_completed(timeout=0.01))
    assert not handles.wait(0.01)
    assert handles.get() == [None, None]
    handles.reset()
    drain(huey)
    assert handles.get() == [1, 2]


def test_a_group_is_revoked_in_one_commit(huey: Huey, give: Any) -> None:
    handles = huey.enqueue(group([give.s(n) for n in range(10)]))
    assert handles is not None
    before = lab_of(huey.storage).commits()  # type: ignore[attr-defined]
    handles.revoke("enough")
    assert lab_of(huey.storage).commits() == before + 1  # type: ignore[attr-defined]
    assert states(huey) == {"revoked": 10}
    assert job(huey, next(iter(handles))).reason == "enough"


def test_a_group_is_enqueued_in_one_commit(huey: Huey, give: Any, total: Any) -> None:
    huey.storage.enqueue([])
    before = lab_of(huey.storage).commits()  # type: ignore[attr-defined]
    group([give.s(1) | give.s(), chord([give.s(2)] * 3, total), give.s(3)])()
    assert lab_of(huey.storage).commits() == before + 1  # type: ignore[attr-defined]
    drain(huey)
    assert states(huey) == {"done": 7}


def test_a_signature_that_is_a_member_twice_is_two_jobs(huey: Huey, give: Any, total: Any) -> None:
    member = give.s(2)
    handle = enqueued(huey, chord([member, member, member], total))
    drain(huey)
    assert handle.get() == 6
    assert len({one.id for one in handle.results}) == 3


@pytest.mark.feature("chord")
def test_deep_nesting_needs_no_deep_stack(huey: Huey, give: Any, total: Any) -> None:
    whole = chord([give.s(1)], total)
    line = give.s()
    for _ in range(1100):
        whole = chord([whole, give.s(1)], total)
        line = give.s() | line
    handle, handles = enqueued(huey, whole), huey.enqueue(give.s(1) | line)
    with consuming(huey):
        assert handle.get(blocking=True, timeout=30) == 1101
        assert handles.wait(10)


# --- sizes ----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.feature("chord")
def test_a_chord_of_very_many_members(tmp_path: Path) -> None:
    huey = SqliteHuey("app", str(tmp_path / "queue.db"))
    members = 100_000 if WHOLE else 20_000

    @huey.task()
    def member(number: int) -> int:
        return number

    @huey.task()
    def callback(numbers: list[int]) -> bool:
        return numbers == list(range(members))

    handle = enqueued(huey, chord([member.s(n) for n in range(members)], callback))
    with consuming(huey, workers=4):
        assert handle.get(blocking=True, timeout=60) is True
    assert states(huey) == {"done": members + 1}
    huey.close()
