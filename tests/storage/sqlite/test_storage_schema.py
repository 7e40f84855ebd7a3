"""The schema: illegal rows are refused, hot queries use their index, versions are respected, and
what else is in the file belongs to its owner."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from hueycore.exceptions import (
    StorageBusy,
    StorageCorrupt,
    StorageError,
    StorageReadOnly,
    StorageTooNew,
)
from hueycore.model.endings import Dead, Done
from hueycore.model.jobs import Selector, Want
from hueycore.model.limits import Limit, Rate
from hueycore.model.retention import Keeping
from hueycore.model.states import FINAL, LIVE, State
from hueycore.storage.sql.unique import _HOLDS
from hueycore.storage.sqlite import SqliteStorage, dial, schema
from tests.helpers import Clock, give_up_after
from tests.storage.conftest import Maker
from tests.storage.kit import FAILURE, born, ended, new, one, run, take, worker
from tests.storage.sql.lab import sql, write
from tests.storage.sqlite.invariants import violations

Raw = Callable[[], sqlite3.Connection]

# --- illegal rows ---------------------------------------------------------------------------------

ILLEGAL: dict[str, list[str]] = {
    "any": [
        "state = 'nonsense'", "state = ''", "state = null", "attempt = -1", "attempt = claim + 1",
        "claim = -1", "retries = -1", "retry_delay = -1", "waits = -1", "at_most_once = 2",
        "cancel_requested = 4", "delivered = -1", "taken = 2", "priority = 'high'", "run_at = null",
        "run_at = 'soon'", "id = null", "queue = null", "task = null", "enqueued_at = null",
        "claim = 1.5", "preview = x'00'", "seq = 'x'",
    ],
    "pending": [
        "worker = 1", "claimed_at = 1", "finished_at = 1", "waits = 1", "taken = 0",
        "state = 'running'", "state = 'done'", "state = 'dead'", "state = 'revoked'",
        "state = 'expired'",
    ],
    "running": [
        "worker = null", "claimed_at = null", "finished_at = 1", "claim = 0, attempt = 0",
        "waits = 1", "taken = 0", "state = 'pending'", "state = 'scheduled'", "state = 'blocked'",
        "state = 'done'", "state = 'dead'", "state = 'done', finished_at = 1",
        "state = 'dead', finished_at = 1, worker = null",
    ],
    "done": [
        "worker = 1", "claimed_at = 1", "finished_at = null", "waits = 1", "state = 'pending'",
        "state = 'running'", "state = 'scheduled'", "state = 'blocked'",
    ],
    "dead": ["worker = 1", "claimed_at = 1", "finished_at = null", "state = 'pending'"],
    "scheduled": ["worker = 1", "finished_at = 1", "waits = 1", "state = 'done'"],
    "blocked": ["worker = 1", "claimed_at = 1", "finished_at = 1", "taken = 0"],
}  # fmt: skip


@pytest.fixture
def rows(storage: SqliteStorage) -> SqliteStorage:
    """One job in each of some states; its task is the state's name."""
    number = worker(storage)
    storage.enqueue([new("done"), new("dead"), new("running")])
    run(storage, number, Done(b"x"))
    run(storage, number, Dead("failed", FAILURE))
    one(storage, number)
    storage.enqueue([new("pending"), new("scheduled", run_at=4e9)])
    storage.lock("k", number, b"token")
    storage.enqueue([new("blocked", key_name="k")])
    return storage


@pytest.mark.parametrize(
    ("state", "change"), [(state, one) for state, changes in ILLEGAL.items() for one in changes]
)
def test_an_illegal_row_is_refused(rows: SqliteStorage, state: str, change: str) -> None:
    task = "pending" if state == "any" else state
    before = sql(rows, "select * from huey_job")

    with pytest.raises(StorageError):
        write(rows, f"update huey_job set {change} where task = ?", task)

    assert sql(rows, "select * from huey_job") == before


