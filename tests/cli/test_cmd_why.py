"""why: one answer, and the command that changes it."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest
from clikit import QueueFile
from operatingkit import (
    Invoke,
    OnTty,
    alter,
    ask,
    bury,
    claim_only,
    consumer,
    error,
    pipeline,
    row,
    start,
)

from tests.storage.engines import lab_of


def why(invoke: Invoke, key: str = "1") -> dict[str, Any]:
    result = ask(invoke, "why", key, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    assert list(found) == ["seq", "state", "because", "since", "blocking", "next"]
    return found


def answer(invoke: Invoke, key: str = "1") -> tuple[str, str | None]:
    found = why(invoke, key)
    return found["because"], found["next"]


def test_a_paused_queue(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("app.add")
    consumer(queue)
    queue.storage.pause(by="ann@here", reason="deploy", until=time.time() + 3600.5)

    found = why(invoke)

    assert found["because"].startswith("queue huey has been paused for ")
    assert found["because"].endswith(" by ann@here, 1h 00m left (deploy)")
    assert found["since"].endswith("Z")
    assert (found["blocking"], found["next"]) == ({"queue": "huey"}, "hueyctl resume huey")


def test_a_pause_that_is_over_is_no_answer(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("app.add")
    queue.storage.pause(until=time.time() - 1)

    assert answer(invoke)[0] == "no live consumer serves queue huey"


def test_a_pause_of_another_task_is_not_what_holds_a_job_of_a_key(
    queue: QueueFile, invoke: Invoke
) -> None:
    from hueycore.model.limits import Limit

    queue.storage.declare_limits([Limit("app.add", "k", 1)])
    for _ in range(2):
        queue.add("app.add", key_name="k")
    queue.storage.pause(task="app.other", until=time.time() + 3600)
    start(queue, consumer(queue, "alpha"))

    assert "blocked by key k, held by job 1 on worker alpha" in answer(invoke, "2")[0]


def test_a_paused_task(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("app.add")
    queue.add("app.other")
    queue.storage.pause(task="app.add", reason="SMTP down")

    because, after = answer(invoke)

    assert because.startswith("task app.add has been paused for ")
    assert because.endswith("(SMTP down)")
    assert after == "hueyctl resume --task app.add"
    assert "paused" not in answer(invoke, "2")[0]


def test_a_job_that_is_not_due(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("app.add", run_at=time.time() + 3600.9)

    assert answer(invoke) == ("not due: in 1h 00m", "hueyctl reschedule 1 --now")


def test_a_retry_that_is_not_due(queue: QueueFile, invoke: Invoke) -> None:
    from hueycore.model.endings import Failure, Retry

    queue.add("app.add", retries=5)
    failure = Failure("ValueError", "no", "")
    queue.run(lambda claim: Retry(time.time() + 300.9, claim.retries - 1, 0, failure))

    assert answer(invoke) == (
        "retry 1 of 5 in 5m 00s, after ValueError: no", "hueyctl reschedule 1 --now",
    )  # fmt: skip


def test_a_task_that_no_consumer_knows(queue: QueueFile, invoke: Invoke) -> None:
    from hueycore.model.endings import Failure, Snoozed
    from hueycore.model.retry import NOT_FOUND

    queue.add("app.gone")
    first = Failure(NOT_FOUND, "no task 'app.gone' is registered", "")
    queue.run(lambda claim: Snoozed(time.time() + 30.9, first))

    assert answer(invoke) == (
        "no task 'app.gone' is registered; the consumers look for it again in 30s",
        "hueyctl reschedule 1 --now",
    )


def test_a_key_that_another_job_holds(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("app.holder")
    queue.add("app.waiter")
    start(queue, consumer(queue))
    alter(queue, key_name="k")
    alter(queue, 2, state="blocked")

    found = why(invoke, "2")

    assert found["because"].startswith("blocked by key k, held by job 1 on worker alpha for ")
    assert found["blocking"] == {"key": "k", "job": 1, "worker": "alpha"}
    assert found["next"] == "hueyctl show 1"
    alter(queue, 1, key_name="other")
    assert answer(invoke, "2") == ("blocked by key k", "hueyctl workers")


def test_stages_before_it(queue: QueueFile, invoke: Invoke) -> None:
    pipeline(queue, "app.a", "app.b")

    found = why(invoke, "2")

    assert found["because"] == "waits for the stage before: job 1 (app.a) is pending"
    assert found["blocking"] == {"waits": 1, "of": 1, "jobs": [1]}
    assert found["next"] == "hueyctl why 1"


def test_some_of_the_stages_before_it(queue: QueueFile, invoke: Invoke) -> None:
    for _ in range(4):
        queue.add("app.add")
    for seq in (1, 2, 3):
        alter(queue, seq, next=4, slot=seq)
    alter(queue, 1, delivered=1)
    alter(queue, 4, state="blocked", waits=2)

    found = why(invoke, "4")

    assert found["because"] == "waits for 2 of 3 stages: job 2 (app.add) is pending, and 1 more"
    assert found["blocking"] == {"waits": 2, "of": 3, "jobs": [2, 3]}


def test_a_standing_order_about_the_task(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("app.add", run_at=time.time() + 3600)
    queue.add("app.add")
    until = time.time() + 600.9
    queue.storage.set_revocation("revoked-task", "app.add", until=until, reason="bad")

    # It is over before the first one is due.
    assert answer(invoke, "1")[1] == "hueyctl reschedule 1 --now"
    found = why(invoke, "2")
    assert found["because"] == (
        "task app.add is revoked, 10m left (bad): it ends revoked when its turn comes"
    )
    assert found["blocking"] == {"task": "app.add"}
    assert found["next"] == "hueyctl restore --task app.add"


def test_a_standing_order_about_the_id(queue: QueueFile, invoke: Invoke) -> None:
    id_ = queue.add("app.add")
    queue.storage.set_revocation("revoked-id", id_)

    because, after = answer(invoke)

    assert because == "its id is revoked: it ends revoked when its turn comes"
    assert after == f"hueyctl restore {id_}"


@pytest.mark.parametrize("which", ["none", "dead", "other", "scheduler"])
def test_no_live_consumer(queue: QueueFile, invoke: Invoke, which: str) -> None:
    queue.add("app.add")
    mail = QueueFile(queue.where, "mail")
    if which == "other":
        consumer(mail)
    if which == "scheduler":
        consumer(queue, slots=0)
    if which == "dead":
        consumer(queue)
        bury(queue)

    found = why(invoke)
    mail.storage.close()

    assert found["because"] == "no live consumer serves queue huey"
    assert found["blocking"] == {"queue": "huey"}
    assert found["next"] == "hueyctl consume APP --queue huey"


def test_a_due_job_that_nobody_promotes(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("app.add", run_at=time.time() + 3600)
    alter(queue, run_at=1.0)

    assert answer(invoke)[0] == "no live consumer serves queue huey"


def test_the_only_consumer_is_stopping(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("app.add")
    queue.storage.stopping(consumer(queue))

    assert answer(invoke)[0] == "the consumer of queue huey is stopping, and there is no other"


def test_jobs_ahead_of_it(queue: QueueFile, invoke: Invoke) -> None:
    consumer(queue)
    for _ in range(2):
        queue.add("app.add", priority=7)
    queue.add("app.add")

    found = why(invoke, "3")

    assert found["because"] == "2 jobs are ahead of it; 0 of 2 workers are busy"
    assert found["blocking"] == {"jobs": 2, "busy": 0, "workers": 2}
    assert found["next"] == "hueyctl reschedule 3 --priority 8"
    assert answer(invoke, "2")[0] == "1 job is ahead of it; 0 of 2 workers are busy"
    assert answer(invoke, "1") == ("it is next, and runs as soon as a worker looks", None)


def test_the_command_it_names_makes_it_the_first(queue: QueueFile, invoke: Invoke) -> None:
    consumer(queue)
    for _ in range(3):
        queue.add("app.add", priority=2.5)

    command = answer(invoke, "3")[1]
    assert command is not None
    assert ask(invoke, *command.split()[1:]).exit_code == 0

    assert answer(invoke, "3")[0] == "it is next, and runs as soon as a worker looks"


def test_every_worker_is_busy(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("app.add")
    start(queue, consumer(queue, slots=1))
    queue.add("app.add")

    assert answer(invoke, "2") == ("it is next; the only worker is busy", "hueyctl workers")


def test_a_job_that_runs(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("app.add")
    claim = start(queue, consumer(queue))
    alter(queue, claimed_at=lambda at: at and at - 40)

    found = why(invoke)

    assert re.fullmatch("running on alpha for 4[0-9]s", found["because"])
    assert found["blocking"]["worker"] == "alpha"
    assert found["next"] == "hueyctl revoke 1"
    from hueycore.model.events import Said

    queue.storage.note([(claim, Said("50%"))])
    ask(invoke, "revoke", "1")
    because, command = answer(invoke)
    assert re.fullmatch(r"running on alpha for 4[0-9]s \(50%\); it was asked to stop", because)
    assert command is None


def test_a_job_that_is_held(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("app.add")
    claim_only(queue, consumer(queue))

    because, after = answer(invoke)

    assert because.startswith("held: claimed by alpha ")
    assert after == "hueyctl workers"


def test_a_job_whose_worker_is_dead(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("app.add")
    start(queue, consumer(queue))
    bury(queue)

    assert answer(invoke)[0] == (
        "its worker alpha is dead; the next consumer of queue huey takes it back"
    )


def test_a_job_past_its_time(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("app.add", expires_at=time.time() - 60)

    assert answer(invoke)[0] == ("expired 1m 00s ago: the next consumer that looks will end it")
    queue.storage.expire()
    because, after = answer(invoke)
    assert because.startswith("expired ")
    assert after == "hueyctl restore 1"


def test_jobs_that_have_ended(mixed: QueueFile, invoke: Invoke) -> None:
    assert answer(invoke, "1")[1] == "hueyctl result 1"
    assert answer(invoke, "2") == (
        "dead after 1 try because of TimeoutError: too slow", "hueyctl dead retry 2",
    )  # fmt: skip
    ask(invoke, "revoke", "3", "--reason", "not wanted")
    because, after = answer(invoke, "3")
    assert because.startswith("revoked ")
    assert because.endswith(": not wanted")
    assert after == "hueyctl restore 3"


def test_a_job_that_died_of_another_cause(queue: QueueFile, invoke: Invoke) -> None:
    from hueycore.model.endings import Dead

    queue.add("app.add")
    queue.run(lambda claim: Dead("unknown-task"))

    assert answer(invoke)[0] == "dead after 1 try: unknown-task"


def test_a_stage_that_waits_again_for_one_that_failed(queue: QueueFile, invoke: Invoke) -> None:
    pipeline(queue, "app.a", "app.b", "app.c")
    queue.kill()
    ask(invoke, "restore", "2", "--yes")

    found = why(invoke, "2")
    assert found["because"] == "waits for the stage before: job 1 (app.a) is dead"
    assert found["next"] == "hueyctl why 1"
    assert why(invoke, "1")["next"] == "hueyctl dead retry 1"


@pytest.mark.feature("visible stages")
def test_the_stage_that_failed_is_named_however_far_before_it_is(
    queue: QueueFile, invoke: Invoke
) -> None:
    pipeline(queue, *["app.a"] * 9)
    queue.kill()

    found = why(invoke, "9")
    assert found["because"].endswith("job 1 (app.a), a stage before it, is dead")
    assert (found["blocking"], found["next"]) == ({"job": 1}, "hueyctl why 1")


def test_a_stage_whose_forerunner_failed(queue: QueueFile, invoke: Invoke) -> None:
    pipeline(queue, "app.a", "app.b")
    queue.kill()

    found = why(invoke, "2")

    assert found["because"].endswith("job 1 (app.a), a stage before it, is dead")
    assert (found["blocking"], found["next"]) == ({"job": 1}, "hueyctl why 1")
    ask(invoke, "dead", "purge", "1", "--yes")
    assert answer(invoke, "2")[1] == "hueyctl restore 2"


def test_names_in_the_command_are_quoted_for_the_shell(queue: QueueFile, invoke: Invoke) -> None:
    name = "app.x; rm -rf 'a'"
    queue.add(name)
    queue.storage.pause(task=name)

    import shlex

    command = answer(invoke)[1]
    assert command is not None
    assert shlex.split(command) == ["hueyctl", "resume", "--task", name]


def test_text_for_a_person_and_lines_for_a_pipe(
    queue: QueueFile, invoke: Invoke, on_tty: OnTty
) -> None:
    queue.add("app.add")

    assert on_tty("why", "1", "-u", "queue.db") == (
        0, "1 pending: no live consumer serves queue huey.\n  hueyctl consume APP --queue huey\n",
    )  # fmt: skip
    assert ask(invoke, "why", "1").stdout == (
        "1\tpending\tno live consumer serves queue huey\thueyctl consume APP --queue huey\n"
    )
    assert ask(invoke, "why", "1", "-o", "name").stdout == f"{row(queue, 1).id}\n"
    assert "BECAUSE" in ask(invoke, "why", "1", "-o", "csv").stdout


def test_several_are_a_list_and_an_unknown_one_is_3(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("app.add")
    queue.add("app.add")

    found = json.loads(ask(invoke, "why", "1", "2", "--json").stdout)
    assert [each["seq"] for each in found] == [1, 2]
    assert ask(invoke, "why", "1", "2", "-o", "jsonl").stdout.count("\n") == 2
    assert error(invoke, "why", "9") == (3, "no job 9", "hueyctl list --state all")


def test_looking_writes_nothing(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("app.add")
    before = lab_of(queue.storage).raw()

    why(invoke)

    assert lab_of(queue.storage).raw() == before


def test_a_run_that_was_put_back_says_why(queue: QueueFile, invoke: Invoke) -> None:
    from hueycore.model.endings import Failure, Revoked, Snoozed

    queue.add("app.api")
    failure = Failure("RateLimitExceeded", "rate limit of api", "")
    queue.run(lambda claim: Snoozed(time.time() + 100.5, failure))

    assert (
        answer(invoke)[0] == "put back, again in 1m 40s, after RateLimitExceeded: rate limit of api"
    )
    events = json.loads(ask(invoke, "show", "1", "--json").stdout)["timeline"]
    assert [event["event"] for event in events] == ["enqueued", "put back", "due"]

    alter(queue, state="pending")
    queue.run(lambda claim: Revoked("canceled", None, Failure("CancelExecution", "not needed", "")))
    assert answer(invoke)[0].endswith(": canceled (not needed)")
