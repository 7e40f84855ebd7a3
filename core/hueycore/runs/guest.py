"""A run that ends itself, in a transaction of the application's (``Task.complete_in``)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hueycore.model.endings import Completed, Done
from hueycore.model.jobs import Claim, Ended
from hueycore.system import clock


class Completion:
    """What ``task.complete_in`` calls during one run."""

    __slots__ = ("_claim", "_clock0", "_done", "_started", "_write", "called")

    def __init__(
        self,
        claim: Claim,
        started: float,
        clock0: float,
        done: Callable[[Any], Done],
        write: Callable[[Any, Ended], None],
    ) -> None:
        self._claim, self._started, self._clock0 = claim, started, clock0
        self._done, self._write = done, write
        self.called = False

    def __call__(self, connection: Any, value: Any) -> None:
        run_s = clock.monotonic() - self._clock0
        ended = Ended(self._claim, self._done(value), self._started, run_s)
        self._write(connection, ended)
        self.called = True

    def over(self, ended: Ended) -> Ended:
        """The ending of the run, which counts only if what was written here was rolled back."""
        if not self.called:
            return ended
        assert not isinstance(ended.ending, Completed)
        return ended._replace(ending=Completed(ended.ending))
