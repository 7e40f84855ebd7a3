"""An operator's drill: a queue in a mess, and twelve questions, each answered by one command of at
most four words.

    python tests/tools/drill.py [URL]     (a file of its own without one)

Prints each question, the command, what it answers on a terminal, and the seconds it took.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "core")]

from hueycore.storage.base import Storage  # noqa: E402
from hueycore.storage.open import open_storage  # noqa: E402
from tests.helpers import wait_until  # noqa: E402
from tests.tools import consumers  # noqa: E402

#: Seconds that a command may take.
LIMIT = 0.5
#: Seconds that the mess may take to come about.
WAIT = 60.0
COLUMNS, ROWS = 120, 50
APP = """
import os, time
from hueycore import Huey, crontab

url = os.environ["DRILL_URL"]
shop = Huey("shop", url=url)
mail = Huey("mail", url=url)


@shop.task(name="charge")
def charge(user_id):
    raise ValueError("card refused") if user_id % 3 else TimeoutError("bank said nothing")


@shop.task(name="confirm")
def confirm(user_id):
    pass


@shop.task(name="transfer", at_most_once=True)
def transfer(number):
    time.sleep(3600)


@shop.task(name="ledger.close", lock="ledger")
def close(month):
    pass


@shop.task(name="search.reindex", context=True)
def reindex(seconds, task):
    task.progress(3, 10)
    time.sleep(seconds)


@shop.task(name="images.resize")
def resize(number):
    time.sleep(0.2)


@shop.periodic_task(crontab("*/20 * * * *"), name="report")
def report():
    pass


@mail.task(name="mail.send")
def send(user_id):
    pass
"""


class Question(NamedTuple):
    text: str
    words: tuple[str, ...]


class Answer(NamedTuple):
    """``seconds`` on the clock, and of those that the processor worked."""

    code: int
    shown: str
    seconds: float
    cpu_s: float


class Mess:
    """What is true of it: numbers of jobs, by what they are about. ``folder`` is where to ask."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        self.blocked = ""
        self.environment = consumers.environment(folder) | {
            "DRILL_URL": url,
            "HUEYCTL_URL": url,
            "TERM": "xterm",
            "NO_COLOR": "1",
        }
        for name in ("COLUMNS", "LINES"):
            self.environment.pop(name, None)

    def questions(self) -> list[Question]:
        return [
            Question("What is wrong?", ("why",)),
            Question("Which task fails and with what error?", ("dead", "summary")),
            Question("How long until the queue is empty?", ("stats",)),
            Question(
                "Who holds the lock ledger, since when, and who waits for it?", ("lock", "list")
            ),
            Question("Which job runs longest, against its usual time?", ("status",)),
            Question("What runs in the next hour?", ("status",)),
            Question("Is a consumer alive for every queue?", ("workers",)),
            Question(
                "What did an operator change today?", ("events", "--operators", "--since=today")
            ),
            Question(f"Why does job {self.blocked} not run?", ("why", self.blocked)),
            Question(
                "What has user 42's last job become?",
                ("list", "-a", "--where=kwargs.user_id=42"),
            ),
            Question(
                "Which jobs were lost to a crash?", ("dead", "list", "--where=reason=crashed")
            ),
            Question("How much space would a vacuum give back?", ("db", "info")),
        ]

    @cached_property
    def storage(self) -> Storage:
        return open_storage(self.url, read_only=True, create=False)

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        return consumers.start(self.folder, self.environment, *words)

    def change(self, *words: str) -> None:
        subprocess.run(
            consumers.command(*words), cwd=self.folder, env=self.environment, check=True,
            stdin=subprocess.DEVNULL, capture_output=True,
        )  # fmt: skip

    def enqueue(self, *lines: str) -> str:
        """What an application does; the answer is what it prints."""
        code = "from shop import *\n" + "\n".join(lines)
        return subprocess.run(
            [sys.executable, "-c", code], cwd=self.folder, env=self.environment, check=True,
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
        ).stdout.strip()  # fmt: skip

    def number(self, id_: str) -> str:
        job = self.storage.job(id_)
        assert job is not None
        return str(job.seq)

    def wait_for(self, queue: str, **numbers: int) -> None:
        """Until so many jobs are in each of these states."""

        def there() -> bool:
            found = {
                str(one.state): one.count for one in self.storage.depths() if one.queue == queue
            }
            return all(found.get(state, 0) >= number for state, number in numbers.items())

        wait_until(there, WAIT, f"{numbers} in {queue}")

    def wait_for_begin(self, id_: str) -> None:
        def begun() -> bool:
            job = self.storage.job(id_)
            assert job is not None
            return job.seq in {seq for row in self.storage.workers() for _, seq in row.running}

        wait_until(begun, WAIT, f"{id_} runs")

    def ask(self, question: Question) -> Answer:
        """As a person asks, on a terminal."""
        began = time.monotonic()
        pid, master = pty.fork()
        if pid == 0:
            os.chdir(self.folder)
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
            words = consumers.command(*question.words)
            os.execve(words[0], words, self.environment)
        shown = b"".join(_until_closed(master))
        _, status, used = os.wait4(pid, 0)
        seconds = time.monotonic() - began
        os.close(master)
        text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode()).replace("\r\n", "\n")
        cpu_s = used.ru_utime + used.ru_stime
        return Answer(os.waitstatus_to_exitcode(status), text, seconds, cpu_s)


