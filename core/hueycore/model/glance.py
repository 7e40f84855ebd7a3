"""What the threads of a consumer look for while nothing else happens."""

from __future__ import annotations

import math
from typing import NamedTuple


class Glance(NamedTuple):
    """Whether there is something to do for a consumer. What nobody has looked at may be there.

    ``pending``: a job waits for a worker; ``late``: one is past its expiry; ``missing``: a worker
    shows no sign of life; ``due``: when the next job is (POSIX seconds), ``fires``: when the next
    schedule is, or now when one that was declared is not stored any more."""

    pending: bool = True
    late: bool = True
    missing: bool = True
    due: float = -math.inf
    fires: float = -math.inf


class Kept(NamedTuple):
    """A glance, when it was (monotonic seconds), and what this process had said and heard by then:
    whatever happened since may have changed it. ``declared``: of which schedules it tells."""

    glance: Glance
    at: float
    said: int
    heard: int
    declared: frozenset[str]

    def is_fresh(self, known: tuple[int, int, frozenset[str]], now: float, seconds: float) -> bool:
        """Whether it was at most so many seconds ago, and nothing has happened."""
        return self[2:] == known and now - self.at <= seconds
