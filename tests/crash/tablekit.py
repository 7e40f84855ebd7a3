"""How a cell of the table is played."""

from __future__ import annotations

import os
from pathlib import Path
from signal import SIGCONT, SIGHUP, SIGINT, SIGKILL, SIGSTOP, SIGTERM
from typing import Any

from hueycore import Result
from hueycore.model.jobs import Job
from hueycore.model.reports import WorkerRow
from hueycore.model.states import State
from tests.crash.crashkit import DEADLINE, ConsumerProcess, Place
from tests.crash.table import Cell, Must
from tests.crash.tableapp import Tasks
from tests.helpers import stays_true, wait_until

#: What the consumer is started with; ``-t`` is the time that running jobs get after a stop.
OPTIONS = {
    "INT": ("-t", "30"),
    "TERM": ("-t", "0.5"),
    "second TERM": ("-t", "30"),
    "HUP": ("-t", "0.5"),
    "max-tasks": ("-M", "1"),
}
SIGNALS = {
    "INT": (SIGINT,),
    "TERM": (SIGTERM,),
    "second TERM": (SIGTERM, SIGTERM),
    "HUP": (SIGHUP,),
    "KILL of the parent": (SIGKILL,),
}
#: Seconds that a job may take in a cell about timeouts.
TIMEOUT = 0.3


class TablePlace(Place):
    def __init__(self, folder: Path, path: str, cell: Cell) -> None:
        super().__init__(folder, path)
        self.cell = cell
        self.tasks = Tasks(self.huey, str(self.log), cell.kind)

    def environment(self) -> dict[str, str]:
        mine = {"TABLE_KIND": self.cell.kind, "TABLE_PHASE": self.cell.phase}
        return {**super().environment(), **mine}

    def consumer(self, *options: str, workers: int = 1) -> ConsumerProcess:
        command = ("-m", "hueyctl", "consume", "tests.crash.tableapp:huey", "-w", str(workers))
        return self.process(*command, "-k", self.cell.kind, *options)

    def exists(self, name: str) -> bool:
        return (self.folder / name).exists()


