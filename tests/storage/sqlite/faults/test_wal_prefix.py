"""A power cut after every page that the log has ever received, and which verbs wait for the disk.

SQLite appends pages to the write-ahead log; a power cut leaves a prefix of it. So a life is lived
once, and then every prefix of its log is opened as the file that somebody finds in the morning.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
import struct
import subprocess
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hueycore.model.endings import Dead, Done, Released, Retry
from hueycore.model.jobs import Selector, Want
from hueycore.model.plan import Edge, Plan
from hueycore.model.schedules import Fire, Periodic
from hueycore.model.states import State
from hueycore.storage.sqlite import SqliteStorage
from hueycore.storage.sqlite import log as log_of_writer
from tests.helpers import Clock
from tests.storage.kit import FAILURE, by_seq, end, ended, new, one, pipeline, state, take, worker
from tests.storage.sql.lab import write
from tests.storage.sqlite.faults.conftest import Opener
from tests.storage.sqlite.faults.rig import HANDLER, NOW, VERBS, World
from tests.storage.sqlite.faults.walkit import FRAME, HEADER, after_power_cut, valid_frames
from tests.storage.sqlite.invariants import violations
from tests.storage.sqlite.lab import contents

#: What must hold at every moment because it was one transaction; each query finds the exceptions.
ATOMIC = {
    "a stage that delivered was counted down in the same commit": """
        select child.seq from huey_job child
            join huey_job parent on parent.next = child.seq or parent.seq = child.source
        where child.finished_at is null group by child.seq
        having child.waits <> sum(parent.delivered = 0)
        """,
    "a job with a handler is dead if and only if its handler was called": """
        select seq from huey_handler join huey_job using (seq)
        where (state = 'dead') <> exists (select 1 from huey_job where task = 'handler')
        """,
    "the stages after one that is retried wait again": """
        select child.seq from huey_job child join huey_job parent on parent.next = child.seq
        where child.reason = 'upstream' and child.state = 'revoked'
            and parent.finished_at is null
        """,
    "a job that is done has its result": """
        select seq from huey_job job
        where state = 'done' and task = 'with-result' and taken is not 1
            and not exists (select 1 from huey_result where seq = job.seq)
        """,
    "a result belongs to a job that is over": """
        select seq from huey_result join huey_job using (seq) where finished_at is null
        """,
    "a schedule that moved on has its job": """
        select name from huey_periodic
        where (next_run > 2000000060) <> (last_id is not null)
            or (last_id is not null and last_id not in (select id from huey_job))
        """,
    "a fired job has its schedule moved on": """
        select seq from huey_job where task = 'tick'
            and id not in (select last_id from huey_periodic where last_id is not null)
        """,
    "an attempt that failed is noted where it is counted": """
        select seq from huey_job where task = 'retried' and state <> 'running'
            and attempt - (state = 'done') <> json_array_length(coalesce(errors, '[]'))
        """,
    "what is done is counted": """
        select 1 where (select count(*) from huey_job where state = 'done')
            + (select coalesce(sum(purged), 0) from huey_queue)
            <> (select coalesce(sum(done), 0) from huey_metric)
        """,
    "a replaced call is the new one in every part": """
        select seq from huey_job join huey_payload using (seq)
        where task = 'keyed' and preview <> cast(payload as text)
        """,
    "one job has a unique key": """
        select task from huey_job where task = 'keyed' group by task having count(*) > 1
        """,
    "a crash is charged when the worker's row goes": """
        select job.seq from huey_job job where task = 'crashing' and crashes = 0
            and claim > 0 and state <> 'running' and attempt > 0
        """,
}


@dataclass
class Segment:
    """The file as it was, the log that grew after it, and what lay in the log's file before."""

    base: bytes
    log: bytes = b""
    stale: bytes = b""
    #: After so many frames the caller had been told that these jobs are durable.
    promises: list[tuple[int, list[str]]] = field(default_factory=list)

    @property
    def frames(self) -> int:
        return valid_frames(self.log)

    def cut(self, frames: int) -> bytes:
        """The log's file when the power fails after so many frames."""
        size = HEADER + frames * FRAME
        return self.log[:size] + self.stale[size:]


