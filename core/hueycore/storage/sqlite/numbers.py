"""The short numbers of jobs: one after the other, and none is ever given twice.

Not by AUTOINCREMENT, which writes its own table at each insert: one page in five that an enqueue
would wait for. The highest number is that of the newest row; only when that row is deleted is it
written down.
"""

from __future__ import annotations

from hueycore.storage.sql.dialect import Connection

_KEPT = "(select cast(value as integer) from huey_meta where name = 'last_seq')"
#: The next free number, for whoever holds the write lock.
NEXT = f"max(coalesce((select max(seq) from huey_job), 0), coalesce({_KEPT}, 0)) + 1"


def next_number(con: Connection) -> int:
    return int(con.execute(f"select {NEXT}").fetchone()[0])


def keep_number(con: Connection, which: str) -> None:
    """Before rows are deleted (a JSON list of their numbers): remember the highest of all if it is
    among them."""
    con.execute(
        f"""
        insert into huey_meta (name, value)
        select 'last_seq', value from json_each(?)
        where value = (select max(seq) from huey_job) and value > coalesce({_KEPT}, 0)
        on conflict do update set value = excluded.value
        """,
        (which,),
    )


def keep_last(con: Connection, number: int) -> None:
    """No job gets this number, or a lower one, any more."""
    con.execute(
        f"""
        insert into huey_meta (name, value) select 'last_seq', cast(? as text)
        where ? > coalesce({_KEPT}, 0)
        on conflict do update set value = excluded.value
        """,
        (number, number),
    )
