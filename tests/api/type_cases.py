"""What a type checker of a user sees; ``test_api_typing`` has mypy read it, nobody runs it."""

from __future__ import annotations

from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, assert_type

from hueycore import (
    AsyncTaskWrapper,
    Backoff,
    ChordResult,
    Pipeline,
    Result,
    ResultGroup,
    SqliteHuey,
    Task,
    TaskWrapper,
    chord,
    crontab,
    every,
    group,
)
from hueycore.contrib.asyncio import aget_result, aget_result_group

huey = SqliteHuey("app")


@huey.task(retries=3, retry_delay=timedelta(seconds=5), context=False)
def add(a: int, b: int = 2) -> int:
    return a + b


@huey.task
def shout(text: str) -> str:
    return text.upper()


@huey.periodic_task(crontab("0", "9", day_of_week="mon-fri"), tz="Europe/Paris", catch_up="all")
def report() -> None: ...


@huey.periodic_task(every("90s"))
def beat() -> float:
    return 1.0


@huey.task(retries=1)
async def fetch(url: str, tries: int = 1) -> bytes:
    return b""


@huey.task
async def ping(url: str) -> bool:
    return True


@huey.periodic_task(every("90s"))
async def abeat() -> float:
    return 1.0


@huey.task(retries=3, retry_delay=Backoff(1, cap=60), retry_on=(OSError,), never_on=ValueError)
def flaky() -> None: ...


@huey.task(retry_on=lambda task, error: 5.0, unique=lambda n: n, unique_until="start")
def ruled(n: int) -> None: ...


@huey.task(context=True, timeout=60)
def built(path: str, task: Task) -> int:
    return task.attempt


@huey.task(context=True)
async def abuilt(path: str, *, task: Task) -> int:
    return task.attempt


@huey.periodic_task("90s", context=True)
def timed(task: Task) -> float:
    return task.scheduled_for or 0.0


@huey.signal("complete")
def told(signal: str, task: Task) -> None: ...


@huey.pre_execute()
def before(task: Task) -> None: ...


def cases() -> None:
    assert_type(add(1, 2), Result[int])
    assert_type(add(1).get(), int | None)
    assert_type(add(1)(blocking=True, timeout=5), int | None)
    assert_type(add.call_local(1, b=3), int)
    assert_type(add.s(1, priority=5), Task)
    assert_type(add.schedule((1,), delay=5), Result[int])
    assert_type(add.map([1, 2]), ResultGroup)
    assert_type(add(1).reschedule(delay=3), Result[int])
    assert_type(shout("x"), Result[str])
    assert_type(beat(), Result[float])
    assert_type(built("x"), Result[int])
    assert_type(built.call_local("x", built.s("x")), int)
    assert_type(timed(), Result[float])
    assert_type(huey.enqueue(add.s(1)), Result[Any] | None)
    assert_type(huey.enqueue_many(add.s(n) for n in range(3)), list[Result[Any]])
    assert_type(huey.dequeue(), Task | None)
    assert_type(huey.incr("n"), int)
    assert_type(huey.batch().__enter__().results, list[Result[Any]])
    with huey.using(object()) as nothing:
        assert_type(nothing, None)
    assert_type(add.schedule((1,), delay=5, unique_key="k", on_conflict="replace"), Result[int])
    assert_type(huey.storage.queue_size(), int)
    wrapper: TaskWrapper[[], None] = report
    result: Result[int] = Result(huey, "id")
    told("complete", add.s(1))
    before(add.s(1))
    print(wrapper, result)

    add("one")  # type: ignore[arg-type]
    add(1, 2, 3)  # type: ignore[call-arg]
    shout(1).get().upper()  # type: ignore[arg-type, union-attr]
    add.call_local()  # type: ignore[call-arg]
    huey.task(retry="3")  # type: ignore[call-overload]
    huey.task(unique=True, on_conflict="drop")  # type: ignore[call-overload]
    huey.task(retry_on="OSError")  # type: ignore[call-overload]


def composing() -> None:
    assert_type(add.s(1).then(add, 2).then(shout.s()), Pipeline)
    assert_type(add.s(1) | add.s(2), Pipeline)
    assert_type(add.s(1) | add | group([add.s(1)]) | add.s(), Pipeline)
    assert_type(add.s(1).error(shout, 2), Task)
    assert_type(add.s(1).then(add).error(shout), Pipeline)
    assert_type(group([add.s(1), add.s(1).then(add)]).then(add, 1), chord)
    assert_type(group([add.s(1)]) | shout, chord)
    assert_type(huey.enqueue(add.s(1).then(add)), ResultGroup | None)
    assert_type(huey.enqueue(group([add.s(1)])), ResultGroup | None)
    assert_type(huey.enqueue(chord([add.s(1)], shout)), ChordResult | None)
    assert_type(add.s(1)(), Result[Any] | None)
    assert_type(add.s(1).then(add)(), ResultGroup | None)
    assert_type(chord([], shout)(), ChordResult | None)
    result = huey.enqueue(chord([add.s(1)], shout.s()))
    assert result is not None
    assert_type(result.callback, Result[Any])
    assert_type(result.results, ResultGroup)

    add.s(1).then(3)  # type: ignore[arg-type]
    chord([add.s(1)])  # type: ignore[call-arg]


async def async_cases() -> None:
    assert_type(fetch("x"), Result[bytes])
    assert_type(ping("x"), Result[bool])
    assert_type(abeat(), Result[float])
    assert_type(abuilt("x"), Result[int])
    assert_type(await abuilt.aenqueue("x"), Result[int])
    assert_type(fetch("x").get(), bytes | None)
    coroutine: Coroutine[Any, Any, bytes] = fetch.call_local("x")
    assert_type(await coroutine, bytes)
    assert_type(await fetch.aenqueue("x", tries=2), Result[bytes])
    assert_type(await add.aenqueue(1), Result[int])
    assert_type(await (await fetch.aenqueue("x")), bytes)
    assert_type(await add(1, 2), int)
    assert_type(await add(1, 2).aget(timeout=5, preserve=True), int)
    assert_type(await add.map([1, 2]), list[Any])
    assert_type(await huey.aenqueue(add.s(1)), Result[Any] | None)
    assert_type(await aget_result(add(1), timeout=5), int)
    assert_type(await aget_result_group(add.map([1])), list[Any])
    wrapper: TaskWrapper[[str], bool] = ping
    asynchronous: AsyncTaskWrapper[[str], bool] = ping
    print(wrapper, asynchronous)

    await fetch.aenqueue(1)  # type: ignore[arg-type]
    fetch()  # type: ignore[call-arg]
    asynchronous = shout  # type: ignore[assignment]
