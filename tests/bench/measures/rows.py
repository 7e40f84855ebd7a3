"""A file with many finished jobs: what a job costs beside them, and what a question."""

import sqlite3
import statistics
import subprocess
import time
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial

import app
from app import fail, huey, noop
from settings import FILE, ROWS, scaled

from measures.commands import HUEYCTL, check_programs
from measures.drain import drain, is_empty, wait

#: One job of so many is dead, and so many seconds lie between two of them.
DEAD = 100
STEP = 0.05
TIMES = ("enqueued_at", "run_at", "started_at", "finished_at")


def copy(con: sqlite3.Connection, job: str, number: int, which: str, base: int) -> None:
    """Copies of a real job, its payload and its result, whatever columns they have: those of the
    numbers n from 1 to ``number`` that ``which`` selects."""
    (seq,) = con.execute("select seq from huey_job where id = ?", (job,)).fetchone()
    # Like a real one, which begins with its time.
    unlike = {
        "seq": f"{base} + n",
        "id": "printf('%08x-%04x-7000-8000-%s', n >> 16, n & 65535, lower(hex(randomblob(6))))",
        **{name: f"{name} - {STEP} * ({number} - n)" for name in TIMES},
    }
    for table in ("huey_job", "huey_payload", "huey_result"):
        names = [row[1] for row in con.execute(f"pragma table_info({table})")]
        values = ", ".join(unlike.get(name, name) for name in names)
        con.execute(
            f"""
            with recursive series(n) as (
                select 1 union all select n + 1 from series where n < {number}
            )
            insert into {table} ({", ".join(names)})
            select {values} from series, {table} where seq = ? and {which}
            """,
            (seq,),
        )


def grow(number: int) -> None:
    """Run a job that is done and one that is dead, and copy them."""
    done, dead = noop(1), fail(2)
    consumer = huey.create_consumer(workers=1, periodic=False)
    consumer.start()
    wait(is_empty, 0.01)
    consumer.stop(graceful=True)
    huey.close()
    app.count = 0
    with closing(sqlite3.connect(FILE)) as con:
        con.execute("pragma synchronous = off")
        con.execute("pragma cache_size = -64000")
        with con:
            copy(con, done.id, number, f"n % {DEAD} <> 0", base=10)
            copy(con, dead.id, number, f"n % {DEAD} = 0", base=10)


def drain_among(finished: int) -> dict[str, float]:
    """As ``drain``, with so many finished jobs in the file already."""
    huey.keep = huey.keep._replace(done_count=10 * finished)
    grow(scaled(finished))
    return drain(4)


def milliseconds(ask: Callable[[], object]) -> float:
    start = time.perf_counter()
    ask()
    return 1000 * (time.perf_counter() - start)


def get(job: str) -> None:
    """Read a result for the first time, or again: who reads it again finds the error in the row."""
    from hueycore import TaskException

    with suppress(TaskException):
        huey.result(job)


def questions() -> dict[str, float]:
    """Milliseconds of lookups in this process, and of commands with their start-up."""
    check_programs()
    grow(ROWS)
    pending = [noop(0).id for _ in range(scaled(1000))]
    with closing(sqlite3.connect(FILE)) as con:
        found = con.execute("select id, seq from huey_job where state = 'dead' order by random()")
        dead = found.fetchmany(40)
    ids = [row[0] for row in dead]
    lookups = (
        ("get_dead_ms", get, ids[:20]),
        ("get_dead_again_ms", get, ids[:20]),
        ("job_by_id_ms", huey.storage.job, ids[20:]),
        ("job_by_number_ms", huey.storage.job, [str(row[1]) for row in dead[20:]]),
    )
    answer: dict[str, float] = {"rows": ROWS}
    for name, ask, keys in lookups:
        answer[name] = statistics.median(milliseconds(partial(ask, key)) for key in keys)
    commands = {
        "list_ms": ("list", "-n", "20"),
        "depth_ms": ("depth",),
        "why_ms": ("why", pending[-1]),
        "show_ms": ("show", ids[0]),
        "stats_ms": ("stats",),
    }
    for name, words in commands.items():
        start = partial(subprocess.run, (*HUEYCTL, *words), check=True, capture_output=True)
        answer[name] = statistics.median(milliseconds(start) for _ in range(5))
    return answer
