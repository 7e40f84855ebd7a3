"""The PostgreSQL engine, seen through SQL: its lab, and a schema for each folder of a test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg

from hueycore.model.jobs import Recovered
from hueycore.storage.open import locate_dsn, open_storage
from hueycore.storage.postgres import PostgresStorage
from hueycore.storage.postgres.alive import SERVER_UP
from hueycore.storage.sql.dialect import Connection
from hueycore.system.native import Lock
from tests import servers
from tests.storage.postgres.invariants import ANALYZE, BY_INDEX, MANY
from tests.storage.sql.invariants import broken
from tests.storage.sql.lab import BORN, GONE, MOVED, MOVES_ONLY, WATCHED, SqlLab

#: Told by the clock or the machine, so that two runs of the same verbs differ in them.
VOLATILE = {
    "huey_worker": ("pid", "side", "host", "boot_id", "lost_at"),
}
#: No process has it: the greatest of Linux is less.
NOBODY = 2**22 + 1

#: The schema of each folder.
_schemas: dict[Path, str] = {}
_dropped_later = ExitStack()


def open_schema(folder: Path, queue: str = "huey", **options: Any) -> PostgresStorage:
    dsn = servers.of_this_run()
    if folder not in _schemas:
        _schemas[folder] = _dropped_later.enter_context(servers.schema(dsn))
    return PostgresStorage(dsn, queue, schema=_schemas[folder], **options)


@contextmanager
def drop_schemas() -> Iterator[None]:
    """Nothing of a test stays on the server."""
    try:
        yield
    finally:
        _schemas.clear()
        _dropped_later.close()


@contextmanager
def write_lock(url: str) -> Iterator[None]:
    """Nobody can change anything meanwhile."""
    with closing(open_storage(url, create=False, read_only=True)) as storage:
        database: Any = storage.db  # type: ignore[attr-defined]
        tables = sorted(PostgresLab(storage).snapshot(), key=lambda name: name != "huey_job")
    with connect(url) as con:
        con.execute(f"select {database._every_lock}".encode())
        # Births need no lock of the queue, and begin with their jobs.
        con.execute(f"lock table {', '.join(tables)} in share mode".encode())
        yield


def connect(
    url: str, *, autocommit: bool = False, read_only: bool = False
) -> psycopg.Connection[Any]:
    """A connection of an application's own, which names its tables without their schema."""
    location = locate_dsn(url)
    opened = psycopg.connect(location.dsn, autocommit=autocommit)
    opened.execute(f'set search_path to "{location.schema}"'.encode())
    if not autocommit:
        opened.commit()
    opened.read_only = read_only
    return opened


def wait_until_deaths_count(url: str) -> None:
    """A server that has just begun takes nobody for dead: all had lost their sessions."""
    with psycopg.connect(locate_dsn(url).dsn, autocommit=True) as con:
        con.execute(
            "select pg_sleep_until(backend_start + make_interval(secs => %s))"
            " from pg_stat_activity where backend_type = 'walwriter'",
            (SERVER_UP,),
        )


class PostgresLab(SqlLab):
    """``tests.storage.lab.Lab`` of a queue in a schema."""

    def __init__(self, storage: PostgresStorage) -> None:
        super().__init__(storage)
        self._watched = f"{storage.db.schema}.watched"

    def connect(self, **how: bool) -> psycopg.Connection[Any]:
        db = self._storage.db
        return connect(servers.url(db.dsn, db.schema), **how)

    @property
    def reading(self) -> Lock:
        return self._storage.db._read.lock

    @property
    def writing(self) -> Lock:
        return self._storage.db._write.lock

    def snapshot(self) -> dict[str, list[tuple[Any, ...]]]:
        return self._storage.db.read(self._contents, snapshot=True)

    def _contents(self, con: Connection) -> dict[str, list[tuple[Any, ...]]]:
        columns = con.execute(
            """
            select table_name, column_name from information_schema.columns
                join information_schema.tables using (table_schema, table_name)
            where table_schema = ? and table_type = 'BASE TABLE'
            order by table_name, ordinal_position
            """,
            (self._storage.db.schema,),
        ).fetchall()
        found: dict[str, list[str]] = {}
        for table, column in columns:
            if column not in VOLATILE.get(table, ()):
                found.setdefault(table, []).append(f'"{column}"')
        return {
            table: sorted(
                con.execute(f"select {', '.join(names)} from {table}").fetchall(), key=repr
            )
            for table, names in found.items()
            if table.startswith("huey_")
        }

    def raw(self) -> bytes:
        return repr(self.snapshot()).encode()

    def lift_checks(self) -> None:
        query = """
            select conrelid::regclass::text, conname from pg_constraint
            where contype = 'c' and connamespace = to_regnamespace(?)
            """
        for table, name in self._sql(query, self._storage.db.schema):
            self._write(f"alter table {table} drop constraint {name}")

    def violations(self) -> list[str]:
        if self._sql("select count(*) from huey_job")[0][0] >= MANY:
            self._write(ANALYZE)

        def look(con: Connection) -> list[str]:
            con.execute(BY_INDEX)
            return broken(lambda query: con.execute(query).fetchall())

        return self._storage.db.read(look, snapshot=True)

    def kill(self, worker: int) -> None:
        """The server frees the lock of a dead process. What it had begun was written down."""
        alive = self._storage.alive
        if worker in alive._slots:
            alive._write_down(worker, alive._slots[worker])
        alive.session().release(worker)
        self._write("update huey_worker set pid = ? where id = ?", NOBODY, worker)

    def bury(self, worker: int) -> list[Recovered]:
        self.kill(worker)
        recovered = self._storage.recover()
        # Other engines know that a run had not begun. What this one does about its doubts is
        # tested beside this file.
        self._write("update huey_job set suspect = 0 where suspect = 1")
        return recovered

    def take_for_dead(self, worker: int) -> None:
        self.bury(worker)
        self._storage.alive.session().lost.add(worker)

    def watch(self) -> None:
        columns = ", ".join(
            f"{name} {'text' if name.endswith('state') else 'integer'}"
            for name in WATCHED.split(", ")
        )
        schema = self._storage.db.schema

        def body(con: Connection) -> None:
            con.execute(
                f"create table {self._watched}"
                f" (n bigint generated always as identity, seq bigint, {columns})"
            )
            for name, event, values, seq, condition in (
                ("born", "insert", BORN, "new.seq", ""),
                ("gone", "delete", GONE, "old.seq", ""),
                ("moved", "update", MOVED, "new.seq", f"when ({MOVES_ONLY})"),
            ):
                con.execute(
                    f"""
                    create function {schema}.watch_{name}() returns trigger language plpgsql as $$
                    begin
                        insert into {self._watched} (seq, {WATCHED}) values ({seq}, {values});
                        return null;
                    end $$
                    """
                )
                con.execute(
                    f"""
                    create trigger watch_{name} after {event} on huey_job
                    for each row {condition} execute function {schema}.watch_{name}()
                    """
                )
            # What no verb may ever do stops the verb.
            con.execute(
                f"""
                create function {schema}.watch_claim() returns trigger language plpgsql as $$
                begin
                    raise exception 'the claim number shrinks';
                end $$
                """
            )
            con.execute(
                f"""
                create trigger watch_claim before update on huey_job
                for each row when (new.claim < old.claim) execute function {schema}.watch_claim()
                """
            )

        self._storage.db.transact(body)
