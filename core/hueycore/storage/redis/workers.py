"""What ``sql/workers.py`` says, of rows in Redis."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from hueycore.exceptions import StorageError, StorageMoved
from hueycore.model.events import Said
from hueycore.model.jobs import Claim, JobRef, Recovered
from hueycore.model.reports import WorkerRow
from hueycore.model.schedules import Periodic
from hueycore.model.states import State
from hueycore.storage.protocol import workers as protocol
from hueycore.storage.protocol.queries import Queries
from hueycore.storage.protocol.workers import Slots
from hueycore.storage.redis.batches import Batches
from hueycore.storage.redis.exchange import to_said
from hueycore.storage.redis.link import Link
from hueycore.storage.redis.part import Part, encode
from hueycore.storage.redis.periodic import to_schedule
from hueycore.storage.redis.rows import Row, fetch
from hueycore.storage.redis.scripts import script
from hueycore.storage.redis.watch import Run, is_gone, is_here
from hueycore.system import machine


class Workers(Batches, protocol.Workers, Queries):
    #: The rows of those of this object, as they were registered.
    _about: dict[int, dict[str, Any]]
    _names: dict[int, str]

    def register(
        self, *, name: str, kind: str, slots: int, declares: Sequence[Periodic] | None = None
    ) -> int:
        self.client.check_policy()
        self.list_queue()
        about = {
            "name": name,
            "host": os.uname().nodename,
            "pid": os.getpid(),
            "boot_id": machine.boot_id(),
            "space": machine.process_space(),
            "kind": kind,
            "slots": slots,
            "state": "running",
            "started_at": self.client.now(),
            **self.watch.identity(),
        }
        arg = {
            "about": encode(about),
            "serializer": self.serializer,
            "schedules": None if declares is None else [to_schedule(one) for one in declares],
        }
        payloads = [one.payload for one in declares or ()]
        # Whose answer was lost is a worker that never beats: it is dead before long.
        number = int(self.run("register", arg, *payloads, durable=bool(declares)))
        self._about[number], self._names[number] = about, name
        self.watch.add(number, slots)
        return number

    def slots(self, worker: int) -> Slots:
        return self.watch.slots(worker)

    def stopping(self, worker: int) -> None:
        about = self._about[worker] = {**self._about.get(worker, {}), "state": "stopping"}
        self.run("stopping", {"worker": worker, "about": encode(about)})

    def unregister(self, worker: int) -> None:
        self.watch.drop(worker)
        self.run("unregister", {"worker": worker})
        for known in (self._about, self._names, self._unanswered, self._numbers):
            known.pop(worker, None)
        if link := self._links.pop(worker, None):
            link.drop()

    _unanswered: dict[int, Any]
    _numbers: dict[int, int]
    _links: dict[int, Link]

    def verify(self) -> None:
        for worker in list(self._about):
            if self.watch.lost(worker):
                raise StorageMoved(f"worker {worker} was taken for dead; it must start again")

    def beat(self, run: Run, worker: int, runs: str, link: str) -> int:
        """What ``Watch`` calls each second; 0 when the worker was taken for dead."""
        return int(run(script("beat"), self.keys, ["0", worker, runs, link]))

    def recover(self) -> list[Recovered]:
        self.finish_batches()
        self._finish_followers()
        rows, beats = read_workers(self, self.queue)
        recovered: list[Recovered] = []
        for worker in sorted(self.watch.dead(rows, beats)):
            try:
                recovered += self._recover_one(worker, rows[worker]["name"], beats[worker])
            except StorageError:
                if not recovered:
                    raise
                break  # what was taken back is reported; the janitor comes again
        return recovered

    def _finish_followers(self) -> None:
        """Revoke what follows from ends that had more followers than one script revokes."""
        more = self.client.call("HLEN", self.key("owed"))
        while more:
            more = self.run("owed")

    def _recover_one(self, worker: int, name: str, beat: int) -> list[Recovered]:
        arg = {"worker": worker, "beat": str(beat)}
        return [
            Recovered(
                JobRef(seq, id_.decode(), task.decode()),
                State(state.decode()),
                bool(started),
                name,
                bool(overdue),
            )
            for seq, id_, task, state, started, overdue in self.run("recover", arg) or ()
        ]

    def workers(self) -> list[WorkerRow]:
        found = []
        for queue in self.queue_names():
            rows, _ = read_workers(self, queue)
            living = living_of(self, rows)
            for worker, about in sorted(rows.items()):
                found.append(self._worker_row(queue, worker, about, worker in living))
        return found

    def _worker_row(
        self, queue: str, worker: int, about: Mapping[str, Any], alive: bool
    ) -> WorkerRow:
        mine = queue == self.queue and self.watch.is_mine(worker)
        runs = json.loads(self.watch.started(worker)) if mine else about["runs"]
        here = is_here(about)
        if not mine:
            runs = self._still(queue, runs)
        return WorkerRow(
            worker,
            queue,
            about["name"],
            about["host"],
            about["pid"],
            about["boot_id"],
            about["kind"],
            about["slots"],
            about["state"],
            about["started_at"],
            alive,
            [(slot, seq) for slot, seq, _ in runs],
            about["pid"] if here else None,
        )

    def _still(self, queue: str, runs: Sequence[Sequence[int]]) -> list[Sequence[int]]:
        """Those of the runs that a beat told of which have not ended since."""
        rows = {row.seq: row for row in fetch(self, queue, [seq for _, seq, _ in runs])}
        return [run for run in runs if run[1] in rows and _runs(rows[run[1]], run[2])]

    # --- of single runs --------------------------------------------------------------------------

    def note(self, said: Sequence[tuple[Claim, Said]]) -> None:
        notes = [(claim.seq, claim.claim, to_said(claim, one)) for claim, one in said]
        self.run("note", {"notes": notes}, again=False)

    def note_overdue(self, seq: int, claim: int) -> bool:
        return bool(self.run("overdue", {"seq": seq, "claim": claim}))

    def wait(self, timeout: float) -> bool:
        return self.bell.wait(timeout)

    def nudge(self) -> None:
        self.bell.nudge()


def living_of(part: Part, rows: Mapping[int, Mapping[str, Any]]) -> set[int]:
    """Those of the workers of a queue of which nothing says that they are dead."""
    there = part.watch.living(rows) if rows else set()
    return {worker for worker in there if not is_gone(rows[worker])}


def _runs(row: Row, claim: int) -> bool:
    return bool(row["state"] == "running" and row["claim"] == claim)


def read_workers(part: Part, queue: str) -> tuple[dict[int, dict[str, Any]], dict[int, int]]:
    """The workers of a queue by number: their rows, and their beats."""
    rows: dict[int, dict[str, Any]] = {}
    beats: dict[int, int] = {}
    more: dict[int, dict[str, Any]] = {}
    for field, value in part.pairs("worker", queue).items():
        name, _, what = field.decode().partition(" ")
        worker = int(name)
        if not what:
            rows[worker] = json.loads(value)
        elif what == "beat":
            beats[worker] = int(value)
        elif what == "link":
            more.setdefault(worker, {}).update(json.loads(value))
        elif what == "runs":
            more.setdefault(worker, {})["runs"] = json.loads(value)
    return {n: {"runs": [], **row, **more.get(n, {})} for n, row in rows.items()}, beats
