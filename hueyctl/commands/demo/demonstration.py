"""What ``hueyctl demo`` does: a load, a consumer, a murder, and the account of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from hueyctl import errors, exits

if TYPE_CHECKING:
    from hueycore.model.jobs import Job, NewJob
    from hueycore.storage.base import Storage

QUEUE = "demo"
WORKERS = 8
STATES = ("scheduled", "pending", "blocked", "running", "done", "dead")
_APP = "hueyctl.commands.demo.app"
_GRACE = 20.0


class Frame(NamedTuple):
    """One look at the queue while the demo runs."""

    at: float
    counts: dict[str, int]
    in_s: float
    out_s: float
    event: str | None = None


class Account(NamedTuple):
    """What became of every job. ``interrupted``: running when the consumer was killed."""

    queued: int
    done: int
    dead: int
    lost: int
    wrong: int
    interrupted: int
    retried: int
    ticks: int
    seconds: float


class Demonstration:
    """One run of the demo on one file."""

    def __init__(self, path: str, folder: str, count: int, seconds: float) -> None:
        self.path, self.folder = path, folder
        self.count, self.seconds = count, seconds
        self.child: subprocess.Popen[bytes] | None = None
        self.storage: Storage
        self.queued: list[tuple[str, str, int]] = []
        self.interrupted: list[int] = []
        self.events: list[str] = []
        self._orders: Iterator[NewJob]

    # --- the run ---------------------------------------------------------------------------------

    def run(self, show: Callable[[Frame], None]) -> Account:
        """Play the whole piece; ``show`` gets a frame several times a second."""
        from hueycore.storage.open import open_storage

        self.storage = open_storage(self.path, QUEUE)
        try:
            self._orders = self._make_orders()
            return self._play(show)
        finally:
            self._end_child()
            self.storage.close()

    def _play(self, show: Callable[[Frame], None]) -> Account:
        began = time.monotonic()
        feeding, killing = 0.6 * self.seconds, 0.45 * self.seconds
        self._feed(self.count // 4)
        self._start("consumer 1 started")
        killed_at: float | None = None
        meter = _Meter()
        while True:
            now = time.monotonic() - began
            share = 1.0 if now >= feeding else 0.25 + 0.75 * now / feeding
            self._feed(int(self.count * share) - len(self.queued))
            counts = self._counts()
            if killed_at is None and now >= killing and self._can_kill(counts, now):
                self._kill()
                killed_at = now
            elif killed_at is not None and self.child is None and now >= killed_at + 0.5:
                self._start("consumer 2 started: it takes over what number 1 was running")
            show(meter.frame(now, len(self.queued), counts, self._next_event()))
            if killed_at is not None and len(self.queued) >= self.count and self._drained(counts):
                if not self.events:
                    return self._settle(now)
            elif now > self.seconds + _GRACE:
                raise errors.CliError(
                    f"the demo did not drain in {now:.0f} s: {counts}", exits.FAILURE
                )
            self._check_child()
            time.sleep(0.1)

    def _can_kill(self, counts: dict[str, int], now: float) -> bool:
        """Somebody has to be at work for a crash to matter."""
        return self.child is not None and (counts["running"] > 0 or now > 0.8 * self.seconds)

    def _drained(self, counts: dict[str, int]) -> bool:
        return not any(counts[state] for state in ("scheduled", "pending", "blocked", "running"))

    def _next_event(self) -> str | None:
        return self.events.pop(0) if self.events else None

    # --- the load --------------------------------------------------------------------------------

    def _make_orders(self) -> Iterator[NewJob]:
        from hueycore.model.jobs import NewJob
        from hueycore.serializer import Serializer
        from hueycore.system.ids import new_id

        serializer = Serializer()
        # Half of the workers' time goes into slow jobs, whatever the count. Not too slow: after the
        # crash the suspects start one after another.
        slow = max(0.02, min(0.3, self.seconds * WORKERS * 0.5 / max(1, self.count * 0.06)))
        for number in range(self.count):
            name, args, delay = _kind(number, slow, self.seconds)
            id_ = new_id()
            self.queued.append((id_, name, number))
            yield NewJob(
                id_,
                f"{_APP}.{name}",
                serializer.serialize((args, {})),
                serializer.preview(args, {}),
                run_at=None if delay is None else time.time() + delay,
                retries={"flaky": 3, "broken": 1}.get(name, 0),
                retry_delay=0.4,
            )

    def _feed(self, number: int) -> None:
        batch = list(islice(self._orders, max(0, number)))
        if batch:
            self.storage.enqueue(batch)

    # --- the consumer ----------------------------------------------------------------------------

    def _start(self, event: str) -> None:
        environment = {
            key: value for key, value in os.environ.items() if not key.startswith("HUEYCTL_")
        }
        environment |= {
            "HUEYCTL_DEMO_DB": self.path,
            "XDG_CONFIG_HOME": self.folder,
            "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path)),
        }
        with open(os.path.join(self.folder, "consumer.log"), "ab") as log:
            self.child = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "hueyctl",
                    "consume",
                    f"{_APP}:huey",
                    "-w",
                    str(WORKERS),
                    "--max-time",
                    str(self.seconds + 2 * _GRACE),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                cwd=self.folder,
                start_new_session=True,
            )
        self.events.append(f"{event} (pid {self.child.pid})")

    def _kill(self) -> None:
        """Without any warning, as the kernel does when memory runs out."""
        assert self.child is not None
        self.child.send_signal(signal.SIGKILL)
        self.child.wait()
        self.interrupted = [job.seq for job in self._jobs("running")]
        number = len(self.interrupted)
        jobs = "1 job" if number == 1 else f"{number} jobs"
        self.events.append(f"kill -9 {self.child.pid}: consumer 1 died with {jobs} in its hands")
        self.child = None

    def _check_child(self) -> None:
        if self.child is not None and self.child.poll() is not None:
            with open(os.path.join(self.folder, "consumer.log"), errors="replace") as log:
                said = "".join(log.readlines()[-5:]).strip()
            code, self.child = self.child.returncode, None
            raise errors.CliError(f"the consumer ended with exit code {code}: {said}")

    def _end_child(self) -> None:
        child, self.child = self.child, None
        if child is None:
            return
        child.terminate()
        try:
            child.wait(3)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    # --- the account -----------------------------------------------------------------------------

    def _jobs(self, state: str) -> list[Job]:
        from hueycore.model.jobs import Selector
        from hueycore.model.states import State

        return self.storage.jobs(Selector(queues=(QUEUE,), states=(State(state),)))

    def _counts(self) -> dict[str, int]:
        counts = dict.fromkeys(STATES, 0)
        for row in self.storage.depths():
            counts[str(row.state)] = row.count
        return counts

    def _settle(self, seconds: float) -> Account:
        from hueycore.model.jobs import Selector

        jobs = {job.id: job for job in self.storage.jobs(Selector(queues=(QUEUE,)))}
        done = dead = wrong = 0
        for id_, name, number in self.queued:
            job = jobs.get(id_)
            if job is None or job.state not in ("done", "dead"):
                continue
            if job.state == "dead":
                dead += 1
                wrong += name != "broken"
            else:
                done += 1
                wrong += not self._is_right(id_, number)
        ours = {id_ for id_, _, _ in self.queued}
        return Account(
            queued=len(self.queued),
            done=done,
            dead=dead,
            lost=len(self.queued) - done - dead,
            wrong=wrong,
            interrupted=len(self.interrupted),
            retried=sum(job.attempt > 1 for id_, job in jobs.items() if id_ in ours),
            ticks=len(jobs.keys() - ours),
            seconds=seconds,
        )

    def _is_right(self, id_: str, number: int) -> bool:
        from hueyctl.answers.payloads import decode_value

        row = self.storage.result(id_, preserve=True)
        return row is not None and decode_value(row.result) == (True, number * number)


def _kind(number: int, slow: float, seconds: float) -> tuple[str, tuple[Any, ...], float | None]:
    """Which task the n-th job is of, its arguments, its delay."""
    place = number % 50
    if place in (7, 23, 41):
        return "slow", (number, round(slow, 3)), None
    if place in (11, 31):
        return "flaky", (number,), None
    if place == 17:
        return "broken", (number,), None
    if place in (3, 29):
        return "later", (number,), 0.5 + (number % 7) * seconds / 12
    return "quick", (number,), None


class _Meter:
    """Rates over the last two seconds."""

    def __init__(self) -> None:
        self.past: list[tuple[float, int, int]] = []

    def frame(self, at: float, queued: int, counts: dict[str, int], event: str | None) -> Frame:
        ended = counts["done"] + counts["dead"]
        self.past = [row for row in self.past if row[0] > at - 2] + [(at, queued, ended)]
        first = self.past[0]
        span = max(0.1, at - first[0])
        return Frame(at, counts, (queued - first[1]) / span, (ended - first[2]) / span, event)
