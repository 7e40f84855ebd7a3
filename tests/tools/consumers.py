"""Consumers, and other commands, beside a tool: in a folder with an application."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def environment(folder: Path) -> dict[str, str]:
    """Without a setting of the person who runs the tool."""
    places = os.pathsep.join((str(ROOT / "core"), str(ROOT), str(folder)))
    plain = {name: text for name, text in os.environ.items() if not name.startswith("HUEYCTL_")}
    return {**plain, "PYTHONPATH": places}


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "hueyctl", *words]


def start(folder: Path, environment: dict[str, str], *words: str) -> subprocess.Popen[bytes]:
    """A command line that says nothing, in a process group of its own."""
    return subprocess.Popen(
        command(*words), cwd=folder, env=environment, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
