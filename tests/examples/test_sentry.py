"""Sentry: every job that failed for good becomes an event there, with the job beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import run_python

pytest.importorskip("sentry_sdk", reason="sentry-sdk is in the dev extra")


# --- the recipe -----------------------------------------------------------------------------------


def report_to_sentry(huey: Any) -> None:
    import sentry_sdk
    from sentry_sdk.integrations.logging import ignore_logger

    ignore_logger("hueycore.execute")  # its lines tell of the same errors

    @huey.signal("task-failed")
    def report(signal: str, task: Any, exc: BaseException) -> None:
        with sentry_sdk.new_scope() as scope:
            scope.set_transaction_name(task.name)
            scope.set_tag("queue", huey.name)
            scope.set_context("job", {"id": task.id, "attempt": task.attempt, "args": task.args})
            sentry_sdk.capture_exception(exc)


# --- and that it works ----------------------------------------------------------------------------


def main(path: str) -> None:
    """In a process of its own: Sentry patches threads, logging and more."""
    import sentry_sdk
    from sentry_sdk.transport import Transport

    from hueycore import SqliteHuey
    from tests.helpers import consuming, wait_until

    events: list[Any] = []

    class Memory(Transport):
        def capture_envelope(self, envelope: Any) -> None:
            event = envelope.get_event()
            if event is not None:
                events.append(event)

    sentry_sdk.init(dsn="http://key@localhost/1", transport=Memory())
    huey = SqliteHuey("mail", path)
    report_to_sentry(huey)

    @huey.task(retries=1)
    def send(address: str) -> None:
        if "@" not in address:
            raise ValueError(f"no address: {address}")

    good, bad = send("ann@box"), send("bob")
    with consuming(huey):
        wait_until(lambda: events)
    huey.close()
    (event,) = events
    error = event["exception"]["values"][-1]
    found = {
        "error": [error["type"], error["value"]],
        "transaction": event["transaction"],
        "queue": event["tags"]["queue"],
        "job": event["contexts"]["job"],
        "ids": [good.id, bad.id],
    }
    print(json.dumps(found))


@pytest.mark.feature("signals")
def test_only_the_error_after_the_last_try_is_reported_with_its_job(tmp_path: Path) -> None:
    code = "import sys; from tests.examples.test_sentry import main; main(sys.argv[1])"

    found = json.loads(run_python(code, str(tmp_path / "queue.db")).splitlines()[-1])

    assert found["error"] == ["ValueError", "no address: bob"]
    assert (found["transaction"], found["queue"]) == ("send", "mail")
    assert found["job"] == {"id": found["ids"][1], "attempt": 2, "args": ["bob"]}


# --- the integration ------------------------------------------------------------------------------


def integrated(path: str) -> None:
    import logging

    import sentry_sdk
    from sentry_sdk.transport import Transport

    from hueycore import SqliteHuey, crontab
    from hueycore.contrib.sentry import HueyIntegration
    from tests.helpers import consuming, run_one, wait_until

    logging.disable()
    events: list[Any] = []
    checks: list[Any] = []

    class Memory(Transport):
        def capture_envelope(self, envelope: Any) -> None:
            for item in envelope.items:
                kept = checks if item.headers.get("type") == "check_in" else events
                kept.append(item.payload.json)

    sentry_sdk.init(
        dsn="http://key@localhost/1",
        transport=Memory(),
        traces_sample_rate=1.0,
        integrations=[HueyIntegration(monitor_periodic_tasks=True)],
    )
    huey = SqliteHuey("mail", path)

    @huey.task(unique=True)
    def send(address: str) -> None:
        raise ValueError(f"no address: {address}")

    @huey.periodic_task(crontab(minute="*/5"))
    def tick() -> None: ...

    with sentry_sdk.start_transaction(name="caller") as caller:
        bad, same = send("bob"), send("bob")
    with consuming(huey):
        wait_until(lambda: len(events) == 3)
    tick()
    run_one(huey)
    huey.close()
    sent, error, run = events[:3]
    found = {
        "spans": [span["op"] for span in sent["spans"]],
        "error": error["exception"]["values"][-1]["value"],
        "job": [error["tags"]["huey_task_id"], error["extra"]["huey-job"]["task"]],
        "run": [run["transaction"], run["contexts"]["trace"]["trace_id"]],
        "trace": caller.trace_id,
        "ids": [bad.id, same.id],
        "checks": [[check["monitor_slug"], check["status"]] for check in checks],
        "line": checks[0]["monitor_config"]["schedule"]["value"],
    }
    print(json.dumps(found))


@pytest.mark.feature("hooks")
def test_the_integration_reports_runs_and_errors_in_the_trace_of_the_call(tmp_path: Path) -> None:
    code = "import sys; from tests.examples.test_sentry import integrated; integrated(sys.argv[1])"

    found = json.loads(run_python(code, str(tmp_path / "queue.db")).splitlines()[-1])

    assert found["spans"] == ["queue.submit.huey"] * 2
    assert found["error"] == "no address: bob"
    assert found["job"] == [found["ids"][0], "send"]
    assert found["run"] == ["send", found["trace"]]
    assert found["ids"][0] == found["ids"][1]  # what it adds to a call makes no other call of it
    assert found["checks"] == [["tick", "in_progress"], ["tick", "ok"]]
    assert found["line"] == "*/5 * * * *"
