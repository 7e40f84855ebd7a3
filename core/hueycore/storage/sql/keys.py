"""Keys: jobs that share one are held back together. The running and the pending rows of a key are
its semaphore, so that no slot can leak; who finds none waits as ``blocked``.

:func:`settle` is the way out of ``blocked``. It is called for the key of every row that leaves
running or pending, in the transaction in which it leaves.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from hueycore.model.jobs import Claim
from hueycore.model.limits import Limit, Rate
from hueycore.storage.sql.dialect import Connection, Rows
from hueycore.storage.sql.keyview import MOVES, KeyView


def settle(con: Connection, queue: str, keys: Iterable[str | None]) -> list[int]:
    """Promote the blocked jobs that the keys have room for; the numbers of those pending now. In a
    transaction that is not alone in the queue it is put off."""
    names = sorted({key for key in keys if key is not None})
    if not con.alone:
        con.dialect.put_off(con, queue, names)
        return []
    return settle_in(KeyView(con, queue, names), names) if names else []


def settle_keys_of(con: Connection, seqs: Iterable[int]) -> list[int]:
    """``settle`` the keys that some jobs carry, in whatever queue they are."""
    d = con.dialect
    rows = con.execute(
        f"""
        select distinct queue, key_name from huey_job
        where {d.among("seq")} and key_name is not null
        """,
        (d.listed(seqs),),
    ).fetchall()
    return settle_all(con, rows)


def settle_all(con: Connection, keys: Iterable[tuple[str, str]]) -> list[int]:
    """``settle`` keys of several queues: (queue, key)."""
    of_queue: dict[str, list[str]] = {}
    for queue, key in keys:
        of_queue.setdefault(queue, []).append(key)
    return [seq for queue, names in of_queue.items() for seq in settle(con, queue, names)]


def settle_task(con: Connection, queue: str, task: str) -> list[int]:
    """``settle`` the keys of a task's waiting jobs."""
    rows = con.execute(
        """
        select distinct key_name from huey_job
        where queue = ? and key_name is not null and finished_at is null
            and state in ('pending', 'blocked') and task = ?
        """,
        (queue, task),
    ).fetchall()
    return settle(con, queue, [row[0] for row in rows])


def settle_in(view: KeyView, keys: Iterable[str]) -> list[int]:
    """Promote the blocked jobs that keys of a view have room for, in running order. A paused task
    takes no part: its pending rows hold no slot, its blocked ones stay."""
    chosen: list[int] = []
    parked: list[int] = []
    dues: dict[str, float | None] = {}
    free = []
    for key in keys:
        held, dues[key] = view.outside_lock(key)
        if not held:
            free.append(key)
    if free:
        view.count_ahead()
    for key, head in zip(free, view.blocked(free), strict=True):
        room = _Room(view, key)
        dues[key] = _choose(view, room, head)
        head.close()
        chosen += room.chosen
        parked += room.parked
    _move(view.con, parked, "pending", "blocked")
    _move(view.con, chosen, "blocked", "pending")
    view.wake_at(dues)
    return chosen


def _choose(view: KeyView, room: _Room, head: Iterable[tuple[int, str, float]]) -> float | None:
    """Take what there is room for. Also when time alone will make more room, if it will."""
    due = view.next_resume
    for seq, task, priority in head:
        if len(room.chosen) == MOVES:
            return view.now
        limit = view.limits.get(task)
        if not room.take(limit) and not room.swap(limit, priority):
            return _sooner(due, room.slot(limit))
        room.chosen.append(seq)
    return due


