"""Many who enqueue at the same time: their rate, the jobs that share a sync, the longest wait."""

import time

from measurement import Skipped
from settings import OURS, SCALE, URL
from stopwatch import Stopwatch

from measures.consumers import consumer_process
from measures.producers import Producers
from measures.syncs import Syncs

#: Microseconds that a sync of the slow disk takes.
SLOW_US = 5000


def crowd(processes: int, threads: int, *, slow: bool = False) -> dict[str, float]:
    """For three seconds, on the disk of this machine or on a slow one. Whose queue is in a server
    syncs nothing himself."""
    try:
        syncs = None if URL else Syncs(SLOW_US if slow else 0)
    except Skipped:
        if slow:
            raise
        syncs = None
    with Producers(processes, threads, syncs.environ if syncs else None) as producers:
        before, watch = syncs.count() if syncs else 0, Stopwatch()
        producers.begin()
        time.sleep(3 * SCALE)
        answer = producers.produced()
        watch.stop()
        synced = syncs.count() - before if syncs else 0
    if URL:
        server_us = watch.figures(max(1, answer["jobs"]))["server_us"]
        answer |= {"server_us": server_us, "both_us": answer["cpu_us"] + server_us}
    return answer | ({"jobs_per_sync": answer["jobs"] / synced} if synced else {})


def fair(processes: int = 20) -> dict[str, float]:
    """For thirty seconds, beside a consumer of four threads."""
    from app import huey

    with consumer_process(), Producers(processes) as producers:
        producers.begin()
        time.sleep(30 * SCALE)
        answer = producers.produced()
    waiting = huey.pending_count() + (huey.running_count() if OURS else 0)
    return answer | {"waiting": waiting}