class Scene:
    """One cell: the consumer, the job in the phase, and the one behind it."""

    def __init__(self, place: TablePlace, must: Must) -> None:
        self.place, self.must = place, must
        self.kind, self.event, self.phase = place.cell
        self.job: Result[Any] | None = None
        self.next: Result[Any] | None = None

    def play(self) -> None:
        self.enter()
        self.strike()
        if self.must.consumer in ("leaves", "dies"):
            self.see_it_leave()
        else:
            self.see_it_go_on()
        self.check()

    # --- the phase ------------------------------------------------------------------------------

    def enter(self) -> ConsumerProcess:
        """A consumer in the phase."""
        self.consumer = self.place.consumer(*OPTIONS.get(self.event, ()))
        self.row = self.wait_idle()
        self.arguments = command_line(self.consumer.pid)
        if self.phase == "running":
            self.enqueue("gate")
            self.place.wait_for_runs(1)
        elif self.phase != "idle":
            self.enqueue("open")
            wait_until(lambda: self.place.exists("held"), DEADLINE, "a consumer that is held")
        return self.consumer

    def wait_idle(self) -> WorkerRow:
        """Until a worker has looked and found nothing; its row."""
        if self.kind == "process":
            (row,) = self.consumer.wait_children(1)
        else:
            row = self.consumer.wait_ready()
        wait_until(lambda: self.place.exists(f"looked-{row.pid}"), DEADLINE, "an idle worker")
        return row

    def enqueue(self, gate: str) -> None:
        """The job that waits for its gate, and the next one, which does not."""
        place = self.place
        place.open_gate("open")
        options = {"timeout": TIMEOUT, "retries": 1} if self.event == "timeout" else {}
        first = place.tasks.gated.s(place.gate(gate), **options)
        self.job, self.next = place.huey.enqueue_many(
            [first, place.tasks.gated.s(place.gate("open"))]
        )

    def let_go(self) -> None:
        """The phase is over: the job may end, who is held goes on."""
        self.place.open_gate("gate")
        self.place.open_gate("released")

    # --- the event ------------------------------------------------------------------------------

    def strike(self) -> None:
        if self.event in SIGNALS:
            self.signal(*SIGNALS[self.event])
        else:
            {
                "KILL of a worker": self.kill_worker,
                "STOP/CONT": self.stop_and_continue,
                "timeout": self.wait_for_timeout,
                "max-tasks": lambda: None,
            }[self.event]()

    def signal(self, first: int, *rest: int) -> None:
        self.consumer.signal(first)
        if first == SIGKILL:
            self.consumer.wait()
            return
        if self.phase != "idle":
            wait_until(self.is_stopping, DEADLINE, "a stop that has begun")
        for number in rest:
            if not self.consumer.ended:
                self.consumer.signal(number)

    def is_stopping(self) -> bool:
        rows = [row for row in self.place.workers() if row.slots]
        return self.consumer.ended or all(row.state == "stopping" for row in rows)

    def kill_worker(self) -> None:
        if self.kind == "process":
            os.kill(self.row.pid, SIGKILL)
            wait_until(lambda: is_gone(self.row.pid), DEADLINE, "a killed worker")
        else:
            self.place.open_gate("strike")
            wait_until(lambda: self.place.exists("strike-done"), DEADLINE, "a struck worker")

    def stop_and_continue(self) -> None:
        """Nobody takes a sleeping consumer for dead, nor its jobs from it."""
        group = processes_of(self.consumer.pid)
        os.killpg(self.consumer.pid, SIGSTOP)
        wait_until(lambda: {state_of(pid) for pid in group} == {"T"}, DEADLINE, "all stopped")
        before = self.look()
        assert self.place.storage.recover() == []
        assert self.look() == before
        os.killpg(self.consumer.pid, SIGCONT)

    def wait_for_timeout(self) -> None:
        if self.phase == "idle":
            # A job that was in time; after it the limit strikes nobody.
            early = self.place.huey.enqueue(
                self.place.tasks.gated.s(str(self.place.log), timeout=TIMEOUT)
            )
            assert early is not None
            wait_until(lambda: early.state is State.DONE, DEADLINE, "a job that is in time")
        if self.phase == "running":
            self.place.wait_for_runs(2)
        else:
            assert stays_true(lambda: not self.consumer.ended, TIMEOUT * 1.5)

    # --- what must hold -------------------------------------------------------------------------

    def see_it_leave(self) -> None:
        """How the consumer ends, what it leaves, and that another one does the rest."""
        place, must = self.place, self.must
        if not (self.phase == "running" and self.event in ("TERM", "second TERM")):
            self.let_go()
        assert self.consumer.wait() in must.codes
        wait_until(lambda: not processes_of(self.consumer.pid), DEADLINE, "no orphans")
        if self.job is not None:
            assert words_of(place.job(self.job.id)) in must.then
            if must.consumer == "leaves":
                assert self.next is not None
                assert words_of(place.job(self.next.id)) == "pending 0 0"
        # Only who could not write it any more has left something to be given back.
        left_running = must.then == {"running 1 0"}
        died_alone = self.kind != "process" and must.consumer == "dies"
        assert len(place.workers()) == (left_running or died_alone)
        place.check_rows()
        self.let_go()
        if self.job is None:
            self.enqueue("open")
        assert place.consumer("--burst").wait() == 0

    def see_it_go_on(self) -> None:
        """The consumer does the rest itself."""
        place, must = self.place, self.must
        if must.consumer == "again":
            self.see_it_again()
        if self.phase == "running" and 2 in must.begun:
            place.wait_for_runs(2)
        self.let_go()
        if self.job is None:
            self.enqueue("open")
        wait_until(lambda: all(job.finished_at for job in place.jobs()), DEADLINE, "all ended")
        if must.consumer == "stays":
            assert self.workers_begun() == 1
        else:
            wait_until(lambda: self.workers_begun() > 1, DEADLINE, "another worker")
        assert processes_of(self.consumer.pid)
        self.consumer.signal(SIGTERM)
        assert self.consumer.wait() == 0

    def see_it_again(self) -> None:
        """The same process with the same arguments, and a worker whose lock is held."""
        consumer, before = self.consumer, self.row
        if self.phase in ("claiming", "ending"):
            self.let_go()

        def again() -> WorkerRow | None:
            rows = consumer.children() if self.kind == "process" else [consumer.row()]
            now = rows[0] if rows else None
            return now if now and now.started_at != before.started_at else None

        row = wait_until(again, DEADLINE, "the consumer again")
        assert row is not None
        assert (row.name, row.kind, row.slots) == (before.name, before.kind, before.slots)
        assert (row.pid == before.pid) == (self.kind != "process")
        assert command_line(consumer.pid) == self.arguments
        self.place.check_lock(row)

    def check(self) -> None:
        place, must = self.place, self.must
        assert self.job is not None
        assert self.next is not None
        begun, ended = place.ran("start"), place.ran("end")
        assert words_of(place.job(self.job.id)) == must.finally_
        assert begun[self.job.id] in must.begun
        assert ended[self.job.id] == must.ended
        assert words_of(place.job(self.next.id)) == "done 1 0"
        assert (begun[self.next.id], ended[self.next.id]) == (1, 1)
        assert place.workers() == []
        assert not processes_of(self.consumer.pid)
        place.check_rows()

    def workers_begun(self) -> int:
        return self.place.ran("worker")["-"]

    def look(self) -> list[tuple[str, int | None]]:
        return [(words_of(job), job.worker) for job in self.place.jobs()]


def words_of(job: Job) -> str:
    words = [job.state, job.attempt, job.crashes, *([job.reason] if job.state == "dead" else [])]
    return " ".join(map(str, words))


# --- processes ------------------------------------------------------------------------------------


def state_of(pid: int) -> str:
    """The letter of its state; Z when it is gone."""
    return _stat(pid)[0]


def is_gone(pid: int) -> bool:
    return state_of(pid) == "Z"


def processes_of(group: int) -> list[int]:
    """Those that live."""
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    found = {pid: _stat(pid) for pid in pids}
    return [pid for pid, (state, _, of) in found.items() if state != "Z" and of == str(group)]


def _stat(pid: int) -> list[str]:
    """Its state, its parent and its process group."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ["Z", "", ""]
    return text.rpartition(")")[2].split()[:3]


def command_line(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()