class _Room:
    """How much room a key has, while it is being filled."""

    def __init__(self, view: KeyView, key: str) -> None:
        self._view, self._key = view, key
        self._taken = 0
        self.chosen: list[int] = []
        self.parked: list[int] = []

    @cached_property
    def _used(self) -> tuple[int, int]:
        return self._view.used(self._key)

    @cached_property
    def _pending(self) -> list[tuple[float, int, str]]:
        return self._view.pending(self._key)

    def take(self, limit: Limit | None) -> bool:
        """Room for one more job under its task's limit; None when nothing limits it any more."""
        if limit is not None and not self._has_room(limit, self._taken):
            return False
        self._taken += 1
        return True

    def swap(self, limit: Limit | None, priority: float) -> bool:
        """Make room by parking a pending job of a lower priority, if there is one: nobody waits for
        a job that should come after him. Only one that is held back in the same way, for which
        there is no room either then."""
        if limit is None or not self._used[1] or not self._has_room(limit, self._taken - 1):
            return False
        for place, (other, seq, task) in enumerate(self._pending):
            theirs = self._view.limits.get(task)
            if other < priority and theirs is not None and theirs[2:] == limit[2:]:
                del self._pending[place]
                self.parked.append(seq)
                return True
        return False

    def _has_room(self, limit: Limit, more: int) -> bool:
        running, pending = self._used
        pending += more
        if limit.at_once is not None and running + pending >= limit.at_once:
            return False
        return limit.rate is None or self._nth_slot(limit.rate, pending) <= self._view.now

    def slot(self, limit: Limit | None) -> float | None:
        """When time gives the next job its turn; None when it waits for another job first."""
        if limit is None or limit.rate is None or self._used[1] + self._taken:
            return None
        slot = self._nth_slot(limit.rate, 0)
        return slot if slot > self._view.now else None

    def _nth_slot(self, rate: Rate, taken: int) -> float:
        """When a start is allowed after so many others that have been promised theirs."""
        tat = self._view.tat(self._key)
        for _ in range(min(taken, rate.burst)):
            tat = rate.after(tat, self._view.now)
        return rate.slot(tat)


class Admission:
    """The keys' say when a group of claims is chosen: who may run, and who is parked again.
    ``size``: how many claims there may be."""

    def __init__(self, con: Connection, queue: str, size: int) -> None:
        self._con, self._queue, self._size = con, queue, size
        #: {key: how many run}, None under an outside lock
        self._running: dict[str, int | None] = {}
        self._parked: list[int] = []
        self._touched: set[str] = set()

    def look_ahead(self) -> None:
        if self._con.dialect.is_far:
            self._coming  # noqa: B018 (asked for)

    @cached_property
    def _view(self) -> KeyView:
        """Of all keys that may be asked for, as far as can be foreseen."""
        return KeyView(self._con, self._queue, [row[0] for row in self._coming.fetchall()])

    @cached_property
    def _coming(self) -> Rows:
        return self._con.ask(
            """
            select distinct key_name from (
                select key_name from huey_job where queue = ? and state = 'pending'
                order by priority desc, run_at, seq limit ?) as coming
            where key_name is not null
            """,
            (self._queue, self._size),
        )

    def admit(self, claim: Claim) -> bool:
        """Take a slot of the claim's key; False parks the job."""
        key, view = str(claim.key_name), self._view
        if key not in self._running:
            view.look([key])
            self._running[key] = None if view.outside_lock(key)[0] else view.used(key)[0]
        running = self._running[key]
        if running is None or not self._lets(key, running, view.limits.get(claim.task)):
            self._parked.append(claim.seq)
            self._touched.add(key)
            return False
        self._running[key] = running + 1
        return True

    def _lets(self, key: str, running: int, limit: Limit | None) -> bool:
        if limit is None:
            return True
        if limit.at_once is not None and running >= limit.at_once:
            return False
        return limit.rate is None or self._spend(key, limit.rate)

    def _spend(self, key: str, rate: Rate) -> bool:
        tat = self._view.tat(key)
        if rate.slot(tat) > self._view.now:
            return False
        self._view.set_tat(key, rate.after(tat, self._view.now))
        self._touched.add(key)
        return True

    @property
    def is_full(self) -> bool:
        """Whether as many jobs were parked as one transaction moves."""
        return len(self._parked) >= MOVES

    def settle(self) -> bool:
        """Write it down, once the claims are written. True when jobs were promoted."""
        _move(self._con, self._parked, "pending", "blocked")
        if not self._touched:
            return False
        self._view.count_again()
        return bool(settle_in(self._view, sorted(self._touched)))


def _sooner(one: float | None, other: float | None) -> float | None:
    return min((at for at in (one, other) if at is not None), default=None)


def _move(con: Connection, seqs: list[int], before: str, after: str) -> None:
    d = con.dialect
    if seqs:
        con.ask(
            f"""
            update huey_job set state = ?
            where {d.among("seq")} and state = ?
            """,
            (after, d.listed(seqs), before),
        )


def free_locks(con: Connection, queue: str, owner: int) -> list[str]:
    """A process is gone, and its locks with it: their names, for their keys to be settled."""
    rows = con.execute(
        "delete from huey_value where queue = ? and kind = 'lock' and owner = ? returning name",
        (queue, owner),
    ).fetchall()
    return [row[0] for row in rows]
