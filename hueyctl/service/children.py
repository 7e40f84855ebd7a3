"""One consumer process per application, when several are named, and below the first process of a
container, which has to reap whatever ends there."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from types import FrameType

from hueycore.consumer.health import RESTARTING, STOPPING
from hueyctl import exits, streams
from hueyctl.service.channel import Channel
from hueyctl.service.health import CombinedHealth
from hueyctl.service.http import Answer, Server
from hueyctl.service.notify import Notifier
from hueyctl.service.probes import answer

_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Children:
    """Forks one child per application, before any is imported: each imports its own.

    Signals are passed on. When a child fails, the others are stopped, and the failure is the exit
    code, so that a supervisor starts all of them again. With ``http`` and ``notify`` the parent
    answers for all of them.
    """

    def __init__(
        self,
        names: Sequence[str],
        work: Callable[[str, Channel | None], int],
        *,
        http: tuple[str, int] | None = None,
        notify: bool = False,
    ) -> None:
        self.names, self.work = names, work
        self._http, self._notify = http, notify
        monitored = http is not None or notify
        self._channels = [Channel(name) for name in names] if monitored else []
        self.health = CombinedHealth(self._channels)
        self.pids: dict[int, str] = {}
        self.code = exits.OK
        self.restart = False
        self._lifeline: tuple[int, int] | None = None

    def run(self) -> int:
        """Until the last child has ended; the first exit code that is not 0. Exit 69 when the port
        cannot be had."""
        with ExitStack() as stack:
            stack.callback(self.health.close)
            server = None
            if self._http is not None:
                server = Server(*self._http, self._answer)
                stack.callback(server.stop)
            self._run(lambda: self._monitor(server, stack))
        if self.restart and self.code == exits.OK:
            os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606
        return self.code

    def _answer(self, path: str, accept: str) -> Answer:
        return answer(path, accept, self.health.name, self.health, self.health.metrics)

    def _monitor(self, server: Server | None, stack: ExitStack) -> None:
        """Start the threads, now that nothing is forked any more."""
        if not self._channels:
            return
        for channel in self._channels:
            channel.become_parent()
        if server is not None:
            server.start()
            streams.say(f"hueyctl: probes at {server.url}/healthz, /readyz and /metrics")
            if server.warning:
                streams.say(f"hueyctl: {server.warning}")
        if self._notify:
            notifier = Notifier(self.health)
            notifier.start()
            stack.callback(notifier.stop)
        self.health.start()
        stack.callback(self.health.stop)

    def _run(self, on_forked: Callable[[], None]) -> None:
        before = {number: signal.signal(number, self._forward) for number in _FORWARDED}
        self._lifeline = os.pipe()
        try:
            for number, name in enumerate(self.names):
                self._spawn(name, self._channels[number] if self._channels else None)
            on_forked()
            while self.pids:
                self._reap()
        finally:
            self._send(signal.SIGTERM)
            for number, handler in before.items():
                signal.signal(number, handler)
            for descriptor in self._lifeline:
                os.close(descriptor)

    def _spawn(self, name: str, channel: Channel | None) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        # A signal between the fork and the child's own handlers would be forwarded by the child.
        signal.pthread_sigmask(signal.SIG_BLOCK, _FORWARDED)
        pid = os.fork()
        if pid == 0:
            code = exits.INTERNAL
            try:
                self._become_child(channel)
                code = self.work(name, channel)
            except BaseException as error:
                from hueyctl.errors import report

                code = report(error, as_json=False, verbose=False)
            finally:
                _leave(code)
        self.pids[pid] = name
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _FORWARDED)

    def _become_child(self, own: Channel | None) -> None:
        # ^C reaches the whole foreground group. Passed on by the parent it would arrive twice, and
        # the second one means "now".
        os.setpgid(0, 0)
        for number in _FORWARDED:
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self.pids.clear()
        for channel in self._channels:
            channel.become_child(mine=channel is own)
        assert self._lifeline is not None
        receive, send = self._lifeline
        os.close(send)
        threading.Thread(target=_watch_parent, args=(receive,), daemon=True).start()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _FORWARDED)

    def _reap(self) -> None:
        try:
            pid, status = os.wait()
        except ChildProcessError:
            self.pids.clear()
            return
        name = self.pids.pop(pid, None)
        code = os.waitstatus_to_exitcode(status)
        if name is None or code == 0:
            return
        code = 128 - code if code < 0 else code
        if self.code == exits.OK:
            self.code = code
            if self.pids:
                streams.say(f"hueyctl: the consumer of {name} ended with {code}; stopping the rest")
        self._send(signal.SIGTERM)

    def _forward(self, number: int, frame: FrameType | None) -> None:
        # A consumer restarts by running its command line again, and a child has that of all.
        self.restart = self.restart or number == signal.SIGHUP
        self.health.ending = RESTARTING if number == signal.SIGHUP else STOPPING
        self._send(signal.SIGTERM if number == signal.SIGHUP else number)

    def _send(self, number: int) -> None:
        for pid in self.pids:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue


def _watch_parent(receive: int) -> None:
    """Stop as on TERM when the parent is gone: its end of the pipe closes however it dies."""
    os.read(receive, 1)
    os.kill(os.getpid(), signal.SIGTERM)


def _leave(code: int) -> None:
    """End the child without the parent's own clean-up."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)
