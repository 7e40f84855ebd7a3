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
