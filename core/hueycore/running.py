"""Which job runs here: rates that its code asks for belong to it."""

from __future__ import annotations

import threading
from typing import NamedTuple, Protocol

from hueycore.storage.base import Claim

_local = threading.local()


class Runner(Protocol):
    """Whoever runs jobs in a thread or greenlet, one after the other."""

    @property
    def claim(self) -> Claim | None: ...


class OneRun(NamedTuple):
    """Runs one job by hand."""

    claim: Claim


def runs_here(runner: Runner | None) -> Runner | None:
    """Said once by a worker when it begins, so that a job costs nothing more; answers who ran jobs
    here before."""
    before: Runner | None = getattr(_local, "runner", None)
    _local.runner = runner
    return before


def current() -> Claim | None:
    """The claim whose task is being called in this thread, None outside of jobs."""
    runner: Runner | None = getattr(_local, "runner", None)
    return None if runner is None else runner.claim
