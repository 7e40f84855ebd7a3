"""The document "Recipes" of Huey's documentation: each recipe, by heading.

Signals for metrics, Flask and FastAPI have files of their own beside this one; the recipes for
deploying are in the tests of ``hueyctl consume``.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hueycore import (
    CancelExecution,
    Huey,
    SqliteHuey,
    State,
    TaskException,
    crontab,
)
from hueycore.signals import SIGNAL_INTERRUPTED
from tests.helpers import Clock, consuming, drain, jobs, states, wait_until


@pytest.mark.feature("key/value")
def test_key_value_data_storage(huey: SqliteHuey) -> None:
    @huey.task()
    def calculate_something() -> list[str]:
        prev_results = huey.get("calculate-something.result", peek=True)
        data = ["start"] if prev_results is None else [*prev_results, "changed"]
        huey.put("calculate-something.result", data)
        return data

    first, second = calculate_something(), calculate_something()
    drain(huey)

    assert first.get() == ["start"]
    assert second.get() == ["start", "changed"]
    assert huey.get("calculate-something.result") == ["start", "changed"]
    assert huey.get("calculate-something.result") is None


@pytest.mark.feature("retries changed at run time")
def test_exponential_backoff_retries(huey: SqliteHuey, clock: Clock) -> None:
    start = clock.freeze()
    calls: list[float] = []

    def exp_backoff_task(retries: int = 10, retry_backoff: float = 1.15) -> Callable[..., Any]:
        def deco(fn: Callable[..., Any]) -> Any:
            @functools.wraps(fn)
            def inner(*args: Any, **kwargs: Any) -> Any:
                task = kwargs.pop("task")
                try:
                    return fn(*args, **kwargs)
                except Exception:
                    task.retry_delay *= retry_backoff
                    raise

            return huey.task(retries=retries, retry_delay=1, context=True)(inner)

        return deco

    @exp_backoff_task(retries=5, retry_backoff=2)
    def call_external_api(endpoint: str) -> None:
        calls.append(clock.now() - start)
        raise ConnectionError

    call_external_api("/v1")
    for _ in range(40):
        drain(huey)
        clock.jump(2)

    assert calls == [0, 2, 6, 14, 30, 62]


@pytest.mark.feature("deterministic ids")
def test_idempotent_tasks_using_deterministic_ids(huey: SqliteHuey) -> None:
    ran: list[int] = []
    sync_user = huey.task(name="sync_user")(ran.append)

    handles = [sync_user.schedule(args=(7,), delay=0.001, id="sync-user-7") for _ in range(3)]

    assert {handle.seq for handle in handles} == {1}
    with consuming(huey):
        assert handles[0].wait(10)
    assert ran == [7]


def test_progress_tracking_via_key_value_storage(huey: SqliteHuey, tmp_path: Path) -> None:
    big = tmp_path / "big.csv"
    big.write_text("line\n" * 250)
    seen: list[int] = []

    @huey.task(context=True)
    def process_large_file(filepath: str, task: Any = None) -> int:
        lines = Path(filepath).read_text().splitlines()
        for i, _ in enumerate(lines):
            if i % 100 == 0:
                pct = int(100 * i / len(lines))
                huey.put(f"progress:{task.id}", {"current": i, "total": len(lines), "pct": pct})
                seen.append(huey.get(f"progress:{task.id}", peek=True)["pct"])
        huey.put(f"progress:{task.id}", {"current": 250, "total": 250, "pct": 100})
        return len(lines)

    result = process_large_file(str(big))
    drain(huey)

    assert seen == [0, 40, 80]
    assert huey.get(f"progress:{result.id}", peek=True)["pct"] == 100
    assert huey.delete(f"progress:{result.id}")


@pytest.mark.feature("error results")
def test_custom_error_metadata(tmp_path: Path) -> None:
    class MyHuey(SqliteHuey):
        def build_error_result(self, task: Any, exception: BaseException) -> dict[str, Any]:
            err = super().build_error_result(task, exception)
            err["task_name"] = task.name
            err["task_args"] = task.args
            err["task_kwargs"] = task.kwargs
            return err

    huey = MyHuey("my-app", tmp_path / "huey.db")

    @huey.task()
    def failing_task(value: str) -> None:
        raise LookupError(value)

    result = failing_task("some-arg")
    drain(huey)
    with pytest.raises(TaskException) as caught:
        result.get(blocking=True, timeout=10)
    huey.close()

    assert caught.value.metadata["task_name"] == "failing_task"
    assert caught.value.metadata["task_args"] == ("some-arg",)
    assert "LookupError" in caught.value.metadata["traceback"]


def test_task_deduplication(huey: SqliteHuey) -> None:
    def key(task: Any) -> str:
        return f"dedup:{task.name}:{hashlib.sha256(repr(task.data).encode()).hexdigest()}"

    @huey.pre_execute()
    def deduplicate(task: Any) -> None:
        assert isinstance(hash(task.data), int)
        if not huey.put_if_empty(key(task), "1"):
            raise CancelExecution("Duplicate task, skipping")

    @huey.post_execute()
    def clear_dedup(task: Any, task_value: Any, exc: BaseException | None) -> None:
        huey.delete(key(task))

    @huey.task()
    def work(values: list[int]) -> int:
        # A second worker would meet the key that this run has put.
        assert not huey.put_if_empty(key(work.s([1, 2])), "1")
        return sum(values)

    first, second = work([1, 2]), work([1, 2])
    drain(huey)

    assert (first.get(), second.get()) == (3, 3)
    huey.put(key(work.s([1, 2])), "1")  # as if another worker were at it
    third = work([1, 2])
    drain(huey)
    assert third.state is State.REVOKED


def test_graceful_shutdown_and_reenqueueing_interrupted_tasks(huey: SqliteHuey) -> None:
    """Nothing is lost here without the recipe; with it nothing doubles."""

    @huey.signal(SIGNAL_INTERRUPTED)
    def on_interrupted(signal: str, task: Any, *args: Any, **kwargs: Any) -> None:
        huey.enqueue(task)

    runs = SimpleNamespace(n=0)

    @huey.task()
    def work() -> int:
        runs.n += 1
        if runs.n == 1:
            raise KeyboardInterrupt
        return runs.n

    handle = work()
    with pytest.raises(KeyboardInterrupt):
        drain(huey)
    drain(huey)

    assert handle.get() == 2
    assert states(huey) == {"done": 1}


@pytest.mark.feature("introspection")
def test_monitoring_queue_depth(huey: SqliteHuey) -> None:
    task = huey.task(name="task")(lambda n: n)
    waiting, later = task(1), task.schedule((2,), delay=60)

    assert {
        "pending": huey.pending_count(),
        "scheduled": huey.scheduled_count(),
        "results": huey.result_count(),
    } == {"pending": 1, "scheduled": 1, "results": 0}
    assert [(t.name, t.id, t.args) for t in huey.pending()] == [("task", waiting.id, (1,))]
    assert [(t.name, t.id, t.eta is None) for t in huey.scheduled()] == [("task", later.id, False)]


@pytest.mark.feature("SignedSerializer")
def test_signed_serializer_for_untrusted_environments(tmp_path: Path) -> None:
    from hueycore.serializer import SignedSerializer

    mine = SqliteHuey(
        "app", tmp_path / "huey.db", serializer=SignedSerializer(secret="my-secret-key")
    )
    forged = SqliteHuey("app", tmp_path / "huey.db", serializer=SignedSerializer(secret="guess"))
    ran: list[int] = []
    mine.task(name="task")(ran.append)(1)
    forged.task(name="task")(ran.append)(2)

    drain(mine)

    assert ran == [1]
    assert states(mine) == {"done": 1, "dead": 1}
    with pytest.raises(ValueError, match=r"sign|tamper"):
        forged.serializer.deserialize(mine.serializer.serialize(1))
    mine.close()
    forged.close()


@pytest.mark.feature("dynamic fan-out")
def test_dynamic_fan_out(huey: SqliteHuey) -> None:
    from hueycore import chord

    pages = {"/index": ["/1", "/2", "/3"], "/1": {"a": 1}, "/2": {"b": 2}, "/3": {"c": 3}}

    @huey.task()
    def fetch_page(url: str) -> Any:
        return pages[url]

    @huey.task()
    def aggregate(results: list[dict[str, int]]) -> dict[str, int]:
        combined: dict[str, int] = {}
        for page in results:
            combined.update(page)
        return combined

    @huey.task()
    def discover_and_fetch(base_url: str) -> None:
        result = huey.enqueue(chord([fetch_page.s(u) for u in pages[base_url]], aggregate.s()))
        huey.put("fanout-result-id", result.callback.id)  # type: ignore[union-attr]

    discover_and_fetch("/index")
    with consuming(huey, workers=3):
        wait_until(lambda: huey.get("fanout-result-id", peek=True))
        id_ = huey.get("fanout-result-id")
        assert huey.result(id_, blocking=True, timeout=20) == {"a": 1, "b": 2, "c": 3}


@pytest.mark.feature("path tasks")
def test_run_arbitrary_functions_as_tasks(huey: SqliteHuey) -> None:
    @huey.task()
    def path_task(path: str, *args: Any, **kwargs: Any) -> Any:
        module_path, name = path.rsplit(".", 1)
        return getattr(import_module(module_path), name)(*args, **kwargs)

    by_recipe = path_task("posixpath.join", "a", "b")
    built_in = huey.call("posixpath.join", "a", "c")
    drain(huey)

    assert by_recipe.get() == "a/b"
    assert built_in.get() == "a/c"


@pytest.mark.feature("dynamic periodic tasks")
def test_dynamic_periodic_tasks(huey: SqliteHuey) -> None:
    said: list[str] = []

    @huey.task()
    def schedule_message(message: str, cron_minutes: str, cron_hours: str = "*") -> None:
        def wrapper() -> None:
            said.append(message)

        schedule = crontab(cron_minutes, cron_hours)
        huey.periodic_task(schedule, name=f"dynamic_ptask_{message}")(wrapper)

    with consuming(huey):
        assert schedule_message("five", "*/5").wait(10)
        assert schedule_message("half", "0-15,30-45").wait(10)
        wait_until(
            lambda: (
                {"dynamic_ptask_five", "dynamic_ptask_half"}
                <= {row.task.rsplit(".", 1)[-1] for row in huey.storage.periodic()}
            )
        )


@pytest.mark.feature("instances")
def test_multiple_queues(path: str) -> None:
    emails, reports = Huey("emails", url=path), Huey("reports", url=path)
    sent: list[str] = []

    @emails.task(retries=2)
    def send_email(to: str) -> None:
        sent.append(to)

    @reports.task()
    def build_report(day: str) -> str:
        return day

    @reports.periodic_task(crontab(minute="0", hour="3"))
    def nightly_rollup() -> None: ...

    mail, report = send_email("ann"), build_report("monday")
    drain(emails)
    assert (mail.state, report.state) == (State.DONE, State.PENDING)
    drain(reports)
    assert report.get() == "monday"
    assert (len(jobs(emails)), len(jobs(reports))) == (1, 1)
    emails.close()
    reports.close()