@pytest.mark.parametrize(
    ("table", "values"),
    [
        ("huey_worker", "(0, 'q', 'n', 'h', 1, 'b', 'k', 1, 'running', 0, 0)"),
        ("huey_worker", "(4096, 'q', 'n', 'h', 1, 'b', 'k', 1, 'running', 0, 0)"),
        ("huey_worker", "(7, 'q', 'n', 'h', 1, 'b', 'k', -1, 'running', 0, 0)"),
        ("huey_worker", "(7, 'q', 'n', 'h', 1, 'b', 'k', 1, 'dead', 0, 0)"),
        ("huey_flag (queue, kind, name, since)", "('q', 'nonsense', 'n', 0)"),
        ("huey_flag (queue, kind, name, once, since)", "('q', 'revoked-id', 'n', 2, 0)"),
        ("huey_value (queue, kind, name, created_at)", "('q', 'nonsense', 'n', 0)"),
        ("huey_limit (queue, task, at_once)", "('q', 't', 0)"),
        ("huey_limit (queue, task, rate, per, burst)", "('q', 't', 0, 1, 1)"),
        ("huey_limit (queue, task, rate, per, burst)", "('q', 't', 1, 0, 1)"),
        ("huey_limit (queue, task, rate)", "('q', 't', 1)"),
        (
            "huey_periodic (queue, name, task, schedule, next_run, catch_up)",
            "('q', 'n', 't', 's', 0, 'often')",
        ),
        (
            "huey_periodic (queue, name, task, schedule, next_run, origin)",
            "('q', 'n', 't', 's', 0, 'heaven')",
        ),
        (
            "huey_periodic (queue, name, task, schedule, next_run, options)",
            "('q', 'n', 't', 's', 0, '{')",
        ),
        ("huey_payload", "(1, 'text')"),
        ("huey_result", "(1, 'q', 'text')"),
        ("huey_payload", "(null, null)"),
    ],
)
def test_an_illegal_row_of_another_table_is_refused(
    storage: SqliteStorage, table: str, values: str
) -> None:
    with pytest.raises(StorageError):
        write(storage, f"insert into {table} values {values}")


def test_an_id_is_unique_in_its_queue(make: Maker) -> None:
    storage = make()
    job = born(storage)

    with pytest.raises(StorageError):
        write(
            storage,
            """
            insert into huey_job (id, queue, task, state, run_at, enqueued_at)
            values (?, 'huey', 't', 'pending', 0, 0)
            """,
            job.id,
        )


def test_a_second_job_of_a_unique_key_is_refused(storage: SqliteStorage) -> None:
    born(storage, unique_key="key", unique_until="end")
    born(storage, id="other")

    with pytest.raises(StorageError, match="UNIQUE"):
        write(storage, "update huey_job set unique_key = 'key', unique_until = 'end'")


def test_every_table_is_strict_and_everything_has_the_prefix(storage: SqliteStorage) -> None:
    tables = sql(storage, "select name, strict from pragma_table_list where schema = 'main'")
    strict = dict(tables)

    for name, is_strict in strict.items():
        if not name.startswith("sqlite_"):
            assert is_strict or name == "huey_jobs", name
    names = sql(storage, "select name from sqlite_master where name not like 'sqlite_%'")
    assert all(name.startswith("huey_") for (name,) in names)


def test_the_view_for_people_shows_every_job(rows: SqliteStorage) -> None:
    shown = sql(rows, "select seq, state, args, enqueued from huey_jobs order by seq")

    assert [state for _, state, _, _ in shown] == [
        *("done", "dead", "running", "pending", "scheduled", "blocked")
    ]
    assert all(enqueued.startswith("20") for _, _, _, enqueued in shown)


# --- plans ----------------------------------------------------------------------------------------


