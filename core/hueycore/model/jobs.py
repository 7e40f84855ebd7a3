"""What goes into a storage and what comes out: plain values, field names are column names.

Named tuples, because making a dataclass costs a command's start six times as much."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from hueycore.model.endings import Ending
from hueycore.model.events import LogLine, Said
from hueycore.model.plan import Input
from hueycore.model.states import State

#: Bytes of arguments and results that one exchange moves, unless a single job has more.
EXCHANGE_BYTES = 16_000_000


class NewJob(NamedTuple):
    """A job to be born. Times are POSIX seconds, durations seconds; ``run_at`` None means now.
    ``delay`` is what was asked for when ``run_at`` is no moment of its own, but so far from now.
    ``expires_in`` counts from the moment when the job could begin, and anew for each retry.

    With a ``unique_key`` it is the only one of its task until it starts or ends (``unique_until``);
    when there is one already, ``on_conflict`` says what happens: ``keep`` that one, ``replace``
    what it is to do and when, or ``fail``.
    """

    id: str
    task: str
    payload: bytes
    preview: str | None = None
    priority: float = 0
    run_at: float | None = None
    expires_at: float | None = None
    scheduled_for: float | None = None
    retries: int = 0
    retry_delay: float = 0
    retry_backoff: float = 0
    timeout: float | None = None
    max_crashes: int = 3
    at_most_once: bool = False
    result_ttl: float | None = None
    key_name: str | None = None
    delay: float = 0
    expires_in: float | None = None
    unique_key: str | None = None
    unique_until: str | None = None
    on_conflict: str = "keep"


class Enqueued(NamedTuple):
    """The answer to an enqueue. ``fresh`` is False when a live job of this id, or of this unique
    key, existed already: then it is that one. ``enqueued_at`` is None where the engine does
    not tell it."""

    seq: int
    id: str
    state: State
    fresh: bool = True
    enqueued_at: float | None = None


class Claim(NamedTuple):
    """The right of one worker process to end one run of a job."""

    seq: int
    claim: int
    id: str
    task: str
    payload: bytes
    attempt: int
    retries: int
    retry_delay: float
    retry_backoff: float
    priority: float
    run_at: float
    expires_at: float | None
    scheduled_for: float | None
    timeout: float | None
    crashes: int
    max_crashes: int
    at_most_once: int
    key_name: str | None
    next: int | None
    inputs: int

    @property
    def last_chance(self) -> bool:
        """Whether one more crash would be the end of it."""
        return 0 < self.crashes >= self.max_crashes - 1


class Ended(NamedTuple):
    """One finished run. ``started_at`` is None when the run never began."""

    claim: Claim
    ending: Ending
    started_at: float | None = None
    run_s: float = 0.0
    said: Said | None = None


class Want(NamedTuple):
    """How many jobs a worker process can take now.

    ``free`` idle workers bound the jobs of unknown or slow tasks; ``quick`` says how many jobs of a
    task known to be short may be taken into one group. ``suspects``: whether a job that ran when a
    process died may be claimed (it is then claimed alone); ``last_chance``: also one that the next
    crash would kill. ``only`` limits the claim to one seq. ``bytes``: how large the arguments of a
    group may be; a single job is claimed whatever it has.
    """

    free: int
    quick: dict[str, int] = {}  # noqa: RUF012  a NamedTuple default that nobody mutates
    suspects: bool = True
    last_chance: bool = True
    only: int | None = None
    bytes: int = EXCHANGE_BYTES


class JobRef(NamedTuple):
    """Enough of a job to name it in a log line, a signal or a command's output."""

    seq: int
    id: str
    task: str


class Exchange(NamedTuple):
    """What an exchange brought: claims to run, and what it found on the way. ``stopped`` are the
    endings that became ``revoked``, because the job had been asked to stop; ``unwritable`` those
    that the storage did not take, and why: their jobs are dead. ``held`` is ``bytes`` when the next
    job was ready and did not fit."""

    claims: list[Claim]
    lost: list[Ended]
    revoked: list[JobRef]
    expired: list[JobRef]
    held: str | None = None
    stopped: list[Ended] = []  # noqa: RUF012  as above
    unwritable: list[tuple[Ended, str]] = []  # noqa: RUF012  as above


