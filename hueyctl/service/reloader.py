"""``consume --reload``: a consumer that starts anew when the files of its application change."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Any

from hueycore.system import native
from hueyctl import errors, exits, streams

#: Names the pipe that closes when the reloader is gone; only its own child has it.
LIFELINE = "_HUEYCTL_RELOADER"
#: Seconds between two looks at the child.
_LOOK = 0.2
#: How a child ends that will not do better with other files.
_FINAL = (exits.OK, exits.USAGE, exits.REFUSED, exits.INTERRUPTED, exits.TERMINATED)
_STOPPING = (signal.SIGINT, signal.SIGTERM)


class Reloader:
    """Runs the command line of this process once more in a child, and watches the Python files
    under ``folder``. ``gentle`` is the signal that stops the child when its jobs have ended."""

    def __init__(self, folder: str, gentle: signal.Signals) -> None:
        self._folder = folder
        self._gentle = gentle
        self._child: subprocess.Popen[bytes] | None = None
        self._over = self._again = False
        self._lifeline = os.pipe()

    def run(self) -> int:
        """Until a signal ends it, or the child for good; answers the exit code. Exit 78 without
        watchfiles."""
        changes: SimpleQueue[list[str]] = SimpleQueue()
        with self._signals(), _watched(self._folder, changes.put):
            streams.say(f"hueyctl: watching {self._folder}")
            self._start()
            while (code := self._ended()) is None:
                changed: list[str] = []
                with suppress(Empty):
                    changed = changes.get(timeout=_LOOK)
                if changed or self._again:
                    self._restart(changed)
        return code

    def _start(self) -> None:
        receive, _ = self._lifeline
        # In a group of its own: ^C at a terminal is passed on, and would arrive twice.
        self._child = subprocess.Popen(
            [sys.executable, *sys.orig_argv[1:]],
            # Compiled files are told apart by the second and the size: of two edits within one
            # second the first would run on.
            env={**os.environ, LIFELINE: str(receive), "PYTHONDONTWRITEBYTECODE": "1"},
            pass_fds=(receive,),
            process_group=0,
        )

    def _restart(self, changed: list[str]) -> None:
        """Let running jobs end, then start with the files as they are."""
        self._again = False
        if self._over:
            return
        if changed:
            names = [os.path.relpath(path, self._folder) for path in changed[:3]]
            more = ", …" if len(changed) > 3 else ""
            shown = streams.visible(", ".join(names))
            streams.say(f"hueyctl: {shown}{more} changed; starting anew")
        if self._child is not None:
            self._child.send_signal(self._gentle)
            self._child.wait()
        if not self._over:
            self._start()

    def _ended(self) -> int | None:
        """The code to end with; None while the child runs, or waits for its files to be mended."""
        if self._child is None:
            return exits.OK if self._over else None
        code = self._child.poll()
        if code is None:
            return None
        self._child = None
        code = 128 - code if code < 0 else code
        if self._over or code in _FINAL:
            return code
        streams.say(f"hueyctl: the consumer ended with {code}; it starts when a file has changed")
        return None

    @contextmanager
    def _signals(self) -> Iterator[None]:
        before = {number: signal.signal(number, self._stop) for number in _STOPPING}
        before[signal.SIGHUP] = signal.signal(signal.SIGHUP, self._hang_up)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._over = True
        if self._child is not None:
            self._child.send_signal(number)

    def _hang_up(self, number: int, frame: FrameType | None) -> None:
        self._again = True


@contextmanager
def _watched(folder: str, on_change: Callable[[list[str]], None]) -> Iterator[None]:
    """Tell of Python files that change, from a thread: while other files are written, such as those
    of the queue, watchfiles is never through with one round."""
    try:
        from watchfiles import PythonFilter, watch
    except ImportError:
        raise errors.CliError(
            "--reload needs watchfiles", exits.CONFIG, "pip install 'hueyctl[reload]'"
        ) from None
    over = threading.Event()

    def follow() -> None:
        for changed in watch(
            folder, watch_filter=PythonFilter(), stop_event=over, rust_timeout=500, debounce=500
        ):
            on_change(sorted(path for _, path in changed))

    thread = threading.Thread(target=follow, name="huey-files", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(2)


def is_child(environ: Any = os.environ) -> bool:
    """Whether a reloader runs this process; then it stops as on TERM when that is gone, however it
    dies."""
    lifeline = environ.get(LIFELINE)
    if lifeline is None:
        return False
    native.Thread(partial(_watch_parent, int(lifeline)), "huey-reloader").start()
    return True


def _watch_parent(receive: int) -> None:
    os.read(receive, 1)
    os.kill(os.getpid(), signal.SIGTERM)
