"""What ``sql/results.py`` says, of rows in Redis."""

from __future__ import annotations

from collections.abc import Sequence
from struct import unpack_from

from hueycore.exceptions import UnknownJob
from hueycore.model.jobs import ResultRow
from hueycore.model.states import FINAL, State
from hueycore.storage.protocol import results as protocol
from hueycore.storage.redis.messagepack import unpack_row
from hueycore.storage.redis.part import Part, text
from hueycore.storage.redis.rows import PLACES
from hueycore.system import clock

#: Bytes of the two times before a value.
TIMES = 16


class Results(Part, protocol.Results):
    def result(self, id: str, *, preserve: bool) -> ResultRow | None:
        row = self._result_row(id)
        if row is None or preserve or row.taken is not False:
            return row
        taken = self.run("take", {"id": id}, again=False)
        if taken is None:
            return self._result_row(id)
        seq, state, reason, result = taken
        return ResultRow(seq, State(state.decode()), text(reason), result, False)

    def _result_row(self, id_: str) -> ResultRow | None:
        seq = self.client.call("HGET", self.key("id"), id_)
        if seq is None:
            return None
        data, result = self.ask(("HGET", self.key("row"), seq), ("HGET", self.key("result"), seq))
        if data is None:
            return None
        row = unpack_row(data)
        taken = row[PLACES["taken"]]
        return ResultRow(
            int(seq),
            State(row[PLACES["state"]]),
            row[PLACES["reason"]],
            # A result that was read is kept only for the job that waits for it.
            None if taken != 0 else result,
            None if taken is None else bool(taken),
        )

    def wait_for(self, id: str, timeout: float | None) -> bool:
        deadline = None if timeout is None else clock.monotonic() + timeout
        pause = 0.002
        while True:
            version = self.version()
            row = self._result_row(id)
            if row is None:
                raise UnknownJob(f"there is no job {id} in queue {self.queue}")
            if row.state in FINAL:
                return True
            while version == self.version():
                left = pause if deadline is None else min(pause, deadline - clock.monotonic())
                if left <= 0:
                    return False
                clock.sleep(left)
                pause = min(pause * 1.05, 0.02)

    def version(self) -> int:
        return int(self.client.call("HGET", self.key("queue"), "version") or 0)

    def over(self, ids: Sequence[str]) -> list[str]:
        seqs = self.many("HMGET", "id", list(ids))
        known = [int(seq) for seq in seqs if seq is not None]
        live = {
            row[PLACES["id"]]
            for row in map(unpack_row, filter(None, self.many("HMGET", "row", known)))
            if row[PLACES["state"]] not in FINAL
        }
        return [id_ for id_ in ids if id_ not in live]

    def result_count(self) -> int:
        return sum(self.ask(("HLEN", self.key("result")), ("HLEN", self.key("value"))))

    def put(self, name: str, value: bytes) -> None:
        self.client.check_policy()
        self.list_queue()
        self.run("value", {"name": name}, value, durable=True)

    def put_if_empty(self, name: str, value: bytes, ttl: float | None = None) -> bool:
        self.list_queue()
        arg = {"name": name, "only_empty": True, "ttl": ttl}
        return bool(self.run("value", arg, value, again=False, durable=True))

    def get(self, name: str, *, peek: bool) -> bytes | None:
        value = self._live(self.client.call("HGET", self.key("value"), name))
        if peek or value is None:
            return value
        return self._live(self.run("pop", {"names": [name]}, again=False)[0])

    def values(self) -> dict[str, bytes]:
        found = {name.decode(): self._live(value) for name, value in self.pairs("value").items()}
        return {name: found[name] for name in sorted(found) if found[name] is not None}  # type: ignore[misc]

    def _live(self, value: bytes | None) -> bytes | None:
        """The bytes of a value that has not expired."""
        if value is None:
            return None
        until, _ = unpack_from(">dd", value)
        return value[TIMES:] if not until or until > self.client.now() else None

    def delete(self, name: str) -> bool:
        return bool(self.run("pop", {"names": [name], "counters": True}, again=False)[1])

    def incr(self, name: str, amount: int = 1) -> int:
        self.list_queue()
        return int(self.run("incr", {"name": name}, amount, again=False, durable=True))
