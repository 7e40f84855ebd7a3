"""The Flask example: tasks with the application's context; a real consumer runs the jobs."""

from __future__ import annotations

import pytest

from tests.examples.conftest import Example
from tests.helpers import wait_until

pytest.importorskip("flask")


def test_a_task_has_the_context_of_the_application(example: Example) -> None:
    main = example("flask_app", "main", "main.huey")
    client = main.app.test_client()

    begun = client.post("/signup/7")
    assert begun.status_code == 202
    status = f"/status/{begun.json['task_id']}"
    wait_until(lambda: client.get(status).json["state"] == "done", 20)

    assert client.get(status).json["value"] == "office@example.com welcomes user 7"
    assert client.get("/status/nonsense").status_code == 404
    assert client.get("/huey/health/").json == {"pending": 0, "dead": 0}
    main.huey.close()
