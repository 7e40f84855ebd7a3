"""show: everything about a job."""

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
    chord,
    consumer,
    error,
    join,
    pipeline,
    row,
    start,
)


def shown(invoke: Invoke, *words: str) -> Any:
    result = ask(invoke, "show", *words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_the_document_is_the_job_object_with_timeline_and_tree(
    mixed: QueueFile, invoke: Invoke
) -> None:
    listed = json.loads(ask(invoke, "list", "-a", "--json").stdout)

    found = shown(invoke, "3")

    assert list(found) == [*listed[2], "timeline", "tree", "log"]
    assert (found["seq"], found["task"], found["args"]) == (3, "app.mail.send", ["ann"])
    assert found["kwargs"] == {"user": 8, "deep": {"list": [1, "two"]}}
    assert [event["event"] for event in found["timeline"]] == ["enqueued"]
    assert list(found["timeline"][0]) == ["at", "event", "attempt", "worker", "run_s", "error"]
    assert found["tree"] == []


def test_one_id_is_a_document_and_several_are_a_list(mixed: QueueFile, invoke: Invoke) -> None:
    id_ = row(mixed, 1).id

    assert shown(invoke, id_)["seq"] == 1
    assert [each["seq"] for each in shown(invoke, "3", id_)] == [3, 1]
    assert ask(invoke, "show", "1", "3", "-o", "jsonl").stdout.count("\n") == 2
    assert ask(invoke, "show", "1", "-o", "name").stdout == f"{id_}\n"
    assert json.loads(ask(invoke, "show", "1", "--json", "--columns", "seq").stdout) == [{"seq": 1}]


def test_a_dead_job_shows_its_errors_and_the_traceback_on_request(
    mixed: QueueFile, invoke: Invoke
) -> None:
    found = shown(invoke, "2")
    plain = ask(invoke, "show", "2", "-o", "plain").stdout
    whole = ask(invoke, "show", "2", "-o", "plain", "--traceback").stdout

    assert found["error"]["type"] == "TimeoutError"
    assert "Traceback" in found["error"]["traceback"]
    events = {event["event"]: event for event in found["timeline"]}
    assert events["failed"]["error"] == "TimeoutError: too slow"
    assert (events["failed"]["worker"], events["dead"]["attempt"]) == ("test", 1)
    assert "error" in plain
    assert "Traceback" not in plain
    assert whole.startswith(plain)
    assert "Traceback (most recent call last):\n" in whole


def test_a_job_that_runs_shows_where(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("app.add")
    start(queue, consumer(queue))

    event = shown(invoke, "1")["timeline"][-1]

    assert (event["event"], event["attempt"], event["worker"]) == ("claimed", 1, "alpha")


def test_a_job_for_later_shows_when_and_until_when(queue: QueueFile, invoke: Invoke) -> None:
    now = time.time()
    queue.add("app.add", run_at=now + 100, expires_at=now + 200, scheduled_for=now + 100)

    events = [event["event"] for event in shown(invoke, "1")["timeline"]]

    assert events == ["enqueued", "planned", "due", "expires"]


def test_the_tree_has_every_stage_whichever_is_asked_for(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("app.other")
    stages = pipeline(queue, "app.a", "app.b", "app.c")

    for seq in stages:
        tree = shown(invoke, str(seq))["tree"]
        assert [(each["seq"], each["state"], each["next"]) for each in tree] == [
            (2, "pending", 3), (3, "blocked", 4), (4, "blocked", None),
        ]  # fmt: skip
    text = ask(invoke, "show", "3", "-o", "plain").stdout
    assert "* 3 blocked app.b → 4" in text
    assert "  2 pending app.a → 3" in text


def test_a_long_pipeline_is_cut_for_people_and_whole_in_json(
    queue: QueueFile, invoke: Invoke
) -> None:
    pipeline(queue, *["app.a"] * 60)

    assert "… 10 more" in ask(invoke, "show", "1", "-o", "plain").stdout
    assert len(shown(invoke, "1")["tree"]) == 60


def drawn(invoke: Invoke, key: str) -> list[str]:
    lines = ask(invoke, "show", key, "-o", "plain").stdout.splitlines()
    begin = next(n for n, line in enumerate(lines) if line.startswith("  stages"))
    return [line[12:].rstrip() for line in lines[begin:]]


@pytest.mark.feature("visible stages")
def test_members_stand_indented_before_what_waits_for_them(
    queue: QueueFile, invoke: Invoke
) -> None:
    tasks = ["app.first", "app.a", "app.b", "app.c", "app.d", "app.all", "app.last"]
    join(queue, tasks, [(0, 1), (0, 2), (0, 4), (1, 5, 0), (2, 3), (3, 5, 1), (4, 5, 2), (5, 6)])

    assert drawn(invoke, "4") == [
        "  1 pending app.first → 2",
        "    2 blocked app.a → 6",
        "    3 blocked app.b → 4",
        "*   4 blocked app.c → 6",
        "    5 blocked app.d → 6",
        "  6 blocked app.all → 7, waits for 3 of 3",
        "  7 blocked app.last",
    ]
    tree = shown(invoke, "1")["tree"]
    assert [each["source"] for each in tree] == [None, None, 1, None, 1, None, None]
    assert [each["inputs"] for each in tree] == [0, 1, 1, 1, 1, 3, 1]


@pytest.mark.feature("visible stages")
def test_a_large_chord_is_folded_and_what_failed_is_seen(queue: QueueFile, invoke: Invoke) -> None:
    chord(queue, 1000)
    queue.run(lambda claim: _end(claim.seq), workers=600)

    lines = drawn(invoke, "777")
    assert lines == [
        "    1 done app.member → 1001",
        "    2 done app.member → 1001",
        "    3 done app.member → 1001",
        "    500 dead app.member → 1001",
        "*   777 pending app.member → 1001",
        "    … 995 more members: 596 done, 399 pending",
        "  1001 blocked app.callback, waits for 400 of 1000",
    ]
    assert len(shown(invoke, "1001")["tree"]) == 1001
    assert len(ask(invoke, "list", "--state", "blocked").stdout.splitlines()) == 1


def _end(seq: int) -> Any:
    from hueycore.model.endings import Dead, Done

    return Dead("failed") if seq == 500 else Done()


def test_the_middle_of_a_long_pipeline_is_shown_with_its_neighbours(
    queue: QueueFile, invoke: Invoke
) -> None:
    pipeline(queue, *["app.a"] * 200)

    lines = drawn(invoke, "100")
    assert lines[0] == "  … 74 more before"
    assert lines[-1] == "  … 76 more: hueyctl show --json has all"
    assert "* 100 blocked app.a → 101" in lines


def test_a_pipe_gets_keys_and_values_with_tabs(mixed: QueueFile, invoke: Invoke) -> None:
    lines = ask(invoke, "show", "3").stdout.splitlines()

    pairs = dict(line.split("\t", 1) for line in lines)
    assert pairs["seq"] == "3"
    assert pairs["args.0"] == '"ann"'
    assert pairs["kwargs.user"] == "8"
    assert all(line.count("\t") == 1 for line in lines)


def test_a_person_gets_a_sheet(mixed: QueueFile, on_tty: OnTty) -> None:
    code, text = on_tty("show", "4", "-u", "queue.db")

    assert code == 0
    assert text.startswith("job 4\n  task ")
    assert "priority  10" in text
    assert re.search(r"(now|\ds ago)  enqueued", text)


def test_columns_make_a_table_of_it(mixed: QueueFile, invoke: Invoke) -> None:
    shown = ask(invoke, "show", "1", "3", "--columns", "seq,state").stdout

    assert shown == "1\tdone\n3\tpending\n"
    assert ask(invoke, "show", "1", "--columns", "nope").exit_code == 2


@pytest.mark.parametrize("form", ["csv", "github", "wide", "table"])
def test_every_format_works(mixed: QueueFile, invoke: Invoke, form: str) -> None:
    assert "app.mail.send" in ask(invoke, "show", "3", "-o", form).stdout


def test_arguments_that_are_not_plain_data_are_shown_as_written_down(
    queue: QueueFile, invoke: Invoke
) -> None:
    queue.add("app.add", QueueFile, preview="<QueueFile>")
    queue.add("app.add", payload=b"\x01garbage", preview=None)

    assert "<QueueFile>" in ask(invoke, "show", "1").stdout
    assert "(cannot be shown)" in ask(invoke, "show", "2").stdout
    assert shown(invoke, "1")["args"] is None


def test_raw_writes_the_payload_as_it_is_but_not_on_a_terminal(
    queue: QueueFile, hueyctl: Any, on_tty: OnTty, invoke: Invoke
) -> None:
    import subprocess

    from clikit import command

    queue.add("app.add", payload=b"\x00\xff\x1b[2J")
    done = subprocess.run(
        command("show", "1", "--raw", "-u", "queue.db"), capture_output=True, check=True
    )

    assert done.stdout == b"\x00\xff\x1b[2J"
    code, text = on_tty("show", "1", "--raw", "-u", "queue.db")
    assert code == 6
    assert "\x1b" not in text
    assert ask(invoke, "show", "1", "--raw", "--json").exit_code == 2


def test_an_unknown_job_is_3_and_the_others_are_shown(mixed: QueueFile, invoke: Invoke) -> None:
    assert error(invoke, "show", "99") == (3, "no job 99", "hueyctl list --state all")
    result = ask(invoke, "show", "99", "1", "98", "-o", "name")
    assert (result.exit_code, result.stdout) == (3, f"{row(mixed, 1).id}\n")
    assert result.stderr.startswith("hueyctl: no job 99\nhueyctl: no job 98\n")
    assert ask(invoke, "show").exit_code == 2
    assert ask(invoke, "show", "1", "-Q", "huey").exit_code == 0


def test_an_empty_queue_has_no_job(queue: QueueFile, invoke: Invoke) -> None:
    assert ask(invoke, "show", "1").exit_code == 3


def test_rows_that_nobody_should_write_are_survived(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("app.add")
    alter(queue, errors='[{"at": "x"}, {}]', next=1, run_at=1e300)

    assert ask(invoke, "show", "1").exit_code == 0
    assert shown(invoke, "1")["seq"] == 1
