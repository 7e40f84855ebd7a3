"""What these tests are made of: a consumer in a real process, the log of its runs, the checker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Collection, Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from hueycore import Result
from hueycore.exceptions import StorageError
from hueycore.model.jobs import Job, Selector
from hueycore.model.reports import WorkerRow
from hueycore.model.states import State
from hueycore.storage.base import Storage
from hueycore.tasks.task import Task
from tests.crash.app import App
from tests.helpers import check_rows, wait_until, write_lock_of

ROOT = Path(__file__).resolve().parents[2]
DEADLINE = 20.0
UNSHARE = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
KINDS = ("thread", "greenlet", "asyncio", "process")
#: The consumers of the test have workers of each kind in turn.
every_kind = pytest.mark.parametrize("kind", KINDS, indirect=True)


class Line(NamedTuple):
    """What a run wrote about itself."""

    key: str
    attempt: int
    what: str
    pid: int
    at: float


class Place:
    """One queue, its application, the log of all runs, and the processes, in a folder. ``path``:
    the queue's file in it, or its URL."""

    def __init__(
        self,
        folder: Path,
        path: str | Path,
        *,
        every: float | None = None,
        kind: str = "thread",
    ) -> None:
        self.folder = folder
        self.kind = kind
        self.path = str(path)
        self.log = folder / "runs.log"
        self.every = every
        self.app = App(self.path, str(self.log), every_=every)
        self.huey = self.app.huey
        self.processes: list[ConsumerProcess] = []
        self._siblings: list[App] = []

    @property
    def storage(self) -> Storage:
        return self.huey.storage

    def sibling(self, name: str) -> App:
        """The same application for another queue there."""
        self._siblings.append(App(self.path, str(self.log), name=name))
        return self._siblings[-1]

    def consumer(
        self, *options: str, workers: int = 4, under: Sequence[str] = ()
    ) -> ConsumerProcess:
        """``hueyctl consume`` on the queue."""
        command = ["-m", "hueyctl", "consume", "tests.crash.app:huey", "-w", str(workers)]
        return self.process(*command, "-k", self.kind, *options, under=under)

    def process(self, *arguments: str, under: Sequence[str] = ()) -> ConsumerProcess:
        """Python with these arguments, and the application in its environment; ``under`` is the
        command that starts it."""
        made = ConsumerProcess(self, arguments, len(self.processes), under)
        self.processes.append(made)
        return made

    def environment(self) -> dict[str, str]:
        """What its processes find there."""
        found = {"CRASH_DB": self.path, "CRASH_LOG": str(self.log)}
        return found if self.every is None else {**found, "CRASH_EVERY": str(self.every)}

    def drain(self, workers: int = 4) -> None:
        """A consumer that ends when nothing is left."""
        drainer = self.consumer("--burst", "--no-periodic", workers=workers)
        assert drainer.wait() == 0

    def gate(self, name: str = "gate") -> str:
        return str(self.folder / name)

    def open_gate(self, name: str = "gate") -> None:
        (self.folder / name).touch()

    def close(self) -> None:
        for process in self.processes:
            process.destroy()
        for app in (self.app, *self._siblings):
            app.huey.close()

    @property
    def uncounted(self) -> range:
        """How many runs of a job that kills its process at once may not be counted."""
        return range(1 if self.storage.sees_starts else 2)

    # --- looking --------------------------------------------------------------------------------

    def lines(self) -> list[Line]:
        lines = []
        whole, _, _ = self.log.read_text().rpartition("\n")  # one may be half written
        for text in whole.splitlines():
            key, attempt, what, pid, at = text.split()
            lines.append(Line(key, int(attempt), what, int(pid), int(at) / 1e9))
        return lines

    def ran(self, what: str = "end") -> Counter[str]:
        """How often each key is in the log."""
        return Counter(line.key for line in self.lines() if line.what == what)

    def wait_for_runs(
        self, number: int, what: str = "start", among: Iterable[Result[Any]] | None = None
    ) -> None:
        """Until the log has so many lines, of all jobs or of these."""
        ids = None if among is None else {handle.id for handle in among}

        def there() -> bool:
            ran = self.ran(what)
            return sum(ran[key] for key in ran if ids is None or key in ids) >= number

        wait_until(there, DEADLINE, f"{number} lines of {what}")

    def wait_known(self, number: int = 1) -> None:
        """Until the storage knows of so many runs that they have begun: those are charged with the
        death of their process, of the others it may have to doubt that they did."""

        def known() -> bool:
            return sum(len(row.running) for row in self.workers()) >= number

        wait_until(known, DEADLINE, f"{number} runs that have begun")

    def wait_dead(self, pid: int) -> None:
        """Until the storage knows that a killed process is gone: a server hears of it within
        milliseconds, and a file is free when the kill returns."""
        wait_until(
            lambda: pid not in {row.pid for row in self.workers() if row.alive},
            1.0 if "://" in self.path else 0.0,
            "the end of a process that was killed",
        )

    def jobs(self, *states: State, queue: str = "app") -> list[Job]:
        return self.storage.jobs(Selector(queues=(queue,), states=states))

    def job(self, id: str) -> Job:
        found = self.storage.job(id)
        assert found is not None
        return found

    def running(self) -> set[str]:
        return {job.id for job in self.jobs(State.RUNNING)}

    def states(self) -> dict[str, int]:
        return dict(Counter(str(job.state) for job in self.jobs()))

    def workers(self) -> list[WorkerRow]:
        return self.storage.workers()

    @contextmanager
    def write_lock(self) -> Iterator[None]:
        """Nobody can change a job meanwhile."""
        with write_lock_of(self.path):
            yield

    def check_lock(self, worker: WorkerRow) -> None:
        """It lives because it holds a lock, on SQLite its byte."""
        assert worker.alive
        if "://" not in self.path:
            assert self.storage.side().locked(worker.id)

    def check_rows(self) -> None:
        check_rows(self.path)


