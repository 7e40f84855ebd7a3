"""Commands as people start them."""

import json
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

from app import TALLY, huey, tally
from server import cpu_seconds
from settings import FILE, FOLDER, HERE, OURS, check_tree, scaled
from stopwatch import Stopwatch

from measures.drain import fill, wait

URL = f"sqlite:///{FILE}"
HUEYCTL = (sys.executable, "-m", "hueyctl", "-u", URL)
#: A program that enqueues one job and ends.
PRODUCER = """
import sys
from hueycore import SqliteHuey

huey = SqliteHuey("bench", sys.argv[1], allow_paths=["__main__.*"])


@huey.task()
def noop(number): ...


noop(1)
"""


def check_programs() -> None:
    """That a Python started here imports the tree that is measured."""
    _ = huey.storage
    huey.close()
    where = "import hueycore, hueyctl; print(hueycore.__file__, hueyctl.__file__, sep='\\n')"
    command = [sys.executable, "-c", where]
    found = subprocess.run(command, check=True, cwd=FOLDER, stdout=subprocess.PIPE, text=True)
    check_tree(*found.stdout.splitlines())


def start_up(*arguments: str, number: int = 5) -> dict[str, float]:
    """A Python that starts and ends, as often as that."""
    check_programs()
    watch = Stopwatch()
    for _ in range(number):
        command = [sys.executable, *arguments]
        subprocess.run(command, check=True, cwd=FOLDER, stdout=subprocess.DEVNULL)
    watch.stop()
    return watch.figures(number)


def start_ups(rounds: int = 15) -> dict[str, float]:
    """Installed commands beside a Python that does nothing: the shortest of alternating runs."""
    check_programs()
    hueyctl = str(Path(sys.executable).parent / "hueyctl")
    commands = {
        "pass_ms": [sys.executable, "-c", "pass"],
        "version_ms": [hueyctl, "--version"],
        "help_ms": [hueyctl, "--help"],
        "list_help_ms": [hueyctl, "list", "--help"],
        "depth_ms": [hueyctl, "-u", URL, "depth"],
        "status_ms": [hueyctl, "-u", URL, "status"],
    }
    # An installed command has its bytecode; some build machines forbid to write it.
    environ = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(scaled(rounds)):
        for name, command in commands.items():
            start = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True, env=environ)
            times[name].append(time.perf_counter() - start)
    return {name: 1000 * min(taken) for name, taken in times.items()}


def consume(*, quiet: bool = False) -> dict[str, float]:
    """``hueyctl consume`` or ``huey_consumer`` with four threads and its log in a file: no-ops from
    the first one's start until the last one has run and is logged, its start-up left out."""
    number = scaled((40_000 if quiet else 10_000) if OURS else 2000)
    fill(tally, number, number)
    if OURS:
        check_programs()
        command = [sys.executable, "-m", "hueyctl", *(["-q"] if quiet else []), "consume"]
    else:
        program = str(Path(sys.executable).parent / "huey_consumer")
        command = [program, *(["-q"] if quiet else [])]
    path = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(HERE))))
    log = FOLDER / "consumer.log"
    with open(log, "wb") as stderr:
        process = subprocess.Popen(
            [*command, "app.huey", "-w", "4"],
            stderr=stderr, cwd=FOLDER, env={**os.environ, "PYTHONPATH": path},
        )  # fmt: skip
        try:
            wait(lambda: TALLY.exists() or process.poll() is not None, 0.005)
            if not TALLY.exists():
                sys.exit(log.read_text()[-2000:])
            began, cpu, ended = json.loads(TALLY.read_text())
            ended = last_write(log, ended)
            cpu = cpu_seconds(process.pid) - cpu
        finally:
            process.terminate()
            process.wait()
    return {
        "per_s": number / (ended - began),
        "cpu_us": 1e6 * cpu / number,
        "log_bytes_per_job": log.stat().st_size / number,
    }


def last_write(log: Path, ended: float) -> float:
    """When the log was written for the last time after the jobs had ended: lines that still wait
    in a buffer are work too."""
    size, end = log.stat().st_size, time.monotonic() + 0.3
    while time.monotonic() < end:
        if (grown := log.stat().st_size) != size:
            size, ended = grown, time.monotonic()
            end = ended + 0.3
        time.sleep(0.005)
    return ended


help_command = partial(start_up, "-m", "hueyctl", "--help")
depth_command = partial(start_up, *HUEYCTL[1:], "depth")
producer_command = partial(start_up, "-c", PRODUCER, FILE)
