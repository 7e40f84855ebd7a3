"""What one exchange may carry: many quick jobs, or one suspect, and only so many bytes."""

from __future__ import annotations

from collections.abc import Iterable

from hueycore.model.endings import Completed, Done
from hueycore.model.jobs import EXCHANGE_BYTES, Claim
from hueycore.runs.finished import Finished
from hueycore.system import clock

#: Seconds of work that one group may hold, and the most jobs in it.
GROUP_SECONDS = 0.005
GROUP_LIMIT = 256
#: Seconds between the starts of two jobs that ran when a process died: one that kills at once must
#: not take the others with it.
STAGGER = 0.1


class Pace:
    """How long the jobs of each task take. A slower run counts at once, a faster one with a weight
    of 5 %."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        #: How many jobs make a group, for each quick task.
        self.quick: dict[str, int] = {}

    def learn(self, batch: Iterable[Finished]) -> None:
        pace = self._seconds
        for done in batch:
            ended = done.ended
            if ended.started_at is None:
                continue
            task, run_s = ended.claim.task, ended.run_s
            known = pace.get(task)
            if known is None or run_s > known:
                pace[task] = run_s
            else:
                pace[task] = known + (run_s - known) * 0.05
        self.quick = {
            task: size
            for task, run_s in pace.items()
            if (size := min(GROUP_LIMIT, int(GROUP_SECONDS / max(run_s, 1e-6)))) > 1
        }


class Load:
    """How many bytes an exchange may carry. After one that found no memory it is one job, then
    twice as much each time."""

    def __init__(self) -> None:
        self.bytes = EXCHANGE_BYTES

    def shrink(self) -> None:
        self.bytes = 0

    def grow(self) -> None:
        self.bytes = min(EXCHANGE_BYTES, 2 * self.bytes + 65_536)

    def parts(self, batch: list[Finished]) -> list[tuple[list[Finished], int]]:
        """A batch in as many parts as it takes, each with its bytes; at least one."""
        sizes = [weight(done) for done in batch]
        if sum(sizes) <= self.bytes:
            return [(batch, sum(sizes))]
        found: list[tuple[list[Finished], int]] = []
        begin = total = 0
        for place, size in enumerate(sizes):
            if place > begin and total + size > self.bytes:
                found.append((batch[begin:place], total))
                begin, total = place, 0
            total += size
        return [*found, (batch[begin:], total)]


def weight(done: Finished) -> int:
    """Bytes that the ending of a run brings into the storage."""
    ending = done.ended.ending
    if type(ending) is Done:
        return 0 if ending.result is None else len(ending.result)
    if isinstance(ending, Completed):
        ending = ending.otherwise
    return len(getattr(ending, "result", None) or b"") + len(getattr(ending, "cause", None) or b"")


class Suspects:
    """The jobs of this process that were running when another process died."""

    def __init__(self) -> None:
        self._running: dict[int, Claim] = {}
        self._began_at = -STAGGER

    def begin(self, claim: Claim) -> None:
        self._running[claim.seq] = claim
        self._began_at = clock.monotonic()

    def end(self, claim: Claim) -> None:
        """Called for every job, suspect or not."""
        self._running.pop(claim.seq, None)

    def may_begin(self) -> tuple[bool, bool]:
        """Whether a suspect may be claimed, and whether one with its last chance may. The latter
        runs when no other suspect does, so that it cannot die of another one's fault."""
        running = list(self._running.values())
        if any(claim.last_chance for claim in running):
            return False, False
        return clock.monotonic() - self._began_at >= STAGGER, not running

    def pause(self) -> float:
        """Seconds until the next one may begin; 0.0 if it may."""
        since = clock.monotonic() - self._began_at
        return STAGGER - since if 0 <= since < STAGGER else 0.0
