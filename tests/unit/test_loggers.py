"""Huey's loggers are above ours."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import logging, logging.config, sys
from hueycore import MemoryHuey

huey = MemoryHuey("app", allow_paths=["*", "__main__.*"])
logging.config.dictConfig(
    {
        "version": 1,
        "handlers": {"out": {"class": "logging.StreamHandler", "stream": sys.stdout}},
        "loggers": {%r: {"handlers": ["out"], "level": "DEBUG"}},
    }
)

@huey.task()
def add(): ...

add()
huey.execute(huey.dequeue())
logging.getLogger("hueycore.consumer").debug("from the consumer")
"""


@pytest.mark.feature("logs")
@pytest.mark.parametrize(
    ("name", "runs", "consumer"),
    [
        ("huey", True, True),
        ("huey.consumer", False, True),
        ("hueycore", True, True),
        ("hueycore.consumer", False, True),
        ("another", False, False),
    ],
)
def test_what_is_configured_by_hueys_names_holds_for_our_records(
    name: str, runs: bool, consumer: bool
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM % name], capture_output=True, text=True, check=True
    )

    assert ("begins" in done.stdout, "from the consumer" in done.stdout) == (runs, consumer)
    assert done.stderr == ""
