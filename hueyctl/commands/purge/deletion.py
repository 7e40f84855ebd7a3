"""Deletion by target: jobs of a state, and the small things beside them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from hueycore.model.jobs import Selector
from hueycore.model.states import FINAL, State
from hueyctl import units
from hueyctl.changes.backup import GROUP, backup_file, remove, write
from hueyctl.commands.purge.targets import KINDS, TARGETS, WAITING
from hueyctl.selection.cargo import cargoes
from hueyctl.selection.selection import Selection

if TYPE_CHECKING:
    from hueycore.model.jobs import Job
    from hueycore.storage.base import Storage
    from hueyctl.context import Session

#: Not a target of its own, but part of all.
_MORE = ("values",)
_LIVE = (*WAITING, "blocked", "running")


class Deletion:
    """What is to be deleted from one queue, and deleting it."""

    def __init__(
        self, session: Session, queue: str, targets: Sequence[str], older_than: float | None
    ) -> None:
        self.session, self.queue = session, queue
        self.whole = "all" in targets and older_than is None
        names = TARGETS[:-1] if "all" in targets else tuple(dict.fromkeys(targets))
        self.before = None if older_than is None else time.time() - older_than
        if "all" in targets:
            names = (*names, *_MORE)
        if self.whole:
            names = (*_LIVE, *(name for name in names if name not in _LIVE))
        self.targets = names

    def count(self) -> dict[str, int]:
        """How many there are of each target."""
        storage = self.session.looking(self.queue)
        return {name: self._count(storage, name) for name in self.targets}

    def _count(self, storage: Storage, name: str) -> int:
        if name in KINDS or name in _MORE:
            return storage.holding(name, self.before)
        return storage.count(self.selector(name))

    def selector(self, state: str) -> Selector:
        return Selector(queues=(self.queue,), states=(State(state),), older_than=self.before)

    def back_up(self, path: str) -> dict[str, list[Job]]:
        """Write the jobs to a new file, and answer them by state: only these may go then."""
        storage = self.session.looking(self.queue)
        chosen = [name for name in self.targets if name in tuple(State)]
        written: dict[str, list[Job]] = {}
        with backup_file(path, storage.url) as dump:
            for state in chosen:
                selection = Selection(self.selector(state))
                written[state] = list(write(cargoes(storage, selection), dump))
        number = sum(map(len, written.values()))
        self.session.notice(f"{units.counted(number, 'job')} written to {path}")
        return written

    def carry_out(self, written: dict[str, list[Job]] | None) -> Deleted:
        """Delete; with ``written`` only those jobs."""
        counts = self.count()
        storage = self.session.writing(self.queue)
        if self.whole:
            storage.flush()
            return Deleted(counts, 0)
        gone = {}
        for name in self.targets:
            if name in KINDS or name in _MORE:
                clear = partial(storage.clear, name, self.before, GROUP)
                gone[name] = _in_groups(clear, counts[name])
            elif written is not None:
                gone[name] = self._purge_written(storage, name, written[name])
            else:
                gone[name] = self._purge_state(storage, name, counts[name])
        kept = sum(max(0, counts[name] - gone[name]) for name in gone if name not in KINDS)
        return Deleted(gone, kept)

    def _purge_state(self, storage: Storage, state: str, number: int) -> int:
        if state in FINAL:
            return _in_groups(partial(storage.purge, self.selector(state), GROUP), number)
        selector = self.selector(state)._replace(limit=GROUP)
        return _in_groups(partial(_revoke_and_purge, storage, selector), number)

    def _purge_written(self, storage: Storage, state: str, jobs: Sequence[Job]) -> int:
        if state in FINAL:
            return len(remove(storage, jobs))
        gone = 0
        for start in range(0, len(jobs), GROUP):
            keys = tuple(job.id for job in jobs[start : start + GROUP])
            gone += _revoke_and_purge(storage, self.selector(state)._replace(keys=keys))
        return gone


class Deleted(NamedTuple):
    """How many were deleted, and how many jobs stay because a waiting job needs their result."""

    counts: dict[str, int]
    kept: int


def _revoke_and_purge(storage: Storage, selector: Selector) -> int:
    revoked = storage.revoke(selector, "purged").changed
    if not revoked:
        return 0
    keys = tuple(job.id for job in revoked)
    return storage.purge(
        Selector(queues=selector.queues, states=(State.REVOKED,), keys=keys), len(keys)
    )


def _in_groups(delete: Callable[[], int], number: int) -> int:
    """In groups, so that workers are not kept waiting; what comes in meanwhile is not chased."""
    total = 0
    while total < number and (gone := delete()):
        total += gone
    return total
