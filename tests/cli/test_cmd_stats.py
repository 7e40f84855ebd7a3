"""stats: depths, rates and waits, once or again and again."""

from __future__ import annotations

import csv
import json
import os
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from click.testing import Result
from clikit import DEADLINE, QueueFile
from operatingkit import alter, ended_after
from operatingkit import start as begin
from ptykit import ENTER_SCREEN, HIDE_CURSOR, LEAVE_SCREEN, SHOW_CURSOR, Terminal, plain

from hueyctl.answers.figures import STATES
from hueyctl.streams import visible
from tests.helpers import give_up_after, write_lock_of

Invoke = Callable[..., Result]
OnTty = Callable[..., tuple[int, str]]
Spawn = Callable[..., Any]

URL = ("-u", "queue.db")


def document(invoke: Invoke, *words: str) -> dict[str, Any]:
    result = invoke("stats", *URL, "--json", *words)
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


# --- once ---------------------------------------------------------------------------------------


def test_the_document_has_all_its_keys(mixed: QueueFile, invoke: Invoke) -> None:
    found = document(invoke)

    assert found["schema"] == "hueyctl.stats/1"
    assert set(found) == {
        "schema", "at", "window_s", "storage", "totals", "queues", "tasks", "workers", "consumers",
    }  # fmt: skip
    assert set(found["storage"]) == {"kind", "url", "size_bytes", "wal_bytes"}
    (queue,) = found["queues"]
    assert set(queue) == {
        "name", "paused", *STATES, "oldest_pending_s", "next_run_at", "in_per_s", "out_per_s",
        "failed_per_s", "failure_ratio", "wait_s", "run_s", "empty_in_s", "trend",
    }  # fmt: skip
    assert set(queue["wait_s"]) == {"p50", "p95", "p99"}
    assert set(queue["run_s"]) == {"p50", "p95", "p99", "max"}
    assert len(queue["trend"]) == 60
    assert found["workers"] == {"alive": 0, "busy": 0, "dead": 0, "consumers": 0}


def test_the_figures_are_those_of_the_queue(mixed: QueueFile, invoke: Invoke) -> None:
    (queue,) = document(invoke)["queues"]

    assert {state: queue[state] for state in ("pending", "scheduled", "done", "dead")} == {
        "pending": 2, "scheduled": 1, "done": 1, "dead": 1,
    }  # fmt: skip
    assert queue["failure_ratio"] == 0.5
    assert sum(queue["trend"]) == 2
    assert queue["run_s"]["max"] == 0.5
    assert queue["run_s"]["p50"] == 0.5
    assert queue["in_per_s"] > queue["out_per_s"] > queue["failed_per_s"] > 0
    assert queue["empty_in_s"] is None
    assert 3500 < _seconds_until(queue["next_run_at"]) <= 3600


