"""What ``sql/due.py`` says, of rows in Redis."""

from __future__ import annotations

from hueycore.model.jobs import JobRef
from hueycore.model.states import State
from hueycore.storage.protocol import workers as protocol
from hueycore.storage.redis.part import Part


class Due(Part, protocol.Workers):
    def promote(self, limit: int = 500) -> list[JobRef]:
        due = self.next_run_at()
        if due is None or due > self.client.now():
            return []
        return [
            JobRef(seq, id_.decode(), task.decode())
            for seq, id_, task in self.run("promote", {"limit": limit})
        ]

    def expire(self, limit: int = 500) -> list[tuple[JobRef, State]]:
        now = repr(self.client.now())
        if not self.client.call("ZCOUNT", self.key("expiring"), "-inf", now):
            return []
        return [
            (JobRef(seq, id_.decode(), task.decode()), State(state.decode()))
            for seq, id_, task, state in self.run("expire", {"limit": limit})
        ]

    def next_run_at(self) -> float | None:
        first = [("ZRANGE", self.key(name), 0, 0, "WITHSCORES") for name in ("scheduled", "due")]
        times = [float(found[1]) for found in self.ask(*first) if found]
        return min(times, default=None)
