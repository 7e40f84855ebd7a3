"""What a server refuses is an error of its own, with what to do next, and nothing that was
acknowledged is missing when it works again."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from hueycore.exceptions import (
    ConfigurationError,
    StorageBusy,
    StorageError,
    StorageFull,
    StorageMissing,
    StorageReadOnly,
    StorageTooNew,
)
from hueycore.model.jobs import Selector
from hueycore.storage.postgres import PostgresStorage
from tests import servers
from tests.helpers import or_skip, wait_until
from tests.servers import Server
from tests.storage.kit import born, end, new, one, run, worker

#: What each role lacks.
_ROLES = """
    create role maker login;
    create role nobody_here login;
    create role blind login;
    create role reader login;
    create role ann login password 'sesame';
    create role hasty login;
    alter role hasty set statement_timeout = '300ms';
    revoke create on schema public from public;
    grant usage on schema jobs to blind, reader, hasty;
    grant select on all tables in schema jobs to reader, hasty;
    grant all on all tables in schema jobs to hasty;
    grant all on all sequences in schema jobs to hasty;
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """With a queue in the schema ``jobs``, and one of a newer release in ``later``."""
    with or_skip(), servers.crashing() as made:
        rules = made.data / "pg_hba.conf"
        rules.write_text("host all ann 127.0.0.1/32 scram-sha-256\n" + rules.read_text())
        made.restart()
        for schema in ("jobs", "later"):
            with closing(PostgresStorage(made.dsn, schema=schema)) as storage:
                born(storage)
        execute(made, _ROLES)
        execute(made, "update later.huey_meta set value = '99' where name = 'schema'")
        for encoding in ("LATIN1", "SQL_ASCII"):
            how = f"encoding '{encoding}' locale 'C' template template0"
            execute(made, f"create database {encoding.lower()} {how}")
        yield made


def execute(server: Server, sql: str) -> None:
    with psycopg.connect(server.dsn, autocommit=True) as con:
        con.execute(sql.encode())


def dsn(server: Server, user: str = servers.NAME, database: str = servers.NAME) -> str:
    return f"postgresql://{user}@127.0.0.1:{server.port}/{database}"


def ids(storage: PostgresStorage) -> set[str]:
    return {job.id for job in storage.jobs(Selector())}


# --- the way in -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("user", "place", "kind", "words", "hint"),
    [
        ("ann:wrong", {}, StorageError, "password authentication failed", "PGPASSWORD"),
        ("who", {}, StorageError, 'role "who" does not exist', "createuser"),
        ("maker", {}, StorageReadOnly, "permission denied for schema public", "grant"),
        ("maker", {"schema": "mine"}, StorageReadOnly, "denied for database huey", "grant"),
        ("nobody_here", {"schema": "jobs"}, StorageReadOnly, "denied for schema jobs", "grant"),
        ("blind", {"schema": "jobs"}, StorageReadOnly, "denied for table huey_meta", "grant"),
        ("huey", {"schema": "none", "create": False}, StorageMissing, "no queue", "--create"),
        ("huey", {"schema": "later"}, StorageTooNew, "has schema 99", None),
        ("huey", {"database": "none"}, StorageError, 'database "none" does not', "createdb"),
        ("huey", {"database": "latin1"}, StorageError, "encoding LATIN1", "createdb"),
    ],
)
def test_a_door_that_is_closed_says_why(
    server: Server, user: str, place: dict[str, Any], kind: type[StorageError], words: str,
    hint: str | None,
) -> None:  # fmt: skip
    options = dict(place)
    database = options.pop("database", servers.NAME)
    began = time.monotonic()

    with pytest.raises(kind, match=words) as raised:
        PostgresStorage(dsn(server, user, database), **options)

    assert type(raised.value) is kind
    assert time.monotonic() - began < 3, "nothing here passes by itself"
    assert hint is None or hint in (raised.value.hint or "")
    assert "wrong" not in str(raised.value)


def test_who_may_only_look_looks(server: Server) -> None:
    with closing(PostgresStorage(dsn(server, "reader"), schema="jobs")) as storage:
        before = ids(storage)
        for verb in (born, worker):
            with pytest.raises(StorageReadOnly, match="may not do that") as raised:
                verb(storage)
            assert "grant" in (raised.value.hint or "")
        assert ids(storage) == before != set()


def test_a_database_without_an_encoding_keeps_every_text(server: Server) -> None:
    with closing(PostgresStorage(dsn(server, database="sql_ascii"))) as storage:
        job = born(storage, "Grüße, 任务", preview="✓")

        found = storage.job(job.id)

        assert found is not None and (found.task, found.preview) == ("Grüße, 任务", "✓")
        run(storage, worker(storage))


def test_a_guest_whose_connection_has_no_place_for_texts_is_told(server: Server) -> None:
    with (
        closing(PostgresStorage(server.dsn, schema="jobs")) as storage,
        psycopg.connect(server.dsn, client_encoding="latin1") as con,
        pytest.raises(ConfigurationError, match="client_encoding"),
    ):
        storage.on(con).enqueue([new()])


# --- what passes ----------------------------------------------------------------------------------


