"""The engine that a run of the bench measures, and what each measurement is told of it."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple
from urllib.parse import urlsplit

from tests import redis_servers, servers

#: Of a server as it comes; one of tests has less.
SHARED_BUFFERS = "128MB"


class Engine(NamedTuple):
    """What measurements are told, and what it is called."""

    environ: dict[str, str]
    name: str


@contextmanager
def postgres() -> Iterator[Engine]:
    """A server for this run, which waits for the disk. Ends the program where none can be made."""
    import psycopg

    try:
        servers.binaries()
    except servers.Unavailable as reason:
        sys.exit(f"bench: {reason}")
    with servers.alone() as server:
        with psycopg.connect(server.dsn, autocommit=True) as con:
            con.execute(f"alter system set shared_buffers = '{SHARED_BUFFERS}'".encode())
            release = con.info.parameter_status("server_version")
        server.restart()
        pid = (server.data / "postmaster.pid").read_text().split()[0]
        told = {"BENCH_SERVER": server.dsn, "BENCH_SERVER_PID": pid}
        yield Engine(told, f"PostgreSQL {release}")


@contextmanager
def redis() -> Iterator[Engine]:
    """A server for this run, which writes its log and syncs it every second. Ends the program where
    none can be made."""
    try:
        redis_servers.binary()
    except servers.Unavailable as reason:
        sys.exit(f"bench: {reason}")
    kept = ("--appendonly", "yes", "--appendfsync", "everysec")
    with redis_servers.crashing(*kept, durable=False) as server:
        assert server.process
        told = {"BENCH_SERVER": server.url, "BENCH_SERVER_PID": str(server.process.pid)}
        about = server.client().info("server")
        name = "Valkey" if "valkey_version" in about else "Redis"
        yield Engine(told, f"{name} {about.get('valkey_version', about['redis_version'])}")


@contextmanager
def sqlite() -> Iterator[Engine]:
    import sqlite3

    yield Engine({}, f"SQLite {sqlite3.sqlite_version}")


ENGINES = {"sqlite": sqlite, "postgres": postgres, "redis": redis}


@contextmanager
def database(environ: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """A new database for one measurement, where the engine is a server."""
    if "BENCH_SERVER" not in environ:
        yield {}
        return
    if environ["BENCH_SERVER"].startswith("redis"):
        import redis

        url = environ["BENCH_SERVER"] + "/0"
        with redis.Redis.from_url(url) as client:
            client.flushall()
            yield {"BENCH_URL": url}
        return
    import psycopg

    dsn, name = environ["BENCH_SERVER"], f"bench_{secrets.token_hex(6)}"
    with psycopg.connect(dsn, autocommit=True) as con:
        con.execute(f"create database {name}".encode())
        try:
            yield {"BENCH_URL": urlsplit(dsn)._replace(path=f"/{name}").geturl()}
        finally:
            # Consumers that were killed may have left their connections.
            con.execute(f"drop database {name} with (force)".encode())
