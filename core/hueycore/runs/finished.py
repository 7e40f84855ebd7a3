"""A run under way, and one that is over."""

from __future__ import annotations

from typing import Any, NamedTuple

from hueycore.model.jobs import Claim, Ended
from hueycore.runs.guest import Completion
from hueycore.runs.invocation import Invocation
from hueycore.runs.notebook import Page
from hueycore.tasks.task import Task


class Notice(NamedTuple):
    """A signal to send once the ending is committed."""

    signal: str
    task: Task
    error: BaseException | None = None


class Finished(NamedTuple):
    """A run that is over: what to write, and the signals to send after the commit."""

    ended: Ended
    notices: tuple[Notice, ...] = ()
    value: Any = None


class Begun(NamedTuple):
    """A run whose task is to be called now."""

    invocation: Invocation
    claim: Claim
    page: Page | None
    started: float
    completion: Completion

    @property
    def task(self) -> Task:
        return self.invocation.task

    def awaiting(self, value: Any) -> Begun:
        """The same run, which goes on with what its call gave."""
        return self._replace(invocation=self.invocation._replace(awaitable=value))
