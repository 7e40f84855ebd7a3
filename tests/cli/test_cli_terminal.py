"""What a person sees: tables on a terminal, and data that would like to drive it."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result
from clikit import DEADLINE, QueueFile
from operatingkit import alter, bury, claim_only, consumer, row
from operatingkit import start as begin
from ptykit import Picture

from hueycore.model.endings import Done
from hueyctl.answers import watch
from hueyctl.output import list_view
from hueyctl.streams import visible

OnTty = Callable[..., tuple[int, str]]
Invoke = Callable[..., Result]

HOSTILE = [
    "[/x] [red]not red[/red] :bug:",
    "\x1b[2J\x1b]0;title\x07",
    "line\nbreak\ttab\rreturn",
    "\x9b31m\x85\u202eevil\u2028",
    "\x00\x7f",
    "{} %s $(rm) `x` \\",
]
#: All that a table may send to a terminal: colours, as rich writes them.
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def plain(text: str) -> str:
    return COLOURS.sub("", text)


def test_a_terminal_gets_a_table_with_relative_times(queue: QueueFile, on_tty: OnTty) -> None:
    queue.add("app.add", 1, 2)
    queue.add("app.later", run_at=time.time() + 7200)

    code, shown = on_tty("list", "-u", "queue.db")

    lines = plain(shown).splitlines()
    assert code == 0
    assert lines[0].split() == ["SEQ", "STATE", "TASK", "ARGS", "RUN-AT", "AGE", "PRI", "TRY"]
    assert lines[1].split()[:5] == ["1", "pending", "app.add", "1,", "2"]
    assert "in 1h 59m" in lines[2]


@pytest.mark.parametrize("width", [40, 80, 200])
def test_long_texts_are_cut_to_the_width_and_numbers_are_not(
    queue: QueueFile, on_tty: OnTty, width: int
) -> None:
    queue.add("app.a_task_with_a_rather_long_name_that_goes_on", preview="x" * 300)

    _, shown = on_tty("list", "-u", "queue.db", columns=width)

    row = plain(shown).splitlines()[1]
    assert row.split()[0] == "1"
    assert "pending" in row
    assert "…" in row
    assert len(row.rstrip()) <= max(width, 80)


def test_colour_can_be_switched_off_and_on(
    queue: QueueFile, on_tty: OnTty, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.add("app.add")

    assert "\x1b[" in on_tty("list", "-u", "queue.db")[1]
    assert "\x1b[" not in on_tty("list", "-u", "queue.db", "--color", "never")[1]
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in on_tty("list", "-u", "queue.db")[1]
    assert "\x1b[" in on_tty("list", "-u", "queue.db", "--color", "always")[1]


def test_a_terminal_shows_a_hundred_jobs_and_says_how_many_more(
    queue: QueueFile, on_tty: OnTty
) -> None:
    for number in range(103):
        queue.add("app.add", number)

    _, shown = on_tty("list", "-u", "queue.db")

    assert len(shown.splitlines()) == 102
    assert shown.splitlines()[-1] == "… 3 more (-n 0 for all)"
    assert len(on_tty("list", "-u", "queue.db", "-n", "0")[1].splitlines()) == 104


def test_of_all_jobs_a_terminal_shows_the_newest_first_and_a_pipe_goes_by_number(
    queue: QueueFile, on_tty: OnTty, invoke: Invoke
) -> None:
    for number in range(5):
        queue.add("app.add", number)

    def numbers(*words: str) -> list[str]:
        shown = plain(on_tty("list", "-u", "queue.db", *words)[1])
        return [line.split()[0] for line in shown.splitlines() if line.split()[0].isdecimal()]

    assert numbers("-a", "-n", "3") == ["5", "4", "3"]
    assert numbers("2", "4") == ["2", "4"]
    assert numbers("-a", "--sort", "seq", "-n", "2") == ["1", "2"]
    piped = invoke("list", "-u", "queue.db", "-a", "-n", "2", "-o", "name").stdout.split()
    assert piped == [job.id for job in (row(queue, 1), row(queue, 2))]


def test_an_empty_list_says_so_to_a_person_only(
    queue: QueueFile, on_tty: OnTty, invoke: Invoke
) -> None:
    assert on_tty("pending", "-u", "queue.db") == (0, "No pending jobs.\n")
    assert on_tty("list", "-u", "queue.db", "-q") == (0, "")
    assert invoke("pending", "-u", "queue.db").output == ""


# --- what runs first ----------------------------------------------------------------------------


def test_a_screen_begins_with_what_runs_and_where(queue: QueueFile, on_tty: OnTty) -> None:
    queue.add("app.later", run_at=time.time() + 7200)
    queue.add("app.soon", run_at=time.time() + 600)
    queue.add("app.low", priority=1)
    queue.add("app.high", priority=2)
    queue.add("app.short", priority=3)
    queue.add("app.long", priority=4)
    worker = consumer(queue, "vm:23926")
    begin(queue, worker, 0)
    begin(queue, worker, 1)
    alter(queue, 6, claimed_at=time.time() - 365)
    alter(queue, 5, claimed_at=time.time() - 5)

    code, shown = on_tty("list", "-u", "queue.db", columns=120)

    picture = Picture(shown, 120)
    assert code == 0
    assert [int(line.split()[0]) for line in picture.lines[1:]] == [6, 5, 4, 3, 2, 1]
    assert re.search(r"6  running 6m \d\ds on vm:23926  +app\.long", picture.lines[1])
    assert picture.style("running 6m") == ("green", False)


@pytest.mark.parametrize("width", [60, 80])
def test_where_run_at_finds_no_room_the_state_says_when(
    queue: QueueFile, on_tty: OnTty, width: int
) -> None:
    queue.add("app.a_task_with_a_name", "and", "many", "words", run_at=time.time() + 7200)

    lines = Picture(on_tty("list", "-u", "queue.db", columns=width)[1], width).lines

    assert "RUN-AT" not in lines[0]
    assert lines[1].startswith("  1  scheduled in 1h 59m  app.a_task_with_a_name")


def test_what_waits_in_a_consumer_is_held_and_what_the_dead_had_is_lost(
    queue: QueueFile, on_tty: OnTty
) -> None:
    queue.add("app.add")
    claim_only(queue, consumer(queue, "alpha"))
    assert re.search(r"held \S+ by alpha", plain(on_tty("list", "-u", "queue.db")[1]))

    bury(queue)

    picture = Picture(on_tty("list", "-u", "queue.db")[1], 100)
    assert re.search(r"lost \S+ on alpha", picture.lines[1])
    assert picture.style("lost") == ("red", True)


def test_a_pipe_gets_states_alone_and_numbers_in_order(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("app.low")
    queue.add("app.high", priority=2)
    begin(queue, consumer(queue, "alpha"))

    shown = invoke("list", "-u", "queue.db", "--columns", "seq,state").stdout

    assert shown == "1\tpending\n2\trunning\n"


def test_an_order_that_was_asked_for_is_kept(queue: QueueFile, on_tty: OnTty) -> None:
    queue.add("app.low")
    queue.add("app.high", priority=2)

    shown = plain(on_tty("list", "-u", "queue.db", "--sort", "seq")[1])

    assert [line.split()[0] for line in shown.splitlines()[1:]] == ["1", "2"]


def test_where_nothing_waits_it_says_what_has_ended(mixed: QueueFile, on_tty: OnTty) -> None:
    empty = on_tty("list", "-u", "queue.db", "--task", "app.add")
    assert empty == (0, "No jobs match (1 done: -a).\n")
    assert on_tty("list", "-u", "queue.db", "--task", "no*") == (0, "No jobs match.\n")
    mixed.finish()
    alter(mixed, 5, state="revoked", finished_at=time.time())

    shown = on_tty("list", "-u", "queue.db")[1]

    assert shown == "No jobs match (3 done, 1 dead, 1 revoked: -a).\n"
    assert on_tty("list", "-u", "queue.db", "--state", "blocked")[1] == "No blocked jobs.\n"


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("form", ["table", "wide", "plain", "github", "csv"])
def test_hostile_arguments_are_spelled_out_on_a_terminal(
    queue: QueueFile, on_tty: OnTty, text: str, form: str
) -> None:
    queue.add(f"app.{text}", preview=text)

    code, shown = on_tty("list", "-u", "queue.db", "-o", form, columns=400)

    assert code == 0
    assert_harmless(shown)
    # A server has no NUL in a text: it is spelled out there already.
    assert visible(row(queue, 1).preview) in plain(shown).replace('""', '"')


def assert_harmless(shown: str) -> None:
    left = plain(shown).replace("\n", "")
    assert visible(left) == left


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_data_is_one_row_of_a_pipe_and_exact_in_json(
    queue: QueueFile, invoke: Invoke, text: str
) -> None:
    queue.add("app.task", text, preview=text)

    for form in ("tsv", "plain", "csv", "table"):
        shown = invoke("list", "-u", "queue.db", "-o", form, "--no-headers").stdout
        assert len(shown.splitlines()) == 1
    assert len(invoke("list", "-u", "queue.db").stdout.split("\t")) == 8
    assert json.loads(invoke("list", "-u", "queue.db", "--json").stdout)[0]["args"] == [text]


def test_hostile_results_errors_and_ids_are_spelled_out(queue: QueueFile, on_tty: OnTty) -> None:
    queue.add("app.task")
    queue.finish("\x1b[2J\x9b[/x]")
    queue.add("app.\x1b[2J")
    queue.kill("Evil\x1b[2J", "message\x1b[2J\x07")

    for words in (
        ("result", "1"),
        ("result", "1", "--raw"),
        ("result", "2", "--traceback"),
        ("wait", "2"),
        ("result", "\x1b[2J"),
        ("enqueue", "app.\x1b[2J", "x\x1b[2J"),
        ("list", "--sort", "\x1b[2J"),
        ("list", "-a", "--columns", "task,error"),
    ):
        _, shown = on_tty(*words, "-u", "queue.db", columns=300)
        assert_harmless(shown.replace("\r", "").replace("\x1b[K", ""))


def test_ten_megabytes_of_arguments_are_shown_as_their_preview(
    queue: QueueFile, invoke: Invoke
) -> None:
    queue.add("app.task", "y" * 10_000_000)

    text = invoke("list", "-u", "queue.db").stdout
    job = json.loads(invoke("list", "-u", "queue.db", "--json").stdout)[0]

    assert len(text) < 500
    assert job["args"] is None
    assert job["kwargs"] is None
    assert "yyy" in job["args_repr"]


def endless() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


def exponential() -> list[Any]:
    value: list[Any] = ["lol"]
    for _ in range(40):
        value = [value] * 10
    return value


def nested() -> list[Any]:
    value: list[Any] = []
    for _ in range(90):
        value = [value]
    return value


@pytest.mark.parametrize("make", [endless, exponential, nested, lambda: 10**20_000])
def test_values_that_cannot_be_written_are_shown_as_their_preview(
    queue: QueueFile, invoke: Invoke, make: Callable[[], Any]
) -> None:
    queue.add("app.task", make(), preview="much")

    job = json.loads(invoke("list", "-u", "queue.db", "--json").stdout)[0]

    assert (job["args"], job["args_repr"]) == (None, "much")
    assert invoke("list", "-u", "queue.db", "--where", "args.0 = 1").exit_code == 0


def test_nothing_in_a_payload_is_executed(queue: QueueFile, invoke: Invoke, home: Any) -> None:
    import os
    import pickle

    class Bomb:
        def __reduce__(self) -> Any:
            return (os.mkdir, (str(home / "exploded"),))

    blob = b"\x01" + pickle.dumps(((Bomb(),), {}))
    queue.add("app.task", payload=blob, preview="<Bomb>")
    queue.add("app.done")
    queue.run(lambda claim: Done(blob))

    for words in (
        ("list", "-a", "--json"),
        ("list", "-a", "--where", "args.0 = 1"),
        ("result", "1", "2"),
        ("result", "1", "2", "--json"),
    ):
        assert invoke(*words, "-u", "queue.db").exit_code == 0
    assert not (home / "exploded").exists()


def test_follow_prints_new_jobs_as_they_come(
    queue: QueueFile, spawn: Callable[..., Any], until: Callable[..., None]
) -> None:
    queue.add("app.old")
    child = spawn("list", "-u", "queue.db", "-f", "-o", "jsonl", "-i", "0.05")
    assert json.loads(child.stdout.readline())["task"] == "app.old"

    queue.add("app.new", 1)
    queue.finish()
    queue.add("app.newer", 2)

    # A job that is done before it was seen is shown as well.
    assert json.loads(child.stdout.readline())["task"] == "app.new"
    assert json.loads(child.stdout.readline())["task"] == "app.newer"
    child.send_signal(signal.SIGINT)
    assert child.wait(DEADLINE) == 130


def test_a_job_that_comes_while_the_listing_is_printed_is_followed_and_shown_once(
    queue: QueueFile, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.add("app.old")
    show = list_view._show

    def slow(*args: Any) -> int:
        queue.add("app.before")
        number = show(*args)
        queue.add("app.after")
        return number

    monkeypatch.setattr(list_view, "_show", slow)
    monkeypatch.setattr(watch, "looks", lambda *args, **options: [True])

    shown = invoke("list", "-u", "queue.db", "-f", "--columns", "task").stdout

    assert shown.splitlines() == ["app.old", "app.before", "app.after"]


def test_follow_on_a_pipe_goes_on_with_tabs(queue: QueueFile, spawn: Callable[..., Any]) -> None:
    child = spawn("list", "-u", "queue.db", "-f", "--columns", "seq,task")
    queue.add("app.one")

    assert child.stdout.readline() == "1\tapp.one\n"


def test_a_terminal_gets_tabs_of_texts_and_counts_with_their_thousands_apart(
    queue: QueueFile, on_tty: Callable[..., tuple[int, str]]
) -> None:
    from hueycore.model.jobs import NewJob

    queue.add("app.text")
    queue.finish("if x:\n\treturn\x1b[2J")
    payload = queue.serializer.serialize(((), {}))
    queue.storage.enqueue(
        [NewJob(id=f"n{number}", task="t", payload=payload) for number in range(1234)]
    )

    _, result = on_tty("result", "-u", "queue.db", "1", "--raw")
    _, depth = on_tty("depth", "-u", "queue.db", "--by", "queue")

    assert "if x:\n\treturn\\x1b[2J" in result
    assert "1,234" in depth


def test_a_pipe_gets_plain_numbers(queue: QueueFile, invoke: Callable[..., Any]) -> None:
    from hueycore.model.jobs import NewJob

    payload = queue.serializer.serialize(((), {}))
    queue.storage.enqueue(
        [NewJob(id=f"n{number}", task="t", payload=payload) for number in range(1234)]
    )

    assert invoke("depth", "-u", "queue.db", "--by", "queue").stdout == "huey\t1234\n"