class Explained(dial.Connection):
    """Remembers how SQLite went about each statement."""

    plans: ClassVar[list[tuple[str, list[str]]]] = []

    def execute(self, query: str, *args: Any) -> sqlite3.Cursor:  # type: ignore[override]
        words = query.split(None, 1)[0].lower()
        if words in ("select", "update", "delete", "insert") and "sqlite_" not in query:
            steps = super().execute(f"explain query plan {query}", *args).fetchall()
            Explained.plans.append((" ".join(query.split()), [step[3] for step in steps]))
        return super().execute(query, *args)


@pytest.fixture
def explained(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Explained]]:
    monkeypatch.setattr(dial, "connection_class", Explained)
    Explained.plans = []
    yield Explained


@contextmanager
def plans_of(explained: type[Explained]) -> Iterator[list[tuple[str, list[str]]]]:
    explained.plans = []
    yield explained.plans


def by_state(storage: SqliteStorage, selector: Selector) -> None:
    """As if there were too many rows to find some among the first ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hueycore.storage.sql.selector._near", lambda *_: None)
        storage.jobs(selector)


#: The verb, and the indexes that its statements about jobs must use.
HOT: dict[str, tuple[Callable[[SqliteStorage, int], object], set[str]]] = {
    "look for work": (lambda s, w: s.exchange(w, [], Want(1)), {"huey_job_pending"}),
    "promote": (lambda s, w: s.promote(), {"huey_job_scheduled"}),
    "next_run_at": (lambda s, w: s.next_run_at(), {"huey_job_scheduled"}),
    "expire": (lambda s, w: s.expire(), {"huey_job_expiry"}),
    "recover": (lambda s, w: s.unregister(w), {"huey_job_running"}),
    "keep": (
        lambda s, w: s.keep(Keeping(done_count=0)), {"huey_job_finished", "huey_job_ttl"},
    ),
    "depths": (
        lambda s, w: s.depths(),
        {"huey_job_pending", "huey_job_scheduled", "huey_job_running", "huey_job_blocked",
         "huey_job_finished"},
    ),
    "result": (lambda s, w: s.result("x", preserve=False), {"huey_job_id"}),
    "job by its id": (lambda s, w: s.job("x"), {"huey_job_id"}),
    "job by its number": (lambda s, w: s.job("7"), {"huey_job_id"}),
    "what runs": (lambda s, w: s.jobs(Selector(states=(State.RUNNING,))), {"huey_job_running"}),
    "held keys": (
        lambda s, w: s.held_keys(), {"huey_job_blocked", "huey_job_running"},
    ),
    "the first live jobs": (
        lambda s, w: by_state(s, Selector(states=LIVE, queues=("huey",), limit=9)),
        {"huey_job_pending", "huey_job_scheduled", "huey_job_running", "huey_job_blocked"},
    ),
    "the first live jobs of all queues": (
        lambda s, w: by_state(s, Selector(states=LIVE, limit=9)),
        {"huey_job_pending", "huey_job_scheduled", "huey_job_running", "huey_job_blocked"},
    ),
    "the first ended jobs of all queues": (
        lambda s, w: by_state(s, Selector(states=FINAL, limit=9)), {"huey_job_finished"},
    ),
    "number of live jobs": (
        lambda s, w: s.count(Selector(states=LIVE)),
        {"huey_job_pending", "huey_job_scheduled", "huey_job_running", "huey_job_blocked"},
    ),
    "jobs by their ids": (lambda s, w: s.jobs(Selector(keys=("x", "7"))), {"huey_job_id"}),
    "dead": (
        lambda s, w: s.jobs(Selector(queues=("huey",), states=(State.DEAD,), sort="-finished_at")),
        {"huey_job_finished"},
    ),
}  # fmt: skip
#: Those that sort what they have found.
SORTING = (
    *("the first live jobs", "the first live jobs of all queues"),
    *("the first ended jobs of all queues", "dead"),
    *("job by its id", "job by its number", "jobs by their ids", "what runs", "held keys"),
)


@pytest.mark.parametrize("name", HOT)
def test_a_hot_query_uses_its_index_and_sorts_nothing(
    make_file: Maker, explained: type[Explained], clock: Clock, name: str
) -> None:
    clock.freeze()
    storage = make_file()
    number = worker(storage)
    storage.enqueue([new(expires_at=clock.now() + 1), new(run_at=clock.now() + 1), new()])
    run(storage, number, Done(b"x"))
    clock.jump(5)
    verb, expected = HOT[name]

    with plans_of(explained) as plans:
        verb(storage, number)

    used = set()
    for query, steps in plans:
        for step in steps:
            words = step.split()
            used |= {word for word in words if word.startswith("huey_job_")}
            # The table and the index of all ids are never read as a whole; that of a state may be.
            if words[0] == "SCAN" and words[1] in ("huey_job", "job"):
                assert "INDEX" in words and words[-1] != "huey_job_id", (query, steps)
            if name not in SORTING:
                assert "TEMP B-TREE" not in step, (query, steps)
    assert expected <= used, (expected - used, plans)


def test_a_claim_reads_the_pending_index_in_order(
    make_file: Maker, explained: type[Explained]
) -> None:
    storage = make_file()
    storage.enqueue([new() for _ in range(5)])
    number = worker(storage)

    with plans_of(explained) as plans:
        take(storage, number, 3)

    (steps,) = (steps for query, steps in plans if "order by job.priority desc" in query)
    assert "huey_job_pending" in steps[0]
    assert not any("TEMP B-TREE" in step for step in steps)


def test_a_key_is_settled_from_its_indexes(
    make_file: Maker, explained: type[Explained], clock: Clock
) -> None:
    """However many jobs wait for it: the first one is found in order, and only those that run or
    are about to are counted."""
    clock.freeze()
    storage = make_file()
    storage.declare_limits([Limit("task", "k", 1, Rate(1, 1.0))])
    storage.enqueue([new(key_name="k") for _ in range(5)])
    number = worker(storage)
    claims = take(storage, number, 3)

    with plans_of(explained) as plans:
        storage.exchange(number, [ended(claim) for claim in claims], Want(3))
        clock.jump(5)
        storage.promote()

    asked = {}
    for query, steps in plans:
        if "key_name" in query and query.startswith("select"):
            assert not any(step.startswith("SCAN huey_job") for step in steps), (query, steps)
            asked[query.split(" from ")[0]] = steps
    (waiting,) = (steps for what, steps in asked.items() if what == "select seq, task, priority")
    assert waiting[0].startswith("SEARCH huey_job USING INDEX huey_job_blocked")
    assert not any("TEMP B-TREE" in step for step in waiting)
    (used,) = (steps for what, steps in asked.items() if what == "select key_name, state, count(*)")
    assert used[0].startswith("SEARCH huey_job USING INDEX huey_job_key")
    (due,) = (steps for query, steps in plans if query.startswith("select name from huey_key"))
    assert due[0].startswith("SEARCH huey_key USING")


def test_the_pending_jobs_of_a_key_are_found_by_the_key(
    make_file: Maker, explained: type[Explained]
) -> None:
    storage = make_file()
    storage.declare_limits([Limit("task", "k", 1)])
    born(storage, key_name="k")

    with plans_of(explained) as plans:
        born(storage, key_name="k")

    (steps,) = (steps for query, steps in plans if query.startswith("select priority, seq, task"))
    assert steps[0].startswith("SEARCH huey_job USING INDEX huey_job_key")


def test_jobs_of_other_queues_cost_a_poll_nothing(make_file: Maker) -> None:
    ours, theirs = make_file("ours"), make_file("theirs")
    born(theirs)
    number = worker(ours)
    steps: list[int] = []

    def poll() -> int:
        steps.clear()
        reader = ours.db._reader()
        reader.set_progress_handler(lambda: steps.append(1), 1)
        ours.exchange(number, [], Want(4))
        reader.set_progress_handler(None, 1)
        return len(steps)

    poll()
    before = poll()
    theirs.enqueue([new() for _ in range(3000)])
    poll()

    assert 0 < poll() == before


def test_a_unique_key_is_found_by_its_index(storage: SqliteStorage) -> None:
    plan = sql(
        storage,
        "explain query plan select seq from huey_job where queue = 'huey' and task = 'task' "
        f"and unique_key = 'key' and {_HOLDS}",
    )

    assert "huey_job_unique (queue=? AND task=? AND unique_key=?)" in plan[0][3]


# --- versions -------------------------------------------------------------------------------------


def set_version(raw: Raw, version: str) -> None:
    con = raw()
    con.execute("update huey_meta set value = ? where name = 'schema'", (version,))


def test_a_newer_file_is_refused_by_writers_and_readers(
    make_file: Maker, path: str, raw: Raw
) -> None:
    make_file().close()
    set_version(raw, str(schema.VERSION + 1))

    for options in ({}, {"read_only": True}):
        with pytest.raises(StorageTooNew, match=f"schema {schema.VERSION + 1}"):
            SqliteStorage(path, **options)


def test_a_running_process_notices_that_the_file_became_newer(make_file: Maker, raw: Raw) -> None:
    storage = make_file()
    storage.verify()
    set_version(raw, str(schema.VERSION + 1))

    with pytest.raises(StorageTooNew):
        storage.verify()

    set_version(raw, str(schema.VERSION))
    storage.verify()


@pytest.mark.parametrize("value", ["", "nonsense", "1.5", None])
def test_a_version_that_is_none_means_damage(
    make_file: Maker, path: str, raw: Raw, value: str | None
) -> None:
    make_file().close()
    if value is None:
        raw().execute("delete from huey_meta")
    else:
        set_version(raw, value)

    for options in ({}, {"read_only": True}):
        with pytest.raises(StorageCorrupt):
            SqliteStorage(path, **options)


def test_an_older_file_is_brought_up_to_date_by_a_writer_and_only_read_by_a_reader(
    monkeypatch: pytest.MonkeyPatch, make_file: Maker, path: str, raw: Raw
) -> None:
    old = make_file()
    job = born(old)
    old.close()
    monkeypatch.setattr(schema, "VERSION", schema.VERSION + 2)
    monkeypatch.setitem(
        schema.MIGRATIONS, schema.VERSION - 1, ("alter table huey_job add column first text",)
    )
    monkeypatch.setitem(
        schema.MIGRATIONS, schema.VERSION, ("create table huey_second (x integer) strict",)
    )

    reader = SqliteStorage(path, read_only=True)
    assert reader.job(job.id) is not None
    reader.close()
    assert raw().execute("select value from huey_meta").fetchall() == [(str(schema.VERSION - 2),)]

    writer = make_file()
    assert sql(writer, "select value from huey_meta") == [(str(schema.VERSION),)]
    assert sql(writer, "select first from huey_job") == [(None,)]
    assert sql(writer, "select count(*) from huey_second") == [(0,)]
    again = make_file()
    assert again.job(job.id) is not None


def test_a_migration_that_fails_changes_nothing(
    make_file: Maker, path: str, raw: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_file().close()
    monkeypatch.setattr(schema, "VERSION", schema.VERSION + 1)
    monkeypatch.setitem(
        schema.MIGRATIONS,
        schema.VERSION,
        ("create table huey_new (x)", "create table huey_new (x)"),
    )

    with pytest.raises(StorageError):
        SqliteStorage(path)

    assert raw().execute("select name from sqlite_master where name = 'huey_new'").fetchall() == []
    assert raw().execute("select value from huey_meta").fetchall() == [(str(schema.VERSION - 1),)]


def test_a_migration_waits_for_the_write_lock(
    monkeypatch: pytest.MonkeyPatch, make_file: Maker, path: str, raw: Raw
) -> None:
    make_file().close()
    monkeypatch.setattr(schema, "VERSION", schema.VERSION + 1)
    monkeypatch.setitem(schema.MIGRATIONS, schema.VERSION, ("create table huey_new (x)",))
    give_up_after(monkeypatch, 0.05)
    holder = raw()
    holder.execute("begin immediate")

    with pytest.raises(StorageBusy, match="before a transaction of your own begins"):
        SqliteStorage(path)

    holder.execute("rollback")
    make_file()


def test_the_first_use_of_all_within_a_transaction_on_the_file_is_refused_and_told_what_to_do(
    monkeypatch: pytest.MonkeyPatch, path: str, raw: Raw
) -> None:
    give_up_after(monkeypatch, 0.05)
    mine = raw()
    mine.execute("begin immediate")

    with pytest.raises(StorageBusy, match="before a transaction of your own begins"):
        SqliteStorage(path)


OLD_FILES = sorted((Path(__file__).parent / "old").glob("schema-*.sql"))


@pytest.fixture(params=OLD_FILES, ids=lambda file: file.stem)
def old_file(request: pytest.FixtureRequest, path: str, raw: Raw) -> str:
    """A file as an older release left it: a job in each of some states, of a consumer that is
    dead, and one of another queue."""
    con = raw()
    con.executescript(request.param.read_text())
    con.execute("pragma journal_mode = wal")
    return path


def test_an_old_file_goes_on_where_it_was_left(old_file: str, make_file: Maker) -> None:
    storage = make_file()

    assert sql(storage, "select value from huey_meta where name = 'schema'") == [
        (str(schema.VERSION),)
    ]
    assert storage.db.read(violations) == []
    assert [found.job.id for found in storage.recover()] == ["running"]
    number = worker(storage)
    for expected in ("running", "first", "then"):
        assert run(storage, number, Done(b"x")).id == expected
    states = {job.id: str(job.state) for job in storage.jobs(Selector())}
    assert states == {
        "done": "done", "dead": "dead", "running": "done", "first": "done", "then": "done",
        "later": "scheduled", "pending": "pending",
    }  # fmt: skip


def test_an_old_file_that_was_brought_up_to_date_has_the_indexes_of_a_new_one(
    old_file: str, make_file: Maker
) -> None:
    query = """
        select name, group_concat(seqno || ' ' || column, ', ') from (
            select index_.name as name, seqno, coalesce(part.name, '') as column
            from sqlite_master index_, pragma_index_xinfo(index_.name) part
            where index_.type = 'index' order by index_.name, seqno)
        group by name
    """
    fresh = SqliteStorage(":memory:")

    assert sql(make_file(), query) == sql(fresh, query)
    fresh.close()


def test_an_old_file_answers_whoever_only_reads_and_stays_as_it_is(old_file: str, raw: Raw) -> None:
    before = list(raw().iterdump())

    with closing(SqliteStorage(old_file, read_only=True)) as reader:
        assert {job.id for job in reader.jobs(Selector())} == {
            *("done", "dead", "running", "first", "then", "later", "pending")
        }
        for name in ("done", "running", "pending"):
            job = reader.job(name)
            assert job is not None and reader.job(str(job.seq)) == job
        assert {(one.queue, str(one.state), one.count) for one in reader.depths()} == {
            ("huey", "done", 1), ("huey", "dead", 1), ("huey", "running", 1),
            ("huey", "pending", 1), ("huey", "blocked", 1), ("huey", "scheduled", 1),
            ("other", "pending", 1),
        }  # fmt: skip
        assert {one.task for one in reader.tasks_seen()} >= {"running", "dead", "pending"}
        assert reader.result("done", preserve=True) is not None

    assert list(raw().iterdump()) == before


def test_a_reader_goes_on_when_its_old_file_is_brought_up_to_date(
    old_file: str, make_file: Maker
) -> None:
    with closing(SqliteStorage(old_file, read_only=True)) as reader:
        assert {job.ran_by for job in reader.jobs(Selector())} == {None}

        storage = make_file()
        done = run(storage, worker(storage, "box-1"))

        job = reader.job(done.id)
        assert job is not None and job.ran_by == "box-1"
        assert [one.job.ran_by for one in reader.export(Selector(keys=(done.id,)))] == ["box-1"]


def test_there_is_a_migration_to_every_version() -> None:
    assert sorted(schema.MIGRATIONS) == list(range(2, schema.VERSION + 1))


# --- the file of an application -------------------------------------------------------------------


def test_the_applications_own_database_keeps_what_is_its_own(path: str, raw: Raw) -> None:
    owner = raw()
    owner.execute("pragma user_version = 77")
    owner.execute("pragma application_id = 1234")
    owner.execute("create table orders (id integer primary key, total real)")
    owner.execute("create index orders_total on orders (total)")
    owner.execute("create view huge as select * from orders where total > 1000")
    owner.execute("insert into orders values (1, 12.5)")
    before = owner.execute("select type, name, sql from sqlite_master order by name").fetchall()

    storage = SqliteStorage(path)
    number = worker(storage)
    born(storage)
    run(storage, number)
    storage.flush()
    storage.close()

    after = owner.execute(
        "select type, name, sql from sqlite_master where name not like 'huey_%' order by name"
    ).fetchall()
    assert [row for row in after if not row[1].startswith("sqlite_")] == before
    assert owner.execute("pragma user_version").fetchall() == [(77,)]
    assert owner.execute("pragma application_id").fetchall() == [(1234,)]
    assert owner.execute("select * from orders").fetchall() == [(1, 12.5)]


def test_a_queue_file_has_no_user_version_or_application_id(file: SqliteStorage) -> None:
    assert sql(file, "pragma user_version") == sql(file, "pragma application_id") == [(0,)]


def test_an_application_may_enqueue_in_its_own_transaction(file: SqliteStorage, raw: Raw) -> None:
    """Plain rows, so that a producer in another language can write them."""
    owner = raw()
    owner.execute("create table orders (id integer primary key) strict")
    for order, fate in ((1, "commit"), (2, "rollback")):
        owner.execute("begin immediate")
        owner.execute("insert into orders values (?)", (order,))
        owner.execute(
            """
            insert into huey_job (id, queue, task, state, run_at, enqueued_at)
            values (?, 'huey', 'ship', 'pending', 0, 0)
            """,
            (f"order-{order}",),
        )
        owner.execute("insert into huey_payload values (last_insert_rowid(), x'01')")
        owner.execute("insert or ignore into huey_queue (queue, created_at) values ('huey', 0)")
        owner.execute(fate)

    claims = take(file, worker(file), 9)

    assert [(claim.id, claim.task, claim.payload) for claim in claims] == [
        ("order-1", "ship", b"\x01")
    ]


def test_a_database_without_a_queue_is_refused_by_readers(path: str, raw: Raw) -> None:
    raw().execute("create table orders (id integer primary key)")

    with pytest.raises(StorageCorrupt, match="no queue"):
        SqliteStorage(path, read_only=True)

    assert raw().execute("select name from sqlite_master").fetchall() == [("orders",)]


def test_a_reader_never_writes(make_file: Maker, path: str) -> None:
    writer = make_file()
    job = born(writer, expires_at=1.0)
    reader = make_file(read_only=True)

    assert reader.job(job.id) is not None
    for verb in (
        lambda: reader.enqueue([new()]), lambda: reader.revoke(Selector()), reader.flush,
        lambda: reader.put("a", b"b"), lambda: reader.expire(), lambda: reader.keep(Keeping()),
        lambda: reader.register(name="w", kind="k", slots=1), reader.pause,
    ):  # fmt: skip
        with pytest.raises(StorageReadOnly):
            verb()
    with pytest.raises(StorageError):
        reader.db.read(lambda con: con.execute("delete from huey_job"))

    assert writer.count(Selector()) == 1
    assert writer.db.read(violations, snapshot=True) == []
