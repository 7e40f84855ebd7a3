"""top: what runs, what is wrong, and keys that change something; on the screen as it is seen."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from clikit import QueueFile
from operatingkit import alter, ended_after, states
from operatingkit import consumer as register
from operatingkit import start as begin
from ptykit import Picture, Terminal

from hueyctl.commands.stats.keyboard import keys_of
from hueyctl.output.sparkline import chart
from tests.helpers import give_up_after, write_lock_of

URL = ("-u", "queue.db")
Watch = Callable[..., "Top"]


class Top:
    """A live view on a terminal of its own."""

    def __init__(self, *words: str, rows: int, columns: int) -> None:
        self.rows, self.columns = rows, columns
        self.terminal = Terminal("top", *URL, "-i", "0.2", *words, rows=rows, columns=columns)

    def picture(self) -> Picture:
        """What is on the screen now."""
        while self.terminal.read(0.05):
            pass
        return Picture(self.terminal.shown, self.columns, self.rows)

    def until(self, is_so: Callable[[Picture], Any]) -> Picture:
        deadline = time.monotonic() + 20
        while True:
            picture = self.picture()
            if is_so(picture):
                return picture
            assert time.monotonic() < deadline, "\n".join(picture.lines)

    def showing(self, text: str) -> Picture:
        return self.until(lambda picture: any(text in line for line in picture.lines))

    def press(self, keys: str) -> None:
        self.terminal.press(keys)


@pytest.fixture
def top(queue: QueueFile) -> Iterator[Watch]:
    opened: list[Top] = []

    def start(*words: str, rows: int = 30, columns: int = 120) -> Top:
        opened.append(Top(*words, rows=rows, columns=columns))
        return opened[-1]

    yield start
    for one in opened:
        one.terminal.close()


def run_two(queue: QueueFile) -> None:
    """app.add usually takes half a second: job 31 has run for 5 minutes, 32 for two seconds."""
    ended_after(queue, 30, 0.5)
    worker = register(queue, "vm:23926")
    for slot, span in ((0, 300.0), (1, 2.0)):
        queue.add("app.add", 4711, "ann")
        seq = begin(queue, worker, slot).seq
        alter(queue, seq, claimed_at=time.time() - span, progress="310/1000" if slot else None)


def test_what_runs_is_measured_against_what_is_usual(queue: QueueFile, top: Watch) -> None:
    run_two(queue)

    picture = top().showing("RUNNING")

    assert picture.line("RUNNING").split() == [
        "RUNNING", "JOB", "ARGS", "FOR", "P95", "×P95", "WORKER", "PROGRESS",
    ]  # fmt: skip
    stuck, usual = picture.line("  31  "), picture.line("  32  ")
    assert re.search(r"app\.add +31  4711, 'ann' +5m 0\ds  500ms +6\d\d× +vm:23926$", stuck)
    assert re.search(r"app\.add +32  4711, 'ann' +[2-9]\.\ds  500ms +\d+\.\d× +vm:23926", usual)
    assert usual.endswith("310/1000")
    assert picture.lines.index(stuck) < picture.lines.index(usual)
    assert picture.style(stuck.strip()) == ("red", True)
    assert picture.style("31  4711") == ("red", True)
    assert picture.style("32  4711") == ("default", False)


def test_a_paused_queue_is_yellow(queue: QueueFile, top: Watch) -> None:
    other = QueueFile(queue.where, "mail")
    other.add("mail.send")
    other.storage.pause()
    other.storage.close()

    picture = top().showing("mail (paused)")

    assert picture.style("mail (paused)") == ("brown", False)


@pytest.mark.parametrize(("rows", "columns"), [(24, 80), (50, 200), (12, 60), (100, 40)])
def test_it_fills_the_screen_that_it_gets(
    queue: QueueFile, top: Watch, rows: int, columns: int
) -> None:
    run_two(queue)

    picture = top(rows=rows, columns=columns).showing("q quit")

    assert len(picture.lines) == rows
    assert picture.lines[-1].startswith("q quit")
    assert any("RUNNING" in line for line in picture.lines)
    if rows >= 24:
        # What is left shows what ended in the last hour.
        assert picture.lines[-2].count("█") >= columns // 60
        assert "ENDED PER MINUTE" in "".join(picture.lines)


def test_many_runs_leave_room_for_the_tasks(queue: QueueFile, top: Watch) -> None:
    ended_after(queue, 3, 0.5)
    worker = queue.storage.register(name="alpha", kind="thread", slots=40)
    for slot in range(40):
        queue.add("app.add")
        begin(queue, worker, slot)

    picture = top(rows=24).showing("more: hueyctl workers")

    assert picture.line("TASK").split()[:3] == ["TASK", "RUNS", "OK"]
    assert len(picture.lines) == 24
    shown = sum(line.startswith("app.add ") and " alpha" in line for line in picture.lines)
    assert picture.line("more: hueyctl workers") == f"… {40 - shown} more: hueyctl workers"


def test_the_column_of_the_order_is_marked_and_arrows_change_it(
    queue: QueueFile, top: Watch
) -> None:
    ended_after(queue, 3, 0.5)
    view = top()

    assert "FAIL%▼" in view.showing("TASK").line("TASK ")
    view.press("s")
    assert view.showing("RUNS▼").style("RUNS▼") == ("cyan", True)
    view.press("\x1b[C")
    view.showing("P95▼")
    view.press("\x1b[D\x1b[D\x1b[D")
    view.showing("TASK▲")
    view.press("S")
    view.showing("TASK▼")
    view.press("s")
    view.showing("FAIL%▼")


def test_p_pauses_the_queue_after_a_yes_and_lets_it_go_on(queue: QueueFile, top: Watch) -> None:
    queue.add("app.add")
    view = top()
    view.showing("q quit")

    view.press("p")
    view.showing("Pause queue huey?  y yes, any other key no")
    view.press("n")
    view.until(lambda picture: picture.lines[-1].startswith("q quit"))
    assert not queue.storage.queues()[0].paused_at
    view.press("py")

    view.showing("queue huey is paused")
    view.showing("huey (paused)")
    row = queue.storage.queues()[0]
    assert row.paused_at is not None
    assert row.paused_by
    view.press("p")
    view.showing("Resume queue huey?")
    view.press("y")
    view.showing("queue huey goes on")
    assert queue.storage.queues()[0].paused_at is None


def test_arrows_choose_the_queue_that_keys_act_on(queue: QueueFile, top: Watch) -> None:
    for name in ("huey", "mail", "orders"):
        one = QueueFile(queue.where, name)
        one.add("app.add")
        one.storage.close()
    view = top()
    view.showing("orders")

    view.press("\x1b[B\x1b[Bp")
    view.showing("Pause queue orders?")
    view.press("y")
    view.showing("queue orders is paused")

    paused = {row.queue for row in queue.storage.queues() if row.paused_at is not None}
    assert paused == {"orders"}
    view.press("jp")
    view.showing("Pause queue huey?")


def test_r_retries_the_dead_after_a_yes(queue: QueueFile, top: Watch) -> None:
    for _ in range(3):
        queue.add("app.boom")
    queue.kill()
    queue.add("app.add")
    view = top()

    view.press("r")
    view.showing("Retry 3 dead letters of huey?")
    view.press("\x1b")
    view.until(lambda picture: picture.lines[-1].startswith("q quit"))
    assert list(states(queue).values()) == ["dead"] * 3 + ["pending"]
    view.press("ry")

    view.showing("3 of huey wait again")
    assert set(states(queue).values()) == {"pending"}
    view.press("r")
    view.showing("there is nothing to retry")


@pytest.mark.sql_only("a writer holds a lock")
def test_what_cannot_be_changed_now_is_said_and_the_view_goes_on(
    queue: QueueFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hueyctl.commands.stats import live
    from hueyctl.commands.stats.view import View

    give_up_after(monkeypatch, 0.05)
    queue.add("app.add")
    one: Any = None
    view = live._Watch(queue.storage, (), View(), lambda name: queue.storage, one, one, one)
    monkeypatch.setattr(view, "_draw", lambda: None)
    view._press("p")
    with write_lock_of(str(queue.where)):
        assert not view._press("y")

    assert "lock" in view.view.trouble
    assert view.view.deed is None
    assert queue.storage.queues()[0].paused_at is None
    view._press("p")
    assert view._press("y")
    assert (view.view.trouble, view.view.note) == ("", "queue huey is paused")


def test_each_look_reads_each_thing_once(queue: QueueFile, monkeypatch: pytest.MonkeyPatch) -> None:
    from hueyctl.commands.stats import live
    from hueyctl.commands.stats.view import View

    run_two(queue)
    asked: list[str] = []

    class Counted:
        def __getattr__(self, name: str) -> Any:
            asked.append(name)
            return getattr(queue.storage, name)

    one: Any = None
    live._Watch(Counted(), (), View(), one, one, one, one)  # type: ignore[arg-type]

    # Arrivals are asked of the window and of the last minute; dead letters are none.
    for name in ("workers", "queues", "depths", "metrics", "totals", "jobs"):
        assert asked.count(name) == 1, name


def test_keys_are_told_apart() -> None:
    assert keys_of(b"q\x1b[A\x1bOBs\x1b[5~\x1b p") == [
        "q",
        "up",
        "down",
        "s",
        "esc",
        "esc",
        " ",
        "p",
    ]


def test_a_chart_fills_its_room_and_shows_the_newest_last() -> None:
    assert chart([0, 4, 8], 6, 2) == ["    ██", "  ████"]
    assert chart([0, 8], 3, 1) == ["  █"]
    assert chart([1, 2, 8], 2, 1) == ["▂█"]
    assert chart([0, 8], 2, 2, utf8=False) == [" #", " #"]
    assert chart([0, 0], 2, 1) == ["  "]
