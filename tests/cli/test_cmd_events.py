"""events: what happened in a queue, as it happens."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clikit import DEADLINE, QueueFile
from operatingkit import Invoke, OnTty, ask, consumer, error, start, states

from tests.storage.engines import lab_of


@pytest.fixture
def recorded(queue: QueueFile) -> QueueFile:
    """Six moves: a job that is done, and one that has died."""
    queue.worker = queue.storage.register(name="test", kind="thread", slots=4)
    queue.storage.record_events(True)
    queue.add("app.mail.send", "ann")
    queue.finish(3)
    queue.add("app.boom")
    queue.kill("TimeoutError", "too slow")
    return queue


def happened(invoke: Invoke, *words: str) -> list[dict[str, Any]]:
    result = ask(invoke, "events", *words, "--json")
    assert result.exit_code == 0, result.output
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


def names(invoke: Invoke, *words: str) -> list[str]:
    return [event["signal"] for event in happened(invoke, *words)]


ALL = ["enqueued", "claimed", "complete", "enqueued", "claimed", "error"]


def test_each_move_of_a_job_is_a_line(recorded: QueueFile, invoke: Invoke) -> None:
    assert names(invoke) == ALL
    last = happened(invoke)[-1]
    at = last.pop("at")
    job = recorded.storage.job("2")
    assert job is not None
    assert last == {
        "event": 6, "queue": "huey", "signal": "error", "seq": 2, "id": job.id,
        "task": "app.boom", "worker": "test", "run_s": 0.5,
        "error": "TimeoutError: too slow", "reason": "failed", "jobs": None,
    }  # fmt: skip
    assert at.endswith("Z")


def test_a_pipe_gets_tabs_and_a_person_a_table(
    recorded: QueueFile, invoke: Invoke, on_tty: OnTty
) -> None:
    line = ask(invoke, "events", "-n", "1").stdout.rstrip("\n").split("\t")
    code, shown = on_tty("events", "-u", "queue.db", columns=140)

    assert line[1:] == ["error", "app.boom", "2", "test", "0.500", "TimeoutError: too slow"]
    assert code == 0
    table = re.sub(r"\x1b\[[0-9;?]*[a-z]", "", shown)
    assert [line.split()[1] for line in table.splitlines()] == ["SIGNAL", *ALL]
    assert ask(invoke, "events", "-o", "name").stdout.split() == list("123456")


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("-n", "2"), ["claimed", "error"]),
        (("-n", "0"), ALL),
        (("--signal", "error", "--signal", "complete"), ["complete", "error"]),
        (("--task", "app.mail.*"), ALL[:3]),
        (("--id", "2"), ALL[3:]),
        (("--after", "4"), ALL[4:]),
        (("--since", "-1h"), ALL),
        (("--since", "-1h", "-n", "1"), ["error"]),
        (("--since", "+1h"), []),
        (("--until", "-1h"), []),
        (("--until", "+1h"), ALL),
    ],
)
def test_options_narrow(
    recorded: QueueFile, invoke: Invoke, words: tuple[str, ...], wanted: list[str]
) -> None:
    assert names(invoke, *words) == wanted


def test_the_newest_twenty_are_usual_and_since_a_time_all_are(
    recorded: QueueFile, invoke: Invoke
) -> None:
    for _ in range(30):
        recorded.add("app.add")

    assert len(happened(invoke)) == 20
    assert len(happened(invoke, "--since", "-1h")) == len(happened(invoke, "--after", "0")) == 36


def test_following_goes_on_where_the_first_ones_end(
    recorded: QueueFile, spawn: Callable[..., Any]
) -> None:
    child = spawn("events", "-u", "queue.db", "-f", "-o", "jsonl", "-n", "2")
    first = [json.loads(child.stdout.readline())["event"] for _ in range(2)]

    recorded.add("app.add")
    start(recorded, consumer(recorded))

    more = [json.loads(child.stdout.readline()) for _ in range(3)]
    assert first == [5, 6]
    assert [(event["event"], event["signal"]) for event in more] == [
        (7, "enqueued"), (8, "worker-started"), (9, "claimed"),
    ]  # fmt: skip
    child.send_signal(signal.SIGINT)
    assert child.wait(DEADLINE) == 130


def test_following_one_signal_passes_over_the_others(
    recorded: QueueFile, spawn: Callable[..., Any]
) -> None:
    child = spawn("events", "-u", "queue.db", "-f", "--signal", "error", "--columns", "seq,signal")
    assert child.stdout.readline() == "2\terror\n"

    recorded.add("app.add")
    recorded.finish()
    recorded.add("app.boom")
    recorded.kill()

    assert child.stdout.readline() == "4\terror\n"


def test_those_of_many_queues_are_one_question_where_they_have_common_numbers(
    recorded: QueueFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hueycore.model.events import EventQuery
    from hueyctl.commands.events.view import later, newest

    others = [QueueFile(recorded.where, name) for name in ("alpha", "omega")]
    for other in others:
        other.storage.record_events(True)
    storage, asked = recorded.storage, []
    plain = storage.events
    monkeypatch.setattr(storage, "events", lambda query: asked.append(query) or plain(query))
    last = newest(storage, EventQuery(settled=True))
    for other in (*others, recorded):
        other.add("app.add")

    found = later(storage, EventQuery(settled=True), last)
    mine = later(storage, EventQuery(queues=("alpha", "omega"), settled=True), last)
    for other in others:
        other.storage.close()

    assert [(one.signal, one.queue) for one in found] == [
        ("enqueued", "alpha"), ("enqueued", "omega"), ("enqueued", "huey"),
    ]  # fmt: skip
    assert [one.queue for one in mine] == ["alpha", "omega"]
    assert len(asked) == (3 + 3 + 2 if storage.numbers_apart else 1 + 1 + 1)


# --- the switch -----------------------------------------------------------------------------------


def test_off_is_6_and_says_how_to_switch_it_on(mixed: QueueFile, invoke: Invoke) -> None:
    code, message, hint = error(invoke, "events")

    assert (code, message) == (6, "no events are recorded")
    assert hint is not None and "hueyctl events --enable" in hint
    assert ask(invoke, "events", "-f").exit_code == 6


def test_an_operator_switches_it_on_and_off_while_consumers_run(
    queue: QueueFile, invoke: Invoke
) -> None:
    worker = consumer(queue)
    queue.add("app.add")
    enabled = ask(invoke, "events", "--enable")
    start(queue, worker)
    again = ask(invoke, "events", "--enable")
    disabled = ask(invoke, "events", "--disable", "--json")
    queue.add("app.add")

    assert (enabled.exit_code, enabled.stdout) == (0, "enabled events of\t\thuey\n")
    assert (again.exit_code, again.stdout) == (0, "")
    assert json.loads(disabled.stdout)["changed"] == 1
    result = ask(invoke, "events", "--columns", "signal")
    assert result.stdout.split() == ["events-on", "claimed", "events-off"]
    assert "only operators' changes are recorded" in result.stderr


def test_what_operators_do_is_recorded_always(mixed: QueueFile, invoke: Invoke) -> None:
    ask(invoke, "revoke", "3", "--reason", "not wanted")
    ask(invoke, "pause", "--reason", "deploy")
    ask(invoke, "dead", "retry", "2")

    found = happened(invoke)

    assert [(each["signal"], each["seq"], each["reason"]) for each in found] == [
        ("revoke", 3, "not wanted"), ("pause", None, "deploy"), ("requeue", 2, None),
    ]  # fmt: skip
    assert all("@" in each["worker"] for each in found)
    assert states(mixed) == {1: "done", 2: "pending", 3: "revoked", 4: "pending", 5: "scheduled"}


def test_changes_of_operators_are_told_apart_from_moves(
    recorded: QueueFile, invoke: Invoke, on_tty: OnTty
) -> None:
    queue = recorded.storage.queue
    ask(invoke, "pause", "--reason", "deploy")
    recorded.add("app.add")

    (found,) = happened(invoke, "--operators", "--since=today")
    assert (found["signal"], found["reason"]) == ("pause", "deploy")
    (line,) = ask(invoke, "events", "--operators", "-n", "1").stdout.splitlines()
    assert line.split("\t")[1:] == ["pause", queue, "", "", found["worker"], "deploy"]
    _, shown = on_tty("events", "--operators", "-u", "queue.db")
    assert "OPERATOR" in shown and "WHAT" in shown
    assert names(invoke, "--operators", "--signal", "revoke") == []
    code, message, hint = error(invoke, "events", "--operators", "--signal", "claimed")
    assert (code, message) == (2, "--operators: 'claimed' is a move of a job")
    assert hint is not None and "pause" in hint


def test_where_no_operator_changed_anything_that_is_an_empty_list(
    queue: QueueFile, invoke: Invoke
) -> None:
    assert happened(invoke, "--operators") == []


def test_a_consumer_that_starts_stops_or_is_killed_is_an_event(
    queue: QueueFile,
    app: str,
    invoke: Invoke,
    spawn: Callable[..., Any],
    until: Callable[..., None],
) -> None:
    queue.storage.record_events(True)
    stopped = spawn("consume", app, "--name", "one", "-q")
    until(lambda: names(invoke) == ["worker-started"])
    stopped.terminate()
    assert stopped.wait(DEADLINE) == 0
    killed = spawn("consume", app, "--name", "two", "-q")
    until(lambda: names(invoke)[-1:] == ["worker-started"])
    killed.kill()
    killed.wait(DEADLINE)
    last = spawn("consume", app, "--name", "three", "-q")
    until(lambda: {"worker-died", "worker-started"} <= {*names(invoke)[3:]})

    told = [(each["signal"], each["worker"]) for each in happened(invoke)]
    assert told[:3] == [
        ("worker-started", "one"), ("worker-stopped", "one"), ("worker-started", "two"),
    ]  # fmt: skip
    assert sorted(told[3:]) == [("worker-died", "two"), ("worker-started", "three")]
    line = ask(invoke, "events", "--signal", "worker-died").stdout.rstrip("\n").split("\t")
    assert line[4] == "two"
    assert line[6].startswith(f"thread, process {killed.pid} on ")
    last.terminate()
    last.wait(DEADLINE)


def test_a_verb_about_many_says_how_many(mixed: QueueFile, invoke: Invoke) -> None:
    ask(invoke, "revoke", "--all", "-y", "--reason", "clean up")

    line = ask(invoke, "events").stdout.rstrip("\n").split("\t")

    assert (line[1], line[-1]) == ("revoke", "3 jobs, clean up")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--signal", "nonsense"), 2),
        (("--since", "yesteryear"), 2),
        (("-f", "--json"), 2),
        (("-f", "--until", "+1h"), 2),
        (("--exit-code", "--task", "nobody"), 4),
        (("--exit-code",), 0),
        (("-Q", "nope"), 3),
    ],
)
def test_exit_codes(recorded: QueueFile, invoke: Invoke, words: tuple[str, ...], code: int) -> None:
    assert ask(invoke, "events", *words).exit_code == code


def test_a_locked_file_can_be_looked_at(recorded: QueueFile, invoke: Invoke) -> None:
    holder = sqlite3.connect("queue.db", isolation_level=None)
    holder.execute("begin immediate")
    try:
        assert names(invoke) == ALL
    finally:
        holder.execute("rollback")
        holder.close()


def test_a_file_that_is_no_queue_is_69_and_left_alone(home: Path, invoke: Invoke) -> None:
    (home / "garbage.db").write_bytes(b"no database" * 100)

    assert invoke("events", "-u", "garbage.db").exit_code == 69
    assert invoke("events", "-u", "typo.db").exit_code == 69
    assert sorted(path.name for path in home.iterdir()) == [".git", "garbage.db"]


def test_a_queue_where_nothing_ever_happened_is_6(queue: QueueFile, invoke: Invoke) -> None:
    assert ask(invoke, "events").exit_code == 6
    queue.storage.record_events(True)
    assert (ask(invoke, "events").exit_code, ask(invoke, "events").stdout) == (0, "")


def test_events_never_drive_a_terminal(queue: QueueFile, on_tty: OnTty) -> None:
    queue.storage.record_events(True)
    queue.add("evil\x1b[2J")
    queue.kill("Bad\x07", "\x1b]0;title\x07")

    _, shown = on_tty("events", "-u", "queue.db", columns=200)

    assert "\x07" not in shown
    assert "\x1b[2J" not in shown
    assert "\x1b]0" not in shown


def test_old_ones_are_purged_by_hand(recorded: QueueFile, invoke: Invoke) -> None:
    lab_of(recorded.storage).age_events(1000.0, first=5)

    ask(invoke, "purge", "events", "--older-than", "10m", "-y")

    assert names(invoke) == ["error", "clear"]
