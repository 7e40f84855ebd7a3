"""For people who step in."""

from __future__ import annotations

from typing import Protocol

from hueycore.model.flags import Revocation
from hueycore.model.jobs import Changed, Selector


class Operators(Protocol):
    """All of these are durable when they return."""

    def revoke(
        self, selector: Selector, reason: str | None = None, *, interrupt: bool = False
    ) -> Changed:
        """Waiting jobs end revoked, running ones are asked to stop: by their worker's force if
        ``interrupt``, where its kind can."""
        ...

    def call_off(self, selector: Selector) -> Changed:
        """Running jobs that were asked to stop are asked no more."""
        ...

    def requeue(
        self,
        selector: Selector,
        *,
        run_at: float | None = None,
        retries: int | None = None,
        reset: bool = False,
        apart: float = 0.0,
        reason: str | None = None,
    ) -> Changed:
        """Final jobs (revoked, expired, dead, done) wait again; their history is kept, and
        ``reason`` stays on their rows until they end. Stages that were revoked because of their
        end wait for them again; what had delivered before delivers nothing more.

        They run at ``run_at``, else at the time they were due when that is yet to come, else now;
        each ``apart`` seconds after the one before. ``reset`` gives back the attempts and the
        retries that they have used up. One whose unique key another job has by now fails, as a
        ``duplicate``."""
        ...

    def reschedule(
        self,
        selector: Selector,
        *,
        run_at: float | None = None,
        priority: float | None = None,
        expires_at: float | None = None,
        expires_in: float | None = None,
        reason: str | None = None,
    ) -> Changed:
        """Waiting jobs get another time, priority or expiry (a moment, or seconds from when they
        can begin); ids are kept, and ``reason`` stays on their rows until they end."""
        ...

    def set_revocation(
        self,
        kind: str,
        name: str,
        *,
        until: float | None = None,
        once: bool = False,
        reason: str | None = None,
        by: str | None = None,
    ) -> None:
        """Revoke a task, or an id that no job has yet, from now on (``until`` POSIX seconds,
        or for the next run only)."""
        ...

    def clear_revocation(self, kind: str, name: str) -> bool:
        """Take a standing revocation back; False when there was none in force."""
        ...

    def revocation(self, kind: str, name: str) -> Revocation | None:
        """The standing revocation of a task or an id, None when none is in force."""
        ...

    def pause(
        self,
        *,
        task: str | None = None,
        scheduler: bool = False,
        until: float | None = None,
        by: str | None = None,
        reason: str | None = None,
    ) -> None:
        """Nothing of this queue, or of one task, is claimed from now on (until POSIX seconds);
        what runs goes on. ``scheduler``: jobs are, but periodic tasks do not fire.

        Jobs of a paused task that wait to run hold no slot of their key meanwhile: another task
        that shares it goes on."""
        ...

    def resume(self, *, task: str | None = None, scheduler: bool = False) -> bool:
        """Undo ``pause``; False when nothing was paused. Periodic runs that were missed are made
        up for as their ``catch_up`` says."""
        ...

    def purge(self, selector: Selector, limit: int = 1000) -> int:
        """Delete up to ``limit`` final jobs that no waiting job needs; counted in the queue row."""
        ...

    def holding(self, kind: str, older_than: float | None = None) -> int:
        """How many things of a kind this queue holds besides its jobs: ``results`` that no waiting
        job needs, ``values``, ``counters``, ``locks``, ``events``."""
        ...

    def clear(self, kind: str, older_than: float | None = None, limit: int = 1000) -> int:
        """Delete up to ``limit`` of what ``holding`` counts. A result that is deleted counts as
        taken."""
        ...

    def flush(self) -> None:
        """Delete everything of this queue (Huey's ``flush``); running jobs end as lost claims."""
        ...
