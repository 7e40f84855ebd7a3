"""pause and resume."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest
from clikit import DEADLINE, QueueFile
from operatingkit import Invoke, OnTty, ask, bury, consumer, error, start, states


def now_is(invoke: Invoke, *words: str, code: int = 0) -> Any:
    result = ask(invoke, *words, "--json")
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def claimable(queue: QueueFile) -> int:
    """How many jobs a consumer would get now."""
    from hueycore.model.jobs import Want

    number = consumer(queue, "probe")
    claims = queue.storage.exchange(number, [], Want(100)).claims
    queue.storage.unregister(number)
    return len(claims)


def test_a_paused_queue_hands_out_nothing_until_it_is_resumed(
    queue: QueueFile, invoke: Invoke
) -> None:
    queue.add("app.add")

    (found,) = now_is(invoke, "pause", "--reason", "deploy")

    assert list(found) == ["queue", "task", "paused", "since", "until", "by", "reason", "what"]
    assert (found["queue"], found["task"], found["paused"]) == ("huey", None, True)
    assert (found["until"], found["reason"]) == (None, "deploy")
    assert "@" in found["by"]
    assert claimable(queue) == 0
    (found,) = now_is(invoke, "resume")
    assert (found["paused"], found["since"], found["by"], found["reason"]) == (
        False, None, None, None,
    )  # fmt: skip
    assert claimable(queue) == 1


def test_both_are_idempotent_and_pausing_again_changes_the_reason(
    queue: QueueFile, invoke: Invoke
) -> None:
    queue.add("app.add")

    assert now_is(invoke, "resume")[0]["paused"] is False
    assert now_is(invoke, "pause", "--reason", "one")[0]["reason"] == "one"
    assert now_is(invoke, "pause", "--for", "1h")[0]["reason"] is None
    assert now_is(invoke, "resume")[0]["paused"] is False
    assert now_is(invoke, "resume")[0]["paused"] is False


def test_a_pause_can_end_by_itself(queue: QueueFile, invoke: Invoke, until: Any) -> None:
    queue.add("app.add")

    (found,) = now_is(invoke, "pause", "--for", "1s")

    assert found["until"] is not None
    until(lambda: claimable(queue) == 1)


def test_one_task_is_paused_and_the_others_go_on(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("app.mail")
    queue.add("app.other")

    (found,) = now_is(invoke, "pause", "--task", "app.mail", "--for", "1h", "--reason", "SMTP down")

    assert (found["task"], found["paused"], found["reason"]) == ("app.mail", True, "SMTP down")
    queue.finish()
    assert states(queue) == {1: "pending", 2: "done"}
    result = ask(invoke, "resume")
    assert "task app.mail is still paused: hueyctl resume --task app.mail" in result.stderr
    assert now_is(invoke, "resume", "--task", "app.mail")[0]["paused"] is False
    assert claimable(queue) == 1


def test_who_paused_a_task_is_told(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("app.mail")

    (found,) = now_is(invoke, "pause", "--task", "app.mail")

    assert "@" in found["by"]
    assert found["by"] in ask(invoke, "why", "1").stdout


def test_periodic_tasks_are_paused_alone(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("app.mail")

    (found,) = now_is(invoke, "pause", "--scheduler", "--reason", "month end")

    assert (found["what"], found["paused"], found["reason"]) == ("scheduler", True, "month end")
    assert queue.storage.revocation("paused-scheduler", "") is not None
    assert claimable(queue) == 1
    assert "hueyctl resume --scheduler" in ask(invoke, "resume").stderr
    assert now_is(invoke, "resume", "--scheduler")[0]["paused"] is False
    assert queue.storage.revocation("paused-scheduler", "") is None
    assert ask(invoke, "pause", "--scheduler", "--task", "app.mail").exit_code == 2


def test_queues_are_named_as_arguments_or_with_the_option(queue: QueueFile, invoke: Invoke) -> None:
    mail = QueueFile(queue.where, "mail")
    mail.add("mail.send")
    mail.storage.close()
    queue.add("app.add")

    assert [each["queue"] for each in now_is(invoke, "pause", "mail", "huey")] == ["mail", "huey"]
    assert [each["queue"] for each in now_is(invoke, "resume", "-Q", "mail")] == ["mail"]
    paused = {row.queue: row.paused_at is not None for row in queue.storage.queues()}
    assert paused == {"huey": True, "mail": False}
    assert error(invoke, "pause", "mial") == (3, "no queue 'mial'", "did you mean 'mail'?")
    assert ask(invoke, "pause", "mail", "-Q", "mail").exit_code == 2
    assert ask(invoke, "pause").exit_code == 2


def test_an_empty_storage_can_be_paused_before_its_first_job(
    queue: QueueFile, invoke: Invoke
) -> None:
    assert now_is(invoke, "pause")[0]["paused"] is True
    queue.add("app.add")
    assert claimable(queue) == 0


def test_waiting_ends_when_nothing_runs_any_more(queue: QueueFile, invoke: Invoke) -> None:
    from hueycore.model.endings import Done
    from hueycore.model.jobs import Ended, Want

    queue.add("app.add")
    worker = consumer(queue)
    claim = start(queue, worker)

    def end() -> None:
        queue.storage.exchange(worker, [Ended(claim, Done(), time.time(), 0.1)], Want(0))

    timer = threading.Timer(0.1, end)
    timer.start()
    (found,) = now_is(invoke, "pause", "--wait", "-t", "20s")
    timer.join(DEADLINE)

    assert found["paused"] is True
    assert states(queue) == {1: "done"}


def test_waiting_gives_up_with_124_and_the_pause_stands(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("app.add")
    queue.add("app.add")
    start(queue, consumer(queue))

    assert error(invoke, "pause", "-W", "-t", "50ms")[:2] == (
        124, "timed out; 1 job still runs, and the pause stands",
    )  # fmt: skip
    assert claimable(queue) == 0
    # Of another task nothing runs.
    assert ask(invoke, "pause", "-W", "-t", "5s", "--task", "app.other").exit_code == 0


def test_jobs_of_a_dead_worker_are_not_waited_for(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("app.add")
    start(queue, consumer(queue))
    bury(queue)

    assert ask(invoke, "pause", "--wait", "-t", "20s").exit_code == 0


@pytest.mark.parametrize(
    "words", [("-t", "1s"), ("--for", "0"), ("--task", "app.*"), ("--for", "soon")]
)
def test_what_makes_no_sense_is_a_usage_error(
    queue: QueueFile, invoke: Invoke, words: tuple[str, ...]
) -> None:
    queue.add("app.add")

    assert ask(invoke, "pause", *words).exit_code == 2
    assert claimable(queue) == 1


def test_the_application_names_its_queue(app: str, queue: QueueFile, invoke: Invoke) -> None:
    queue.add("app.add")

    assert invoke("pause", "-A", app).exit_code == 0
    assert claimable(queue) == 0
    assert invoke("resume", "-A", app).exit_code == 0
    assert claimable(queue) == 1


def test_an_application_without_a_file_is_69(app: str, invoke: Invoke) -> None:
    assert invoke("pause", "-A", app).exit_code == 69


def test_what_is_printed(queue: QueueFile, invoke: Invoke, on_tty: OnTty) -> None:
    queue.add("app.add")

    line = ask(invoke, "pause", "--reason", "deploy").stdout.split("\t")
    assert (line[:3], line[5]) == (["huey", "", "yes"], "deploy\n")
    code, shown = on_tty("resume", "-u", "queue.db")
    assert code == 0
    assert "QUEUE" in shown
    assert "no" in shown
    assert "Queue huey was not paused." in on_tty("resume", "-u", "queue.db")[1]
    assert ask(invoke, "resume", "-o", "name").stdout == "huey\n"


def test_what_is_paused_now_is_listed(queue: QueueFile, invoke: Invoke, on_tty: OnTty) -> None:
    mail = QueueFile(queue.where, "mail")
    mail.add("mail.send")
    mail.storage.pause(task="mail.send", until=time.time() + 600, reason="SMTP down")
    mail.storage.pause(scheduler=True)
    mail.storage.close()
    queue.storage.pause(by="ann", reason="deploy")
    queue.storage.pause(task="app.over", until=1)
    queue.storage.set_revocation("revoked-task", "app.revoked")

    found = now_is(invoke, "pause", "--list")

    assert [(each["queue"], each["task"], each["what"], each["reason"]) for each in found] == [
        ("huey", None, "jobs", "deploy"),
        ("mail", None, "scheduler", None),
        ("mail", "mail.send", "jobs", "SMTP down"),
    ]
    assert [each["by"] for each in found][:1] == ["ann"]
    assert all(each["paused"] and each["since"] for each in found)
    assert len(now_is(invoke, "pause", "--list", "-Q", "mail")) == 2
    assert ask(invoke, "pause", "--list", "--task", "mail.send").exit_code == 2
    lines = ask(invoke, "pause", "--list").stdout.splitlines()
    assert [line.split("\t")[:2] for line in lines] == [
        ["huey", ""], ["mail", ""], ["mail", "mail.send"],
    ]  # fmt: skip
    assert "SMTP down" in on_tty("pause", "--list", "-u", "queue.db")[1]


def test_no_pauses_are_an_empty_list(queue: QueueFile, invoke: Invoke, on_tty: OnTty) -> None:
    queue.storage.pause(until=1)

    assert now_is(invoke, "pause", "--list") == []
    assert on_tty("pause", "--list", "-u", "queue.db") == (0, "Nothing is paused.\n")
