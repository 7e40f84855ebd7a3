"""Tasks enqueued within ``transaction.atomic()``, with the queue in the same database."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hueycore import Huey
from tests.djhuey.letterskit import PRELUDE, PROJECT
from tests.helpers import PYTHONPATH, run_in

#: Settings of the project with the queue in the database of its own tables.
_SETTINGS = """
from settings import *
import os
if "://" in (url := os.environ["LETTERS_QUEUE"]):
    from psycopg.conninfo import conninfo_to_dict
    place, _, schema = url.partition("schema=")
    words = conninfo_to_dict(place.rstrip("?&"))
    options = {"options": f"-c search_path={schema}"}
    names = {"NAME": "dbname", "USER": "user", "HOST": "host", "PORT": "port"}
    DATABASES = {"default": {
        "ENGINE": "django.db.backends.postgresql", "OPTIONS": options,
        **{name: words.get(word) or "" for name, word in names.items()},
    }}
else:
    DATABASES = {"default": {
        "ENGINE": "django.db.backends.sqlite3", "NAME": url,
        "OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE"},
    }}
"""
#: Its table, and what a view does.
_VIEW = """
from django.db import connection, transaction
HUEY.storage
with connection.cursor() as cursor:
    cursor.execute("create table if not exists letter (name text)")
def view(name, error=None):
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("insert into letter (name) values (%s)", [name])
        result = write.enqueue(name)
        if error: raise error
    return result
"""


@pytest.fixture
def environment(path: str, tmp_path: Path) -> dict[str, str]:
    (tmp_path / "same_database.py").write_text(_SETTINGS)
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join((str(tmp_path), PYTHONPATH)),
        "DJANGO_SETTINGS_MODULE": "same_database",
        "LETTERS_QUEUE": path,
    }


@pytest.fixture
def queue(path: str) -> Iterator[Huey]:
    huey = Huey("letters", url=path)
    yield huey
    huey.close()


def start(environment: dict[str, str], code: str, view: str = _VIEW) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PRELUDE + view + code],
        cwd=PROJECT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def run(environment: dict[str, str], code: str, view: str = _VIEW) -> str:
    return run_in(PROJECT, environment, "-c", PRELUDE + view + code).stdout


def names(environment: dict[str, str]) -> tuple[list[str], list[str]]:
    """Those in the table, and those in the queue."""
    code = (
        "from hueycore.model.jobs import Selector\n"
        "with connection.cursor() as cursor:\n"
        "    cursor.execute('select name from letter')\n"
        "    rows = sorted(name for name, in cursor.fetchall())\n"
        "jobs = [backend.get_result(job.id).args[0] for job in HUEY.storage.jobs(Selector())]\n"
        "print(json.dumps([rows, sorted(jobs)]))\n"
    )
    rows, jobs = json.loads(run(environment, code))
    return rows, jobs


@pytest.mark.sql_only("a queue in Redis is in no transaction of a database's")
def test_a_task_is_there_with_the_commit_of_its_view_and_never_when_that_rolls_back(
    environment: dict[str, str],
) -> None:
    run(
        environment,
        "from hueycore.model.jobs import Selector\n"
        "seen = []\n"
        "def hear(sender, task_result, **_): seen.append(task_result.id)\n"
        "task_enqueued.connect(hear)\n"
        "try: view('Bob', LookupError())\n"
        "except LookupError: pass\n"
        "with transaction.atomic():\n"
        "    result = view('Ann')\n"
        "    try: view('Eve', LookupError())\n"  # a savepoint of the same transaction
        "    except LookupError: pass\n"
        "    assert not HUEY.storage.jobs(Selector()) and not seen\n"
        "    assert str(result.status) == 'READY' and result.enqueued_at\n"
        "assert seen == [result.id]\n"
        "assert result == backend.get_result(result.id)\n",
    )

    assert names(environment) == (["Ann"], ["Ann"])


@pytest.mark.sqlite_only("whoever makes tables locks the file")
def test_who_migrates_the_project_makes_the_queue_in_the_same_file(
    environment: dict[str, str],
) -> None:
    """So that the first enqueue of all may be within a transaction."""
    run_in(PROJECT, environment, "manage.py", "migrate", "-v", "0")
    first = (
        "with transaction.atomic():\n"
        "    result = write.enqueue('Ann')\n"
        "assert backend.get_result(result.id) == result\n"
    )

    run(environment, first, view="from django.db import transaction\n")


@pytest.mark.sql_only("a queue in Redis is in no transaction of a database's")
def test_a_consumer_runs_the_task_soon_after_the_commit(
    environment: dict[str, str], queue: Huey
) -> None:
    """Though it was free, and nothing to see, when the task was enqueued."""
    consumer = subprocess.Popen(
        [sys.executable, "manage.py", "run_huey", "--queue", "default"],
        cwd=PROJECT, env=environment, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        said = run(
            environment,
            "import time\n"
            "while not any(worker.alive for worker in HUEY.storage.workers()): time.sleep(0.01)\n"
            "with transaction.atomic():\n"
            "    result = view('Ann')\n"
            "    time.sleep(0.3)\n"
            "begun = time.monotonic()\n"
            "while not result.is_finished:\n"
            "    time.sleep(0.01); result.refresh()\n"
            "print(time.monotonic() - begun)\n",
        )
    finally:
        consumer.send_signal(signal.SIGTERM)
        assert consumer.wait(30) == 0

    assert float(said) < 4


@pytest.mark.slow
@pytest.mark.sql_only("a queue in Redis is in no transaction of a database's")
def test_after_a_kill_there_are_both_the_row_and_its_task_or_neither(
    environment: dict[str, str],
) -> None:
    chance, seen = random.Random(1), 0
    for number in range(6):
        process = start(
            environment,
            "import itertools\n"
            "for i in itertools.count():\n"
            f"    view(f'{number} {{i}}')\n"
            "    print('committed', flush=True)\n",
        )
        assert process.stdout is not None
        for _ in range(chance.randint(1, 4)):
            assert process.stdout.readline() == "committed\n"
            seen += 1
        time.sleep(chance.uniform(0, 0.01))  # somewhere in what comes next
        process.kill()
        process.communicate()

    rows, jobs = names(environment)

    assert len(rows) >= seen
    assert rows == jobs
