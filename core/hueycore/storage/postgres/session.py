"""The connection by which others see that this process lives, and by which it hears of news.

It holds an advisory lock for each worker of the process: the server frees it when the connection
ends, however the process dies. A thread looks after it. No job ever uses it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from selectors import EVENT_READ
from typing import Any

import psycopg

from hueycore.exceptions import HueyException, StorageError
from hueycore.storage.postgres import forks
from hueycore.storage.postgres.database import Database
from hueycore.storage.postgres.errors import translate
from hueycore.storage.postgres.hints import in_one_line
from hueycore.storage.postgres.pooler import refuse_transaction_mode
from hueycore.storage.postgres.statements import Connection
from hueycore.system import clock, native

logger = logging.getLogger("hueycore.storage")

#: Seconds between two tries to connect again: at first, and at last.
PAUSE, LONGEST_PAUSE = 0.05, 1.0
#: Seconds without a session after which it is trouble.
TROUBLE = 5.0
#: The server's end gives up a host that does not answer after 30 s, as ours does (see
#: ``connections``). What a server or a role has set against idle sessions is not meant here.
_SETTINGS = """
    select set_config(usual.name, wanted, false)
    from (values
        ('tcp_keepalives_idle', '15'), ('tcp_keepalives_interval', '5'),
        ('tcp_keepalives_count', '3'), ('tcp_user_timeout', '30000'),
        ('idle_session_timeout', '0'), ('statement_timeout', '0'), ('lock_timeout', '1000'),
        ('synchronous_commit', 'off')) as usual (name, wanted)
    join pg_settings using (name)
