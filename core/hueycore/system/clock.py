"""The one place that reads a clock, so that tests can move it.

``now()`` is wall time (POSIX seconds): it is stored and compared with etas. ``monotonic()``
measures how long something took. Liveness uses neither.
"""

from __future__ import annotations

import time
from functools import partial

now = time.time
#: What ``time.monotonic`` reads. That one stands still where a test has frozen the time, and a wait
#: with a timeout would never end.
monotonic = partial(time.clock_gettime, time.CLOCK_MONOTONIC)


def sleep(seconds: float) -> None:
    """As its caller sleeps: where gevent has patched, a greenlet lets the others run. The holder
    of a lock sleeps in ``native``."""
    time.sleep(seconds)
