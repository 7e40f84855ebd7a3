"""An application that keeps its accounts and its queue in one file."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

from hueycore import SqliteHuey

TABLES = """
    create table if not exists account (name text primary key, euros int not null) strict;
    insert or ignore into account values ('ann', 1000000), ('bob', 0);
    create table if not exists transfer (
        number integer primary key, euros int not null, moved int not null default 0) strict;
"""


class Bank:
    def __init__(self, path: str) -> None:
        self.path = path
        self.huey = huey = SqliteHuey("bank", path)
        _ = huey.storage
        with closing(self.connect()) as connection:
            connection.executescript(TABLES)

        @huey.task(context=True)
        def move(number: int, task: Any = None) -> None:
            """Take part in the transfer exactly once, however often it is run."""
            with closing(self.connect()) as con, con:
                con.execute(
                    """
                    update account set euros = euros + iif(name = 'bob', 1, -1) * (
                        select euros from transfer where number = ?)
                    """,
                    (number,),
                )
                con.execute("update transfer set moved = moved + 1 where number = ?", (number,))
                task.complete_in(con)

        self.move = move

    def connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path)

    def order(self, euros: int) -> None:
        """The order and the job that carries it out: both are stored, or neither is."""
        with closing(self.connect()) as con, con, self.huey.using(con):
            cursor = con.execute("insert into transfer (euros) values (?)", (euros,))
            number = cursor.lastrowid
            assert number is not None
            self.move.schedule((number,), delay=0, id=f"move-{number}")


def main(path: str) -> None:
    """Order transfers and run them, as fast as one can, until somebody kills this."""
    bank = Bank(path)
    print("ready", flush=True)
    euros = 1
    while True:
        for _ in range(3):
            bank.order(euros)
            euros = euros % 97 + 1
        for _ in range(2):
            task = bank.huey.dequeue()
            assert task is not None
            bank.huey.execute(task)