def _seconds_until(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp() - time.time()


def test_tasks_are_told_apart(mixed: QueueFile, invoke: Invoke) -> None:
    tasks = {row["task"]: row for row in document(invoke)["tasks"]}

    assert {name: (row["runs"], row["done"], row["dead"]) for name, row in tasks.items()} == {
        "app.add": (1, 1, 0), "app.boom": (1, 0, 1),
    }  # fmt: skip


def test_an_empty_storage_has_zeros_and_no_percentiles(queue: QueueFile, invoke: Invoke) -> None:
    found = document(invoke)

    assert found["totals"]["pending"] == 0
    assert found["totals"]["empty_in_s"] == 0
    assert found["totals"]["oldest_pending_s"] is None
    assert found["totals"]["run_s"]["p99"] is None
    assert found["totals"]["failure_ratio"] is None
    assert found["tasks"] == []


@pytest.mark.sql_only("figures are moved in their table")
def test_the_window_narrows(mixed: QueueFile, invoke: Invoke) -> None:
    mixed.storage.db.transact(
        lambda con: con.execute("update huey_metric set minute = minute - 30")
    )

    assert document(invoke)["tasks"] == []
    (queue,) = document(invoke, "--window", "1h")["queues"]
    assert queue["failure_ratio"] == 0.5
    assert sum(queue["trend"]) == 2


def test_paused_queues_say_so(mixed: QueueFile, invoke: Invoke) -> None:
    mixed.storage.pause()

    assert document(invoke)["queues"][0]["paused"] is True


def test_a_queue_can_be_chosen(mixed: QueueFile, home: Path, invoke: Invoke) -> None:
    other = QueueFile(mixed.where, "mail")
    other.add("mail.send")
    other.storage.close()

    assert [row["name"] for row in document(invoke)["queues"]] == ["huey", "mail"]
    found = document(invoke, "-Q", "mail")
    assert [row["name"] for row in found["queues"]] == ["mail"]
    assert found["totals"]["pending"] == 1
    assert found["tasks"] == []
    assert invoke("stats", *URL, "-Q", "nail").exit_code == 3


def test_a_pipe_gets_one_line_of_tabs_per_queue(mixed: QueueFile, invoke: Invoke) -> None:
    (line,) = invoke("stats", *URL).stdout.splitlines()

    cells = line.split("\t")
    assert cells[:6] == ["huey", "2", "1", "0", "0", "1"]
    assert len(cells) == 15


def test_headers_are_those_of_the_specification(mixed: QueueFile, invoke: Invoke) -> None:
    def headers(*words: str) -> str:
        return " ".join(
            next(csv.reader(invoke("stats", *URL, "-o", "csv", *words).stdout.splitlines()))
        )

    assert headers() == (
        "QUEUE PEND SCHED BLOCK RUN DEAD OLDEST IN/S OUT/S FAIL% P50 P95 P99 TREND EMPTY-IN"
    )
    assert headers("--by", "task") == "TASK RUNS OK FAIL RETRY FAIL% P50 P95 P99 MAX LAST TREND"
    assert headers("--columns", "queue,dead") == "QUEUE DEAD"


def test_tasks_can_be_sorted_and_cut(mixed: QueueFile, invoke: Invoke) -> None:
    def names(*words: str) -> list[str]:
        return invoke("stats", *URL, "--by", "task", "-o", "name", *words).stdout.split()

    assert names() == ["app.boom", "app.add"]
    assert names("--sort", "task") == ["app.add", "app.boom"]
    assert names("--sort", "-ok", "--top", "1") == ["app.add"]


def test_workers_are_listed(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("app.add")
    number = queue.storage.register(name="box-1", kind="thread", slots=3)
    begin(queue, number)

    found = document(invoke)
    assert found["workers"] == {"alive": 3, "busy": 1, "dead": 0, "consumers": 1}
    assert (found["consumers"][0]["state"], found["consumers"][0]["running"]) == ("busy", [1])
    line = invoke("stats", *URL, "--by", "worker").stdout.split("\t")
    assert (line[0], line[5:9]) == ("box-1", ["busy", "3", "1", "1"])
    queue.storage.unregister(number)


def test_the_wide_table_adds_the_waits(mixed: QueueFile, invoke: Invoke) -> None:
    assert "WAIT95" in invoke("stats", *URL, "-o", "wide").stdout


def shown_name(queue: QueueFile) -> str:
    """Of a file, or of a database."""
    scheme, separator, rest = str(queue.where).partition("://")
    if scheme == "redis":
        return f"redis:{rest}"
    return "postgresql:huey" if separator else "sqlite:queue.db"


def test_a_terminal_gets_an_overview(mixed: QueueFile, on_tty: OnTty) -> None:
    code, shown = on_tty("stats", *URL, columns=130)

    lines = plain(shown).splitlines()
    assert code == 0
    assert lines[0].startswith(f"{shown_name(mixed)} ")
    assert "window 5m   workers 0 alive · 0 busy · 0 dead" in lines[0]
    assert lines[1].split()[:5] == ["QUEUE", "PEND", "SCHED", "RUN", "DEAD"]
    assert lines[2].split()[:5] == ["huey", "2", "1", "0", "1"]
    assert lines[4].split()[:4] == ["TASK", "RUNS", "OK", "FAIL"]
    assert [line.split()[0] for line in lines[5:]] == ["app.boom", "app.add"]


@pytest.mark.parametrize("width", [20, 40, 80, 100, 200])
def test_no_line_is_wider_than_the_terminal(mixed: QueueFile, on_tty: OnTty, width: int) -> None:
    _, shown = on_tty("stats", *URL, columns=width)

    assert all(len(line) <= width for line in plain(shown).splitlines())


def test_hostile_names_never_reach_a_terminal(
    queue: QueueFile, home: Path, on_tty: OnTty, invoke: Invoke
) -> None:
    name = "evil\x1b[2J\x07[/red]\n\t\u202e"
    bad = QueueFile(queue.where, name)
    bad.add(name)
    bad.finish()
    bad.storage.close()

    for words in ((), ("--by", "task"), ("--by", "queue"), ("-w", "--count", "1")):
        code, shown = on_tty("stats", *URL, *words, columns=200)
        assert code == 0
        left = plain(shown).replace("\n", "").replace("\r", "")
        assert visible(left) == left
        assert "evil\\x1b[2J" in shown
    assert len(invoke("stats", *URL, "-Q", name).stdout.splitlines()) == 1


@pytest.mark.parametrize(
    "words",
    [
        ("--interval", "0.1", "-w"), ("--interval", "0"), ("--count", "3"), ("--by", "color"),
        ("--sort", "nothing"), ("--window", "soon"), ("-w", "--count", "0"), ("-w", "--json"),
        ("-w", "--by", "task"), ("--columns", "nothing"), ("--top", "0"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_a_usage_error(
    mixed: QueueFile, invoke: Invoke, words: tuple[str, ...]
) -> None:
    result = invoke("stats", *URL, *words)

    assert result.exit_code == 2
    assert result.stdout == ""


# --- storages in a bad state --------------------------------------------------------------------


@pytest.mark.sqlite_only("it is about the file")
def test_a_file_that_can_only_be_read_is_enough(
    mixed: QueueFile, home: Path, invoke: Invoke
) -> None:
    mixed.storage.close()
    os.chmod(home / "queue.db", 0o400)

    assert document(invoke)["totals"]["pending"] == 2


def test_a_missing_file_and_garbage_are_unavailable(home: Path, invoke: Invoke) -> None:
    (home / "garbage.db").write_bytes(b"not a database at all" * 500)
    (home / "empty.db").write_bytes(b"")

    for name in ("missing.db", "garbage.db", "empty.db"):
        result = invoke("stats", "-u", name)
        assert result.exit_code == 69, name
        assert result.stdout == ""
        assert "Traceback" not in result.stderr
    assert not (home / "missing.db").exists()


@pytest.mark.sql_only("a writer holds a lock")
def test_a_writer_does_not_hold_up_a_look(mixed: QueueFile, invoke: Invoke) -> None:
    with write_lock_of(str(mixed.where)):
        assert document(invoke)["totals"]["pending"] == 2


@pytest.mark.sqlite_only("nobody can keep readers from a table for good")
def test_a_file_that_is_locked_for_good_is_unavailable(
    mixed: QueueFile, home: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_up_after(monkeypatch, 0.05)
    mixed.storage.close()
    other = sqlite3.connect(home / "queue.db", isolation_level=None)
    other.execute("pragma locking_mode=exclusive")
    other.execute("begin exclusive")
    try:
        assert invoke("stats", *URL).exit_code == 69
    finally:
        other.close()


# --- again and again, in a pipe -----------------------------------------------------------------


def test_a_pipe_gets_a_line_per_look_and_a_header_each_twenty(
    mixed: QueueFile, invoke: Invoke
) -> None:
    from hueyctl.commands.stats import ticker

    result = invoke("stats", *URL, "-w", "-i", "0.2", "--count", "2")
    lines = result.stdout.splitlines()

    assert result.exit_code == 0
    assert len(lines) == 3
    assert lines[0].split() == [
        "TIME", "PEND", "SCHED", "BLOCK", "RUN", "DEAD", "OLDEST", "IN/S", "OUT/S", "FAIL%", "P50",
        "P95", "P99", "EMPTY-IN", "ALIVE", "BUSY",
    ]  # fmt: skip
    assert len(lines[1].split()) == len(lines[0].split())
    assert lines[1].split()[1:6] == ["2", "1", "0", "0", "1"]
    assert "\x1b" not in result.stdout
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ticker, "HEADER_EVERY", 2)
        shown = invoke("stats", *URL, "-w", "-i", "0.2", "--count", "3").stdout.splitlines()
    assert [line.startswith("TIME") for line in shown] == [True, False, False, True, False]


def test_jsonl_is_a_document_per_look(mixed: QueueFile, invoke: Invoke) -> None:
    lines = invoke("stats", *URL, "-w", "-i", "0.2", "--count", "2", "-o", "jsonl").stdout

    assert [json.loads(line)["schema"] for line in lines.splitlines()] == ["hueyctl.stats/1"] * 2


def test_csv_has_one_header(mixed: QueueFile, invoke: Invoke) -> None:
    shown = invoke("stats", *URL, "-w", "-i", "0.2", "--count", "2", "-o", "csv").stdout
    rows = list(csv.reader(shown.splitlines()))

    assert len(rows) == 3
    assert {len(row) for row in rows} == {16}


def test_lines_come_at_once_and_an_interrupt_is_130(mixed: QueueFile, spawn: Spawn) -> None:
    child = spawn("stats", *URL, "-w", "-i", "0.2", "-o", "jsonl")
    assert json.loads(child.stdout.readline())["totals"]["pending"] == 2

    mixed.add("app.more")
    while json.loads(child.stdout.readline())["totals"]["pending"] != 3:
        pass
    child.send_signal(signal.SIGINT)

    assert child.wait(DEADLINE) == 130


def test_a_reader_that_goes_away_ends_it(mixed: QueueFile, spawn: Spawn) -> None:
    child = spawn("stats", *URL, "-w", "-i", "0.2")
    child.stdout.readline()
    child.stdout.close()
    child.stdout = None

    assert child.wait(DEADLINE) == 141


def test_top_is_stats_that_watches(mixed: QueueFile, invoke: Invoke) -> None:
    shown = invoke("top", *URL, "-i", "0.2", "--count", "1").stdout

    assert shown.startswith("TIME")


def test_without_utf8_there_is_only_ascii(
    mixed: QueueFile, spawn: Spawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")

    for words in ((), ("-w", "--count", "1"), ("--by", "task")):
        shown, said = spawn("stats", *URL, *words).communicate(timeout=DEADLINE)
        assert shown.isascii()
        assert "\\u" not in shown
        assert said == ""


# --- the live view ------------------------------------------------------------------------------


@pytest.fixture
def watch(mixed: QueueFile) -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def start(*words: str, **options: Any) -> Terminal:
        opened.append(Terminal("top", *URL, "-i", "0.2", *words, **options))
        return opened[-1]

    yield start
    for terminal in opened:
        terminal.close()


def assert_restored(terminal: Terminal) -> None:
    shown = terminal.shown
    assert terminal.mode() == terminal.before
    assert shown.rindex(SHOW_CURSOR) > shown.rindex(HIDE_CURSOR)
    assert shown.rindex(LEAVE_SCREEN) > shown.rindex(ENTER_SCREEN)


def test_the_live_view_repaints_and_q_ends_it(
    watch: Callable[..., Terminal], mixed: QueueFile
) -> None:
    terminal = watch()
    terminal.wait_for("app.boom")
    terminal.wait_for("q quit")
    mixed.add("app.x")
    mixed.finish()
    terminal.wait_for("app.x")
    terminal.press("q")

    assert terminal.ended() == 0
    assert_restored(terminal)


def test_the_view_ends_after_count_looks(watch: Callable[..., Terminal]) -> None:
    terminal = watch("--count", "2")

    assert terminal.ended() == 0
    assert_restored(terminal)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)], ids=["INT", "TERM"]
)
def test_signals_leave_the_terminal_as_it_was(
    watch: Callable[..., Terminal], number: int, code: int
) -> None:
    terminal = watch()
    terminal.wait_for("q quit")
    terminal.kill(number)

    assert terminal.ended() == code
    assert_restored(terminal)
    assert "Traceback" not in terminal.shown


@pytest.mark.sqlite_only("a file is removed")
def test_an_error_leaves_the_terminal_as_it_was(watch: Callable[..., Terminal], home: Path) -> None:
    terminal = watch()
    terminal.wait_for("q quit")
    os.rename(home / "queue.db", home / "elsewhere.db")

    assert terminal.ended() == 69
    assert_restored(terminal)
    assert "removed" in terminal.shown.rpartition(LEAVE_SCREEN)[2]


def test_control_c_ends_it_quietly(watch: Callable[..., Terminal]) -> None:
    terminal = watch()
    terminal.wait_for("q quit")
    terminal.press("\x03")

    assert terminal.ended() == 0
    assert_restored(terminal)


def test_it_can_be_suspended_and_goes_on(watch: Callable[..., Terminal]) -> None:
    terminal = watch(shell=True)
    terminal.wait_for("q quit")
    terminal.press("\x1a")
    terminal.wait_for("[stopped]")
    assert_restored(terminal)
    terminal.forget()

    terminal.press("fg\n")
    terminal.wait_for(ENTER_SCREEN)
    terminal.wait_for("q quit")
    assert terminal.mode() != terminal.before
    terminal.press("q")

    assert terminal.ended() == 0
    assert_restored(terminal)


def test_keys_freeze_sort_switch_and_explain(
    watch: Callable[..., Terminal], mixed: QueueFile
) -> None:
    terminal = watch()
    terminal.wait_for("q quit")
    terminal.press("9")
    terminal.wait_for("window 1d")
    terminal.press("?")
    terminal.wait_for("what runs took")
    terminal.press("?t")
    terminal.wait_for("no consumer")
    terminal.press("ts\x1b[5~")  # page up means nothing
    terminal.press(" ")
    terminal.wait_for("FROZEN")
    mixed.add("app.y")
    mixed.finish()
    terminal.forget()
    terminal.press(" ")
    terminal.wait_for("app.y")
    terminal.press("Q")

    assert terminal.ended() == 0


def test_a_new_size_is_drawn_at_once(mixed: QueueFile, watch: Callable[..., Terminal]) -> None:
    terminal = watch("-i", "30", columns=120)
    terminal.wait_for("q quit")
    terminal.forget()
    terminal.resize(12, 50)
    terminal.wait_for(shown_name(mixed))
    terminal.press("q")

    assert terminal.ended() == 0
    frame = plain(terminal.shown).replace("\r", "").split("\n")
    assert all(len(line) <= 120 for line in frame)


def test_without_the_alternative_screen_the_last_frame_stays(
    watch: Callable[..., Terminal],
) -> None:
    terminal = watch("--no-alt-screen", "--count", "2")

    assert terminal.ended() == 0
    assert ENTER_SCREEN not in terminal.shown
    assert terminal.mode() == terminal.before
    assert "app.boom" in plain(terminal.shown)


def test_a_small_terminal_is_no_reason_to_fail(watch: Callable[..., Terminal]) -> None:
    terminal = watch("--count", "2", rows=3, columns=12)

    assert terminal.ended() == 0


def test_a_dumb_terminal_gets_lines(
    mixed: QueueFile, on_tty: OnTty, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")

    code, shown = on_tty("top", *URL, "-i", "0.2", "--count", "2")

    assert code == 0
    assert "\x1b" not in shown
    assert len(shown.splitlines()) == 3


def test_a_slow_terminal_skips_frames(mixed: QueueFile, monkeypatch: pytest.MonkeyPatch) -> None:
    from hueyctl.commands.stats import live
    from hueyctl.commands.stats.view import View
    from hueyctl.output.console import make_console

    drawn: list[Any] = []

    class Screen:
        console = make_console(False)

        def update(self, shown: Any, refresh: bool) -> None:
            drawn.append(shown)

    reader, writer = os.pipe()
    with open(reader, "rb"), open(writer, "w") as slow:
        monkeypatch.setattr("sys.stdout", slow)
        one: Any = None
        watch = live._Watch(mixed.storage, (), View(), one, cast("Any", Screen()), one, one)
        watch._draw()
        assert len(drawn) == 1

        os.set_blocking(writer, False)
        with pytest.raises(BlockingIOError):
            while True:
                os.write(writer, bytes(65536))
        watch._draw()

        assert len(drawn) == 1
        monkeypatch.undo()


# --- what is so now -------------------------------------------------------------------------------


def test_a_depth_that_falls_has_an_end(queue: QueueFile, invoke: Invoke) -> None:
    ended_after(queue, 20, 0.5)
    for _ in range(4):
        queue.add("app.add")
    alter(queue, enqueued_at=time.time() - 1000)

    found = json.loads(invoke("stats", *URL, "--json").stdout)["queues"][0]

    # 20 went and none came in the time that the queue is old.
    assert 0 < found["empty_in_s"] <= 4 / (20 / 120)


def test_a_depth_that_grows_or_is_paused_has_none(queue: QueueFile, invoke: Invoke) -> None:
    ended_after(queue, 2, 0.5)
    for _ in range(4):
        queue.add("app.add")
    assert json.loads(invoke("stats", *URL, "--json").stdout)["queues"][0]["empty_in_s"] is None

    alter(queue, enqueued_at=time.time() - 1000)
    queue.storage.pause()

    assert json.loads(invoke("stats", *URL, "--json").stdout)["queues"][0]["empty_in_s"] is None


def test_of_a_paused_queue_no_end_is_shown(queue: QueueFile, on_tty: OnTty) -> None:
    queue.add("app.add")
    queue.storage.pause()

    _, shown = on_tty("stats", *URL, "--by", "queue", "--color", "never", columns=140)

    assert shown.splitlines()[1].split()[-1] == "-"
    assert "∞" not in shown


def test_workers_are_busy_that_ran_short_jobs_all_the_time(
    queue: QueueFile, invoke: Invoke
) -> None:
    queue.storage.register(name="alpha", kind="thread", slots=4)
    ended_after(queue, 100, 1.5)

    # 150 seconds of work in the few seconds that the queue is old.
    assert json.loads(invoke("stats", *URL, "--json").stdout)["workers"]["busy"] == 4


def test_workers_that_did_nothing_lately_are_idle(queue: QueueFile, invoke: Invoke) -> None:
    queue.storage.register(name="alpha", kind="thread", slots=4)

    assert json.loads(invoke("stats", *URL, "--json").stdout)["workers"]["busy"] == 0
