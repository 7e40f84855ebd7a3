"""Programs that enqueue one by one, all at once."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any, Self

from settings import FOLDER, HERE, SYSTEM
from stopwatch import Stopwatch


class Producers:
    """So many processes with so many threads each. They begin together and are stopped together."""

    def __init__(
        self, processes: int, threads: int = 1, environ: Mapping[str, str] | None = None
    ) -> None:
        program = str(HERE / "measure.py")
        command = [sys.executable, program, SYSTEM, f"producer-{threads}", str(FOLDER)]
        self._processes = [
            subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, **(environ or {})},
            )
            for _ in range(processes)
        ]

    def __enter__(self) -> Self:
        for process in self._processes:
            assert process.stdout and process.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *error: object) -> None:
        for process in self._processes:
            with process:
                process.kill()  # it has ended, unless something failed

    def begin(self) -> None:
        for process in self._processes:
            assert process.stdin
            process.stdin.write("go\n")
            process.stdin.flush()

    def end(self) -> dict[str, float]:
        """What they did, all together. The slowest is the thread that enqueued the fewest jobs, as
        a part of what each of them enqueued in the mean."""
        for process in self._processes:
            assert process.stdin
            process.stdin.close()
        answers = []
        for process in self._processes:
            assert process.stdout
            answers.append(json.loads(process.stdout.readlines()[-1]))
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
    """Such a program. It says that it is ready, begins at a line of its input, and stops at the
    end of it."""
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
    print("ready", flush=True)
    sys.stdin.readline()
    watch = Stopwatch()
    for worker in workers:
        worker.start()
    sys.stdin.read()
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
