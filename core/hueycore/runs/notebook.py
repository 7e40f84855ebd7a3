"""The progress of runs, and the log lines that are kept with the job, while they go on.

A run only appends to queues in memory. One thread per application writes the pages of all its runs,
a few times a second; what is left at the end of a run goes with its ending, in the same
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


class Page:
    """Progress and log lines of one run. Without locks: the exception of a time limit may arrive
    anywhere in a run, and appending to a deque is one step."""

    def __init__(
        self, claim: Claim, level: int | None, inbox: native.SimpleQueue[Page | None]
    ) -> None:
        self.claim = claim
        self.level = level
        self.used = False
        #: Restores the page of the enclosing run, if this one keeps its lines.
        self.before: Token[Page | None] | None = None
        #: Whether it is in the inbox of the writing thread.
        self.queued = False
        self._inbox = inbox
        self._progress: deque[str] = deque(maxlen=1)
        self._lines: deque[LogLine] = deque()
        self._lines_left = MOST_LINES
        self._characters_left = MOST_CHARACTERS

    def report(self, text: str) -> None:
        """The progress of the run; only the last one of a quarter of a second is written."""
        self._progress.append(writable(text, LONGEST_PROGRESS))
        self._queue()

    def keep(self, record: logging.LogRecord) -> None:
        """Keep a log line; the first ones of a run, up to its limits."""
        if self._lines_left <= 0:
            return
        text = writable(text_of(record), LONGEST_LINE)
        self._lines_left -= 1
        self._characters_left -= len(text)
        level = writable(record.levelname, 20)
        if self._lines_left <= 0 or self._characters_left < 0:
            self._lines_left = 0
            level = "WARNING"
            text = f"more was logged: a run keeps {MOST_LINES} lines, {MOST_CHARACTERS} characters"
        self._lines.append(LogLine(record.created, level, text))
        self._queue()

    def _queue(self) -> None:
        self.used = True
        if not self.queued:
            self.queued = True
            self._inbox.put(self)

    def take(self) -> Said | None:
        """What was added since the last time."""
        # In this order: what is added after the taking puts the page into the inbox again.
        self.queued = False
        lines = []
        while self._lines:
            lines.append(self._lines.popleft())
        progress = self._progress.popleft() if self._progress else None
        return Said(progress, lines) if lines or progress is not None else None

    def put_back(self, log: Said) -> None:
        """It could not be written."""
        self._lines.extendleft(reversed(log.lines))
        if log.progress is not None and not self._progress:
            self._progress.append(log.progress)
        self._queue()


class Notebook:
    """The pages of one application's runs, and the thread that writes them into the storage."""

    def __init__(self, storage: Callable[[], Storage]) -> None:
        self._storage = storage
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._inbox: native.SimpleQueue[Page | None] = native.SimpleQueue()
        self._thread: native.AnyThread | None = None
        self._starting = native.Lock()
        #: Held during a write: an ending must not overtake the lines before it.
        self._writing = native.Lock()
        self._written_at = 0.0

    def open(self, claim: Claim, level: int | None) -> Page:
        """A run begins in this context; its log lines from ``level`` on are kept."""
        if self._pid != os.getpid():
            self._begin()  # the thread is the parent's, and so is what it had to write
        thread = self._thread
        if thread is None or not thread.is_alive():
            self._start()
        page = Page(claim, level, self._inbox)
        if level is not None:
            _keeper.attach()
            page.before = _page.set(page)
        return page

    def _start(self) -> None:
        with self._starting:
            if self._thread is not None and self._thread.is_alive():
                return
            thread = native.Thread(self._run, "huey-notes")
            try:
                thread.start()
            except RuntimeError as error:  # no more threads: everything is written with the endings
                logger.warning("log lines and progress come late: %s", error)
            else:
                self._thread = thread

    def close(self, page: Page) -> Said | None:
        """The run is over: what is not written yet, for its ending."""
        if page.before is not None:
            _page.reset(page.before)
            _keeper.detach()
        if not page.used:
            return None
        with self._writing:
            return page.take()

    def stop(self) -> None:
        """End the thread; the next page starts another one."""
        thread, self._thread = self._thread, None
        if thread is not None and self._pid == os.getpid():
            self._inbox.put(None)
            thread.join(5)

    def _run(self) -> None:
        inbox = self._inbox
        while (page := inbox.get()) is not None:
            pause = self._written_at + INTERVAL - clock.monotonic()
            if pause > 0:
                native.sleep(pause)
            pages = {page}
            try:
                while (another := inbox.get_nowait()) is not None:
                    pages.add(another)
                inbox.put(None)  # taken out again, after these are written
            except native.Empty:
                pass
            try:
                self._write(pages)
            except Exception:
                logger.exception("log lines or progress of %d runs are lost", len(pages))
            self._written_at = clock.monotonic()

    def _write(self, pages: set[Page]) -> None:
        with self._writing:
            taken = [(page, log) for page in pages if (log := page.take()) is not None]
            if not taken:
                return
            try:
                self._storage().note([(page.claim, log) for page, log in taken])
                return
            except StorageError as error:
                logger.warning("log lines and progress must wait: %s", error)
                for page, log in taken:
                    page.put_back(log)
        native.sleep(AFTER_ERROR)


_page: ContextVar[Page | None] = ContextVar("hueycore_page", default=None)


class _Keeper(logging.Handler):
    """A handler of the root logger while runs keep their lines. At any other time
    ``logging.basicConfig`` finds what it would find without it."""

    def __init__(self) -> None:
        super().__init__()
        self.begin()
        os.register_at_fork(after_in_child=self.begin)

    def begin(self) -> None:
        """Nothing runs yet; in a forked child the runs are its parent's."""
        self._runs = 0
        self._counting = native.Lock()
        logging.getLogger().removeHandler(self)

    def attach(self) -> None:
        with self._counting:
            self._runs += 1
            if self._runs == 1:
                logging.getLogger().addHandler(self)

    def detach(self) -> None:
        with self._counting:
            self._runs -= 1
            if self._runs == 0:
                logging.getLogger().removeHandler(self)

    def handle(self, record: logging.LogRecord) -> bool:
        """Without the lock of other handlers: runs must not wait for each other."""
        page = _page.get()
        if page is not None and page.level is not None and record.levelno >= page.level:
            page.keep(record)
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
