"""depth: the number that a script wants."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from click.testing import Result
from clikit import QueueFile
from operatingkit import alter

Invoke = Callable[..., Result]


@pytest.mark.parametrize(
    ("words", "code", "shown"),
    [
        ([], 0, "2\n"),
        (["--state", "dead"], 0, "1\n"),
        (["--state", "pending,scheduled"], 0, "3\n"),
        (["--state", "all"], 0, "5\n"),
        (["--max", "2"], 0, "2\n"),
        (["--max", "1"], 4, "2\n"),
        (["--oldest"], 0, "0\n"),
        (["--by", "queue"], 0, "huey\t2\n"),
        (["--by", "state"], 0, "scheduled\t1\npending\t2\ndone\t1\ndead\t1\n"),
        (["--by", "task"], 0, "app.mail.drop\t1\napp.mail.send\t1\n"),
        (["--by", "task", "--max", "1"], 4, "app.mail.drop\t1\napp.mail.send\t1\n"),
    ],
)
def test_depth_is_one_number(
    mixed: QueueFile, invoke: Invoke, words: list[str], code: int, shown: str
) -> None:
    result = invoke("depth", "-u", "queue.db", *words)

    assert (result.exit_code, result.stdout) == (code, shown)


def test_depth_of_an_empty_queue_is_zero(queue: QueueFile, invoke: Invoke) -> None:
    assert invoke("depth", "-u", "queue.db").stdout == "0\n"
    assert invoke("depth", "-u", "queue.db", "--oldest").stdout == "0\n"


def test_depth_knows_how_long_the_oldest_has_waited(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("app.task")
    alter(queue, run_at=lambda at: at - 100)

    assert int(invoke("depth", "-u", "queue.db", "--oldest").stdout) in (100, 101, 102)
    assert invoke("depth", "-u", "queue.db", "--oldest", "--max", "60").exit_code == 4


def test_depth_as_json_has_every_state_of_every_queue(mixed: QueueFile, invoke: Invoke) -> None:
    found = json.loads(invoke("depth", "-u", "queue.db", "--json").stdout)
    oldest = found["queues"]["huey"].pop("oldest_pending_s")

    assert oldest >= 0
    assert found == {
        "schema": "hueyctl.depth/1",
        "total": 2,
        "queues": {
            "huey": {
                "scheduled": 1, "pending": 2, "blocked": 0, "running": 0, "done": 1, "dead": 1,
                "revoked": 0, "expired": 0,
            }
        },
    }  # fmt: skip


def test_depth_refuses_what_it_does_not_know(mixed: QueueFile, invoke: Invoke) -> None:
    assert invoke("depth", "-u", "queue.db", "--state", "x").exit_code == 2
    assert invoke("depth", "-u", "queue.db", "--oldest", "--by", "task").exit_code == 2
