"""``stats --watch`` without a terminal: a line per look, as vmstat does."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hueyctl import exits, streams
from hueyctl.answers.figures import Figures, gather
from hueyctl.answers.look import Look
from hueyctl.output.columns import cell, time_text
from hueyctl.output.figures import Reader, queue_columns

if TYPE_CHECKING:
    from hueycore.storage.base import Storage
    from hueyctl.commands.stats.view import View
    from hueyctl.context import Session
    from hueyctl.output.output import Output

HEADER_EVERY = 20
_KEYS = (
    "pending", "scheduled", "blocked", "running", "dead", "oldest", "in_per_s", "out_per_s",
    "failed", "p50", "p95", "p99", "empty_in",
)  # fmt: skip
_TIME, _WIDTH = 8, 7
#: What a terminal with less room is told, by worth.
_WORTH = (
    "pending", "running", "dead", "oldest", "in_per_s", "out_per_s", "failed", "empty_in", "p95",
    "scheduled", "blocked", "p50", "p99",
)  # fmt: skip


def tick(session: Session, storage: Storage, queues: Sequence[str], view: View) -> int:
    """A line or a document per look until there were enough, or for ever."""
    try:
        return _tick(session, storage, queues, view)
    except KeyboardInterrupt:
        if session.output.on_tty:
            return exits.OK  # who watches a terminal has seen enough
        raise


def _tick(session: Session, storage: Storage, queues: Sequence[str], view: View) -> int:
    lines = _Lines(session.output)
    looks = 0
    while True:
        started = time.monotonic()
        _look(session, storage, queues, view.window, lines)
        looks += 1
        if view.looks is not None and looks >= view.looks:
            return exits.OK
        spent = time.monotonic() - started
        time.sleep(max(view.interval - spent, spent))


def _look(
    session: Session, storage: Storage, queues: Sequence[str], window: float, lines: _Lines
) -> None:
    from hueycore.exceptions import StorageBusy

    try:
        lines.write(gather(Look(storage, queues), window))
    except StorageBusy as error:
        session.notice(str(error))


class _Lines:
    """The totals of all chosen queues."""

    def __init__(self, output: Output) -> None:
        self.output = output
        self.written = 0
        self.keys: tuple[str, ...] = _KEYS
        if output.on_tty:
            # The time, and after these who is alive and busy.
            room = (streams.terminal_size()[0] - _TIME) // (_WIDTH + 1) - 2
            self.keys = tuple(key for key in _KEYS if key in _WORTH[: max(1, room)])
        self.separator = {"tsv": "\t", "csv": ","}.get("" if output.implicit else output.format)

    def write(self, figures: Figures) -> None:
        if self.output.is_json:
            from hueyctl.answers.stats import document

            self.output.document(document(figures))
            return
        texts = self._texts(figures)
        if self._header_is_due():
            self.output.line(self._joined(["TIME", *(header for header, _ in texts[1:])]))
        self.output.line(self._joined([text for _, text in texts]))
        self.written += 1

    def _header_is_due(self) -> bool:
        if self.separator:
            return self.written == 0 and self.output.headers
        # Without a format this is text for people, whatever it is piped into.
        wanted = self.output.headers or self.output.implicit
        return wanted and self.written % HEADER_EVERY == 0

    def _texts(self, figures: Figures) -> list[tuple[str, str]]:
        reader = Reader(not self.separator, figures.at, streams.is_utf8(sys.stdout))
        known = queue_columns(reader)
        style = self.output.style._replace(now=figures.at)
        if style.time_format == "relative":
            at = time.strftime("%H:%M:%S", time.localtime(figures.at))
        else:
            at = time_text(figures.at, style)
        # Without blanks inside, so that awk finds its columns.
        cells = [
            (known[key].header, cell(known[key], figures.totals, style).replace(" ", ""))
            for key in self.keys
        ]
        workers = figures.workers
        return [("TIME", at), *cells, ("ALIVE", str(workers.alive)), ("BUSY", str(workers.busy))]

    def _joined(self, texts: Sequence[str]) -> str:
        if self.separator:
            return self.separator.join(texts)
        first = _TIME if self.output.style.time_format == "relative" else 24
        return f"{texts[0]:<{first}}" + "".join(f" {text:>{_WIDTH}}" for text in texts[1:])
