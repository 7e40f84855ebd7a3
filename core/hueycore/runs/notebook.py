"""What runs say of themselves while they go on: progress, and the log lines kept with the job.

A run only appends to queues in memory. One thread per application writes what all of its runs have
said, a few times a second; what is left at the end of a run goes with its ending, in the same
transaction. A crash keeps what was written.
"""

from __future__ import annotations

import logging
import os
import traceback
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar, Token

from hueycore.exceptions import StorageError, TaskTimeout
from hueycore.model.events import LogLine, Said
from hueycore.model.jobs import Claim
from hueycore.serializer import safe_repr
from hueycore.storage.base import Storage
from hueycore.system import clock, native

logger = logging.getLogger("hueycore.notes")

#: Seconds between two writes.
INTERVAL = 0.25
#: What one run keeps at most, and the longest line, in characters.
MOST_LINES = 1000
MOST_CHARACTERS = 200_000
LONGEST_LINE = 8000
LONGEST_PROGRESS = 500
#: Seconds until the next try after the storage failed.
AFTER_ERROR = 1.0


class Notebook:
    """What one run says. Without locks: the exception of a time limit may strike anywhere in a run,
    and appending to a deque is one step."""

    def __init__(
        self, claim: Claim, level: int | None, inbox: native.SimpleQueue[Notebook | None]
    ) -> None:
        self.claim = claim
        self.level = level
        self.used = False
        #: How to come back to the run within which this one is, if it keeps its lines.
        self.before: Token[Notebook | None] | None = None
        #: Whether the writing thread knows that there is something.
        self.told = False
        self._inbox = inbox
        self._progress: deque[str] = deque(maxlen=1)
        self._lines: deque[LogLine] = deque()
        self._room = MOST_LINES
        self._characters = MOST_CHARACTERS

    def report(self, text: str) -> None:
        """The progress of the run; only the last one of a quarter of a second is written."""
        self._progress.append(writable(text, LONGEST_PROGRESS))
        self._tell()

    def keep(self, record: logging.LogRecord) -> None:
        """Keep a log line; the first ones of a run, up to its limits."""
        if self._room <= 0:
            return
        text = writable(text_of(record), LONGEST_LINE)
        self._room -= 1
        self._characters -= len(text)
        level = writable(record.levelname, 20)
        if self._room <= 0 or self._characters < 0:
            self._room = 0
            level = "WARNING"
            text = f"more was logged: a run keeps {MOST_LINES} lines, {MOST_CHARACTERS} characters"
        self._lines.append(LogLine(record.created, level, text))
        self._tell()

    def _tell(self) -> None:
        self.used = True
        if not self.told:
            self.told = True
            self._inbox.put(self)

    def take(self) -> Said | None:
        """What was said since the last time."""
        # In this order: whoever appends after the taking sees that he must tell.
        self.told = False
        lines = []
        while self._lines:
            lines.append(self._lines.popleft())
        progress = self._progress.popleft() if self._progress else None
        return Said(progress, lines) if lines or progress is not None else None

    def give_back(self, said: Said) -> None:
        """It could not be written."""
        self._lines.extendleft(reversed(said.lines))
        if said.progress is not None and not self._progress:
            self._progress.append(said.progress)
        self._tell()


