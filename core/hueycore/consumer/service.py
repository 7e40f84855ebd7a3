"""A duty that runs in its own thread."""

from __future__ import annotations

import logging
from collections.abc import Callable

from hueycore.exceptions import StorageError
from hueycore.system import native
from hueycore.system.scarcity import is_scarcity, sit_out

logger = logging.getLogger("hueycore.consumer")

#: Pause after a step that failed, seconds.
AFTER_ERROR = 1.0
#: The longest pause, for a system that gives no threads or descriptors.
LONGEST_PAUSE = 30.0


class Service:
    """``step`` does what is due and returns the seconds until the next step; ``on_error`` is called
    with the ``StorageError`` of one. ``start`` and ``stop`` may come in any order and any number of
    times."""

    def __init__(
        self, name: str, step: Callable[[], float], on_error: Callable[[StorageError], None]
    ) -> None:
        self._step = step
        self._on_error = on_error
        self._poked = native.Event()
        self._stopped = False
        self._thread = native.Thread(self._run, name)

    def start(self) -> None:
        if self._thread.ident is None:
            self._thread.start()

    def poke(self) -> None:
        """Let the next step begin now."""
        self._poked.set()

    def stop(self) -> None:
        self._stopped = True
        self._poked.set()
        if self._thread.ident is not None and self._thread.ident != native.get_ident():
            self._thread.join(10)

    def alive(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        scarce = 0.0
        while not self._stopped:
            self._poked.clear()
            try:
                pause, scarce = self._step(), 0.0
            except StorageError as error:
                self._on_error(error)
                pause = AFTER_ERROR
            except Exception as error:
                if is_scarcity(error):
                    scarce = min(2 * scarce or AFTER_ERROR, LONGEST_PAUSE)
                    logger.error("%s: %s; next try in %.0f s", self._thread.name, error, scarce)
                    sit_out(scarce, self._poked, lambda: self._stopped)
                    continue
                logger.exception("%s failed; it goes on", self._thread.name)
                pause = AFTER_ERROR
            self._poked.wait(max(pause, 0.0))
