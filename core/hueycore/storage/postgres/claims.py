"""What a worker does not know after its connection broke. It may hold jobs whose claim was not
answered, or whose ending a crash of the server has undone: it lives, so that nobody but itself
would ever take them back. And endings that it is about to write may be written."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence

from hueycore.model.endings import Completed, Dead, Done, Failure, Released, Retry, Snoozed
from hueycore.model.jobs import Claim, Ended, Exchange, Want
from hueycore.storage.postgres.database import Database, Unanswered
from hueycore.storage.postgres.wake import LOOK
from hueycore.storage.sql.dialect import Connection
from hueycore.storage.sql.done import is_done
from hueycore.storage.sql.exchange import Exchanges
from hueycore.storage.sql.recovery import CLAIM

#: Endings of runs at most once that are remembered: more than a crash of the server may undo.
_REMEMBERED = 10_000

_UNDONE = Dead("crashed", Failure("Crashed", "the server crashed and has undone how it ended", ""))


class Claims(Exchanges):
    db: Database

    def _init_claims(self) -> None:
        #: (seq, claim) of what each worker was given and has not handed in.
        self._held: dict[int, set[tuple[int, int]]] = defaultdict(set)
        #: (seq, claim) of the newest runs at most once that were handed in.
        self._over: deque[tuple[int, int]] = deque(maxlen=_REMEMBERED)
        #: How many connections had broken when the claims of each worker were looked at.
        self._looked: dict[int, int] = {}

    def exchange(self, worker: int, endings: Sequence[Ended], want: Want) -> Exchange:
        try:
            return self._exchange(worker, endings, want)
        except Unanswered:
            return self._exchange(worker, endings, want)  # it finds out what became of the first

    def _exchange(self, worker: int, endings: Sequence[Ended], want: Want) -> Exchange:
        broken, held = self.db.broken, self._held[worker]
        coming = endings
        if broken != self._looked.get(worker, 0):
            coming = self._corrected(worker, endings)
        answer = super().exchange(worker, coming, want)
        self._looked[worker] = broken
        held.difference_update(ended.claim[:2] for ended in endings)
        self._over.extend(ended.claim[:2] for ended in endings if ended.claim.at_most_once)
        held.update(claim[:2] for claim in answer.claims)
        soon = self.db.now() + LOOK
        if any(_comes_back_by(soon, ended) for ended in endings):
            self.ring()  # who schedules may be another process, and asleep for as long
        return answer

    def _corrected(self, worker: int, endings: Sequence[Ended]) -> list[Ended]:
        """Without those that are written: what follows from them is, too. With those of claims that
        the worker knows nothing of."""

        def body(con: Connection) -> tuple[list[Ended], list[Claim]]:
            query = f"select {CLAIM} from huey_job where worker = ? and state = 'running'"
            claims = [Claim._make(row) for row in con.execute(query, (worker,)).fetchall()]
            return [ended for ended in endings if not _is_written(con, ended)], claims

        # Alone in the queue: what was not answered is over.
        coming, claims = self.db.transact(body, durable=False)
        unknown = (claim for claim in claims if claim[:2] not in self._held[worker])
        return coming + [
            Ended(claim, _UNDONE if claim[:2] in self._over else Released()) for claim in unknown
        ]


def _comes_back_by(moment: float, ended: Ended) -> bool:
    ending = ended.ending
    if not isinstance(ending, Retry | Snoozed) or ending.run_at is None:
        return False
    return ending.run_at < moment


def _is_written(con: Connection, ended: Ended) -> bool:
    """Nobody else takes a job from a worker that lives. One of which a crash of the server has
    undone the claim may be another worker's by now: its run began at another time."""
    if isinstance(ended.ending, Completed):
        return False  # it finds out by itself
    if type(ended.ending) is Done:
        began = ended.started_at
        return began is not None and is_done(con, ended, began + ended.run_s)
    seq, claim = ended.claim[:2]
    return bool(
        con.execute(
            """
            select 1 from huey_job
            where seq = ? and claim >= ? and not (claim = ? and state = 'running')
                and (? is null or started_at = ?)
            """,
            (seq, claim, claim, ended.started_at, ended.started_at),
        ).fetchall()
    )