class Notes:
    """The notebooks of one application, and the thread that writes them down."""

    def __init__(self, storage: Callable[[], Storage]) -> None:
        self._storage = storage
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._inbox: native.SimpleQueue[Notebook | None] = native.SimpleQueue()
        self._thread: native.AnyThread | None = None
        self._starting = native.Lock()
        #: Held while something is on its way into the storage: an ending must not overtake it.
        self._writing = native.Lock()
        self._written_at = 0.0

    def open(self, claim: Claim, level: int | None) -> Notebook:
        """A run begins in this context; its log lines from ``level`` on are kept."""
        if self._pid != os.getpid():
            self._begin()  # the thread is the parent's, and so is what it had to write
        thread = self._thread
        if thread is None or not thread.is_alive():
            self._start()
        notebook = Notebook(claim, level, self._inbox)
        if level is not None:
            _keeper.hang_up()
            notebook.before = _notebook.set(notebook)
        return notebook

    def _start(self) -> None:
        with self._starting:
            if self._thread is not None and self._thread.is_alive():
                return
            thread = native.Thread(self._run, "huey-notes")
            try:
                thread.start()
            except RuntimeError as error:  # no more threads: all is written with the endings
                logger.warning("log lines and progress come late: %s", error)
            else:
                self._thread = thread

    def close(self, notebook: Notebook) -> Said | None:
        """The run is over: what is not written yet, for its ending."""
        if notebook.before is not None:
            _notebook.reset(notebook.before)
            _keeper.take_down()
        if not notebook.used:
            return None
        with self._writing:
            return notebook.take()

    def stop(self) -> None:
        """End the thread; the next notebook starts another one."""
        thread, self._thread = self._thread, None
        if thread is not None and self._pid == os.getpid():
            self._inbox.put(None)
            thread.join(5)

    def _run(self) -> None:
        inbox = self._inbox
        while (notebook := inbox.get()) is not None:
            pause = self._written_at + INTERVAL - clock.monotonic()
            if pause > 0:
                native.sleep(pause)
            told = {notebook}
            try:
                while (another := inbox.get_nowait()) is not None:
                    told.add(another)
                inbox.put(None)  # to be met again, when these are written
            except native.Empty:
                pass
            try:
                self._write_down(told)
            except Exception:
                logger.exception("log lines or progress of %d runs are lost", len(told))
            self._written_at = clock.monotonic()

    def _write_down(self, notebooks: set[Notebook]) -> None:
        with self._writing:
            taken = [(one, said) for one in notebooks if (said := one.take()) is not None]
            if not taken:
                return
            try:
                self._storage().note([(one.claim, said) for one, said in taken])
                return
            except StorageError as error:
                logger.warning("log lines and progress must wait: %s", error)
                for one, said in taken:
                    one.give_back(said)
        native.sleep(AFTER_ERROR)


_notebook: ContextVar[Notebook | None] = ContextVar("hueycore_notebook", default=None)


class _Keeper(logging.Handler):
    """Hangs on the root logger while runs keep their lines, so that at any other time
    ``logging.basicConfig`` finds what it would find without us."""

    def __init__(self) -> None:
        super().__init__()
        self.begin()
        os.register_at_fork(after_in_child=self.begin)

    def begin(self) -> None:
        """Nothing runs yet; in a forked child the runs are its parent's."""
        self._runs = 0
        self._counting = native.Lock()
        logging.getLogger().removeHandler(self)

    def hang_up(self) -> None:
        with self._counting:
            self._runs += 1
            if self._runs == 1:
                logging.getLogger().addHandler(self)

    def take_down(self) -> None:
        with self._counting:
            self._runs -= 1
            if self._runs == 0:
                logging.getLogger().removeHandler(self)

    def handle(self, record: logging.LogRecord) -> bool:
        """Without the lock of other handlers: runs must not wait for each other."""
        notebook = _notebook.get()
        if notebook is not None and notebook.level is not None and record.levelno >= notebook.level:
            notebook.keep(record)
        last = logging.lastResort
        if last is not None and record.levelno >= last.level and self._is_alone(record.name):
            last.handle(record)  # a program that set up nothing still sees its warnings
        return True

    def _is_alone(self, name: str) -> bool:
        found: logging.Logger | None = logging.getLogger(name)
        while found is not None:
            if any(handler is not self for handler in found.handlers):
                return False
            found = found.parent if found.propagate else None
        return True


_keeper = _Keeper()


def text_of(record: logging.LogRecord) -> str:
    """Message and traceback. A call whose arguments do not fit is kept as it was written: it must
    not fail the job."""
    try:
        text = record.getMessage()
        if record.exc_info and record.exc_info[0] is not None:
            text += "\n" + "".join(traceback.format_exception(*record.exc_info)).rstrip()
        return text
    except TaskTimeout:
        raise  # of the run
    except Exception:
        plain = record.msg if isinstance(record.msg, str) else safe_repr(record.msg, 200)
        return f"{plain} (it cannot be formatted)"


def writable(text: str, longest: int) -> str:
    """Text as any storage takes it: not too long, and no halves of characters."""
    if len(text) > longest:
        text = text[: longest - 1] + "…"
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
