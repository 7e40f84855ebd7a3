"""result and wait."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from click.testing import Result
from clikit import DEADLINE, QueueFile
from operatingkit import add_schedule, alter, consumer
from ptykit import Terminal

from hueyctl.answers import unserved

Invoke = Callable[..., Result]


def ask(invoke: Invoke, *words: str) -> tuple[int, str]:
    result = invoke(*words, "-u", "queue.db")
    return result.exit_code, result.stdout


@pytest.mark.parametrize(
    ("value", "shown", "raw"),
    [
        (5, "5", "5"), ("text", '"text"', "text"), ("two\nlines", '"two\\nlines"', "two\nlines"),
        ([1, {"a": None}], '[1, {"a": null}]', '[1, {"a": null}]'), (True, "true", "true"),
        ("grün", '"grün"', "grün"), (None, "null", "null"),
    ],
)  # fmt: skip
def test_a_value_is_json_and_raw_leaves_strings_alone(
    queue: QueueFile, invoke: Invoke, value: Any, shown: str, raw: str
) -> None:
    queue.add("t")
    queue.finish(value)

    assert ask(invoke, "result", "1") == (0, f"{shown}\n")
    assert ask(invoke, "result", "1", "--raw") == (0, f"{raw}\n")
    assert json.loads(ask(invoke, "result", "1", "--json")[1])["value"] == value


def test_a_result_is_an_object_and_several_are_a_list(queue: QueueFile, invoke: Invoke) -> None:
    first, second = queue.add("t"), queue.add("t")
    queue.finish(7)

    one = json.loads(ask(invoke, "result", first, "--json")[1])
    both = json.loads(ask(invoke, "result", "1", second, "--json")[1])

    assert one == {
        "seq": 1, "id": first, "state": "done", "value": 7, "value_repr": None, "error": None,
    }  # fmt: skip
    assert [each["seq"] for each in both] == [1, 2]
    assert ask(invoke, "result", "1", "2") == (0, "7\n7\n")
    assert ask(invoke, "result", "1", "2", "-o", "jsonl")[1].count("\n") == 2


def test_peeking_leaves_the_value_and_pop_takes_it(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("t")
    queue.finish("once")

    assert ask(invoke, "result", "1", "--pop") == (0, '"once"\n')
    assert ask(invoke, "result", "1") == (0, "already taken\n")
    assert json.loads(ask(invoke, "result", "1", "--json")[1])["value_repr"] == "already taken"


def test_a_value_that_is_not_plain_data_is_not_decoded(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("t")
    queue.finish(QueueFile)

    code, shown = ask(invoke, "result", "1")

    assert code == 0
    assert "not plain data" in shown
    found = json.loads(ask(invoke, "result", "1", "--json")[1])
    assert found["value"] is None
    assert "bytes" in found["value_repr"]


def test_a_large_value_is_printed_whole_to_who_asks_for_it(
    queue: QueueFile, invoke: Invoke
) -> None:
    queue.add("t")
    queue.finish("grün " * 1_200_000)

    assert ask(invoke, "result", "1", "--raw") == (0, "grün " * 1_200_000 + "\n")
    assert len(json.loads(ask(invoke, "result", "1", "--json")[1])["value"]) == 6_000_000
    assert "bytes, not shown: too large" in ask(invoke, "show", "1")[1]


def test_what_cannot_be_shown_is_not_taken(queue: QueueFile, invoke: Invoke) -> None:
    for value in ("plain", QueueFile):
        queue.add("t")
        queue.finish(value)

    refused = invoke("result", "1", "2", "--pop", "-u", "queue.db")

    assert (refused.exit_code, refused.stdout) == (6, "")
    assert "job 2 keeps its value" in refused.stderr
    assert ask(invoke, "result", "1", "--pop") == (0, '"plain"\n')
    assert "not plain data" in ask(invoke, "result", "2")[1]


def test_a_failed_job_exits_5_with_its_error_on_stderr(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("app.boom")
    queue.kill("ValueError", "broken")

    result = invoke("result", "1", "-u", "queue.db")
    data = invoke("result", "1", "-u", "queue.db", "--json")
    trace = invoke("result", "1", "-u", "queue.db", "--traceback")

    assert (result.exit_code, result.stdout) == (5, "")
    assert result.stderr == "hueyctl: job 1 (app.boom) is dead: ValueError: broken\n"
    assert data.exit_code == 5
    assert json.loads(data.stdout)["error"]["type"] == "ValueError"
    assert json.loads(data.stderr)["error"]["code"] == "task_failed"
    assert "Traceback" in trace.stderr


def test_a_revoked_job_failed_without_a_run(queue: QueueFile, invoke: Invoke) -> None:
    from hueycore.model.jobs import Selector

    queue.add("t")
    queue.storage.revoke(Selector(keys=("1",)), "no longer wanted")

    result = invoke("result", "1", "-u", "queue.db", "--json")

    assert result.exit_code == 5
    assert "revoked" in json.loads(result.stdout)["error"]["message"]


def test_a_job_that_is_not_ready_never_blocks(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("t")

    assert ask(invoke, "result", "1") == (0, "")
    assert ask(invoke, "result", "1", "--exit-code") == (4, "")
    assert json.loads(ask(invoke, "result", "1", "--json")[1])["state"] == "pending"


def test_an_unknown_job_is_3_and_the_others_are_shown(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("t")
    queue.finish(1)

    assert ask(invoke, "result", "99") == (3, "")
    assert ask(invoke, "result", "99", "1", "nope") == (3, "1\n")
    assert ask(invoke, "wait", "99") == (3, "")


def test_a_result_of_another_queue_of_the_file_is_found(queue: QueueFile, invoke: Invoke) -> None:
    mail = QueueFile(queue.where, "mail")
    posted = mail.add("t")
    mail.finish("posted")
    mail.storage.close()

    assert ask(invoke, "result", "1") == (0, '"posted"\n')
    assert ask(invoke, "result", "1", "-Q", "mail", "--pop") == (0, '"posted"\n')
    queue.add("t")
    assert ask(invoke, "result", posted, "-Q", "huey")[0] == 3


def test_waiting_for_a_result_ends_when_it_is_there(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("t")

    found = during(queue, lambda: queue.finish(4), ask, invoke, "result", "1", "--wait")

    assert found == (0, "4\n")


def during(queue: QueueFile, action: Callable[[], Any], ask: Callable[..., Any], *args: Any) -> Any:
    """Ask, and let ``action`` happen between the first look at the queue and the second."""
    engine = type(queue.storage)
    original, looks = engine.version, 0

    def version(storage: Any) -> Any:
        nonlocal looks
        looks += 1
        if looks == 2:
            action()
        return original(storage)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "version", version)
        return ask(*args)


def test_waiting_gives_up_when_the_time_is_over(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("t")
    began = time.monotonic()

    result = invoke("result", "1", "--wait", "-t", "100ms", "-u", "queue.db")

    assert result.exit_code == 124
    assert result.stderr == "hueyctl: timed out; still open: 1\n"
    assert time.monotonic() - began < DEADLINE
    assert invoke("result", "1", "-t", "1s", "-u", "queue.db").exit_code == 2


# --- wait ----------------------------------------------------------------------------------------


def test_wait_prints_each_change_of_state(queue: QueueFile, invoke: Invoke) -> None:
    id_ = queue.add("t")

    code, shown = during(queue, queue.finish, ask, invoke, "wait", "1", "-o", "jsonl")

    changes = [json.loads(line) for line in shown.splitlines()]
    assert code == 0
    assert list(changes[-1]) == ["seq", "id", "from", "to", "at"]
    assert (changes[-1]["id"], changes[-1]["to"]) == (id_, "done")


def test_wait_on_a_pipe_prints_tabs_and_json_is_one_document(
    queue: QueueFile, invoke: Invoke
) -> None:
    queue.add("t")
    _, shown = during(queue, queue.finish, ask, invoke, "wait", "1")
    assert shown.splitlines()[-1].split("\t")[3] == "done"

    queue.add("t")
    _, shown = during(queue, queue.finish, ask, invoke, "wait", "2", "--json")
    assert json.loads(shown)[-1]["to"] == "done"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["1"], 0), (["1", "2"], 5), (["2"], 5), (["1", "--for", "success"], 0),
        (["2", "--for", "success"], 5), (["1", "2", "--any"], 0), (["2", "--for", "started"], 0),
        (["3", "--for", "started"], 5), (["--state", "done"], 0), (["-a", "-t", "0.05"], 124),
        (["4", "--for", "success", "-t", "0.05"], 124), (["1", "4", "--any"], 0),
        (["2", "4", "--for", "success", "-t", "5"], 5), (["--state", "expired"], 0),
        (["--task", "nothing"], 0),
    ],
)  # fmt: skip
def test_what_ends_a_wait(queue: QueueFile, invoke: Invoke, words: list[str], code: int) -> None:
    from hueycore.model.jobs import Selector

    queue.add("done")
    queue.finish(1)
    queue.add("dead")
    queue.kill()
    queue.add("revoked")
    queue.storage.revoke(Selector(keys=("3",)))
    queue.add("waiting")

    assert invoke("wait", *words, "-u", "queue.db").exit_code == code


def test_waiting_for_success_ends_at_the_first_failure(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("fails")
    queue.add("later", run_at=time.time() + 3600)

    words = ("wait", "1", "2", "--for", "success", "-u", "queue.db", "-t", "20")
    result = during(queue, queue.kill, invoke, *words)

    assert result.exit_code == 5
    assert "job 1 (fails) is dead: ValueError: broken" in result.stderr


def test_waiting_for_an_empty_queue_looks_at_what_is_due_and_not_at_the_rest(
    queue: QueueFile, invoke: Invoke
) -> None:
    queue.add("later", run_at=time.time() + 3600)
    assert ask(invoke, "wait", "--for", "empty") == (0, "")

    queue.add("now")
    assert ask(invoke, "wait", "--for", "empty", "-t", "0.05")[0] == 124
    assert during(queue, queue.finish, ask, invoke, "wait", "--for", "empty") == (0, "")

    # Due, though nobody has promoted it: no consumer is up.
    alter(queue, run_at=1.0)
    assert ask(invoke, "wait", "--for", "empty", "-t", "0.2")[0] == 124


@pytest.mark.parametrize(
    "words", [[], ["--for", "empty", "1"], ["--for", "empty", "--any"], ["1", "-i", "0"]]
)
def test_a_wait_that_makes_no_sense_is_a_usage_error(
    queue: QueueFile, invoke: Invoke, words: list[str]
) -> None:
    assert invoke("wait", *words, "-u", "queue.db").exit_code == 2


def test_ids_to_wait_for_come_from_stdin(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("t")
    queue.finish()

    assert invoke("wait", "-", "-u", "queue.db", input="1\n").exit_code == 0


def test_no_id_on_stdin_is_an_error_unless_it_is_said_to_be_none(
    queue: QueueFile, invoke: Invoke
) -> None:
    queue.add("app.add")

    found = invoke("wait", "-", "-u", "queue.db", input="")

    assert found.exit_code == 4
    assert found.stderr.startswith("hueyctl: no id came on stdin\nhint: ")
    assert invoke("wait", "-", "--allow-empty", "-u", "queue.db", input="").exit_code == 0


def test_a_job_that_is_purged_meanwhile_is_said(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("t")

    result = during(queue, queue.storage.flush, invoke, "wait", "1", "-u", "queue.db", "-t", "20")

    assert result.exit_code == 3
    assert "purged" in result.stderr


def test_a_person_sees_changes_and_a_counter(queue: QueueFile, on_tty: Callable[..., Any]) -> None:
    queue.add("app.task")
    with closing(Terminal("wait", "1", "-u", "queue.db")) as terminal:
        terminal.wait_for("0 of 1")
        queue.finish()

        assert terminal.ended() == 0
        assert "→ done  app.task" in terminal.shown
    assert on_tty("wait", "1", "-u", "queue.db", "-q") == (0, "")


# --- nobody is there ------------------------------------------------------------------------------

#: Command lines that wait for a job which nobody runs, and the queue that they wait for.
WAITING = [
    ("wait 1 -t 0.4", "huey"),
    ("wait --task app.add -t 0.4 -Q huey", "huey"),
    ("wait --for empty -t 0.4", "huey"),
    ("wait --for empty -t 0.4 -Q huey", "huey"),
    ("result 1 --wait -t 0.4", "huey"),
    ("enqueue app.add 1 --wait -t 0.4 -Q mail", "mail"),
    ("periodic trigger tick --wait -t 0.4", "huey"),
]


@pytest.fixture
def alone(queue: QueueFile, monkeypatch: pytest.MonkeyPatch) -> QueueFile:
    """A queue with a job and a schedule, and another whose only job is for later."""
    queue.add("app.add", 1)
    add_schedule(queue, "tick")
    mail = QueueFile(queue.where, "mail")
    mail.add("mail.send", run_at=time.time() + 3600)
    mail.storage.close()
    monkeypatch.setattr(unserved, "PATIENCE", 0.05)
    return queue


@pytest.mark.parametrize(("line", "name"), WAITING)
def test_who_waits_hears_once_that_no_consumer_serves_the_queue(
    line: str, name: str, alone: QueueFile, invoke: Invoke
) -> None:
    done = invoke(*line.split(), "-u", "queue.db")

    assert done.exit_code == 124
    said = [text for text in done.stderr.splitlines() if "no consumer" in text]
    next_ = f"hueyctl consume APP --queue {name}"
    assert said == [f"hueyctl: no consumer serves queue {name}: {next_}"]
    assert "no consumer" not in done.stdout
    assert "no consumer" not in invoke(*line.split(), "-q", "-u", "queue.db").stderr


def test_nobody_is_told_so_where_a_consumer_lives_or_before_two_seconds(
    alone: QueueFile, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = consumer(alone)
    for words in (("wait", "1"), ("result", "1", "--wait")):
        done = invoke(*words, "-t", "0.4", "-u", "queue.db")
        assert (done.exit_code, "no consumer" in done.stderr) == (124, False)
    alone.storage.unregister(number)

    monkeypatch.setattr(unserved, "PATIENCE", 2.0)
    done = invoke("wait", "1", "-t", "0.1", "-u", "queue.db")
    assert (done.exit_code, "no consumer" in done.stderr) == (124, False)


def test_on_a_terminal_the_counter_goes_on_after_it(
    alone: QueueFile, on_tty: Callable[..., Any]
) -> None:
    code, shown = on_tty("wait", "1", "-u", "queue.db", "-t", "2.6")

    assert code == 124
    assert "hueyctl: no consumer serves queue huey: hueyctl consume APP --queue huey\n" in shown
    assert shown.count("0 of 1, 0 running") == 2
