"""Looks that are taken behind the requests, so that no number of viewers asks the storage more."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from threading import Condition, Thread
from typing import TYPE_CHECKING

from hueycore.exceptions import StorageBusy, StorageError
from hueyctl.answers.past import Past
from hueyctl.dashboard.seen import Seen, look_at

if TYPE_CHECKING:
    from hueycore.storage.base import Storage

#: What rates can be about, seconds.
WINDOWS = {"5m": 300.0, "1h": 3600.0, "6h": 21600.0, "24h": 86400.0, "7d": 604800.0}
#: Who has not asked for so long is not there any more.
_ASKING = 10.0
#: A look that nobody has changed anything since is taken anew when a window ends.
_STEP = 10.0
#: The next look not before so many seconds, and so many times what the last one took.
_LEAST, _SHARE = 1.0, 20.0
#: While something changes all the time, seconds: what is new each time is sent each time.
_CONSTANT = 8.0
#: Who asks first waits so long for the first look, and whoever asks after an act for one of it.
_PATIENCE, _AFTER_ACT = 10.0, 2.0


class Pace:
    """When a change is worth a look: the first one after a quiet time, and the last one before one,
    are seen at once."""

    def __init__(self) -> None:
        self._version: object = None
        self._still, self._looked = True, -math.inf

    def is_due(self, version: object, now: float, *, after_act: bool = False) -> bool:
        """``version`` is what the storage says by now, seconds. Asked about every second."""
        was_still, self._still = self._still, version == self._version
        self._version = version
        due = after_act or was_still or self._still or now - self._looked >= _CONSTANT
        if due:
            self._looked = now
        return due


class _View:
    """A window that somebody looks at."""

    def __init__(self) -> None:
        self.asked = -_ASKING
        #: What was changed by then is in it.
        self.as_of = -math.inf
        self.seen: Seen | None = None
        self.error: Exception | None = None
        #: What the storage and the clock said when it was looked at.
        self.state: object = None


class Watch:
    """One thread, while somebody asks. It never takes more than a twentieth of a core, but for who
    has just changed something."""

    def __init__(self, opened: Callable[[], Storage], queues: Sequence[str]) -> None:
        self._open, self._queues = opened, queues
        self._storage: Storage | None = None
        self._past, self._pace = Past(), Pace()
        self._views = {name: _View() for name in WINDOWS}
        self._news = Condition()
        self._thread: Thread | None = None
        self._closing = False
        #: When somebody changed something here.
        self._acted = -math.inf

    def latest(self, window: str) -> Seen:
        """The newest look; the first one is waited for, and the first one after an act. Raises
        ``StorageError``."""
        view = self._asked(window)
        with self._news:
            self._news.wait_for(lambda: view.seen or view.error, _PATIENCE)
            self._news.wait_for(lambda: self._has_acts(view), _AFTER_ACT)
            if view.error is not None:
                raise view.error
            if view.seen is None:
                raise StorageError("no answer from the storage yet: it is busy, or very large")
            return view.seen

    def peek(self, window: str) -> Seen | None:
        """The newest look, if there is one by now; the first one after an act is waited for."""
        view = self._asked(window)
        with self._news:
            self._news.wait_for(lambda: not view.seen or self._has_acts(view), _AFTER_ACT)
            return view.seen

    def hasten(self) -> None:
        """Somebody has changed something: the next page shows it."""
        with self._news:
            self._acted = time.monotonic()
            self._news.notify_all()

    def _has_acts(self, view: _View) -> bool:
        return view.as_of >= self._acted

    def close(self) -> None:
        """End the thread, and what it has opened."""
        with self._news:
            thread = self._thread
            self._closing = True
            self._news.notify_all()
        if thread is not None:
            thread.join(_PATIENCE)

    def _asked(self, window: str) -> _View:
        view = self._views[window]
        with self._news:
            now = time.monotonic()
            if now - view.asked > _ASKING:
                view.seen = view.error = None
            view.asked = now
            if self._thread is None or not self._thread.is_alive():  # it did not survive a fork
                self._thread = Thread(target=self._run, name="huey-dashboard", daemon=True)
                self._thread.start()
            self._news.notify_all()
        return view

    def _run(self) -> None:
        while True:
            with self._news:
                views = self._wanted()
                if not views:
                    self._leave()
                    return
            began = time.monotonic()
            self._round(views)
            took = time.monotonic() - began
            with self._news:
                # One that failed waited for the storage, and took nothing from it.
                failed = any(
                    view.error or (view.seen and view.seen.busy) for view in views.values()
                )
                pause = max(_LEAST, took if failed else _SHARE * took)
                self._news.wait_for(self._is_urgent, pause)

    def _leave(self) -> None:
        self._thread = None
        self._close()

    def _wanted(self) -> dict[str, _View]:
        if self._closing:
            return {}
        since = time.monotonic() - _ASKING
        asked = {name: view for name, view in self._views.items() if view.asked > since}
        fresh = {name: view for name, view in asked.items() if not view.seen and not view.error}
        return fresh or asked

    def _is_urgent(self) -> bool:
        """Whether somebody looks at a window that nobody looked at before, or has changed
        something, or all is over."""
        if self._closing:
            return True
        since = time.monotonic() - _ASKING
        asked = [view for view in self._views.values() if view.asked > since]
        return any(not (view.seen or view.error) or not self._has_acts(view) for view in asked)

    def _round(self, views: Mapping[str, _View]) -> None:
        now = time.monotonic()
        after_act = not all(self._has_acts(view) for view in views.values())
        try:
            if self._storage is None:
                self._storage = self._open()
            version = self._storage.version()
            due = self._pace.is_due(version, now, after_act=after_act)
            for name, view in views.items():
                self._look(self._storage, name, view, version, due=due)
        except StorageBusy as error:  # it is the same one a little later
            for view in views.values():
                seen = view.seen and view.seen._replace(busy=True)
                self._show(view, now, seen, None if seen else error)
        except Exception as error:
            for view in views.values():
                self._show(view, now, None, error)
            self._close()

    def _look(
        self, storage: Storage, name: str, view: _View, version: object, *, due: bool
    ) -> None:
        now, state = time.monotonic(), (version, time.time() // _STEP)
        seen = view.seen
        if seen is None or seen.busy or (due and state != view.state):
            seen = look_at(storage, self._queues, WINDOWS[name], self._past)
        elif not due:
            return
        self._show(view, now, seen, None, state)

    def _show(
        self,
        view: _View,
        as_of: float,
        seen: Seen | None,
        error: Exception | None,
        state: object = None,
    ) -> None:
        with self._news:
            view.as_of, view.seen, view.error, view.state = as_of, seen, error, state
            self._news.notify_all()

    def _close(self) -> None:
        storage, self._storage = self._storage, None
        self._past = Past()  # the next one may be another
        if storage is not None:
            storage.close()
