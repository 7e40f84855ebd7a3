"""Programs that enqueue one by one, all at once."""

import threading
import time
from collections.abc import Mapping
from typing import Any

from stopwatch import Stopwatch

from measures.crew import Crew, at_once


class Producers(Crew):
    """So many processes with so many threads each."""

    def __init__(
        self, processes: int, threads: int = 1, environ: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(processes, f"producer-{threads}", environ)

    def produced(self) -> dict[str, float]:
        """What they did until now, all together. The slowest is the thread that enqueued the fewest
        jobs, as a part of what each of them enqueued in the mean."""
        answers = self.end()
        numbers = [number for answer in answers for number in answer["numbers"]]
        made = sum(numbers)
        if not numbers:
            return {}
        return {
            "per_s": made / max(answer["s"] for answer in answers),
            "cpu_us": sum(answer["cpu_us"] for answer in answers) / max(1, made),
            "jobs": made,
            "worst_ms": max(answer["worst_ms"] for answer in answers),
            "busy": sum(answer["busy"] for answer in answers),
            "slowest_percent": 100 * min(numbers) / (made / len(numbers)) if made else 0.0,
        }


def produce(threads: int) -> dict[str, Any]:
    """Such a program."""
    from app import Busy, noop

    stop = threading.Event()
    numbers, busy, worst = [0] * threads, [0] * threads, [0.0] * threads

    def work(own: int) -> None:
        end = time.perf_counter()
        while not stop.is_set():
            start = end
            try:
                noop(0)
                numbers[own] += 1
            except Busy:
                busy[own] += 1
            end = time.perf_counter()
            worst[own] = max(worst[own], end - start)

    workers = [threading.Thread(target=work, args=(own,)) for own in range(threads)]
    noop(0)
    with at_once():
        watch = Stopwatch()
        for worker in workers:
            worker.start()
    stop.set()
    for worker in workers:
        worker.join()
    watch.stop()
    return {
        "numbers": numbers,
        "busy": sum(busy),
        "worst_ms": 1000 * max(worst),
        "s": watch.elapsed,
        "cpu_us": watch.figures(1)["cpu_us"],
    }
