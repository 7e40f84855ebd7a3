"""Upkeep of the storage: recover the jobs of dead consumers, expire, purge, checkpoint."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING

from hueycore import signals as S
from hueycore.exceptions import HueyException
from hueycore.model.jobs import Recovered
from hueycore.model.states import State
from hueycore.system import clock

if TYPE_CHECKING:
    from hueycore.api import Huey

logger = logging.getLogger("hueycore.consumer")

INTERVAL = 1.0
#: Seconds between two purges by rule.
KEEP_INTERVAL = 60.0


class Janitor:
    def __init__(self, huey: Huey, *, checkpoint: bool = True) -> None:
        self._huey = huey
        self._checkpoint = checkpoint
        self._keep_at = clock.monotonic() + KEEP_INTERVAL
        #: The wall time of the last round; before the first nobody knows what it was.
        self._seen = math.inf

    def step(self) -> float:
        """One round; seconds until the next. Raises when the file was moved or upgraded."""
        storage = self._huey.storage
        storage.verify()
        glance = storage.glance()
        if glance.missing:
            self.recover()
        if glance.late:
            self._expire()
        self._look_at_the_clock()
        if clock.monotonic() >= self._keep_at:
            self._mend()
            more = self._keep()
            self._keep_at = clock.monotonic() + (0.0 if more else KEEP_INTERVAL)
        if self._checkpoint:
            storage.checkpoint()
        return 0.05 if clock.monotonic() >= self._keep_at else INTERVAL

    def recover(self) -> None:
        """Take back the jobs of dead consumers."""
        for found in self._huey.storage.recover():
            if found.timeout:
                self._send_timeout(found)
            elif found.state is State.DEAD:
                logger.error(
                    "job %s of %s is dead: worker %s died while it ran",
                    found.job.seq,
                    found.job.task,
                    found.worker,
                )
                died = HueyException(f"worker {found.worker} died while it ran this job")
                self._huey.send_signals(S.SIGNAL_FINAL_ERROR, [found.job], died)
            elif found.state is State.REVOKED:
                logger.warning(
                    "job %s of %s is revoked: it was asked to stop, and worker %s died",
                    found.job.seq,
                    found.job.task,
                    found.worker,
                )
                self._huey.send_signals(S.SIGNAL_REVOKED, [found.job])
            else:
                logger.warning(
                    "job %s of %s is taken back from dead worker %s%s",
                    found.job.seq,
                    found.job.task,
                    found.worker,
                    "" if found.started else " (it had not started)",
                )
                if found.started:
                    self._huey.send_signals(S.SIGNAL_INTERRUPTED, [found.job])

    def _send_timeout(self, found: Recovered) -> None:
        """Log and signal what the executor does when a run ends at its timeout by itself."""
        logger.error("job %s of %s: its process was killed", found.job.seq, found.job.task)
        self._huey.send_signals(S.SIGNAL_TIMEOUT, [found.job])
        if found.state is not State.DEAD:
            then = S.SIGNAL_SCHEDULED if found.state is State.SCHEDULED else S.SIGNAL_ENQUEUED
            self._huey.send_signals(S.SIGNAL_RETRYING, [found.job])
            self._huey.send_signals(then, [found.job])

    def _expire(self) -> None:
        expired = self._huey.storage.expire()
        self._huey.send_signals(S.SIGNAL_EXPIRED, [job for job, _ in expired])

    def _look_at_the_clock(self) -> None:
        now = clock.now()
        if now < self._seen:
            if self._seen < math.inf:
                logger.warning("the clock was set back, by %.1f s or more", self._seen - now)
            self._mend(set_back=True)
        self._seen = now

    def _mend(self, *, set_back: bool = False) -> None:
        for key in self._huey.storage.mend(set_back=set_back):
            logger.error("key %s blocked jobs without need: a bug; they run now", key)

    def _keep(self) -> bool:
        """Purge one batch by the rules; True if there may be more."""
        gone = self._huey.storage.keep(self._huey.keep)
        rows = sum(gone.values())
        if rows:
            rules = ", ".join(f"{rule} {number}" for rule, number in gone.items() if number)
            logger.info("purged %d rows: %s", rows, rules)
        return max(gone.values()) >= self._huey.keep.batch
