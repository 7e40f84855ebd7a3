"""Triggers that write down every move of every job, to be held against ``base.TRANSITIONS``."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from typing import NamedTuple

from hueycore.model.states import TRANSITIONS, State, Transition
from hueycore.storage.sqlite import SqliteStorage

_COUNTED = ("state", "claim", "attempt", "retries", "crashes", "cancel_requested")


class Move(NamedTuple):
    """One row change; what is not counted of a birth or a purge is None."""

    n: int
    seq: int
    before: State | None
    after: State | None
    claims: tuple[int, int]
    attempts: tuple[int, int]
    retries: tuple[int, int]
    crashes: tuple[int, int]
    cancels: tuple[int, int]


def watch(storage: SqliteStorage) -> None:
    """Write down the moves from now on."""
    columns = ", ".join(f"{side}_{name}" for name in _COUNTED for side in ("old", "new"))
    both = ", ".join(f"old.{name}, new.{name}" for name in _COUNTED)
    birth = ", ".join(f"null, new.{name}" for name in _COUNTED)
    death = ", ".join(f"old.{name}, null" for name in _COUNTED)
    moved = " or ".join(f"old.{name} <> new.{name}" for name in _COUNTED)

    def body(con: sqlite3.Connection) -> None:
        con.execute(f"create table watched (n integer primary key, seq, {columns})")
        for name, event, values, seq, condition in (
            ("born", "insert", birth, "new.seq", ""),
            ("gone", "delete", death, "old.seq", ""),
            ("moved", "update", both, "new.seq", f"when {moved}"),
        ):
            con.execute(
                f"""
                create trigger watch_{name} after {event} on huey_job {condition} begin
                    insert into watched (seq, {columns}) values ({seq}, {values});
                end
                """
            )
        # What no verb may ever do stops the verb.
        con.execute(
            """
            create trigger watch_claim before update on huey_job when new.claim < old.claim begin
                select raise(abort, 'the claim number shrinks');
            end
            """
        )

    storage.db.transact(body)


def moves(storage: SqliteStorage, after: int = 0) -> list[Move]:
    """What happened since move number ``after``, in order."""
    rows = storage.db.read(
        lambda con: con.execute("select * from watched where n > ? order by n", (after,)).fetchall()
    )
    return [
        Move(
            n, seq, State(old) if old else None, State(new) if new else None,
            *(counted[i : i + 2] for i in range(0, 10, 2)),
        )
        for n, seq, old, new, *counted in rows
    ]  # fmt: skip


def rows_of(verbs: Collection[str]) -> list[Transition]:
    found = [row for row in TRANSITIONS if row.verb in verbs]
    assert {row.verb for row in found} == set(verbs), f"the table has no verb {verbs}"
    return found


def allowed(move: Move, verbs: Collection[str], *, started: bool = True) -> bool:
    """Whether a move goes along a row of one of these verbs, and counts as the row says."""
    return any(_along(move, row) and _counted(move, row.counts, started) for row in rows_of(verbs))


def _along(move: Move, row: Transition) -> bool:
    before = move.before in row.before if move.before else not row.before
    after = move.after in row.after if move.after else not row.after
    return before and after


def _counted(move: Move, counts: str, started: bool) -> bool:
    if move.before is None or move.after is None:
        return True
    claims, attempts, retries, crashes, cancels = (b - a for a, b in move[4:])
    if cancels != (counts == "cancel requested") and not (cancels < 0 and move.after != "running"):
        return False
    match counts:
        case "attempt + 1, claim + 1":
            return (claims, attempts, retries, crashes) == (1, 1, 0, 0)
        case "retries - 1":
            return (claims, attempts, crashes) == (0, 0, 0) and retries in (0, -1)
        case "attempt - 1":
            return (claims, attempts, retries, crashes) == (0, -1, 0, 0)
        case "attempt - 1 unless it had started":
            return (claims, attempts, retries, crashes) == (0, 0 if started else -1, 0, 0)
        case "crashes + 1 only if it had started":
            # A worker that said it was stopping is charged nothing.
            charged = crashes in (0, 1) if started else crashes == 0
            return (claims, attempts, retries) == (0, 0 if started else -1, 0) and charged
        case "history kept":
            return (claims, attempts) == (0, 0)
        case "from the start":
            return claims == 0 and move.attempts[1] == move.crashes[1] == 0
        case "" | "cancel requested" | "counted":
            return (claims, attempts, retries, crashes) == (0, 0, 0, 0)
    raise AssertionError(f"a count that this test does not know: {counts!r}")
