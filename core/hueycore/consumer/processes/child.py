"""A child process of the supervisor: how it is forked, and how it receives orders."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any

from hueycore.consumer.processes.channel import Channel
from hueycore.consumer.trouble import will_pass
from hueycore.consumer.unixsignals import HANDLED, Signals
from hueycore.exceptions import StorageError
from hueycore.system import native

logger = logging.getLogger("hueycore.consumer")

#: Exit codes of a child. It left in order, and nothing of it is open.
LEFT = 0
#: It left in order, and had to interrupt a job and give it back.
GAVE_BACK = 1
#: It could not go on.
FAILED = 70

Work = Callable[[Channel, Signals], int]
#: No signal may reach a child while it has the handlers of its parent.
_MASKED = (*HANDLED, signal.SIGCHLD)


def fork(work: Work, foreign: Iterable[Channel]) -> tuple[int, Channel]:
    """Fork a process that does ``work`` and exits with the code that it returns; its pid, and the
    parent's end of the channel. ``foreign`` are the ends of its siblings' channels: a child that
    kept them open would hide from its siblings that the supervisor has died. Raises OSError."""
    here, there = Channel.pair()
    sys.stdout.flush()
    sys.stderr.flush()
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _MASKED)
    try:
        pid = os.fork()
        if pid == 0:
            for channel in (*foreign, here):
                channel.close()
            _run_child(work, there, mask)
    except BaseException:
        here.close()
        raise
    finally:
        there.close()
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return pid, here


def _run_child(work: Work, channel: Channel, mask: Iterable[int]) -> None:
    """Does not return."""
    code = FAILED
    try:
        # Signals from before the fork are the parent's.
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signals = Signals()
        signals.open()
        signals.install()
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        code = work(channel, signals)
    except StorageError as error:
        if not pass_on(error, channel):
            logger.error("process %d: %s", os.getpid(), error)
    except BaseException:
        logger.exception("process %d ends", os.getpid())
    finally:
        try:
            logging.shutdown()
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)


def pass_on(error: StorageError, channel: Channel) -> bool:
    """Whether an error ends the whole consumer. It is then sent to the supervisor, which logs it
    once for all its children."""
    if will_pass(error):
        return False
    channel.send("error", type(error).__name__, str(error))
    return True


class Orders:
    """A thread of a child that calls ``on_order`` with each message of the supervisor; also with
    ``signal`` when TERM or INT came to the child itself, and ``lost`` when the supervisor has died.

    A terminal's ^C and a service manager's TERM go to the whole group, so the supervisor has them
    as well. To a child the second one means no more than the first."""

    def __init__(
        self, channel: Channel, signals: Signals, on_order: Callable[[str, list[Any]], None]
    ) -> None:
        self._channel = channel
        self._signals = signals
        self._on_order = on_order
        self._own: native.SimpleQueue[str] = native.SimpleQueue()
        self._thread = threading.Thread(target=self._listen, name="huey-orders", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def post(self, order: str) -> None:
        """From another thread of this process, also while it holds a lock."""
        self._own.put(order)
        self._signals.wake()

    def _listen(self) -> None:
        while True:
            number = self._signals.wait(60, self._channel)
            if number in (signal.SIGINT, signal.SIGTERM):
                self._call("signal", [])
            while True:
                try:
                    self._call(self._own.get_nowait(), [])
                except native.Empty:
                    break
            messages = self._channel.receive()
            if messages is None:
                self._call("lost", [])
                return
            for order, *rest in messages:
                self._call(order, rest)

    def _call(self, order: str, rest: list[Any]) -> None:
        try:
            self._on_order(order, rest)
        except Exception:
            logger.exception("order %s failed", order)
