"""An application moves over by replacing ``huey`` with ``hueycore`` in its imports."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from hueycore import SqliteHuey, State
from tests.helpers import drain

#: What Huey 3.5's documentation and its recipes import, by module.
NAMES = {
    "": "Huey SqliteHuey MemoryHuey crontab chord group",
    "api": "Huey MemoryHuey SqliteHuey Task TaskWrapper PeriodicTask Result ResultGroup crontab",
    "constants": "WORKER_THREAD WORKER_PROCESS WORKER_GREENLET WORKER_TYPES",
    "consumer": "Consumer",
    "contrib.asyncio": "aget_result aget_result_group",
    "exceptions": (
        "CancelExecution ConfigurationError HueyException RateLimitExceeded ResultTimeout RetryTask"
        " TaskException TaskLockedException TaskTimeout"
    ),
    "registry": "Registry",
    "serializer": "Serializer SignedSerializer",
    "signals": (
        "SIGNAL_CANCELED SIGNAL_COMPLETE SIGNAL_ENQUEUED SIGNAL_ERROR SIGNAL_EXECUTING"
        " SIGNAL_EXPIRED SIGNAL_INTERRUPTED SIGNAL_LOCKED SIGNAL_RATE_LIMITED SIGNAL_RETRYING"
        " SIGNAL_REVOKED SIGNAL_SCHEDULED SIGNAL_TIMEOUT"
    ),
    "utils": "Error SKIPPED",
}

#: Methods and attributes of an instance in the same documentation.
METHODS = (
    "task periodic_task context_task pre_execute unregister_pre_execute post_execute "
    "unregister_post_execute on_startup unregister_on_startup on_shutdown unregister_on_shutdown "
    "signal disconnect_signal enqueue revoke revoke_by_id revoke_all restore restore_by_id "
    "restore_all is_revoked result pending pending_count scheduled scheduled_count all_results "
    "result_count __len__ flush lock_task is_locked flush_locks rate_limit put get put_if_empty "
    "delete immediate immediate_use_memory create_consumer dequeue execute ready_to_run "
    "add_schedule read_schedule read_periodic build_error_result storage serializer name results "
    "utc "
)


@pytest.mark.parametrize("module", NAMES)
def test_a_module_has_the_names_that_its_users_import(module: str) -> None:
    found = importlib.import_module(f"hueycore.{module}".rstrip("."))

    for name in NAMES[module].split():
        assert getattr(found, name, None) is not None, name


@pytest.mark.feature("instances")
def test_an_instance_has_the_methods_of_hueys_documentation(huey: SqliteHuey) -> None:
    assert [name for name in METHODS.split() if not hasattr(huey, name)] == []


def test_a_context_task_runs_inside_of_its_context(huey: SqliteHuey) -> None:
    seen: list[str] = []

    @contextmanager
    def connection() -> Iterator[str]:
        seen.append("open")
        yield "connection"
        seen.append("close")

    class Connection:
        def __enter__(self) -> str:
            self.inner = connection()
            return self.inner.__enter__()

        def __exit__(self, *error: Any) -> None:
            self.inner.__exit__(*error)

    @huey.context_task(Connection(), as_argument=True, retries=2)
    def query(given: str, n: int) -> str:
        seen.append("run")
        return f"{given} {n}"

    @huey.context_task(Connection())
    def plain() -> None:
        seen.append("run")

    handle, other = query(5), plain()
    drain(huey)

    assert handle.get() == "connection 5"
    assert other.state is State.DONE
    assert seen == ["open", "run", "close"] * 2
    assert (query.retries, query.name.rsplit(".", 1)[-1]) == (2, "query")


@pytest.mark.feature("introspection")
def test_all_results_are_read_without_being_taken(huey: SqliteHuey) -> None:
    task = huey.task(name="task")(lambda n: n)
    first, second, read = task(1), task(2), task(3)
    drain(huey)
    assert read.get() == 3

    assert huey.all_results() == {first.id: 1, second.id: 2}
    assert first.get() == 1
