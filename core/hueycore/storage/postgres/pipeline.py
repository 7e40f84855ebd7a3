"""Statements that are sent together, each of them a transaction of its own: one answer to wait for.
A pipeline of psycopg's waits for the end of each transaction, and takes more than the statements.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any, NamedTuple

import psycopg
from psycopg.abc import AdaptContext, Buffer, PQGen
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus, Format
from psycopg.pq.abc import PGconn, PGresult
from psycopg.waiting import Wait


class Statement(NamedTuple):
    """``text`` has ``$1``, ``$2`` … in the places of its values."""

    text: bytes
    values: Sequence[Any] = ()


#: The text of a statement, and the types of its values.
_Key = tuple[bytes, tuple[int, ...]]


class _Written(NamedTuple):
    key: _Key
    values: Sequence[Buffer | None]
    formats: Sequence[Format]


class Pipeline:
    """That of a connection. ``context``: how values are written."""

    def __init__(self, connection: psycopg.Connection[Any], context: AdaptContext) -> None:
        self._connection = connection
        self._wire = connection.pgconn
        self._dumper = Transformer.from_context(context)
        #: Of what the server has prepared. psycopg forgets its own with every ROLLBACK.
        self._names: dict[_Key, bytes] = {}
        self._numbers = count()

    def run(self, statements: Sequence[Statement], last: Statement) -> list[PGresult]:
        """The answers, as text; nobody needs that of ``last``. Raises the first error when all of
        them have been carried out or refused."""
        written = [self._write(statement) for statement in (*statements, last)]
        self._wire.enter_pipeline_mode()
        try:
            names = [self._ask(one) for one in written]
            answers = self._connection.wait(_answers(self._wire, len(written)))
            self._wire.exit_pipeline_mode()
        except BaseException:
            self._wire.finish()  # nobody knows what it would say next
            raise
        for one, name, found in zip(written, names, answers, strict=True):
            if name and found[0].status == ExecStatus.COMMAND_OK:
                self._names[one.key] = name
        needed = [answer for found in answers[:-1] for answer in found]
        for answer in needed:
            if answer.status == ExecStatus.FATAL_ERROR:
                raise error_from_result(answer)
        return needed

    def _write(self, statement: Statement) -> _Written:
        text, values = statement
        written = self._dumper.dump_sequence(values, [PyFormat.AUTO] * len(values))
        key = text, tuple(self._dumper.types or ())
        return _Written(key, written, [*(self._dumper.formats or ())])

    def _ask(self, one: _Written) -> bytes | None:
        """The name under which the server prepares it, if it is to."""
        (text, types), values, formats = one
        if self._connection.prepare_threshold is None:
            self._wire.send_query_params(text, values, types, formats)
            self._wire.pipeline_sync()
            return None
        name = self._names.get(one.key)
        new = None if name else b"huey_%d" % next(self._numbers)
        if new:
            self._wire.send_prepare(new, text, types)
        self._wire.send_query_prepared(name or new or b"", values, formats)
        self._wire.pipeline_sync()
        return new


def _answers(wire: PGconn, transactions: int) -> PQGen[list[list[PGresult]]]:
    """Those of each transaction."""
    found: list[list[PGresult]] = [[]]
    while len(found) <= transactions:
        while wire.is_busy():
            yield Wait.R
            wire.consume_input()
        answer = wire.get_result()
        if answer is None:  # the end of a statement
            if wire.status == ConnStatus.BAD:
                raise psycopg.OperationalError(wire.get_error_message())
        elif answer.status == ExecStatus.PIPELINE_SYNC:
            found.append([])
        else:
            found[-1].append(answer)
    return found[:-1]
