"""What a server can be asked: who it is, what it promises, and what keeps it from cleaning up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hueycore.exceptions import ConfigurationError
from hueycore.model.diagnosis import Diagnosis, ok, problem, warning
from hueycore.model.reports import Info
from hueycore.storage.postgres.hints import STANDBY
from hueycore.storage.postgres.pooler import Connect, refuse_transaction_mode
from hueycore.storage.postgres.statements import Connection as PgConnection
from hueycore.storage.sql.dialect import Connection

OLDEST_SERVER = 13
#: Seconds of a transaction after which dead rows add up, and after which work becomes slow.
LONG_TRANSACTION, LONGEST_TRANSACTION = 60.0, 3600.0
#: Connections that a consumer and those who look need.
FEW_CONNECTIONS = 10
#: Dead rows, of all tables together, that are worth a word when fewer are alive.
MANY_DEAD = 200_000

#: The settings that say what a commit is worth.
_SETTINGS = "fsync", "full_page_writes", "synchronous_commit", "synchronous_standby_names"

#: Who keeps dead rows from being removed, the oldest first: sessions and prepared transactions.
_HOLDERS = """
    select kind, who, seconds, what from (
        select 'session' as kind, pid::text as who,
            extract(epoch from clock_timestamp() - coalesce(xact_start, query_start))::float8
                as seconds,
            concat_ws(', ', usename::text, nullif(application_name, ''), state) as what
        from pg_stat_activity
        where (backend_xmin is not null or backend_xid is not null) and pid <> pg_backend_pid()
            and datname = current_database() and backend_type = 'client backend'
        union all
        select 'prepared', gid, extract(epoch from clock_timestamp() - prepared)::float8,
            concat_ws(', ', owner::text, 'prepared transaction')
        from pg_prepared_xacts where database = current_database()
    ) as holders
    where seconds is not null order by seconds desc limit 1
"""
_ROWS = """
    select coalesce(sum(n_live_tup), 0), coalesce(sum(n_dead_tup), 0),
        extract(epoch from clock_timestamp() - max(last_autovacuum))::float8
    from pg_stat_user_tables
    where relid in (
        select oid from pg_class where relnamespace = (
            select relnamespace from pg_class where oid = to_regclass('huey_job')))
        and relname like 'huey\\_%'
"""
_SERVER = """
    select current_setting('server_version'), current_setting('server_version_num')::int,
        pg_is_in_recovery(), current_setting('transaction_read_only') = 'on',
        has_table_privilege(to_regclass('huey_job'), 'insert'),
        current_setting('server_encoding')
"""
_CONNECTIONS = """
    select current_setting('max_connections')::int
        - current_setting('superuser_reserved_connections')::int,
        (select sum(numbackends) from pg_stat_database)
