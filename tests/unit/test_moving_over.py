"""An application moves over by replacing ``huey`` with ``hueycore`` in its imports."""

from __future__ import annotations

import importlib
import logging
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from hueycore import ConfigurationError, HueyException, SqliteHuey, State, crontab, utils
from hueycore.consumer_options import ConsumerConfig
from tests.helpers import drain

#: What Huey 3.5's documentation and its recipes import, by module.
NAMES = {
    "": (
        "Huey SqliteHuey MemoryHuey crontab chord group Error SKIPPED CancelExecution RetryTask"
        " BlackHoleHuey CySqliteHuey FileHuey PostgresHuey PriorityRedisExpireHuey"
        " PriorityRedisHuey RedisExpireHuey RedisHuey"
    ),
    "api": (
        "Huey MemoryHuey SqliteHuey Task TaskWrapper PeriodicTask Result ResultGroup ChordResult"
        " TaskLock RateLimit crontab RedisHuey FileHuey"
    ),
    "constants": "WORKER_THREAD WORKER_PROCESS WORKER_GREENLET WORKER_TYPES EmptyData",
    "consumer": "Consumer",
    "consumer_options": "ConsumerConfig",
    "contrib.asyncio": "aget_result aget_result_group",
    "contrib.flask_admin": "HueyPanel",
    "contrib.helpers": "RedisSemaphore lock_task_semaphore",
    "contrib.mini": "MiniHuey",
    "contrib.sql_huey": "SqlHuey",
    "contrib.stats": "HueyStats enable_stats",
    "contrib.valkey_glide": "ValkeyGlideHuey",
    "exceptions": (
        "CancelExecution ConfigurationError HueyException RateLimitExceeded ResultTimeout RetryTask"
        " TaskException TaskLockedException TaskTimeout RETRYING_EXCEPTIONS"
    ),
    "registry": "Registry Message",
    "serializer": "Serializer SignedSerializer",
    "signals": (
        "SIGNAL_CANCELED SIGNAL_COMPLETE SIGNAL_ENQUEUED SIGNAL_ERROR SIGNAL_EXECUTING"
        " SIGNAL_EXPIRED SIGNAL_INTERRUPTED SIGNAL_LOCKED SIGNAL_RATE_LIMITED SIGNAL_RETRYING"
        " SIGNAL_REVOKED SIGNAL_SCHEDULED SIGNAL_TIMEOUT"
    ),
    "storage": "BaseStorage MemoryStorage SqliteStorage RedisStorage FileStorage PostgresStorage",
    "utils": (
        "Error SKIPPED load_class is_naive make_naive aware_to_utc local_to_utc normalize_time"
    ),
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
    "utc _registry "
)


@pytest.mark.parametrize("module", NAMES)
def test_a_module_has_the_names_that_its_users_import(module: str) -> None:
    found = importlib.import_module(f"hueycore.{module}".rstrip("."))

    for name in NAMES[module].split():
        assert getattr(found, name, None) is not None, name


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("", "FileHuey"),
        ("api", "FileHuey"),
        ("storage", "FileStorage"),
        ("contrib.mini", "MiniHuey"),
    ],
)
def test_what_is_not_there_says_what_to_use_when_it_is_called(module: str, name: str) -> None:
    found = importlib.import_module(f"hueycore.{module}".rstrip("."))

    class Mine(getattr(found, name)):  # type: ignore[misc]
        """As applications have them."""

    with pytest.raises(ConfigurationError, match=f"there is no {name} here: .* keeps|Memory"):
        Mine("app", url="redis://localhost")


def test_the_modules_of_hueys_documentation_come_with_the_package() -> None:
    code = (
        "import hueycore\n"
        "for name in 'api constants consumer exceptions registry signals storage'.split():\n"
        "    getattr(hueycore, name)\n"
        "print(hueycore.exceptions.TaskException.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "TaskException\n"


def test_the_registry_answers_by_hueys_names(huey: SqliteHuey) -> None:
    task = huey.task(name="task")(lambda: None)
    huey.periodic_task(crontab(minute="0"), name="hourly")(lambda: None)

    assert huey._registry.string_to_task(task.name) is task
    assert task.name in huey._registry._registry
    assert [each.name for each in huey._registry.periodic_tasks] == ["hourly"]
    with pytest.raises(HueyException, match="nothing"):
        huey._registry.string_to_task("nothing")


def test_a_consumers_options_are_one_value(huey: SqliteHuey, tmp_path: Path) -> None:
    config = ConsumerConfig(workers=3, verbose=True, simple_log=True, logfile=str(tmp_path / "log"))
    config.validate()
    logger = logging.Logger("apart")
    config.setup_logger(logger)
    logger.debug("hello")
    for handler in logger.handlers:
        handler.close()

    assert huey.create_consumer(**config.values).workers == 3
    assert (tmp_path / "log").read_text().endswith(" hello\n")
    for wrong in ({"backoff": 0.5}, {"scheduler_interval": 7}, {"graceful_signal": "HUP"}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            ConsumerConfig(**wrong).validate()  # type: ignore[arg-type]


def test_times_are_normalized_as_in_huey() -> None:
    aware = datetime(2026, 5, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    local = datetime.fromtimestamp(aware.timestamp())

    assert utils.normalize_time(aware) == datetime(2026, 5, 1, 10)
    assert utils.normalize_time(aware, utc=False) == local
    assert utils.normalize_time(local) == datetime(2026, 5, 1, 10)
    assert abs(utils.normalize_expire_time(60) - utils.utcnow()) > timedelta(seconds=50)
    with pytest.raises(ValueError, match="either"):
        utils.normalize_time()


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
