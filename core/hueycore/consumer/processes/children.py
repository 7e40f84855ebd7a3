"""The child processes of a supervisor: started, addressed, killed when a run passes its limit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hueycore.consumer.processes.channel import Channel
from hueycore.consumer.processes.slot import Slot
from hueycore.system import clock


class Children:
    """The slots of the workers, and that of the maintenance process."""

    def __init__(self, maintenance: Slot, workers: Sequence[Slot]) -> None:
        self.maintenance = maintenance
        self.workers = workers
        self.all = (maintenance, *workers)

    def fill(self, foreign: Iterable[Channel]) -> None:
        """Start the children that are missing. They close ``foreign`` and each other's channels."""
        for slot in self.all:
            if not slot.alive and slot.free_at <= clock.monotonic():
                slot.fill([*self.channels(), *foreign])
                if slot is self.maintenance:
                    for worker in self.workers:
                        worker.reported = None  # the process before had the report

    def channels(self) -> list[Channel]:
        return [slot.channel for slot in self.all if slot.channel is not None]

    def send(self, order: str) -> None:
        """An order to all workers."""
        for slot in self.workers:
            slot.send(order)

    def are_gone(self) -> bool:
        """Whether no worker is left."""
        return not any(slot.alive for slot in self.workers)

    def close(self) -> None:
        """Children that are left then leave by themselves."""
        for slot in self.all:
            slot.close()

    def report_overdue(self) -> None:
        """Have it written down first that a run is over its time; ``kill_overdue`` follows."""
        if not self.maintenance.alive:
            return
        now = clock.monotonic()
        for slot in self.workers:
            limit = slot.cell.read() if slot.cell is not None and slot.alive else None
            if limit is not None and limit.end <= now and limit != slot.reported:
                slot.reported = limit
                self.maintenance.send("overdue", limit.seq, limit.claim)

    def kill_overdue(self, seq: int, claim: int, noted: bool | None) -> None:
        """The maintenance process has answered: ``noted``, or None when it could not write."""
        for slot in self.workers:
            limit = slot.reported
            if limit is None or limit[1:] != (seq, claim):
                continue
            if noted is None:
                slot.reported = None  # to be reported again
            elif noted and slot.cell is not None and slot.cell.read() == limit:
                slot.kill(f"job {seq} does not end")

    def due(self) -> dict[str, float]:
        """When each of their loops will be back at the latest, in monotonic time."""
        dues = self.maintenance.heartbeat.due() if self.maintenance.alive else {}
        for number, slot in enumerate(self.workers, 1):
            if slot.alive:
                due = slot.heartbeat.due().items()
                dues |= {f"{loop} of worker {number}": at for loop, at in due}
        return dues

    def feeds(self) -> tuple[int, int]:
        """How many claims their runs have not started, and how many endings are not written."""
        feeds = [slot.cell.feed for slot in self.workers if slot.cell is not None]
        return sum(held for held, _ in feeds), sum(unwritten for _, unwritten in feeds)

    def missing(self, grace: float) -> list[str]:
        """Why some of them have not worked for longer than ``grace`` seconds."""
        found = (slot.missing(grace) for slot in self.all)
        return [reason for reason in found if reason is not None]
