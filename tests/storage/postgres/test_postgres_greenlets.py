"""Greenlets of one thread that use one storage: none waits for a lock that another one holds."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("gevent")

PROGRAM = """
from gevent import monkey

monkey.patch_all()
import sys
import gevent
from hueycore import Huey
from hueycore.model.jobs import NewJob

huey = Huey("app", url=sys.argv[1])

def write(number):
    for n in range(20):
        huey.storage.enqueue([NewJob(f"{number}-{n}", "task", b"")])

greenlets = [gevent.spawn(write, number) for number in range(20)]
gevent.joinall(greenlets, raise_error=True)
print(huey.pending_count())
huey.close()
"""


def test_greenlets_that_write_at_the_same_time_all_get_their_turn(postgres_url: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, postgres_url], capture_output=True, text=True, timeout=60
    )

    assert (done.stdout.strip(), done.stderr) == ("400", "")
