"""Programs that begin together, and are told to stop together."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

from settings import FOLDER, HERE, SYSTEM


class Crew:
    """So many processes of one measure."""

    def __init__(self, number: int, what: str, environ: Mapping[str, str] | None = None) -> None:
        command = [sys.executable, str(HERE / "measure.py"), SYSTEM, what, str(FOLDER)]
        self._processes = [
            subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, **(environ or {})},
            )
            for _ in range(number)
        ]

    def __enter__(self) -> Self:
        for process in self._processes:
            assert process.stdout and process.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *error: object) -> None:
        for process in self._processes:
            with process:
                process.kill()  # it has ended, unless something failed

    def begin(self) -> None:
        for process in self._processes:
            assert process.stdin
            process.stdin.write("go\n")
            process.stdin.flush()

    def end(self) -> list[dict[str, Any]]:
        """What they answer."""
        for process in self._processes:
            assert process.stdin
            process.stdin.close()
        answers = []
        for process in self._processes:
            assert process.stdout
            answers.append(json.loads(process.stdout.readlines()[-1]))
        return answers


@contextmanager
def at_once() -> Iterator[None]:
    """In such a process: it says that it is ready, begins at a line of its input, and stays until
    the end of it."""
    print("ready", flush=True)
    sys.stdin.readline()
    yield
    sys.stdin.read()