"""


def server(con: PgConnection, connect: Connect) -> Iterator[Diagnosis]:
    """Its version, whether it may be written to, and whether a consumer has a session there."""
    version, number, standby, frozen, granted, encoding = _row(con, _SERVER)
    try:
        refuse_transaction_mode(con.pg, connect)
        pooled = False
    except ConfigurationError:
        pooled = True
    facts = {
        "version": version,
        "standby": standby,
        "writable": granted and not (standby or frozen),
        "encoding": encoding,
        "transaction_pooler": pooled,
    }
    name = f"PostgreSQL {version}"
    if number < OLDEST_SERVER * 10_000:
        yield problem("server", f"{name} is too old: {OLDEST_SERVER} is the least", **facts)
    elif standby:
        yield problem("server", f"{name} is a standby, which can only be read", STANDBY, **facts)
    elif frozen:
        hint = "see default_transaction_read_only of the server, the database and the user"
        yield problem("server", f"{name} takes no writes: it was set to read only", hint, **facts)
    elif not granted:
        yield warning(
            "server",
            f"{name}: this user may look at the queue, and change nothing",
            "grant insert, update, delete on the tables huey_… to whoever is to write",
            **facts,
        )
    elif pooled:
        yield warning(
            "server",
            f"{name} is reached through a pooler in transaction mode: programs that enqueue may "
            "use it, a consumer refuses it",
            "give consumers the server's own address, or a pooler in session mode",
            **facts,
        )
    else:
        yield ok("server", f"{name}, encoding {encoding}", **facts)


def durability(con: Connection) -> Iterator[Diagnosis]:
    """What a commit is worth when the power goes, and when a standby takes over."""
    values = _row(con, "select " + ", ".join(f"current_setting('{name}')" for name in _SETTINGS))
    facts = dict(zip(_SETTINGS, values, strict=True))
    (standbys,) = _row(con, "select count(*) from pg_stat_replication")
    facts["standbys"] = standbys
    if facts["fsync"] == "off" or facts["full_page_writes"] == "off":
        name = "fsync" if facts["fsync"] == "off" else "full_page_writes"
        yield problem(
            "durability",
            f"{name} is off: a power cut may damage the whole database",
            f"set {name} = on in postgresql.conf, and reload it",
            **facts,
        )
    elif facts["synchronous_commit"] == "off":
        yield warning(
            "durability",
            "synchronous_commit is off: a crash of the server may take the newest jobs with it, "
            "which their producers believe to be safe",
            "set it to on for this user or database: alter role … set synchronous_commit = on",
            **facts,
        )
    elif standbys and not facts["synchronous_standby_names"]:
        yield warning(
            "durability",
            f"{standbys} standbys follow asynchronously: the newest jobs may be missing on the one "
            "that takes over",
            "synchronous_standby_names makes a commit wait for them",
            **facts,
        )
    else:
        yield ok("durability", "a commit is on the server's disk when it returns", **facts)


def transactions(con: Connection) -> Iterator[Diagnosis]:
    """The oldest transaction: no row that has died since can be removed, and claims become slow."""
    oldest = _oldest(con)
    if oldest is None:
        (sees_all,) = _row(con, "select pg_has_role('pg_read_all_stats', 'usage')")
        more = "" if sees_all else " among those that this user may see (pg_read_all_stats)"
        yield ok("transaction", f"no transaction of others is open{more}", oldest_s=None)
        return
    kind, who, seconds, what = oldest
    name = f"pid {who}" if kind == "session" else repr(who)
    facts = {"oldest_s": round(seconds, 1), "pid": int(who) if kind == "session" else None}
    text = f"the oldest transaction is {seconds:,.0f} s old: {name} ({what})"
    if seconds < LONG_TRANSACTION:
        yield ok("transaction", text, **facts)
        return
    end = (
        f"select pg_terminate_backend({who})" if kind == "session" else f"rollback prepared '{who}'"
    )
    yield (problem if seconds > LONGEST_TRANSACTION else warning)(
        "transaction",
        f"{text}; while it is open no dead row is removed, and claims become slower",
        f"end it: {end}",
        **facts,
    )


def rows(con: Connection) -> Iterator[Diagnosis]:
    """Whether the tables are cleaned."""
    live, dead, cleaned = _row(con, _ROWS)
    facts = {"live": int(live), "dead": int(dead), "autovacuum_s": cleaned and round(cleaned, 1)}
    text = f"{int(dead):,} dead rows beside {int(live):,}"
    if _row(con, "select current_setting('autovacuum')") == ("off",):
        yield problem(
            "rows", f"{text}, and autovacuum is off", "set autovacuum = on on the server", **facts
        )
    elif dead > MANY_DEAD and dead > live:
        yield warning(
            "rows",
            f"{text}: they are not removed as fast as they come",
            "see the oldest transaction; else vacuum (analyze) the tables huey_…",
            **facts,
        )
    else:
        yield ok("rows", text, **facts)


def connections(con: Connection) -> Iterator[Diagnosis]:
    """Whether more processes may come."""
    most, used = _row(con, _CONNECTIONS)
    facts = {"most": most, "used": int(used), "left": int(most - used)}
    text = f"{most - used} of {most} connections are left"
    if most - used < FEW_CONNECTIONS:
        yield warning("connections", text, "raise max_connections, or use fewer processes", **facts)
    else:
        yield ok("connections", text, **facts)


def info(con: Connection, size: int) -> Info:
    """The server, and what it has to do with the queue."""
    (version,) = _row(con, "select current_setting('server_version')")
    (schema,) = _row(con, "select value from huey_meta where name = 'schema'")
    live, dead, cleaned = _row(con, _ROWS)
    oldest = _oldest(con)
    facts = {
        "database": _row(con, "select current_database()")[0],
        "live_rows": int(live),
        "dead_rows": int(dead),
        "autovacuum_s": cleaned and round(cleaned, 1),
        "oldest_reader": oldest and oldest[1],
    }
    seconds = round(oldest[2], 1) if oldest else None
    return Info("PostgreSQL", version, int(schema), size, 0, None, seconds, facts)


def is_hindered(con: Connection) -> bool:
    """Whether an old transaction keeps dead rows from being removed."""
    oldest = _oldest(con)
    return oldest is not None and oldest[2] >= LONG_TRANSACTION


def gauges(con: Connection) -> dict[str, float]:
    """``transaction``: seconds since the oldest one of others began; ``dead_rows``;
    ``connections_left``."""
    oldest = _oldest(con)
    _, dead, _ = _row(con, _ROWS)
    most, used = _row(con, _CONNECTIONS)
    return {
        "transaction": round(oldest[2], 1) if oldest else 0.0,
        "dead_rows": float(dead),
        "connections_left": float(most - used),
    }


def _oldest(con: Connection) -> tuple[str, str, float, str] | None:
    found: tuple[str, str, float, str] | None = con.execute(_HOLDERS).fetchone()
    return found


def _row(con: Connection, sql: str) -> Any:
    return con.execute(sql).fetchone()
