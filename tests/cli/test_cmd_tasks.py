"""tasks: what an application registers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from clikit import QueueFile, Write
from operatingkit import Invoke, OnTty, add_schedule

APP = """
from hueycore import Huey

huey = Huey("huey", url="queue.db")

@huey.task(retries=3, retry_delay=10, priority=5)
def send(to: str, *, subject: str = "hi") -> bool:
    return True

@huey.task(timeout=2.5)
def resize(image):
    pass

@huey.periodic_task("0 3 * * *", tz="Europe/Berlin")
def nightly():
    pass
"""


@pytest.fixture
def shop(write: Write) -> str:
    write("shop.py", APP)
    return "shop:huey"


def found(invoke: Invoke, shop: str, *words: str) -> Any:
    result = invoke("tasks", "-A", shop, *words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Every test imports its own shop."""
    import sys

    yield
    sys.modules.pop("shop", None)


def test_every_task_by_name_without_any_storage(home: Path, shop: str, invoke: Invoke) -> None:
    nightly, resize, send = found(invoke, shop)

    assert send == {
        "task": "shop.send", "kind": "task",
        "signature": "(to: str, *, subject: str = 'hi') -> bool", "schedule": None, "tz": None,
        "retries": 3, "retry_delay": 10, "priority": 5, "timeout": None, "revoked": False,
        "paused": False, "max_concurrent": None, "rate": None, "key": None, "locked_by": None,
    }  # fmt: skip
    assert (resize["priority"], resize["timeout"]) == (None, 2.5)
    assert (nightly["kind"], nightly["tz"]) == ("periodic", "Europe/Berlin")
    assert nightly["schedule"]
    assert not (home / "queue.db").exists()


def test_what_the_storage_says_of_them(queue: QueueFile, shop: str, invoke: Invoke) -> None:
    queue.storage.set_revocation("revoked-task", "shop.send")
    queue.storage.pause(task="shop.resize")

    by_name = {one["task"]: one for one in found(invoke, shop)}

    assert [one["revoked"] for one in by_name.values()] == [False, False, True]
    assert by_name["shop.resize"]["paused"] is True


def test_a_pattern_narrows_and_a_name_that_is_not_there_is_3(shop: str, invoke: Invoke) -> None:
    assert [one["task"] for one in found(invoke, shop, "shop.*e*")] == [
        "shop.resize", "shop.send",
    ]  # fmt: skip
    assert found(invoke, shop, "other.*") == []
    result = invoke("tasks", "-A", shop, "shop.sent")
    assert result.exit_code == 3
    assert result.stderr == "hueyctl: no task 'shop.sent'\nhint: did you mean 'shop.send'?\n"


def test_periodic_ones_with_their_schedules(shop: str, invoke: Invoke) -> None:
    assert [one["task"] for one in found(invoke, shop, "--periodic")] == ["shop.nightly"]
    line = invoke("tasks", "-A", shop, "--periodic").stdout.split("\t")
    assert line[0] == "shop.nightly"
    assert line[2] == "Europe/Berlin"


def test_stored_schedules_are_shown_with_the_task_that_they_call(
    queue: QueueFile, shop: str, invoke: Invoke
) -> None:
    add_schedule(queue, "mondays", task="shop.send", schedule="0 9 * * 1", tz="Asia/Tokyo")
    add_schedule(queue, "by night", task="shop.nightly", schedule="every 90s")

    by_name = {one["task"]: one for one in found(invoke, shop, "--periodic")}

    assert list(by_name) == ["shop.nightly", "shop.send"]
    send, nightly = by_name["shop.send"], by_name["shop.nightly"]
    assert (send["kind"], send["schedule"], send["tz"]) == ("periodic", "0 9 * * 1", "Asia/Tokyo")
    assert (nightly["schedule"], nightly["tz"]) == ("0 3 * * *; every 90s", None)


HELD_BACK = """
from hueycore import Huey

huey = Huey("huey", url="queue.db")

@huey.task(max_concurrent=2, rate="10/m")
def call(): ...

@huey.task(lock="ledger")
def book(): ...

@huey.task(rate="100/30m", concurrency_key=lambda user: f"user-{user}")
def mail(user): ...

@huey.task()
def free(): ...

@huey.periodic_task("0 3 * * *")
def nightly(): ...
"""


