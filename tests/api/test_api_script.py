"""Tasks of the script that runs, ``__main__``: refused where no consumer can ever know them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hueycore import SqliteHuey
from tests.helpers import PYTHONPATH, jobs

DECLARED = """
import dataclasses, sys
from hueycore import Huey, MemoryHuey, SqliteHuey

huey = {huey}

@dataclasses.dataclass
class Point:
    x: int

@huey.task()
def add(a, b):
    return a + b

if __name__ == "__main__":
    MAKE = "create_" + "consumer"  # nobody can see it coming
"""
FILE = 'SqliteHuey("app", "queue.db"{})'


def run(folder: Path, lines: str, huey: str = FILE.format("")) -> str:
    """What a script of these lines prints, and what it dies of."""
    script = DECLARED.format(huey=huey) + "".join(f"    {line}\n" for line in lines.splitlines())
    (folder / "app.py").write_text(script)
    (folder / "shop.py").write_text(
        "from hueycore import SqliteHuey\n"
        'huey = SqliteHuey("app", "queue.db")\n'
        "@huey.task()\n"
        "def show(thing): return repr(thing)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "app.py"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": PYTHONPATH},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
    return done.stdout.strip()


@pytest.mark.parametrize(
    "call",
    [
        "add(1, 2)",
        "huey.enqueue(add.s(1, 2))",
        "huey.enqueue_many([add.s(1, 2)])",
        "(add.s(1, 2) | add.s(3))()",
        'huey.call("__main__.add", 1, 2)',
        'huey.schedule_periodic("nightly", "@daily", add, (1, 2))',
        "import threading; huey.batch().__enter__(); add(1, 2)",
    ],
)
def test_a_task_of_the_script_is_refused_with_what_to_do(tmp_path: Path, call: str) -> None:
    told = run(tmp_path, call)

    assert "ConfigurationError: __main__.add is in the script that runs" in told
    assert "move it out of app.py into a module and import it from there" in told
    assert jobs(SqliteHuey("app", tmp_path / "queue.db")) == []


def test_a_class_of_the_script_is_no_argument_and_its_name_in_a_text_is(tmp_path: Path) -> None:
    told = run(
        tmp_path, "from shop import show\nshow('if __name__ == \"__main__\":')\nshow(Point(1))"
    )

    assert "SerializationError: an argument of shop.show is of a class in the script" in told
    queue = SqliteHuey("app", tmp_path / "queue.db")
    assert len(jobs(queue)) == 1


@pytest.mark.parametrize(
    ("lines", "huey"),
    [
        ("r = add(1, 2)\nhuey.execute(huey.dequeue())\nprint(r.get())", 'MemoryHuey("app")'),
        ("print(add(1, 2).get())", FILE.format(", immediate=True")),
        (
            "print(add(1, 2).get())",
            FILE.format(", immediate=True, immediate_use_memory=False"),
        ),
        ("print(huey.execute(add.s(1, 2)))", FILE.format("")),
        ("r = add(1, 2)\nhuey.execute(huey.dequeue())\nprint(r.get())", FILE.format("")),
        (
            "r = add(1, 2)\nhuey.create_consumer(burst=True).run()\nprint(r.get())",
            FILE.format(""),
        ),
        (
            "c = getattr(huey, MAKE)(burst=True)\nr = add(1, 2)\nc.run()\nprint(r.get())",
            FILE.format(""),
        ),
        (
            "add(Point(1), 2)\nr = add(1, 2)\ngetattr(huey, MAKE)(burst=True).run()\nprint(r())",
            FILE.format(', allow_paths=["*", "__main__.*"]'),
        ),
    ],
)
def test_a_script_that_works_on_its_queue_goes_on_working(
    tmp_path: Path, lines: str, huey: str
) -> None:
    assert run(tmp_path, lines, huey).splitlines()[-1] == "3"


@pytest.mark.parametrize("prelude", ["", "import gevent.monkey; gevent.monkey.patch_all(); "])
def test_a_script_that_another_one_runs_says_itself_that_it_consumes(
    tmp_path: Path, prelude: str
) -> None:
    """As launchers and profilers do; under gevent frames are not where they were."""
    if prelude:
        pytest.importorskip("gevent")
    (tmp_path / "app.py").write_text(
        DECLARED.format(huey=FILE.format(""))
        + "    handle = add(1, 2)\n"
        + "    consumer = huey.create_consumer(workers=1, burst=True)\n"
        + "    consumer.run()\n"
        + "    print(handle.get())\n"
    )
    launch = f"{prelude}import runpy; runpy.run_path('app.py', run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", launch],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": PYTHONPATH},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "3\n", done.stderr
