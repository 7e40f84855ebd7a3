"""Who lives. Beats are counted, time is not: a clock that jumps, a janitor that slept and a server
that was away kill nobody.

Each worker raises its counter once a second, on a connection of its own. Each janitor counts its
own looks that find no new beat. A worker is dead after ``PATIENCE`` of them, or after ``GONE`` if
the server has no such connection any more, either; at once if its process is seen to be gone.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from hueycore.exceptions import ConfigurationError, StorageError
from hueycore.storage.redis import forks
from hueycore.storage.redis.client import Client
from hueycore.storage.redis.link import Link
from hueycore.system import clock, native
from hueycore.system.machine import boot_id, process_space, runs

logger = logging.getLogger("hueycore.storage")

#: Seconds from one beat, and from one look, to the next.
BEAT = 1.0
#: Looks without a new beat until a worker is dead: while its connection stands, and without it.
#: A worker that lives is back within a second.
PATIENCE, GONE = 15, 3
#: A look counts when so many seconds have passed since the one before.
APART = 0.9

#: Calls a script on a connection: as ``Client.run``.
Run = Callable[..., Any]


class Seen(NamedTuple):
    """What one janitor has seen of a worker: its last beat, and how often no other one."""

    beat: int
    looks: int
    at: float


class Looks:
    """How often one janitor has looked, and found no news of somebody."""

    def __init__(self) -> None:
        self._seen: dict[int, Seen] = {}
        self._lock = native.Lock()

    def clear(self) -> None:
        """Count anew."""
        with self._lock:
            self._seen.clear()

    def without_news(self, counts: Mapping[int, int]) -> dict[int, int]:
        """One look at everybody's count, which he raises while he lives; how many there have been
        since it was raised last. At most one look in ``APART`` seconds counts."""
        now = clock.monotonic()
        with self._lock:
            for gone in self._seen.keys() - counts.keys():
                del self._seen[gone]
            for who, count in counts.items():
                seen = self._seen.get(who)
                if seen is None or seen.beat != count:
                    self._seen[who] = Seen(count, 0, now)
                elif now - seen.at >= APART:
                    self._seen[who] = Seen(count, seen.looks + 1, now)
            return {who: seen.looks for who, seen in self._seen.items()}


class Slots:
    """What a worker has started; the next beat says it to the server."""

    def __init__(self, count: int) -> None:
        self._runs: list[tuple[int, int] | None] = [None] * count

    def start(self, slot: int, seq: int, claim: int) -> None:
        while slot >= len(self._runs):
            self._runs.append(None)
        self._runs[slot] = (seq, claim)

    def clear(self, slot: int) -> None:
        if slot < len(self._runs):  # a spare worker rests before its first run
            self._runs[slot] = None

    def text(self) -> str:
        """[[slot, seq, claim], …] of what runs."""
        runs = [(slot, *run) for slot, run in enumerate(self._runs[:]) if run is not None]
        return json.dumps(runs, separators=(",", ":"))


class Watch:
    """The workers of this process, and what it has seen of others.

    ``beat``: (a ``run``, the worker, what it has started, its connection) → the new count; 0 when
    the worker was taken for dead. The two texts are JSON. ``key``: one of the queue's."""

    def __init__(self, client: Client, beat: Callable[[Run, int, str, str], int], key: str) -> None:
        self._client, self._beat, self._key = client, beat, key
        self._reset()
        forks.heirs.add(self)

    def _reset(self) -> None:
        self._lock = native.Lock()
        self._link = Link(self._client, self._key)
        self._workers: dict[int, Slots] = {}
        self._lost: set[int] = set()
        self._looks = Looks()
        #: The rows of the workers at the last look that read them.
        self._known: dict[int, Mapping[str, Any]] = {}
        self._thread: native.AnyThread | None = None
        self._wake = native.Event()
        self._closed = False

    # --- the workers of this process --------------------------------------------------------------

    def identity(self) -> dict[str, Any]:
        """By what others see whether the connection of the beats is there: part of a worker's row.
        Raises ``StorageError``."""
        with self._lock:
            try:
                self._link.open()
            except StorageError:
                self._client.info("server", self._key)  # a server that restarts is waited for
                self._link.open()
            return {"client": self._link.id, "server": self._link.run_id}

    def add(self, worker: int, slots: int) -> None:
        """It is registered: it beats from now on."""
        with self._lock:
            self._workers[worker] = Slots(slots)
            self._lost.discard(worker)
            if self._thread is None:
                self._closed = False
                self._thread = native.Thread(self._go_on, "huey-beat")
                self._thread.start()

    def drop(self, worker: int) -> None:
        """It is no worker any more."""
        with self._lock:
            self._workers.pop(worker, None)
            self._lost.discard(worker)

    def slots(self, worker: int) -> Slots:
        return self._workers[worker]

    def started(self, worker: int) -> str:
        """What it has started, as its beats say it."""
        return self._workers[worker].text()

    def lost(self, worker: int) -> bool:
        """Whether it was taken for dead while this process lived."""
        return worker in self._lost

    def is_mine(self, worker: int) -> bool:
        return worker in self._workers

    def beat(self) -> None:
        """One round: each worker of this process says that it lives. Raises ``StorageError``."""
        for worker, slots in list(self._workers.items()):
            with self._lock:
                if worker not in self._workers or worker in self._lost:
                    continue
                self._link.open()
                link = json.dumps({"client": self._link.id, "server": self._link.run_id})
                if not self._beat(self._link.run, worker, slots.text(), link):
                    self._lost.add(worker)

    # --- the workers of others --------------------------------------------------------------------

    def misses(self, beats: Mapping[int, int]) -> bool:
        """One look at the counts of a queue alone: whether ``dead`` has to look as well. A beat
        may be late once."""
        looks, known = self._looks.without_news(beats), self._known
        return any(looks[n] > 1 or n not in known or is_gone(known[n]) for n in beats)

    def count_anew(self) -> None:
        """While the server was away nobody could beat."""
        self._looks.clear()

    def dead(self, workers: Mapping[int, Mapping[str, Any]], beats: Mapping[int, int]) -> list[int]:
        """One look at the workers of a queue, their rows and their counts: those that are dead.
        At most one look in ``APART`` seconds counts. Raises ``StorageError``, and then counts
        anew."""
        try:
            there = self._connections(workers)
        except (StorageError, ConfigurationError):
            self.count_anew()
            raise
        self._known = dict(workers)
        looks = self._looks.without_news({worker: beats.get(worker, 0) for worker in workers})
        return [
            worker
            for worker, about in workers.items()
            if looks[worker] >= (PATIENCE if worker in there else GONE) or is_gone(about)
        ]

    def living(self, workers: Mapping[int, Mapping[str, Any]]) -> set[int]:
        """Those whose connection stands, as far as it can be known; of any queue. Raises
        ``StorageError``."""
        return self._connections(workers)

    def _connections(self, workers: Mapping[int, Mapping[str, Any]]) -> set[int]:
        """Those whose connection stands, or of which the server cannot know: it has begun anew, or
        another one has taken over."""
        asked = {worker: int(about.get("client", 0)) for worker, about in workers.items()}
        run_id, stand = self._client.connections(filter(None, asked.values()), self._key)
        return {
            worker
            for worker, about in workers.items()
            if about.get("server") != run_id or asked[worker] in (0, *stand)
        }

    # --- the end ----------------------------------------------------------------------------------

    def close(self) -> None:
        """No worker of this process beats any more."""
        self._closed = True
        self._wake.set()
        thread, self._thread = self._thread, None
        if thread is not None and thread.ident != native.get_ident():
            thread.join(2 * BEAT)
        with self._lock:
            self._link.drop()

    def after_fork_in_child(self) -> None:
        self._reset()

    # --- inside -----------------------------------------------------------------------------------

    def _go_on(self) -> None:
        """The thread of the beats."""
        failed = False
        while not self._closed:
            try:
                self.beat()
                failed = False
            except (StorageError, ConfigurationError) as error:
                if not failed:
                    logger.warning("no sign of life reaches the server: %s", error)
                failed = True
            self._wake.wait(BEAT)


def is_here(about: Mapping[str, Any]) -> bool:
    """Whether a process has its number here as well."""
    here = (boot_id(), process_space())
    return all(here) and here == (about.get("boot_id"), about.get("space"))


def is_gone(about: Mapping[str, Any]) -> bool:
    """Whether a process was here and has ended: that needs no beats to be counted."""
    return is_here(about) and not runs(about["pid"])
