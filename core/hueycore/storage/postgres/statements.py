"""SQL on a connection of psycopg's: what bodies see, how values are written, and how few messages
carry the statements."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import AdaptersMap
from psycopg.rows import tuple_row
from psycopg.types.array import ListBinaryDumper
from psycopg.types.numeric import FloatLoader
from psycopg.types.string import StrDumperUnknown

from hueycore.storage.postgres.dialect import DIALECT, translate
from hueycore.storage.sql.dialect import Rows
from hueycore.storage.sql.part import in_groups
from hueycore.system import clock

#: Rows that one message inserts, or statements that it carries.
MANY = 500
#: Rows of a page: of the first one, and of the others.
FIRST_PAGE, PAGE = 32, 256
#: Statements whose first pages come with one message.
PAGES = 64

_VALUES = re.compile(rb"\bvalues\s*(\((?:%s(?:, )?)+\))")

_ADAPTERS = AdaptersMap(psycopg.adapters)
# A sum of whole numbers, or of what was written with a point.
_ADAPTERS.register_loader("numeric", FloatLoader)
# A list of bytes takes eighty times as long as text, and one of numbers three times.
_ADAPTERS.register_dumper(list, ListBinaryDumper)


class _Text(StrDumperUnknown):
    """NUL and half a surrogate pair have no place in a text there: they are made visible."""

    def dump(self, obj: str) -> Buffer | None:
        try:
            return super().dump(obj)
        except (psycopg.DataError, UnicodeEncodeError):
            return super().dump(_visible(obj))

    def quote(self, obj: str) -> Buffer:
        try:
            return super().quote(obj)
        except (psycopg.DataError, UnicodeEncodeError):
            return super().quote(_visible(obj))


def _visible(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")


_ADAPTERS.register_dumper(str, _Text)


class Cursor(psycopg.ClientCursor[Any]):
    """Values as literals, so that none needs a type, and rows as the engine reads them, whatever
    the connection is set to."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        super().__init__(connection, row_factory=tuple_row)

    @property
    def adapters(self) -> AdaptersMap:
        return _ADAPTERS


class Typed(psycopg.Cursor[Any]):
    """Values as values, for statements that are prepared."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        super().__init__(connection, row_factory=tuple_row)

    @property
    def adapters(self) -> AdaptersMap:
        return _ADAPTERS


class Changed(NamedTuple):
    """What many statements brought: no rows."""

    rowcount: int

    def fetchone(self) -> Any:
        return None

    def fetchall(self) -> list[Any]:
        return []


class Answer:
    """What a statement will have brought when it is sent."""

    def __init__(self, con: Connection, text: bytes) -> None:
        self._con, self.text = con, text
        self._rows: list[Any] = []
        self._rowcount = -1

    def read(self, cursor: Cursor) -> None:
        """It is the current one of a message's."""
        self._rows = cursor.fetchall() if cursor.description else []
        self._rowcount = cursor.rowcount

    @property
    def rowcount(self) -> int:
        self._con.send_asked()
        return self._rowcount

    def fetchone(self) -> Any:
        self._con.send_asked()
        return self._rows.pop(0) if self._rows else None

    def fetchall(self) -> list[Any]:
        self._con.send_asked()
        rows, self._rows = self._rows, []
        return rows


