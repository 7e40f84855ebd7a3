"""One measurement in a fresh process and folder."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

PROGRAM = Path(__file__).parent / "measure.py"
#: What measure.py prints of one run.
Answer = dict[str, float]


class Skipped(Exception):
    """This machine cannot measure it; the message says what it lacks."""


class Failed(SystemExit):
    """Ends the program with what the process said, where nobody catches it."""


def measured(system: str, what: str, environ: Mapping[str, str] = os.environ) -> Answer:
    from tests.bench.cluster import database  # here: what measures imports this file too

    with (
        tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder,
        database(environ) as told,
    ):
        run = subprocess.run(
            [sys.executable, str(PROGRAM), system, what, folder],
            capture_output=True,
            text=True,
            env={**environ, **told},
        )
    if run.returncode:
        raise Failed(f"{system} {what} failed:\n{run.stderr}")
    answer = json.loads(run.stdout.splitlines()[-1])
    if "skipped" in answer:
        raise Skipped(answer["skipped"])
    found: Answer = answer
    return found
