"""What a storage tells those who look at it: counts, workers, metrics, findings.

Named tuples; field names are column names."""

from typing import Any, NamedTuple

from hueycore.model.states import State

#: The kind of a process that is registered for the locks that it holds, and takes no jobs.
HOLDER = "holder"


class WorkerRow(NamedTuple):
    """A consumer process. ``running`` lists (slot, seq) of the runs that have started; ``pid`` is
    its number as it sees itself, ``local_pid`` as we do, None when it is out of sight."""

    id: int
    queue: str
    name: str
    host: str
    pid: int
    boot_id: str
    kind: str
    slots: int
    state: str
    started_at: float
    alive: bool
    running: list[tuple[int, int]]
    local_pid: int | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Queue and number: some engines number the workers of each queue by themselves."""
        return self.queue, self.id

    @property
    def takes_jobs(self) -> bool:
        """Not so a process that is registered for the locks that it holds."""
        return self.kind != HOLDER


class Depth(NamedTuple):
    """How many jobs of a queue are in a state; ``oldest`` is the smallest ``run_at`` of pending."""

    queue: str
    state: State
    count: int  # type: ignore[assignment]  # no tuple of ours is asked to count
    oldest: float | None = None


class QueueRow(NamedTuple):
    """What is known of a queue besides its jobs."""

    queue: str
    serializer: str | None
    paused_at: float | None
    paused_until: float | None
    paused_by: str | None
    pause_reason: str | None
    purged: int
    created_at: float
    events: bool = False


class Metric(NamedTuple):
    """What ended in one minute of one task. Histograms map buckets (of ``model.histogram``) to
    counts; durations in seconds."""

    queue: str
    minute: int
    task: str
    done: int
    retried: int
    dead: int
    revoked: int
    expired: int
    run_s: float
    run_max: float
    run_hist: dict[int, int]
    wait_hist: dict[int, int]

    def plus(self, other: "Metric") -> "Metric":
        """Two lines of one task as one; the histograms of the first are added to in place."""
        for mine, more in ((self.run_hist, other.run_hist), (self.wait_hist, other.wait_hist)):
            for number, count in more.items():
                mine[number] = mine.get(number, 0) + count
        return self._replace(
            done=self.done + other.done,
            retried=self.retried + other.retried,
            dead=self.dead + other.dead,
            revoked=self.revoked + other.revoked,
            expired=self.expired + other.expired,
            run_s=self.run_s + other.run_s,
            run_max=max(self.run_max, other.run_max),
        )


class DeadGroup(NamedTuple):
    """Dead letters with the same error (and task): ``recent`` are those of the last 1 h, 3 h,
    24 h, 3 d and 7 d."""

    number: int
    task: str
    error: str
    recent: tuple[int, ...]
    first: float
    last: float


class SeenTask(NamedTuple):
    """A task that jobs name: how many, and when the newest of them was enqueued or ended."""

    queue: str
    task: str
    jobs: int
    last: float


class Finding(NamedTuple):
    """Something wrong with the file: ``integrity`` or ``invariant``, and some of the rows."""

    kind: str
    text: str
    rows: tuple[int, ...]


class Info(NamedTuple):
    """What a storage says of itself as a whole. Sizes are bytes: of the data, of a log that is not
    folded in yet, and of what a vacuum would give back (None: nobody knows). ``oldest_reader_s``:
    seconds since the oldest transaction of others began that keeps dead rows, or a long log, from
    being cleaned. ``facts`` are the engine's own."""

    engine: str
    version: str
    schema: int
    size: int
    log: int
    free: int | None
    oldest_reader_s: float | None
    facts: dict[str, Any]