class Connection:
    """What bodies see: SQL of ``storage.sql`` on a connection of psycopg's. ``place`` is the quoted
    schema; ``offset`` the seconds by which the server's clock is ahead."""

    dialect = DIALECT
    alone = True
    #: Whether the commit takes along what was asked for last.
    gathers = False
    #: What makes a transaction of somebody else's alone.
    on_alone: Callable[[Connection], None]

    #: Whether the tables are older than this release, and read only.
    old = False

    def __init__(self, pg: psycopg.Connection[Any], place: str, offset: float) -> None:
        self.pg = pg
        self._place = place
        self._offset = offset
        self._pages = 0
        self._spent = b""
        self._asked: list[Answer] = []

    def _translated(self, sql: str) -> bytes:
        return translate(sql, self._place, self.old)

    def be_alone(self) -> None:
        if not self.alone:
            self.on_alone(self)
            self.alone = True

    def now(self) -> float:
        return clock.now() + self._offset

    def execute(self, sql: str, parameters: Any = (), /) -> Cursor:
        cursor, text = Cursor(self.pg), self._translated(sql)
        if self._asked:
            return self._send(cursor.mogrify(text, parameters).encode())
        return cursor.execute(text, parameters)

    def ask(self, sql: str, parameters: Any = (), /) -> Rows:
        if not self.gathers:
            return self.execute(sql, parameters)
        text = Cursor(self.pg).mogrify(self._translated(sql), parameters)
        self._asked.append(Answer(self, text.encode()))
        return self._asked[-1]

    def send_asked(self) -> None:
        if self._asked:
            self._send(b"")

    def prepared(self) -> Prepared:
        """The same, for statements that are asked again and again."""
        return Prepared(self.pg, self._place, self._offset)

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> Changed:
        """A message for many of them: each would wait for an answer of its own."""
        cursor = Cursor(self.pg)
        text = self._translated(sql)
        values = _VALUES.search(text)
        changed = 0
        for rows in in_groups(list(parameters), MANY):
            if values is None:
                message = "; ".join(cursor.mogrify(text, row) for row in rows)
            else:
                row_text = values[1]
                tuples = ", ".join(cursor.mogrify(row_text, row) for row in rows)
                before, after = text[: values.start(1)], text[values.end(1) :]
                message = f"{_plain(before)}{tuples}{_plain(after)}"
            sent = self._send(message.encode())
            changed += sent.rowcount
            while sent.nextset():
                changed += sent.rowcount
        return Changed(changed)

    def copy(
        self, sql: str, rows: Iterable[tuple[Any, ...]], types: Sequence[str] | None = None
    ) -> None:
        """Rows for a ``copy … from stdin``; a binary one needs the types of its columns."""
        self.send_asked()
        with Cursor(self.pg).copy(self._translated(sql)) as copy:
            if types:
                copy.set_types(types)
            for row in rows:
                copy.write_row(row)

    def pages(self, sql: str, parameters: Any = ()) -> Pages:
        return next(self.many_pages(sql, [parameters]))

    def many_pages(self, sql: str, parameters: Iterable[Any], /) -> Iterator[Pages]:
        text = self._translated(sql)
        for group in in_groups(list(parameters), PAGES):
            yield from self._open_pages(text, group)

    def _open_pages(self, text: bytes, group: Iterable[Any]) -> list[Pages]:
        """In one message, each with its first page."""
        cursor, names = Cursor(self.pg), []
        message, self._spent = self._spent, b""
        for values in group:
            self._pages += 1
            names.append(f"huey_page_{self._pages}".encode())
            query = cursor.mogrify(text, values).encode()
            message += b"declare %s no scroll cursor for %s; " % (names[-1], query)
            message += b"fetch %d from %s; " % (FIRST_PAGE, names[-1])
        cursor = self._send(message)
        first = [cursor.fetchall()] if cursor.description else []
        while cursor.nextset():
            if cursor.description:
                first.append(cursor.fetchall())
        return [Pages(self, name, rows) for name, rows in zip(names, first, strict=True)]

    def _send(self, message: bytes) -> Cursor:
        """Along with what was asked for; the first answer is that of the message."""
        asked, self._asked = self._asked, []
        cursor = Cursor(self.pg)
        cursor.execute(b"; ".join([*(answer.text for answer in asked), message]))
        for answer in asked:
            answer.read(cursor)
            cursor.nextset()
        return cursor

    def forget(self, name: bytes) -> None:
        """A cursor of the server's that is read no more goes with the next message of its kind, or
        with the transaction."""
        self._spent += b"close %s; " % name


class Prepared(Connection):
    """Statements are prepared, values and rows go binary; in a pipeline nothing waits for an answer
    before it is read."""

    def execute(self, sql: str, parameters: Any = (), /) -> psycopg.Cursor[Any]:  # type: ignore[override]
        cursor = Typed(self.pg)
        return cursor.execute(self._translated(sql), parameters, prepare=True, binary=True)


class Pages:
    """A cursor of the server's, and its first page."""

    def __init__(self, con: Connection, name: bytes, first: list[Any]) -> None:
        self._con, self._name, self._first = con, name, first

    def __iter__(self) -> Iterator[Any]:
        rows, size = self._first, FIRST_PAGE
        while True:
            yield from rows
            if len(rows) < size:
                return
            size = PAGE
            rows = Cursor(self._con.pg).execute(b"fetch %d from %s" % (size, self._name)).fetchall()

    def close(self) -> None:
        self._con.forget(self._name)


def _plain(text: bytes) -> str:
    """The text of a statement that takes no values any more."""
    return text.replace(b"%%", b"%").decode()