def test_limits_rates_locks_and_schedules(
    queue: QueueFile, write: Write, invoke: Invoke, on_tty: OnTty
) -> None:
    write("shop.py", HELD_BACK)
    holder = queue.storage.register(name="deploy", kind="holder", slots=1)
    assert queue.storage.lock("ledger", holder, b"token", ttl=600)

    by_name = {one["task"]: one for one in found(invoke, "shop:huey")}
    shown = {
        name.removeprefix("shop."): tuple(
            one[key] for key in ("max_concurrent", "rate", "key", "locked_by")
        )
        for name, one in by_name.items()
    }
    assert shown == {
        "book": (1, None, "ledger", "deploy"),
        "call": (2, "10/m", "shop.call", None),
        "free": (None, None, None, None),
        "mail": (None, "100/30m", None, None),
        "nightly": (None, None, None, None),
    }
    lines = invoke("tasks", "-A", "shop:huey", "shop.mail").stdout.splitlines()
    assert lines[0].split("\t")[6:] == ["", "", "100/30m", "per call", ""]
    _, table = on_tty("tasks", "-A", "shop:huey", columns=120)
    for text in ("AT-ONCE", "RATE", "KEY", "LOCKED-BY", "deploy", "per call", "0 3 * * *"):
        assert text in table
    _, free = on_tty("tasks", "-A", "shop:huey", "shop.free", columns=120)
    assert "RATE" not in free
    assert "SCHEDULE" not in free


def test_lines_and_signatures(shop: str, invoke: Invoke, on_tty: OnTty) -> None:
    lines = invoke("tasks", "-A", shop).stdout.splitlines()
    assert lines[2].split("\t") == ["shop.send", "task", "3", "10", "5", "no", "", "", "", "", ""]
    signed = invoke("tasks", "-A", shop, "--signature").stdout
    assert "(to: str, *, subject: str = 'hi') -> bool" in signed
    assert invoke("tasks", "-A", shop, "-o", "name").stdout.splitlines()[0] == "shop.nightly"
    code, shown = on_tty("tasks", "-A", shop, columns=160)
    assert code == 0
    assert "RETRIES" in shown


def test_tasks_of_jobs_that_the_application_does_not_know(
    queue: QueueFile, shop: str, invoke: Invoke
) -> None:
    for name in ("shop.send", "shop.removed", "shop.removed", "old.name"):
        queue.add(name)

    names = [(one["task"], one["jobs"]) for one in found(invoke, shop, "--unseen")]

    assert names == [("old.name", 1), ("shop.removed", 2)]
    assert list(found(invoke, shop, "--unseen", "old.*")[0]) == ["task", "queue", "jobs", "last"]
    assert invoke("tasks", "-A", shop, "--unseen").stdout.startswith("old.name\t1\t")
    assert invoke("tasks", "-A", shop, "--unseen", "--periodic").exit_code == 2


def test_without_a_storage_every_task_is_seen(shop: str, invoke: Invoke) -> None:
    assert found(invoke, shop, "--unseen") == []


def test_an_application_is_needed(queue: QueueFile, invoke: Invoke) -> None:
    result = invoke("tasks", "-u", "queue.db")

    assert result.exit_code == 2
    assert "--app" in result.stderr


def test_an_application_that_cannot_be_imported_is_78(home: Path, invoke: Invoke) -> None:
    (home / "shop.py").write_text("import nothing_like_this")

    assert invoke("tasks", "-A", "shop:huey").exit_code == 78
    assert invoke("tasks", "-A", "absent:huey").exit_code == 78


def test_a_bad_file_is_69(home: Path, shop: str, invoke: Invoke) -> None:
    (home / "queue.db").write_bytes(b"garbage" * 1000)

    assert invoke("tasks", "-A", shop).exit_code == 69
    assert invoke("tasks", "-A", shop, "-u", "absent.db").exit_code == 69


def test_a_queue_in_memory_has_tasks(home: Path, invoke: Invoke) -> None:
    (home / "shop.py").write_text(
        APP.replace('Huey("huey", url="queue.db")', "MemoryHuey()").replace(
            "import Huey", "import MemoryHuey"
        )
    )

    assert len(found(invoke, "shop:huey")) == 3
