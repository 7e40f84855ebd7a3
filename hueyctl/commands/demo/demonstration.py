"""What ``hueyctl demo`` does: a load, a consumer that is killed and replaced, the account."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from hueycore.model.states import LIVE, State
from hueyctl import errors, exits, units
from hueyctl.commands.demo import workload
from hueyctl.commands.demo.account import Account, settle
from hueyctl.commands.demo.consumer import Consumer

if TYPE_CHECKING:
    from hueycore.model.jobs import NewJob
    from hueycore.storage.base import Storage

QUEUE = "demo"
STATES = tuple(map(str, (*LIVE, State.DONE, State.DEAD)))
#: Seconds that the queue may take to drain after the time of the demo.
_GRACE = 20.0


class Frame(NamedTuple):
    """One look at the queue while the demo runs."""

    at: float
    counts: dict[str, int]
    in_s: float
    out_s: float
    event: str | None = None


class Demonstration:
    """One run of the demo on one file."""

    def __init__(self, path: str, folder: str, count: int, seconds: float) -> None:
        self.path, self.count, self.seconds = path, count, seconds
        self.consumer = Consumer(path, folder, seconds + 2 * _GRACE)
        self.storage: Storage
        self.queued: list[NewJob] = []
        self.interrupted = 0
        self.events: list[str] = []
        self._jobs = workload.jobs(count, seconds)

    def run(self, on_frame: Callable[[Frame], None]) -> Account:
        """Run it to its end; ``on_frame`` is called several times a second."""
        from hueycore.storage.open import open_storage

        self.storage = open_storage(self.path, QUEUE)
        try:
            return self._run(on_frame)
        finally:
            self.consumer.stop()
            self.storage.close()

    def _run(self, on_frame: Callable[[Frame], None]) -> Account:
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
            elif killed_at is not None and not self.consumer.runs and now >= killed_at + 0.5:
                self._start("consumer 2 started: it takes over what number 1 was running")
            event = self.events.pop(0) if self.events else None
            on_frame(meter.frame(now, len(self.queued), counts, event))
            if killed_at is not None and len(self.queued) >= self.count and _drained(counts):
                if not self.events:
                    return settle(
                        self.storage, self.queued, interrupted=self.interrupted, seconds=now
                    )
            elif now > self.seconds + _GRACE:
                raise errors.CliError(
                    f"the demo did not drain in {now:.0f} s: {counts}", exits.FAILURE
                )
            self.consumer.check()
            time.sleep(0.1)

    def _feed(self, number: int) -> None:
        batch = list(islice(self._jobs, max(0, number)))
        if batch:
            self.queued += batch
            self.storage.enqueue(batch)

    def _start(self, event: str) -> None:
        self.events.append(f"{event} (pid {self.consumer.start()})")

    def _can_kill(self, counts: dict[str, int], now: float) -> bool:
        """A crash matters when jobs are running."""
        return self.consumer.runs and (counts["running"] > 0 or now > 0.8 * self.seconds)

    def _kill(self) -> None:
        pid = self.consumer.kill()
        number = self.interrupted = self._counts()["running"]
        jobs = units.counted(number, "job")
        self.events.append(f"kill -9 {pid}: consumer 1 died with {jobs} in its hands")

    def _counts(self) -> dict[str, int]:
        counts = dict.fromkeys(STATES, 0)
        for row in self.storage.depths():
            counts[str(row.state)] = row.count
        return counts


def _drained(counts: dict[str, int]) -> bool:
    return not any(counts[state] for state in LIVE)


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
