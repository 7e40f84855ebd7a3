"""The live view of ``stats --watch``. The only importer of rich's Live besides the demo."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from rich.console import ConsoleDimensions
from rich.live import Live
from rich.text import Text

from hueyctl import errors, exits, streams
from hueyctl.answers.alarms import alarms
from hueyctl.answers.figures import Figures, gather
from hueyctl.answers.look import Look
from hueyctl.answers.runs import runs
from hueyctl.commands.stats.deed import Deed, asked, carry_out
from hueyctl.commands.stats.frame import frame
from hueyctl.commands.stats.keyboard import Keys
from hueyctl.commands.stats.terminal import Terminal
from hueyctl.commands.stats.view import View
from hueyctl.output.console import make_console
from hueyctl.output.grid import Line

if TYPE_CHECKING:
    from hueycore.storage.base import Storage

    Writing = Callable[[str], Storage]


def watch(
    storage: Storage,
    queues: Sequence[str],
    view: View,
    writing: Writing,
    *,
    colour: bool,
    alt_screen: bool,
) -> int:
    """Show figures until q or ^C. The terminal is restored however this ends. ``writing`` opens
    the storage of a queue for a key that changes something."""
    with ExitStack() as stack:
        terminal = stack.enter_context(Terminal())
        keys = stack.enter_context(Keys())
        live = Live(
            console=make_console(colour),
            auto_refresh=False,
            screen=alt_screen,
            redirect_stdout=False,
            redirect_stderr=False,
            vertical_overflow="crop",
        )
        stack.enter_context(live)
        try:
            _Watch(storage, queues, view, writing, live, keys, terminal).run()
        except KeyboardInterrupt:
            return exits.OK
    return exits.OK


class _Watch:
    def __init__(
        self,
        storage: Storage,
        queues: Sequence[str],
        view: View,
        writing: Writing,
        live: Live,
        keys: Keys,
        terminal: Terminal,
    ) -> None:
        self.storage, self.queues = storage, queues
        self.view, self.writing = view, writing
        self.live, self.keys, self.terminal = live, keys, terminal
        self.utf8 = streams.is_utf8(sys.stdout)
        self.looks = 0
        self._read()

    def run(self) -> None:
        started = time.monotonic()
        self._draw()
        spent = 0.0
        while self.view.looks is None or self.looks < self.view.looks:
            # A look that takes long is followed by as long a rest: looks are skipped, not queued.
            due = max(started + self.view.interval, started + 2 * spent)
            if self._quits_before(due):
                return
            started = time.monotonic()
            self._look()
            self._draw()
            spent = time.monotonic() - started

    def _quits_before(self, due: float) -> bool:
        """Serve keys and signals until the next look is due; True when q was pressed."""
        while True:
            left = due - time.monotonic()
            if left <= 0 and not self.view.frozen:
                return False
            pressed = self.terminal.wait(3600.0 if self.view.frozen else left, self.keys.descriptor)
            if pressed:
                for key in self.keys.read():
                    if key in "qQ":
                        return True
                    if self._press(key):
                        return False
            self._serve_signals()

    def _press(self, key: str) -> bool:
        """Redraw after a key; True when it asks for a new look."""
        before = self.view
        if before.deed is not None:
            return self._answer(before.deed, key)
        if key in ("p", "r"):
            self._ask(key)
        else:
            self.view = before._replace(note="").pressed(key, self._names())
        after = self.view
        if before.window != after.window or (before.frozen and not after.frozen):
            return True
        if before != after:
            self._draw()
        return False

    def _names(self) -> list[str]:
        return [row.name for row in self.figures.queues]

    def _ask(self, key: str) -> None:
        """A key that changes something is asked once."""
        name = self.view.chosen(self._names())
        row = next((row for row in self.figures.queues if row.name == name), None)
        deed = None if row is None else asked(key, row)
        nothing = "there is nothing to retry" if key == "r" else "there is no queue"
        self.view = self.view._replace(deed=deed, note="" if deed else nothing, help=False)

    def _answer(self, deed: Deed, key: str) -> bool:
        self.view = self.view._replace(deed=None, note="", trouble="")
        if key not in ("y", "Y"):
            self._draw()
            return False
        try:
            self.view = self.view._replace(note=carry_out(deed, self.writing(deed.queue)))
        except Exception as error:
            found = errors.explain(error)
            if found.bug:
                raise
            self.view = self.view._replace(trouble=found.message)
            self._draw()
            return False
        return True

    def _serve_signals(self) -> None:
        news, self.terminal.news = self.terminal.news, set()
        if signal.SIGTSTP in news:
            self.terminal.suspend(self._leave, self._enter)
        elif signal.SIGCONT in news:
            # Stopped by somebody else: who knows what the terminal has become.
            self._leave()
            self._enter()
        elif signal.SIGWINCH in news:
            self._draw()

    def _leave(self) -> None:
        self.live.stop()
        self.keys.restore()

    def _enter(self) -> None:
        self.keys.listen()
        self.live.start()
        self._draw()

    def _read(self) -> None:
        self.looks += 1
        look = Look(self.storage, self.queues)
        self.figures, self.alarms = gather(look, self.view.window), alarms(look)
        self.runs = runs(look)

    def _look(self) -> None:
        from hueycore.exceptions import StorageBusy

        try:
            self._read()
            self.view = self.view._replace(trouble="")
        except StorageBusy as error:
            self.view = self.view._replace(trouble=str(error))

    def _draw(self) -> None:
        if not streams.ready([sys.stdout.fileno()], 0, to_write=True):
            return  # a slow terminal: skip this frame rather than queue it
        width, height = streams.terminal_size()
        self.live.console.size = ConsoleDimensions(width, height)
        lines = frame(self.figures, self.view, width, height, self.utf8, self.alarms, self.runs)
        self.live.update(to_text(lines), refresh=True)


def print_overview(figures: Figures, view: View, *, colour: bool) -> None:
    """One frame, as long as it needs to be."""
    width, _ = streams.terminal_size()
    console = make_console(colour)
    lines = frame(figures, view, width, None, streams.is_utf8(sys.stdout))
    console.print(to_text(lines), no_wrap=True, crop=False, overflow="ignore")


def to_text(lines: Sequence[Line]) -> Text:
    """One text of rich; no markup is read in it."""
    text = Text(no_wrap=True, overflow="crop", end="")
    for number, line in enumerate(lines):
        text.append("\n" if number else "")
        for part, style in line:
            text.append(part, style or None)
    return text