def _until_closed(master: int) -> Iterator[bytes]:
    while True:
        try:
            chunk = os.read(master, 65536)
        except OSError:  # EIO: nobody has the other end any more
            return
        if not chunk:
            return
        yield chunk


@contextmanager
def mess(folder: Path, url: str) -> Iterator[Mess]:
    """A queue in a mess, with a consumer that works on it and a process that holds a lock."""
    (folder / "shop.py").write_text(APP)
    made = Mess(folder, url)
    children: list[subprocess.Popen[bytes]] = []
    try:
        _prepare(made, children)
        yield made
    finally:
        for child in children:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        if "storage" in vars(made):
            made.storage.close()


def _prepare(made: Mess, children: list[subprocess.Popen[bytes]]) -> None:
    def start(*words: str) -> subprocess.Popen[bytes]:
        children.append(made.start(*words))
        return children[-1]

    consume = ("consume", "shop:shop", "-w", "4")
    made.enqueue("resize.map([(number,) for number in range(1200)])")
    backlog = made.folder / "backlog.jsonl"
    made.change("dump", "--state", "pending", "-n", "400", "--to", str(backlog))
    made.change("purge", "pending", "--yes")  # a file has room now that nobody needs
    made.enqueue(
        "[charge(number) for number in range(9)]",
        "[reindex(0.01) for _ in range(30)]",
        "[confirm(user_id=number) for number in (7, 42)]",
        "charge(user_id=42)",
    )
    first = start(*consume)
    made.wait_for("shop", done=32, dead=10)
    crashed = made.enqueue("print(transfer(1).id)")
    made.wait_for_begin(crashed)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    start(*consume)
    made.wait_for("shop", dead=11)
    start("--queue", "shop", "lock", "acquire", "ledger", "--", "sleep", "3600")
    wait_until(lambda: any(lock.name == "ledger" for lock in made.storage.locks()), WAIT)
    held_back = made.enqueue("print(close('october').id)", "close('november')")
    made.wait_for("shop", blocked=2)
    made.blocked = made.number(held_back)
    long_one = made.enqueue("print(reindex(3600).id)")
    made.wait_for_begin(long_one)
    _shift(backlog, -3600)
    made.change("load", str(backlog))
    made.enqueue(
        "[send(number) for number in range(5)]",
        "resize.schedule((1,), delay=1800)",
    )
    later = made.enqueue("print(resize.schedule((2,), delay=7200).id)")
    made.change("pause", "mail", "--reason", "SMTP down")
    made.change("revoke", later, "--reason", "twice")


def _shift(dump: Path, seconds: float) -> None:
    """The jobs of a dump were enqueued at another time."""
    lines = []
    for line in dump.read_text("utf-8").splitlines():
        found = json.loads(line)
        for name in ("enqueued_at", "run_at"):
            if found.get(name):
                at = datetime.fromisoformat(found[name]) + timedelta(seconds=seconds)
                found[name] = at.isoformat()
        lines.append(json.dumps(found))
    dump.write_text("\n".join(lines) + "\n", "utf-8")


def main(url: str | None) -> int:
    slow = 0
    with (
        tempfile.TemporaryDirectory(prefix="hueyctl-drill-") as folder,
        mess(Path(folder), url or f"sqlite:///{folder}/huey.db") as made,
    ):
        for question in made.questions():
            answer = made.ask(question)
            slow += answer.seconds > LIMIT
            took = f"{answer.seconds:.2f} s, {answer.cpu_s:.2f} s of a processor"
            line = " ".join(("hueyctl", *question.words))
            sys.stdout.write(f"# {question.text}    ({took})\n$ {line}\n")
            sys.stdout.write(answer.shown.rstrip() + "\n\n")
    sys.stdout.write(f"{slow} took longer than {LIMIT} s\n")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else None))
