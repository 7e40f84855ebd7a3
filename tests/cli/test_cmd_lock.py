"""lock list, lock acquire, lock release."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from clikit import DEADLINE, QueueFile, command
from operatingkit import Invoke, ask, bury, consumer, error, start

from hueycore.model.events import EventQuery
from hueycore.model.limits import Limit, Rate
from tests.helpers import wait_until

URL = ("-u", "queue.db")


def held(invoke: Invoke) -> list[Any]:
    found: list[Any] = json.loads(ask(invoke, "lock", "list", "--json").stdout)
    return found


@pytest.fixture
def holder(queue: QueueFile) -> int:
    """A process that holds the lock nightly: this one."""
    number = queue.storage.register(name="shell:1", kind="holder", slots=1)
    assert queue.storage.lock("nightly", number, b"token", ttl=3600)
    return number


# --- list -----------------------------------------------------------------------------------------


def test_locks_are_listed_with_holder_age_and_lease(
    queue: QueueFile, holder: int, invoke: Invoke
) -> None:
    (found,) = held(invoke)

    assert list(found) == [
        "name", "queue", "holder", "host", "pid", "alive", "waiting", "since", "expires_at",
        "ttl_s", "job", "waiters", "first_waiters", "kind", "at_once", "rate", "jobs",
        "ready", "due",
    ]  # fmt: skip
    assert (found["name"], found["queue"], found["holder"]) == ("nightly", "huey", "shell:1")
    assert (found["pid"], found["alive"], found["waiting"]) == (os.getpid(), True, False)
    assert 3590 < found["ttl_s"] <= 3600
    (line,) = ask(invoke, "lock", "list").stdout.splitlines()
    assert line.split("\t")[:2] == ["nightly", "shell:1"]
    assert ask(invoke, "lock", "list", "-o", "name").stdout == "nightly\n"


def test_all_has_the_limits_too_with_who_has_them_and_who_is_next(
    queue: QueueFile, holder: int, invoke: Invoke
) -> None:
    queue.storage.declare_limits(
        [Limit("app.fetch", "api", 1), Limit("app.mail", "smtp", None, Rate(2, 60.0))]
    )
    ids = [queue.add("app.fetch", key_name="api") for _ in range(3)]
    first, second, third = (row.seq for each in ids if (row := queue.storage.job(each)))
    start(queue, consumer(queue))

    found = json.loads(ask(invoke, "lock", "list", "--all", "--json").stdout)
    lock, limit, rate = found
    assert [row["kind"] for row in found] == ["lock", "limit", "rate"]
    assert (lock["name"], lock["holder"]) == ("nightly", "shell:1")
    assert (limit["holder"], limit["at_once"], limit["waiters"], limit["first_waiters"]) == (
        f"job {first} (app.fetch) on alpha", 1, 2, [second, third],
    )  # fmt: skip
    assert [job["seq"] for job in limit["jobs"]] == [first] and limit["since"]
    assert (rate["name"], rate["rate"]["limit"], rate["holder"]) == ("smtp", 2, None)
    lines = ask(invoke, "lock", "list", "--all").stdout.splitlines()
    assert [line.split("\t")[:3] for line in lines] == [
        ["lock", "nightly", ""], ["limit", "api", "1 at once"], ["rate", "smtp", "2 per 1m 00s"],
    ]  # fmt: skip
    assert [row["name"] for row in held(invoke)] == ["nightly", "api"]


def test_those_that_wait_for_a_lock_are_named_and_counted(
    queue: QueueFile, holder: int, invoke: Invoke
) -> None:
    for _ in range(5):
        queue.add("app.sync", key_name="nightly")
    queue.add("app.sync", key_name="other")

    (found,) = held(invoke)
    assert (found["job"], found["waiters"], found["first_waiters"]) == (None, 5, [1, 2, 3])
    (line,) = ask(invoke, "lock", "list").stdout.splitlines()
    assert line.split("\t")[-1] == "1, 2, 3 and 2 more"


def test_a_job_whose_task_takes_turns_holds_its_lock(queue: QueueFile, invoke: Invoke) -> None:
    queue.storage.declare_limits([Limit("app.sync", "nightly", 1), Limit("app.wide", "wide", 2)])
    for task, key in (("app.sync", "nightly"), ("app.wide", "wide")):
        queue.add(task, key_name=key)
    worker = consumer(queue)
    start(queue, worker)
    start(queue, worker, slot=1)
    queue.add("app.sync", key_name="nightly")

    (found,) = held(invoke)
    assert (found["name"], found["job"], found["alive"]) == ("nightly", 1, True)
    assert found["holder"] == "job 1 (app.sync) on alpha"
    assert (found["pid"], found["first_waiters"]) == (os.getpid(), [3])


def test_no_locks_are_no_error(queue: QueueFile, invoke: Invoke) -> None:
    result = ask(invoke, "lock", "list")

    assert (result.exit_code, result.stdout) == (0, "")
    assert held(invoke) == []


def test_a_queue_that_is_not_there_is_3(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("app.add")

    assert error(invoke, "lock", "list", "--queue", "typo")[0] == 3


def test_a_process_that_holds_a_lock_is_no_consumer(
    queue: QueueFile, holder: int, invoke: Invoke
) -> None:
    queue.add("app.add")

    assert json.loads(ask(invoke, "workers", "--json").stdout) == []
    assert ask(invoke, "workers", "--exit-code").exit_code == 4
    found = json.loads(ask(invoke, "why", "1", "--json").stdout)
    assert found["because"] == "no live consumer serves queue huey"


# --- acquire --------------------------------------------------------------------------------------


@pytest.fixture
def hueyctl(queue: QueueFile) -> Any:
    def run(*words: str, **how: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(*words, *URL) if "--" not in words else command(*URL, *words),
            capture_output=True, text=True, timeout=60, **how,
        )  # fmt: skip

    return run


@pytest.mark.parametrize(
    ("words", "code"), [(("true",), 0), (("sh", "-c", "exit 9"), 9), (("sh", "-c", "kill $$"), 143)]
)
def test_the_exit_code_is_that_of_the_command(
    hueyctl: Any, words: tuple[str, ...], code: int, invoke: Invoke
) -> None:
    assert hueyctl("lock", "acquire", "nightly", "--", *words).returncode == code
    assert held(invoke) == []


def test_the_command_runs_under_the_lock_with_its_own_streams(hueyctl: Any) -> None:
    inner = shlex.join(command(*URL, "lock", "list", "--json"))

    done = hueyctl("lock", "acquire", "nightly", "--ttl", "1h", "--", "sh", "-c", inner)

    (found,) = json.loads(done.stdout)
    assert (found["name"], found["alive"]) == ("nightly", True)
    assert 3500 < found["ttl_s"] <= 3600


def test_a_lock_that_is_held_is_6_and_the_command_is_not_run(
    queue: QueueFile, holder: int, invoke: Invoke, home: Path
) -> None:
    code, message, hint = error(invoke, "lock", "acquire", "nightly", "touch", "ran")

    assert code == 6
    assert message.startswith(f"lock nightly is held by shell:1 (process {os.getpid()}) for ")
    assert hint == "--wait waits for it"
    assert not (home / "ran").exists()


def test_a_job_of_the_key_that_runs_holds_the_lock(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("app.sync", key_name="nightly")
    start(queue, consumer(queue))

    code, message, _ = error(invoke, "lock", "acquire", "nightly", "true")

    assert (code, message) == (6, "lock nightly is held by job 1 (app.sync)")


def test_waiting_ends_with_124_when_the_time_is_over(
    queue: QueueFile, holder: int, invoke: Invoke
) -> None:
    code, message, _ = error(invoke, "lock", "acquire", "nightly", "--wait", "-t", "50ms", "true")

    assert code == 124
    assert message.startswith("timed out; lock nightly is held by shell:1")
    assert len(held(invoke)) == 1


def test_waiting_ends_when_the_lock_is_free(
    queue: QueueFile, holder: int, home: Path, until: Any
) -> None:
    words = command(*URL, "lock", "acquire", "nightly", "-W", "-t", "30s", "--", "touch", "ran")
    with subprocess.Popen(words) as process:
        until(lambda: any(row.kind == "holder" and row.pid == process.pid
                          for row in queue.storage.workers()))  # fmt: skip
        assert not (home / "ran").exists()
        queue.storage.unlock("nightly")
        assert process.wait(DEADLINE) == 0

    assert (home / "ran").exists()


def begun(line: str) -> list[str]:
    """A command that shows that it has begun."""
    return ["sh", "-c", f"touch begun; exec {line}"]


def test_a_signal_is_for_the_command_from_its_first_moment_on(hueyctl: Any) -> None:
    line = "kill -TERM $PPID; exec sleep 30"

    assert hueyctl("lock", "acquire", "nightly", "--", "sh", "-c", line).returncode == 143


def test_the_lock_is_free_when_hueyctl_is_killed(
    queue: QueueFile, invoke: Invoke, until: Any
) -> None:
    words = command(*URL, "lock", "acquire", "nightly", "--", *begun("sleep 3"))
    with subprocess.Popen(words, start_new_session=True) as process:
        until(lambda: queue.storage.is_locked("nightly") and os.path.exists("begun"))

        process.kill()
        process.wait(DEADLINE)

        # A server hears of it a moment later.
        wait_until(lambda: not queue.storage.is_locked("nightly"), 2)
        assert [lock["alive"] for lock in held(invoke)] == [False]
        os.killpg(process.pid, signal.SIGKILL)


def test_a_signal_is_for_the_command(queue: QueueFile, until: Any) -> None:
    words = command(*URL, "lock", "acquire", "nightly", "--", *begun("sleep 30"))
    with subprocess.Popen(words) as process:
        until(lambda: queue.storage.is_locked("nightly") and os.path.exists("begun"))
        process.terminate()
        assert process.wait(DEADLINE) == 143

    assert not queue.storage.is_locked("nightly")


@pytest.mark.parametrize(("word", "code"), [("no-such-command", 127), ("./no-program", 126)])
def test_a_command_that_cannot_be_run(
    queue: QueueFile, home: Path, invoke: Invoke, word: str, code: int
) -> None:
    (home / "no-program").touch(0o644)
    assert error(invoke, "lock", "acquire", "nightly", word)[0] == code
    assert held(invoke) == []


def test_a_lease_that_ended_before_its_command_is_told(hueyctl: Any) -> None:
    done = hueyctl("lock", "acquire", "nightly", "--ttl", "50ms", "--", "sleep", "0.2")

    assert done.returncode == 0
    assert "the lease of lock nightly was over before the command" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("nightly",),
        ("nightly", "-t", "5s", "true"),
        ("nightly", "--ttl", "0", "true"),
        (),
    ],
)
def test_what_cannot_be_meant_is_2(
    queue: QueueFile, invoke: Invoke, words: tuple[str, ...]
) -> None:
    assert error(invoke, "lock", "acquire", *words)[0] == 2


# --- release --------------------------------------------------------------------------------------


def test_the_lock_of_a_living_process_is_freed_only_by_force(
    queue: QueueFile, holder: int, invoke: Invoke
) -> None:
    code, message, hint = error(invoke, "lock", "release", "nightly")

    assert (code, hint) == (6, "--force frees it all the same")
    assert message.startswith("lock nightly is held by shell:1")
    result = ask(invoke, "lock", "release", "nightly", "--force")
    assert (result.exit_code, result.stdout.split()) == (0, ["released", "nightly"])
    assert held(invoke) == []
    (event,) = queue.storage.events(EventQuery())
    assert (event.signal, event.task) == ("unlock", "nightly")


def test_the_event_log_says_who_freed_a_lock(queue: QueueFile, holder: int, invoke: Invoke) -> None:
    assert error(invoke, "lock", "release", "nightly")[0] == 6
    ask(invoke, "lock", "release", "nightly", "--force")

    (event,) = json.loads(ask(invoke, "events", "--json").stdout)

    assert (event["signal"], event["task"]) == ("unlock", "nightly")
    assert "@" in event["worker"]


def test_the_lock_of_a_dead_process_needs_no_force(
    queue: QueueFile, holder: int, invoke: Invoke
) -> None:
    bury(queue)

    assert ask(invoke, "lock", "release", "nightly").exit_code == 0


def test_a_lock_that_nobody_holds_is_3(queue: QueueFile, holder: int, invoke: Invoke) -> None:
    assert error(invoke, "lock", "release", "typo") == (
        3, "no lock 'typo' is held", "hueyctl lock list",
    )  # fmt: skip
    assert error(invoke, "lock", "release", "typo", "nightly", "--force")[0] == 1
    assert held(invoke) == []


# --- why ------------------------------------------------------------------------------------------


def why(invoke: Invoke, seq: int) -> Any:
    return json.loads(ask(invoke, "why", str(seq), "--json").stdout)


def test_why_names_the_process_that_holds_the_lock(
    queue: QueueFile, holder: int, invoke: Invoke
) -> None:

    queue.storage.declare_limits([Limit("app.sync", "nightly", 1)])
    queue.add("app.sync", key_name="nightly")

    found = why(invoke, 1)

    text = f"blocked by key nightly, a lock held by shell:1 (process {os.getpid()}) for "
    assert found["because"].startswith(text)
    assert found["blocking"]["pid"] == os.getpid()
    assert found["next"] == "hueyctl lock list"
    bury(queue)
    assert "is dead" in why(invoke, 1)["because"]


def test_why_says_until_when_a_rate_holds(queue: QueueFile, invoke: Invoke) -> None:
    queue.storage.declare_limits([Limit("app.call", "api", None, Rate(1, 600.0))])
    queue.add("app.call", key_name="api")
    queue.add("app.call", key_name="api")
    start(queue, consumer(queue))

    found = why(invoke, 2)

    assert "blocked by key api, rate-limited until 20" in found["because"]
    assert found["blocking"]["key"] == "api"
    assert found["next"] == "hueyctl list --where 'key_name = api'"


def test_why_names_the_job_that_comes_before(queue: QueueFile, invoke: Invoke) -> None:

    queue.storage.declare_limits([Limit("app.work", "k", 1)])
    for _ in range(2):
        queue.add("app.work", key_name="k")

    assert why(invoke, 2)["because"] == "blocked by key k, held by job 1, which runs before it"
    queue.storage.pause(task="app.work")
    assert why(invoke, 2)["because"].startswith("task app.work has been paused")


def test_list_and_show_tell_the_key(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("app.work", key_name="k")

    listed = json.loads(ask(invoke, "list", "--json").stdout)
    assert listed[0]["key_name"] == "k"
    shown = dict(line.split("\t")[:2] for line in ask(invoke, "show", "1").stdout.splitlines())
    assert shown["key_name"] == "k"
    assert ask(invoke, "list", "--where", "key_name = k", "-o", "name").stdout