class Recovered(NamedTuple):
    """A job taken back from a dead worker: ``state`` is where it went, ``started`` if it ran,
    ``timeout`` if the worker was killed because its time was over."""

    job: JobRef
    state: State
    started: bool
    worker: str
    timeout: bool = False


class Changed(NamedTuple):
    """The result of an operator's verb."""

    matched: int
    changed: list[JobRef]
    failed: list[tuple[JobRef, str]]


class Job(NamedTuple):
    """A job as it stands, without its payload and result. Field names are the column names."""

    seq: int
    id: str
    queue: str
    task: str
    state: State
    reason: str | None
    priority: float
    run_at: float
    delay: float
    enqueued_at: float
    started_at: float | None
    finished_at: float | None
    expires_at: float | None
    expires_in: float | None
    scheduled_for: float | None
    attempt: int
    retries: int
    retry_delay: float
    retry_backoff: float
    timeout: float | None
    crashes: int
    max_crashes: int
    at_most_once: bool
    result_ttl: float | None
    claim: int
    worker: int | None
    claimed_at: float | None
    cancel_requested: bool
    key_name: str | None
    unique_key: str | None
    unique_until: str | None
    next: int | None
    slot: int | None
    source: int | None
    inputs: int
    waits: int
    delivered: bool
    taken: bool | None
    preview: str | None
    progress: str | None
    errors: list[dict[str, Any]]
    #: The name of the worker that ran it last.
    ran_by: str | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Queue and number: some engines number the jobs of each queue by themselves."""
        return self.queue, self.seq

    @property
    def worker_address(self) -> tuple[str, int]:
        """That of the worker that holds it; its number is 0 when none does."""
        return self.queue, self.worker or 0


class Selector(NamedTuple):
    """Which jobs: every field narrows, an empty one does not.

    ``keys`` are ids or seqs as people type them; ``task`` is a glob; ``older_than`` and
    ``newer_than`` are POSIX seconds compared with the time the job came into its state; ``where``
    holds (column, operator, value) with an operator of ``= != < > <= >= ~``. ``sort`` is a column,
    ``-column`` for descending, or ``running-order``. ``after`` and ``before`` are seqs, 0 for none:
    who reads page by page goes on at the last one that he has seen.
    """

    queues: tuple[str, ...] = ()
    states: tuple[State, ...] = ()
    keys: tuple[str, ...] = ()
    task: str | None = None
    older_than: float | None = None
    newer_than: float | None = None
    priority: tuple[float | None, float | None] = (None, None)
    where: tuple[tuple[str, str, Any], ...] = ()
    sort: str = "seq"
    limit: int | None = None
    after: int = 0
    before: int = 0


class Newest(NamedTuple):
    """The newest of the selected jobs, among so many rows that were ``looked`` at. ``before`` is
    that of the selector to go on with, 0 when nothing is left."""

    jobs: list[Job]
    looked: int
    before: int


class ResultRow(NamedTuple):
    """``result`` is None when there is none, it was taken, or it may not be read yet."""

    seq: int
    state: State
    reason: str | None
    result: bytes | None
    taken: bool | None


class Cargo(NamedTuple):
    """A job with its bytes and all that is kept beside it.

    ``inputs`` are what was given to its call by jobs that do not come along. Jobs of one ``group``
    hang together by edges (0: on its own); ``delivered`` is what this one has given to those after
    it, as the storage counts it. ``handler``: whom to call when it fails for good, packed."""

    job: Job
    payload: bytes | None
    result: bytes | None
    inputs: Sequence[Input] = ()
    log: Sequence[LogLine] = ()
    handler: str | None = None
    delivered: int = 0
    group: int = 0


class Loaded(NamedTuple):
    """What became of a job brought in: ``loaded``, ``exists`` when its id was taken, ``duplicate``
    when another live job has its unique key."""

    job: JobRef
    outcome: str
