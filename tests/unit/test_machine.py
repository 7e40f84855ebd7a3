"""What a process knows of others on its machine."""

from __future__ import annotations

import os
import subprocess
import sys

from hueycore.system.machine import runs
from tests.helpers import wait_until


def test_a_process_runs_until_it_is_killed_though_its_parent_has_not_heard_of_it() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert runs(child.pid)
    finally:
        child.kill()
    wait_until(lambda: not runs(child.pid))
    assert os.path.exists(f"/proc/{child.pid}"), "a zombie"
    child.communicate()
    assert not runs(child.pid)


def test_a_process_of_another_user_runs() -> None:
    assert runs(1)
