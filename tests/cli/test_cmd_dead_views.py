"""dead list, dead summary and dead show."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from clikit import QueueFile
from operatingkit import Invoke, OnTty, alter, ask, error

HOUR = 3600.0


@pytest.fixture
def letters(queue: QueueFile) -> QueueFile:
    """1 to 3 are dead, 4 is done, 5 waits."""
    for task, kind, message in (
        ("app.mail", "TimeoutError", "slow"),
        ("app.mail", "TimeoutError", "slower"),
        ("app.report", "ValueError", "bad [/x] \x1b[2J"),
    ):
        queue.add(task, "ann", kwargs={"user": 7})
        queue.kill(kind, message)
    queue.add("app.fine")
    queue.finish(1)
    queue.add("app.waits")
    now = time.time()
    for seq, age in ((1, 50 * HOUR), (2, 2 * HOUR), (3, 60.0)):
        alter(queue, seq, finished_at=now - age)
    return queue


def as_json(invoke: Invoke, *words: str) -> Any:
    result = ask(invoke, *words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_list_shows_dead_letters_the_latest_first(letters: QueueFile, invoke: Invoke) -> None:
    found = as_json(invoke, "dead", "list")
    rows = [line.split("\t") for line in ask(invoke, "dead", "list").stdout.splitlines()]

    assert [each["seq"] for each in found] == [3, 2, 1]
    assert [row[:3] for row in rows] == [
        ["3", "app.report", "ValueError: bad [/x] \\x1b[2J"],
        ["2", "app.mail", "TimeoutError: slower"],
        ["1", "app.mail", "TimeoutError: slow"],
    ]
    assert [row[4:] for row in rows] == [["1", "'ann', user=7"]] * 3


def test_list_has_a_header_for_people(letters: QueueFile, on_tty: OnTty) -> None:
    code, shown = on_tty("dead", "list", "-u", "queue.db", "--color", "never", columns=140)

    assert code == 0
    assert shown.splitlines()[0].split() == ["SEQ", "TASK", "ERROR", "DIED", "TRIES", "ARGS"]
    assert "2h 00m ago" in shown


@pytest.mark.parametrize(
    ("words", "seqs"),
    [
        (["--task", "app.mail"], [2, 1]), (["--newer-than", "3h"], [3, 2]),
        (["--older-than", "1d"], [1]), (["--where", "error.type=ValueError"], [3]),
        (["--where", "kwargs.user = 7", "-n", "1"], [3]), (["1", "4", "5"], [1]),
        (["--all"], [3, 2, 1]),
        (["--sort", "seq"], [1, 2, 3]), (["--where", "error.message ~ slow"], [2, 1]),
    ],
)  # fmt: skip
def test_selectors_narrow_the_list(
    letters: QueueFile, invoke: Invoke, words: list[str], seqs: list[int]
) -> None:
    assert [each["seq"] for each in as_json(invoke, "dead", "list", *words)] == seqs


def test_count_and_exit_code(letters: QueueFile, invoke: Invoke) -> None:
    assert ask(invoke, "dead", "list", "--count").stdout == "3\n"
    nothing = ask(invoke, "dead", "list", "--task", "no", "--exit-code")
    assert (nothing.exit_code, nothing.stdout) == (4, "")
    assert ask(invoke, "dead", "list", "-o", "name").stdout.count("\n") == 3


def test_an_empty_queue_has_no_dead_letters(queue: QueueFile, invoke: Invoke) -> None:
    assert as_json(invoke, "dead", "list") == []
    assert as_json(invoke, "dead", "summary") == []
    assert ask(invoke, "dead", "summary", "--exit-code").exit_code == 4


def test_summary_counts_by_task_and_error(letters: QueueFile, invoke: Invoke) -> None:
    first, second = as_json(invoke, "dead", "summary")

    assert (first["count"], first["task"], first["error"]) == (2, "app.mail", "TimeoutError")
    windows = [first[f"last_{name}"] for name in ("1h", "3h", "24h", "3d", "7d")]
    assert windows == [0, 1, 1, 2, 2]
    assert (second["count"], second["last_1h"]) == (1, 1)
    assert first["first"] < first["last"] < second["first"]


def test_summary_by_one_of_them(letters: QueueFile, invoke: Invoke) -> None:
    letters.add("app.report")
    letters.kill("TimeoutError", "slow")

    by_error = as_json(invoke, "dead", "summary", "--by", "error")
    by_task = as_json(invoke, "dead", "summary", "--by", "task")

    assert [(each["count"], each["task"], each["error"]) for each in by_error] == [
        (4, None, "TimeoutError"), (1, None, "ValueError"),
    ]  # fmt: skip
    assert [(each["count"], each["task"], each["error"]) for each in by_task] == [
        (2, "app.mail", None), (2, "app.report", None), (1, "app.waits", None),
    ]  # fmt: skip


def test_summary_of_a_choice_is_the_same_however_it_is_made(
    letters: QueueFile, invoke: Invoke
) -> None:
    plain = as_json(invoke, "dead", "summary", "--task", "app.mail")
    deep = as_json(invoke, "dead", "summary", "--where", "error.type=TimeoutError")

    assert plain == deep
    assert len(as_json(invoke, "dead", "summary", "-n", "1")) == 1


def test_summary_is_a_table_for_people(letters: QueueFile, on_tty: OnTty) -> None:
    code, shown = on_tty("dead", "summary", "-u", "queue.db", "--color", "never", columns=140)

    assert code == 0
    assert shown.splitlines()[0].split() == [
        "COUNT", "TASK", "ERROR", "1H", "3H", "24H", "3D", "7D", "FIRST", "LAST",
    ]  # fmt: skip


def test_a_death_without_an_error_is_counted_by_its_reason(
    letters: QueueFile, invoke: Invoke
) -> None:
    alter(letters, 3, errors=None, reason="crashed")

    assert as_json(invoke, "dead", "summary", "--task", "app.report")[0]["error"] == "crashed"


def test_show_is_as_show(letters: QueueFile, invoke: Invoke) -> None:
    for words in ((), ("--traceback",), ("--json",)):
        mine = ask(invoke, "dead", "show", "3", *words)
        theirs = ask(invoke, "show", "3", *words)
        assert (mine.exit_code, len(mine.stdout)) == (0, len(theirs.stdout))
        assert "\x1b" not in mine.stdout
    assert "Traceback" in ask(invoke, "dead", "show", "3", "--traceback").stdout


def test_show_knows_dead_letters_only(letters: QueueFile, invoke: Invoke) -> None:
    assert error(invoke, "dead", "show", "99")[:2] == (3, "no job 99")
    assert error(invoke, "dead", "show", "4") == (3, "job 4 is done, not dead", "hueyctl show 4")
    assert ask(invoke, "dead", "show").exit_code == 2


def test_columns_can_be_chosen(letters: QueueFile, invoke: Invoke) -> None:
    shown = ask(invoke, "dead", "list", "--columns", "seq,reason", "--sort", "seq").stdout

    assert shown == "1\tfailed\n2\tfailed\n3\tfailed\n"
    assert ask(invoke, "dead", "list", "--columns", "nope").exit_code == 2
