"""What a measurement takes: time, and CPU."""

import resource
import time

from server import PID, server_cpu


class Stopwatch:
    """Counts from its creation: time until ``stop``, CPU (of this process, and of its children that
    have ended; and of the server, if there is one) until ``figures``."""

    def __init__(self) -> None:
        self._server = server_cpu() if PID else 0.0
        self._start, self._cpu = time.perf_counter(), own_cpu()
        self.elapsed = 0.0

    def stop(self) -> None:
        self.elapsed = time.perf_counter() - self._start

    def figures(self, number: int) -> dict[str, float]:
        """Jobs per second, and microseconds of CPU per job."""
        cpu = own_cpu() - self._cpu
        figures = {"per_s": number / self.elapsed, "cpu_us": 1e6 * cpu / number}
        if PID:
            server = server_cpu() - self._server
            figures |= {"server_us": 1e6 * server / number}
            figures |= {"both_us": 1e6 * (cpu + server) / number}
        return figures


def own_cpu() -> float:
    both = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both)
