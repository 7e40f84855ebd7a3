"""What the server of this run does, for those who measure."""

import os
import time
from pathlib import Path

from settings import REDIS, URL

#: The first of its processes, or 0: there is no server.
PID = int(os.environ.get("BENCH_SERVER_PID", "0"))
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """By the CPU clock of the process, as clock_getcpuclockid(3) names it: /proc counts in 10 ms,
    and an idle consumer takes a few of them in ten seconds."""
    return time.clock_gettime(~pid << 3 | 2)


def server_cpu() -> float:
    """Of all processes of the server until now, those that have ended included."""
    ended = Path(f"/proc/{PID}/stat").read_text().rpartition(")")[2].split()[13:15]
    total = cpu_seconds(PID) + sum(map(int, ended)) / TICKS
    for child in Path(f"/proc/{PID}/task/{PID}/children").read_text().split():
        try:
            total += cpu_seconds(int(child))
        except OSError:  # it ends just now
            continue
    return total


class Transactions:
    """Those that the database has ended, or commands. A look is one too. ``late``: seconds in which
    a process of PostgreSQL that is idle by now tells of its own."""

    late = 0.0 if REDIS else 11.0

    def __init__(self) -> None:
        if REDIS:
            import redis

            self._client = redis.Redis.from_url(URL)
        else:
            import psycopg  # here: SQLite's measures do without

            self._con = psycopg.connect(URL, autocommit=True)

    def count(self) -> int:
        if REDIS:
            return int(self._client.info("stats")["total_commands_processed"])
        found = self._con.execute(
            "select xact_commit + xact_rollback from pg_stat_database"
            " where datname = current_database()"
        ).fetchone()
        return int(found[0]) if found else 0
