"""What a subclass of Huey's classes overrides is called, or refused where it is declared."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import hueycore
from hueycore import ConfigurationError, Huey, State, TaskWrapper
from hueycore.api import TaskLock
from hueycore.consumer import Consumer
from hueycore.exceptions import TaskLockedException
from hueycore.storage.base import Storage
from tests.helpers import check_rows, consuming, drain, job, run_one, wait_until


class Around(Huey):
    """As applications do it that need a context around each run."""

    log: list[Any]
    broken = False

    def execute(self, task: Any, timestamp: Any = None) -> Any:
        self.log.append("in")
        if self.broken:
            raise OSError("no context")
        try:
            return super().execute(task, timestamp)
        finally:
            self.log.append("out")

    def _execute(self, task: Any, timestamp: Any = None) -> Any:
        self.log.append("inner")
        value = super()._execute(task, timestamp)
        self.log.append(value)
        return value


@pytest.fixture
def around(path: str) -> Iterator[Around]:
    huey = Around("app", url=path)
    huey.log = []
    yield huey
    huey.close()
    check_rows(path)


def consumed(huey: Any, *handles: Any, **options: Any) -> None:
    with consuming(huey, **options):
        for handle in handles:
            assert handle.wait(20)


@pytest.mark.parametrize("kind", ["by hand", "thread"])
def test_execute_and_inner_execute_are_around_each_run(around: Around, kind: str) -> None:
    @around.task()
    def work() -> int:
        around.log.append("body")
        return 5

    handle = work()
    if kind == "by hand":
        assert run_one(around) == 5
    else:
        consumed(around, handle, worker_type=kind)

    assert around.log == ["in", "inner", "body", 5, "out"]
    assert handle.get() == 5


def test_they_are_around_the_runs_of_worker_processes(around: Around, tmp_path: Path) -> None:
    where = tmp_path / "seen"

    class Written(list[Any]):
        def append(self, what: Any) -> None:
            where.open("a").write(f"{what}\n")

    around.log = Written()

    @around.task()
    def work() -> int:
        around.log.append("body")
        return 5

    consumed(around, work(), worker_type="process")

    assert where.read_text().split() == ["in", "inner", "body", "5", "out"]


def test_they_are_around_an_async_task_and_immediate_runs(around: Around) -> None:
    @around.task()
    async def work() -> int:
        return 5

    run = work()
    consumed(around, run)
    around.immediate = True

    assert work().get() == 5
    assert around.log == ["in", "inner", 5, "out"] * 2


def test_a_run_that_fails_answers_with_none_and_is_retried(around: Around) -> None:
    @around.task(retries=1)
    def work() -> None:
        raise ValueError

    handle = work()
    consumed(around, handle)

    assert around.log == ["in", "inner", None, "out"] * 2
    assert job(around, handle).state is State.DEAD


def test_what_fails_around_a_run_fails_the_run(around: Around) -> None:
    @around.task()
    def work() -> None: ...

    handle = work()
    around.broken = True
    consumed(around, handle)

    assert job(around, handle).state is State.DEAD
    assert [error["type"] for error in job(around, handle).errors] == ["OSError"]


def test_what_fails_after_the_run_changes_nothing_of_it(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing(Huey):
        def _execute(self, task: Any, timestamp: Any = None) -> Any:
            super()._execute(task, timestamp)
            raise OSError("too late")

    huey = Failing("app", url=path)
    handle = huey.task()(lambda: 7)()
    consumed(huey, handle)

    assert handle.get() == 7
    assert "what is around job" in caplog.text
    huey.close()


def test_an_execute_of_its_own_is_the_run(path: str) -> None:
    class Own(Huey):
        def _execute(self, task: Any, timestamp: Any = None) -> Any:
            return task.execute() + 1

    huey = Own("app", url=path)
    handle = huey.task()(lambda: 1)()
    consumed(huey, handle)

    assert handle.get() == 2
    huey.close()


def test_what_patches_the_class_later_is_around_the_runs_too(
    huey: Huey, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    original = hueycore.Huey._execute

    def patched(self: Any, task: Any, timestamp: Any = None) -> Any:
        seen.append(task.name)
        return original(self, task, timestamp)

    @huey.task()
    def work() -> None: ...

    work()
    monkeypatch.setattr(hueycore.Huey, "_execute", patched, raising=False)
    drain(huey)
    consumed(huey, work())

    assert seen == ["work", "work"]


def test_a_consumer_on_a_loop_refuses_what_is_around_its_runs(around: Around) -> None:
    with pytest.raises(ConfigurationError, match="pre_execute"):
        around.create_consumer(worker_type="asyncio")


def test_every_signal_goes_through_an_emit_of_its_own(path: str) -> None:
    class Telling(Huey):
        def _emit(self, signal: str, task: Any, *args: Any) -> None:
            seen.append(signal)
            super()._emit(signal, task, *args)

    seen: list[str] = []
    huey = Telling("app", url=path)
    handle = huey.task()(lambda: 1)()
    consumed(huey, handle)

    assert seen == ["enqueued", "executing", "complete"]
    huey.close()


def test_an_error_result_of_its_own_is_what_a_reader_gets(path: str) -> None:
    class Naming(Huey):
        def build_error_result(self, task: Any, exception: BaseException) -> dict[str, Any]:
            return {**super().build_error_result(task, exception), "host": "here"}

    huey = Naming("app", url=path)
    handle = huey.task()(lambda: 1 / 0)()
    drain(huey)

    with pytest.raises(hueycore.TaskException) as failed:
        handle.get()
    assert failed.value.metadata["host"] == "here"
    huey.close()


def test_a_storage_of_its_own_is_opened_in_immediate_mode_too(path: str) -> None:
    class Opening(Huey):
        opened = 0

        def create_storage(self) -> Storage:
            Opening.opened += 1
            return super().create_storage()

    for immediate in (False, True):
        huey = Opening("app", url=path, immediate=immediate)
        huey.task()(lambda: 1)()
        huey.close()

    assert Opening.opened == 2


def test_tasks_are_of_the_class_that_a_subclass_gives(path: str) -> None:
    class Wrapper(TaskWrapper[..., Any]):
        def create_task(self, func: Any, *args: Any, **settings: Any) -> Any:
            return super().create_task(func, *args, **settings, team="red")

    class Own(Huey):
        def get_task_wrapper_class(self) -> type[TaskWrapper[Any, Any]]:
            return Wrapper

    huey = Own("app", url=path)
    plain = huey.task()(lambda: 1)

    @huey.task()
    async def later() -> int:
        return 2

    handles = plain(), later()
    drain(huey)

    assert isinstance(plain, Wrapper) and isinstance(later, Wrapper)
    assert plain.s().team == "red"  # type: ignore[attr-defined]
    assert [handle.get() for handle in handles] == [1, 2]
    huey.close()


def test_a_wrapper_with_a_constructor_of_its_own_is_refused(path: str) -> None:
    class Wrapper(TaskWrapper[..., Any]):
        def __init__(self, huey: Any, func: Any, context: bool = False, **settings: Any) -> None:
            raise AssertionError

    class Own(Huey):
        def get_task_wrapper_class(self) -> type[TaskWrapper[Any, Any]]:
            return Wrapper

    with pytest.raises(ConfigurationError, match="create_task"):
        Own("app", url=path).task()(lambda: 1)


@pytest.mark.feature("lock_task")
def test_a_lock_with_a_key_of_its_own_is_another_lock(huey: Huey) -> None:
    class TenantLock(TaskLock):
        def __init__(self, huey: Any, name: str, tenant: str) -> None:
            super().__init__(huey, name)
            self._key = f"{huey.name}.lock.{name}.{tenant}"

        def acquire(self) -> bool:
            asked.append(self._key)
            return super().acquire()

    asked: list[str] = []

    @TenantLock(huey, "import", "a")
    def work() -> str:
        return "ran"

    with TenantLock(huey, "import", "a") as lock, TenantLock(huey, "import", "b"):
        assert lock.is_locked() and huey.is_locked("import.a")
        assert not huey.is_locked("import")
        with pytest.raises(TaskLockedException):
            work()

    assert work() == "ran"
    assert asked == [f"app.lock.import.{tenant}" for tenant in "abaa"]


def test_a_consumer_that_leaves_unix_signals_alone_is_asked_for_it(huey: Huey) -> None:
    class Quiet(Consumer):
        asked = 0

        def _set_signal_handlers(self) -> None:
            Quiet.asked += 1

    consumer = Quiet(huey, burst=True)
    assert consumer.run() == 0
    assert Quiet.asked == 1


def test_a_consumer_lists_its_workers_as_huey_does(huey: Huey) -> None:
    consumer = huey.create_consumer(workers=2)
    assert consumer.worker_threads == []
    consumer.start()
    try:
        wait_until(lambda: len(consumer.worker_threads) == 2)
        assert all(runs.alive() for _, runs in consumer.worker_threads)
    finally:
        consumer.stop(graceful=True)


def test_sentrys_own_integration_is_said_to_report_nothing(
    huey: Huey, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class HueyIntegration: ...

    active = SimpleNamespace(get_integration=lambda name: HueyIntegration())
    sdk = SimpleNamespace(get_client=lambda: active)
    other = SimpleNamespace(HueyIntegration=HueyIntegration)
    monkeypatch.setitem(sys.modules, "sentry_sdk", sdk)  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "sentry_sdk.integrations.huey", other)  # type: ignore[arg-type]

    with caplog.at_level(logging.WARNING):
        huey.create_consumer()

    assert "hueycore.contrib.sentry" in caplog.text
