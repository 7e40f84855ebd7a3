"""What comes over from another program's storage: read there as bytes, and brought in as jobs."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from hueycore.model.flags import Revocation
from hueycore.model.jobs import Enqueued, NewJob
from hueycore.model.plan import Input, Plan
from hueycore.model.states import State


class Message(NamedTuple):
    """Huey's ``registry.Message``: the same fields in the same order. Older ones have fewer."""

    id: Any = None
    name: Any = None
    eta: Any = None
    retries: Any = None
    retry_delay: Any = None
    priority: Any = None
    args: Any = None
    kwargs: Any = None
    on_complete: Any = None
    on_error: Any = None
    expires: Any = None
    expires_resolved: Any = None
    timeout: Any = None
    chord_config: Any = None
    retry_backoff: Any = None


class OldMessage(NamedTuple):
    """A waiting call as the other program wrote it, and where it stands there."""

    where: str
    data: bytes


class Holder(NamedTuple):
    """Another process that has the file open, and is none of ours."""

    pid: int
    command: str

    def __str__(self) -> str:
        return f"process {self.pid} ({self.command})"

    @property
    def consumes(self) -> bool:
        return any(name in self.command for name in ("huey_consumer", "run_huey"))


class OldFile(NamedTuple):
    """What Huey left for one queue: messages in the order in which it would run them."""

    path: str
    queue: str
    messages: Sequence[OldMessage]
    values: Mapping[str, bytes]
    holders: Sequence[Holder]

    @property
    def refusal(self) -> str | None:
        """Why nothing may come over now."""
        consumers = [str(one) for one in self.holders if one.consumes]
        if not consumers:
            return None
        return (
            f"a consumer of Huey's still works on {self.path}, and would run the same jobs: "
            f"{', '.join(consumers)}"
        )


class Whole(NamedTuple):
    """Jobs that come together or not at all. ``given``: what members of a chord that are over gave,
    by place of the callback. ``sources`` are the messages that it was made of."""

    jobs: Sequence[NewJob]
    plan: Plan
    given: Mapping[int, Sequence[Input]]
    sources: Sequence[bytes]


class OldResult(NamedTuple):
    """The result of a job that was over there; ``error`` is the entry of its row when it failed."""

    id: str
    state: State
    result: bytes
    error: dict[str, str] | None = None


class Migration(NamedTuple):
    wholes: Sequence[Whole]
    results: Sequence[OldResult] = ()
    values: Mapping[str, bytes] = {}
    revocations: Sequence[Revocation] = ()


class Brought(NamedTuple):
    """Of each whole ``loaded``, ``known`` when it was brought before, or ``exists`` when the queue
    has a job of one of its ids from elsewhere; the jobs of those that were loaded, and how many
    results, values and revocations came."""

    outcomes: Sequence[str]
    jobs: Sequence[Enqueued]
    results: int
    values: int
    revocations: int


#: Characters of a mark.
MARK = 16


def mark(kind: str, what: str | bytes) -> str:
    """What is remembered of a thing that came over, so that it comes no second time."""
    from hashlib import blake2b  # dear: it loads OpenSSL

    name = what.encode(errors="surrogatepass") if isinstance(what, str) else what
    return blake2b(kind.encode() + b":" + name, digest_size=MARK // 2).hexdigest()


def of_job(id: str) -> str:
    return mark("job", id)


def of_message(data: bytes) -> str:
    return mark("message", data)


def of_value(name: str) -> str:
    return mark("value", name)


def of_revocation(order: Revocation) -> str:
    return mark(order.kind, order.name)
