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
from ptykit import Picture, plain


def shown(invoke: Invoke, *words: str) -> Any:
    result = ask(invoke, "show", *words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_the_document_is_the_job_object_with_timeline_and_tree(
    mixed: QueueFile, invoke: Invoke
) -> None:
    listed = json.loads(ask(invoke, "list", "-a", "--json").stdout)

    found = shown(invoke, "3")

    more = ["timeline", "tree", "log", "why", "result"]
    assert list(found) == [*listed[2], *more]
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
    assert "dead after 1 try because of TimeoutError: too slow" in plain
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
    return lines[lines.index("STAGES") + 1 :]


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


def test_a_person_sees_first_how_it_stands_and_what_to_do(mixed: QueueFile, on_tty: OnTty) -> None:
    code, shown = on_tty("show", "2", "-u", "queue.db")

    picture = Picture(shown, 100)
    assert code == 0
    assert picture.lines[:4] == [
        "job 2 dead  app.boom",
        "  dead after 1 try because of TimeoutError: too slow",
        "  hueyctl -u queue.db dead retry 2",
        "",
    ]
    assert picture.style("dead") == ("red", True)
    assert picture.style("dead after") == ("red", False)
    assert picture.style("hueyctl") == ("cyan", False)
    assert re.search(r"kwargs.user +7$", picture.line("kwargs.user"))


def test_an_error_that_is_over_is_shown_with_a_job_that_runs(
    queue: QueueFile, invoke: Invoke
) -> None:
    queue.add("app.add")
    start(queue, consumer(queue))
    alter(queue, errors='[{"type": "ValueError", "message": "no", "at": 1.0, "attempt": 1}]')

    lines = ask(invoke, "show", "1", "-o", "plain").stdout.splitlines()

    assert lines[:2] == ["job 1 running  app.add", "  ValueError: no"]
    assert lines[2].startswith("  running on alpha for ")
    assert lines[3] == "  hueyctl revoke 1"


def test_the_times_of_a_sheet_are_of_one_kind(queue: QueueFile, on_tty: OnTty) -> None:
    from hueycore.model.events import LogLine, Said

    queue.add("app.add", expires_at=time.time() + 5)
    claim = start(queue, consumer(queue))
    queue.storage.note([(claim, Said(None, [LogLine(time.time(), "INFO", "said")]))])

    lines = Picture(on_tty("show", "1", "-u", "queue.db")[1], 100).lines

    clock = r"(\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d"
    for title, text in (("TIMELINE", "enqueued"), ("LOG", "try 1  INFO  said")):
        below = lines[lines.index(title) + 1]
        assert re.fullmatch(f"{clock} +{text}", below), below
    (expires,) = [line for line in lines if line.startswith("expires_at")]
    assert re.search(f"{clock}$", expires)
    asked = plain(on_tty("show", "1", "-u", "queue.db", "--time-format", "relative")[1])
    assert re.search(r"(now|\ds ago) +enqueued", asked)


def failures(*kinds: str) -> str:
    now = time.time()
    return json.dumps(
        [
            {"type": kind, "message": f"number {place}", "at": now + place, "attempt": place + 1}
            for place, kind in enumerate(kinds)
        ]
    )


def test_many_tries_are_folded_unless_all_are_asked_for(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("app.add")
    alter(queue, errors=failures("TimeoutError", *["OSError"] * 5, "ValueError", "KeyError"))

    def told(*words: str) -> list[str]:
        lines = ask(invoke, "show", "1", "-o", "plain", *words).stdout.splitlines()
        return [line[26:] for line in lines[lines.index("TIMELINE") + 2 :]]

    assert told() == [
        "failed  try 1  TimeoutError: number 0",
        "… 5 more tries: 5 OSError (-v for all)",
        "failed  try 7  ValueError: number 6",
        "failed  try 8  KeyError: number 7",
    ]
    assert len(told("-v")) == 8


def test_the_result_is_shown(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("app.add")
    queue.finish({"sum": 3})
    queue.add("app.add")

    assert re.search(r'\nresult +{"sum": 3}\n', ask(invoke, "show", "1", "-o", "plain").stdout)
    assert shown(invoke, "1")["result"] == {"value": {"sum": 3}, "value_repr": None}
    assert shown(invoke, "1")["why"]["next"] == "hueyctl result 1"
    assert shown(invoke, "2")["result"] is None
    assert 'result\t{"sum": 3}' in ask(invoke, "show", "1").stdout.splitlines()


TRACE = """\
Traceback (most recent call last):
  File "/venv/lib/hueycore/runs/executor.py", line 5, in run
    return call()
           ^^^^^^
  File "/srv/shop/mail.py", line 12, in send
    raise ValueError("no")
ValueError: no

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/venv/lib/hueycore/api/huey.py", line 7, in get
    raise error
KeyError: 'x'"""


def test_a_traceback_is_without_the_frames_of_this_library(
    queue: QueueFile, invoke: Invoke, hueyctl: Any
) -> None:
    from hueycore.model.endings import Dead, Failure

    queue.add("app.add")
    queue.run(lambda claim: Dead("failed", Failure("KeyError", "'x'", TRACE)))

    plain = ask(invoke, "show", "1", "-o", "plain", "--traceback").stdout
    whole = ask(invoke, "show", "1", "-o", "plain", "--traceback", "-v").stdout

    assert "executor.py" not in plain
    assert "return call()" not in plain
    assert 'mail.py", line 12, in send\n    raise ValueError("no")\nValueError: no' in plain
    # Of an error of this library alone nothing would be left.
    assert 'huey.py", line 7' in plain
    assert whole.endswith(TRACE + "\n")
    assert shown(invoke, "1")["error"]["traceback"] == TRACE
    said = hueyctl("result", "1", "-u", "queue.db", "--traceback").stderr
    assert "mail.py" in said
    assert "executor.py" not in said
    assert "executor.py" in hueyctl("result", "1", "-u", "queue.db", "--traceback", "-v").stderr


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_the_stages_are_drawn_in_colour_and_none_is_wrapped(
    queue: QueueFile, on_tty: OnTty, width: int
) -> None:
    tasks = ["app.first", "app.a_member_with_a_rather_long_name", "app.b", "app.all"]
    join(queue, tasks, [(0, 3, 0), (1, 3, 1), (2, 3, 2)])

    _, text = on_tty("show", "2", "-u", "queue.db", columns=width)

    picture = Picture(text, width)
    stages = picture.lines[picture.lines.index("STAGES") + 1 :]
    assert stages == Picture(text, 500).lines[-len(stages) :]
    assert [line.split()[-2:] for line in stages[:3]] == [["→", "4"]] * 3
    assert stages[1].startswith("*   2 pending app.a_member_w")
    assert picture.style("pending") == ("cyan", False)
    assert picture.style("blocked") == ("brown", False)


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