def test_a_statement_timeout_of_the_role_leaves_nothing_half_done(server: Server) -> None:
    with (
        closing(PostgresStorage(dsn(server, "hasty"), schema="jobs")) as storage,
        psycopg.connect(server.dsn) as other,
    ):
        number = worker(storage)
        kept = born(storage)
        before = ids(storage)
        other.execute("lock table jobs.huey_job in share mode")

        for verb in (lambda: born(storage), lambda: one(storage, number)):
            with pytest.raises(StorageBusy, match="took too long") as raised:
                verb()
            assert "statement_timeout" in (raised.value.hint or "")

        other.rollback()
        assert ids(storage) == before and kept.id in before
        run(storage, number)
        storage.unregister(number)


@contextmanager
def all_connections(server: Server) -> Iterator[None]:
    """Nobody else is let in."""
    with ExitStack() as held:
        try:
            while True:
                held.enter_context(psycopg.connect(server.dsn))
        except psycopg.OperationalError:
            yield


def test_who_is_at_work_goes_on_where_no_connection_is_left(server: Server) -> None:
    with closing(PostgresStorage(server.dsn, schema="jobs", timeout=10)) as storage:
        number = worker(storage)
        with all_connections(server):
            run(storage, number)
            with pytest.raises(StorageError, match=r"too many clients|slots are reserved") as full:
                PostgresStorage(server.dsn, schema="jobs")
            assert "max_connections" in (full.value.hint or "")
        born(storage)
        storage.unregister(number)


def test_whose_connection_ends_waits_for_a_place(server: Server) -> None:
    with closing(PostgresStorage(server.dsn, schema="jobs", timeout=0.5)) as storage:
        before = ids(storage)
        with psycopg.connect(server.dsn, autocommit=True) as con:
            with all_connections(server):
                # The tests' own user is a superuser: places that others leave are taken again.
                con.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity"
                    " where application_name = 'hueycore'"
                )
                with psycopg.connect(server.dsn), pytest.raises(StorageError) as full:
                    wait_until(lambda: bool(born(storage)))
            assert "max_connections" in (full.value.hint or "")
        assert ids(storage) == before
        assert born(storage).fresh


# --- the disk -------------------------------------------------------------------------------------


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 100 MB that holds nothing else. The server's user may go there."""
    folder = Path(tempfile.mkdtemp(prefix="huey-disk-"))
    command = ["mount", "-t", "tmpfs", "-o", "size=100m,mode=711", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"a file system of its own needs root: {done.stderr.strip()}")
        yield folder
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
    except FileNotFoundError:
        pytest.skip("mount is not installed")
    finally:
        folder.rmdir()


def fill(folder: Path) -> Path:
    """Leave no room there."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(os.urandom(65_536)):
                pass
        except OSError:
            return ballast


def test_a_full_disk_is_named_and_nothing_is_lost(
    postgres_binaries: Path, small_disk: Path
) -> None:
    with (
        servers.crashing(on=small_disk) as server,
        closing(PostgresStorage(server.dsn, timeout=2)) as storage,
    ):
        number = worker(storage)
        acknowledged = {born(storage).id}
        claim = one(storage, number)
        ballast = fill(small_disk)

        with pytest.raises(StorageFull, match="no space left") as raised:
            while True:
                jobs = [new(payload=os.urandom(20_000)) for _ in range(10)]
                storage.enqueue(jobs)
                acknowledged |= {job.id for job in jobs}

        assert "free some space" in (raised.value.hint or "")
        assert ids(storage) == acknowledged
        ballast.unlink()
        acknowledged.add(born(storage).id)
        assert end(storage, number, claim).lost == []
        assert ids(storage) == acknowledged


# --- a standby ------------------------------------------------------------------------------------


def test_a_standby_is_named_and_takes_over_where_all_are_named(postgres_server: Server) -> None:
    with ExitStack() as held:
        first = held.enter_context(closing(PostgresStorage(postgres_server.dsn, timeout=1)))
        kept = [born(first) for _ in range(3)]
        second = held.enter_context(servers.standby(postgres_server))

        with closing(PostgresStorage(second.dsn)) as mistaken:
            wait_until(lambda: len(ids(mistaken)) == 3)
            for verb in (born, worker):
                with pytest.raises(StorageReadOnly, match="standby") as raised:
                    verb(mistaken)
                assert "target_session_attrs=read-write" in (raised.value.hint or "")

        hosts = f"127.0.0.1:{second.port},127.0.0.1:{postgres_server.port}"
        both = f"postgresql://huey@{hosts}/huey?target_session_attrs=read-write"
        storage = held.enter_context(closing(PostgresStorage(both, timeout=20)))
        number = worker(storage)
        claims = [one(storage, number) for _ in range(2)]
        with psycopg.connect(postgres_server.dsn, autocommit=True) as con:
            (at,) = con.execute("select pg_current_wal_insert_lsn()").fetchone() or (None,)
        with psycopg.connect(second.dsn, autocommit=True) as con:
            caught_up = "select pg_last_wal_replay_lsn() >= %s::pg_lsn"
            wait_until(lambda: con.execute(caught_up, (at,)).fetchone() == (True,))
            postgres_server.kill()
            con.execute("select pg_promote()")

        # Endings and births go where writing is possible now, and so does the session.
        assert end(storage, number, claims[0]).lost == []
        assert born(storage).fresh
        wait_until(lambda: storage.alive.session().holds(number), 15)
        assert end(storage, number, claims[1]).lost == []
        assert run(storage, number).seq == kept[2].seq
        with pytest.raises(StorageError, match="refused"):
            first.enqueue([new()])
