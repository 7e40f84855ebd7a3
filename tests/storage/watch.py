"""Every move of every job, held against ``model.states.TRANSITIONS``; a lab writes them down."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from hueycore.model.states import TRANSITIONS, State, Transition


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