"""
#: A worker that comes back is not missing any more; whose row is gone was taken for dead.
_RETURNED = "update huey_worker set lost_at = null where id = any(?) returning id"


class Session:
    """``on_news`` is called for each notification on ``channel``, and when some may have been
    missed; ``on_look`` in each round of the thread: it answers with the seconds until the next, if
    that must not wait for something to happen."""

    def __init__(
        self,
        db: Database,
        channel: str,
        *,
        on_news: Callable[[], None],
        on_look: Callable[[], float | None],
    ) -> None:
        self._db, self._channel = db, channel
        self._on_news, self._on_look = on_news, on_look
        self._connection: psycopg.Connection[Any] | None = None
        self._held: set[int] = set()
        #: Workers whose rows were gone when this session came back.
        self.lost: set[int] = set()
        self._reset()
        forks.heirs.add(self)

    def _reset(self) -> None:
        self._lock = native.Lock()
        self._thread: native.AnyThread | None = None
        self._broke_at, self._failure = 0.0, ""
        self._pipe: tuple[int, int] | None = None
        self._closed = False

    def open(self) -> None:
        """Connect, unless that is done, and have a thread look after it. Raises what a connection
        raises, and ``ConfigurationError`` behind a pooler in transaction mode."""
        with self._lock:
            if self._thread is not None:
                return
            self._connection = self._make()
            self._closed = False
            receive, send = self._pipe = os.pipe()
            os.set_blocking(receive, False)
            os.set_blocking(send, False)
            self._thread = native.Thread(self._look_after, "huey-session")
            self._thread.start()
        self._on_news()  # what came before nobody has heard

    def hold(self, number: int) -> bool:
        """Hold the lock of a worker as long as this process lives. False when somebody has it."""
        self.open()
        with self.using() as connection:
            if number in self._held or not self._take(connection.pg, number):
                return False
            self._held.add(number)
            return True

    def release(self, number: int) -> None:
        """Give the lock back; it is gone anyway when the session is broken."""
        with self._lock:
            self.lost.discard(number)
            if number not in self._held:
                return
            self._held.discard(number)
            if self._connection is not None:
                try:
                    self._connection.execute(
                        "select pg_advisory_unlock(%s, %s)", (self._db.worker_locks, number)
                    )
                except psycopg.Error:
                    self._drop()
        self.nudge()

    def holds(self, number: int) -> bool:
        return self._connection is not None and number in self._held

    @property
    def is_broken(self) -> bool:
        """While it is made anew."""
        return self._thread is not None and self._connection is None

    def trouble(self) -> str | None:
        """Why it could not be made anew for seconds."""
        if self.is_broken and clock.monotonic() - self._broke_at > TROUBLE:
            return self._failure
        return None

    def is_of(self, number: int) -> bool:
        """Whether the worker is one of this process, though its session may be broken."""
        return number in self._held

    @contextmanager
    def using(self) -> Iterator[Connection]:
        """The connection, for a moment. Raises ``StorageError`` when it is broken."""
        with self._lock:
            connection = self._connection
            if connection is None:
                raise StorageError("the session of this process is broken; it is made anew")
            try:
                yield self._db.dress(connection)
            except psycopg.Error as error:
                if connection.closed:
                    self._drop()
                    self.nudge()
                raise translate(error) from error

    def nudge(self) -> None:
        """Have the thread look now."""
        pipe = self._pipe
        if pipe is not None:
            try:
                os.write(pipe[1], b"!")
            except OSError:
                pass  # full: it is about to look anyway

    def close(self) -> None:
        """Workers of this process count as dead from now on."""
        thread = self._thread
        self._closed = True
        self.nudge()
        if thread is not None and thread.ident != native.get_ident():
            thread.join(5)
        with self._lock:
            self._drop()
            self._held.clear()
            self.lost.clear()
            pipe, self._pipe, self._thread = self._pipe, None, None
        for descriptor in pipe or ():
            os.close(descriptor)

    def leave(self) -> None:
        self.close()

    def after_fork_in_child(self) -> None:
        """The child is none of these workers. It has a session when it becomes a worker itself."""
        connection, self._connection = self._connection, None
        if connection is not None:
            forks.abandon(connection, in_use=self._lock.locked())
        for descriptor in self._pipe or ():
            os.close(descriptor)
        self._held, self.lost = set(), set()
        self._reset()

    # --- the thread -----------------------------------------------------------------------------

    def _look_after(self) -> None:
        failed = 0.0
        pause: float | None = None
        while not self._closed:
            self._sleep(failed or pause)
            if self._closed:
                return
            try:
                self._hear()
                failed = 0.0
                pause = self._on_look()
            except (psycopg.Error, HueyException, OSError) as error:
                if not failed:
                    logger.warning("there is no session of this process: %s", error)
                failed, self._failure = min(failed * 2 or PAUSE, LONGEST_PAUSE), str(error)

    def _sleep(self, seconds: float | None) -> None:
        """Until the connection or ``nudge`` has something, or for so long."""
        with self._lock:
            connection, pipe = self._connection, self._pipe
        if pipe is None:
            return
        with native.PollSelector() as selector:
            selector.register(pipe[0], EVENT_READ)
            if connection is not None and not connection.closed:
                selector.register(connection.fileno(), EVENT_READ)
            elif seconds is None:
                return
            selector.select(seconds)
        try:
            while os.read(pipe[0], 4096):
                pass
        except BlockingIOError:
            pass

    def _hear(self) -> None:
        """Take what has come; make the connection anew if it is broken."""
        with self._lock:
            if self._closed:
                return
            if self._connection is not None:
                try:
                    news = self._read(self._connection)
                except psycopg.Error as error:
                    logger.warning("the session of this process broke: %s", in_one_line(str(error)))
                    self._drop()
            if self._connection is None:
                self._connection = self._make()
                news = True  # some may have been missed
        if news:
            self._on_news()

    def _read(self, connection: psycopg.Connection[Any]) -> bool:
        """Whether the bell has rung. Raises ``OperationalError`` when the connection has ended."""
        connection.pgconn.consume_input()
        news = False
        while connection.pgconn.notifies():
            news = True
        return news

    def _make(self) -> psycopg.Connection[Any]:
        """A connection that holds what this process holds."""
        connection = None
        try:
            connection = self._db.connect()
            refuse_transaction_mode(connection, self._db.connect)
            connection.execute(_SETTINGS)
            connection.add_notify_handler(lambda _: self._on_news())
            connection.execute(f"listen {self._channel}".encode())
            for number in self._held:
                if not self._take(connection, number):
                    # By its former connection, whose end the server has not noticed yet.
                    raise StorageError(f"the lock of worker {number} is still held")
            if self._held:
                held = list(self._held)
                rows = self._db.dress(connection).execute(_RETURNED, (held,)).fetchall()
                self.lost |= self._held - {row[0] for row in rows}
        except BaseException as error:
            if connection is not None:
                connection.close()
            if isinstance(error, psycopg.Error):
                raise translate(error) from error
            raise
        return connection

    def _take(self, connection: psycopg.Connection[Any], number: int) -> bool:
        row = connection.execute(
            "select pg_try_advisory_lock(%s, %s)", (self._db.worker_locks, number)
        ).fetchone()
        return row is not None and bool(row[0])

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._broke_at = clock.monotonic()
            connection.close()
