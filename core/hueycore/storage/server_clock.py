"""What doctor says of the clock of a server, by which all go."""

from __future__ import annotations

from collections.abc import Iterator

from hueycore.model.diagnosis import Diagnosis, ok, problem, warning
from hueycore.system import clock

#: Seconds.
LIMIT = 5.0


def compared(now: float, newest: float | None) -> Iterator[Diagnosis]:
    """``now`` is the server's; one that takes over may have another. ``newest`` is when the newest
    job was enqueued."""
    ahead = newest - now if newest is not None else 0.0
    skew = now - clock.now()
    facts = {"newest_job_ahead_s": round(ahead, 3), "server_skew_s": round(skew, 3)}
    if ahead > LIMIT:
        yield problem(
            "clock",
            f"the newest job was enqueued {ahead:.0f} s in the future: the server's clock was set "
            "back, or another server has taken over",
            "synchronise the clocks",
            **facts,
        )
    elif abs(skew) > LIMIT:
        way = "ahead of" if skew > 0 else "behind"
        yield warning(
            "clock",
            f"the server's clock, which all go by, is {abs(skew):.0f} s {way} ours",
            "synchronise the clocks",
            **facts,
        )
    else:
        yield ok("clock", "the server's agrees with ours and with the newest job", **facts)
