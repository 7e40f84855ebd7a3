"""The heart: one transaction that applies the endings of finished runs and claims the next jobs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from hueycore.exceptions import StorageError
from hueycore.model.jobs import Ended, Exchange, Want
from hueycore.storage.protocol import workers as protocol
from hueycore.storage.sql.dialect import Connection
from hueycore.storage.sql.endings import Applied
from hueycore.storage.sql.part import Part
from hueycore.storage.sql.pick import Pick
from hueycore.storage.sql.unwritable import Refused, apply_each, apply_together

_Apply = Callable[[Connection, str, Sequence[Ended]], Applied]

#: With what chose the claims, and whether keys have let jobs go.
Outcome = tuple[Exchange, Pick, bool]


def outcome(applied: Applied, pick: Pick) -> Outcome:
    answer = Exchange(
        pick.claims,
        applied.lost,
        pick.revoked,
        pick.expired,
        held=pick.held,
        stopped=applied.stopped,
        unwritable=applied.unwritable,
    )
    return answer, pick, applied.freed


class Exchanges(Part, protocol.Workers):
    def exchange(self, worker: int, endings: Sequence[Ended], want: Want) -> Exchange:
        if want.free > 0 and not self.alive.holds(worker):
            want = want._replace(free=0)
        if not endings and not (want.free > 0 and self.db.read(self._any_pending)):
            return Exchange([], [], [], [])

        answer, pick, freed = self._together(worker, endings, want)
        self.alive.noted(worker)
        while pick.again and not answer.claims:
            durable = pick.needs_sync
            try:
                pick = self.db.transact(
                    partial(self._claim, worker=worker, want=want, durable=durable), durable=durable
                )
            except StorageError:
                if endings or answer.revoked or answer.expired:
                    return answer  # that much is committed; the next exchange meets the error
                raise
            answer = answer._replace(
                claims=pick.claims,
                revoked=answer.revoked + pick.revoked,
                expired=answer.expired + pick.expired,
                held=pick.held,
            )
        if freed:
            self.ring()  # perhaps a worker of another process takes the place
        return answer

    def send_exchange(
        self, worker: int, endings: Sequence[Ended], want: Want
    ) -> Callable[[], Exchange]:
        return partial(self.exchange, worker, endings, want)

    def _together(self, worker: int, endings: Sequence[Ended], want: Want) -> Outcome:
        """Endings and claims in one transaction."""

        def body(con: Connection, apply: _Apply = apply_together) -> Outcome:
            applied = self._end(con, worker, endings, apply) if endings else Applied([], [])
            self.alive.note(con, worker)
            return outcome(applied, self._claim(con, worker, want, durable=False))

        try:
            return self.db.transact(body, durable=False)
        except Refused:
            return self.db.transact(partial(body, apply=apply_each), durable=False)

    def _end(
        self, con: Connection, worker: int, endings: Sequence[Ended], apply: _Apply
    ) -> Applied:
        others = con.dialect.others(con, worker, (ended.claim.seq for ended in endings))
        if not others:
            return apply(con, self.queue, endings)
        lost = [ended for ended in endings if ended.claim.seq in others]
        applied = apply(con, self.queue, [e for e in endings if e.claim.seq not in others])
        return applied._replace(lost=lost + applied.lost)

    def _claim(self, con: Connection, worker: int, want: Want, durable: bool) -> Pick:
        pick = Pick(con, self.queue, want, durable)
        if want.free > 0:
            pick.claim(worker, self._since.get(worker))
        return pick

    def _any_pending(self, con: Connection) -> bool:
        return bool(
            con.execute(
                "select 1 from huey_job where queue = ? and state = 'pending' limit 1",
                (self.queue,),
            ).fetchall()
        )