class Life:
    """A scripted life of a queue, with its file and log kept."""

    def __init__(self, path: str, clock: Clock) -> None:
        self.path = path
        self.clock = clock
        self.storage = SqliteStorage(path)
        self.storage.leave_checkpoints_to_janitor()
        self.segments: list[Segment] = []
        self.promised: list[str] = []
        #: What a power cut would leave of the log.
        self.synced = b""

    def begin_segment(self, *, truncate: bool) -> None:
        self.keep_log()
        stale = self.segments[-1].log if self.segments and not truncate else b""
        self.storage.db.checkpoint(truncate=truncate)
        copy = self.path + ".base"
        # Another process reads it: closing a descriptor here would drop SQLite's locks.
        subprocess.run(["cp", self.path, copy], check=True)
        self.segments.append(Segment(Path(copy).read_bytes(), stale=stale))

    def keep_log(self) -> None:
        if self.segments:
            self.segments[-1].log = Path(self.path + "-wal").read_bytes()

    def on_sync(self) -> None:
        self.synced = Path(self.path + "-wal").read_bytes()

    def promise(self, *ids: str) -> None:
        """These jobs are acknowledged from now on: all of the log is on the disk."""
        self.promised += ids
        frames = valid_frames(Path(self.path + "-wal").read_bytes())
        assert frames == valid_frames(self.synced)
        if frames:
            self.segments[-1].promises.append((frames, list(self.promised)))

    def enqueue(self, *tasks: str, **fields: object) -> list[str]:
        jobs = [new(task, **fields) for task in tasks]
        self.storage.enqueue(jobs)
        self.promise(*(job.id for job in jobs))
        return [job.id for job in jobs]


def live(life: Life) -> None:
    storage, clock = life.storage, life.clock
    life.begin_segment(truncate=True)
    number = worker(storage)
    storage.declare_periodic([Periodic("tick", "tick", "@every 60", None, NOW + 60)])
    life.enqueue("with-result", "with-result", "retried", "dying", "crashing", "crashing")
    for name in ("with-result", "with-result"):
        claim = one(storage, number)
        assert claim.task == name
        end(storage, number, claim, Done(b"r" * 3000))
    claim = one(storage, number)
    end(storage, number, claim, Retry(NOW + 30, 1, 0, FAILURE))
    dead = one(storage, number)
    end(storage, number, dead, Dead("failed", FAILURE, b"error"))
    take(storage, number, 2)
    _bury(storage, number)
    storage.recover()

    life.begin_segment(truncate=True)
    number = worker(storage)
    clock.jump(40)
    storage.promote()
    stages = pipeline(storage, 3)
    life.promise(*(stage.id for stage in stages))
    edges = [Edge(4, 0), Edge(4, 1), *(Edge(place, 5, place) for place in range(4))]
    jobs = [*(new("with-result") for _ in range(4)), new("head"), new("callback")]
    *members, callback = storage.enqueue(jobs, Plan(edges, handlers={5: HANDLER}))
    life.promise(callback.id, *(member.id for member in members))
    while claims := take(storage, number, 3):
        # Groups, as the feed makes them: several endings and the next claims in one commit.
        results = [
            Dead("failed", FAILURE) if c.task == "callback" else Done(b"s" * 500) for c in claims
        ]
        endings = [ended(c, r) for c, r in zip(claims, results, strict=True)]
        storage.exchange(number, endings, Want(0))
    assert state(storage, callback) is State.DEAD
    line = pipeline(storage, 4)
    life.promise(*(stage.id for stage in line))
    for _ in line:
        end(storage, number, one(storage, number), Done(b"s" * 500))
    broken = pipeline(storage, 3)
    life.promise(*(stage.id for stage in broken))
    end(storage, number, one(storage, number), Dead("failed", FAILURE))
    assert state(storage, broken[2]) is State.REVOKED
    clock.jump(40)
    fired = new("tick", scheduled_for=NOW + 60)
    assert storage.fire([Fire("tick", NOW + 60, NOW + 120, [fired])])
    life.promise(fired.id)

    life.begin_segment(truncate=False)
    storage.requeue(by_seq(dead))
    storage.requeue(by_seq(broken[0]))
    assert state(storage, broken[2]) is State.BLOCKED
    storage.revoke(by_seq(broken[0]))
    end(storage, number, one(storage, number), Released())
    end(storage, number, one(storage, number), Done(b"again"))
    for text in ("one", "two", "three"):
        keyed = new("keyed", text.encode(), preview=text, run_at=NOW + 5000, unique_key="key")
        storage.enqueue([keyed._replace(unique_until="end", on_conflict="replace")])
    life.enqueue(*["many"] * 30, expires_at=clock.now() + 5)
    claims = take(storage, number, 10)
    storage.revoke(by_seq(claims[0], claims[1]))
    storage.exchange(number, [ended(claim) for claim in claims], Want(3))
    clock.jump(10)
    storage.expire()
    storage.unregister(number)
    storage.put("value", b"v" * 5000)
    storage.pause(by="me")
    storage.resume()
    life.keep_log()
    for segment in life.segments[:2]:
        assert segment.promises[-1][1], "promised jobs are not purged before"
    life.promised.clear()
    life.segments[-1].promises.append((life.segments[-1].frames + 1, []))
    storage.purge(Selector(states=(State.DONE,), task="many"))
    life.keep_log()


