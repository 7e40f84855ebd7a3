"""The consumer of a demo: a process that is killed, and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from hueyctl import errors
from hueyctl.commands.demo.workload import APP, WORKERS


class Consumer:
    """One at a time. ``folder`` holds its log; it ends by itself after ``max_time`` seconds."""

    def __init__(self, path: str, folder: str, max_time: float) -> None:
        self._path, self._folder, self._max_time = path, folder, max_time
        self._log = os.path.join(folder, "consumer.log")
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def runs(self) -> bool:
        return self._child is not None

    def start(self) -> int:
        """Start it; its process number."""
        environment = {
            key: value for key, value in os.environ.items() if not key.startswith("HUEYCTL_")
        }
        environment |= {
            "HUEYCTL_DEMO_DB": self._path,
            "XDG_CONFIG_HOME": self._folder,
            "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path)),
        }
        words = ["-w", str(WORKERS), "--max-time", str(self._max_time)]
        with open(self._log, "ab") as log:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "hueyctl", "consume", f"{APP}:huey", *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                cwd=self._folder,
                start_new_session=True,
            )
        return self._child.pid

    def kill(self) -> int:
        """Without any warning, as the kernel does when memory runs out; its process number."""
        assert self._child is not None
        child, self._child = self._child, None
        child.send_signal(signal.SIGKILL)
        child.wait()
        return child.pid

    def check(self) -> None:
        """Raise ``CliError`` with the end of its log when it has ended by itself."""
        if self._child is None or self._child.poll() is None:
            return
        with open(self._log, errors="replace") as log:
            last = "".join(log.readlines()[-5:]).strip()
        code, self._child = self._child.returncode, None
        raise errors.CliError(f"the consumer ended with exit code {code}: {last}")

    def stop(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        child.terminate()
        try:
            child.wait(3)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
