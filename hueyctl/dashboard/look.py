"""Looks that are taken behind the requests, so that no number of viewers asks the storage more."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
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
#: Who asks first waits so long for the first look.
_PATIENCE = 10.0


class _View:
    """A window that somebody looks at."""

    def __init__(self) -> None:
        self.asked = -_ASKING
        self.seen: Seen | None = None
        self.error: Exception | None = None
        #: What the storage and the clock said when it was looked at.
        self.state: object = None


class Watch:
    """One thread, while somebody asks. It never takes more than a twentieth of a core."""

    def __init__(self, opened: Callable[[], Storage], queues: Sequence[str]) -> None:
        self._open, self._queues = opened, queues
        self._storage: Storage | None = None
        self._past = Past()
        self._views = {name: _View() for name in WINDOWS}
        self._news = Condition()
        self._thread: Thread | None = None
        self._closing = False

    def latest(self, window: str) -> Seen:
        """The newest look; the first one is waited for. Raises ``StorageError``."""
        view = self._asked(window)
        with self._news:
            self._news.wait_for(lambda: view.seen or view.error, _PATIENCE)
            if view.error is not None:
                raise view.error
            if view.seen is None:
                raise StorageError("no answer from the storage yet: it is busy, or very large")
            return view.seen

    def peek(self, window: str) -> Seen | None:
        """The newest look, if there is one by now."""
        return self._asked(window).seen

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
            for name, view in views.items():
                self._look(name, view)
            took = time.monotonic() - began
            with self._news:
                self._news.wait_for(self._is_new, max(_LEAST, _SHARE * took))

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

    def _is_new(self) -> bool:
        """Whether somebody looks at a window that nobody looked at before, or all is over."""
        if self._closing:
            return True
        since = time.monotonic() - _ASKING
        return any(v.asked > since and not v.seen and not v.error for v in self._views.values())

    def _look(self, name: str, view: _View) -> None:
        try:
            if self._storage is None:
                self._storage = self._open()
            state = (self._storage.version(), time.time() // _STEP)
            if state == view.state and view.seen is not None and not view.seen.busy:
                return
            self._show(
                view, look_at(self._storage, self._queues, WINDOWS[name], self._past), None, state
            )
        except StorageBusy as error:  # it is the same one a little later
            seen = view.seen and view.seen._replace(busy=True)
            self._show(view, seen, None if seen else error)
        except Exception as error:
            self._show(view, None, error)
            self._close()

    def _show(
        self, view: _View, seen: Seen | None, error: Exception | None, state: object = None
    ) -> None:
        with self._news:
            view.seen, view.error, view.state = seen, error, state
            self._news.notify_all()

    def _close(self) -> None:
        storage, self._storage = self._storage, None
        self._past = Past()  # the next one may be another
        if storage is not None:
            storage.close()