def _bury(storage: SqliteStorage, number: int) -> None:
    """The worker dies, having started one of its two jobs."""
    running = storage.jobs(Selector(states=(State.RUNNING,)))
    for slot, job in enumerate(running):
        storage.slots(number).start(slot, job.seq, job.claim)
    write(storage, "update huey_worker set boot_id = 'before' where id = ?", number)
    storage._drop(number)


@pytest.fixture
def life(path: str, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Life:
    clock.freeze(NOW)
    lived = Life(path, clock)
    watch_syncs(monkeypatch, lived.on_sync)
    try:
        live(lived)
    finally:
        lived.storage.close()
    return lived


def test_a_power_cut_at_any_page_leaves_a_file_that_makes_sense(life: Life, tmp_path: Path) -> None:
    seen: set[tuple[object, ...]] = set()
    cuts = 0
    for number, segment in enumerate(life.segments):
        assert segment.frames > 40
        for frames in range(segment.frames + 1):
            with closing(after_power_cut(tmp_path, segment.base, segment.cut(frames))) as con:
                label = f"segment {number}, frame {frames} of {segment.frames}"
                assert violations(con) == [], label
                for sentence, query in ATOMIC.items():
                    assert con.execute(query).fetchall() == [], f"{label}: not {sentence}"
                ids = {row[0] for row in con.execute("select id from huey_job").fetchall()}
                promised = [p for at, p in segment.promises if at <= frames]
                assert not promised or promised[-1] == [] or set(promised[-1]) <= ids, label
                seen.add(
                    tuple(
                        con.execute(
                            "select state, count(*) from huey_job group by state"
                        ).fetchall()
                    )
                )
            cuts += 1
    assert cuts > 250
    assert len(seen) > 25, "the life should have many different moments"


def test_a_page_that_was_half_written_counts_as_not_written(life: Life, tmp_path: Path) -> None:
    segment = life.segments[1]
    dice = random.Random(7)
    for frames in range(0, segment.frames, 7):
        torn = segment.log[: HEADER + frames * FRAME + dice.randrange(1, FRAME)]
        with closing(after_power_cut(tmp_path, segment.base, segment.cut(frames))) as con:
            whole = contents(con)
        with closing(after_power_cut(tmp_path, segment.base, torn)) as con:
            assert violations(con) == []
            assert contents(con) == whole


def test_a_power_cut_in_the_middle_of_a_checkpoint_loses_nothing(
    life: Life, tmp_path: Path
) -> None:
    """The log is still whole; any of its pages may have reached the file."""
    before, after = life.segments[0], life.segments[1]
    pages = len(after.base) // 4096
    with closing(after_power_cut(tmp_path, before.base, before.log)) as con:
        expected = contents(con)
    dice = random.Random(7)
    for _ in range(40):
        mixed = bytearray(before.base.ljust(len(after.base), b"\0"))
        for page in dice.sample(range(pages), dice.randrange(pages)):
            mixed[page * 4096 : (page + 1) * 4096] = after.base[page * 4096 : (page + 1) * 4096]
        with closing(after_power_cut(tmp_path, bytes(mixed), before.log)) as con:
            assert violations(con) == []
            assert contents(con) == expected


def test_a_queue_goes_on_after_a_power_cut(life: Life, tmp_path: Path) -> None:
    segment = life.segments[1]
    for number, frames in enumerate(range(10, segment.frames, 25)):
        folder = tmp_path / str(number)
        folder.mkdir()
        after_power_cut(folder, segment.base, segment.cut(frames)).close()
        shutil.copy(folder / "found.db", folder / "queue.db")
        with closing(SqliteStorage(folder / "queue.db")) as storage:
            storage.recover()
            me = worker(storage)
            while claims := take(storage, me, 100):
                storage.exchange(me, [ended(claim) for claim in claims], Want(0))
            left = storage.jobs(Selector(states=(State.RUNNING, State.PENDING, State.BLOCKED)))
            alive = {found.id for found in storage.workers() if found.alive}
            assert all(job.worker in alive for job in left), "somebody is stuck"
            storage.unregister(me)
            assert storage.db.read(violations) == []


def test_the_frames_of_a_log_are_counted_as_sqlite_counts_them(life: Life) -> None:
    log = life.segments[1].log
    magic, _, page = struct.unpack(">III", log[:12])
    assert (magic & ~1, page) == (0x377F0682, 4096)
    assert HEADER + life.segments[1].frames * FRAME == len(log)


# --- who waits for the disk -----------------------------------------------------------------------

NORMAL = 1

SYNCED = {
    *("enqueue", "enqueue a key that exists", "replace", "enqueue an id that exists", "declare"),
    *("enqueue stages", "requeue a stage that broke", "fire", "remove a schedule", "revoke"),
    *("requeue", "reschedule", "purge", "flush", "set a revocation", "clear a revocation"),
    *("pause", "pause a task", "resume", "put", "put if empty", "pop", "delete", "incr"),
    *("clear", "load", "bring", "discard", "schedule", "pause a schedule", "resume a schedule"),
    "register with schedules",
    *("clear", "load", "discard", "enqueue with a key", "declare limits", "revoke with a key"),
    *("pause a task with a key", "clear locks"),
    *("load what hangs together", "load records", "discard what waits"),
}
NOT_SYNCED = {
    *("register", "stopping", "unregister", "claim", "claim past expired and revoked", "end"),
    *("end and claim", "promote", "expire", "recover", "progress", "overdue"),
    *("take a result", "keep"),
    # A lock lives no longer than its process, a rate no longer than its interval.
    *("lock", "reserve a lock", "unlock", "spend", "reset a rate", "mend"),
    "mend after the clock was set back",
}
#: Endings and the look at the queue without, the claim itself with.
BOTH = {"claim at most once", "end and claim at most once"}


def watch_syncs(monkeypatch: pytest.MonkeyPatch, on_sync: Callable[[], object]) -> None:
    """``on_sync`` is called after each sync of a log."""
    to_disk = log_of_writer._to_disk

    def watched(descriptor: int) -> None:
        to_disk(descriptor)
        on_sync()

    monkeypatch.setattr(log_of_writer, "_to_disk", watched)


@dataclass
class Syncs:
    """What was in the log, and in the file for those who look, when it was synced."""

    path: str
    seen: list[bytes] = field(default_factory=list)

    def note(self) -> None:
        with closing(sqlite3.connect(self.path, isolation_level=None, timeout=0)) as other:
            other.execute("begin immediate")  # the write lock is free
            other.execute("rollback")
        self.seen.append(Path(self.path + "-wal").read_bytes())


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_that_promises_to_last_is_synced_and_no_other(
    name: str, monkeypatch: pytest.MonkeyPatch, world: tuple[World, Opener]
) -> None:
    facts, fresh = world
    storage = fresh()
    syncs = Syncs(storage.db.path)
    watch_syncs(monkeypatch, syncs.note)

    VERBS[name](storage, facts)

    written = valid_frames(Path(storage.db.path + "-wal").read_bytes())
    if name in BOTH or name in SYNCED:
        assert (written > 0) == bool(syncs.seen)
        assert [valid_frames(seen) for seen in syncs.seen[-1:]] == [written][: len(syncs.seen)]
        assert len(syncs.seen) == 1 or name in SYNCED
    else:
        assert name in NOT_SYNCED, "a new verb: decide whether it promises to last"
        assert syncs.seen == []


@pytest.mark.parametrize(("durability", "synced"), [("full", True), ("fast", False)])
def test_all_verbs_are_synced_or_none_for_those_who_ask(
    durability: str, synced: bool, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    syncs = Syncs(path)
    watch_syncs(monkeypatch, syncs.note)
    with closing(SqliteStorage(path, durability=durability)) as storage:
        syncs.seen.clear()
        before = storage.db.commits
        number = worker(storage)
        storage.enqueue([new(), new(at_most_once=True)])
        while claims := take(storage, number):
            end(storage, number, claims[0])
        storage.revoke(Selector())
        storage.put("name", b"value")
        storage.unregister(number)
        commits = storage.db.commits - before

    assert commits > 7
    assert (len(syncs.seen) > commits - 3) if synced else syncs.seen == []


def test_a_verb_that_writes_nothing_syncs_nothing(
    file: SqliteStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    syncs = Syncs(file.db.path)
    watch_syncs(monkeypatch, syncs.note)

    assert file.revoke(Selector(task="nobody")).matched == 0

    assert syncs.seen == []


def test_a_synced_connection_asks_for_a_real_flush(path: str) -> None:
    with closing(SqliteStorage(path)) as storage:
        ask: Callable[[str], int] = lambda name: storage.db.transact(  # noqa: E731
            lambda con: con.execute(f"pragma {name}").fetchone()[0]
        )
        assert ask("fullfsync") == 1  # macOS: fsync alone leaves the data in the drive's cache
        assert ask("synchronous") == NORMAL  # the log is synced when the lock is free again
        assert ask("journal_mode") == "wal"
