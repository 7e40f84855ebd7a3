"""What a worker holds according to the storage, and does not know of. The answer to a commit that
claimed it was lost on the way, or its ending was undone by a crash of the server. The worker lives,
so that nobody but itself would ever take it back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from hueycore.model.endings import Dead, Failure, Released
from hueycore.model.jobs import Claim, Ended, Exchange, Want
from hueycore.storage.postgres.database import Database
from hueycore.storage.sql.dialect import Connection
from hueycore.storage.sql.exchange import Exchanges
from hueycore.storage.sql.recovery import CLAIM

_UNDONE = Dead("crashed", Failure("Crashed", "the server crashed and has undone how it ended", ""))


class Claims(Exchanges):
    db: Database

    def _init_claims(self) -> None:
        #: (seq, claim) of what each worker was given and has not handed in.
        self._held: dict[int, set[tuple[int, int]]] = defaultdict(set)
        #: How many connections had broken when the claims of each worker were looked at.
        self._looked: dict[int, int] = {}

    def exchange(self, worker: int, endings: Sequence[Ended], want: Want) -> Exchange:
        broken, held = self.db.broken, self._held[worker]
        unknown = []
        if broken != self._looked.get(worker, 0):
            unknown = [
                Ended(claim, _UNDONE if claim.at_most_once else Released())
                for claim in self._unknown(worker)
            ]
        answer = super().exchange(worker, [*endings, *unknown], want)
        self._looked[worker] = broken
        held.difference_update(ended.claim[:2] for ended in endings)
        held.update(claim[:2] for claim in answer.claims)
        return answer

    def _unknown(self, worker: int) -> list[Claim]:
        def body(con: Connection) -> list[Claim]:
            query = f"select {CLAIM} from huey_job where worker = ? and state = 'running'"
            return [Claim._make(row) for row in con.execute(query, (worker,)).fetchall()]

        # Alone in the queue: what was not answered is over.
        claims = self.db.transact(body, durable=False)
        return [claim for claim in claims if claim[:2] not in self._held[worker]]
