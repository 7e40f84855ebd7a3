"""``hueyctl dashboard`` as a program that runs."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import sys

from clikit import DEADLINE, ROOT

COMMAND = [sys.executable, "-m", "hueyctl", "dashboard"]


class Program:
    """A dashboard that runs."""

    def __init__(self, *words: str) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": f"{ROOT / 'core'}{os.pathsep}{ROOT}"},
        )
        assert self.process.stdout is not None
        self.link = self.process.stdout.readline().strip()
        found = re.fullmatch(r"http://([^:]+):(\d+)(/[^?]*)\?token=([\w-]+)", self.link)
        assert found is not None, self.stop(signal.SIGKILL)
        self.host, self.port, self.base, self.token = (
            found[1], int(found[2]), found[3].rstrip("/"), found[4],
        )  # fmt: skip

    def get(self, address: str, **headers: str) -> tuple[int, dict[str, str], str]:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=DEADLINE)
        try:
            connection.request("GET", address, headers=headers)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read().decode()
        finally:
            connection.close()

    def log_in(self) -> str:
        """The cookie that the link of the program is exchanged for."""
        status, headers, _ = self.get(f"{self.base}/?token={self.token}")
        assert status == 303
        return headers["Set-Cookie"].partition(";")[0]

    def stop(self, number: int) -> tuple[int, str]:
        """Exit code, and what it said."""
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=DEADLINE)
        return self.process.returncode, said

    def close(self) -> None:
        """Killed, if it runs."""
        if self.process.poll() is None:
            self.stop(signal.SIGKILL)
        for pipe in (self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()
