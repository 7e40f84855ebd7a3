"""The scheduler and the janitor of a supervisor, in a process of their own."""

from __future__ import annotations

import logging
import math
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

from hueycore.constants import WORKER_PROCESS
from hueycore.consumer.drained import is_drained
from hueycore.consumer.feed import NEWS_INTERVAL
from hueycore.consumer.janitor import Janitor
from hueycore.consumer.processes.channel import Channel
from hueycore.consumer.processes.child import FAILED, LEFT, Orders, pass_on
from hueycore.consumer.processes.heartbeat import Heartbeat
from hueycore.consumer.scheduler import Scheduler
from hueycore.consumer.service import Service
from hueycore.consumer.unixsignals import Signals
from hueycore.exceptions import StorageError
from hueycore.system import clock

if TYPE_CHECKING:
    from hueycore.api import Huey

logger = logging.getLogger("hueycore.consumer")

#: Seconds after the death of a process in which the storage knows of it at the latest: a server
#: may hear of it after its parent.
NOTICED = 0.5


class Maintenance:
    """``run`` is its whole life. With ``burst`` it sends ``drained`` when nothing is left.

    Orders are ``recover`` (a worker process has died), ``overdue`` (note that the process of a run
    will be killed; it is answered), ``quiet`` (fire no more) and ``stop``."""

    def __init__(
        self,
        huey: Huey,
        name: str,
        scheduler: Scheduler,
        janitor: Janitor,
        heartbeat: Heartbeat,
        *,
        burst: bool,
    ) -> None:
        self._huey = huey
        self._name = name
        self._scheduler = scheduler
        self._janitor = janitor
        self._heartbeat = heartbeat
        self._burst = burst
        self._leaving = threading.Event()
        self._broken = False
        self._look_until = -math.inf

    def run(self, channel: Channel, signals: Signals) -> int:
        storage = self._huey.storage
        self._channel = channel
        self._janitor.recover()
        storage.leave_checkpoints_to_janitor()
        worker = storage.register(
            name=self._name, kind=WORKER_PROCESS, slots=0, declares=self._scheduler.declarations()
        )
        self._scheduler.begin(worker)
        self._orders = Orders(channel, signals, self._on_order)
        self._heartbeat.on_trouble = partial(channel.send, "trouble")
        follow = self._heartbeat.follow
        schedule, keep = self._scheduler.step, self._keep
        self._schedule_service = Service(
            "huey-scheduler", follow("scheduler", schedule), self._on_storage_error
        )
        self._janitor_service = Service(
            "huey-janitor", follow("janitor", keep), self._on_storage_error
        )
        listen = follow("steward", self._listen)
        for part in (self._schedule_service, self._janitor_service, self._orders):
            part.start()
        channel.send("ready")
        while not self._leaving.is_set():
            try:
                listen()
            except StorageError as error:
                self._on_storage_error(error)
                self._leaving.wait(1.0)
        for service in (self._schedule_service, self._janitor_service):
            service.stop()
        return self._leave(worker)

    def _keep(self) -> float:
        if clock.monotonic() > self._look_until:
            return self._janitor.step()
        self._huey.storage.nudge()  # what was seen before does not count
        return min(self._janitor.step(), NOTICED / 10)

    def _listen(self) -> float:
        """Wait for the commits of others: one may be something to schedule, or the last ending."""
        if self._huey.storage.wait(0.5):
            self._schedule_service.poke()
            self._leaving.wait(NEWS_INTERVAL)  # busy workers commit all the time
        if self._burst and is_drained(self._huey):
            self._channel.send("drained")
        return 0.0

    def _leave(self, worker: int) -> int:
        if self._broken:
            return FAILED
        try:
            self._janitor.recover()  # workers that had to be killed
            self._huey.storage.unregister(worker)
            self._huey.close()
        except StorageError as error:
            if not pass_on(error, self._channel):
                logger.error("%s", error)
            return FAILED
        return LEFT

    def _on_order(self, order: str, rest: list[Any]) -> None:
        match order:
            case "recover":
                self._look_until = clock.monotonic() + NOTICED
                self._janitor_service.poke()
            case "overdue":
                seq, claim = rest
                self._channel.send("overdue", seq, claim, self._note_overdue(seq, claim))
            case "quiet":
                self._schedule_service.stop()
            case "stop" | "lost":
                self._leaving.set()
                self._huey.storage.nudge()

    def _note_overdue(self, seq: int, claim: int) -> bool | None:
        try:
            return self._huey.storage.note_overdue(seq, claim)
        except StorageError as error:
            logger.error("job %s is overdue, which cannot be noted: %s", seq, error)
            return None

    def _on_storage_error(self, error: StorageError) -> None:
        if pass_on(error, self._channel):
            self._broken = True
            self._orders.post("stop")
        else:
            logger.error("%s", error)
