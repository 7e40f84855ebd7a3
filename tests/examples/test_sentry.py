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