class ConsumerProcess:
    def __init__(
        self, place: Place, arguments: Iterable[str], number: int, under: Sequence[str] = ()
    ) -> None:
        self.place = place
        self.output = place.folder / f"consumer-{number}.log"
        environment = {
            key: value for key, value in os.environ.items() if not key.startswith("HUEYCTL_")
        }
        environment["PYTHONPATH"] = os.pathsep.join((str(ROOT / "core"), str(ROOT)))
        environment |= place.environment()
        with self.output.open("wb") as output:
            self._popen = subprocess.Popen(
                [*under, sys.executable, *arguments],
                cwd=place.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pid = self._popen.pid

    def row(self) -> WorkerRow | None:
        """This process's living worker, or the first of its worker processes."""
        rows = [row for row in self.place.workers() if row.pid == self.pid and row.alive]
        rows = rows or self.children()
        return rows[0] if rows else None

    def wait_ready(self) -> WorkerRow:
        """Until its worker lives in the storage."""

        def ready() -> WorkerRow | None:
            assert self._popen.poll() is None, f"ended with {self._popen.returncode}: {self.text()}"
            return self.row()

        found = wait_until(ready, DEADLINE, "a living worker")
        assert found is not None
        return found

    def children(self) -> list[WorkerRow]:
        """The living worker processes of this supervisor, by name."""
        rows = [row for row in self.place.workers() if row.alive and f":{self.pid}/" in row.name]
        return sorted((row for row in rows if row.slots), key=lambda row: row.name)

    def maintenance(self) -> WorkerRow | None:
        """Its process that schedules and keeps."""
        rows = [row for row in self.place.workers() if row.name.endswith(f":{self.pid}/scheduler")]
        return next((row for row in rows if row.alive), None)

    def wait_children(self, number: int) -> list[WorkerRow]:
        """Until so many worker processes live, and the one beside them."""

        def there() -> bool:
            assert self._popen.poll() is None, f"ended with {self._popen.returncode}: {self.text()}"
            return len(self.children()) == number and self.maintenance() is not None

        wait_until(there, DEADLINE, f"{number} worker processes")
        return self.children()

    def rows(self) -> list[WorkerRow]:
        """The living workers of this consumer that run jobs, whatever its kind."""
        row = self.row()
        return [row] if row is not None and row.slots else self.children()

    def kill_all(self) -> None:
        """kill -9 of all its processes at once, as a service manager does it."""
        os.killpg(self.pid, signal.SIGKILL)
        self._popen.wait(DEADLINE)

    def wait_stopping(self) -> None:
        def stopping() -> bool:
            row = self.row()
            return self.ended or (row is not None and row.state == "stopping")

        wait_until(stopping, DEADLINE, "a stop that has begun")

    def signal(self, *numbers: int) -> None:
        for number in numbers:
            os.kill(self.pid, number)

    def stop_and_hold(self) -> None:
        hold(self.pid)

    def kill(self) -> None:
        """kill -9; when this returns, the kernel has freed what it held."""
        self._popen.kill()
        self._popen.wait(DEADLINE)

    @property
    def ended(self) -> bool:
        return self._popen.poll() is not None

    def wait(self, deadline: float = DEADLINE) -> int:
        """Its exit code."""
        try:
            return self._popen.wait(deadline)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still runs after {deadline} s:\n{self.text()}") from None

    def text(self) -> str:
        return self.output.read_text(errors="replace")

    def destroy(self) -> None:
        """End it whatever it does, and say what it said: pytest shows it when the test failed."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._popen.wait(DEADLINE)
        print(f"--- {self.output.name}, pid {self.pid}, exit {self._popen.returncode} ---")
        print(self.text()[-6000:])


def hold(pid: int) -> None:
    """SIGSTOP, and until the kernel has done so: all threads sleep."""
    os.kill(pid, signal.SIGSTOP)
    stat = Path(f"/proc/{pid}/stat")
    wait_until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T", DEADLINE, "T")


def own_namespace() -> tuple[str, ...]:
    """The command that gives a process a PID namespace of its own, with or without being root."""
    if not sys.platform.startswith("linux"):
        pytest.skip("PID namespaces are Linux's")
    refused = ""
    for command in (UNSHARE, (*UNSHARE, "--user", "--map-root-user")):
        try:
            done = subprocess.run(
                [*command, "true"], capture_output=True, text=True, check=False, timeout=DEADLINE
            )
        except FileNotFoundError:
            pytest.skip("unshare (util-linux) is not installed")
        if done.returncode == 0:
            return command
        refused = done.stderr.strip()
    pytest.skip(f"this system allows no PID namespace: {refused}")


class Ledger:
    """Jepsen's four sets: what was acknowledged, what ended, and what was running at a kill."""

    def __init__(self, place: Place) -> None:
        self.place = place
        #: {job id: how its runs are called in the log}
        self.acked: dict[str, str] = {}
        self.in_flight: set[str] = set()

    def enqueue(self, tasks: Iterable[Task]) -> None:
        """``plain`` jobs are known by their argument, all others by their id."""
        tasks = list(tasks)
        for handle, task in zip(self.place.huey.enqueue_many(tasks), tasks, strict=True):
            self.acked[handle.id] = task.args[0] if task.name == "plain" else handle.id

    def enqueue_in_the_end(self, tasks: Iterable[Task], patience: float) -> int:
        """The same jobs until they are acknowledged; how many calls were not."""
        tasks, unanswered = list(tasks), 0
        end = time.monotonic() + patience
        while True:
            try:
                self.enqueue(tasks)
            except StorageError:
                assert time.monotonic() < end
                unanswered += 1
            else:
                return unanswered

    def note_kill(self, workers: Container[int | None] | None = None) -> None:
        """After a kill and before the next consumer: those rows were claimed. Or before it, those
        of workers that do nothing any more."""
        self.in_flight |= {
            self.acked[job.id]
            for job in self.place.jobs(State.RUNNING)
            # A periodic one is nobody's order.
            if job.id in self.acked and (workers is None or job.worker in workers)
        }

    def check(self, dead: Collection[str] = ()) -> None:
        """All is done, but what had to fail."""
        acked, ended = set(self.acked.values()), self.place.ran("end")
        lost = acked - ended.keys()
        unexpected = ended.keys() - acked
        twice = {key for key, times in ended.items() if times > 1}
        assert not lost, f"{len(lost)} jobs lost: {sorted(lost)[:10]}"
        assert not unexpected, f"nobody asked for {sorted(unexpected)[:10]}"
        assert twice <= self.in_flight, f"twice without a kill: {sorted(twice - self.in_flight)}"
        found = {self.acked[job.id]: str(job.state) for job in self.place.jobs()}
        assert found == {key: "dead" if key in dead else "done" for key in acked}
        self.place.check_rows()


def overlaps(lines: Iterable[Line]) -> list[tuple[Line, Line]]:
    """Runs of one job that were under way at the same time: (last line of one, start of next)."""
    spans: dict[tuple[str, int, int], tuple[Line, Line]] = {}
    for line in lines:
        run = (line.key, line.attempt, line.pid)
        spans[run] = (spans[run][0] if run in spans else line, line)
    found = []
    ordered = sorted(spans.values(), key=lambda span: (span[0].key, span[0].at))
    for (_, last), (first, _) in pairwise(ordered):
        if last.key == first.key and first.at < last.at:
            found.append((last, first))
    return found
