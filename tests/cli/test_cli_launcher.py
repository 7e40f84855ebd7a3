"""Launchers that know Huey's consumer: its module, its flags, their values."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clikit import DEADLINE, state_of_job

Run = Callable[..., Any]

#: Every flag of ``huey_consumer``, short and long.
SHORT = "-d 0.2 -m 5 -b 1.2 -c 7 -C -s 2 -n -f -L a,b -M 0 -t 3 -g INT -S -v"
LONG = (
    "--delay 0.2 --max-delay 5 --backoff 1.2 --health-check-interval 7 --disable-health-check "
    "--scheduler-interval 2 --no-periodic --flush-locks --extra-locks a,b --max-tasks 0 "
    "--shutdown-timeout 3 --graceful-signal INT --simple --verbose --logfile log"
)


def launch(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "hueycore.bin.huey_consumer", *words],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )


@pytest.mark.parametrize("flags", [SHORT, LONG, "-q", "--quiet", "-w 2 -k process"])
def test_hueys_module_takes_hueys_flags(app: str, hueyctl: Run, flags: str) -> None:
    hueyctl("enqueue", "-A", app, "app.add", "1")

    done = launch("app.huey", *flags.split(), "--burst")

    assert done.returncode == 0, done.stderr
    assert hueyctl("result", "1", "-A", app).stdout == "3\n"


def test_it_says_what_is_missing() -> None:
    done = launch()

    assert done.returncode == 2
    assert "say which application" in done.stderr


@pytest.mark.parametrize("kind", ["thread", "process"])
def test_without_workers_it_only_schedules(app: str, hueyctl: Run, home: Path, kind: str) -> None:
    hueyctl("enqueue", "-A", app, "app.add", "1")

    done = hueyctl("consume", app, "-w", "0", "-k", kind, "--max-time", "1s")

    assert done.returncode == 0, done.stderr
    assert state_of_job(home / "queue.db", "1") == "pending"


@pytest.mark.parametrize("root", [True, False])
@pytest.mark.parametrize("propagate", [True, False])
def test_the_log_goes_where_the_application_and_the_operator_want_it(
    app: str, hueyctl: Run, home: Path, root: bool, propagate: bool
) -> None:
    with (home / "app.py").open("a") as file:
        file.write(
            "\nimport logging\n"
            "own = logging.getLogger('huey')\n"
            "own.addHandler(logging.FileHandler('own'))\n"
            f"own.propagate = {propagate}\n"
            f"logging.basicConfig(filename='root') if {root} else None\n"
        )

    done = hueyctl("consume", app, "--burst", "-l", "asked")

    assert done.returncode == 0, done.stderr
    for name in ("own", "asked"):
        assert (home / name).read_text().count("workers on") == 1, name


def test_no_program_is_installed_under_hueys_name() -> None:
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8")

    assert "huey_consumer" not in text
