"""What Huey's constructors and decorators take: it has a meaning here, or one warning says why."""

from __future__ import annotations

import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hueycore import ConfigurationError, Huey, MemoryHuey, SqliteHuey, StorageBusy
from hueycore.storage import MemoryStorage, SqliteStorage
from tests.helpers import drain

pytestmark = pytest.mark.feature("instances")


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "queue.db"


def test_what_is_so_anyway_is_taken_without_a_word(file: Path) -> None:
    with closing(
        SqliteHuey(
            "app",
            file,
            strict_fifo=True,
            journal_mode="wal",
            create_tables=True,
            store_intermediate_errors=False,
            timeout=30,
        )
    ) as huey:
        assert huey.pending_count() == 0


def test_fsync_is_the_durability(file: Path) -> None:
    assert SqliteHuey("app", file, fsync=False)._storage_options["durability"] == "fast"
    assert SqliteHuey("app", file, fsync=True)._storage_options["durability"] == "full"
    with pytest.raises(ConfigurationError, match="give one of them"):
        SqliteHuey("app", file, fsync=True, durability="fast")


def test_one_warning_names_all_that_has_no_effect(file: Path) -> None:
    with pytest.warns(UserWarning) as found:
        SqliteHuey("app", file, cache_mb=16, blocking=True, host="localhost", port=6379)

    (warning,) = found
    assert warning.filename == __file__
    for name in (
        "cache_mb: ",
        "blocking: an idle worker is woken",
        "host: it is for another engine",
        "port",
    ):
        assert name in str(warning.message)


def test_another_option_is_a_type_error(file: Path) -> None:
    with pytest.raises(TypeError, match=r"SqliteHuey.__init__\(\) got an unexpected .* 'resuls'"):
        SqliteHuey("app", file, resuls=True)  # type: ignore[call-arg]


def test_a_busy_file_is_tried_for_the_timeout(file: Path) -> None:
    with closing(SqliteHuey("app", file, timeout=0.05)) as huey:
        huey.storage.put("key", b"value")
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("begin immediate")
            with pytest.raises(StorageBusy, match=r"for 0\.05 s"):
                huey.storage.put("key", b"value")
            other.execute("rollback")


def test_a_queue_in_memory_takes_its_arguments_in_hueys_order() -> None:
    huey = MemoryHuey("app", False, True, immediate=True)

    MemoryHuey("app", filename="unused.db")
    assert (huey.results, huey.store_none, huey.immediate) == (False, True, True)
    assert not huey.storage.shared


def test_a_storage_class_is_what_the_application_derives(file: Path) -> None:
    class Mine(SqliteStorage):  # type: ignore[misc, valid-type]
        pass

    class MyHuey(Huey):
        storage_class = Mine

    with closing(MyHuey("app", filename=file)) as huey:
        assert type(huey.storage) is Mine
        assert (huey.storage.name, huey.storage.url) == ("app", f"sqlite:///{file.resolve()}")
    with closing(Huey("app", storage_class=MemoryStorage)) as memory:
        assert not memory.storage.shared


def test_a_storage_of_bytes_is_refused(file: Path) -> None:
    class Mine:
        def __init__(self, name: str, **options: Any) -> None: ...

    with pytest.raises(ConfigurationError, match="Huey's storages hold bytes, those here hold job"):
        Huey("app", file, storage_class=Mine).pending_count()


def test_an_unknown_keyword_of_a_task_is_an_attribute_of_its_jobs(huey: Huey) -> None:
    seen: list[str] = []

    with warnings.catch_warnings():
        warnings.simplefilter("error")

        @huey.task(context=True, retries=1, queue_label="mail")  # type: ignore[call-overload, untyped-decorator]
        def send(task: Any) -> None:
            seen.append(task.queue_label)

    send()
    drain(huey)

    assert (seen, send.s().queue_label) == (["mail"], "mail")
    with pytest.raises(AttributeError, match="other"):
        send.s().other


def test_one_that_looks_misspelt_is_warned_of(huey: Huey) -> None:
    with pytest.warns(
        UserWarning, match=r"retry_dealy= is no option .* is it retry_delay=\?"
    ) as found:
        huey.task(retry_dealy=5)(lambda: None)  # type: ignore[call-overload]

    assert found[0].filename == __file__
