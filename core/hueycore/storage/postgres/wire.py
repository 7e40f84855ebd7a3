"""Connections that wait for the server with their thread, also where gevent has replaced the waits.

Whoever writes holds a native lock: a greenlet that ran while another one of its thread waits for
the server would wait for that lock for ever. The answers of a server take milliseconds.
"""

from __future__ import annotations

from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.pq import PipelineStatus
from psycopg.pq.abc import PGconn
from psycopg.waiting import Ready, Wait

from hueycore.system import clock, native

T = TypeVar("T")


class Wire(psycopg.Connection[Any]):
    def wait(self, gen: PQGen[T], *times: Any, **named: Any) -> T:
        """Psycopg 3.2 has an interval, 3.3 a timeout as well."""
        if self.pgconn.pipeline_status != PipelineStatus.OFF:
            gen = _sent(gen, self.pgconn)
        if not native.is_patched("select"):
            return super().wait(gen, *times, **named)
        return _wait(gen, self.pgconn.socket, *times, **named)

    def __del__(self, *_: Any) -> None:
        """A program may end, or drop its queue, without ``close``: psycopg would warn. The process
        that has opened the connection closes it all the same."""


def connect(conninfo: str, **options: Any) -> psycopg.Connection[Any]:
    """``psycopg.connect``. What it waits with cannot be chosen: under gevent a thread does it."""
    if not native.is_patched("select"):
        return Wire.connect(conninfo, **options)
    made: list[psycopg.Connection[Any]] = []
    failed: list[BaseException] = []
    over = native.Event()

    def attempt() -> None:
        try:
            made.append(Wire.connect(conninfo, **options))
        except BaseException as error:
            failed.append(error)
        over.set()

    native.Thread(attempt, "huey-connect").start()
    over.wait()  # as ``join`` does not: no other greenlet runs meanwhile
    for error in failed:
        raise error
    return made[0]


def _sent(gen: PQGen[T], wire: PGconn) -> PQGen[T]:
    """In a pipeline psycopg waits for answers though a part of the questions may not be sent yet:
    a large one to a slow server would wait for ever."""
    try:
        wanted = next(gen)
        while True:
            if wanted == Wait.R and wire.flush():
                ready = yield Wait.RW
                if not ready & Ready.R:
                    continue
                ready = Ready.R
            else:
                ready = yield wanted
            wanted = gen.send(ready)
    except StopIteration as over:
        value: T = over.value
        return value


def _wait(
    gen: PQGen[T], fileno: int, interval: float | None = 0.1, timeout: float | None = None
) -> T:
    end = None if timeout is None else clock.monotonic() + timeout
    try:
        wanted = next(gen)
        with native.PollSelector() as selector:
            selector.register(fileno, wanted)
            while True:
                found = selector.select(interval)
                before, wanted = wanted, gen.send(Ready(found[0][1] if found else 0))
                if wanted != before:
                    selector.modify(fileno, wanted)
                if end is not None and clock.monotonic() >= end:
                    raise psycopg.OperationalError("the server did not answer in time")
    except StopIteration as over:
        value: T = over.value
        return value
