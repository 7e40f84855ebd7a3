"""What one exchange may carry: many quick jobs, or one suspect, and only so many bytes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from hueycore.model.endings import Completed, Done
from hueycore.model.jobs import EXCHANGE_BYTES, Claim
from hueycore.runs.finished import Finished
from hueycore.system import clock

#: Seconds in which the workers get a group done, and the most jobs in it.
GROUP_SECONDS = 0.008
GROUP_LIMIT = 256
#: From so many quick jobs at hand on, the next ones are asked for while they run.
AHEAD = 16
#: Seconds over which is counted how many workers are busy with jobs that end.
WINDOW = 0.02
#: The weight of one run that took longer than known, and of one that took less.
SLOWER, FASTER = 0.25, 0.05
#: Seconds between the starts of two jobs that ran when a process died, unless the first one has
#: ended: one that kills at once must not take the others with it.
STAGGER = 0.1


class Pace:
    """How many jobs of each task the workers get done in ``GROUP_SECONDS``. Workers that are inside
    of long jobs do not count: what was claimed for them would wait for the others. ``overlaps``:
    groups of very short jobs are claimed in two halves, one while the other one runs."""

    def __init__(self, workers: int, *, overlaps: bool = False) -> None:
        self._workers, self._overlaps = workers, overlaps
        self._busy = 1.0
        self._since = clock.monotonic()
        self._work = 0.0
        self._seconds: dict[str, float] = {}
        #: How many jobs make a group, for each quick task.
        self.quick: dict[str, int] = {}

    def learn(self, batch: Iterable[Finished]) -> None:
        runs: dict[str, list[float]] = defaultdict(list)
        for (claim, _, started_at, run_s, _), _, _ in batch:
            if started_at is not None:
                runs[claim.task].append(run_s)
        self._count_busy(runs.values())
        budget = GROUP_SECONDS * self._busy
        for task, seconds in runs.items():
            number, mean = len(seconds), sum(seconds) / len(seconds)
            known = self._seconds.get(task, mean)
            weight = 1 - (1 - (SLOWER if mean > known else FASTER)) ** number
            # One run alone, which the machine may have held up, leaves a group of two.
            self._seconds[task] = known + min((mean - known) * weight, number * budget / 2)
        sizes = {
            task: min(GROUP_LIMIT, round(budget / max(run_s, 1e-6)))
            for task, run_s in self._seconds.items()
        }
        if self._overlaps:
            sizes = {task: max(min(size, AHEAD), size // 2) for task, size in sizes.items()}
        self.quick = {task: size for task, size in sizes.items() if size > 1}

    def _count_busy(self, runs: Iterable[list[float]]) -> None:
        for seconds in runs:
            if max(seconds) > WINDOW:  # of a long run counts what can be of this window
                seconds = [min(run_s, WINDOW) for run_s in seconds]
            self._work += sum(seconds)
        now = clock.monotonic()
        if (passed := now - self._since) >= WINDOW:
            self._busy = min(max(self._work / passed, 1.0), self._workers)
            self._since, self._work = now, 0.0


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
        if self._running:
            self._running.pop(claim.seq, None)

    def may_begin(self) -> tuple[bool, bool]:
        """Whether a suspect may be claimed, and whether one with its last chance may. The latter
        runs when no other suspect does, so that it cannot die of another one's fault."""
        running = list(self._running.values())
        if any(claim.last_chance for claim in running):
            return False, False
        return not running or self.pause() == 0, not running

    def pause(self) -> float:
        """Seconds until the next one may begin beside those that run; 0.0 if it may."""
        since = clock.monotonic() - self._began_at
        return STAGGER - since if self._running and 0 <= since < STAGGER else 0.0
