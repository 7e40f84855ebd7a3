"""An answer to "why?": one sentence, what is in the way, and the command that would change it."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from hueyctl.units import brief, rfc3339


class Reason(NamedTuple):
    """``because`` is a sentence without its full stop; ``blocking`` names what is in the way;
    ``next`` is a command line."""

    because: str
    since: float | None = None
    blocking: dict[str, Any] | None = None
    next: str | None = None


class Answer(NamedTuple):
    """The reason of a job; or of a schedule, which has no ``seq``."""

    seq: int | None
    name: str
    state: str
    reason: Reason

    def as_object(self) -> dict[str, Any]:
        because, since, blocking, next_ = self.reason
        return {
            "seq": self.seq,
            **({"schedule": self.name} if self.seq is None else {}),
            "state": self.state,
            "because": because,
            "since": None if since is None else rfc3339(since),
            "blocking": blocking,
            "next": next_,
        }


def terms(
    who: str | None = None,
    until: float | None = None,
    why: str | None = None,
    now: float | None = None,
) -> str:
    """Who gave an order, how long it lasts yet, and why: ``by ann, 5m left (deploy)``."""
    text = f" by {who}" if who else ""
    if until is not None:
        text += f", {brief(until - (time.time() if now is None else now))} left"
    return text + (f" ({why})" if why else "")


def shell_line(*words: str) -> str:
    """A command line to copy, whatever letters a name has."""
    import shlex

    return f"hueyctl {shlex.join(words)}"


def located(line: str, *where: str) -> str:
    """The command line of an answer with the options that say where the queue is. One that is not
    ours, or that an application follows, has no place for them."""
    if not where or not line.startswith("hueyctl ") or line.startswith("hueyctl consume "):
        return line
    return f"{shell_line(*where)} {line.removeprefix('hueyctl ')}"
