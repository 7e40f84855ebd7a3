"""A terminal that a test watches and types into."""

from __future__ import annotations

import codecs
import errno
import fcntl
import os
import pty
import re
import signal
import struct
import sys
import termios
import time
from collections.abc import Sequence
from typing import Any

from clikit import DEADLINE, command

from hueyctl import streams

ENTER_SCREEN, LEAVE_SCREEN = "\x1b[?1049h", "\x1b[?1049l"
HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


#: As much of a shell as ^Z needs: without one, a stopped process could never be continued, and the
#: kernel stops none.
SHELL = """
import os, signal, sys
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
child = os.fork()
if child == 0:
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpgrp())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    os.execv(sys.argv[1], sys.argv[1:])
while True:
    _, status = os.waitpid(child, os.WUNTRACED)
    if not os.WIFSTOPPED(status):
        sys.exit(os.waitstatus_to_exitcode(status))
    os.tcsetpgrp(0, os.getpgrp())
    print("[stopped]", flush=True)
    input()
    os.tcsetpgrp(0, child)
    os.killpg(child, signal.SIGCONT)
"""


class Terminal:
    """A command line on a pseudo-terminal, which stays open after it ended."""

    def __init__(
        self,
        *args: str,
        rows: int = 24,
        columns: int = 110,
        shell: bool = False,
        argv: Sequence[str] = (),
    ) -> None:
        self.shown = ""
        # A letter of several bytes may come in two parts.
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.code: int | None = None
        self.master, self._slave = pty.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(self._slave)
        self.pid = os.fork()
        if self.pid == 0:
            os.setsid()
            fcntl.ioctl(self._slave, termios.TIOCSCTTY, 0)
            for number in (0, 1, 2):
                os.dup2(self._slave, number)
            os.environ.pop("COLUMNS", None)
            words = [sys.executable, "-c", SHELL] if shell else []
            os.execv(sys.executable, [*words, *(argv or command(*args))])

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def press(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def kill(self, number: int) -> None:
        os.kill(self.pid, number)

    def read(self, seconds: float = 0.05) -> str:
        """What came meanwhile."""
        if not streams.ready([self.master], seconds):
            return ""
        try:
            text = self._decoder.decode(os.read(self.master, 65536))
        except OSError as error:
            assert error.errno == errno.EIO
            return ""
        self.shown += text
        return text

    def wait_for(self, text: str, times: int = 1) -> None:
        """Until ``text`` was shown so often, whatever colours it has."""
        deadline = time.monotonic() + DEADLINE
        while plain(self.shown).count(text) < times and self.shown.count(text) < times:
            assert time.monotonic() < deadline, (
                f"never showed {text!r}: {plain(self.shown)[-2000:]}"
            )
            self.read()

    def forget(self) -> None:
        self.shown = ""

    def ended(self) -> int:
        """The exit code, when it has come."""
        deadline = time.monotonic() + DEADLINE
        while self.code is None:
            assert time.monotonic() < deadline, f"it goes on: {plain(self.shown)[-2000:]}"
            self.read(0.01)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
        while self.read(0.05):
            pass
        return self.code

    def mode(self) -> list[Any]:
        return termios.tcgetattr(self._slave)

    def close(self) -> None:
        if self.code is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.master)
        os.close(self._slave)


def plain(text: str) -> str:
    return _ESCAPES.sub("", text)


class Picture:
    """What a terminal shows after it got ``shown``: ``lines``, and ``style`` of a text in them."""

    def __init__(self, shown: str, columns: int, rows: int = 300) -> None:
        import pyte

        self._screen = pyte.Screen(columns, rows)
        # What went through a pseudo-terminal has its line ends; what a test reads may have not.
        self._screen.set_mode(pyte.modes.LNM)
        pyte.Stream(self._screen).feed(shown)
        self.lines = [line.rstrip() for line in self._screen.display]
        while self.lines and not self.lines[-1]:
            self.lines.pop()

    def line(self, text: str) -> str:
        """The first one that has it."""
        return next(line for line in self.lines if text in line)

    def style(self, text: str) -> tuple[str, bool]:
        """(colour, bold) of its first letter, where it is shown first."""
        row = self.lines.index(self.line(text))
        letter = self._screen.buffer[row][self.lines[row].index(text)]
        return letter.fg, letter.bold
