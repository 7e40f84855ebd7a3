"""Time limits by the hub: ``TaskTimeout`` is raised wherever the run waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import gevent

from hueycore.exceptions import TaskTimeout

if TYPE_CHECKING:
    from hueycore.consumer.workers.timeouts import Timeout, Timeouts


class HubTimeout:
    """The time limit of one run. A thread watches whether the run ends, because the run need not
    let the hub go on."""

    def __init__(self, timeout: float, grace: float) -> None:
        self.timeout, self.grace = timeout, grace
        self.timer = gevent.Timeout(timeout, TaskTimeout)
        self.watched: Timeout | None = None


class HubTimeouts:
    every_run = False

    def __init__(self, timeouts: Timeouts) -> None:
        self._timeouts = timeouts

    def prepare(self, timeout: float, grace: float) -> HubTimeout:
        return HubTimeout(timeout, grace)

    def arm(self, run: HubTimeout) -> None:
        run.watched = self._timeouts.watch(gevent.getcurrent(), run.timeout, run.grace)
        run.timer.start()

    def on_cancel(self, run: HubTimeout) -> None:
        run.timer.close()

    def disarm(self, run: HubTimeout) -> None:
        run.timer.close()
        if run.watched is not None:
            self._timeouts.unwatch(run.watched)
