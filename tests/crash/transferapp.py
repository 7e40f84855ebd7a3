"""A bank: money is moved and a receipt is ordered in one transaction."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import psycopg

from hueycore import Huey

#: What a transfer consists of.
STEPS = "begin", "take", "job", "give", "commit", "committed"


class Bank:
    """``on_step`` is called before each of ``STEPS``, and after the last."""

    def __init__(self, url: str, dsn: str) -> None:
        self.huey = Huey("bank", url=url)
        self._dsn = dsn

        @self.huey.task()
        def receipt(number: int) -> None: ...

        self.receipt = receipt

    def transfer(self, number: int, on_step: Callable[[str], None]) -> None:
        """One euro from ann to bob."""
        with psycopg.connect(self._dsn, autocommit=True) as con:
            on_step("begin")
            con.execute("begin")
            on_step("take")
            con.execute("insert into entry values (%s, 'ann', -1)", (number,))
            with self.huey.using(con):
                on_step("job")
                self.huey.enqueue(self.receipt.s(number, id=f"receipt-{number}"))
                on_step("give")
                con.execute("insert into entry values (%s, 'bob', 1)", (number,))
                on_step("commit")
                con.execute("commit")
            on_step("committed")


def main(first: int) -> None:
    """Move money until killed, and say beforehand which step comes."""
    bank = Bank(os.environ["BANK_URL"], os.environ["BANK_DSN"])
    for number in range(first, first + 1000):

        def on_step(step: str, number: int = number) -> None:
            print(number, step, flush=True)
            sys.stdin.readline()

        bank.transfer(number, on_step)
