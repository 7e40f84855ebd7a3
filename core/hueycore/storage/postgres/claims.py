"""Claims of which nobody has heard: their commit was carried out, and its answer was lost on the
way. Their worker lives, so that nobody would ever take them back but the worker itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from hueycore.model.endings import Released
from hueycore.model.jobs import Claim, Ended, Exchange, Want
from hueycore.storage.postgres.database import Database
from hueycore.storage.sql.dialect import Connection
from hueycore.storage.sql.exchange import Exchanges
from hueycore.storage.sql.recovery import CLAIM


class Claims(Exchanges):
    db: Database

    def _init_claims(self) -> None:
        #: (seq, claim) of what each worker was given and has not handed in.
        self._held: dict[int, set[tuple[int, int]]] = defaultdict(set)
        #: How many commits had not been answered when the claims of each worker were looked at.
        self._looked: dict[int, int] = {}

    def exchange(self, worker: int, endings: Sequence[Ended], want: Want) -> Exchange:
        unanswered, held = self.db.unanswered, self._held[worker]
        unheard = []
        if unanswered != self._looked.get(worker, 0):
            unheard = [Ended(claim, Released()) for claim in self._unheard(worker)]
        answer = super().exchange(worker, [*endings, *unheard], want)
        self._looked[worker] = unanswered
        held.difference_update(ended.claim[:2] for ended in endings)
        held.update(claim[:2] for claim in answer.claims)
        return answer

    def _unheard(self, worker: int) -> list[Claim]:
        def body(con: Connection) -> list[Claim]:
            query = f"select {CLAIM} from huey_job where worker = ? and state = 'running'"
            return [Claim._make(row) for row in con.execute(query, (worker,)).fetchall()]

        # Alone in the queue: what was not answered is over.
        claims = self.db.transact(body, durable=False)
        return [claim for claim in claims if claim[:2] not in self._held[worker]]
