"""How fast other jobs run while a full key holds back 100,000: ``python tests/bench/held.py``.

Two jobs of a ``max_concurrent=2`` task sleep, 100,000 of its jobs wait for them, and 50,000 no-op
jobs of another task are drained beside them; then the same without them, in turns. Each
measurement in a fresh process, on a file of its own.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from hueycore import SqliteHuey

BLOCKED = 100_000
JOBS = 50_000
WORKERS = 6
ROUNDS = 3
GOAL = 0.9


def measure(folder: Path, blocked: int) -> dict[str, float]:
    huey = SqliteHuey("held", folder / "held.db", durability="fast")
    gate = threading.Event()
    count = 0

    @huey.task(max_concurrent=2)
    def sleeper() -> None:
        gate.wait()

    @huey.task()
    def noop(number: int) -> int:
        nonlocal count
        count += 1
        return number

    start = time.perf_counter()
    huey.enqueue_many(sleeper.s() for _ in range(blocked))
    filled = time.perf_counter() - start
    huey.enqueue_many(noop.s(n) for n in range(JOBS))
    # The same number of workers is free for the others.
    consumer = huey.create_consumer(workers=WORKERS + (2 if blocked else 0), periodic=False)
    start = time.perf_counter()
    consumer.start()
    while count < JOBS:
        time.sleep(0.002)
    elapsed = time.perf_counter() - start
    still = {str(depth.state): depth.count for depth in huey.storage.depths()}
    assert still.get("blocked", 0) == max(0, blocked - 2), still
    huey.pause()
    gate.set()
    consumer.stop(graceful=True)
    return {"per_s": JOBS / elapsed, "filled_per_s": blocked / filled if blocked else 0.0}


def main() -> int:
    rates: dict[int, list[float]] = {BLOCKED: [], 0: []}
    for _ in range(ROUNDS):
        for blocked, seen in rates.items():
            with tempfile.TemporaryDirectory() as folder:
                done = subprocess.run(
                    [sys.executable, __file__, folder, str(blocked)],
                    capture_output=True, text=True, check=True,
                )  # fmt: skip
            found = json.loads(done.stdout)
            seen.append(found["per_s"])
            print(f"{blocked:7,} held back: {found['per_s']:8,.0f} jobs/s", flush=True)
    beside, alone = (statistics.median(seen) for seen in rates.values())
    print(f"ratio of the medians {beside / alone:.2f}, goal >= {GOAL}")
    return 0 if beside / alone >= GOAL else 1


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(measure(Path(sys.argv[1]), int(sys.argv[2]))))
    else:
        sys.exit(main())
